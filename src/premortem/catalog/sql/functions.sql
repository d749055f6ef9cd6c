-- name: function definitions
-- purpose: CREATE FUNCTION; deparsing an SQL-standard body locks the tables it reads, so this is asked in chunks
-- needs: nothing
SELECT r.oid AS relation, 0 AS number, pg_catalog.pg_get_functiondef(r.oid) AS expression
FROM pg_catalog.unnest(%(oids)s::oid[]) AS r (oid)
