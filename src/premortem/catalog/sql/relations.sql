-- name: relations
-- purpose: every relation that a query can name, in order of creation
-- needs: nothing
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
       pg_catalog.pg_get_userbyid(c.relowner)::text AS owner, c.relpersistence::text AS persistence,
       c.relpages AS relation_pages, c.reltuples::float8 AS tuples, c.relallvisible AS all_visible,
       c.relrowsecurity AS row_security, c.relforcerowsecurity AS force_row_security, c.relhassubclass AS has_subclass,
       am.amname::text AS access_method, COALESCE(ts.spcname::text, %(tablespace)s::text) AS tablespace,
       c.reloptions AS options,
       CASE WHEN c.reloftype <> 0 THEN pg_catalog.format_type(c.reloftype, NULL) END AS of_type,
       CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS partition_key,
       COALESCE(toast.relpages::int8, 0) AS toast_pages,
       fs.srvname::text AS foreign_server
FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
     LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
     LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid
     LEFT JOIN pg_catalog.pg_foreign_table ft ON ft.ftrelid = c.oid
     LEFT JOIN pg_catalog.pg_foreign_server fs ON fs.oid = ft.ftserver
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_(catalog|toast|temp_|toast_temp_)'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
  AND (%(only)s::oid[] IS NULL OR c.oid = ANY (%(only)s::oid[]))
ORDER BY c.oid

-- name: closure
-- purpose: some relations and what their plans need: whole partition trees, what views read, both ends of foreign keys
-- needs: nothing
WITH RECURSIVE reached (oid) AS (
  SELECT c.oid
  FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       JOIN ROWS FROM (pg_catalog.unnest(%(schemas)s::text[]), pg_catalog.unnest(%(names)s::text[])) AS w (schema, name)
         ON c.relname = w.name AND (n.nspname = w.schema OR w.schema = '')
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION
  SELECT x.oid
  FROM reached r CROSS JOIN LATERAL (
    SELECT i.inhrelid AS oid FROM pg_catalog.pg_inherits i WHERE i.inhparent = r.oid
    UNION ALL
    SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = r.oid
    UNION ALL
    SELECT d.refobjid
    FROM pg_catalog.pg_rewrite w
         JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
    WHERE w.ev_class = r.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  ) AS x
)
SELECT r.oid FROM reached r
UNION
SELECT k.confrelid FROM pg_catalog.pg_constraint k JOIN reached r ON r.oid = k.conrelid WHERE k.contype = 'f'
UNION
SELECT k.conrelid FROM pg_catalog.pg_constraint k JOIN reached r ON r.oid = k.confrelid WHERE k.contype = 'f'

-- name: extension relations
-- purpose: big relations that belong to an extension, which the profile leaves to CREATE EXTENSION
-- needs: nothing
SELECT e.extname::text AS extension, n.nspname::text AS schema, c.relname::text AS name, c.reltuples::float8 AS tuples
FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_catalog.pg_depend d
       ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
     JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
WHERE c.relkind IN ('r', 'p', 'm') AND c.reltuples >= 1000
ORDER BY c.oid

-- name: parents
-- purpose: partitions and inheritance children with their parents, in order
-- needs: nothing
SELECT i.inhrelid AS child, i.inhparent AS parent
FROM pg_catalog.pg_inherits i
ORDER BY i.inhrelid, i.inhseqno
-- version: 14
SELECT i.inhrelid AS child, i.inhparent AS parent
FROM pg_catalog.pg_inherits i
WHERE NOT i.inhdetachpending
ORDER BY i.inhrelid, i.inhseqno

-- name: columns
-- purpose: the columns of relations
-- needs: nothing
SELECT a.attrelid AS relation, a.attname::text AS name, a.attnum::int AS number,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, t.typtype::text AS type_kind,
       a.attnotnull AS not_null, a.atthasdef AS has_default,
       a.attgenerated::text AS generated, a.attidentity::text AS identity,
       CASE WHEN a.attcollation <> t.typcollation THEN
            pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname) END AS collation,
       CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END AS storage,
       NULL::text AS compression,
       CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::int END AS statistics_target,
       a.attoptions AS options, a.attislocal AS is_local
