-- name: scratch
-- purpose: What a session needs to make tables look empty for the moment of a CREATE INDEX, and to put them back.
CREATE TEMPORARY TABLE premortem_filled (
    oid oid, relfilenode oid, reltablespace oid, relpages integer, reltuples real, relallvisible integer);
CREATE SCHEMA premortem_twin;
CREATE TABLE premortem_twin.empty ()

-- name: hide
-- purpose: The planner skips an invalid index; touching the table's row drops the plans that were made with it.
WITH hidden AS (
    UPDATE pg_catalog.pg_index SET indisvalid = false
    WHERE indexrelid = (SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname = %(schema)s AND c.relname = %(name)s)
    RETURNING indrelid
)
UPDATE pg_catalog.pg_class c SET relpages = c.relpages FROM hidden h WHERE c.oid = h.indrelid

-- name: remember
-- purpose: Note the files and figures of a table and its partitions.
WITH RECURSIVE tree AS (
    SELECT c.oid, c.relkind FROM pg_catalog.pg_class c WHERE c.oid = %(relation)s::pg_catalog.regclass
    UNION ALL
    SELECT c.oid, c.relkind FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid AND t.relkind = 'p'
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
)
INSERT INTO pg_temp.premortem_filled
SELECT c.oid, c.relfilenode, c.reltablespace, c.relpages, c.reltuples, c.relallvisible
FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid WHERE c.relkind IN ('r', 'm')

-- name: empty
-- purpose: Point them at a file without blocks, so that CREATE INDEX has nothing to read.
UPDATE pg_catalog.pg_class c SET relfilenode = e.relfilenode, reltablespace = 0
FROM pg_temp.premortem_filled f, pg_catalog.pg_class e
WHERE c.oid = f.oid AND e.oid = 'premortem_twin.empty'::pg_catalog.regclass

-- name: refill
-- purpose: Point them back; CREATE INDEX has counted their rows as none.
UPDATE pg_catalog.pg_class c
SET relfilenode = f.relfilenode, reltablespace = f.reltablespace, relpages = f.relpages, reltuples = f.reltuples,
    relallvisible = f.relallvisible
FROM pg_temp.premortem_filled f WHERE c.oid = f.oid

-- name: forget
-- purpose: Ready for the next table.
DELETE FROM pg_temp.premortem_filled

-- name: made
-- purpose: The index of that name and those that PostgreSQL made for it on partitions.
WITH RECURSIVE tree AS (
    SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(name)s
    UNION ALL
    SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
)
SELECT c.oid::bigint AS oid, pg_catalog.pg_relation_filepath(c.oid) AS path, n.nspname AS schema, h.relname AS table
FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind = 'i'
JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
JOIN pg_catalog.pg_class h ON h.oid = x.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = h.relnamespace

-- name: index-size
-- purpose: What pg_class will say of an index once it is built.
UPDATE pg_catalog.pg_class SET relpages = %(pages)s, reltuples = %(tuples)s WHERE oid = %(oid)s

-- name: expression-statistics
-- purpose: What ANALYZE will find for an index expression, as far as can be known without rows.
INSERT INTO pg_catalog.pg_statistic (
    starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct,
    stakind1, stakind2, stakind3, stakind4, stakind5, staop1, staop2, staop3, staop4, staop5,
    stacoll1, stacoll2, stacoll3, stacoll4, stacoll5)
VALUES (%(oid)s, %(number)s, false, %(nulls)s, %(width)s, %(distinct)s, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
