-- name: instance
-- purpose: an instance's number, and since when it is watched
-- needs: SELECT on premortem.instance
SELECT id, watched_since FROM premortem.instance WHERE name = %(name)s

-- name: add instance
-- purpose: an instance is known from its first commit or lease on
-- needs: INSERT on premortem.instance
INSERT INTO premortem.instance (name, watched_since) VALUES (%(name)s, %(at)s) ON CONFLICT (name) DO NOTHING

-- name: ledger
-- purpose: which samples are in history, and the minute that is not over
-- needs: SELECT on premortem.checkpoint
SELECT version, samples, subjects, minutes, calls, total_ms, squares, rows, shared_read, temp_written, wal_bytes, doubtful
FROM premortem.checkpoint WHERE instance_id = %(instance)s

-- name: state
-- purpose: what a watcher goes on from
-- needs: SELECT on premortem.checkpoint
SELECT state, at FROM premortem.checkpoint WHERE instance_id = %(instance)s

-- name: add checkpoint
-- purpose: the first checkpoint of an instance
-- needs: INSERT on premortem.checkpoint
INSERT INTO premortem.checkpoint
    (instance_id, version, at, state, samples, subjects, minutes, calls, total_ms, squares, rows, shared_read,
     temp_written, wal_bytes, doubtful)
