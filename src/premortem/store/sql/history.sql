-- name: rows
-- purpose: history from one moment to another: by the hour before the edge, by the minute from it on; part of others
-- needs: SELECT on premortem.history_hour and premortem.minute
SELECT subject, at, calls, total_ms, squares, rows, shared_read, temp_written, wal_bytes, doubtful
FROM premortem.history_hour
WHERE at >= %(since)s::timestamptz AND at < LEAST(%(until)s::timestamptz, %(edge)s::timestamptz)
UNION ALL
SELECT subject, at, calls, total_ms, squares, rows, shared_read, temp_written, wal_bytes, doubtful
FROM premortem.minute
WHERE at >= GREATEST(%(since)s::timestamptz, %(edge)s::timestamptz) AND at < %(until)s::timestamptz

-- name: rolled until
-- purpose: the first hour that history_hour does not hold as a whole, NULL where there is none
-- needs: SELECT on premortem.unrolled and premortem.checkpoint
SELECT LEAST(
    (SELECT pg_catalog.min(hour) FROM premortem.unrolled),
    (SELECT pg_catalog.date_trunc('hour', pg_catalog.min(m.at), 'UTC')
     FROM premortem.checkpoint AS c CROSS JOIN LATERAL pg_catalog.unnest(c.minutes) AS m (at))
)

-- name: chosen subjects
-- purpose: the numbers of what is asked about: one statement's, or all that clients execute
-- needs: SELECT on the registry
SELECT u.id FROM premortem.subject AS u
JOIN premortem.statement AS s ON s.id = u.statement_id
JOIN premortem.instance AS i ON i.id = u.instance_id
WHERE (%(instance)s::text IS NULL OR i.name = %(instance)s::text)
  AND (%(database)s::text IS NULL OR u.database = %(database)s::text)
  AND CASE WHEN %(fingerprint)s::text IS NULL THEN u.toplevel ELSE s.fingerprint = %(fingerprint)s::text END

-- name: steps
-- purpose: what the subjects did in each step of time; the index is for their range, it would be read once per subject
-- needs: SELECT on history
SELECT pg_catalog.date_bin(%(step)s::interval, h.at, %(since)s::timestamptz) AS at, %(step)s::interval AS length,
       pg_catalog.sum(h.calls)::bigint AS calls, pg_catalog.sum(h.total_ms) AS total_ms,
       pg_catalog.sum(h.squares) AS squares, pg_catalog.sum(h.rows)::bigint AS rows,
       pg_catalog.sum(h.shared_read)::bigint AS shared_read, pg_catalog.sum(h.temp_written)::bigint AS temp_written,
       pg_catalog.sum(h.wal_bytes)::bigint AS wal_bytes, pg_catalog.bool_or(h.doubtful) AS doubtful
FROM ({rows}) AS h
WHERE h.subject BETWEEN %(first)s AND %(last)s AND h.subject + 0 = ANY(%(subjects)s::integer[])
GROUP BY 1
ORDER BY 1

-- name: days
-- purpose: what is usual: calls and mean per day, oldest first
-- needs: SELECT on premortem.history_hour and the registry
SELECT u.database, s.fingerprint, (h.at AT TIME ZONE 'UTC')::date AS day, pg_catalog.sum(h.calls)::bigint AS calls,
       pg_catalog.sum(h.total_ms) / pg_catalog.sum(h.calls) AS mean_ms
FROM premortem.history_hour AS h
JOIN premortem.subject AS u ON u.id = h.subject
JOIN premortem.statement AS s ON s.id = u.statement_id
WHERE h.subject = ANY(%(subjects)s::integer[]) AND h.calls > 0
  AND h.at >= %(since)s::timestamptz AND h.at < %(until)s::timestamptz
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3

-- name: medians
-- purpose: what is usual: the median of the means of whole hours
-- needs: SELECT on premortem.history_hour and the registry
SELECT database, fingerprint, pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY total_ms / calls) AS median_ms
FROM (
    SELECT u.database, s.fingerprint, h.at, pg_catalog.sum(h.calls) AS calls, pg_catalog.sum(h.total_ms) AS total_ms
    FROM premortem.history_hour AS h
    JOIN premortem.subject AS u ON u.id = h.subject
    JOIN premortem.statement AS s ON s.id = u.statement_id
    WHERE h.subject = ANY(%(subjects)s::integer[]) AND h.calls > 0
      AND h.at >= %(since)s::timestamptz AND h.at < %(until)s::timestamptz
    GROUP BY 1, 2, 3
) AS hours
GROUP BY 1, 2
HAVING pg_catalog.count(*) >= %(least)s

-- name: baseline subjects
-- purpose: the numbers of the statements whose usual figures are asked for
-- needs: SELECT on the registry
SELECT u.id FROM premortem.subject AS u
JOIN premortem.statement AS s ON s.id = u.statement_id
JOIN premortem.instance AS i ON i.id = u.instance_id
JOIN ROWS FROM (
    pg_catalog.unnest(%(databases)s::text[]), pg_catalog.unnest(%(fingerprints)s::text[])
) AS g (database, fingerprint) ON g.database = u.database AND g.fingerprint = s.fingerprint
WHERE i.name = %(instance)s
