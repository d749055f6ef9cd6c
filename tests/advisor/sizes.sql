-- Keys that are hard to size: depending on each other, skewed, mostly NULL, padded, in runs, wide, documents.
CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE EXTENSION IF NOT EXISTS pageinspect;
SELECT setseed(0.7);
CREATE TABLE visit AS
SELECT i AS id, i / 3 AS stay, (power(random(), 3) * 20000)::int AS guest, (i % 250)::int AS room, (i % 250) % 25 AS house,
    date '2025-01-01' + (i / 200)::int AS arrived, date '2025-01-01' + (i / 200)::int + (random() * 9)::int AS left_on,
    CASE WHEN i % 40 = 0 THEN timestamptz '2025-01-01 00:00+00' + i * interval '1 minute' END AS cancelled,
    (random() * 900)::numeric(15, 2) AS price, ('r' || (random() * 11)::int)::char(20) AS rate, 'guest ' || md5((i % 9000)::text) AS name,
    random() < 0.03 AS open, md5(i::text)::uuid AS token, ARRAY[i % 7, i % 90, (random() * 2000)::int] AS extras,
    jsonb_build_object('kind', 'k' || i % 9, 'floor', i % 14, 'ref', md5(i::text)) AS doc,
    int4range(i::int, i::int + 7) AS held
FROM generate_series(1, 40000) AS i;
ALTER TABLE visit ADD PRIMARY KEY (id);
CREATE STATISTICS visit_rooms (ndistinct) ON room, house FROM visit;
