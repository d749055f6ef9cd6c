-- name: creator
-- purpose: Creates indexes one after the other; what the server refuses is answered in its words and spoils nothing.
CREATE OR REPLACE FUNCTION premortem_twin.create_indexes(statements text[]) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        BEGIN
            EXECUTE statement;
            RETURN NEXT NULL;
        EXCEPTION WHEN OTHERS THEN
            RETURN NEXT SQLERRM;
        END;
    END LOOP;
END $$

-- name: turner
-- purpose: Shows and hides indexes, takes them to hand and puts them away.  A procedure, for its statements are planned
--          once.  A touched table has its list of indexes read again, and what is prepared on it analysed again.
CREATE OR REPLACE PROCEDURE premortem_twin.turn(shown oid[], unshown oid[], taken oid[], away oid[], tables oid[])
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF taken || away <> '{}' THEN
        UPDATE pg_catalog.pg_index SET indislive = indexrelid = ANY (taken) WHERE indexrelid = ANY (taken || away);
        UPDATE pg_catalog.pg_class SET relpages = relpages WHERE oid = ANY (tables);
    END IF;
    IF shown || unshown <> '{}' THEN
        UPDATE pg_catalog.pg_index SET indisvalid = indexrelid = ANY (shown) WHERE indexrelid = ANY (shown || unshown);
    END IF;
END $$

-- name: begin
-- purpose: The path to find operator classes along.  A file that is small would be read at the commit, and then the
--          server would remember its pages as they were before they were written.
SELECT pg_catalog.set_config('search_path', %(path)s, true),
       (SELECT pg_catalog.set_config(s.name, '0', true) FROM pg_catalog.pg_settings s WHERE s.name = 'wal_skip_threshold')

-- name: newest
-- purpose: What tells the indexes that are made from now on from those that were there.
SELECT max(c.oid)::bigint FROM pg_catalog.pg_class c

-- name: remember
-- purpose: Note the files and figures of tables and their partitions.
WITH RECURSIVE tree AS (
    SELECT c.oid, c.relkind
    FROM pg_catalog.unnest(%(relations)s::pg_catalog.text[]) AS r(name)
    JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(r.name)
    UNION
    SELECT c.oid, c.relkind FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid AND t.relkind = 'p'
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
)
INSERT INTO pg_temp.premortem_filled
SELECT c.oid, c.relfilenode, c.reltablespace, c.relpages, c.reltuples, c.relallvisible
FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid WHERE c.relkind IN ('r', 'm')

-- name: create
-- purpose: The server's refusal of each statement, NULL where the index was made.
SELECT * FROM premortem_twin.create_indexes(%(statements)s::pg_catalog.text[])

-- name: made
-- purpose: The indexes of these names and those that PostgreSQL made for them on partitions.
WITH RECURSIVE tree AS (
    SELECT c.oid, u.number
    FROM ROWS FROM (pg_catalog.unnest(%(names)s::pg_catalog.text[]), pg_catalog.unnest(%(numbers)s::pg_catalog.int4[]))
         AS u(name, number)
    JOIN pg_catalog.pg_class c ON c.relname = u.name::pg_catalog.name AND c.relkind IN ('i', 'I')
    UNION ALL
    SELECT i.inhrelid, t.number FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
)
SELECT c.oid::bigint AS oid, h.oid::bigint AS heap, t.number, CASE c.relkind WHEN 'i' THEN pg_catalog.pg_relation_filepath(c.oid) END AS path,
       n.nspname AS schema, h.relname AS table
FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid
JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
JOIN pg_catalog.pg_class h ON h.oid = x.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = h.relnamespace
WHERE c.oid::bigint > %(newest)s
ORDER BY t.number, c.oid

-- name: name-and-size
-- purpose: What pg_class will say of indexes once they are built; their names say whose they are, in any schema.
UPDATE pg_catalog.pg_class c SET relname = u.name::pg_catalog.name, relpages = u.pages, reltuples = u.tuples
FROM ROWS FROM (pg_catalog.unnest(%(oids)s::pg_catalog.int8[]), pg_catalog.unnest(%(names)s::pg_catalog.text[]),
                pg_catalog.unnest(%(pages)s::pg_catalog.int4[]), pg_catalog.unnest(%(tuples)s::pg_catalog.float4[]))
     AS u(oid, name, pages, tuples)
WHERE c.oid = u.oid::pg_catalog.oid

-- name: expression-statistics
-- purpose: What ANALYZE will find for index expressions, as far as can be known without rows.
INSERT INTO pg_catalog.pg_statistic (
    starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct,
    stakind1, stakind2, stakind3, stakind4, stakind5, staop1, staop2, staop3, staop4, staop5,
    stacoll1, stacoll2, stacoll3, stacoll4, stacoll5)
SELECT u.oid::pg_catalog.oid, u.number, false, u.nulls, u.width, u.distinct, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
FROM ROWS FROM (pg_catalog.unnest(%(oids)s::pg_catalog.int8[]), pg_catalog.unnest(%(numbers)s::pg_catalog.int2[]),
                pg_catalog.unnest(%(nulls)s::pg_catalog.float4[]), pg_catalog.unnest(%(widths)s::pg_catalog.int4[]),
                pg_catalog.unnest(%(distinct)s::pg_catalog.float4[]))
     AS u(oid, number, nulls, width, "distinct")

-- name: existing
-- purpose: Every index that the planner sees, and the partitioned table's index that it is a part of.
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, i.inhparent::bigint AS parent
FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
WHERE x.indisvalid AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')

-- name: put-away
-- purpose: An index that is not live is in no list of its table's indexes: hundreds cost the planner nothing.
UPDATE pg_catalog.pg_index SET indisvalid = false, indislive = false
WHERE indexrelid::bigint = ANY (%(oids)s::pg_catalog.int8[])
