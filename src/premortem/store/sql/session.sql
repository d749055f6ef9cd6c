-- name: set up the session
-- purpose: names mean what we mean, moments are UTC, what is committed stays, nobody waits for us, statistics omit us
-- needs: nothing; pg_stat_statements.track is set where the role may
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false),
       pg_catalog.set_config('timezone', 'UTC', false),
       pg_catalog.set_config('datestyle', 'ISO', false),
       pg_catalog.set_config('extra_float_digits', '1', false),
       pg_catalog.set_config('default_transaction_isolation', 'read committed', false),
       pg_catalog.set_config('default_transaction_read_only', 'off', false),
       pg_catalog.set_config('statement_timeout', '60s', false),
       pg_catalog.set_config('lock_timeout', '10s', false),
       pg_catalog.set_config('idle_in_transaction_session_timeout', '60s', false),
       pg_catalog.set_config('jit', 'off', false),
       CASE WHEN pg_catalog.current_setting('synchronous_commit') = 'off'
            THEN pg_catalog.set_config('synchronous_commit', 'on', false) END,
       CASE WHEN pg_catalog.current_setting('pg_stat_statements.track', true) IS NOT NULL
             AND pg_catalog.current_setting('is_superuser') = 'on'
            THEN pg_catalog.set_config('pg_stat_statements.track', 'none', false) END

-- name: lock the schema
-- purpose: one premortem at a time looks whether the schema is up to date
-- needs: nothing
SELECT pg_catalog.pg_advisory_lock(7305804402566459981)

-- name: unlock the schema
-- purpose: the next one's turn
-- needs: nothing
SELECT pg_catalog.pg_advisory_unlock(7305804402566459981)

-- name: is there a namespace
-- purpose: a schema that an administrator made for us need not be made
-- needs: nothing
SELECT pg_catalog.to_regnamespace('premortem') IS NOT NULL

-- name: is there a schema
-- purpose: whether any step was ever applied
-- needs: nothing
SELECT pg_catalog.to_regclass('premortem.migration') IS NOT NULL

-- name: newest step
-- purpose: how far the schema is
-- needs: SELECT on premortem.migration
SELECT pg_catalog.max(number) FROM premortem.migration

-- name: make the schema
-- purpose: everything of ours is in one schema, and nobody else's business
-- needs: CREATE on the database
CREATE SCHEMA premortem

-- name: make the list of steps
-- purpose: which steps were applied, and when
-- needs: CREATE on the schema
CREATE TABLE premortem.migration (
    number integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT pg_catalog.now()
)

-- name: note the step
-- purpose: this step is applied
-- needs: INSERT on premortem.migration
INSERT INTO premortem.migration (number, name) VALUES (%(number)s, %(name)s)

-- name: try a lease
-- purpose: whether this session may have the instance, or has it already; the lock ends with the session
-- needs: nothing
SELECT EXISTS (
    SELECT 1 FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.pid = pg_catalog.pg_backend_pid() AND l.granted
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
      AND l.classid = %(class)s::oid AND l.objid = %(number)s::oid AND l.objsubid = 2
) OR pg_catalog.pg_try_advisory_lock(%(class)s, %(number)s)

-- name: release a lease
-- purpose: another watcher may have the instance
-- needs: nothing
SELECT pg_catalog.pg_advisory_unlock(%(class)s, %(number)s)

-- name: try a channel
-- purpose: whether this session delivers the channel's letters, or does so already; the lock ends with the session
-- needs: nothing
WITH wanted AS (SELECT pg_catalog.hashtextextended('premortem channel ' || %(name)s, 0) AS number)
SELECT EXISTS (
    SELECT 1 FROM pg_catalog.pg_locks AS l, wanted AS w
    WHERE l.locktype = 'advisory' AND l.pid = pg_catalog.pg_backend_pid() AND l.granted AND l.objsubid = 1
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
      AND (l.classid::bigint << 32) | l.objid::bigint = w.number
) OR pg_catalog.pg_try_advisory_lock(w.number) FROM wanted AS w

-- name: read as of one moment
-- purpose: a checkpoint and its parts are those of one commit
-- needs: nothing
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ
