-- name: pageinspect
-- purpose: where pageinspect is
-- needs: nothing
SELECT n.nspname::text FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pageinspect'

-- name: levels
-- purpose: heights of B-trees from their metapages
-- needs: superuser; {schema} is where pageinspect lives
SELECT r.oid AS relation, m.fastlevel::int AS level
FROM pg_catalog.unnest(%(oids)s::oid[]) AS r (oid)
     CROSS JOIN LATERAL {schema}.bt_metap(r.oid::pg_catalog.regclass::text) AS m

-- name: levels by helper
-- purpose: as levels
-- needs: EXECUTE on premortem.btree_levels
SELECT l.relation, l.level FROM premortem.btree_levels(%(oids)s::oid[]) AS l

-- name: gin
-- purpose: figures of GIN metapages
-- needs: superuser; {schema} is where pageinspect lives
SELECT r.oid AS relation, m.n_pending_pages::float8, m.n_total_pages::float8, m.n_entry_pages::float8,
       m.n_data_pages::float8, m.n_entries::float8
FROM pg_catalog.unnest(%(oids)s::oid[]) AS r (oid)
     CROSS JOIN LATERAL {schema}.gin_metapage_info({schema}.get_raw_page(r.oid::pg_catalog.regclass::text, 0)) AS m

-- name: gin by helper
-- purpose: as gin
-- needs: EXECUTE on premortem.gin_metapages
SELECT g.relation, g.n_pending_pages, g.n_total_pages, g.n_entry_pages, g.n_data_pages, g.n_entries
FROM premortem.gin_metapages(%(oids)s::oid[]) AS g
