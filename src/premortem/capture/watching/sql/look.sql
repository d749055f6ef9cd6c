-- name: digest
-- purpose: a digest of what a schema consists of, the same for two databases with the same schema, and its size
-- needs: nothing
WITH ours AS (
    SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
), relations AS (
    SELECT c.oid, pg_catalog.format('%I.%I', o.nspname, c.relname) AS name, c.relkind, c.relpersistence, c.reloptions,
           c.relrowsecurity, c.relforcerowsecurity, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_catalog.pg_class c JOIN ours o ON o.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
), facts (fact) AS (
    SELECT 'n ' || nspname FROM ours
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'r', name, relkind, relpersistence, reloptions::text, relrowsecurity,
                                relforcerowsecurity, bound, CASE WHEN relkind IN ('v', 'm')
                                                                 THEN pg_catalog.pg_get_viewdef(oid) END)
    FROM relations
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'a', r.name, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
                                a.attnotnull, a.attidentity, a.attcollation, pg_catalog.pg_get_expr(d.adbin, d.adrelid))
    FROM relations r
    JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE r.relkind <> 'S'
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'i', pg_catalog.pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisprimary)
    FROM relations r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'c', r.name, c.conname, pg_catalog.pg_get_constraintdef(c.oid), c.convalidated)
    FROM relations r JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'g', pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled)
    FROM relations r JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'p', r.name, p.polname, p.polcmd, pg_catalog.pg_get_expr(p.polqual, p.polrelid),
                                pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
    FROM relations r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'h', r.name, i.inhseqno, i.inhparent::pg_catalog.regclass)
    FROM relations r JOIN pg_catalog.pg_inherits i ON i.inhrelid = r.oid
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'f', o.nspname, f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid),
                                f.provolatile, pg_catalog.md5(f.prosrc))
    FROM pg_catalog.pg_proc f JOIN ours o ON o.oid = f.pronamespace
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                      AND d.objid = f.oid AND d.deptype = 'e')
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 't', o.nspname, t.typname, t.typtype, t.typnotnull,
                                pg_catalog.format_type(t.typbasetype, t.typtypmod), e.labels)
    FROM pg_catalog.pg_type t JOIN ours o ON o.oid = t.typnamespace
    LEFT JOIN LATERAL (SELECT pg_catalog.string_agg(x.enumlabel, ',' ORDER BY x.enumsortorder) AS labels
                       FROM pg_catalog.pg_enum x WHERE x.enumtypid = t.oid) e ON true
    WHERE t.typtype IN ('e', 'd', 'r')
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 's', o.nspname, s.stxname, s.stxrelid::pg_catalog.regclass, s.stxkeys::text,
                                s.stxkind::text)
    FROM pg_catalog.pg_statistic_ext s JOIN ours o ON o.oid = s.stxnamespace
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'x', x.extname, x.extversion) FROM pg_catalog.pg_extension x
)
SELECT pg_catalog.md5(pg_catalog.string_agg(fact, E'\n' ORDER BY fact COLLATE "C")) AS digest,
       (SELECT pg_catalog.count(*) FROM relations WHERE relkind IN ('r', 'p', 'm', 'v', 'f'))::int AS relations,
       pg_catalog.count(*)::int AS parts
FROM facts

-- name: busy
-- purpose: whether a transaction that may have changed the schema before a moment has yet to commit
-- needs: nothing; of other roles' sessions only a superuser sees more than that they exist
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_stat_activity a
    WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
      AND a.backend_xid IS NOT NULL AND a.xact_start <= %(before)s
)

-- name: tables
-- purpose: the tables to hold on to while their definitions are read
-- needs: nothing
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY c.oid