FROM pg_catalog.pg_attribute a
     JOIN pg_catalog.unnest(%(relations)s::oid[]) AS r (oid) ON r.oid = a.attrelid
     JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
     LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
-- version: 14
SELECT a.attrelid AS relation, a.attname::text AS name, a.attnum::int AS number,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, t.typtype::text AS type_kind,
       a.attnotnull AS not_null, a.atthasdef AS has_default,
       a.attgenerated::text AS generated, a.attidentity::text AS identity,
       CASE WHEN a.attcollation <> t.typcollation THEN
            pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname) END AS collation,
       CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END AS storage,
       NULLIF(a.attcompression::text, '') AS compression,
       CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::int END AS statistics_target,
       a.attoptions AS options, a.attislocal AS is_local
FROM pg_catalog.pg_attribute a
     JOIN pg_catalog.unnest(%(relations)s::oid[]) AS r (oid) ON r.oid = a.attrelid
     JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
     LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
     LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum

-- name: defaults
-- purpose: default and generation expressions
-- needs: nothing; takes a lock on the relation from PostgreSQL 17 on, so is asked in chunks
SELECT d.adrelid AS relation, d.adnum::int AS number, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression
FROM pg_catalog.pg_attrdef d JOIN pg_catalog.unnest(%(oids)s::oid[]) AS r (oid) ON r.oid = d.adrelid
ORDER BY d.adrelid, d.adnum

-- name: partition bounds
-- purpose: FOR VALUES of partitions
-- needs: nothing; as defaults
SELECT c.oid AS relation, 0 AS number, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS expression
FROM pg_catalog.pg_class c JOIN pg_catalog.unnest(%(oids)s::oid[]) AS r (oid) ON r.oid = c.oid
WHERE c.relpartbound IS NOT NULL

-- name: predicates
-- purpose: the conditions of partial indexes
-- needs: nothing; as defaults
SELECT i.indexrelid AS relation, 0 AS number, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS expression
FROM pg_catalog.pg_index i JOIN pg_catalog.unnest(%(oids)s::oid[]) AS r (oid) ON r.oid = i.indrelid
WHERE i.indpred IS NOT NULL

-- name: views
-- purpose: the queries of views and materialized views
-- needs: nothing; locks what the view reads, so is asked in chunks and undone
SELECT c.oid AS relation, 0 AS number, pg_catalog.pg_get_viewdef(c.oid) AS expression
FROM pg_catalog.pg_class c JOIN pg_catalog.unnest(%(oids)s::oid[]) AS r (oid) ON r.oid = c.oid
WHERE c.relkind IN ('v', 'm')

-- name: rules
-- purpose: rewrite rules other than views
-- needs: nothing; as views
SELECT r.ev_class AS relation, r.rulename::text AS name, pg_catalog.pg_get_ruledef(r.oid) AS definition
FROM pg_catalog.pg_rewrite r JOIN pg_catalog.unnest(%(oids)s::oid[]) AS o (oid) ON o.oid = r.ev_class
WHERE r.rulename <> '_RETURN'
ORDER BY r.oid

-- name: sizes
-- purpose: pages of the main fork, now
-- needs: nothing; waits behind ALTER TABLE, so is asked in chunks
SELECT r.oid AS relation,
       pg_catalog.pg_relation_size(r.oid::pg_catalog.regclass)
       / pg_catalog.current_setting('block_size')::int AS pages
FROM pg_catalog.unnest(%(oids)s::oid[]) AS r (oid)

-- name: constraints
-- purpose: table constraints
-- needs: nothing
SELECT c.oid, c.conrelid AS relation, c.conname::text AS name, c.contype::text AS kind,
       ARRAY (SELECT a.attname::text FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY AS k (number, position)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number
              ORDER BY k.position) AS columns,
       c.convalidated AS validated, c.condeferrable AS deferrable, c.conislocal AS is_local,
       rn.nspname::text AS references_schema, rc.relname::text AS references_name,
       ARRAY (SELECT a.attname::text FROM pg_catalog.unnest(c.confkey) WITH ORDINALITY AS k (number, position)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number
              ORDER BY k.position) AS referenced_columns,
       c.confdeltype::text AS on_delete, c.confupdtype::text AS on_update,
       parent.conname::text AS inherited_from
