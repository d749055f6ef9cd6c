CREATE EXTENSION pg_trgm; CREATE EXTENSION pageinspect;
CREATE TYPE kind AS ENUM ('a', 'b', 'c', 'd');
CREATE TABLE item (
    id bigint, account int, account_skewed bigint, status text, flag boolean, created timestamp, day date, uid uuid,
    name varchar(80), email text, price numeric(12, 2), score double precision, maybe int, mostly_null timestamp,
    kind kind, note text, doc jsonb, tags text[], span tstzrange, place point, ip inet
);
SELECT setseed(0.3);
INSERT INTO item
SELECT i, (random() * 20000)::int, (power(random(), 4) * 50000)::bigint,
    (ARRAY['done', 'done', 'done', 'done', 'open', 'open', 'waiting', CASE WHEN i % 20 = 0 THEN 'rare' ELSE 'done' END])[1 + i % 8],
    random() < 0.02, timestamp '2026-01-01' + i * interval '37 seconds', date '2026-01-01' + (i % 400),
    md5(i::text)::uuid, 'name ' || (random() * 5000)::int, 'user' || i || '@mail' || i % 50 || '.example.com',
    (random() * 10000)::numeric(12, 2), random(), CASE WHEN random() < 0.7 THEN (random() * 1000)::int END,
    CASE WHEN random() < 0.03 THEN timestamp '2026-01-01' + random() * interval '90 days' END,
    (ARRAY['a', 'b', 'c', 'd'])[1 + (random() * 3)::int]::kind,
    (SELECT string_agg(w, ' ') FROM (SELECT 'w' || (power(random(), 3) * 4000)::int || substr(md5((i + g)::text), 1, 4) AS w FROM generate_series(1, 8) AS g) AS words),
    jsonb_build_object('kind', 'k' || (random() * 30)::int, 'owner', (random() * 5000)::int, 'on', random() < 0.5, 'ref', md5(i::text)),
    ARRAY(SELECT 't' || (power(random(), 2) * 800)::int FROM generate_series(1, 1 + i % 5)),
    tstzrange(timestamptz '2026-01-01' + i * interval '1 minute', timestamptz '2026-01-01' + (i + 600) * interval '1 minute'),
    point(random() * 100, random() * 100), ('10.' || i % 200 || '.' || (i / 200) % 250 || '.' || i % 250)::inet
FROM generate_series(1, :rows) AS i;
