-- name: nested
-- purpose: statements that functions ran, which no log shows; the texts are normalised
-- needs: pg_stat_statements; before 14 it does not tell nested statements from others
SELECT s.query AS text, s.calls::bigint AS calls, d.datname::text AS database, r.rolname::text AS role
FROM pg_stat_statements s
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.userid
WHERE false
-- version: 14
SELECT s.query AS text, s.calls::bigint AS calls, d.datname::text AS database, r.rolname::text AS role
FROM pg_stat_statements s
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.userid
WHERE NOT s.toplevel
ORDER BY s.queryid, s.dbid, s.userid

-- name: extension
-- purpose: the schema that pg_stat_statements is in
-- needs: nothing
SELECT n.nspname::text
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'

-- name: counted
-- purpose: how often each statement was called, on the whole server; {schema} is where the extension lives
-- needs: pg_read_all_stats for the texts of others
SELECT s.userid::bigint AS userid, s.dbid::bigint AS dbid, s.queryid, false AS nested, s.query AS text,
       s.calls::bigint AS calls, d.datname::text AS database, r.rolname::text AS role
FROM {schema}.pg_stat_statements s
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.userid
-- version: 14
SELECT s.userid::bigint AS userid, s.dbid::bigint AS dbid, s.queryid, NOT s.toplevel AS nested, s.query AS text,
       s.calls::bigint AS calls, d.datname::text AS database, r.rolname::text AS role
FROM {schema}.pg_stat_statements s
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.userid
