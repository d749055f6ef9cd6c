-- name: may read pg_statistic
-- purpose: whether the role sees the statistics of every column
-- needs: nothing
SELECT pg_catalog.has_table_privilege('pg_catalog.pg_statistic', 'SELECT')

-- name: helper
-- purpose: whether a function that `premortem profile grants` makes is here and allowed
-- needs: nothing
SELECT COALESCE((SELECT pg_catalog.has_schema_privilege(p.pronamespace, 'USAGE')
                    AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
                 FROM pg_catalog.pg_proc p
                 WHERE p.oid = pg_catalog.to_regprocedure(%(signature)s::text)), false)

-- name: helper sees all
-- purpose: whether the helper was made by somebody who sees the statistics of every column
-- needs: nothing
SELECT p.prosrc ~ 'pg_catalog[.]pg_statistic(_ext_data)? '
FROM pg_catalog.pg_proc p
WHERE p.oid = pg_catalog.to_regprocedure(%(signature)s::text)

-- name: slots
-- purpose: the numbered slots of pg_statistic (or of one expression) as columns with names, to stand in for {slots} below
-- needs: nothing of itself
s.stanullfrac AS null_fraction, s.stawidth AS average_width, s.stadistinct AS n_distinct,
       (CASE 1 WHEN s.stakind1 THEN s.stavalues1 WHEN s.stakind2 THEN s.stavalues2
        WHEN s.stakind3 THEN s.stavalues3 WHEN s.stakind4 THEN s.stavalues4 WHEN s.stakind5 THEN s.stavalues5 END)::text::text[] AS most_common_values,
       CASE 1 WHEN s.stakind1 THEN s.stanumbers1 WHEN s.stakind2 THEN s.stanumbers2
        WHEN s.stakind3 THEN s.stanumbers3 WHEN s.stakind4 THEN s.stanumbers4 WHEN s.stakind5 THEN s.stanumbers5 END AS most_common_frequencies,
       (CASE 2 WHEN s.stakind1 THEN s.stavalues1 WHEN s.stakind2 THEN s.stavalues2
        WHEN s.stakind3 THEN s.stavalues3 WHEN s.stakind4 THEN s.stavalues4 WHEN s.stakind5 THEN s.stavalues5 END)::text::text[] AS histogram_bounds,
       (CASE 3 WHEN s.stakind1 THEN s.stanumbers1 WHEN s.stakind2 THEN s.stanumbers2
        WHEN s.stakind3 THEN s.stanumbers3 WHEN s.stakind4 THEN s.stanumbers4 WHEN s.stakind5 THEN s.stanumbers5 END)[1] AS correlation,
       (CASE 4 WHEN s.stakind1 THEN s.stavalues1 WHEN s.stakind2 THEN s.stavalues2
        WHEN s.stakind3 THEN s.stavalues3 WHEN s.stakind4 THEN s.stavalues4 WHEN s.stakind5 THEN s.stavalues5 END)::text::text[] AS most_common_elements,
       CASE 4 WHEN s.stakind1 THEN s.stanumbers1 WHEN s.stakind2 THEN s.stanumbers2
        WHEN s.stakind3 THEN s.stanumbers3 WHEN s.stakind4 THEN s.stanumbers4 WHEN s.stakind5 THEN s.stanumbers5 END AS most_common_element_frequencies,
       CASE 5 WHEN s.stakind1 THEN s.stanumbers1 WHEN s.stakind2 THEN s.stanumbers2
        WHEN s.stakind3 THEN s.stanumbers3 WHEN s.stakind4 THEN s.stanumbers4 WHEN s.stakind5 THEN s.stanumbers5 END AS element_count_histogram,
       (CASE 6 WHEN s.stakind1 THEN s.stavalues1 WHEN s.stakind2 THEN s.stavalues2
        WHEN s.stakind3 THEN s.stavalues3 WHEN s.stakind4 THEN s.stavalues4 WHEN s.stakind5 THEN s.stavalues5 END)::text::text[] AS range_length_histogram,
       (CASE 6 WHEN s.stakind1 THEN s.stanumbers1 WHEN s.stakind2 THEN s.stanumbers2
        WHEN s.stakind3 THEN s.stanumbers3 WHEN s.stakind4 THEN s.stanumbers4 WHEN s.stakind5 THEN s.stanumbers5 END)[1] AS range_empty_fraction,
       (CASE 7 WHEN s.stakind1 THEN s.stavalues1 WHEN s.stakind2 THEN s.stavalues2
        WHEN s.stakind3 THEN s.stavalues3 WHEN s.stakind4 THEN s.stavalues4 WHEN s.stakind5 THEN s.stavalues5 END)::text::text[] AS range_bounds_histogram

