-- name: stage
-- purpose: A place to copy column statistics to, one row per pg_stats row.
CREATE TEMPORARY TABLE staged_statistics (
    position integer PRIMARY KEY,
    relation oid NOT NULL,
    attribute smallint NOT NULL,
    inherited boolean NOT NULL,
    null_fraction real NOT NULL,
    average_width integer NOT NULL,
    n_distinct real NOT NULL,
    most_common_values text[],
    most_common_frequencies real[],
    histogram_bounds text[],
    correlation real,
    most_common_elements text[],
    most_common_element_frequencies real[],
    element_count_histogram real[],
    range_length_histogram text[],
    range_empty_fraction real,
    range_bounds_histogram text[]
)

-- name: types
-- purpose: For every type in use, the operators and element type that ANALYZE would record with its statistics.
CREATE TEMPORARY TABLE staged_types AS
WITH RECURSIVE used AS (
    SELECT DISTINCT atttypid AS type FROM pg_catalog.pg_attribute WHERE atttypid <> 0
), domains AS (
    SELECT type, type AS base FROM used
    UNION ALL
    SELECT d.type, t.typbasetype FROM domains d JOIN pg_catalog.pg_type t ON t.oid = d.base WHERE t.typtype = 'd'
), bases AS (
    SELECT d.type, d.base, t.typelem, t.typtype, t.typdelim,
           t.typelem <> 0 AND t.typlen = -1 AND t.typcategory = 'A' AS is_array
    FROM domains d JOIN pg_catalog.pg_type t ON t.oid = d.base WHERE t.typtype <> 'd'
), wanted AS (
    SELECT base AS type FROM bases UNION SELECT typelem FROM bases WHERE is_array
), reachable AS (
    SELECT type, type AS input, 0 AS distance FROM wanted
    UNION ALL
    SELECT w.type, c.casttarget, 1
    FROM wanted w JOIN pg_catalog.pg_cast c ON c.castsource = w.type
    WHERE c.castmethod = 'b' AND c.castcontext = 'i'
    UNION ALL
    SELECT w.type, 'pg_catalog.anyarray'::pg_catalog.regtype, 2
    FROM wanted w JOIN pg_catalog.pg_type t ON t.oid = w.type WHERE t.typcategory = 'A'
    UNION ALL
    SELECT w.type,
           CASE t.typtype WHEN 'e' THEN 'pg_catalog.anyenum'::pg_catalog.regtype
                          WHEN 'r' THEN 'pg_catalog.anyrange'::pg_catalog.regtype
                          WHEN 'm' THEN pg_catalog.to_regtype('pg_catalog.anymultirange')
                          ELSE 'pg_catalog.record'::pg_catalog.regtype END, 2
    FROM wanted w JOIN pg_catalog.pg_type t ON t.oid = w.type WHERE t.typtype IN ('e', 'r', 'm', 'c')
), operators AS (
    SELECT DISTINCT ON (r.type) r.type, eq.amopopr AS eq, lt.amopopr AS lt
    FROM reachable r
    JOIN pg_catalog.pg_opclass o ON o.opcintype = r.input AND o.opcdefault
    JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod AND m.amname IN ('btree', 'hash')
    JOIN pg_catalog.pg_amop eq ON eq.amopfamily = o.opcfamily AND eq.amoplefttype = o.opcintype
        AND eq.amoprighttype = o.opcintype AND eq.amopstrategy = CASE m.amname WHEN 'btree' THEN 3 ELSE 1 END
    LEFT JOIN pg_catalog.pg_amop lt ON m.amname = 'btree' AND lt.amopfamily = o.opcfamily
        AND lt.amoplefttype = o.opcintype AND lt.amoprighttype = o.opcintype AND lt.amopstrategy = 1
    ORDER BY r.type, (m.amname = 'btree') DESC, r.distance, o.oid
)
SELECT b.type, b.base, coalesce(o.eq, 0) AS eq, coalesce(o.lt, 0) AS lt,
       CASE WHEN b.is_array THEN b.typelem
            WHEN b.base = 'pg_catalog.tsvector'::pg_catalog.regtype THEN 'pg_catalog.text'::pg_catalog.regtype
       END AS element,
       CASE WHEN b.is_array THEN coalesce(e.eq, 0) ELSE 98 END AS element_eq,
       coalesce(r.rngtypid, b.base) AS range
FROM bases b
LEFT JOIN operators o ON o.type = b.base
LEFT JOIN operators e ON e.type = b.typelem AND b.is_array
LEFT JOIN LATERAL (SELECT (pg_catalog.to_jsonb(g) ->> 'rngtypid')::oid AS rngtypid FROM pg_catalog.pg_range g
                   WHERE pg_catalog.to_jsonb(g) ->> 'rngmultitypid' = b.base::text) r ON true

-- name: inject
-- purpose: Turn staged rows into pg_statistic rows as ANALYZE writes them; %(position)s NULL stands for all of them.
WITH named AS (
    SELECT s.*, a.attrelid, a.attnum, a.attcollation, t.*
    FROM staged_statistics s
    JOIN pg_catalog.pg_attribute a ON a.attrelid = s.relation AND a.attnum = s.attribute AND NOT a.attisdropped
    JOIN staged_types t ON t.type = a.atttypid
    WHERE s.position = coalesce(%(position)s::integer, s.position)
)
INSERT INTO pg_catalog.pg_statistic (
    starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct,
    stakind1, stakind2, stakind3, stakind4, stakind5,
    staop1, staop2, staop3, staop4, staop5,
    stacoll1, stacoll2, stacoll3, stacoll4, stacoll5,
    stanumbers1, stanumbers2, stanumbers3, stanumbers4, stanumbers5,
    stavalues1, stavalues2, stavalues3, stavalues4, stavalues5)
