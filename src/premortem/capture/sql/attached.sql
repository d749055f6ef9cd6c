-- name: log
-- purpose: the file that the server writes its log to in a form, and how long it is; nothing where we may not read it
-- needs: superuser, or pg_monitor and pg_read_server_files
SELECT f.name AS path, (pg_catalog.pg_stat_file(f.name, true)).size::bigint AS size
FROM (SELECT pg_catalog.pg_current_logfile(%(form)s) AS name) f
WHERE f.name IS NOT NULL
  AND pg_catalog.has_function_privilege('pg_catalog.pg_read_binary_file(text,bigint,bigint)', 'EXECUTE')

-- name: piece
-- purpose: a piece of that file
-- needs: as above
SELECT pg_catalog.pg_read_binary_file(%(path)s, %(begins)s, %(length)s)

-- name: databases
-- purpose: the databases that a suite may have made or changed
-- needs: nothing
SELECT d.datname::text FROM pg_catalog.pg_database d
WHERE d.datallowconn AND NOT d.datistemplate AND pg_catalog.has_database_privilege(d.oid, 'CONNECT')
ORDER BY 1
