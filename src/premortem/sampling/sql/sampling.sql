-- What a reader asks of a server.  Moments come as microseconds since 1970: they are compared far more often than shown.

-- name: standing
-- purpose: what stays as it is while a connection lasts, or nearly: versions, limits, what the role may see
-- needs: nothing; what a role may not see is null, and so is a setting in pg_settings whose library is not loaded
SELECT pg_catalog.current_database() AS database, pg_catalog.current_setting('server_version_num') AS version_num,
    (EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint AS started_at,
    CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
         THEN (SELECT c.system_identifier FROM pg_catalog.pg_control_system() c) END AS identity,
    e.extversion AS extension, n.nspname AS schema,
    (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'pg_stat_statements.max') AS most_entries,
    (SELECT s.reset_val FROM pg_catalog.pg_settings s WHERE s.name = 'pg_stat_statements.track') AS track,
    pg_catalog.current_setting('compute_query_id', true) AS query_ids,
    pg_catalog.current_setting('track_activities') AS activities,
    pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all, current_user AS role,
    pg_catalog.current_setting('max_connections') AS most,
    pg_catalog.current_setting('superuser_reserved_connections')::integer
        + COALESCE(pg_catalog.current_setting('reserved_connections', true)::integer, 0) AS reserved,
    pg_catalog.current_setting('is_superuser') = 'on'
        OR {granted} AS unseen
FROM (SELECT 1) AS one
    LEFT JOIN pg_catalog.pg_extension e ON e.extname = 'pg_stat_statements'
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace

-- name: names
-- purpose: what the numbers of databases and roles mean
-- needs: nothing, the catalogs are public
SELECT (SELECT pg_catalog.json_object_agg(d.oid, d.datname) FROM pg_catalog.pg_database d) AS databases,
    (SELECT pg_catalog.json_object_agg(r.oid, r.rolname) FROM pg_catalog.pg_roles r) AS roles

-- name: poll
-- purpose: everything that a sample holds, in one statement
-- needs: pg_read_all_stats; {statements} and {info} are below, by the extension's version
WITH activity AS MATERIALIZED (
    SELECT a.pid, a.datid, a.datname, a.usesysid, a.usename, a.application_name, a.client_addr, a.backend_type, a.state,
        a.query_id, CASE WHEN a.state <> 'idle' THEN pg_catalog.left(a.query, 10000) END AS query,
        {cut} AS cut, a.backend_start, a.query_start, a.xact_start, a.state_change, a.wait_event_type, a.wait_event,
        a.leader_pid
    FROM pg_catalog.pg_stat_activity a
)
SELECT (EXTRACT(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint AS at,
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'pg_stat_statements') AS extension,
    (SELECT o.query_id FROM activity o WHERE o.pid = pg_catalog.pg_backend_pid()) AS own,
    i.deallocations, i.reset_at, s.lines, s.hidden,
    {backends} AS backends,
    (SELECT pg_catalog.json_build_object(
        'taken', pg_catalog.count(*), 'active', pg_catalog.count(*) FILTER (WHERE t.state = 'active'),
        'idle_in_transaction', pg_catalog.count(*) FILTER (WHERE t.state LIKE 'idle in transaction%'),
        'by_application', (
            SELECT pg_catalog.json_agg(pg_catalog.json_build_array(g.datname, g.usename, g.application_name, g.taken))
            FROM (
                SELECT b.datname, b.usename, b.application_name, pg_catalog.count(*) AS taken
                FROM activity b WHERE b.backend_type = 'client backend'
                GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT 100
            ) g
        ))
     FROM activity t
     WHERE t.backend_type = 'client backend' OR t.backend_type IS NULL AND t.datid IS NOT NULL) AS seats
FROM ({statements}) AS s CROSS JOIN ({info}) AS i

-- name: glance
-- purpose: what runs, waits or holds a transaction open, between two samples
-- needs: pg_read_all_stats
WITH activity AS (
    SELECT a.pid, a.datid, a.usesysid, a.application_name, a.client_addr, a.backend_type, a.state, a.query_id,
        pg_catalog.left(a.query, 10000) AS query, {cut} AS cut, a.backend_start, a.query_start, a.xact_start,
        a.state_change,
        a.wait_event_type, a.wait_event, a.leader_pid
    FROM pg_catalog.pg_stat_activity a
)
SELECT (EXTRACT(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint AS at, {backends} AS backends

-- name: backends
-- purpose: the part of both that picks the sessions; premortem's own are nobody's business
-- needs: nothing beyond them
(SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
    'pid', w.pid, 'dbid', w.datid::bigint, 'userid', w.usesysid::bigint, 'application', w.application_name,
    'client', pg_catalog.host(w.client_addr), 'kind', w.backend_type, 'state', w.state, 'queryid', w.query_id,
    'text', w.query, 'cut', w.cut,
    'started_at', (EXTRACT(epoch FROM w.backend_start) * 1000000)::bigint,
    'query_start', (EXTRACT(epoch FROM w.query_start) * 1000000)::bigint,
    'transaction_start', (EXTRACT(epoch FROM w.xact_start) * 1000000)::bigint,
    'state_change', (EXTRACT(epoch FROM w.state_change) * 1000000)::bigint,
    'wait_type', w.wait_event_type, 'wait', w.wait_event, 'leader', w.leader_pid,
    'blocked_by', CASE WHEN w.wait_event_type = 'Lock' THEN pg_catalog.pg_blocking_pids(w.pid) END))
 FROM activity w
 WHERE w.pid <> pg_catalog.pg_backend_pid() AND w.application_name NOT LIKE 'premortem/%'
   AND ((w.backend_type = 'client backend' AND w.state <> 'idle')
        OR w.query_start IS NOT NULL
        AND w.backend_type IN ('parallel worker', 'autovacuum worker', 'background worker')))

-- name: statements 1.8
-- purpose: every entry's counters as a line; nested statements are entries of their own but not told apart, so added
-- needs: pg_read_all_stats; {schema} is where the extension lives
SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', g.dbid, g.userid, 't', g.queryid, g.calls, g.total_ms, g.min_ms,
        g.max_ms, pg_catalog.sqrt(GREATEST(0, g.squares / g.calls - (g.total_ms / g.calls) ^ 2)), g.rows, g.hit, g.read,
        g.temp, g.wal), E'\n') FILTER (WHERE g.queryid IS NOT NULL AND g.calls > 0) AS lines,
    pg_catalog.count(*) FILTER (WHERE g.queryid IS NULL) AS hidden
