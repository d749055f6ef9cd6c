SET synchronous_commit = on;
CREATE SCHEMA sales;
CREATE TYPE sales.status AS ENUM ('new', 'paid', 'shipped');
CREATE SEQUENCE sales.numbers START 100;
CREATE TABLE sales.customers (
    id bigserial PRIMARY KEY,
    number bigint NOT NULL DEFAULT nextval('sales.numbers'),
    country text NOT NULL,
    born date,
    referred_by bigint REFERENCES sales.customers
);
INSERT INTO sales.customers (country, born, referred_by)
SELECT (ARRAY['de', 'fr', 'it', 'es'])[1 + floor(random() ^ 2 * 4)::int], date '1960-01-01' + (random() * 15000)::int,
       CASE WHEN i > 100 AND random() < 0.2 THEN 1 + floor(random() * 90)::int END
FROM generate_series(1, 3000) AS i;
CREATE TABLE sales.orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES sales.customers,
    status sales.status NOT NULL,
    total numeric(10, 2) NOT NULL CHECK (total >= 0),
    doubled numeric GENERATED ALWAYS AS (total * 2) STORED,
    placed timestamptz NOT NULL,
    note text
);
INSERT INTO sales.orders (customer_id, status, total, placed, note)
SELECT 1 + floor(random() ^ 2 * 2999)::int, (ARRAY['new', 'paid', 'shipped'])[1 + floor(random() ^ 3 * 3)::int]::sales.status,
       (random() * 900)::numeric(10, 2), timestamptz '2026-01-01' + i * interval '1 minute',
       CASE WHEN i % 3 = 0 THEN 'note ' || i END
FROM generate_series(1, 20000) AS i;
CREATE INDEX orders_customer ON sales.orders (customer_id);
CREATE INDEX orders_open ON sales.orders (placed) WHERE status = 'new';
CREATE STATISTICS sales.orders_together (dependencies) ON customer_id, status FROM sales.orders;
ALTER TABLE sales.orders ALTER COLUMN note SET STORAGE external;
ALTER TABLE sales.orders ALTER COLUMN note SET STATISTICS 50;
CREATE TABLE sales.events (at timestamptz NOT NULL, kind text, id bigint NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE sales.events_january PARTITION OF sales.events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE sales.events_february PARTITION OF sales.events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO sales.events SELECT timestamptz '2026-01-01' + i * interval '8 minutes', 'kind ' || i % 4, i FROM generate_series(0, 9999) AS i;
CREATE TABLE sales.nothing (id integer PRIMARY KEY, parent integer REFERENCES sales.nothing, text text);
CREATE VIEW sales.open AS SELECT * FROM sales.orders WHERE status = 'new';
CREATE MATERIALIZED VIEW sales.per_country AS SELECT country, count(*) AS customers FROM sales.customers GROUP BY country;
CREATE UNIQUE INDEX ON sales.per_country (country);
CREATE FUNCTION sales.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no row may come in'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON sales.orders FOR EACH ROW EXECUTE FUNCTION sales.refuse();
CREATE TRIGGER asleep AFTER INSERT ON sales.customers FOR EACH ROW EXECUTE FUNCTION sales.refuse();
ALTER TABLE sales.customers DISABLE TRIGGER asleep;
VACUUM ANALYZE;
