-- name: add letter
-- purpose: what a channel is to be told; one that is there stays as it is
-- needs: INSERT on premortem.letter
INSERT INTO premortem.letter (id, channel, kind, key, opened_at, body, written_at, retry_at, held)
VALUES (%(id)s, %(channel)s, %(kind)s, %(key)s, %(opened_at)s, %(body)s::json, %(at)s, %(hold)s,
        %(hold)s::timestamptz IS NOT NULL)
ON CONFLICT (id) DO NOTHING

-- name: release letters
-- purpose: more became of an alert, so what was held back about it goes out
-- needs: UPDATE on premortem.letter
UPDATE premortem.letter SET retry_at = NULL, held = false
WHERE held AND key = ANY(%(keys)s::text[]) AND channel = ANY(%(channels)s::text[])
  AND delivered_at IS NULL AND dead_at IS NULL

-- name: pending letters
-- purpose: what a channel was not told yet, oldest first
-- needs: SELECT on premortem.letter
SELECT id, channel, kind, body, written_at, tries, retry_at, says FROM premortem.letter
WHERE channel = %(channel)s AND delivered_at IS NULL AND dead_at IS NULL
ORDER BY number LIMIT %(most)s

-- name: letters delivered
-- purpose: the letters of one message are done with, all at once: what is half done is told in other words next time
-- needs: UPDATE on premortem.letter
UPDATE premortem.letter
SET delivered_at = %(at)s, says = %(says)s, told = %(told)s, counts = %(counts)s AND id = %(id)s, held = false
WHERE id = ANY(%(ids)s::text[]) AND delivered_at IS NULL

-- name: letter failed
-- purpose: an attempt failed; the next may be made at retry_at
-- needs: UPDATE on premortem.letter
UPDATE premortem.letter SET tries = tries + 1, retry_at = %(retry_at)s, says = %(says)s, held = false
WHERE id = %(id)s AND delivered_at IS NULL AND dead_at IS NULL

-- name: letter dead
-- purpose: a letter will not be sent again
-- needs: UPDATE on premortem.letter
UPDATE premortem.letter SET dead_at = %(at)s, says = %(says)s, held = false
WHERE id = %(id)s AND delivered_at IS NULL AND dead_at IS NULL

-- name: was told
-- purpose: whether a channel knows that an alert is open
-- needs: SELECT on premortem.letter
SELECT EXISTS (
    SELECT 1 FROM premortem.letter
    WHERE channel = %(channel)s AND key = %(key)s AND opened_at = %(opened_at)s AND told
)

-- name: sent since
-- purpose: how many messages a channel was sent
-- needs: SELECT on premortem.letter
SELECT pg_catalog.count(*) FROM premortem.letter
WHERE channel = %(channel)s AND counts AND delivered_at >= %(since)s

-- name: dead letters
-- purpose: what was put aside, oldest first
-- needs: SELECT on premortem.letter
SELECT id, channel, kind, body, written_at, tries, retry_at, says, dead_at FROM premortem.letter
WHERE dead_at IS NOT NULL AND (%(channel)s::text IS NULL OR channel = %(channel)s::text)
ORDER BY dead_at, number

-- name: revive letters
-- purpose: dead letters wait again, as if they were new, with what became of their alerts and was left out for them
-- needs: UPDATE on premortem.letter
-- A beginning is never told without its end: nothing would close what it opens.
WITH dead AS (
    SELECT number, EXISTS (
        SELECT 1 FROM premortem.letter AS later
        WHERE later.channel = letter.channel AND later.key = letter.key AND later.opened_at = letter.opened_at
          AND later.number > letter.number AND later.told
    ) AS superseded
    FROM premortem.letter WHERE id = ANY(%(ids)s::text[]) AND dead_at IS NOT NULL
), settled AS (
    UPDATE premortem.letter SET dead_at = NULL, delivered_at = pg_catalog.now(), says = 'left out: more was told since'
    WHERE number IN (SELECT number FROM dead WHERE superseded)
), revived AS (
    UPDATE premortem.letter SET dead_at = NULL, retry_at = NULL, tries = 0, says = ''
    WHERE number IN (SELECT number FROM dead WHERE NOT superseded)
    RETURNING number, channel, key, opened_at
), ended AS (
    UPDATE premortem.letter AS later SET delivered_at = NULL, retry_at = NULL, tries = 0, says = ''
    FROM revived
    WHERE later.channel = revived.channel AND later.key = revived.key AND later.opened_at = revived.opened_at
      AND later.number > revived.number AND later.delivered_at IS NOT NULL AND NOT later.told
)
SELECT pg_catalog.count(*) FROM revived

-- name: undelivered
-- purpose: how many letters wait, and how many are dead, by channel
-- needs: SELECT on premortem.letter
SELECT channel, pg_catalog.count(*) FILTER (WHERE dead_at IS NULL), pg_catalog.count(*) FILTER (WHERE dead_at IS NOT NULL)
FROM premortem.letter WHERE delivered_at IS NULL GROUP BY channel ORDER BY channel
