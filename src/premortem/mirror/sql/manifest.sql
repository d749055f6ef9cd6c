-- name: create
-- purpose: the tables in which a mirror keeps what it was made from and how far it is
-- needs: CREATE on the database
CREATE SCHEMA IF NOT EXISTS premortem;
CREATE TABLE premortem.mirror (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    format integer NOT NULL,
    made_by text NOT NULL,
    production text NOT NULL,
    taken_at timestamptz NOT NULL,
    digest text NOT NULL,
    options text NOT NULL,
    profile bytea,
    stage text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    completed_at timestamptz
);
CREATE TABLE premortem.mirror_chunk (
    relation text NOT NULL,
    chunk integer NOT NULL,
    rows bigint NOT NULL,
    refused bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (relation, chunk)
);
CREATE TABLE premortem.mirror_step (
    step text PRIMARY KEY,
    done_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
CREATE TABLE premortem.mirror_later (
    statement text PRIMARY KEY,
    validates text NOT NULL,
    subject text NOT NULL
);
CREATE TABLE premortem.mirror_gap (
    subject text NOT NULL,
    says text NOT NULL,
    effect text NOT NULL,
    cure text NOT NULL,
    PRIMARY KEY (subject, says)
)

-- name: exists
-- purpose: whether the database holds a mirror
-- needs: nothing
SELECT pg_catalog.to_regclass('premortem.mirror') IS NOT NULL

-- name: begin
-- purpose: write down what the mirror is made from
-- needs: to be its owner
INSERT INTO premortem.mirror (format, made_by, production, taken_at, digest, options, stage)
VALUES (%(format)s, %(made_by)s, %(production)s, %(taken_at)s, %(digest)s, %(options)s, 'schema')

-- name: read
-- purpose: what the mirror is made from and how far it is
-- needs: SELECT on it
SELECT m.format, m.made_by, m.production, m.taken_at, m.digest, m.options, m.stage, m.started_at, m.completed_at
FROM premortem.mirror m

-- name: profile
-- purpose: the profile that the rows are made from
-- needs: SELECT on it
SELECT m.profile FROM premortem.mirror m

-- name: keep profile
-- purpose: write down the profile that the rows are made from, and that the schema stands
-- needs: to be its owner
UPDATE premortem.mirror SET profile = %(profile)s, stage = 'loading'

-- name: stage
-- purpose: write down how far the mirror is
-- needs: to be its owner
UPDATE premortem.mirror
SET stage = %(stage)s,
    completed_at = CASE WHEN %(stage)s = 'complete' THEN pg_catalog.clock_timestamp() END

-- name: chunks
-- purpose: the chunks whose rows are in
-- needs: SELECT on it
SELECT c.relation, c.chunk, c.rows, c.refused FROM premortem.mirror_chunk c

-- name: claim
-- purpose: take a chunk; whoever comes second waits for the first, and gets no row when that one has committed
-- needs: INSERT on it
INSERT INTO premortem.mirror_chunk (relation, chunk, rows) VALUES (%(relation)s, %(chunk)s, %(rows)s)
ON CONFLICT DO NOTHING

-- name: refused
-- purpose: write down how many rows of a chunk the target refused
-- needs: UPDATE on it
UPDATE premortem.mirror_chunk SET rows = %(rows)s, refused = %(refused)s
WHERE relation = %(relation)s AND chunk = %(chunk)s

-- name: steps
-- purpose: the steps that are done
-- needs: SELECT on it
SELECT s.step FROM premortem.mirror_step s

-- name: done
-- purpose: write down that a step is done
-- needs: INSERT on it
INSERT INTO premortem.mirror_step (step) VALUES (%(step)s) ON CONFLICT DO NOTHING

-- name: gap
-- purpose: write down what could not be mirrored
-- needs: INSERT on it
INSERT INTO premortem.mirror_gap (subject, says, effect, cure)
VALUES (%(subject)s, %(says)s, %(effect)s, %(cure)s) ON CONFLICT DO NOTHING

-- name: gaps
-- purpose: what could not be mirrored
-- needs: SELECT on it
SELECT g.subject, g.says, g.effect, g.cure FROM premortem.mirror_gap g ORDER BY g.subject, g.says

-- name: later
-- purpose: what was taken away before the rows came, and is put back after them
-- needs: SELECT on it
SELECT l.subject, l.statement, l.validates FROM premortem.mirror_later l ORDER BY l.statement
