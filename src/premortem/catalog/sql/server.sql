-- name: server
-- purpose: the server and the database, and the moment of the snapshot
-- needs: nothing
SELECT pg_catalog.current_setting('server_version_num')::int AS version_num,
       pg_catalog.current_setting('server_version') AS version,
       d.datname::text AS database,
       pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       d.datcollate::text AS collate,
       d.datctype::text AS ctype,
       'c' AS provider,
       NULL::text AS locale,
       pg_catalog.current_setting('block_size')::int AS block_size,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       current_user::text AS role,
       pg_catalog.transaction_timestamp() AS taken_at,
       t.spcname::text AS tablespace,
       pg_catalog.pg_stat_get_db_stat_reset_time(d.oid) AS database_reset,
       pg_catalog.pg_stat_get_bgwriter_stat_reset_time() AS server_reset
FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
WHERE d.datname = pg_catalog.current_database()
-- version: 15
SELECT pg_catalog.current_setting('server_version_num')::int AS version_num,
       pg_catalog.current_setting('server_version') AS version,
       d.datname::text AS database,
       pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       d.datcollate::text AS collate,
       d.datctype::text AS ctype,
       d.datlocprovider::text AS provider,
       d.daticulocale::text AS locale,
       pg_catalog.current_setting('block_size')::int AS block_size,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       current_user::text AS role,
       pg_catalog.transaction_timestamp() AS taken_at,
       t.spcname::text AS tablespace,
       pg_catalog.pg_stat_get_db_stat_reset_time(d.oid) AS database_reset,
       pg_catalog.pg_stat_get_bgwriter_stat_reset_time() AS server_reset
FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
WHERE d.datname = pg_catalog.current_database()
-- version: 17
SELECT pg_catalog.current_setting('server_version_num')::int AS version_num,
       pg_catalog.current_setting('server_version') AS version,
       d.datname::text AS database,
       pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       d.datcollate::text AS collate,
       d.datctype::text AS ctype,
       d.datlocprovider::text AS provider,
       d.datlocale::text AS locale,
       pg_catalog.current_setting('block_size')::int AS block_size,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       current_user::text AS role,
       pg_catalog.transaction_timestamp() AS taken_at,
       t.spcname::text AS tablespace,
       pg_catalog.pg_stat_get_db_stat_reset_time(d.oid) AS database_reset,
       pg_catalog.pg_stat_get_bgwriter_stat_reset_time() AS server_reset
FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
WHERE d.datname = pg_catalog.current_database()

-- name: may read system identifier
-- purpose: whether the next query is allowed; public has the privilege unless somebody took it away
-- needs: nothing
SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')

-- name: system identifier
-- purpose: the number of the cluster, so that a mirror is never built in production
-- needs: EXECUTE on pg_control_system()
SELECT c.system_identifier::text FROM pg_catalog.pg_control_system() c

-- name: may read standbys
-- purpose: whether the next query is allowed; public has the privilege unless somebody took it away
-- needs: nothing
SELECT pg_catalog.has_table_privilege('pg_catalog.pg_stat_replication', 'SELECT')
       AND pg_catalog.has_table_privilege('pg_catalog.pg_replication_slots', 'SELECT')

-- name: standbys
-- purpose: how many standbys stream, as what they read is counted there; whoever only receives WAL replays none
-- needs: nothing; pg_read_all_stats to tell standbys from receivers
SELECT pg_catalog.count(*)::int
FROM pg_catalog.pg_stat_replication r
     LEFT JOIN pg_catalog.pg_replication_slots s ON s.active_pid = r.pid
WHERE COALESCE(s.slot_type, 'physical') = 'physical' AND (r.state IS NULL OR r.replay_lsn IS NOT NULL)

-- name: settings
-- purpose: settings that decide a plan or what a statement means, as every session of this database starts with them
-- needs: nothing; reset_val is what a session had before ours set anything
SELECT s.name, s.reset_val AS value, s.unit,
       CASE WHEN s.source IN ('session', 'client', 'interactive')
            THEN CASE WHEN s.reset_val = s.boot_val THEN 'default' ELSE 'server' END
            ELSE s.source END AS source
FROM pg_catalog.pg_settings s
WHERE s.reset_val IS NOT NULL
  AND (s.category LIKE 'Query Tuning%%' OR s.name = ANY (%(names)s::text[]))
ORDER BY s.name

-- name: role settings
-- purpose: what ALTER ROLE and ALTER DATABASE set for this database
-- needs: nothing; only settings of the list are taken, as custom ones may hold secrets
SELECT r.rolname::text AS role, d.datname::text AS database,
       pg_catalog.split_part(c.setting, '=', 1) AS name,
       pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') + 1) AS value
FROM pg_catalog.pg_db_role_setting s
     CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS c (setting, position)
     LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
     LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
WHERE (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
  AND pg_catalog.lower(pg_catalog.split_part(c.setting, '=', 1)) = ANY (%(names)s::text[])
ORDER BY s.setdatabase, s.setrole, c.position

-- name: tablespaces
-- purpose: tablespaces that cost otherwise than the server
-- needs: nothing
SELECT t.spcname::text AS name, t.spcoptions AS options
FROM pg_catalog.pg_tablespace t
WHERE t.spcname <> 'pg_global'
ORDER BY t.oid

-- name: extensions
-- purpose: installed extensions
-- needs: nothing
SELECT e.extname::text AS name, e.extversion AS version, n.nspname::text AS schema
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
ORDER BY e.oid

-- name: connection limits
-- purpose: how many connections there may be
-- needs: nothing
SELECT pg_catalog.current_setting('max_connections')::int AS max_connections,
       pg_catalog.current_setting('superuser_reserved_connections')::int
       + COALESCE(pg_catalog.current_setting('reserved_connections', true)::int, 0) AS reserved

-- name: connections
-- purpose: how many connections there are, by state and application; no addresses, users or statements
-- needs: pg_read_all_stats to see others' state
SELECT COALESCE(a.state, 'hidden') AS state, COALESCE(a.application_name, '') AS application, pg_catalog.count(*) AS count
FROM pg_catalog.pg_stat_activity a
WHERE a.backend_type = 'client backend' AND a.pid <> pg_catalog.pg_backend_pid()
GROUP BY 1, 2
ORDER BY 3 DESC, 1, 2
