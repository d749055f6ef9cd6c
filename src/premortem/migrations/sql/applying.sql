-- name: relations
-- purpose: Every relation that there is before the migrations run.
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::pg_catalog.text AS kind,
       c.relfilenode::bigint AS file, coalesce(x.indrelid, 0)::bigint AS table_oid
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
WHERE c.oid >= 16384 AND n.nspname !~ '^pg_'

-- name: locked
-- purpose: What the running transaction has locked, with what it is now; a relation that it dropped has no name.
SELECT l.relation::bigint AS oid, l.mode, n.nspname AS schema, c.relname AS name, c.relkind::pg_catalog.text AS kind,
       coalesce(c.relfilenode, 0)::bigint AS file, coalesce(x.indrelid, 0)::bigint AS table_oid
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
WHERE l.locktype = 'relation' AND l.pid = pg_catalog.pg_backend_pid() AND l.relation >= 16384
  AND (n.nspname IS NULL OR n.nspname !~ '^pg_')
