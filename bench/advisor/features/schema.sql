-- A few tables of a million rows, each column there for one kind of index.  Deterministic: no random() but by setseed.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE COLLATION words (provider = libc, locale = 'C.utf8'); -- sorts as C does, and is not C: LIKE needs an operator class
CREATE TYPE stage AS ENUM ('new', 'paid', 'sent', 'returned');
SELECT setseed(0.25);

CREATE TABLE customers (
    id int PRIMARY KEY, country text NOT NULL, vip boolean NOT NULL, name text NOT NULL
);
INSERT INTO customers
SELECT i, (ARRAY['se', 'no', 'dk', 'fi'])[1 + i % 4], i % 5000 = 7, 'customer ' || i
FROM generate_series(1, 100000) AS i;

CREATE TABLE orders (
    id bigint PRIMARY KEY, tenant_id int NOT NULL, customer_id int NOT NULL, reference text NOT NULL, token uuid NOT NULL,
    status text NOT NULL, stage stage NOT NULL, region smallint NOT NULL, priority smallint NOT NULL,
    total numeric(10, 2) NOT NULL, balance numeric(10, 2) NOT NULL, placed timestamp NOT NULL, paid_at timestamptz NOT NULL,
    shipped_at timestamp, finished_at timestamp, deleted_at timestamp, updated_at timestamp NOT NULL, synced_at timestamp NOT NULL,
    error_code text, flagged boolean NOT NULL, assignee int, email text NOT NULL, note text NOT NULL
);
INSERT INTO orders
SELECT i, (power(random(), 3) * 2000)::int, (random() * 99999)::int + 1, 'R-' || (i::bigint * 7919) % 400009, md5(i::text)::uuid,
    CASE WHEN i % 10007 = 0 THEN 'failed' WHEN i % 1009 = 0 THEN 'pending' WHEN i % 53 = 0 THEN 'open' ELSE 'done' END,
    (CASE WHEN i % 3001 = 0 THEN 'returned' WHEN i % 2 = 0 THEN 'sent' WHEN i % 3 = 0 THEN 'paid' ELSE 'new' END)::stage,
    (power(random(), 2) * 12)::smallint, (i * 31) % 10, (random() * 1000)::numeric(10, 2), (random() * 2000 - 1000)::numeric(10, 2),
    timestamp '2025-01-01' + (i::bigint * 104729 % 1000003) * interval '30 seconds',
    timestamptz '2025-01-01 00:00:00+00' + (i::bigint * 15485863 % 1000003) * interval '30 seconds',
    CASE WHEN i % 907 <> 0 THEN timestamp '2025-01-02' + i * interval '29 seconds' END,
    CASE WHEN i % 10 >= 3 THEN timestamp '2025-01-03' + (i::bigint * 7907 % 1000003) * interval '30 seconds' END,
    CASE WHEN i % 20 <> 0 THEN NULL ELSE timestamp '2025-06-01' + i * interval '1 second' END,
    timestamp '2026-01-01' + CASE WHEN i % 1511 = 0 THEN interval '2 hours' ELSE interval '0' END, timestamp '2026-01-01 01:00:00',
    CASE WHEN i % 1201 = 0 THEN 'E' || i % 7 END, i % 997 = 0, CASE WHEN i % 1301 <> 0 THEN (random() * 500)::int + 1 END,
    'User' || i || '@Example.com', repeat(md5((i + 1)::text), 1)
FROM generate_series(1, 1000000) AS i;
CREATE INDEX orders_customer ON orders (customer_id);

CREATE TABLE items (
    id bigint PRIMARY KEY, order_id bigint NOT NULL, product_id int NOT NULL, quantity int NOT NULL, price numeric(10, 2) NOT NULL,
    returned boolean NOT NULL, padding text NOT NULL
);
INSERT INTO items
SELECT i, (random() * 999999)::int + 1, (power(random(), 2) * 50000)::int, 1 + i % 9, (random() * 100)::numeric(10, 2), i % 2003 = 0,
    repeat('x', 120)
