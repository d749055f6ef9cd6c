-- What makes an index's size hard to tell: columns that depend on each other, skew, long and padded texts, rows in random
-- order, keys that are nearly unique, mostly NULL, and documents.
CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE EXTENSION IF NOT EXISTS pageinspect; CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE TABLE parcel (
    id bigint NOT NULL, ref bigint NOT NULL, tenant integer NOT NULL, site integer NOT NULL, sender bigint NOT NULL,
    city text NOT NULL, zip text NOT NULL, country char(2) NOT NULL, code char(24), state varchar(12) NOT NULL,
    priority smallint NOT NULL, done boolean NOT NULL, ordered date NOT NULL, sent date, received date,
    made timestamptz NOT NULL, changed timestamptz NOT NULL, weight numeric(15, 2) NOT NULL, cost numeric(8, 3),
    rate real, mail text, title text NOT NULL, body text NOT NULL, path text NOT NULL, trace uuid, hash bytea, net inet,
    mac macaddr, doc jsonb NOT NULL, labels integer[] NOT NULL, words text[] NOT NULL, held int4range, period daterange,
    spot point, gone timestamptz, note_id integer, moon interval, day_time time, vector tsvector
);
SELECT setseed(0.42);
INSERT INTO parcel
SELECT i, (i * 7919::bigint) % 1000003, t, t * 20 + (random() * 19)::int, s,
    'city ' || c, lpad(((c * 37) % 90000 + 10000)::text, 5, '0'), (ARRAY['DE', 'FR', 'GB', 'US', 'US', 'US', 'CN', 'AT'])[1 + c % 8],
    'C' || (s % 60000), (ARRAY['new', 'paid', 'sent', 'sent', 'received', 'received', 'received', 'received'])[1 + (random() * 7)::int],
    (random() * 4)::int, random() < 0.97, d, d + (random() * 20)::int,
    CASE WHEN random() < 0.9 THEN d + (5 + random() * 40)::int END,
    m, m + random() * interval '40 days', (power(random(), 3) * 90000 + 1)::numeric(15, 2), CASE WHEN random() < 0.4 THEN (random() * 900)::numeric(8, 3) END,
    (random() * 50)::int / 2.0, CASE WHEN random() < 0.6 THEN 'm' || (random() * 40000)::int || '@' || (ARRAY['example.com', 'example.org', 'mail.example.net'])[1 + i % 3] END,
    (ARRAY['Small', 'Big', 'Fragile', 'Heavy', 'Cold'])[1 + i % 5] || ' ' || (ARRAY['box', 'bag', 'barrel', 'tube'])[1 + (i / 7) % 4] || ' for ' || (random() * 900)::int,
    repeat(md5(i::text) || ' ', 1 + (random() * 8)::int), '/a/' || t || '/' || (random() * 50)::int || '/' || md5((i % 30000)::text),
    CASE WHEN i % 3 > 0 THEN md5((i % 50000)::text)::uuid END, decode(md5(i::text), 'hex'), ('10.' || c % 200 || '.' || s % 250 || '.' || i % 250)::inet,
    ('08:00:2b:' || lpad(to_hex(c % 256), 2, '0') || ':' || lpad(to_hex(t % 256), 2, '0') || ':' || lpad(to_hex(i % 256), 2, '0'))::macaddr,
    jsonb_build_object('type', 't' || i % 12, 'size', (random() * 40)::int, 'tags', ARRAY['x' || i % 7, 'y' || i % 300], 'by', jsonb_build_object('id', s, 'city', c)),
    ARRAY(SELECT (power(random(), 2) * 3000)::int + i % 2 FROM generate_series(1, 1 + i % 6)),
    ARRAY(SELECT 'word' || (power(random(), 4) * 9000)::int FROM generate_series(1, 2 + i % 8)),
    int4range(i % 9000, i % 9000 + 5 + (random() * 90)::int), daterange(d, d + 1 + (random() * 30)::int), point(random() * 360, random() * 180),
    CASE WHEN random() < 0.02 THEN m + interval '9 days' END, CASE WHEN random() < 0.001 THEN (random() * 100)::int END,
    make_interval(days => (random() * 90)::int), time '08:00' + (random() * 600)::int * interval '1 minute',
    to_tsvector('simple', (ARRAY['Small', 'Big', 'Fragile', 'Heavy', 'Cold'])[1 + i % 5] || ' w' || (random() * 900)::int || ' v' || (power(random(), 3) * 20000)::int)
FROM (
    SELECT i, (power(random(), 2.5) * 400)::int AS t, (power(random(), 2) * 30000)::bigint AS s, (power(random(), 1.5) * 3000)::int AS c,
        date '2024-01-01' + (i * 700 / :rows)::int + (random() * 3)::int AS d,
        timestamptz '2024-01-01 00:00+00' + i * (interval '700 days' / :rows) AS m
    FROM generate_series(1, :rows) AS i
) AS made;
CREATE STATISTICS parcel_city ON city, zip, country FROM parcel;
CREATE STATISTICS parcel_tenant (ndistinct) ON tenant, site FROM parcel;
CREATE TABLE shuffled AS SELECT p.id, p.sender, p.tenant, p.made, p.state, (p.sender % 1000)::int AS shop, md5(p.id::text) AS token,
    (p.id / 4) AS batch, (p.id / 4 * 2 + p.id % 2) AS pair FROM parcel AS p ORDER BY md5(p.id::text || 'x');
ALTER TABLE shuffled ADD PRIMARY KEY (id);
CREATE TABLE line AS SELECT p.id / 4 AS parcel, (p.id % 4)::int AS number, (p.sender % 20000)::int AS product, ((p.sender % 20000) * 7 % 400)::int AS supplier, p.state FROM parcel AS p;
ALTER TABLE line ADD PRIMARY KEY (parcel, number);