-- name: columns of pg_statistic
-- purpose: column and expression statistics, all of them
-- needs: SELECT on pg_statistic (a superuser has it)
SELECT s.starelid AS relation, s.staattnum::int AS position, NULL::oid AS statistics, s.stainherit AS inherited,
       {slots}
FROM pg_catalog.pg_statistic s
WHERE s.starelid >= 16384
-- version: 14
SELECT s.starelid AS relation, s.staattnum::int AS position, NULL::oid AS statistics, s.stainherit AS inherited,
       {slots}
FROM pg_catalog.pg_statistic s
WHERE s.starelid >= 16384
UNION ALL
SELECT NULL::oid AS relation, s.ordinality::int AS position, d.stxoid AS statistics, false AS inherited,
       {slots}
FROM pg_catalog.pg_statistic_ext_data d
     CROSS JOIN LATERAL pg_catalog.unnest(d.stxdexpr) WITH ORDINALITY AS s
-- version: 15
SELECT s.starelid AS relation, s.staattnum::int AS position, NULL::oid AS statistics, s.stainherit AS inherited,
       {slots}
FROM pg_catalog.pg_statistic s
WHERE s.starelid >= 16384
UNION ALL
SELECT NULL::oid AS relation, s.ordinality::int AS position, d.stxoid AS statistics, d.stxdinherit AS inherited,
       {slots}
FROM pg_catalog.pg_statistic_ext_data d
     CROSS JOIN LATERAL pg_catalog.unnest(d.stxdexpr) WITH ORDINALITY AS s

-- name: columns of pg_stats
-- purpose: column and expression statistics of what the role may read
-- needs: SELECT on the tables
SELECT c.oid AS relation, a.attnum::int AS position, NULL::oid AS statistics, s.inherited,
       s.null_frac AS null_fraction, s.avg_width AS average_width, s.n_distinct,
       s.most_common_vals::text::text[] AS most_common_values, s.most_common_freqs AS most_common_frequencies,
       s.histogram_bounds::text::text[] AS histogram_bounds, s.correlation,
       s.most_common_elems::text::text[] AS most_common_elements,
       s.most_common_elem_freqs AS most_common_element_frequencies, s.elem_count_histogram AS element_count_histogram,
       NULL::text[] AS range_length_histogram, NULL::real AS range_empty_fraction,
       NULL::text[] AS range_bounds_histogram
FROM pg_catalog.pg_stats s
     JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
WHERE c.oid >= 16384
-- version: 14
SELECT c.oid AS relation, a.attnum::int AS position, NULL::oid AS statistics, s.inherited,
       s.null_frac AS null_fraction, s.avg_width AS average_width, s.n_distinct,
       s.most_common_vals::text::text[] AS most_common_values, s.most_common_freqs AS most_common_frequencies,
       s.histogram_bounds::text::text[] AS histogram_bounds, s.correlation,
       s.most_common_elems::text::text[] AS most_common_elements,
       s.most_common_elem_freqs AS most_common_element_frequencies, s.elem_count_histogram AS element_count_histogram,
       NULL::text[] AS range_length_histogram, NULL::real AS range_empty_fraction,
       NULL::text[] AS range_bounds_histogram
