-- name: lock maintenance
-- purpose: one premortem at a time makes and drops partitions
-- needs: nothing
SELECT pg_catalog.pg_advisory_xact_lock(7305804402566459983)

-- name: partitions
-- purpose: the days that history has a partition for, oldest first
-- needs: nothing, the catalogs are public
SELECT c.relname FROM pg_catalog.pg_inherits AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'premortem.history'::regclass
ORDER BY c.relname

-- name: hours that are over
-- purpose: the hours that have to be rolled up, oldest first
-- needs: SELECT on premortem.unrolled
SELECT DISTINCT hour FROM premortem.unrolled WHERE hour < %(before)s ORDER BY 1

-- name: hour to roll up
-- purpose: takes an hour of all instances; whoever adds rows to it from now on waits for us, and marks it again
-- needs: DELETE on premortem.unrolled
DELETE FROM premortem.unrolled WHERE hour = %(hour)s RETURNING instance_id

-- name: days to roll up
-- purpose: days that have hours that were not rolled up
-- needs: SELECT on premortem.unrolled
SELECT DISTINCT (hour AT TIME ZONE 'UTC')::date FROM premortem.unrolled

-- name: roll up
-- purpose: an hour's rows are the sums of its minutes, however often this is done
-- needs: INSERT and UPDATE on premortem.history_hour
INSERT INTO premortem.history_hour AS h
    (total_ms, squares, calls, rows, shared_read, temp_written, wal_bytes, at, subject, doubtful)
SELECT pg_catalog.sum(m.total_ms), pg_catalog.sum(m.squares), pg_catalog.sum(m.calls), pg_catalog.sum(m.rows),
       pg_catalog.sum(m.shared_read), pg_catalog.sum(m.temp_written), pg_catalog.sum(m.wal_bytes), %(hour)s, m.subject,
       pg_catalog.bool_or(m.doubtful)
FROM premortem.history AS m
JOIN premortem.subject AS u ON u.id = m.subject
WHERE m.at >= %(hour)s AND m.at < %(hour)s::timestamptz + interval '1 hour'
  AND u.instance_id = ANY(%(instances)s::integer[])
GROUP BY m.subject
ORDER BY m.subject
ON CONFLICT (subject, at) DO UPDATE
SET total_ms = excluded.total_ms, squares = excluded.squares, calls = excluded.calls, rows = excluded.rows,
    shared_read = excluded.shared_read, temp_written = excluded.temp_written, wal_bytes = excluded.wal_bytes,
    doubtful = excluded.doubtful

-- name: forgotten minutes
-- purpose: minutes that nobody closed, because nobody watches the instance any more
-- needs: UPDATE on premortem.checkpoint
SELECT instance_id, m.at FROM premortem.checkpoint AS c CROSS JOIN LATERAL pg_catalog.unnest(c.minutes) AS m (at)
WHERE c.at < %(before)s GROUP BY instance_id, m.at

-- name: close forgotten minutes
-- purpose: their rows go where those of all minutes are
-- needs: UPDATE on premortem.checkpoint, INSERT on premortem.history
WITH taken AS (
    SELECT instance_id, subjects, minutes, calls, total_ms, squares, rows, shared_read, temp_written, wal_bytes, doubtful
    FROM premortem.checkpoint WHERE at < %(before)s AND subjects <> '{}' FOR UPDATE
), emptied AS (
    UPDATE premortem.checkpoint AS c
    SET version = version + 1, subjects = '{}', minutes = '{}', calls = '{}', total_ms = '{}', squares = '{}',
        rows = '{}', shared_read = '{}', temp_written = '{}', wal_bytes = '{}', doubtful = '{}'
    FROM taken AS t WHERE t.instance_id = c.instance_id
)
INSERT INTO premortem.history
    (total_ms, squares, calls, rows, shared_read, temp_written, wal_bytes, at, subject, doubtful)
SELECT m.total_ms, m.squares, m.calls, m.rows, m.shared_read, m.temp_written, m.wal_bytes, m.at, m.subject, m.doubtful
FROM taken AS t
CROSS JOIN LATERAL ROWS FROM (
    pg_catalog.unnest(t.subjects), pg_catalog.unnest(t.minutes), pg_catalog.unnest(t.calls),
    pg_catalog.unnest(t.total_ms), pg_catalog.unnest(t.squares), pg_catalog.unnest(t.rows),
    pg_catalog.unnest(t.shared_read), pg_catalog.unnest(t.temp_written), pg_catalog.unnest(t.wal_bytes),
    pg_catalog.unnest(t.doubtful)
) AS m (subject, at, calls, total_ms, squares, rows, shared_read, temp_written, wal_bytes, doubtful)

-- name: forget letters
-- purpose: letters that were delivered long ago, but not those about alerts that are still open
-- needs: DELETE on premortem.letter
DELETE FROM premortem.letter AS l
WHERE l.delivered_at < %(before)s AND NOT EXISTS (
    SELECT 1 FROM premortem.alert AS a
    WHERE a.key = l.key AND a.opened_at = l.opened_at AND (a.closed_at IS NULL OR a.closed_at >= %(before)s)
)
