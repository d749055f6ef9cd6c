-- name: schemas
-- purpose: schemas that somebody made
-- needs: nothing
SELECT n.oid, 'schema' AS kind, n.nspname::text AS schema, n.nspname::text AS name,
       pg_catalog.format('CREATE SCHEMA %I', n.nspname) AS definition, false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_namespace n
WHERE n.oid >= 16384 AND n.nspname !~ '^pg_(toast_)?temp_' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.objid = n.oid AND d.deptype = 'e')

-- name: enums
-- purpose: enumerated types with their labels in order
-- needs: nothing
SELECT t.oid, 'enum' AS kind, n.nspname::text AS schema, t.typname::text AS name,
       pg_catalog.format('CREATE TYPE %I.%I AS ENUM (%s)', n.nspname, t.typname, COALESCE((
           SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
           FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid), '')) AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND t.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')

-- name: domains
-- purpose: domains with their constraints
-- needs: nothing
SELECT t.oid, 'domain' AS kind, n.nspname::text AS schema, t.typname::text AS name,
       pg_catalog.format('CREATE DOMAIN %I.%I AS %s', n.nspname, t.typname,
                         pg_catalog.format_type(t.typbasetype, t.typtypmod))
       || COALESCE(CASE WHEN t.typcollation <> b.typcollation
                        THEN pg_catalog.format(' COLLATE %I.%I', cn.nspname, co.collname) END, '')
       || COALESCE(' DEFAULT ' || pg_catalog.pg_get_expr(t.typdefaultbin, 'pg_catalog.pg_type'::pg_catalog.regclass), '')
       || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
       || COALESCE((SELECT pg_catalog.string_agg(
                               pg_catalog.format(' CONSTRAINT %I %s', c.conname, pg_catalog.pg_get_constraintdef(c.oid)),
                               '' ORDER BY c.conname)
                    FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c'), '') AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_type t
     JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
     LEFT JOIN pg_catalog.pg_collation co ON co.oid = t.typcollation
     LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
WHERE t.typtype = 'd' AND t.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')

-- name: composites
-- purpose: composite types
-- needs: nothing
SELECT t.oid, 'composite type' AS kind, n.nspname::text AS schema, t.typname::text AS name,
       pg_catalog.format('CREATE TYPE %I.%I AS (%s)', n.nspname, t.typname, COALESCE((
           SELECT pg_catalog.string_agg(pg_catalog.format('%I %s', a.attname,
                                        pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
           FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '')) AS definition,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                    JOIN pg_catalog.pg_type rt ON d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
                                              AND rt.oid = d.refobjid
                    JOIN pg_catalog.pg_class rc ON rc.oid = rt.typrelid AND rc.relkind <> 'c'
               WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = t.typrelid) AS after_tables,
       NULL::text AS reason
FROM pg_catalog.pg_type t
     JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
WHERE t.typtype = 'c' AND t.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')

-- name: ranges
-- purpose: range types; one with a canonical function needs a shell type and C, so has no statement
-- needs: nothing
SELECT t.oid, 'range type' AS kind, n.nspname::text AS schema, t.typname::text AS name,
       CASE WHEN r.rngcanonical = 0 THEN
           pg_catalog.format('CREATE TYPE %I.%I AS RANGE (SUBTYPE = %s, SUBTYPE_OPCLASS = %I.%I', n.nspname, t.typname,
                             pg_catalog.format_type(r.rngsubtype, NULL), opn.nspname, op.opcname)
           || COALESCE(', COLLATION = ' || pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname), '')
           || CASE WHEN r.rngsubdiff <> 0 THEN ', SUBTYPE_DIFF = ' || r.rngsubdiff::text ELSE '' END || ')'
       END AS definition,
       false AS after_tables,
       CASE WHEN r.rngcanonical <> 0 THEN 'it has a canonical function' END AS reason
FROM pg_catalog.pg_range r
     JOIN pg_catalog.pg_type t ON t.oid = r.rngtypid
     JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     JOIN pg_catalog.pg_opclass op ON op.oid = r.rngsubopc
     JOIN pg_catalog.pg_namespace opn ON opn.oid = op.opcnamespace
     LEFT JOIN pg_catalog.pg_collation co ON co.oid = r.rngcollation AND co.collname <> 'default'
     LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
WHERE t.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')
-- version: 14
SELECT t.oid, 'range type' AS kind, n.nspname::text AS schema, t.typname::text AS name,
       CASE WHEN r.rngcanonical = 0 THEN
           pg_catalog.format('CREATE TYPE %I.%I AS RANGE (SUBTYPE = %s, SUBTYPE_OPCLASS = %I.%I', n.nspname, t.typname,
                             pg_catalog.format_type(r.rngsubtype, NULL), opn.nspname, op.opcname)
           || COALESCE(', COLLATION = ' || pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname), '')
           || CASE WHEN r.rngsubdiff <> 0 THEN ', SUBTYPE_DIFF = ' || r.rngsubdiff::text ELSE '' END
           || COALESCE(', MULTIRANGE_TYPE_NAME = ' || pg_catalog.quote_ident(mn.nspname) || '.' || pg_catalog.quote_ident(mt.typname), '') || ')'
       END AS definition,
       false AS after_tables,
       CASE WHEN r.rngcanonical <> 0 THEN 'it has a canonical function' END AS reason
FROM pg_catalog.pg_range r
     JOIN pg_catalog.pg_type t ON t.oid = r.rngtypid
     JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     JOIN pg_catalog.pg_opclass op ON op.oid = r.rngsubopc
     JOIN pg_catalog.pg_namespace opn ON opn.oid = op.opcnamespace
     LEFT JOIN pg_catalog.pg_type mt ON mt.oid = r.rngmultitypid
     LEFT JOIN pg_catalog.pg_namespace mn ON mn.oid = mt.typnamespace
     LEFT JOIN pg_catalog.pg_collation co ON co.oid = r.rngcollation AND co.collname <> 'default'
     LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
WHERE t.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')

-- name: base types
-- purpose: types written in C, which cannot be made from their catalog entries
-- needs: nothing
SELECT t.oid, 'base type' AS kind, n.nspname::text AS schema, t.typname::text AS name, NULL::text AS definition,
       false AS after_tables, 'it is written in C' AS reason
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'b' AND t.typisdefined AND t.oid >= 16384
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')

-- name: collations
-- purpose: collations that somebody made
-- needs: nothing
SELECT c.oid, 'collation' AS kind, n.nspname::text AS schema, c.collname::text AS name,
       pg_catalog.format('CREATE COLLATION %I.%I (PROVIDER = %s, LC_COLLATE = %L, LC_CTYPE = %L%s)', n.nspname, c.collname,
           CASE c.collprovider WHEN 'i' THEN 'icu' ELSE 'libc' END, c.collcollate, c.collctype,
           CASE WHEN c.collisdeterministic THEN '' ELSE ', DETERMINISTIC = false' END) AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
WHERE c.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_collation'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
-- version: 15
SELECT c.oid, 'collation' AS kind, n.nspname::text AS schema, c.collname::text AS name,
       pg_catalog.format('CREATE COLLATION %I.%I (PROVIDER = %s, %s%s)', n.nspname, c.collname,
           CASE c.collprovider WHEN 'i' THEN 'icu' ELSE 'libc' END,
           COALESCE('LOCALE = ' || pg_catalog.quote_literal(c.colliculocale),
                    pg_catalog.format('LC_COLLATE = %L, LC_CTYPE = %L', c.collcollate, c.collctype)),
           CASE WHEN c.collisdeterministic THEN '' ELSE ', DETERMINISTIC = false' END) AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
WHERE c.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_collation'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
-- version: 16
SELECT c.oid, 'collation' AS kind, n.nspname::text AS schema, c.collname::text AS name,
       pg_catalog.format('CREATE COLLATION %I.%I (PROVIDER = %s, %s%s%s)', n.nspname, c.collname,
           CASE c.collprovider WHEN 'i' THEN 'icu' ELSE 'libc' END,
           COALESCE('LOCALE = ' || pg_catalog.quote_literal(c.colliculocale),
                    pg_catalog.format('LC_COLLATE = %L, LC_CTYPE = %L', c.collcollate, c.collctype)),
           COALESCE(', RULES = ' || pg_catalog.quote_literal(c.collicurules), ''),
           CASE WHEN c.collisdeterministic THEN '' ELSE ', DETERMINISTIC = false' END) AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
WHERE c.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_collation'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
-- version: 17
SELECT c.oid, 'collation' AS kind, n.nspname::text AS schema, c.collname::text AS name,
       pg_catalog.format('CREATE COLLATION %I.%I (PROVIDER = %s, %s%s%s)', n.nspname, c.collname,
           CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
           COALESCE('LOCALE = ' || pg_catalog.quote_literal(c.colllocale),
                    pg_catalog.format('LC_COLLATE = %L, LC_CTYPE = %L', c.collcollate, c.collctype)),
           COALESCE(', RULES = ' || pg_catalog.quote_literal(c.collicurules), ''),
           CASE WHEN c.collisdeterministic THEN '' ELSE ', DETERMINISTIC = false' END) AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
WHERE c.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_collation'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')

-- name: sequences
-- purpose: sequences, without their positions; those of identity columns come with the column
-- needs: nothing
SELECT c.oid, 'sequence' AS kind, n.nspname::text AS schema, c.relname::text AS name,
       pg_catalog.format('CREATE SEQUENCE %I.%I AS %s', n.nspname, c.relname,
                         pg_catalog.format_type(s.seqtypid, NULL)) AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))