FROM pg_catalog.pg_stats s
     JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
WHERE c.oid >= 16384
UNION ALL
SELECT NULL::oid AS relation, x.position::int AS position, e.oid AS statistics, false AS inherited,
       s.null_frac AS null_fraction, s.avg_width AS average_width, s.n_distinct,
       s.most_common_vals::text::text[] AS most_common_values, s.most_common_freqs AS most_common_frequencies,
       s.histogram_bounds::text::text[] AS histogram_bounds, s.correlation,
       s.most_common_elems::text::text[] AS most_common_elements,
       s.most_common_elem_freqs AS most_common_element_frequencies, s.elem_count_histogram AS element_count_histogram,
       NULL::text[] AS range_length_histogram, NULL::real AS range_empty_fraction,
       NULL::text[] AS range_bounds_histogram
FROM pg_catalog.pg_stats_ext_exprs s
     JOIN pg_catalog.pg_namespace n ON n.nspname = s.statistics_schemaname
     JOIN pg_catalog.pg_statistic_ext e ON e.stxnamespace = n.oid AND e.stxname = s.statistics_name
     CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_get_statisticsobjdef_expressions(e.oid))
          WITH ORDINALITY AS x (expression, position)
WHERE x.expression = s.expr
-- version: 15
SELECT c.oid AS relation, a.attnum::int AS position, NULL::oid AS statistics, s.inherited,
       s.null_frac AS null_fraction, s.avg_width AS average_width, s.n_distinct,
       s.most_common_vals::text::text[] AS most_common_values, s.most_common_freqs AS most_common_frequencies,
       s.histogram_bounds::text::text[] AS histogram_bounds, s.correlation,
       s.most_common_elems::text::text[] AS most_common_elements,
       s.most_common_elem_freqs AS most_common_element_frequencies, s.elem_count_histogram AS element_count_histogram,
       NULL::text[] AS range_length_histogram, NULL::real AS range_empty_fraction,
       NULL::text[] AS range_bounds_histogram
FROM pg_catalog.pg_stats s
     JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
WHERE c.oid >= 16384
UNION ALL
SELECT NULL::oid AS relation, x.position::int AS position, e.oid AS statistics, s.inherited AS inherited,
       s.null_frac AS null_fraction, s.avg_width AS average_width, s.n_distinct,
       s.most_common_vals::text::text[] AS most_common_values, s.most_common_freqs AS most_common_frequencies,
       s.histogram_bounds::text::text[] AS histogram_bounds, s.correlation,
       s.most_common_elems::text::text[] AS most_common_elements,
       s.most_common_elem_freqs AS most_common_element_frequencies, s.elem_count_histogram AS element_count_histogram,
       NULL::text[] AS range_length_histogram, NULL::real AS range_empty_fraction,
       NULL::text[] AS range_bounds_histogram
FROM pg_catalog.pg_stats_ext_exprs s
     JOIN pg_catalog.pg_namespace n ON n.nspname = s.statistics_schemaname
     JOIN pg_catalog.pg_statistic_ext e ON e.stxnamespace = n.oid AND e.stxname = s.statistics_name
     CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_get_statisticsobjdef_expressions(e.oid))
          WITH ORDINALITY AS x (expression, position)
WHERE x.expression = s.expr
-- version: 17
SELECT c.oid AS relation, a.attnum::int AS position, NULL::oid AS statistics, s.inherited,
       s.null_frac AS null_fraction, s.avg_width AS average_width, s.n_distinct,
       s.most_common_vals::text::text[] AS most_common_values, s.most_common_freqs AS most_common_frequencies,
       s.histogram_bounds::text::text[] AS histogram_bounds, s.correlation,
       s.most_common_elems::text::text[] AS most_common_elements,
       s.most_common_elem_freqs AS most_common_element_frequencies, s.elem_count_histogram AS element_count_histogram,
       s.range_length_histogram::text::text[] AS range_length_histogram, s.range_empty_frac AS range_empty_fraction,
       s.range_bounds_histogram::text::text[] AS range_bounds_histogram
