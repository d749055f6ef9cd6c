"""Two tables that nothing ties together, so that every row of one meets every row of the other.

Sees:   a nested loop of two tables without a condition between them, neither here nor elsewhere in the plan.
Hurts:  rows are the product of two tables; both grow, and a forgotten ON fills disks with temporary files.
Do:     say how the tables belong together; where the product is wanted, write CROSS JOIN and keep it small.
Quiet:  small products, sides of one row, tables tied by a third one or by the same value, sets of generated rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Node, Severity
from premortem.rules.amounts import aliases, mentions_any, relation_of, texts
from premortem.rules.discards import counted
from premortem.rules.execution import Execution
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import Comparison, ComparisonKind

RULE = Rule(name="join-without-condition", severity=Severity.ERROR, page=__doc__)
_WRITTEN = re.compile(r"\bcross\s+join\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_pairs` rows come out of sides of at least `min_side` rows each."""

    min_pairs: float = 100_000
    min_side: float = 10


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every product of two tables."""
    for execution in subject.executions:
        node = execution.node
        if node.kind != "Nested Loop" or len(node.inputs) != 2 or node.join_type not in (None, "Inner", "Left"):
            continue
        outer, inner = node.inputs
        pairs = outer.rows * inner.rows * execution.processes * execution.loops
        if pairs < limits.min_pairs or min(outer.rows, inner.rows) < limits.min_side or node.join_filter:
            continue
        if all(any(n.relation for n in side.walk()) for side in (outer, inner)) and not _are_tied(subject, node):
            yield _finding(subject, execution, pairs)


def _are_tied(subject: Subject, join: Node) -> bool:
    """Whether something says how the sides belong together: in the inner side, above, or by the same value."""
    outer, inner = (aliases(side) for side in join.inputs)
    if any(mentions_any(text, outer) for node in join.inputs[1].walk() for text in texts(node)):
        return True
    others = (n for n in subject.plan.walk() if n.path[: len(join.path)] != join.path or n is join)
    said = [text for node in others for text in texts(node)]
    if any(mentions_any(text, outer) and mentions_any(text, inner) for text in said):
        return True
    return bool(_values(subject, join.inputs[0]) & _values(subject, join.inputs[1]))


def _values(subject: Subject, side: Node) -> frozenset[str]:
    """Return the values that the relations of one side are equal to."""
    below = (r for r in subject.readings if r.node.path[: len(side.path)] == side.path)
    asked = (c for r in below for c in (*r.filters, *r.index_conditions) if isinstance(c, Comparison))
    equal = (c.right for c in asked if c.kind is ComparisonKind.EQUALITY and c.right is not None and c.right.is_fixed)
    return frozenset(o.constant if o.constant is not None else o.text for o in equal)


def _finding(subject: Subject, execution: Execution, pairs: float) -> Finding:
    node = execution.node
    outer, inner = node.inputs
    one, other = relation_of(outer), relation_of(inner)
    return RULE.finding(
        f"joins {counted(outer.rows)} of {one} with {counted(inner.rows)} of {other} without a condition:"
        f" {counted(pairs, 'pair')}",
        Evidence.plan("pairs of rows", round(pairs), "rows"),
        table=one,
        about=other.sql,
        node=node,
        parameters=subject.parameters,
        severity=Severity.WARNING if _WRITTEN.search(subject.query.text) else None,
        advice=f"say which rows of {one} and {other} belong together",
    )
