-- The registry, the state of watching, alerts, the log of events, deploys, the outbox, and history.
--
-- History is deltas: what a statement did in one minute of one instance.  Its rows are 100 bytes wide and are written in
-- the order of subjects, so that two BRIN indexes are enough: by time, and by subject within the rows of one minute.

CREATE TABLE premortem.instance (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    watched_since timestamptz NOT NULL
);

CREATE TABLE premortem.statement (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint text NOT NULL UNIQUE,
    text text NOT NULL,
    tables text[] NOT NULL,
    body json NOT NULL
);

-- A statement in a database of an instance, executed by clients or inside of functions; first_seen never expires.
-- appeared: it was not there when the instance was looked at before, so first_seen is when it came.
CREATE TABLE premortem.subject (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_id integer NOT NULL REFERENCES premortem.instance,
    database text NOT NULL,
    statement_id integer NOT NULL REFERENCES premortem.statement,
    toplevel boolean NOT NULL,
    first_seen timestamptz NOT NULL,
    appeared boolean NOT NULL,
    UNIQUE (instance_id, database, statement_id, toplevel)
);
CREATE INDEX subject_statement ON premortem.subject (statement_id);

-- What a watcher needs to go on after a restart.  state is JSON, compressed by us: PostgreSQL need not try again.
-- samples are the moments (the server's) of the newest samples that are in history.  The arrays are the minute that is
-- not over yet, row by row.
CREATE TABLE premortem.checkpoint (
    instance_id integer PRIMARY KEY REFERENCES premortem.instance,
    version bigint NOT NULL,
    at timestamptz NOT NULL,
    state bytea,
    samples timestamptz[] NOT NULL,
    subjects integer[] NOT NULL,
    minutes timestamptz[] NOT NULL,
    calls bigint[] NOT NULL,
    total_ms double precision[] NOT NULL,
    squares double precision[] NOT NULL,
    rows bigint[] NOT NULL,
    shared_read bigint[] NOT NULL,
    temp_written bigint[] NOT NULL,
    wal_bytes bigint[] NOT NULL,
    doubtful boolean[] NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
        toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 5000);
ALTER TABLE premortem.checkpoint ALTER COLUMN state SET STORAGE EXTERNAL;

CREATE TABLE premortem.alert (
    key text NOT NULL,
    opened_at timestamptz NOT NULL,
    instance_id integer NOT NULL REFERENCES premortem.instance,
    kind text NOT NULL,
    changed_at timestamptz NOT NULL,
    closed_at timestamptz,
    turns integer NOT NULL,
    body json NOT NULL,
    PRIMARY KEY (key, opened_at)
);
CREATE INDEX alert_open ON premortem.alert (instance_id) WHERE closed_at IS NULL;
CREATE INDEX alert_opened ON premortem.alert (opened_at);

CREATE TABLE premortem.event (
    number bigint GENERATED ALWAYS AS IDENTITY,
    id text PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    instance text NOT NULL,
    database text NOT NULL,
    subject text NOT NULL,
    payload json NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE INDEX event_at ON premortem.event (at);
CREATE INDEX event_subject ON premortem.event (subject, at);

CREATE FUNCTION premortem.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the log of events is never changed' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON premortem.event
    FOR EACH STATEMENT EXECUTE FUNCTION premortem.refuse();

CREATE TABLE premortem.deploy (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service text NOT NULL,
    environment text NOT NULL,
    revision text NOT NULL,
    at timestamptz NOT NULL,
    body json NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (service, environment, revision, at)
);
CREATE INDEX deploy_at ON premortem.deploy (at);
CREATE INDEX deploy_recorded ON premortem.deploy (recorded_at);

-- The outbox.  held: not to be told before retry_at unless more becomes of the alert.
CREATE TABLE premortem.letter (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    channel text NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    opened_at timestamptz,
    body json NOT NULL,
    written_at timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    retry_at timestamptz,
    held boolean NOT NULL DEFAULT false,
    says text NOT NULL DEFAULT '',
    delivered_at timestamptz,
    told boolean NOT NULL DEFAULT false,
    counts boolean NOT NULL DEFAULT false,
    dead_at timestamptz
);
CREATE INDEX letter_pending ON premortem.letter (channel, number) WHERE delivered_at IS NULL AND dead_at IS NULL;
CREATE INDEX letter_key ON premortem.letter (channel, key, opened_at);
CREATE INDEX letter_sent ON premortem.letter (channel, delivered_at) WHERE counts;
CREATE INDEX letter_dead ON premortem.letter (dead_at) WHERE dead_at IS NOT NULL;

CREATE TABLE premortem.history (
    total_ms double precision NOT NULL,
    squares double precision NOT NULL,
    calls bigint NOT NULL,
    rows bigint NOT NULL,
    shared_read bigint NOT NULL,
    temp_written bigint NOT NULL,
    wal_bytes bigint NOT NULL,
    at timestamptz NOT NULL,
    subject integer NOT NULL,
    doubtful boolean NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX history_at ON premortem.history USING brin (at, subject) WITH (pages_per_range = 8);

-- The same by the hour, kept for years.
CREATE TABLE premortem.history_hour (
    total_ms double precision NOT NULL,
    squares double precision NOT NULL,
    calls bigint NOT NULL,
    rows bigint NOT NULL,
    shared_read bigint NOT NULL,
    temp_written bigint NOT NULL,
    wal_bytes bigint NOT NULL,
    at timestamptz NOT NULL,
    subject integer NOT NULL,
    doubtful boolean NOT NULL,
    PRIMARY KEY (subject, at)
);
CREATE INDEX history_hour_at ON premortem.history_hour USING brin (at) WITH (pages_per_range = 32);

-- Hours of an instance whose rows in history_hour are not those of history yet.
CREATE TABLE premortem.unrolled (
    instance_id integer NOT NULL REFERENCES premortem.instance,
    hour timestamptz NOT NULL,
    touched_at timestamptz NOT NULL,
    PRIMARY KEY (instance_id, hour)
);

-- History with the minutes that are not over yet.
CREATE VIEW premortem.minute AS
SELECT subject, at, calls, total_ms, squares, rows, shared_read, temp_written, wal_bytes, doubtful
FROM premortem.history
UNION ALL
SELECT m.subject, m.at, m.calls, m.total_ms, m.squares, m.rows, m.shared_read, m.temp_written, m.wal_bytes, m.doubtful
FROM premortem.checkpoint AS c
CROSS JOIN LATERAL ROWS FROM (
    pg_catalog.unnest(c.subjects), pg_catalog.unnest(c.minutes), pg_catalog.unnest(c.calls),
    pg_catalog.unnest(c.total_ms), pg_catalog.unnest(c.squares), pg_catalog.unnest(c.rows),
    pg_catalog.unnest(c.shared_read), pg_catalog.unnest(c.temp_written), pg_catalog.unnest(c.wal_bytes),
    pg_catalog.unnest(c.doubtful)
) AS m (subject, at, calls, total_ms, squares, rows, shared_read, temp_written, wal_bytes, doubtful);
