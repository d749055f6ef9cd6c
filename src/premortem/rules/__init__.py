"""Rules: from a query's plan to findings, one module and one case file for each bad pattern.

Words: a *reading* is one relation as a plan reads it, with what was *read* and what was *kept*; an *obstacle* is what
keeps an index from serving a condition; a *limit* is a threshold of one rule.

    find(planned, query, profile, limits)     -> findings of one plan
    find_schema(profile, limits)              -> findings that need no query
    limits(values)                            -> thresholds from a settings file

    Subject ── executions ── readings ── obstacles ── discards ── the rules

Adding a rule is one line in `_MODULES` or `_SCHEMA_MODULES`, one module and one case under tests/rules.  Rules judge
what is read before what is returned; they propose no index (the advisor does) and ask no server.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from premortem.errors import SettingsError
from premortem.model import Finding, Planned, Profile, Query
from premortem.rules import (
    cast_hides_index,
    counts_many_rows,
    deep_offset,
    distinct_hides_join,
    duplicate_index,
    early_stop_gamble,
    expression_hides_index,
    foreign_key_type_mismatch,
    foreign_key_without_index,
    function_called_per_row,
    hash_larger_than_memory,
    index_covered_by_another,
    index_never_used,
    index_on_few_values,
    index_scan_discards_rows,
    inner_side_scanned_per_row,
    invalid_index,
    jit_for_short_query,
    join_without_condition,
    key_near_overflow,
    leading_wildcard,
    limit_applied_late,
    locks_joined_tables,
    locks_many_rows,
    long_list_of_values,
    materialized_cte_hides_filter,
    not_in_subquery,
    or_across_columns,
    or_across_tables,
    partition_key_updated,
    partition_pruning_lost,
    partition_without_index,
    query_repeated_per_row,
    queue_without_skip_locked,
    row_trigger_on_bulk_write,
    seq_scan_discards_rows,
    several_permissive_policies,
    sort_larger_than_memory,
    sort_without_index,
    sorted_by_random,
    stale_statistics,
    subquery_run_per_row,
    table_without_primary_key,
    too_many_indexes,
    unbounded_result,
    union_compares_rows,
    update_defeats_hot,
    vacuum_falls_behind,
    wide_columns_for_many_rows,
    write_to_whole_table,
)
from premortem.rules.of_executions import EXECUTION_MODULES
from premortem.rules.of_migrations import MIGRATION_LIMITS, MIGRATION_RULES
from premortem.rules.rule import Kind, Limits, Rule, checked
from premortem.rules.subject import Subject

__all__ = ["MIGRATION_LIMITS", "Kind", "MIGRATION_RULES", "RULES", "Limits", "Rule", "find", "find_schema", "limits"]

_MODULES = (
    seq_scan_discards_rows,
    index_scan_discards_rows,
    sort_without_index,
    early_stop_gamble,
    inner_side_scanned_per_row,
    expression_hides_index,
    cast_hides_index,
    leading_wildcard,
    or_across_columns,
    foreign_key_without_index,
    deep_offset,
    partition_pruning_lost,
    unbounded_result,
    join_without_condition,
    not_in_subquery,
    limit_applied_late,
    row_trigger_on_bulk_write,
    function_called_per_row,
    partition_key_updated,
    materialized_cte_hides_filter,
    write_to_whole_table,
    or_across_tables,
    subquery_run_per_row,
    sort_larger_than_memory,
    hash_larger_than_memory,
    sorted_by_random,
    counts_many_rows,
    wide_columns_for_many_rows,
    locks_many_rows,
    queue_without_skip_locked,
    locks_joined_tables,
    long_list_of_values,
    distinct_hides_join,
    union_compares_rows,
    jit_for_short_query,
    update_defeats_hot,
    query_repeated_per_row,
    *EXECUTION_MODULES,
)

#: Rules that judge the schema; the first of them judges queries too.
_SCHEMA_MODULES = (
    foreign_key_without_index,
    index_never_used,
    duplicate_index,
    index_covered_by_another,
    invalid_index,
    foreign_key_type_mismatch,
    stale_statistics,
    table_without_primary_key,
    index_on_few_values,
    key_near_overflow,
    vacuum_falls_behind,
    partition_without_index,
    too_many_indexes,
    several_permissive_policies,
)
_ALL_MODULES = tuple(dict.fromkeys((*_MODULES, *_SCHEMA_MODULES)))

RULES: tuple[Rule, ...] = tuple(module.RULE for module in _ALL_MODULES)


def find(planned: Planned, query: Query, profile: Profile, limits: Limits | None = None) -> tuple[Finding, ...]:
    """Return what is wrong with one plan of a query, each thing once."""
    subject = Subject(planned=planned, query=query, profile=profile)
    wanted = limits or Limits()
    found: dict[str, Finding] = {}
    for module in _MODULES:
        for finding in module.find(subject, wanted.of(module.RULE, module.Limits())):
            found.setdefault(finding.key, finding)
    return tuple(found.values())


def find_schema(profile: Profile, limits: Limits | None = None) -> tuple[Finding, ...]:
    """Return what is wrong with the schema whatever the queries are, each thing once."""
    wanted = limits or Limits()
    found: dict[str, Finding] = {}
    for module in _SCHEMA_MODULES:
        for finding in module.find_schema(profile, wanted.of(module.RULE, module.Limits())):
            found.setdefault(finding.key, finding)
    return tuple(found.values())


def limits(values: Mapping[str, Mapping[str, object]]) -> Limits:
    """Return the thresholds that a settings file's `[rules.NAME]` tables give.

    Raises SettingsError, naming the key, for a rule or a threshold that does not exist.
    """
    known = {module.RULE.name: (module.RULE, module.Limits()) for module in _ALL_MODULES}
    known |= {rule.name: (rule, MIGRATION_LIMITS[rule.name]) for rule in MIGRATION_RULES}
    for name in values:
        if name not in known:
            raise SettingsError(f"there is no rule {name}", hint=f"the rules are {', '.join(known)}")
    changed = {name: checked(*known[name], table) for name, table in values.items()}
    return Limits(changed=MappingProxyType(changed))