SELECT attrelid, attnum, inherited, null_fraction, average_width, n_distinct,
       CASE WHEN most_common_values IS NULL THEN 0 ELSE 1 END,
       CASE WHEN histogram_bounds IS NULL THEN 0 ELSE 2 END,
       CASE WHEN correlation IS NULL THEN 0 ELSE 3 END,
       CASE WHEN most_common_elements IS NOT NULL THEN 4 WHEN range_length_histogram IS NOT NULL THEN 6 ELSE 0 END,
       CASE WHEN element_count_histogram IS NOT NULL THEN 5 WHEN range_bounds_histogram IS NOT NULL THEN 7 ELSE 0 END,
       CASE WHEN most_common_values IS NULL THEN 0 ELSE eq END,
       CASE WHEN histogram_bounds IS NULL THEN 0 ELSE lt END,
       CASE WHEN correlation IS NULL THEN 0 ELSE lt END,
       CASE WHEN most_common_elements IS NOT NULL THEN element_eq WHEN range_length_histogram IS NOT NULL THEN 672 ELSE 0 END,
       CASE WHEN element_count_histogram IS NULL THEN 0 ELSE element_eq END,
       CASE WHEN most_common_values IS NULL THEN 0 ELSE attcollation END,
       CASE WHEN histogram_bounds IS NULL THEN 0 ELSE attcollation END,
       CASE WHEN correlation IS NULL THEN 0 ELSE attcollation END,
       CASE WHEN most_common_elements IS NULL THEN 0
            WHEN base = 'pg_catalog.tsvector'::pg_catalog.regtype THEN 100 ELSE attcollation END,
       CASE WHEN element_count_histogram IS NULL THEN 0 ELSE attcollation END,
       most_common_frequencies, NULL, CASE WHEN correlation IS NOT NULL THEN ARRAY[correlation] END,
       CASE WHEN most_common_elements IS NOT NULL THEN most_common_element_frequencies
            WHEN range_empty_fraction IS NOT NULL THEN ARRAY[range_empty_fraction] END,
       element_count_histogram,
       pg_catalog.array_in(pg_catalog.textout(most_common_values::text), base, -1),
       pg_catalog.array_in(pg_catalog.textout(histogram_bounds::text), base, -1),
       NULL,
       pg_catalog.array_in(pg_catalog.textout(coalesce(most_common_elements, range_length_histogram)::text),
                           CASE WHEN most_common_elements IS NULL THEN 701 ELSE element END, -1),
       pg_catalog.array_in(pg_catalog.textout(range_bounds_histogram::text), range, -1)
FROM named

-- name: relations
-- purpose: Every relation of the twin that production has too, before the change's migrations rename or drop any.
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f', 'i', 'I')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg\_temp%'

-- name: attributes
-- purpose: Their columns' numbers here: production may have dropped some.
SELECT a.attrelid::bigint AS relation, a.attname AS name, a.attnum::integer AS number
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg\_temp%'

-- name: stage-sizes
-- purpose: A place to copy pg_class figures to.
CREATE TEMPORARY TABLE staged_sizes (
    relation oid PRIMARY KEY,
    pages integer NOT NULL,
    relation_pages integer NOT NULL,
    tuples real NOT NULL,
    all_visible integer NOT NULL
)

-- name: files
-- purpose: Where the main forks of the staged relations are, and how they are read.
SELECT s.relation::bigint AS relation, pg_catalog.pg_relation_filepath(s.relation::pg_catalog.regclass) AS path,
       coalesce(m.amname, '') AS method
FROM staged_sizes s JOIN pg_catalog.pg_class c ON c.oid = s.relation LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
WHERE c.relkind IN ('r', 'm', 'i')

-- name: sizes
-- purpose: Write production's relpages, reltuples and relallvisible.
UPDATE pg_catalog.pg_class c
SET relpages = s.relation_pages, reltuples = s.tuples, relallvisible = s.all_visible
FROM staged_sizes s WHERE c.oid = s.relation

-- name: differing-sizes
-- purpose: Relations whose file or pg_class row is not what was injected; none, or the twin must not be asked.
SELECT pg_catalog.format('%s: %s pages, relpages %s, reltuples %s where production has %s, %s and %s',
           c.oid::pg_catalog.regclass, f.pages, c.relpages, c.reltuples, s.pages, s.relation_pages, s.tuples)
FROM staged_sizes s
JOIN pg_catalog.pg_class c ON c.oid = s.relation
CROSS JOIN LATERAL (SELECT CASE WHEN c.relkind IN ('r', 'm', 'i') THEN pg_catalog.pg_relation_size(c.oid)
    / pg_catalog.current_setting('block_size')::integer ELSE s.pages END AS pages) f
WHERE c.relpages <> s.relation_pages OR c.reltuples <> s.tuples OR f.pages <> s.pages
ORDER BY 1
