CREATE EXTENSION pg_trgm;
CREATE EXTENSION pg_walinspect;
CREATE TYPE stage AS ENUM ('new', 'paid', 'sent', 'back');
CREATE FUNCTION rows_from(first bigint, last bigint) RETURNS TABLE (
    id bigint, account int, city int, status text, flag boolean, created timestamptz, day date, uid uuid,
    name text, email text, price numeric(12, 2), score double precision, maybe int, deleted timestamptz,
    stage stage, note text, doc jsonb, tags text[], span tstzrange, place point, ip inet, hits int)
LANGUAGE sql AS $$
    SELECT i, (random() * 50000)::int, (random() * 300)::int,
        (ARRAY['done', 'done', 'done', 'done', 'open', 'open', 'waiting', 'failed'])[1 + (random() * 7)::int],
        random() < 0.02, timestamptz '2026-01-01' + i * interval '37 seconds', date '2026-01-01' + (i / 2000)::int,
        md5(i::text || random())::uuid, 'name ' || (random() * 20000)::int, 'user' || i * 7919 % 1000003 || '@example.com',
        (random() * 10000)::numeric(12, 2), random(), CASE WHEN random() < 0.7 THEN (random() * 1000)::int END,
        CASE WHEN random() < 0.03 THEN timestamptz '2026-01-01' + random() * interval '90 days' END,
        (ARRAY['new', 'paid', 'sent', 'back'])[1 + (random() * 3)::int]::stage,
        repeat('note ' || (random() * 1e9)::int || ' ', 5),
        jsonb_build_object('kind', 'k' || (random() * 30)::int, 'owner', (random() * 5000)::int, 'ref', md5(i::text)),
        ARRAY['t' || (power(random(), 2) * 800)::int, 't' || (power(random(), 2) * 800)::int, 't' || (random() * 50)::int],
        tstzrange(timestamptz '2026-01-01' + i * interval '1 minute', timestamptz '2026-01-02' + i * interval '1 minute'),
        point(random() * 100, random() * 100),
        ('10.' || (random() * 200)::int || '.' || (random() * 250)::int || '.' || (random() * 250)::int)::inet,
        0
    FROM generate_series(first, last) AS i
$$;
SELECT setseed(0.7);
CREATE TABLE source AS SELECT * FROM rows_from(1, :rows);
CREATE TABLE fresh AS SELECT * FROM rows_from(:rows + 1, :rows + :batch);
CREATE TABLE picked AS SELECT id FROM source ORDER BY md5(id::text) LIMIT :batch;
CREATE TABLE event (LIKE source) WITH (fillfactor = 70);
ALTER TABLE event ADD PRIMARY KEY (id);
CREATE INDEX event_hits ON event (hits);
INSERT INTO event SELECT * FROM source;
CHECKPOINT;
VACUUM ANALYZE