FROM pg_catalog.pg_stats s
     JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
WHERE c.oid >= 16384
UNION ALL
SELECT NULL::oid AS relation, x.position::int AS position, e.oid AS statistics, s.inherited AS inherited,
       s.null_frac AS null_fraction, s.avg_width AS average_width, s.n_distinct,
       s.most_common_vals::text::text[] AS most_common_values, s.most_common_freqs AS most_common_frequencies,
       s.histogram_bounds::text::text[] AS histogram_bounds, s.correlation,
       s.most_common_elems::text::text[] AS most_common_elements,
       s.most_common_elem_freqs AS most_common_element_frequencies, s.elem_count_histogram AS element_count_histogram,
       NULL::text[] AS range_length_histogram, NULL::real AS range_empty_fraction,
       NULL::text[] AS range_bounds_histogram
FROM pg_catalog.pg_stats_ext_exprs s
     JOIN pg_catalog.pg_namespace n ON n.nspname = s.statistics_schemaname
     JOIN pg_catalog.pg_statistic_ext e ON e.stxnamespace = n.oid AND e.stxname = s.statistics_name
     CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_get_statisticsobjdef_expressions(e.oid))
          WITH ORDINALITY AS x (expression, position)
WHERE x.expression = s.expr

-- name: extended statistics
-- purpose: CREATE STATISTICS objects
-- needs: nothing
SELECT e.oid, e.stxrelid AS relation, n.nspname::text AS schema, e.stxname::text AS name,
       NULL::int AS statistics_target,
       ARRAY (SELECT a.attname::text FROM pg_catalog.unnest(e.stxkeys::int2[]) WITH ORDINALITY AS k (number, position)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = e.stxrelid AND a.attnum = k.number
              ORDER BY k.position) AS columns,
       e.stxkeys::int2[] AS numbers, e.stxkind::text[] AS kinds
FROM pg_catalog.pg_statistic_ext e
     JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace
     JOIN pg_catalog.unnest(%(relations)s::oid[]) AS r (oid) ON r.oid = e.stxrelid
ORDER BY e.oid
-- version: 13
SELECT e.oid, e.stxrelid AS relation, n.nspname::text AS schema, e.stxname::text AS name,
       CASE WHEN e.stxstattarget >= 0 THEN e.stxstattarget::int END AS statistics_target,
       ARRAY (SELECT a.attname::text FROM pg_catalog.unnest(e.stxkeys::int2[]) WITH ORDINALITY AS k (number, position)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = e.stxrelid AND a.attnum = k.number
              ORDER BY k.position) AS columns,
       e.stxkeys::int2[] AS numbers, e.stxkind::text[] AS kinds
FROM pg_catalog.pg_statistic_ext e
     JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace
     JOIN pg_catalog.unnest(%(relations)s::oid[]) AS r (oid) ON r.oid = e.stxrelid
ORDER BY e.oid
-- version: 14
SELECT e.oid, e.stxrelid AS relation, n.nspname::text AS schema, e.stxname::text AS name,
       CASE WHEN e.stxstattarget >= 0 THEN e.stxstattarget::int END AS statistics_target,
       ARRAY (SELECT a.attname::text FROM pg_catalog.unnest(e.stxkeys::int2[]) WITH ORDINALITY AS k (number, position)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = e.stxrelid AND a.attnum = k.number
              ORDER BY k.position) AS columns,
       e.stxkeys::int2[] AS numbers, e.stxkind::text[] AS kinds
FROM pg_catalog.pg_statistic_ext e
     JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace
     JOIN pg_catalog.unnest(%(relations)s::oid[]) AS r (oid) ON r.oid = e.stxrelid
ORDER BY e.oid

