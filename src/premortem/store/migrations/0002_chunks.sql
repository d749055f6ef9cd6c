-- The long texts of checkpoints, each by its digest: windows are lists of polls, of which one is new each time, and
-- writing all of them every poll would be twenty times as much.  A body is compressed by us.
CREATE TABLE premortem.chunk (
    instance_id integer NOT NULL REFERENCES premortem.instance,
    digest bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (instance_id, digest)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 5000);
ALTER TABLE premortem.chunk ALTER COLUMN body SET STORAGE EXTERNAL;
