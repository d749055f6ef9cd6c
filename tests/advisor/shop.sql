-- A shop with enough rows for a missing index to show, and few enough to load in seconds.
SET synchronous_commit = on; -- else VACUUM may find nothing visible to all yet
CREATE EXTENSION IF NOT EXISTS pg_trgm;
ALTER DATABASE shop SET random_page_cost = 1.1;
CREATE TYPE stage AS ENUM ('new', 'paid', 'sent', 'lost');
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL, stage stage NOT NULL, total numeric(10, 2) NOT NULL,
    email text NOT NULL, name varchar(60) NOT NULL, placed timestamp NOT NULL, paid_at timestamptz NOT NULL, deleted_at timestamp,
    archived boolean NOT NULL, region int NOT NULL, doc jsonb NOT NULL, tags text[] NOT NULL, note text NOT NULL
);
SELECT setseed(0.5);
INSERT INTO orders
SELECT i, (power(random(), 3) * 6000)::int,
    CASE WHEN i % 500 = 0 THEN 'pending' WHEN i % 9 = 0 THEN 'open' ELSE 'done' END,
    (ARRAY['new', 'paid', 'sent', 'lost'])[1 + i % 4]::stage, (random() * 1000)::numeric(10, 2), 'User' || i || '@example.com',
    'name ' || i % 9000, timestamp '2026-01-01' + i * interval '2 minutes', timestamptz '2026-01-01 00:00:00+00' + i * interval '2 minutes',
    CASE WHEN i % 20 = 0 THEN timestamp '2026-05-01' END, i % 300 = 0, i % 3,
    jsonb_build_object('ref', 'r' || i % 20000, 'kind', i % 5), ARRAY['t' || i % 700, 't' || i % 11], repeat(md5(i::text), 5)
FROM generate_series(1, 60000) AS i;
ALTER TABLE orders ALTER id SET STATISTICS 200; -- ANALYZE reads every row: the size of one index is nearly off by too much
CREATE TABLE order_items (
    id bigint PRIMARY KEY, order_id bigint NOT NULL, product_sku text NOT NULL, status text NOT NULL, quantity int NOT NULL,
    padding text NOT NULL
);
INSERT INTO order_items
SELECT i, (random() * 60000)::int, 'SKU-' || (power(random(), 4) * 4000)::int,
    (ARRAY['done', 'done', 'done', 'open', 'returned'])[1 + i % 5], i % 10, repeat('x', 60)
FROM generate_series(1, 120000) AS i;
CREATE TABLE messages (
    id bigint PRIMARY KEY, tenant_id int NOT NULL, channel_id int NOT NULL, kind text NOT NULL, created_at timestamp NOT NULL,
    body text NOT NULL
);
INSERT INTO messages
SELECT i, CASE WHEN i < 1500 THEN 7 ELSE 100 + (power(random(), 2) * 40)::int END, (random() * 2000)::int,
    (ARRAY['text', 'text', 'text', 'file'])[1 + i % 4], timestamp '2026-01-01' + i * interval '1 minute', repeat(md5(i::text), 4)
FROM generate_series(1, 80000) AS i;
CREATE INDEX messages_created_at ON messages (created_at);
CREATE TABLE tenants (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO tenants SELECT i, 'tenant ' || i FROM generate_series(1, 300) AS i;
CREATE TABLE events (id bigint NOT NULL, device_id int NOT NULL, at timestamp NOT NULL, payload text NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE events_2026_02 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO events SELECT i, (random() * 3000)::int, timestamp '2026-01-01' + i * interval '1 minute', repeat('p', 80)
FROM generate_series(1, 80000) AS i;
CREATE TABLE bookings (id bigint PRIMARY KEY, room_id int NOT NULL, during tsrange NOT NULL, place point NOT NULL, host inet NOT NULL, padding text NOT NULL);
INSERT INTO bookings
SELECT i, i % 50, tsrange(timestamp '2026-01-01' + i * interval '5 minutes', timestamp '2026-01-01' + (i + 9) * interval '5 minutes'),
    point(random() * 100, random() * 100), ('10.' || i % 100 || '.' || (i / 100) % 250 || '.1')::inet, repeat('b', 90)
FROM generate_series(1, 60000) AS i;
CREATE TABLE covered (id bigint PRIMARY KEY, account_id int NOT NULL, amount int NOT NULL, at timestamp NOT NULL, padding text NOT NULL);
INSERT INTO covered SELECT i, i % 40, i % 100, timestamp '2026-01-01' + i * interval '1 minute', repeat('c', 90) FROM generate_series(1, 60000) AS i;
CREATE INDEX covered_account ON covered (account_id);