FROM pg_catalog.pg_constraint c
     JOIN pg_catalog.unnest(%(relations)s::oid[]) AS r (oid) ON r.oid = c.conrelid
     LEFT JOIN pg_catalog.pg_class rc ON rc.oid = c.confrelid
     LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
     LEFT JOIN pg_catalog.pg_constraint parent ON parent.oid = c.conparentid
WHERE c.contype IN ('p', 'u', 'f', 'c', 'x', 'n')
ORDER BY c.oid

-- name: indexes
-- purpose: indexes in order of creation, by which the planner breaks ties
-- needs: nothing
SELECT i.indexrelid AS oid, i.indrelid AS relation, ic.relname::text AS name, am.amname::text AS method,
       i.indnkeyatts::int AS key_count, i.indpred IS NOT NULL AS is_partial,
       i.indisunique AS is_unique, i.indisprimary AS is_primary, i.indisexclusion AS is_exclusion,
       false AS nulls_not_distinct, i.indimmediate AS immediate, i.indisvalid AS valid, i.indisready AS ready,
       i.indisclustered AS clustered, i.indisreplident AS replica_identity,
       con.conname::text AS constraint_name, pn.nspname::text AS parent_schema, pc.relname::text AS parent_name,
       COALESCE(ts.spcname::text, %(tablespace)s::text) AS tablespace, ic.reloptions AS options, ic.relkind::text AS kind,
       ic.relpages AS relation_pages, ic.reltuples::float8 AS tuples,
       pg_catalog.pg_stat_get_numscans(i.indexrelid) AS scans, NULL::timestamptz AS last_used
FROM pg_catalog.pg_index i
     JOIN pg_catalog.unnest(%(relations)s::oid[]) AS r (oid) ON r.oid = i.indrelid
     JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
     JOIN pg_catalog.pg_am am ON am.oid = ic.relam
     LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = ic.reltablespace
     LEFT JOIN pg_catalog.pg_constraint con ON con.conindid = i.indexrelid AND con.conrelid = i.indrelid
                                           AND con.contype IN ('p', 'u', 'x')
     LEFT JOIN pg_catalog.pg_inherits inh ON inh.inhrelid = i.indexrelid
     LEFT JOIN pg_catalog.pg_class pc ON pc.oid = inh.inhparent
     LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
WHERE i.indislive
ORDER BY i.indexrelid
-- version: 15
SELECT i.indexrelid AS oid, i.indrelid AS relation, ic.relname::text AS name, am.amname::text AS method,
       i.indnkeyatts::int AS key_count, i.indpred IS NOT NULL AS is_partial,
       i.indisunique AS is_unique, i.indisprimary AS is_primary, i.indisexclusion AS is_exclusion,
       i.indnullsnotdistinct AS nulls_not_distinct, i.indimmediate AS immediate, i.indisvalid AS valid,
       i.indisready AS ready, i.indisclustered AS clustered, i.indisreplident AS replica_identity,
       con.conname::text AS constraint_name, pn.nspname::text AS parent_schema, pc.relname::text AS parent_name,
       COALESCE(ts.spcname::text, %(tablespace)s::text) AS tablespace, ic.reloptions AS options, ic.relkind::text AS kind,
       ic.relpages AS relation_pages, ic.reltuples::float8 AS tuples,
       pg_catalog.pg_stat_get_numscans(i.indexrelid) AS scans, NULL::timestamptz AS last_used
FROM pg_catalog.pg_index i
     JOIN pg_catalog.unnest(%(relations)s::oid[]) AS r (oid) ON r.oid = i.indrelid
     JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
     JOIN pg_catalog.pg_am am ON am.oid = ic.relam
     LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = ic.reltablespace
     LEFT JOIN pg_catalog.pg_constraint con ON con.conindid = i.indexrelid AND con.conrelid = i.indrelid
                                           AND con.contype IN ('p', 'u', 'x')
     LEFT JOIN pg_catalog.pg_inherits inh ON inh.inhrelid = i.indexrelid
     LEFT JOIN pg_catalog.pg_class pc ON pc.oid = inh.inhparent
     LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
