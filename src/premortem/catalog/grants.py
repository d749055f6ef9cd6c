"""Prints the SQL that lets a role pull profiles, and do nothing else.

`pg_monitor` does not see pg_stats, and reading every table is far too much to ask, so a few functions that run with the
rights of whoever runs this SQL hand out statistics.  Their bodies are the very queries that a superuser's pull runs;
they have a fixed search path, no parameters that could reach SQL text, and are revoked from everybody else.
"""

from __future__ import annotations

from collections.abc import Mapping

from premortem import pg
from premortem.catalog import statistics
from premortem.model import literal, quoted

_STATISTICS_COLUMNS = """relation oid, "position" int, statistics oid, inherited boolean, null_fraction real,
        average_width int, n_distinct real, most_common_values text[], most_common_frequencies real[],
        histogram_bounds text[], correlation real, most_common_elements text[],
        most_common_element_frequencies real[], element_count_histogram real[], range_length_histogram text[],
        range_empty_fraction real, range_bounds_histogram text[]"""
_EXTENDED_COLUMNS = """statistics oid, inherited boolean, ndistinct text, dependencies text,
        dependencies_binary bytea, most_common_values text[], most_common_frequencies float8[],
        most_common_base_frequencies float8[]"""

_HEAD = """\
-- Lets {role} pull premortem profiles of this database, and nothing more.
-- Run it in the database to be profiled, as a superuser; on a managed service as its administrator, who must be able
-- to read the tables. Run it again after a major upgrade, or once pageinspect is installed. It can be run twice.
--
-- What {role} can see afterwards: settings, activity and pg_stat_statements of all roles, definitions of all objects
-- (which every role can), and column statistics, which hold sample values of your columns. No table becomes readable.
-- To undo: DROP SCHEMA premortem CASCADE; DROP OWNED BY {role}; DROP ROLE {role};
BEGIN;

DO $grants$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {name}) THEN
        CREATE ROLE {role} LOGIN CONNECTION LIMIT 4;  -- give it a password: \\password {role}
        ALTER ROLE {role} SET default_transaction_read_only = on;
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace
               WHERE nspname = 'premortem' AND NOT pg_catalog.pg_has_role(current_user, nspowner, 'USAGE')) THEN
        RAISE 'the schema premortem belongs to somebody else, who could change what these functions do';
    END IF;
    EXECUTE pg_catalog.format('GRANT CONNECT ON DATABASE %I TO {in_format}', pg_catalog.current_database());
END
$grants$;

GRANT pg_read_all_settings, pg_read_all_stats TO {role};
CREATE SCHEMA IF NOT EXISTS premortem;
REVOKE ALL ON SCHEMA premortem FROM PUBLIC;
GRANT USAGE ON SCHEMA premortem TO {role};

-- pg_stat_statements, where it is in a schema of its own.
DO $grants$
DECLARE
    place text := (SELECT n.nspname FROM pg_catalog.pg_extension e
                   JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
                   WHERE e.extname = 'pg_stat_statements');
BEGIN
    IF place IS NOT NULL AND NOT pg_catalog.has_schema_privilege({name}, place, 'USAGE') THEN
        EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %I TO {in_format}', place);
    END IF;
END
$grants$;
"""

_FUNCTION = """
-- {purpose}
DO $grants$
DECLARE
    version int := pg_catalog.current_setting('server_version_num')::int;
    body text;
BEGIN
    IF pg_catalog.has_table_privilege({relation}, 'SELECT') THEN
        body := CASE {of_catalog} END;
    ELSE
        body := CASE {of_view} END;
    END IF;
    DROP FUNCTION IF EXISTS premortem.{signature};
    EXECUTE $create$CREATE FUNCTION premortem.{signature} RETURNS TABLE (
        {columns})
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $create$
        || pg_catalog.quote_literal(body);
END
$grants$;
REVOKE ALL ON FUNCTION premortem.{signature} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION premortem.{signature} TO {role};
"""