-- name: statistics definitions
-- purpose: CREATE STATISTICS; deparsing an expression locks the table, so this is asked in chunks
-- needs: nothing
SELECT r.oid AS relation, 0 AS number, pg_catalog.pg_get_statisticsobjdef(r.oid) AS expression
FROM pg_catalog.unnest(%(oids)s::oid[]) AS r (oid)
-- version: 14
SELECT r.oid AS relation, 0 AS number, pg_catalog.pg_get_statisticsobjdef(r.oid) AS expression
FROM pg_catalog.unnest(%(oids)s::oid[]) AS r (oid)
UNION ALL
SELECT r.oid AS relation, x.position::int AS number, x.expression
FROM pg_catalog.unnest(%(oids)s::oid[]) AS r (oid)
     CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_get_statisticsobjdef_expressions(r.oid))
          WITH ORDINALITY AS x (expression, position)

-- name: data of pg_statistic_ext_data
-- purpose: what ANALYZE filled extended statistics with, to the last bit
-- needs: SELECT on pg_statistic_ext_data (a superuser has it)
SELECT d.stxoid AS statistics, false AS inherited, d.stxdndistinct::text AS ndistinct,
       d.stxddependencies::text AS dependencies, d.stxddependencies::bytea AS dependencies_binary,
       m.most_common_values, m.most_common_frequencies, m.most_common_base_frequencies
FROM pg_catalog.pg_statistic_ext_data d
     LEFT JOIN LATERAL (
         SELECT pg_catalog.array_agg(i.values ORDER BY i.index) AS most_common_values,
                pg_catalog.array_agg(i.frequency ORDER BY i.index) AS most_common_frequencies,
                pg_catalog.array_agg(i.base_frequency ORDER BY i.index) AS most_common_base_frequencies
         FROM pg_catalog.pg_mcv_list_items(d.stxdmcv) AS i) AS m ON true
-- version: 15
SELECT d.stxoid AS statistics, d.stxdinherit AS inherited, d.stxdndistinct::text AS ndistinct,
       d.stxddependencies::text AS dependencies, d.stxddependencies::bytea AS dependencies_binary,
       m.most_common_values, m.most_common_frequencies, m.most_common_base_frequencies
FROM pg_catalog.pg_statistic_ext_data d
     LEFT JOIN LATERAL (
         SELECT pg_catalog.array_agg(i.values ORDER BY i.index) AS most_common_values,
                pg_catalog.array_agg(i.frequency ORDER BY i.index) AS most_common_frequencies,
                pg_catalog.array_agg(i.base_frequency ORDER BY i.index) AS most_common_base_frequencies
         FROM pg_catalog.pg_mcv_list_items(d.stxdmcv) AS i) AS m ON true

-- name: data of pg_stats_ext
-- purpose: what ANALYZE filled extended statistics with, dependencies to six decimals
-- needs: to own the tables
SELECT e.oid AS statistics, false AS inherited, s.n_distinct::text AS ndistinct,
       s.dependencies::text AS dependencies, NULL::bytea AS dependencies_binary,
       s.most_common_vals AS most_common_values, s.most_common_freqs AS most_common_frequencies,
       s.most_common_base_freqs AS most_common_base_frequencies
FROM pg_catalog.pg_stats_ext s
     JOIN pg_catalog.pg_namespace n ON n.nspname = s.statistics_schemaname
     JOIN pg_catalog.pg_statistic_ext e ON e.stxnamespace = n.oid AND e.stxname = s.statistics_name
-- version: 15
SELECT e.oid AS statistics, s.inherited AS inherited, s.n_distinct::text AS ndistinct,
       s.dependencies::text AS dependencies, NULL::bytea AS dependencies_binary,
       s.most_common_vals AS most_common_values, s.most_common_freqs AS most_common_frequencies,
       s.most_common_base_freqs AS most_common_base_frequencies
FROM pg_catalog.pg_stats_ext s
     JOIN pg_catalog.pg_namespace n ON n.nspname = s.statistics_schemaname
     JOIN pg_catalog.pg_statistic_ext e ON e.stxnamespace = n.oid AND e.stxname = s.statistics_name