WHERE i.indislive
ORDER BY i.indexrelid
-- version: 16
SELECT i.indexrelid AS oid, i.indrelid AS relation, ic.relname::text AS name, am.amname::text AS method,
       i.indnkeyatts::int AS key_count, i.indpred IS NOT NULL AS is_partial,
       i.indisunique AS is_unique, i.indisprimary AS is_primary, i.indisexclusion AS is_exclusion,
       i.indnullsnotdistinct AS nulls_not_distinct, i.indimmediate AS immediate, i.indisvalid AS valid,
       i.indisready AS ready, i.indisclustered AS clustered, i.indisreplident AS replica_identity,
       con.conname::text AS constraint_name, pn.nspname::text AS parent_schema, pc.relname::text AS parent_name,
       COALESCE(ts.spcname::text, %(tablespace)s::text) AS tablespace, ic.reloptions AS options, ic.relkind::text AS kind,
       ic.relpages AS relation_pages, ic.reltuples::float8 AS tuples,
       pg_catalog.pg_stat_get_numscans(i.indexrelid) AS scans,
       pg_catalog.pg_stat_get_lastscan(i.indexrelid) AS last_used
FROM pg_catalog.pg_index i
     JOIN pg_catalog.unnest(%(relations)s::oid[]) AS r (oid) ON r.oid = i.indrelid
     JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
     JOIN pg_catalog.pg_am am ON am.oid = ic.relam
     LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = ic.reltablespace
     LEFT JOIN pg_catalog.pg_constraint con ON con.conindid = i.indexrelid AND con.conrelid = i.indrelid
                                           AND con.contype IN ('p', 'u', 'x')
     LEFT JOIN pg_catalog.pg_inherits inh ON inh.inhrelid = i.indexrelid
     LEFT JOIN pg_catalog.pg_class pc ON pc.oid = inh.inhparent
     LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
WHERE i.indislive
ORDER BY i.indexrelid

-- name: index keys
-- purpose: the keys of indexes and what they INCLUDE
-- needs: nothing
SELECT i.indexrelid AS index, ia.attnum::int AS position, ia.attname::text AS attribute,
       ta.attname::text AS column_name,
       pg_catalog.format_type(ia.atttypid, ia.atttypmod) AS type, t.typtype::text AS type_kind,
       CASE WHEN ia.attstattarget >= 0 THEN ia.attstattarget::int END AS statistics_target,
       pg_catalog.quote_ident(opn.nspname) || '.' || pg_catalog.quote_ident(op.opcname) AS opclass,
       op.opcdefault AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_opclass o
           WHERE o.opcmethod = op.opcmethod AND o.opcdefault AND o.oid <> op.oid
             AND o.opcintype = COALESCE(ta.atttypid, ia.atttypid)) AS opclass_is_default,
       CASE WHEN ia.attcollation <> COALESCE(ta.attcollation, t.typcollation) THEN
            pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname) END AS collation,
       COALESCE(k.option, 0)::int AS option
FROM pg_catalog.pg_index i
     JOIN pg_catalog.unnest(%(relations)s::oid[]) AS r (oid) ON r.oid = i.indrelid
     CROSS JOIN LATERAL ROWS FROM (
         pg_catalog.unnest(i.indkey::int2[]), pg_catalog.unnest(i.indclass::oid[]), pg_catalog.unnest(i.indoption::int2[])
     ) WITH ORDINALITY AS k (number, opclass, option, position)
     JOIN pg_catalog.pg_attribute ia ON ia.attrelid = i.indexrelid AND ia.attnum = k.position
     JOIN pg_catalog.pg_type t ON t.oid = ia.atttypid
     LEFT JOIN pg_catalog.pg_attribute ta ON ta.attrelid = i.indrelid AND ta.attnum = k.number AND k.number <> 0
     LEFT JOIN pg_catalog.pg_opclass op ON op.oid = k.opclass
     LEFT JOIN pg_catalog.pg_namespace opn ON opn.oid = op.opcnamespace
     LEFT JOIN pg_catalog.pg_collation co ON co.oid = ia.attcollation
     LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
WHERE i.indislive
ORDER BY i.indexrelid, k.position

-- name: index definitions
-- purpose: CREATE INDEX; deparsing an expression or a condition locks the table, so this is asked in chunks
-- needs: nothing
SELECT r.oid AS relation, 0 AS number, pg_catalog.pg_get_indexdef(r.oid) AS expression
FROM pg_catalog.unnest(%(oids)s::oid[]) AS r (oid)

