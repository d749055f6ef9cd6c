"""A DELETE, or an UPDATE of a key, that searches a large child table for every row.

Sees:   a statement that deletes rows of a table, or changes columns that are referenced, where a foreign key's columns
        are not the first columns of a usable index of the child; chains of ON DELETE CASCADE are followed.
Hurts:  the child is read from end to end once per deleted row, inside a trigger, and EXPLAIN does not show it.
Do:     index the foreign key's columns: not partially, as the trigger's query implies no predicate but `IS NOT NULL`.
Quiet:  small child tables, an index whose first columns pick few rows, updates of other columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import (
    Constraint,
    Evidence,
    Finding,
    Index,
    Node,
    Profile,
    RelationKind,
    RelationName,
    Severity,
    Table,
)
from premortem.rules.discards import counted
from premortem.rules.readings import partition_root
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import Comparison, ComparisonKind

RULE = Rule(name="foreign-key-without-index", severity=Severity.ERROR, curable_by_index=True, page=__doc__)
_ACTIONS = {
    "cascade": "deletes its rows in",
    "set null": "sets rows to NULL in",
    "set default": "resets rows in",
}
_FULL_INDEXES = frozenset({"btree", "hash"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Children of `min_rows` count, of `error_rows` as errors; an index that finds `max_found` rows will do."""

    min_rows: float = 1_000
    error_rows: float = 10_000
    max_found: float = 1_000


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every foreign key that a statement's triggers would search without an index."""
    seen: set[tuple[RelationName, str]] = set()
    for node in subject.plan.walk():
        table = _changed(node, subject.profile)
        if table is None:
            continue
        for child, key in _concerned(table, node, subject):
            if (child.relation, key.name) not in seen:
                seen.add((child.relation, key.name))
                yield from _missing(subject, node, child, key, limits)


def _missing(subject: Subject, node: Node, child: Table, key: Constraint, limits: Limits) -> Iterator[Finding]:
    rows = rows_of(child, subject.profile)
    if rows < limits.min_rows or is_served(child, key, limits.max_found, subject.profile):
        return
    deleted = max(sum(n.rows for n in node.inputs), 1.0)
    action = key.on_update if node.operation in ("Update", "Insert") else key.on_delete
    yield RULE.finding(
        f"for each of {counted(deleted)} of {key.references} {_ACTIONS.get(action, 'looks for rows in')}"
        f" {child.relation} by reading its {counted(rows)}: no index starts with ({', '.join(key.columns)})",
        Evidence.stat("rows of the child table", round(rows), "rows"),
        Evidence.plan("rows changed by the statement", round(deleted), "rows"),
        Evidence.catalog("foreign key", key.name),
        table=child.relation,
        about=",".join(key.columns),
        node=node,
        parameters=subject.parameters,
        severity=RULE.severity if rows >= limits.error_rows else Severity.WARNING,
    )


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every foreign key of a large table that has no index, whoever deletes what."""
    for child in profile.tables:
        rows = rows_of(child, profile)
        own = (k for k in child.foreign_keys if k.inherited_from is None and rows >= limits.error_rows)
        for key in own:
            if not is_served(child, key, limits.max_found, profile):
                yield _of_schema(child, key, rows)


def _of_schema(child: Table, key: Constraint, rows: float) -> Finding:
    return RULE.finding(
        f"a DELETE from {key.references} would read the {counted(rows)} of {child.relation} for every row: no index"
        f" starts with ({', '.join(key.columns)})",
        Evidence.stat("rows of the child table", round(rows), "rows"),
        Evidence.catalog("foreign key", key.name),
        table=child.relation,
        about=",".join(key.columns),
        severity=Severity.WARNING,
    )


def _changed(node: Node, profile: Profile) -> Table | None:
    if node.kind != "ModifyTable" or node.relation is None:
        return None
    return profile.find_table(node.relation.name, node.relation.schema or None)


def _concerned(table: Table, node: Node, subject: Subject) -> Iterator[tuple[Table, Constraint]]:
    """Yield the foreign keys whose triggers the change fires, those behind cascades included."""
    facts = subject.facts
    updated = facts.updated(table.name, table.schema) if node.operation != "Delete" else frozenset()
    if updated:
        for child, key in _pointing_at(table, subject.profile):
            if updated & set(key.referenced_columns):
                yield child, key
    if node.operation == "Delete" or (node.operation == "Merge" and facts.deletes_from(table.name, table.schema)):
        yield from _behind(table, subject.profile, frozenset())


def _behind(table: Table, profile: Profile, passed: frozenset[RelationName]) -> Iterator[tuple[Table, Constraint]]:
    if table.relation in passed:
        return
    for child, key in _pointing_at(table, profile):
        yield child, key
        if key.on_delete == "cascade":
            yield from _behind(child, profile, passed | {table.relation})


def _pointing_at(table: Table, profile: Profile) -> Iterator[tuple[Table, Constraint]]:
    targets = {table.relation, partition_root(table, profile).relation}
    for target in targets:
        for child, key in profile.referencing(target):
            if key.inherited_from is None:
                yield child, key


def rows_of(table: Table, profile: Profile) -> float:
    """Return a table's rows, those of its partitions where it is partitioned."""
    if table.kind is not RelationKind.PARTITIONED_TABLE:
        return table.rows
    return sum(rows_of(t, profile) for t in profile.children(table.relation))


def is_served(child: Table, key: Constraint, max_found: float, profile: Profile) -> bool:
    """Whether an index finds the rows of one foreign key value without reading many others.

    The key's columns may lead the index in any order; some of them suffice where they pick few rows by themselves.
    """
    rows = rows_of(child, profile)
    return any(_finds(child, index, key, rows) <= max_found for index in child.indexes if _is_usable(index, key))


def _is_usable(index: Index, key: Constraint) -> bool:
    return index.valid and index.method in _FULL_INDEXES and (not index.predicate or _is_implied(index.predicate, key))


def _is_implied(predicate: str, key: Constraint) -> bool:
    """Whether a predicate says no more than that the key is there, which comparing it with a value implies."""
    parts = sqltext.conjuncts(sqltext.condition(predicate))
    return all(
        isinstance(p, Comparison)
        and p.kind is ComparisonKind.IS_NOT_NULL
        and p.left.column is not None
        and p.left.column.column in key.columns
        for p in parts
    )


def _finds(child: Table, index: Index, key: Constraint, rows: float) -> float:
    """Return how many rows the index finds for the most common values of the columns that it shares with the key."""
    leading = []
    for column in index.columns:
        if column not in key.columns:
            break
        leading.append(column)
    if set(leading) == set(key.columns):
        return 0.0
    return rows * math.prod(_largest_share(child, column, rows) for column in leading) if leading else math.inf


def _largest_share(table: Table, name: str, rows: float) -> float:
    """Return the share of the rows that the column's most common value has."""
    column = table.column(name)
    statistics = column.own_statistics if column is not None else None
    if statistics is None or statistics.n_distinct == 0:
        return 1.0
    distinct = statistics.n_distinct if statistics.n_distinct > 0 else -statistics.n_distinct * rows
    return max((*(statistics.most_common_frequencies or ()), 1.0 / max(distinct, 1.0)))
