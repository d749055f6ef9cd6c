"""An estimate of rows that is far from what was found, where it decides the plan.

Sees:   the node where an error of ten times or more begins, with many rows found or expected.
Hurts:  everything above it is chosen for another number of rows: nested loops, memory, the order of joins.
Do:     ANALYZE; a higher statistics target for skewed columns; CREATE STATISTICS for columns that depend on each other.
Quiet:  small numbers of rows, nodes that were stopped early, errors that begin further down, plans not executed, what
        `correlated-columns-without-statistics` explains.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import Evidence, Finding, Node, RelationName, Severity
from premortem.rules import correlated_columns_without_statistics as correlated
from premortem.rules.measured import (
    about,
    error_of,
    estimate,
    evidence,
    executed,
    has_estimate,
    may_stop_early,
    place,
    relation_of,
)
from premortem.rules.readings import columns_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="row-estimate-wrong", severity=Severity.WARNING, needs_analyze=True, page=__doc__)
#: Nodes that hand on what they get, so that an error begins further down or in what stops them.
PASSING = frozenset(
    "Limit|Gather|Gather Merge|Materialize|Memoize|Hash|Sort|Incremental Sort|ModifyTable|BitmapAnd|BitmapOr".split("|")
)
MOST_LOOPS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Wrong by `min_factor` (PEV2 marks 10, dataxplan 100), with at least `min_rows` found or expected."""

    min_factor: float = 10
    min_rows: float = 1_000


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for the node of each relation where the worst error begins."""
    told = correlated.explained(subject, correlated.Limits())
    wrong = [n for n, _ in executed(subject) if n.path not in told and _begins_here(subject, n, limits)]
    worst: dict[RelationName, Node] = {}
    for node in sorted(wrong, key=lambda n: -abs(math.log(error_of(n)))):
        worst.setdefault(relation_of(node), node)
    yield from (_finding(subject, node) for node in worst.values())


def _begins_here(subject: Subject, node: Node, limits: Limits) -> bool:
    assert node.actual is not None
    if not has_estimate(node) or node.kind in PASSING or node.actual.loops <= 0:
        return False
    error = error_of(node)
    rows = max(node.actual.rows, estimate(node)) * min(node.actual.loops, MOST_LOOPS)
    if max(error, 1 / error) < limits.min_factor or rows < limits.min_rows:
        return False
    if error < 1 and may_stop_early(subject, node):
        return False
    return not any(_same_error(child, error, limits) for child in node.inputs)


def _same_error(child: Node, error: float, limits: Limits) -> bool:
    """Whether the error is there already in an input, in the same direction and nearly as large."""
    if child.actual is None or child.actual.loops <= 0 or not has_estimate(child):
        return False
    below = error_of(child)
    return (below >= limits.min_factor) if error > 1 else (below <= 1 / limits.min_factor)


def _finding(subject: Subject, node: Node) -> Finding:
    assert node.actual is not None
    error = error_of(node)
    times = f"{max(error, 1 / error):,.0f} times {'more' if error > 1 else 'fewer'}"
    per = " per execution" if node.actual.loops > 1 else ""
    return RULE.finding(
        f"{place(node)} returns {node.actual.rows:,.0f} rows{per} where {estimate(node):,.0f} were expected: {times}",
        evidence("rows found", node.actual.rows, "rows"),
        Evidence.plan("rows expected", estimate(node), "rows"),
        evidence("executions", node.actual.loops),
        table=relation_of(node),
        about=about(node),
        node=node,
        parameters=subject.parameters,
        advice=_advice(node),
    )


def _advice(node: Node) -> str:
    texts = (node.filter, node.index_condition)
    columns = columns_of([sqltext.condition(t) for t in texts if t])
    table = relation_of(node)
    if node.relation is not None and len(columns) > 1:
        return f"ANALYZE {table}; if it stays, CREATE STATISTICS ON {', '.join(columns)} FROM {table}"
    if node.relation is not None and columns:
        return f"ANALYZE {table}; if it stays, ALTER TABLE {table} ALTER {columns[0]} SET STATISTICS 1000"
    return "ANALYZE the tables below it; what joins or groups by dependent columns is hard to estimate"