_PAGES = """
-- Heights of B-trees and figures of GIN metapages, where pageinspect is installed and this role is a superuser.
-- Without them both are estimated from sizes, and the profile says so.
DO $grants$
DECLARE
    place text := (SELECT n.nspname FROM pg_catalog.pg_extension e
                   JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pageinspect');
BEGIN
    DROP FUNCTION IF EXISTS premortem.btree_levels(oid[]);
    DROP FUNCTION IF EXISTS premortem.gin_metapages(oid[]);
    IF place IS NULL OR NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        RAISE NOTICE 'without pageinspect and a superuser, heights of B-trees will be estimated';
        RETURN;
    END IF;
    EXECUTE pg_catalog.format($create$
        CREATE FUNCTION premortem.btree_levels(indexes oid[]) RETURNS TABLE (relation oid, level int)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
            SELECT c.oid, (%1$I.bt_metap(c.oid::regclass::text)).fastlevel::int
            FROM unnest(indexes) AS i (oid) JOIN pg_class c ON c.oid = i.oid JOIN pg_am a ON a.oid = c.relam
            WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND a.amname = 'btree' $body$;
        CREATE FUNCTION premortem.gin_metapages(indexes oid[])
        RETURNS TABLE (relation oid, n_pending_pages float8, n_total_pages float8, n_entry_pages float8,
                       n_data_pages float8, n_entries float8)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
            SELECT c.oid, m.n_pending_pages::float8, m.n_total_pages::float8, m.n_entry_pages::float8,
                   m.n_data_pages::float8, m.n_entries::float8
            FROM unnest(indexes) AS i (oid) JOIN pg_class c ON c.oid = i.oid JOIN pg_am a ON a.oid = c.relam
                 CROSS JOIN LATERAL %1$I.gin_metapage_info(%1$I.get_raw_page(c.oid::regclass::text, 0)) AS m
            WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND a.amname = 'gin' $body$;
        REVOKE ALL ON FUNCTION premortem.btree_levels(oid[]), premortem.gin_metapages(oid[]) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION premortem.btree_levels(oid[]), premortem.gin_metapages(oid[]) TO {in_format};
    $create$, place);
END
$grants$;

COMMIT;
"""


def grants_sql(role: str) -> str:
    """Return the SQL that makes a role, if need be, and lets it pull profiles with the least privilege."""
    in_format = quoted(role).replace("%", "%%")
    names = {"role": quoted(role), "name": literal(role), "in_format": in_format.replace("'", "''")}
    head = _filled(_HEAD, names)
    columns = _function(
        names, signature=statistics.COLUMNS_HELPER, columns=_STATISTICS_COLUMNS, relation="pg_catalog.pg_statistic",
        purpose="Column and expression statistics: all of them, or those of the tables that this role may read.",
        of_catalog=_bodies("columns of pg_statistic"), of_view=_bodies("columns of pg_stats"),
    )  # fmt: skip
    extended = _function(
        names, signature=statistics.EXTENDED_HELPER, columns=_EXTENDED_COLUMNS,
        relation="pg_catalog.pg_statistic_ext_data", purpose="What ANALYZE filled extended statistics with.",
        of_catalog=_bodies("data of pg_statistic_ext_data"), of_view=_bodies("data of pg_stats_ext"),
    )  # fmt: skip
    return head + columns + extended + _filled(_PAGES, names | {"in_format": in_format})


def _function(
    names: Mapping[str, str],
    *,
    signature: str,
    columns: str,
    relation: str,
    purpose: str,
    of_catalog: str,
    of_view: str,
) -> str:
    return _filled(_FUNCTION, {
        **names, "signature": signature.removeprefix("premortem."), "columns": columns, "purpose": purpose,
        "relation": literal(relation), "of_catalog": of_catalog, "of_view": of_view,
    })  # fmt: skip


def _bodies(name: str) -> str:
    """The query's bodies as branches of a CASE over `version`, newest first."""
    query: pg.NamedSQL = statistics.QUERIES[name]
    bodies = ((least, statistics.with_slots(query, least * 10_000)) for least in sorted(query.bodies, reverse=True))
    return "".join(f"\n            WHEN version >= {least}0000 THEN $body$\n{body}\n$body$" for least, body in bodies)


def _filled(text: str, words: Mapping[str, str]) -> str:
    """Put words in place of `{name}`; not `str.format`, as bodies may hold braces of their own."""
    for name, value in words.items():
        text = text.replace("{" + name + "}", value)
    return text