FROM (
    SELECT p.dbid, p.userid, p.queryid, pg_catalog.sum(p.calls) AS calls, pg_catalog.sum(p.total_exec_time) AS total_ms,
        pg_catalog.min(p.min_exec_time) AS min_ms, pg_catalog.max(p.max_exec_time) AS max_ms,
        pg_catalog.sum(p.calls * (p.stddev_exec_time ^ 2 + p.mean_exec_time ^ 2)) AS squares,
        pg_catalog.sum(p.rows) AS rows, pg_catalog.sum(p.shared_blks_hit) AS hit,
        pg_catalog.sum(p.shared_blks_read) AS read, pg_catalog.sum(p.temp_blks_written) AS temp,
        pg_catalog.sum(p.wal_bytes) AS wal
    FROM {schema}.pg_stat_statements(false) p
    GROUP BY p.dbid, p.userid, p.queryid
) g

-- name: statements 1.9
-- purpose: the same, with nested statements told apart
-- needs: pg_read_all_stats
SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', p.dbid, p.userid, p.toplevel, p.queryid, p.calls,
        p.total_exec_time, p.min_exec_time, p.max_exec_time, p.stddev_exec_time, p.rows, p.shared_blks_hit,
        p.shared_blks_read, p.temp_blks_written, p.wal_bytes), E'\n') FILTER (WHERE p.queryid IS NOT NULL) AS lines,
    pg_catalog.count(*) FILTER (WHERE p.queryid IS NULL) AS hidden
FROM {schema}.pg_stat_statements(false) p

-- name: statements 1.11
-- purpose: the same, with the moment since when an entry counts
-- needs: pg_read_all_stats
SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', p.dbid, p.userid, p.toplevel, p.queryid, p.calls,
        p.total_exec_time, p.min_exec_time, p.max_exec_time, p.stddev_exec_time, p.rows, p.shared_blks_hit,
        p.shared_blks_read, p.temp_blks_written, p.wal_bytes, EXTRACT(epoch FROM p.stats_since)), E'\n')
        FILTER (WHERE p.queryid IS NOT NULL) AS lines,
    pg_catalog.count(*) FILTER (WHERE p.queryid IS NULL) AS hidden
FROM {schema}.pg_stat_statements(false) p

-- name: no statements
-- purpose: stands in where there is no extension to ask
-- needs: nothing
SELECT NULL::text AS lines, 0::bigint AS hidden

-- name: info
-- purpose: how often entries were thrown out, and since when the extension counts; since its version 1.9
-- needs: nothing beyond the view
SELECT f.dealloc AS deallocations, (EXTRACT(epoch FROM f.stats_reset) * 1000000)::bigint AS reset_at
FROM {schema}.pg_stat_statements_info f

-- name: no info
-- purpose: stands in for it before 1.9
-- needs: nothing
SELECT NULL::bigint AS deallocations, NULL::bigint AS reset_at

-- name: texts 1.8
-- purpose: the texts of some entries; the function reads all of them, so this is asked once per entry
-- needs: pg_read_all_stats; {ids} is an array's text, so that the statement stays one statement
SELECT p.dbid, p.userid, 't' AS toplevel, p.queryid, pg_catalog.left(p.query, {longest}) AS text
FROM {schema}.pg_stat_statements(true) p
WHERE p.queryid = ANY (CAST({ids} AS bigint[])) AND p.query IS NOT NULL

-- name: texts 1.9
-- purpose: the same, with nested statements told apart
-- needs: pg_read_all_stats
SELECT p.dbid, p.userid, p.toplevel, p.queryid, pg_catalog.left(p.query, {longest}) AS text
FROM {schema}.pg_stat_statements(true) p
WHERE p.queryid = ANY (CAST({ids} AS bigint[])) AND p.query IS NOT NULL

-- name: indexes
-- purpose: which indexes the database has, so that one that vanishes is known by name and definition; and which tables
--          have none, for an index that is gone with its table is not missed
-- needs: nothing, the catalogs are public
SELECT n.nspname AS schema, c.relname AS name, n.nspname AS table_schema, t.relname AS table_name,
    pg_catalog.pg_get_indexdef(i.indexrelid) AS definition, i.indisvalid AND i.indisready AND i.indislive AS valid,
    pg_catalog.pg_stat_get_numscans(i.indexrelid) AS scans
FROM pg_catalog.pg_class t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
    LEFT JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
    LEFT JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE t.relkind IN ('r', 'm', 'p') AND t.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