-- name: functions
-- purpose: functions and procedures with their bodies, as inlining, volatility, cost and rows shape plans
-- needs: nothing
SELECT p.oid, 'function' AS kind, n.nspname::text AS schema,
       p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' AS name,
       NULL::text AS definition,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                    LEFT JOIN pg_catalog.pg_type rt ON d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
                                                   AND rt.oid = d.refobjid
                    LEFT JOIN pg_catalog.pg_type et ON et.oid = rt.typelem
                    LEFT JOIN pg_catalog.pg_class rc
                           ON rc.oid = COALESCE(NULLIF(rt.typrelid, 0), et.typrelid) AND rc.relkind <> 'c'
               WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
                 AND (rc.oid IS NOT NULL
                      OR d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)) AS after_tables,
       CASE WHEN l.lanname = 'c' THEN 'it is written in C' END AS reason
FROM pg_catalog.pg_proc p
     JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.prokind <> 'a' AND p.oid >= 16384 AND n.nspname !~ '^pg_(toast_)?temp_'
  AND NOT (n.nspname = 'premortem'
           AND p.proname IN ('column_statistics', 'extended_statistics', 'btree_levels', 'gin_metapages'))
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))

-- name: aggregates
-- purpose: aggregates
-- needs: nothing
SELECT p.oid, 'aggregate' AS kind, n.nspname::text AS schema,
       p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' AS name,
       pg_catalog.format('CREATE AGGREGATE %I.%I(%s) (SFUNC = %s, STYPE = %s', n.nspname, p.proname,
           COALESCE(NULLIF(pg_catalog.pg_get_function_arguments(p.oid), ''), '*'), a.aggtransfn::text,
           pg_catalog.format_type(a.aggtranstype, NULL))
       || CASE WHEN a.aggtransspace > 0 THEN ', SSPACE = ' || a.aggtransspace ELSE '' END
       || CASE WHEN a.aggfinalfn <> 0 THEN ', FINALFUNC = ' || a.aggfinalfn::text ELSE '' END
       || CASE WHEN a.aggfinalextra THEN ', FINALFUNC_EXTRA' ELSE '' END
       || CASE a.aggfinalmodify WHEN 's' THEN ', FINALFUNC_MODIFY = SHAREABLE'
                                WHEN 'w' THEN ', FINALFUNC_MODIFY = READ_WRITE' ELSE '' END
       || CASE WHEN a.aggcombinefn <> 0 THEN ', COMBINEFUNC = ' || a.aggcombinefn::text ELSE '' END
       || CASE WHEN a.aggserialfn <> 0 THEN ', SERIALFUNC = ' || a.aggserialfn::text ELSE '' END
       || CASE WHEN a.aggdeserialfn <> 0 THEN ', DESERIALFUNC = ' || a.aggdeserialfn::text ELSE '' END
       || COALESCE(', INITCOND = ' || pg_catalog.quote_literal(a.agginitval), '')
       || CASE WHEN a.aggmtransfn <> 0 THEN
            pg_catalog.format(', MSFUNC = %s, MINVFUNC = %s, MSTYPE = %s', a.aggmtransfn::text, a.aggminvtransfn::text,
                              pg_catalog.format_type(a.aggmtranstype, NULL)) ELSE '' END
       || CASE WHEN a.aggmfinalfn <> 0 THEN ', MFINALFUNC = ' || a.aggmfinalfn::text ELSE '' END
       || COALESCE(', MINITCOND = ' || pg_catalog.quote_literal(a.aggminitval), '')
       || COALESCE((SELECT pg_catalog.format(', SORTOP = OPERATOR(%I.%s)', opn.nspname, op.oprname)
                    FROM pg_catalog.pg_operator op JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace
                    WHERE op.oid = a.aggsortop), '')
       || CASE p.proparallel WHEN 's' THEN ', PARALLEL = SAFE' WHEN 'r' THEN ', PARALLEL = RESTRICTED' ELSE '' END
       || CASE a.aggkind WHEN 'h' THEN ', HYPOTHETICAL' ELSE '' END || ')' AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_aggregate a
     JOIN pg_catalog.pg_proc p ON p.oid = a.aggfnoid
     JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e')

