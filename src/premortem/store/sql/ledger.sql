-- name: lock deploys
-- purpose: two records of one deploy at once are still one
-- needs: nothing
SELECT pg_catalog.pg_advisory_xact_lock(7305804402566459982)

-- name: deploy is there
-- purpose: the same deploy was recorded, or its revision is what was shipped a moment ago
-- needs: SELECT on premortem.deploy
SELECT EXISTS (
    SELECT 1 FROM premortem.deploy AS d
    WHERE d.service = %(service)s AND d.environment = %(environment)s AND d.revision = %(revision)s
      AND d.at BETWEEN %(at)s::timestamptz - %(near)s::interval AND %(at)s::timestamptz + %(near)s::interval
      AND NOT EXISTS (
          SELECT 1 FROM premortem.deploy AS other
          WHERE other.service = d.service AND other.environment = d.environment AND other.revision <> d.revision
            AND other.at > LEAST(d.at, %(at)s::timestamptz) AND other.at < GREATEST(d.at, %(at)s::timestamptz)
      )
)

-- name: add deploy
-- purpose: a change that was shipped
-- needs: INSERT on premortem.deploy
INSERT INTO premortem.deploy (service, environment, revision, at, body, recorded_at)
VALUES (%(service)s, %(environment)s, %(revision)s, %(at)s, %(body)s::json, pg_catalog.now())
ON CONFLICT (service, environment, revision, at) DO NOTHING

-- name: deploys
-- purpose: what was shipped when, oldest first
-- needs: SELECT on premortem.deploy
SELECT body FROM premortem.deploy
WHERE (%(since)s::timestamptz IS NULL OR at >= %(since)s::timestamptz)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s::timestamptz)
  AND (%(services)s::text[] IS NULL OR service = ANY(%(services)s::text[]))
ORDER BY at, id

-- name: deploys to tell
-- purpose: deploys that were recorded since, whoever recorded them
-- needs: SELECT on premortem.deploy
SELECT id, body FROM premortem.deploy WHERE recorded_at >= %(since)s ORDER BY id
