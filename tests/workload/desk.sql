-- A help desk: skewed statuses, a soft delete, a queue, foreign keys without indexes, partitions, functions and triggers.
SET synchronous_commit = on; -- else VACUUM may find nothing visible to all yet
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE TABLE accounts (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE);
INSERT INTO accounts SELECT i, 'account ' || i, 'User' || i || '@example.com' FROM generate_series(1, 5000) AS i;
CREATE TABLE tickets (
    id bigint PRIMARY KEY, account_id int NOT NULL REFERENCES accounts ON DELETE CASCADE, status text NOT NULL,
    priority int NOT NULL, subject text NOT NULL, opened timestamp NOT NULL, closed timestamp, urgent boolean NOT NULL,
    tags text[] NOT NULL, doc jsonb NOT NULL, open_hours tsrange NOT NULL
);
SELECT setseed(0.5);
INSERT INTO tickets
SELECT i, 1 + (power(random(), 3) * 4999)::int, CASE WHEN i % 400 = 0 THEN 'waiting' WHEN i % 9 = 0 THEN 'open' ELSE 'done' END,
    i % 5, 'ticket ' || md5(i::text), timestamp '2026-01-01' + i * interval '3 minutes',
    CASE WHEN i % 30 <> 0 THEN timestamp '2026-05-01' END, i % 250 = 0, ARRAY['t' || i % 600, 't' || i % 7],
    jsonb_build_object('ref', 'r' || i % 15000, 'kind', i % 4),
    tsrange(timestamp '2026-01-01' + i * interval '3 minutes', timestamp '2026-01-01' + (i + 20) * interval '3 minutes')
FROM generate_series(1, 40000) AS i;
CREATE INDEX tickets_priority ON tickets (priority, id);
CREATE TABLE comments (
    id bigint PRIMARY KEY, ticket_id bigint NOT NULL REFERENCES tickets ON DELETE CASCADE, author int NOT NULL, body text NOT NULL
);
INSERT INTO comments SELECT i, 1 + (random() * 39999)::int, (power(random(), 2) * 300)::int, repeat(md5(i::text), 3)
FROM generate_series(1, 60000) AS i;
CREATE TABLE visits (at timestamp NOT NULL, page int NOT NULL, agent text NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE visits_01 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE visits_02 PARTITION OF visits FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO visits SELECT timestamp '2026-01-01' + i * interval '1 minute', (random() * 2000)::int, repeat('a', 60)
FROM generate_series(1, 70000) AS i;
