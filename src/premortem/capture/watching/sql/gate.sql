-- name: gate
-- purpose: makes what drops parts of a schema wait until the schema was looked at, once a second and session at most
-- needs: superuser
CREATE FUNCTION pg_catalog.premortem_gate() RETURNS event_trigger LANGUAGE plpgsql
-- So that what it asks is counted nowhere, whoever drops.
SECURITY DEFINER SET search_path = pg_catalog SET pg_stat_statements.track = 'none' AS $gate$
DECLARE
    moment constant timestamptz := pg_catalog.clock_timestamp();
    last constant text := pg_catalog.current_setting('premortem.gate', true);
    number int;
BEGIN
    IF last <> '' AND moment < last::timestamptz + interval '1 second' THEN
        RETURN;
    END IF;
    number := (EXTRACT(epoch FROM moment) * 1000)::bigint % 2000000000;
    RAISE LOG 'premortem gate % %', pg_catalog.pg_backend_pid(), number;
    WHILE pg_catalog.clock_timestamp() < moment + interval '3 seconds' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_locks l
        WHERE l.locktype = 'advisory' AND l.granted
          AND l.classid = pg_catalog.pg_backend_pid()::oid AND l.objid = number::oid
    ) LOOP
        PERFORM pg_catalog.pg_sleep(0.003);
    END LOOP;
    PERFORM pg_catalog.set_config('premortem.gate', pg_catalog.clock_timestamp()::text, false);
END
$gate$;
CREATE EVENT TRIGGER premortem_gate ON ddl_command_start
    WHEN TAG IN ('DROP TABLE', 'DROP SCHEMA', 'DROP INDEX', 'DROP VIEW', 'DROP MATERIALIZED VIEW', 'DROP OWNED')
    EXECUTE FUNCTION pg_catalog.premortem_gate();
ALTER EVENT TRIGGER premortem_gate ENABLE ALWAYS;
-- Members of an extension are in nobody's dump, and this extension is in every database.
ALTER EXTENSION plpgsql ADD FUNCTION pg_catalog.premortem_gate();
ALTER EXTENSION plpgsql ADD EVENT TRIGGER premortem_gate;