-- name: operators
-- purpose: operators with their estimators
-- needs: nothing
SELECT o.oid, 'operator' AS kind, n.nspname::text AS schema,
       o.oprname || '(' || COALESCE(NULLIF(pg_catalog.format_type(o.oprleft, NULL), '-'), 'NONE') || ', '
       || pg_catalog.format_type(o.oprright, NULL) || ')' AS name,
       pg_catalog.format('CREATE OPERATOR %I.%s (PROCEDURE = %s', n.nspname, o.oprname, o.oprcode::text)
       || CASE WHEN o.oprleft <> 0 THEN ', LEFTARG = ' || pg_catalog.format_type(o.oprleft, NULL) ELSE '' END
       || CASE WHEN o.oprright <> 0 THEN ', RIGHTARG = ' || pg_catalog.format_type(o.oprright, NULL) ELSE '' END
       || COALESCE(', COMMUTATOR = OPERATOR(' || pg_catalog.quote_ident(cn.nspname) || '.' || c.oprname || ')', '')
       || COALESCE(', NEGATOR = OPERATOR(' || pg_catalog.quote_ident(gn.nspname) || '.' || g.oprname || ')', '')
       || CASE WHEN o.oprrest <> 0 THEN ', RESTRICT = ' || o.oprrest::text ELSE '' END
       || CASE WHEN o.oprjoin <> 0 THEN ', JOIN = ' || o.oprjoin::text ELSE '' END
       || CASE WHEN o.oprcanhash THEN ', HASHES' ELSE '' END
       || CASE WHEN o.oprcanmerge THEN ', MERGES' ELSE '' END || ')' AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_operator o
     JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
     LEFT JOIN pg_catalog.pg_operator c ON c.oid = o.oprcom
     LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.oprnamespace
     LEFT JOIN pg_catalog.pg_operator g ON g.oid = o.oprnegate
     LEFT JOIN pg_catalog.pg_namespace gn ON gn.oid = g.oprnamespace
