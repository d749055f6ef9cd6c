CREATE SCHEMA "Ünï.c""ode";
CREATE SCHEMA s2;
CREATE TYPE "Ünï.c""ode"."Mood" AS ENUM ('sad', 'o''k', 'ha\ppy');
CREATE DOMAIN s2.posint AS int DEFAULT 5 NOT NULL CHECK (value > 0);
CREATE DOMAIN s2.code AS varchar(20) COLLATE "C";
CREATE TYPE s2.pair AS (a int, b "Ünï.c""ode"."Mood");
CREATE TYPE s2.spread AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE SEQUENCE s2.counter AS int;
CREATE TABLE s2.t (id serial, mood "Ünï.c""ode"."Mood", p s2.pair, x int GENERATED ALWAYS AS (1 + 2) STORED);
CREATE TABLE t (id serial PRIMARY KEY, m text, "sel ect" int DEFAULT 3);
CREATE FUNCTION s2.plus(a int, b int DEFAULT 3) RETURNS int LANGUAGE sql IMMUTABLE COST 7 AS 'select a+b';
CREATE FUNCTION s2.of_row(s2.t) RETURNS int LANGUAGE sql STABLE AS $$ select ($1).id $$;
CREATE FUNCTION s2.all_of_them() RETURNS SETOF t LANGUAGE sql STABLE ROWS 77 AS $$ select * from public.t $$;
CREATE FUNCTION s2.tell() RETURNS trigger LANGUAGE plpgsql AS $$ begin return new; end $$;
CREATE PROCEDURE s2.work() LANGUAGE plpgsql AS $$ begin null; end $$;
CREATE FUNCTION s2.in_c(int) RETURNS int LANGUAGE c IMMUTABLE STRICT COST 33
    AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION s2.same(s2.pair, s2.pair) RETURNS bool LANGUAGE sql IMMUTABLE AS 'select true';
CREATE OPERATOR s2.=== (FUNCTION = s2.same, LEFTARG = s2.pair, RIGHTARG = s2.pair, COMMUTATOR = OPERATOR(s2.===),
                        RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE FUNCTION s2.cmp(text, text) RETURNS int LANGUAGE sql IMMUTABLE AS 'select 0';
CREATE OPERATOR CLASS s2.odd FOR TYPE text USING btree AS OPERATOR 1 <, OPERATOR 3 =, OPERATOR 5 >,
    FUNCTION 1 s2.cmp(text, text);
ALTER OPERATOR FAMILY s2.odd USING btree ADD OPERATOR 1 <(name, text);
CREATE AGGREGATE s2.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', PARALLEL = SAFE, COMBINEFUNC = int4pl);
CREATE AGGREGATE s2.counted(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0');
CREATE CAST (s2.pair AS text) WITH INOUT AS ASSIGNMENT;
CREATE TEXT SEARCH DICTIONARY s2.plain (TEMPLATE = simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION s2.cfg (COPY = pg_catalog.english);
CREATE TRIGGER tell BEFORE INSERT ON s2.t FOR EACH ROW EXECUTE FUNCTION s2.tell();
CREATE RULE keep AS ON DELETE TO t DO INSTEAD NOTHING;
INSERT INTO t (m) SELECT 'x' || g FROM generate_series(1, 1000) g;
CREATE MATERIALIZED VIEW s2.mv AS SELECT m, count(*) AS n FROM t GROUP BY m;
CREATE UNIQUE INDEX ON s2.mv (m);
CREATE VIEW v AS SELECT a.id, b.mood FROM t a JOIN s2.t b USING (id);
CREATE TABLE part (a int, b text) PARTITION BY LIST (a);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1) PARTITION BY RANGE (b);
CREATE TABLE part_1_1 PARTITION OF part_1 FOR VALUES FROM ('a') TO ('n');
CREATE TABLE part_d PARTITION OF part DEFAULT;
CREATE INDEX part_b ON part (b);
CREATE TABLE "Parent.x" (a int);
CREATE TABLE child (b int) INHERITS ("Parent.x");
CREATE UNLOGGED TABLE unl (a int, CONSTRAINT ex EXCLUDE USING gist (int4range(a, a + 1) WITH &&));
CREATE TABLE docs (
    id int GENERATED ALWAYS AS IDENTITY, body tsvector, doc jsonb, tags text[], at timestamptz, span int4range,
    gone int, "Größe" int CHECK ("Größe" > 0), author_id int REFERENCES t ON DELETE CASCADE ON UPDATE SET NULL);
ALTER TABLE docs DROP COLUMN gone;
ALTER TABLE docs ALTER COLUMN tags SET STATISTICS 50, ALTER COLUMN author_id SET (n_distinct = -0.5);
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON docs AS RESTRICTIVE FOR UPDATE USING (author_id = 1) WITH CHECK (author_id = 2);
INSERT INTO docs (body, doc, tags, at, span, "Größe", author_id)
    SELECT to_tsvector('simple', 'word' || g % 40), jsonb_build_object('k', g % 7), ARRAY['tag' || g % 30, 'b'],
           now() - g * '1 min'::interval, int4range(g, g + 5), g, 1 + g % 900
    FROM generate_series(1, 5000) g;
CREATE INDEX docs_btree ON docs ("Größe" DESC NULLS LAST, (id + 1), lower(tags[1]) text_pattern_ops)
    INCLUDE (at) WHERE "Größe" > 10;
CREATE INDEX docs_gin ON docs USING gin (doc jsonb_path_ops);
CREATE INDEX docs_tags ON docs USING gin (tags) WITH (fastupdate = off);
CREATE INDEX docs_gist ON docs USING gist (span);
CREATE INDEX docs_brin ON docs USING brin (at) WITH (pages_per_range = 32);
CREATE INDEX docs_hash ON docs USING hash (author_id);
CREATE INDEX t_spgist ON t USING spgist (m);
CREATE STATISTICS s2.docs_stats ON author_id, "Größe", (id % 10) FROM docs;
CREATE TABLE "a name that is exactly sixty-three bytes long, as long as can b" (" " int);
ANALYZE;
