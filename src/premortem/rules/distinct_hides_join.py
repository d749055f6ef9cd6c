"""DISTINCT that throws away what a join has multiplied.

Sees:   SELECT DISTINCT of one table's columns, its key among them, over a join that multiplies its rows.
Hurts:  all pairs are made, then sorted or hashed to find the few that were wanted.
Do:     ask whether there is a match, `WHERE EXISTS (…)` or `IN (SELECT …)`: PostgreSQL stops at the first one.
Quiet:  few rows, joins that multiply little, DISTINCT over columns of both tables or without the key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import Evidence, Finding, Node, Severity, Table
from premortem.rules.discards import counted
from premortem.rules.execution import table_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="distinct-hides-join", severity=Severity.WARNING, page=__doc__)
_ABOVE = frozenset({"Limit", "Sort", "Incremental Sort", "Gather", "Gather Merge", "Result", "Subquery Scan"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` compared (times calls per second), `min_ratio` times what is left of them."""

    min_rows: float = 10_000
    min_ratio: float = 3


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding where DISTINCT undoes what a join did."""
    node = _top(subject.plan.root)
    if node is None or not subject.facts.is_distinct:
        return
    rows = node.inputs[0].rows
    if subject.weight(rows) < limits.min_rows or rows < limits.min_ratio * node.rows:
        return
    table, others = _one_table(node, subject)
    if table is not None and others:
        names = " and ".join(others)
        yield RULE.finding(
            f"joins {table.full_name} with {names} into {counted(rows)}, of which DISTINCT leaves {counted(node.rows)}",
            Evidence.plan("rows compared", round(rows), "rows"),
            Evidence.plan("rows left", round(node.rows), "rows"),
            table=table.relation,
            about=names.replace(" ", ""),
            node=node,
            parameters=subject.parameters,
            advice=f"ask with EXISTS whether {names} has a match, and leave DISTINCT out",
        )


def _top(node: Node) -> Node | None:
    """Return the node that drops duplicates, at the top of the plan."""
    while node.kind in _ABOVE and node.inputs:
        node = node.inputs[0]
    return node if node.kind == "Unique" or (node.kind == "Aggregate" and node.group_key) else None


def _one_table(node: Node, subject: Subject) -> tuple[Table | None, tuple[str, ...]]:
    """Return the one table that all results are of, with its key among them, and those that it is joined with."""
    operands = [sqltext.operand(item) for item in node.output]
    columns = [o.column for o in operands if o is not None and o.column is not None]
    scans = {n.alias: t for n in _inputs(node) if (t := table_of(n, subject.profile)) is not None}
    owners = {c.alias for c in columns}
    table = scans.get(next(iter(owners))) if len(owners) == 1 and len(columns) == len(operands) else None
    named = {c.column for c in columns}
    if table is None or not any(i.unique and i.predicate is None and set(i.columns) <= named for i in table.indexes):
        return None, ()
    others = dict.fromkeys(t.full_name for t in scans.values() if t.relation != table.relation)
    return table, tuple(others)


def _inputs(node: Node) -> Iterator[Node]:
    """Yield a node and what feeds it, subqueries left out."""
    yield node
    for child in node.inputs:
        yield from _inputs(child)