WHERE o.oid >= 16384 AND o.oprcode <> 0 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND d.objid = o.oid AND d.deptype = 'e')

-- name: operator families
-- purpose: operator families, without members
-- needs: nothing
SELECT f.oid, 'operator family' AS kind, n.nspname::text AS schema, f.opfname || ' USING ' || am.amname AS name,
       pg_catalog.format('CREATE OPERATOR FAMILY %I.%I USING %I', n.nspname, f.opfname, am.amname) AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_opfamily f
     JOIN pg_catalog.pg_namespace n ON n.oid = f.opfnamespace
     JOIN pg_catalog.pg_am am ON am.oid = f.opfmethod
WHERE f.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_opfamily'::pg_catalog.regclass AND d.objid = f.oid AND d.deptype = 'e')

-- name: operator classes
-- purpose: operator classes with every member that exists for their type
-- needs: nothing
SELECT c.oid, 'operator class' AS kind, n.nspname::text AS schema, c.opcname || ' USING ' || am.amname AS name,
       pg_catalog.format('CREATE OPERATOR CLASS %I.%I%s FOR TYPE %s USING %I FAMILY %I.%I AS ', n.nspname, c.opcname,
           CASE WHEN c.opcdefault THEN ' DEFAULT' ELSE '' END, pg_catalog.format_type(c.opcintype, NULL), am.amname,
           fn.nspname, f.opfname)
       || pg_catalog.array_to_string(ARRAY (
           SELECT pg_catalog.format('OPERATOR %s %s%s', o.amopstrategy, o.amopopr::pg_catalog.regoperator,
                      COALESCE((SELECT pg_catalog.format(' FOR ORDER BY %I.%I', sn.nspname, sf.opfname)
                                FROM pg_catalog.pg_opfamily sf JOIN pg_catalog.pg_namespace sn ON sn.oid = sf.opfnamespace
                                WHERE sf.oid = o.amopsortfamily), ''))
           FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_amop o ON o.oid = d.objid
           WHERE d.refclassid = 'pg_catalog.pg_opclass'::pg_catalog.regclass AND d.refobjid = c.oid
             AND d.classid = 'pg_catalog.pg_amop'::pg_catalog.regclass
           ORDER BY o.amopstrategy)
         || ARRAY (
           SELECT pg_catalog.format('FUNCTION %s (%s, %s) %s', o.amprocnum, pg_catalog.format_type(o.amproclefttype, NULL),
                      pg_catalog.format_type(o.amprocrighttype, NULL), o.amproc::pg_catalog.regprocedure)
           FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_amproc o ON o.oid = d.objid
           WHERE d.refclassid = 'pg_catalog.pg_opclass'::pg_catalog.regclass AND d.refobjid = c.oid
             AND d.classid = 'pg_catalog.pg_amproc'::pg_catalog.regclass
           ORDER BY o.amprocnum)
         || ARRAY ['STORAGE ' || pg_catalog.format_type(COALESCE(NULLIF(c.opckeytype, 0), c.opcintype), NULL)],
         ', ') AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_opclass c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.opcnamespace
     JOIN pg_catalog.pg_am am ON am.oid = c.opcmethod
     JOIN pg_catalog.pg_opfamily f ON f.oid = c.opcfamily
     JOIN pg_catalog.pg_namespace fn ON fn.oid = f.opfnamespace
