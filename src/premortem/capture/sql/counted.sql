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
