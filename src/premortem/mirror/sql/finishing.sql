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

-- name: sizes
-- purpose: how large the database became
-- needs: nothing
SELECT pg_catalog.pg_database_size(pg_catalog.current_database())

-- name: pages
-- purpose: how many pages a table has
-- needs: nothing
SELECT pg_catalog.pg_relation_size(%(relation)s::pg_catalog.regclass)
       / pg_catalog.current_setting('block_size')::bigint

-- name: unsee
-- purpose: makes pages not all-visible, as production's are that were written since the last VACUUM
-- needs: to own the table; to be rolled back: a deletion that never was leaves the rows and clears the page's bit
DELETE FROM ONLY {relation}
WHERE ctid = ANY (ARRAY(
    SELECT pg_catalog.format('(%%s,1)', p.page)::tid
    FROM pg_catalog.generate_series(%(first)s::int, %(last)s::int) AS p (page)
    WHERE (pg_catalog.hashint4(p.page) & 1023) >= %(seen)s))