WHERE c.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_opclass'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')

-- name: loose operators
-- purpose: operators that ALTER OPERATOR FAMILY added, such as those between two types
-- needs: nothing
SELECT o.oid, 'operator family' AS kind, n.nspname::text AS schema,
       f.opfname || ' USING ' || am.amname || ', operator ' || o.amopstrategy AS name,
       pg_catalog.format('ALTER OPERATOR FAMILY %I.%I USING %I ADD OPERATOR %s %s', n.nspname, f.opfname, am.amname,
           o.amopstrategy, o.amopopr::pg_catalog.regoperator) AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_amop o
     JOIN pg_catalog.pg_opfamily f ON f.oid = o.amopfamily
     JOIN pg_catalog.pg_namespace n ON n.oid = f.opfnamespace
     JOIN pg_catalog.pg_am am ON am.oid = f.opfmethod
WHERE o.oid >= 16384 AND o.amoppurpose = 's' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_amop'::pg_catalog.regclass AND d.objid = o.oid
      AND (d.deptype = 'e' OR d.refclassid = 'pg_catalog.pg_opclass'::pg_catalog.regclass))
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_opfamily'::pg_catalog.regclass AND d.objid = f.oid AND d.deptype = 'e')

-- name: casts
-- purpose: casts that somebody made
-- needs: nothing
SELECT c.oid, 'cast' AS kind, '' AS schema,
       pg_catalog.format_type(c.castsource, NULL) || ' AS ' || pg_catalog.format_type(c.casttarget, NULL) AS name,
       pg_catalog.format('CREATE CAST (%s AS %s) %s%s', pg_catalog.format_type(c.castsource, NULL),
           pg_catalog.format_type(c.casttarget, NULL),
           CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || c.castfunc::pg_catalog.regprocedure
                             WHEN 'b' THEN 'WITHOUT FUNCTION' ELSE 'WITH INOUT' END,
           CASE c.castcontext WHEN 'i' THEN ' AS IMPLICIT' WHEN 'a' THEN ' AS ASSIGNMENT' ELSE '' END) AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_cast c