VALUES (%(instance)s, 0, %(at)s, NULL, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')
ON CONFLICT (instance_id) DO NOTHING

-- name: write checkpoint
-- purpose: replaces the checkpoint that we know, with its long texts; none is replaced if somebody else wrote in
--          between, and then the caller undoes the rest.  It is one statement because it is every commit's
-- needs: UPDATE on premortem.checkpoint, INSERT and DELETE on premortem.chunk
WITH added AS (
    INSERT INTO premortem.chunk (instance_id, digest, body)
    SELECT %(instance)s, c.digest, c.body
    FROM ROWS FROM (pg_catalog.unnest(%(new)s::bytea[]), pg_catalog.unnest(%(bodies)s::bytea[])) AS c (digest, body)
    ON CONFLICT (instance_id, digest) DO NOTHING
), removed AS (
    DELETE FROM premortem.chunk WHERE instance_id = %(instance)s AND digest = ANY(%(gone)s::bytea[])
)
UPDATE premortem.checkpoint
SET version = version + 1, at = %(at)s, state = CASE WHEN %(given)s THEN %(state)s::bytea ELSE state END,
    samples = %(samples)s::timestamptz[], subjects = %(subjects)s::integer[], minutes = %(minutes)s::timestamptz[],
    calls = %(calls)s::bigint[], total_ms = %(total_ms)s::double precision[],
    squares = %(squares)s::double precision[], rows = %(rows)s::bigint[], shared_read = %(shared_read)s::bigint[],
    temp_written = %(temp_written)s::bigint[], wal_bytes = %(wal_bytes)s::bigint[], doubtful = %(doubtful)s::boolean[]
WHERE instance_id = %(instance)s AND version = %(version)s

-- name: add statements
-- purpose: texts are kept once, by fingerprint
-- needs: INSERT on premortem.statement
INSERT INTO premortem.statement (fingerprint, text, tables, body)
SELECT g.fingerprint, g.text, ARRAY(SELECT pg_catalog.json_array_elements_text(g.tables)), g.body
FROM ROWS FROM (
    pg_catalog.unnest(%(fingerprints)s::text[]), pg_catalog.unnest(%(texts)s::text[]),
    pg_catalog.unnest(%(tables)s::json[]), pg_catalog.unnest(%(bodies)s::json[])
) AS g (fingerprint, text, tables, body)
ORDER BY g.fingerprint
ON CONFLICT (fingerprint) DO NOTHING

-- name: add subjects
-- purpose: what runs where since when; what is known stays as it is
-- needs: INSERT on premortem.subject
INSERT INTO premortem.subject (instance_id, database, statement_id, toplevel, first_seen, appeared)
SELECT %(instance)s, g.database, s.id, g.toplevel, g.first_seen, g.appeared
FROM ROWS FROM (
    pg_catalog.unnest(%(databases)s::text[]), pg_catalog.unnest(%(fingerprints)s::text[]),
    pg_catalog.unnest(%(toplevel)s::boolean[]), pg_catalog.unnest(%(seen)s::timestamptz[]),
    pg_catalog.unnest(%(appeared)s::boolean[])
) AS g (database, fingerprint, toplevel, first_seen, appeared)
JOIN premortem.statement AS s ON s.fingerprint = g.fingerprint
ORDER BY s.id, g.database, g.toplevel
ON CONFLICT (instance_id, database, statement_id, toplevel) DO NOTHING

-- name: subjects
-- purpose: the numbers of what history's rows are about
-- needs: SELECT on premortem.subject and premortem.statement
SELECT u.database, s.fingerprint, u.toplevel, u.id
FROM premortem.subject AS u JOIN premortem.statement AS s ON s.id = u.statement_id
WHERE u.instance_id = %(instance)s AND s.fingerprint = ANY(%(fingerprints)s::text[])

-- name: copy history
-- purpose: rows of minutes that are over
-- needs: INSERT on premortem.history
COPY premortem.history
    (total_ms, squares, calls, rows, shared_read, temp_written, wal_bytes, at, subject, doubtful) FROM STDIN

-- name: mark hours
-- purpose: these hours of an instance have to be rolled up; the lock lets no roll-up miss rows that come after it
-- needs: INSERT and UPDATE on premortem.unrolled
INSERT INTO premortem.unrolled (instance_id, hour, touched_at)
SELECT %(instance)s, h.hour, pg_catalog.now() FROM pg_catalog.unnest(%(hours)s::timestamptz[]) AS h (hour)
ON CONFLICT (instance_id, hour) DO UPDATE SET touched_at = excluded.touched_at

-- name: write alert
-- purpose: the newest state of an alert; an older one changes nothing
-- needs: INSERT and UPDATE on premortem.alert
INSERT INTO premortem.alert AS a (key, opened_at, instance_id, kind, changed_at, closed_at, turns, body)
VALUES (%(key)s, %(opened_at)s, %(instance)s, %(kind)s, %(changed_at)s, %(closed_at)s, %(turns)s, %(body)s::json)
ON CONFLICT (key, opened_at) DO UPDATE
SET changed_at = excluded.changed_at, closed_at = excluded.closed_at, turns = excluded.turns, body = excluded.body
WHERE a.turns <= excluded.turns

-- name: add event
-- purpose: a fact of the log; one that is there stays as it is
-- needs: INSERT on premortem.event
INSERT INTO premortem.event (id, at, kind, instance, database, subject, payload)
VALUES (%(id)s, %(at)s, %(kind)s, %(instance)s, %(database)s, %(subject)s, %(payload)s::json)
ON CONFLICT (id) DO NOTHING

-- name: open alerts
-- purpose: what hurts, as the last commit left it
-- needs: SELECT on premortem.alert
SELECT body FROM premortem.alert WHERE instance_id = %(instance)s AND closed_at IS NULL ORDER BY opened_at, key

-- name: alerts
-- purpose: what hurts or hurt
-- needs: SELECT on premortem.alert and premortem.instance
SELECT a.body FROM premortem.alert AS a JOIN premortem.instance AS i ON i.id = a.instance_id
WHERE (NOT %(open_only)s OR a.closed_at IS NULL)
  AND (%(since)s::timestamptz IS NULL OR a.closed_at IS NULL OR a.closed_at >= %(since)s::timestamptz)
  AND (%(instance)s::text IS NULL OR i.name = %(instance)s::text)
ORDER BY a.opened_at, a.key

-- name: events
-- purpose: the log, oldest first
-- needs: SELECT on premortem.event
SELECT id, at, kind, instance, database, subject, payload FROM premortem.event
WHERE (%(since)s::timestamptz IS NULL OR at >= %(since)s::timestamptz)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s::timestamptz)
  AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s::text[]))
  AND (%(instance)s::text IS NULL OR instance = %(instance)s::text)
  AND (%(subject)s::text IS NULL OR subject = %(subject)s::text)
ORDER BY at, number LIMIT %(most)s

-- name: digests
-- purpose: which long texts of a checkpoint are there
-- needs: SELECT on premortem.chunk
SELECT digest FROM premortem.chunk WHERE instance_id = %(instance)s

-- name: chunks
-- purpose: the long texts of a checkpoint
-- needs: SELECT on premortem.chunk
SELECT digest, body FROM premortem.chunk WHERE instance_id = %(instance)s
