-- name: rows
-- purpose: how many rows each table has here, partitions counted for their parents
-- needs: nothing, the catalogs are public
SELECT n.nspname::text AS schema, c.relname::text AS name,
       COALESCE(parts.tuples, c.reltuples)::float8 AS tuples
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT pg_catalog.sum(GREATEST(p.reltuples, 0)) AS tuples
    FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class p ON p.oid = t.relid
    WHERE t.isleaf
) parts ON c.relkind = 'p'
WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')

-- name: contexts
-- purpose: which settings a session may change
-- needs: nothing
SELECT s.name::text, s.context::text FROM pg_catalog.pg_settings s

-- name: can evict
-- purpose: whether blocks can be thrown out of shared buffers before a first run
-- needs: the extension pg_buffercache, PostgreSQL 17, a superuser
SELECT pg_catalog.current_setting('is_superuser') = 'on'
   AND pg_catalog.current_setting('server_version_num')::int >= 170000
   AND EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = 'pg_buffercache')

-- name: buffercache
-- purpose: the schema that pg_buffercache is in
-- needs: nothing
SELECT n.nspname::text FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_buffercache'

-- name: size
-- purpose: how large an index is, with the parts that a partitioned table's has
-- needs: nothing
SELECT COALESCE(NULLIF((SELECT pg_catalog.sum(pg_catalog.pg_relation_size(t.relid))
                        FROM pg_catalog.pg_partition_tree(c.oid) t), 0), pg_catalog.pg_relation_size(c.oid))::bigint
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s

-- name: must wait
-- purpose: whether an index may not be used by the transaction that made it (pg_index.indcheckxmin)
-- needs: nothing
SELECT pg_catalog.bool_or(i.indcheckxmin)
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY (%(names)s::text[])

-- name: left behind
-- purpose: indexes of ours that a run which was killed left
-- needs: nothing
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('i', 'I') AND pg_catalog.obj_description(c.oid, 'pg_class') = %(mark)s
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l
                  WHERE l.locktype = 'advisory' AND l.classid = %(lock)s::oid AND l.granted)

-- name: parts
-- purpose: the names that plans know an index by: its own, or those of a partitioned table's parts
-- needs: nothing
SELECT p.relname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
     LATERAL (SELECT c.oid UNION SELECT t.relid FROM pg_catalog.pg_partition_tree(c.oid) t) AS part (oid)
JOIN pg_catalog.pg_class p ON p.oid = part.oid
WHERE n.nspname = %(schema)s AND c.relname = %(name)s

-- name: indexes
-- purpose: tables of ordinary schemas with their valid indexes, none for one that has none; a partition's that belong to
--          its parent's are left out; and whether a constraint owns each
-- needs: nothing, the catalogs are public
SELECT n.nspname::text, t.relname::text, c.relname::text, pg_catalog.pg_get_indexdef(c.oid),
       EXISTS (SELECT FROM pg_catalog.pg_constraint o WHERE o.conindid = c.oid AND o.contype IN ('p', 'u', 'x'))
FROM pg_catalog.pg_class t
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN (pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND NOT c.relispartition)
       ON i.indrelid = t.oid AND i.indisvalid
WHERE t.relkind IN ('r', 'p', 'm') AND t.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1, 2, 3