WHERE c.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))

-- name: text search dictionaries
-- purpose: dictionaries of text search; the files that they name are on production's disk
-- needs: nothing
SELECT d.oid, 'text search configuration' AS kind, n.nspname::text AS schema, 'dictionary ' || d.dictname AS name,
       pg_catalog.format('CREATE TEXT SEARCH DICTIONARY %I.%I (TEMPLATE = %I.%I%s)', n.nspname, d.dictname, tn.nspname,
           t.tmplname, COALESCE(', ' || d.dictinitoption, '')) AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_ts_dict d
     JOIN pg_catalog.pg_namespace n ON n.oid = d.dictnamespace
     JOIN pg_catalog.pg_ts_template t ON t.oid = d.dicttemplate
     JOIN pg_catalog.pg_namespace tn ON tn.oid = t.tmplnamespace
WHERE d.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend x
    WHERE x.classid = 'pg_catalog.pg_ts_dict'::pg_catalog.regclass AND x.objid = d.oid AND x.deptype = 'e')

-- name: text search configurations
-- purpose: configurations of text search with their mappings
-- needs: nothing
SELECT c.oid, 'text search configuration' AS kind, n.nspname::text AS schema, c.cfgname::text AS name,
       pg_catalog.format('CREATE TEXT SEARCH CONFIGURATION %I.%I (PARSER = %I.%I)', n.nspname, c.cfgname, pn.nspname,
                         p.prsname)
       || COALESCE((
           SELECT pg_catalog.string_agg(pg_catalog.format(E';\nALTER TEXT SEARCH CONFIGURATION %I.%I ADD MAPPING FOR %I WITH %s',
                                        n.nspname, c.cfgname, m.alias, m.dictionaries), '' ORDER BY m.alias)
           FROM (SELECT tt.alias, pg_catalog.string_agg(pg_catalog.format('%I.%I', dn.nspname, d.dictname), ', '
                                                        ORDER BY m.mapseqno) AS dictionaries
                 FROM pg_catalog.pg_ts_config_map m
                      JOIN pg_catalog.ts_token_type(c.cfgparser) tt ON tt.tokid = m.maptokentype
                      JOIN pg_catalog.pg_ts_dict d ON d.oid = m.mapdict
                      JOIN pg_catalog.pg_namespace dn ON dn.oid = d.dictnamespace
                 WHERE m.mapcfg = c.oid
                 GROUP BY tt.alias) AS m), '') AS definition,
       false AS after_tables,
       CASE WHEN p.oid >= 16384 THEN 'its parser is written in C' END AS reason
FROM pg_catalog.pg_ts_config c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.cfgnamespace
     JOIN pg_catalog.pg_ts_parser p ON p.oid = c.cfgparser
     JOIN pg_catalog.pg_namespace pn ON pn.oid = p.prsnamespace
WHERE c.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_ts_config'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')

-- name: foreign servers
-- purpose: foreign servers and wrappers by name; addresses, options and user mappings stay in production
-- needs: nothing
SELECT w.oid, 'foreign server' AS kind, '' AS schema, 'wrapper ' || w.fdwname AS name,
       pg_catalog.format('CREATE FOREIGN DATA WRAPPER %I', w.fdwname) AS definition,
       false AS after_tables,
       CASE WHEN w.fdwhandler <> 0 THEN 'its handler is not an extension''s' END AS reason
FROM pg_catalog.pg_foreign_data_wrapper w
WHERE w.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass AND d.objid = w.oid AND d.deptype = 'e')
UNION ALL
SELECT s.oid, 'foreign server' AS kind, '' AS schema, s.srvname::text AS name,
       pg_catalog.format('CREATE SERVER %I FOREIGN DATA WRAPPER %I', s.srvname, w.fdwname) AS definition,
       false AS after_tables, NULL::text AS reason
FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
WHERE s.oid >= 16384
