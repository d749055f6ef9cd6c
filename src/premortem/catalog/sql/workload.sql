-- name: extension
-- purpose: where pg_stat_statements is, and which of its versions
-- needs: nothing
SELECT n.nspname::text AS schema, e.extversion AS version
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'

-- name: statements
-- purpose: the statements of this database that take most time and that run most often
-- needs: pg_read_all_stats; {schema} is where the extension lives
WITH statements AS (
    SELECT s.queryid, pg_catalog.min(s.query) AS text, pg_catalog.sum(s.calls)::float8 AS calls,
           pg_catalog.sum(s.total_exec_time)::float8 AS total_ms, pg_catalog.sum(s.rows)::float8 AS rows
    FROM {schema}.pg_stat_statements s
         JOIN pg_catalog.pg_database d ON d.oid = s.dbid
    WHERE d.datname = pg_catalog.current_database() AND s.calls > 0
    GROUP BY s.queryid
), ranked AS (
    SELECT s.*, pg_catalog.row_number() OVER (ORDER BY s.total_ms DESC, s.queryid) AS by_time,
           pg_catalog.row_number() OVER (ORDER BY s.calls DESC, s.queryid) AS by_calls
    FROM statements s
)
SELECT r.queryid AS id, r.text, r.calls, r.total_ms, r.rows
FROM ranked r
WHERE r.by_time <= %(limit)s OR r.by_calls <= %(limit)s
ORDER BY r.by_time

-- name: statements before 1.8
-- purpose: as statements, for an extension older than 1.8 (PostgreSQL 12, or never updated)
-- needs: pg_read_all_stats
WITH statements AS (
    SELECT s.queryid, pg_catalog.min(s.query) AS text, pg_catalog.sum(s.calls)::float8 AS calls,
           pg_catalog.sum(s.total_time)::float8 AS total_ms, pg_catalog.sum(s.rows)::float8 AS rows
    FROM {schema}.pg_stat_statements s
         JOIN pg_catalog.pg_database d ON d.oid = s.dbid
    WHERE d.datname = pg_catalog.current_database() AND s.calls > 0
    GROUP BY s.queryid
), ranked AS (
    SELECT s.*, pg_catalog.row_number() OVER (ORDER BY s.total_ms DESC, s.queryid) AS by_time,
           pg_catalog.row_number() OVER (ORDER BY s.calls DESC, s.queryid) AS by_calls
    FROM statements s
)
SELECT r.queryid AS id, r.text, r.calls, r.total_ms, r.rows
FROM ranked r
WHERE r.by_time <= %(limit)s OR r.by_calls <= %(limit)s
ORDER BY r.by_time

-- name: window
-- purpose: since when pg_stat_statements counts, and how often it had to forget statements
-- needs: nothing beyond the view
SELECT i.stats_reset AS since, i.dealloc AS deallocations FROM {schema}.pg_stat_statements_info i
