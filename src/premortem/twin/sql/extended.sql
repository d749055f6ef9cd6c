-- name: casts
-- purpose: Let binary forms in; PostgreSQL has the casts out only.  WITHOUT FUNCTION, as all are varlena.
DO $$
DECLARE target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['pg_ndistinct', 'pg_dependencies', 'pg_mcv_list'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_cast
                       WHERE castsource = 'bytea'::regtype AND casttarget = target::regtype) THEN
            EXECUTE format('CREATE CAST (bytea AS %s) WITHOUT FUNCTION', target);
        END IF;
    END LOOP;
END $$

-- name: object
-- purpose: A statistics object's OID and its table's.
SELECT e.oid::bigint AS oid, e.stxrelid::bigint AS relation
FROM pg_catalog.pg_statistic_ext e JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace
WHERE n.nspname = %(schema)s AND e.stxname = %(name)s

-- name: keys
-- purpose: The attribute numbers of its keys in PostgreSQL's order; expressions count down from -1.
SELECT k.number::integer
FROM pg_catalog.pg_statistic_ext e
CROSS JOIN LATERAL pg_catalog.unnest(e.stxkeys::smallint[]) WITH ORDINALITY AS k(number, position)
WHERE e.oid = %(oid)s ORDER BY k.position

-- name: items
-- purpose: The values of every item of the scratch table's MCV list, in the list's own order.
SELECT i.values AS values
FROM pg_catalog.pg_statistic_ext e
JOIN pg_catalog.pg_statistic_ext_data d ON d.stxoid = e.oid
CROSS JOIN LATERAL pg_catalog.pg_mcv_list_items(d.stxdmcv) i
WHERE e.stxname = 'premortem_scratch' AND e.stxnamespace = pg_catalog.pg_my_temp_schema()
ORDER BY i.index

-- name: list
-- purpose: The scratch table's MCV list in binary.
SELECT d.stxdmcv::bytea
FROM pg_catalog.pg_statistic_ext e JOIN pg_catalog.pg_statistic_ext_data d ON d.stxoid = e.oid
WHERE e.stxname = 'premortem_scratch' AND e.stxnamespace = pg_catalog.pg_my_temp_schema()

-- name: insert
-- purpose: The data of one statistics object, in place of what CREATE STATISTICS left.
INSERT INTO pg_catalog.pg_statistic_ext_data (stxoid, stxdndistinct, stxddependencies, stxdmcv)
VALUES (%(oid)s, %(ndistinct)s::bytea::pg_ndistinct, %(dependencies)s::bytea::pg_dependencies, %(mcv)s::bytea::pg_mcv_list)

-- version: 14
INSERT INTO pg_catalog.pg_statistic_ext_data (stxoid, stxdndistinct, stxddependencies, stxdmcv, stxdexpr)
VALUES (%(oid)s, %(ndistinct)s::bytea::pg_ndistinct, %(dependencies)s::bytea::pg_dependencies, %(mcv)s::bytea::pg_mcv_list,
        (SELECT pg_catalog.array_agg(s ORDER BY s.staattnum) FROM pg_catalog.pg_statistic s
         WHERE s.starelid = %(expressions)s))

-- version: 15
INSERT INTO pg_catalog.pg_statistic_ext_data (stxoid, stxdinherit, stxdndistinct, stxddependencies, stxdmcv, stxdexpr)
VALUES (%(oid)s, %(inherited)s, %(ndistinct)s::bytea::pg_ndistinct, %(dependencies)s::bytea::pg_dependencies,
        %(mcv)s::bytea::pg_mcv_list,
        (SELECT pg_catalog.array_agg(s ORDER BY s.staattnum) FROM pg_catalog.pg_statistic s
         WHERE s.starelid = %(expressions)s))
