-- name: first seen
-- purpose: when statements came that were seen to come; those that were there when watching began are left out
-- needs: SELECT on premortem.statement, premortem.subject and premortem.instance
SELECT fingerprint, first_seen FROM (
    SELECT DISTINCT ON (s.fingerprint) s.fingerprint, u.first_seen, u.appeared
    FROM premortem.statement AS s
    JOIN premortem.subject AS u ON u.statement_id = s.id
    JOIN premortem.instance AS i ON i.id = u.instance_id
    WHERE s.fingerprint = ANY(%(fingerprints)s::text[])
      AND (%(instance)s::text IS NULL OR i.name = %(instance)s::text)
    ORDER BY s.fingerprint, u.first_seen, u.appeared
) AS earliest
WHERE appeared

-- name: statement
-- purpose: what a fingerprint stands for
-- needs: SELECT on premortem.statement
SELECT text, body FROM premortem.statement WHERE fingerprint = %(fingerprint)s

-- name: find statements
-- purpose: statements by fingerprint, by a table's name, or by their text, the heaviest of the time first
-- needs: SELECT on the registry and on history
WITH wanted AS (
    SELECT u.id, s.id AS statement, i.name AS instance, u.database, u.first_seen, u.appeared
    FROM premortem.subject AS u
    JOIN premortem.statement AS s ON s.id = u.statement_id
    JOIN premortem.instance AS i ON i.id = u.instance_id
    WHERE (%(instance)s::text IS NULL OR i.name = %(instance)s::text)
      AND (%(database)s::text IS NULL OR u.database = %(database)s::text)
      AND (%(words)s::text = ''
           OR pg_catalog.starts_with(s.fingerprint, %(words)s::text)
           OR pg_catalog.lower(%(words)s::text) = ANY(s.tables)
           OR pg_catalog.strpos(pg_catalog.lower(s.text), pg_catalog.lower(%(words)s::text)) > 0)
), moved AS (
    SELECT h.subject, pg_catalog.sum(h.calls) AS calls, pg_catalog.sum(h.total_ms) AS total_ms
    FROM ({rows}) AS h
    WHERE h.subject IN (SELECT id FROM wanted)
    GROUP BY h.subject
), found AS (
    SELECT w.statement, w.instance, w.database, pg_catalog.min(w.first_seen) AS first_seen,
           (pg_catalog.array_agg(w.appeared ORDER BY w.first_seen, w.appeared))[1] AS appeared,
           COALESCE(pg_catalog.sum(m.calls), 0)::bigint AS calls,
           COALESCE(pg_catalog.sum(m.total_ms), 0)::double precision AS total_ms
    FROM wanted AS w LEFT JOIN moved AS m ON m.subject = w.id
    GROUP BY w.statement, w.instance, w.database
)
SELECT s.text, s.body, f.instance, f.database, f.first_seen, f.appeared, f.calls, f.total_ms
FROM found AS f JOIN premortem.statement AS s ON s.id = f.statement
ORDER BY f.total_ms DESC, f.calls DESC, f.instance, f.database, s.fingerprint
LIMIT %(most)s
