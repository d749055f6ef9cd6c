-- name: sequences
-- purpose: the sequences that columns take their values from, by default or as identity
-- needs: nothing
SELECT DISTINCT sn.nspname::text AS sequence_schema, s.relname::text AS sequence_name,
       tn.nspname::text AS table_schema, t.relname::text AS table_name, a.attname::text AS column_name,
       q.seqincrement AS increment, q.seqmin AS least, q.seqmax AS most
FROM pg_catalog.pg_class s
     JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
     JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
     JOIN (SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attribute
           FROM pg_catalog.pg_depend d
           WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
             AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
           UNION
           SELECT d.refobjid, f.adrelid, f.adnum
           FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
           WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
             AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass) u ON u.sequence = s.oid
     JOIN pg_catalog.pg_class t ON t.oid = u.relation AND t.relkind IN ('r', 'p')
     JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
     JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = u.attribute AND NOT a.attisdropped
     JOIN pg_catalog.pg_type y ON y.oid = a.atttypid AND y.typcategory = 'N'
WHERE s.relkind = 'S'
ORDER BY 1, 2, 3, 4, 5

-- name: indexes
-- purpose: the indexes that are here, in order of creation
-- needs: nothing
SELECT n.nspname::text, t.relname::text, c.relname::text, i.indisvalid
FROM pg_catalog.pg_index i
     JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
     JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY c.oid

-- name: sizes
-- purpose: how large the database became
-- needs: nothing
SELECT pg_catalog.pg_database_size(pg_catalog.current_database())

-- name: relation facts
-- purpose: the size of a relation as the planner sees it
-- needs: nothing
SELECT c.oid::bigint AS oid, pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int AS pages,
       c.reltuples::float8 AS tuples, c.relpages AS relation_pages, c.relallvisible AS all_visible
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s
