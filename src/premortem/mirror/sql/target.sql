-- name: facts
-- purpose: what decides whether a database may become a mirror
-- needs: nothing
SELECT pg_catalog.current_database()::text AS database,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       pg_catalog.current_setting('transaction_read_only') = 'on' AS read_only,
       COALESCE(pg_catalog.current_setting('premortem.role', true), '') AS role,
       pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       d.datcollate::text AS collate,
       pg_catalog.has_database_privilege(d.oid, 'CREATE') AS may_create,
       pg_catalog.to_regclass('premortem.mirror') IS NOT NULL AS is_mirror,
       (SELECT pg_catalog.count(*)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend p
                          WHERE p.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND p.objid = c.oid
                            AND p.deptype = 'e')) AS relations,
       (SELECT pg_catalog.string_agg(f.name, ', ') FROM (
           SELECT c.oid::pg_catalog.regclass::text AS name
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_'
             AND n.nspname <> 'information_schema'
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend p
                             WHERE p.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND p.objid = c.oid
                               AND p.deptype = 'e')
           ORDER BY 1 LIMIT 3) f) AS first_relations,
       pg_catalog.inet_server_addr() IS NULL AS is_local
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database()

-- name: may read system identifier
-- purpose: whether the next query is allowed
-- needs: nothing
SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')

-- name: system identifier
-- purpose: the number of the cluster, to compare with production's
-- needs: EXECUTE on pg_control_system()
SELECT c.system_identifier::text FROM pg_catalog.pg_control_system() c

-- name: data directory
-- purpose: where the server keeps its files, to ask for the room there
-- needs: pg_read_all_settings
SELECT pg_catalog.current_setting('data_directory')

-- name: extensions
-- purpose: the extensions that the server could create
-- needs: nothing
SELECT e.name::text FROM pg_catalog.pg_available_extensions e

-- name: type oids
-- purpose: the OIDs of types here, by the names that the profile has for them
-- needs: nothing
SELECT n.name, pg_catalog.to_regtype(n.name)::oid::bigint
FROM pg_catalog.unnest(%(names)s::text[]) AS n (name)
WHERE pg_catalog.to_regtype(n.name) IS NOT NULL

-- name: relations
-- purpose: the relations that exist here
-- needs: nothing
SELECT n.nspname::text, c.relname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')

-- name: collations
-- purpose: the collations that exist here, as a profile writes them
-- needs: nothing
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.collname)
FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace

-- name: domain checks
-- purpose: the checks of domains, which would be made of every row while it is loaded
-- needs: nothing
SELECT pg_catalog.format('check %s of domain %s', c.conname, t.oid::pg_catalog.regtype) AS subject,
       pg_catalog.format('ALTER DOMAIN %I.%I DROP CONSTRAINT %I', n.nspname, t.typname, c.conname) AS takes_away,
       pg_catalog.format('ALTER DOMAIN %I.%I ADD CONSTRAINT %I %s NOT VALID', n.nspname, t.typname, c.conname,
                         pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(c.oid), ' NOT VALID$', '')) AS puts_back,
       CASE WHEN c.convalidated
            THEN pg_catalog.format('ALTER DOMAIN %I.%I VALIDATE CONSTRAINT %I', n.nspname, t.typname, c.conname)
            ELSE '' END AS validates
FROM pg_catalog.pg_constraint c
     JOIN pg_catalog.pg_type t ON t.oid = c.contypid
     JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE c.contype = 'c' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')
ORDER BY t.oid, c.conname
