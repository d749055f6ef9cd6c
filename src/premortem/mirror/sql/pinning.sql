-- name: pinned
-- purpose: whose statistics the database says that it has
-- needs: nothing
SELECT s.setting
FROM (SELECT pg_catalog.split_part(c.config, '=', 1) AS name, pg_catalog.split_part(c.config, '=', 2) AS setting
      FROM pg_catalog.pg_db_role_setting r JOIN pg_catalog.pg_database d ON d.oid = r.setdatabase
      CROSS JOIN LATERAL pg_catalog.unnest(r.setconfig) AS c (config)
      WHERE r.setrole = 0 AND d.datname = pg_catalog.current_database()) s
WHERE s.name = 'premortem.statistics'

-- name: forget
-- purpose: take away what ANALYZE gathered of the tables in some schemas
-- needs: superuser
DELETE FROM pg_catalog.pg_statistic s
USING pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = s.starelid AND n.nspname = ANY (%(schemas)s::text[])

-- name: casts away
-- purpose: the casts that let binary forms of extended statistics in serve nobody else
-- needs: superuser
DO $$
DECLARE target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['pg_ndistinct', 'pg_dependencies', 'pg_mcv_list'] LOOP
        EXECUTE format('DROP CAST IF EXISTS (bytea AS %s)', target);
    END LOOP;
END $$

-- name: tables
-- purpose: the tables with rows of their own that autovacuum may still look after
-- needs: nothing
SELECT n.nspname::text AS schema, c.relname::text AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'premortem') AND c.relpersistence <> 't'
  AND NOT COALESCE('autovacuum_enabled=false' = ANY (c.reloptions), false)

-- name: done
-- purpose: what was staged is not needed any more
-- needs: nothing
DISCARD TEMP