-- name: key expressions
-- purpose: the expressions among the keys of indexes
-- needs: nothing; as index definitions
SELECT i.indexrelid AS relation, k.position::int AS number,
       pg_catalog.pg_get_indexdef(i.indexrelid, k.position::int, false) AS expression
FROM pg_catalog.pg_index i
     JOIN pg_catalog.unnest(%(oids)s::oid[]) AS r (oid) ON r.oid = i.indexrelid
     CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, position)
WHERE k.number = 0 AND i.indexprs IS NOT NULL

-- name: constraint definitions
-- purpose: what ALTER TABLE ADD CONSTRAINT says
-- needs: nothing; as index definitions
SELECT r.oid AS relation, 0 AS number, pg_catalog.pg_get_constraintdef(r.oid) AS expression
FROM pg_catalog.unnest(%(oids)s::oid[]) AS r (oid)

-- name: trigger definitions
-- purpose: CREATE TRIGGER
-- needs: nothing; as index definitions
SELECT r.oid AS relation, 0 AS number, pg_catalog.pg_get_triggerdef(r.oid) AS expression
FROM pg_catalog.unnest(%(oids)s::oid[]) AS r (oid)

-- name: policies
-- purpose: row-level security
-- needs: nothing
SELECT p.polrelid AS relation, p.polname::text AS name, p.polcmd::text AS command, p.polpermissive AS permissive,
       ARRAY (SELECT CASE WHEN u.oid = 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(u.oid)::text END
              FROM pg_catalog.unnest(p.polroles) WITH ORDINALITY AS u (oid, position) ORDER BY u.position) AS roles,
       pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS "using",
       pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS "check"
FROM pg_catalog.pg_policy p JOIN pg_catalog.unnest(%(oids)s::oid[]) AS r (oid) ON r.oid = p.polrelid
ORDER BY p.oid

-- name: triggers
-- purpose: user triggers
-- needs: nothing
SELECT t.oid, t.tgrelid AS relation, t.tgname::text AS name,
       (t.tgtype & 1) = 1 AS row_level, t.tgenabled <> 'D' AS enabled
FROM pg_catalog.pg_trigger t JOIN pg_catalog.unnest(%(relations)s::oid[]) AS r (oid) ON r.oid = t.tgrelid
WHERE NOT t.tgisinternal
ORDER BY t.oid
-- version: 13
SELECT t.oid, t.tgrelid AS relation, t.tgname::text AS name,
       (t.tgtype & 1) = 1 AS row_level, t.tgenabled <> 'D' AS enabled
FROM pg_catalog.pg_trigger t JOIN pg_catalog.unnest(%(relations)s::oid[]) AS r (oid) ON r.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgparentid = 0
ORDER BY t.oid

-- name: types
-- purpose: what the types of the database are made of, so that their values can be told apart
-- needs: nothing
SELECT pg_catalog.format_type(t.oid, NULL) AS name, t.typtype::text AS kind,
       CASE t.typtype WHEN 'd' THEN pg_catalog.format_type(t.typbasetype, NULL)
                      WHEN 'r' THEN pg_catalog.format_type(r.rngsubtype, NULL) END AS base
FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
WHERE t.oid >= 16384 AND t.typtype IN ('d', 'e', 'r')

-- name: activity
-- purpose: what the statistics collector counted per table
-- needs: nothing
SELECT s.relid AS relation, s.n_tup_ins AS inserts, s.n_tup_upd AS updates, s.n_tup_hot_upd AS hot_updates,
       s.n_tup_del AS deletes, COALESCE(s.seq_scan, 0) AS sequential_scans, COALESCE(s.idx_scan, 0) AS index_scans,
       s.n_dead_tup AS dead_tuples, s.n_mod_since_analyze AS modified_since_analyze,
       GREATEST(s.last_analyze, s.last_autoanalyze) AS last_analyze,
       GREATEST(s.last_vacuum, s.last_autovacuum) AS last_vacuum
FROM pg_catalog.pg_stat_user_tables s
WHERE %(only)s::oid[] IS NULL OR s.relid = ANY (%(only)s::oid[])
