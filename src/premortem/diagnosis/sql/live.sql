-- name: search path
-- purpose: the search_path that a role's sessions have in this database
-- needs: nothing
SELECT COALESCE(
  (SELECT pg_catalog.substr(c.setting, 13)
   FROM pg_catalog.pg_db_role_setting s
        LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
        CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting)
   WHERE c.setting LIKE 'search\_path=%%'
     AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
     AND (s.setrole = 0 OR r.rolname = %(role)s::text)
   ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC
   LIMIT 1),
  (SELECT p.boot_val FROM pg_catalog.pg_settings p WHERE p.name = 'search_path' AND p.source IN ('user', 'database user')),
  (SELECT p.reset_val FROM pg_catalog.pg_settings p WHERE p.name = 'search_path'))

-- name: resolve
-- purpose: the relations that names mean along the search_path of the moment
-- needs: nothing
SELECT DISTINCT n.nspname::text AS schema, c.relname::text AS name
FROM pg_catalog.unnest(%(names)s::text[]) AS w (name)
     JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(w.name)
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')

-- name: prepared
-- purpose: how many parameters a prepared statement takes
-- needs: nothing
SELECT pg_catalog.cardinality(p.parameter_types) FROM pg_catalog.pg_prepared_statements p WHERE p.name = %(name)s

-- name: building
-- purpose: indexes that are being built now
-- needs: pg_read_all_stats to see how far they are
SELECT n.nspname::text AS schema, c.relname::text AS table_name, i.relname::text AS index_name,
       COALESCE(p.phase, '') AS phase, p.pid,
       CASE WHEN p.blocks_total > 0 THEN p.blocks_done::float8 / p.blocks_total END AS done
FROM pg_catalog.pg_stat_progress_create_index p
     JOIN pg_catalog.pg_class c ON c.oid = p.relid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_catalog.pg_class i ON i.oid = p.index_relid
WHERE p.datid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