FROM generate_series(1, 1000000) AS i;

CREATE TABLE documents (
    id bigint PRIMARY KEY, owner_id int NOT NULL, doc jsonb NOT NULL, tags text[] NOT NULL, title text COLLATE words NOT NULL,
    body text NOT NULL, search tsvector NOT NULL, url text NOT NULL, attributes jsonb NOT NULL
);
INSERT INTO documents
SELECT i, i % 5000,
    jsonb_build_object('ref', 'r' || i % 300007, 'size', i % 200003, 'kind', 'k' || i % 6),
    ARRAY['t' || i % 20011, 't' || i % 13], initcap(substr(md5((i * 3)::text), 1, 9)) || ' report ' || i,
    substr(md5((i * 7)::text), 1, 8) || ' word' || i % 40009 || ' and other' || i % 17, array_to_tsvector(ARRAY['w' || i % 40009, 'c' || i % 23]),
    'https://example.com/' || md5(i::text) || coalesce(CASE WHEN i % 20 = 0 THEN
        (SELECT string_agg(md5((i * 200 + j)::text), '') FROM generate_series(1, (power((i / 20 * 7919 % 1000) / 1000.0, 3) * 130)::int) AS j) END, ''),
    CASE WHEN i % 2503 = 0 THEN '{"urgent": 1}'::jsonb ELSE jsonb_build_object('a' || i % 5, i % 3) END
FROM generate_series(1, 1000000) AS i;

CREATE INDEX documents_owner ON documents (owner_id);

CREATE TABLE bookings (
    id bigint PRIMARY KEY, room_id int NOT NULL, during tsrange NOT NULL, place point NOT NULL, host inet NOT NULL, area box NOT NULL, padding text NOT NULL
);
INSERT INTO bookings
SELECT i, i % 500, tsrange(t, t + interval '40 minutes'), p, ('10.' || i % 250 || '.' || (i / 250) % 250 || '.' || (i / 62500) % 250)::inet,
    box(p, point(p[0] + 0.05, p[1] + 0.05)), repeat('b', 90)
FROM generate_series(1, 1000000) AS i
CROSS JOIN LATERAL (
    SELECT timestamp '2025-01-01' + (i::bigint * 104729 % 1000003) * interval '30 seconds' AS t,
        point((i::bigint * 7919 % 1000003) / 1000.0, (i::bigint * 15485863 % 1000003) / 1000.0) AS p
) AS made;

CREATE TABLE events (
    id bigint NOT NULL, device_id int NOT NULL, at timestamp NOT NULL, kind text NOT NULL, payload text NOT NULL
) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2025-04-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2025-04-01') TO ('2025-07-01');
CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM ('2025-07-01') TO ('2025-10-01');
CREATE TABLE events_4 PARTITION OF events FOR VALUES FROM ('2025-10-01') TO ('2026-01-01');
INSERT INTO events
SELECT i, (i::bigint * 7919 % 20011)::int, timestamp '2025-01-01' + i * interval '31 seconds', 'k' || i % 8, repeat('p', 90)
FROM generate_series(1, 1000000) AS i;

CREATE TABLE logs (id bigint NOT NULL, logged_at timestamp NOT NULL, level smallint NOT NULL, source int NOT NULL, message text NOT NULL);
INSERT INTO logs
SELECT i, timestamp '2025-01-01' + i * interval '30 seconds', i % 5, (random() * 300)::int, repeat('m', 110)
FROM generate_series(1, 1000000) AS i;

CREATE TABLE sessions (id bigint PRIMARY KEY, account_id int NOT NULL, token bytea NOT NULL, expires_at timestamptz NOT NULL, state jsonb NOT NULL);
INSERT INTO sessions
SELECT i, (random() * 200000)::int, decode(md5(i::text), 'hex'),
    timestamptz '2025-01-01 00:00:00+00' + (i::bigint * 104729 % 1000003) * interval '30 seconds', '{"pad": "0123456789012345678901234567890123456789"}'
FROM generate_series(1, 1000000) AS i;
