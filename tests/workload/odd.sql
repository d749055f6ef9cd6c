-- Tables that an advisor stumbles over; wide is made with 1,599 more columns before this is run.
SET synchronous_commit = on;
INSERT INTO wide (id, c7, c900, c1599) SELECT i, i % 500, i % 1000, i FROM generate_series(1, 12000) AS i;
CREATE TABLE long_texts (id int PRIMARY KEY, body text NOT NULL, title text NOT NULL);
ALTER TABLE long_texts ALTER body SET STORAGE EXTERNAL;
INSERT INTO long_texts SELECT i, (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 120) j), 'title ' || i
FROM generate_series(1, 4000) AS i;
CREATE TABLE kinds (id int PRIMARY KEY, at timestamptz NOT NULL, doc json NOT NULL, place point NOT NULL, day text, markup xml);
INSERT INTO kinds SELECT i, timestamptz '2026-01-01 00:00+00' + i * interval '1 minute', json_build_object('a', i % 700),
    point(i % 100, i % 77), 'd' || i % 900, NULL FROM generate_series(1, 30000) AS i;
CREATE FUNCTION shifting(t text) RETURNS text LANGUAGE sql STABLE AS 'SELECT t || current_setting(''TimeZone'')';
CREATE TABLE plain (id int, k int, note text);
INSERT INTO plain SELECT i, i % 3000, md5(i::text) FROM generate_series(1, 30000) AS i;
CREATE UNLOGGED TABLE unlogged (id int, k int, note text);
INSERT INTO unlogged SELECT i, i % 3000, repeat('n', 40) FROM generate_series(1, 30000) AS i;
CREATE TABLE never_analyzed (id int, k int, note text) WITH (autovacuum_enabled = off);
CREATE TABLE parts (id int, k int, at date) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY LIST (k);
CREATE TABLE parts_2_0 PARTITION OF parts_2 DEFAULT;
INSERT INTO parts SELECT i, i % 3000, date '2026-01-01' + i % 58 FROM generate_series(1, 60000) AS i;
CREATE FOREIGN DATA WRAPPER elsewhere;
CREATE SERVER outside FOREIGN DATA WRAPPER elsewhere;
CREATE FOREIGN TABLE foreign_one (id int, k int) SERVER outside;
CREATE TABLE "Mixed Case" ("Key Col" int, "select" text);
INSERT INTO "Mixed Case" SELECT i % 2500, 'x' || i FROM generate_series(1, 30000) AS i;
CREATE TABLE no_columns ();
CREATE MATERIALIZED VIEW kept AS SELECT id, k FROM plain;
