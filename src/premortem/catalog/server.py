"""Reads what the server is, how it is set, and who is connected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from premortem import pg
from premortem.catalog.rows import ConnectionRow, LimitsRow, ServerRow, TablespaceRow
from premortem.model import Connections, Extension, Gap, RoleSetting, ServerFacts, Setting, Tablespace

QUERIES = pg.named_sql("premortem.catalog", "sql/server.sql")

#: Settings outside "Query Tuning" that decide a plan, the size of a plan's work, what a write costs, or what a
#: statement's text means.
#: Nothing else is taken: a custom setting may hold a secret.
SETTINGS = (
    "work_mem hash_mem_multiplier shared_buffers effective_cache_size temp_buffers maintenance_work_mem "
    "effective_io_concurrency maintenance_io_concurrency io_combine_limit max_worker_processes max_parallel_workers "
    "max_parallel_workers_per_gather max_parallel_maintenance_workers parallel_leader_participation max_connections "
    "jit jit_above_cost jit_inline_above_cost jit_optimize_above_cost jit_expressions jit_tuple_deforming "
    "from_collapse_limit join_collapse_limit constraint_exclusion cursor_tuple_fraction plan_cache_mode "
    "default_statistics_target recursive_worktable_factor geqo geqo_threshold geqo_effort geqo_pool_size "
    "geqo_generations geqo_selection_bias geqo_seed seq_page_cost random_page_cost cpu_tuple_cost "
    "cpu_index_tuple_cost cpu_operator_cost parallel_setup_cost parallel_tuple_cost min_parallel_table_scan_size "
    "min_parallel_index_scan_size debug_parallel_query force_parallel_mode search_path row_security "
    "default_transaction_isolation session_replication_role TimeZone timezone_abbreviations DateStyle IntervalStyle "
    "lc_messages lc_monetary lc_numeric lc_time default_text_search_config standard_conforming_strings "
    "backslash_quote array_nulls transform_null_equals bytea_output extra_float_digits xmlbinary xmloption "
    "quote_all_identifiers default_tablespace default_table_access_method default_toast_compression "
    "statement_timeout lock_timeout idle_in_transaction_session_timeout autovacuum autovacuum_analyze_scale_factor "
    "autovacuum_analyze_threshold autovacuum_vacuum_scale_factor autovacuum_vacuum_threshold "
    "checkpoint_timeout max_wal_size full_page_writes wal_compression pg_stat_statements.track "
    "enable_async_append enable_bitmapscan enable_distinct_reordering enable_gathermerge enable_group_by_reordering "
    "enable_hashagg enable_hashjoin enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material "
    "enable_memoize enable_mergejoin enable_nestloop enable_parallel_append enable_parallel_hash "
    "enable_partition_pruning enable_partitionwise_aggregate enable_partitionwise_join enable_presorted_aggregate "
    "enable_self_join_elimination enable_seqscan enable_sort enable_tidscan"
).split()
_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin", "d": "libc"}
_APPLICATIONS = 50


def facts(row: ServerRow, system_identifier: str = "", standbys: int | None = None) -> ServerFacts:
    """Return the server's facts as the profile keeps them."""
    return ServerFacts(
        version_num=row.version_num, version=row.version, database=row.database, encoding=row.encoding,
        collate=row.collate, ctype=row.ctype, locale_provider=row.provider, locale=row.locale,
        block_size=row.block_size, in_recovery=row.in_recovery, role=row.role, system_identifier=system_identifier,
        standbys=standbys,
    )  # fmt: skip


def read(db: pg.Session) -> ServerRow:
    """Return what the server says of itself, with the moment of the snapshot."""
    return db.rows(QUERIES["server"], ServerRow)[0]


def system_identifier(db: pg.Session) -> str:
    """Return the number that initdb gave the cluster, empty where the role may not ask.

    Asked for permission first: a refusal would be an error in production's log.
    """
    allowed = db.value(QUERIES["may read system identifier"])
    return str(db.value(QUERIES["system identifier"])) if allowed else ""


def standbys(db: pg.Session) -> int | None:
    """Return how many standbys stream from the server, those behind other standbys left out; None if nobody may ask."""
    return int(str(db.value(QUERIES["standbys"]))) if db.value(QUERIES["may read standbys"]) else None


def settings(db: pg.Session) -> tuple[Setting, ...]:
    """Return the settings that a plan depends on, as a new session of this database has them."""
    return db.rows(QUERIES["settings"], Setting, names=list(SETTINGS))


def role_settings(db: pg.Session) -> tuple[RoleSetting, ...]:
    """Return what ALTER ROLE and ALTER DATABASE set, of the settings that a plan depends on."""
    return db.rows(QUERIES["role settings"], RoleSetting, names=[name.lower() for name in SETTINGS])


def tablespaces(db: pg.Session) -> tuple[Tablespace, ...]:
    """Return the tablespaces with their planner options."""
    rows = db.rows(QUERIES["tablespaces"], TablespaceRow)
    return tuple(Tablespace(name=row.name, options=tuple(row.options or ())) for row in rows)


def extensions(db: pg.Session) -> tuple[Extension, ...]:
    """Return the installed extensions, in order of creation."""
    return db.rows(QUERIES["extensions"], Extension)


def connections(db: pg.Session) -> Connections:
    """Return how many connections there may be, and are."""
    limits = db.rows(QUERIES["connection limits"], LimitsRow)[0]
    rows = db.rows(QUERIES["connections"], ConnectionRow)
    return Connections(
        max_connections=limits.max_connections,
        reserved=limits.reserved,
        by_state=_counted((row.state, row.count) for row in rows),
        by_application=_counted((row.application, row.count) for row in rows)[:_APPLICATIONS],
    )


def _counted(pairs: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    counter: Counter[str] = Counter()
    for name, count in pairs:
        counter[name] += count
    return tuple(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def search_path(found: Iterable[Setting]) -> tuple[str, ...]:
    """Return the schemas of the setting `search_path`, without `$user`, which is another one for every role."""
    value = next((s.value for s in found if s.name == "search_path"), "public")
    return tuple(name for name in identifiers(value) if name != "$user")


def identifiers(text: str) -> tuple[str, ...]:
    """Return the names in a comma-separated list of identifiers.

    >>> identifiers('"$user", public, "A ""b"", c"')
    ('$user', 'public', 'A "b", c')
    """
    found = re.findall(r'"((?:[^"]|"")*)"|([^\s,"]+)', text)
    return tuple(quoted.replace('""', '"') if quoted else plain.lower() for quoted, plain in found)


def own_settings_gap(row: ServerRow, found: Iterable[RoleSetting]) -> tuple[Gap, ...]:
    """Return a gap where the role that reads has settings of its own, as they colour what it sees."""
    names = sorted({s.name for s in found if s.role == row.role and s.name != "search_path"})
    if not names:
        return ()
    return (
        Gap(
            subject="settings",
            says=f"The role {row.role} that read the profile has settings of its own: {', '.join(names)}.",
            effect="The profile holds that role's values instead of the server's.",
            cure=f"Pull with a role without ALTER ROLE … SET, or ALTER ROLE … RESET {', '.join(names)}.",
        ),
    )
