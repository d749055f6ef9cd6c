-- name: positions
-- purpose: how much of a column lies up to each bound of production's histogram, here and by production's common values
-- needs: SELECT on the table, for pg_stats
SELECT COALESCE((SELECT pg_catalog.sum(m.share)
                 FROM ROWS FROM (pg_catalog.unnest(%(values)s::text[]::{type}[]),
                                 pg_catalog.unnest(%(shares)s::float8[])) AS m (value, share)
                 WHERE m.value <= p.bound), 0)::float8 AS common_there,
       COALESCE((SELECT pg_catalog.sum(m.share)
                 FROM ROWS FROM (pg_catalog.unnest(s.most_common_vals::text::{type}[]),
                                 pg_catalog.unnest(s.most_common_freqs)) AS m (value, share)
                 WHERE m.value <= p.bound), 0)::float8 AS common_here,
       COALESCE((SELECT GREATEST(pg_catalog.count(*) FILTER (WHERE b.bound <= p.bound) - 1, 0)::float8
                        / NULLIF(pg_catalog.count(*) - 1, 0)
                 FROM pg_catalog.unnest(s.histogram_bounds::text::{type}[]) AS b (bound)), 0)::float8 AS bounds_here
FROM pg_catalog.pg_stats s
     CROSS JOIN pg_catalog.unnest(%(bounds)s::text[]::{type}[]) WITH ORDINALITY AS p (bound, number)
WHERE s.schemaname = %(schema)s AND s.tablename = %(table)s AND s.attname = %(column)s
  AND s.inherited = %(inherited)s
ORDER BY p.number

-- name: type
-- purpose: the type of a column without its modifiers, and of a domain what it is over: values may be pseudonyms
-- needs: nothing
WITH RECURSIVE bases (oid, over) AS (
    SELECT t.oid, t.typbasetype
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = %(relation)s::pg_catalog.regclass AND a.attname = %(column)s AND NOT a.attisdropped
    UNION ALL
    SELECT t.oid, t.typbasetype FROM bases b JOIN pg_catalog.pg_type t ON t.oid = b.over)
SELECT pg_catalog.format_type(b.oid, NULL) FROM bases b WHERE b.over = 0

-- name: role
-- purpose: whether there is a role that policies apply to
-- needs: nothing
SELECT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = %(name)s)
