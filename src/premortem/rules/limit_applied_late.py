"""A LIMIT that comes after joins which could have been left for the few rows that remain.

Sees:   a sort by one table's columns and a LIMIT above joins that neither drop nor multiply that table's rows.
Hurts:  other tables are read and joined for rows that nobody sees; the cost is that of the whole set, not of a page.
Do:     take the page first, in a subquery with ORDER BY and LIMIT, then join it and sort the few rows again.
Quiet:  few rows joined, joins that filter or multiply, sorts by the joined table, pages that an index delivers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import Evidence, Finding, Node, Profile, Severity, Table
from premortem.rules.amounts import aliases, relation_of
from premortem.rules.discards import counted
from premortem.rules.execution import processes, table_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import Comparison, ComparisonKind

RULE = Rule(name="limit-applied-late", severity=Severity.WARNING, page=__doc__)
_TO_SORT = frozenset({"Gather", "Gather Merge", "Result", "Subquery Scan"})
_BETWEEN = frozenset({"Hash", "Materialize", "Memoize", "Sort", "Gather", "Gather Merge", "Result"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` joined and sorted (times calls per second), of which at most `max_kept` are handed on."""

    min_rows: float = 20_000
    max_kept: float = 0.1


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every LIMIT whose sort waits for joins that it does not need."""
    for limit in subject.plan.walk():
        sort = _sort_below(limit) if limit.kind == "Limit" else None
        rows = sort.rows * _processes(limit, sort) if sort is not None else 0.0
        if sort is None or subject.weight(rows) < limits.min_rows or limit.rows > limits.max_kept * rows:
            continue
        late = tuple(_late(sort, subject.profile))
        if late:
            yield _finding(subject, limit, sort, late, rows)


def _processes(limit: Node, sort: Node) -> float:
    """Return how many processes sort, each its share."""
    above = (n for n in limit.walk() if n.kind in ("Gather", "Gather Merge") and sort.path[: len(n.path)] == n.path)
    return math.prod(processes(n) for n in above)


def _sort_below(limit: Node) -> Node | None:
    node = limit.inputs[0] if limit.inputs else None
    while node is not None and node.kind in _TO_SORT and node.inputs:
        node = node.inputs[0]
    return node if node is not None and node.kind == "Sort" else None


def _late(sort: Node, profile: Profile) -> Iterator[Table]:
    """Yield the tables that are joined below a sort and could be joined above it, from the top down."""
    keys = [sqltext.sort_key(k).operand for k in sort.sort_key]
    sorted_by = {c.alias for k in keys if k is not None for c in k.columns}
    if len(sorted_by) != 1 or None in sorted_by or any(k is None or not k.columns for k in keys):
        return
    node = sort.inputs[0]
    while len(node.inputs) == 2 or node.kind in _BETWEEN:
        if len(node.inputs) != 2:
            node = node.inputs[0]
            continue
        kept, other = sorted(node.inputs, key=lambda side: not (aliases(side) & sorted_by))
        table = _decoration(node, kept, other, profile) if aliases(kept) & sorted_by else None
        if table is None:
            return
        yield table
        node = kept


def _decoration(join: Node, kept: Node, other: Node, profile: Profile) -> Table | None:
    """Return the table that a join adds to each row once, None where it may drop or multiply rows."""
    scan = other
    while scan.relation is None and len(scan.inputs) == 1 and scan.kind in _BETWEEN:
        scan = scan.inputs[0]
    table = table_of(scan, profile)
    leaf = not scan.inputs or scan.kind == "Bitmap Heap Scan"
    if table is None or not leaf or scan.filter or join.join_filter or join.filter:
        return None
    pairs = _pairs(join, scan)
    unique = any(i.unique and i.predicate is None and set(i.columns) <= set(pairs) for i in table.indexes if i.valid)
    if not unique:
        return None
    outer_joined = join.join_type == "Left" if other is join.inputs[1] else join.join_type == "Right"
    return table if outer_joined or _always_matches(join, kept, pairs, table, profile) else None


def _pairs(join: Node, scan: Node) -> Mapping[str, sqltext.ColumnName]:
    """Return the columns of a scan that a join compares for equality, each with the other side's column."""
    text = join.hash_condition or join.merge_condition or scan.index_condition or ""
    parts = sqltext.conjuncts(sqltext.condition(text)) if text else ()
    found = (c.about(scan.alias) for c in parts if isinstance(c, Comparison) and c.kind is ComparisonKind.EQUALITY)
    return {
        c.left.column.column: c.right.column
        for c in found
        if c is not None and c.left.column is not None and c.right is not None and c.right.column is not None
    }


def _always_matches(
    join: Node, kept: Node, pairs: Mapping[str, sqltext.ColumnName], table: Table, profile: Profile
) -> bool:
    """Whether a foreign key whose columns are never NULL promises one match for each row of the other side."""
    if join.join_type not in (None, "Inner"):
        return False
    sources = {n.alias: table_of(n, profile) for n in kept.walk() if n.relation is not None}
    source = next((sources.get(c.alias) for c in pairs.values()), None)
    if source is None:
        return False
    return any(
        key.references == table.relation
        and key.validated
        and all((column := source.column(c)) is not None and column.not_null for c in key.columns)
        and dict(zip(key.referenced_columns, key.columns, strict=True)) == {c: o.column for c, o in pairs.items()}
        for key in source.foreign_keys
    )


def _finding(subject: Subject, limit: Node, sort: Node, late: tuple[Table, ...], rows: float) -> Finding:
    names = " and ".join(dict.fromkeys(t.full_name for t in late))
    table = relation_of(*(n for n in sort.walk() if n.alias in _sorted(sort)))
    return RULE.finding(
        f"joins {names} to {counted(rows)} of {table}, sorts them, and hands on {counted(limit.rows)}: the join"
        " could wait for these",
        Evidence.plan("rows joined and sorted", round(rows), "rows"),
        Evidence.plan("rows handed on", round(limit.rows), "rows"),
        table=table,
        about=names.replace(" ", ""),
        node=limit,
        parameters=subject.parameters,
        advice=f"sort and limit {table} in a subquery, and join {names} to what is left",
    )


def _sorted(sort: Node) -> set[str | None]:
    return {c.alias for k in sort.sort_key if (o := sqltext.sort_key(k).operand) is not None for c in o.columns}
