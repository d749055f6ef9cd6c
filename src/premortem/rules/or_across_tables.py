"""Alternatives over columns of different tables, which are checked after the join.

Sees:   `a.x = $1 OR b.y = $2` in a join that compares many rows and keeps few.
Hurts:  neither table can be narrowed down before the join: both are read and joined whole, however good the indexes.
Do:     a UNION of two queries, one for each alternative: each can use its own table's index.
Quiet:  few rows joined, joins that keep much, alternatives that each say how the two tables belong together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import Evidence, Finding, Node, Severity
from premortem.rules.amounts import relation_of
from premortem.rules.discards import counted
from premortem.rules.execution import Execution
from premortem.rules.obstacles import Obstacle, has_expression_index, indexes_starting_with, obstacle
from premortem.rules.readings import Reading, columns_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import Condition, Or

RULE = Rule(name="or-across-tables", severity=Severity.ERROR, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` compared (times calls per second), of which at most `max_kept` are kept."""

    min_rows: float = 20_000
    max_kept: float = 0.2


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every join that is filtered by alternatives over several tables."""
    for execution in subject.executions:
        node = execution.node
        if len(node.inputs) != 2:
            continue
        compared = max(n.rows for n in node.inputs) * execution.processes * execution.loops
        kept = execution.rows
        if subject.weight(compared) < limits.min_rows or kept > limits.max_kept * compared:
            continue
        for condition in _alternatives(node):
            yield _finding(subject, execution, condition, compared, kept)


def _alternatives(node: Node) -> Iterator[Or]:
    for text in (node.join_filter, node.filter):
        if text is None or " OR " not in text or "SubPlan" in text:
            continue
        for part in sqltext.conjuncts(sqltext.condition(text)):
            if isinstance(part, Or) and _is_across(part):
                yield part


def _is_across(condition: Or) -> bool:
    """Whether each arm is about one table, and the arms are not all about the same."""
    arms = [_aliases(arm) for arm in sqltext.disjuncts(condition)]
    return all(len(arm) == 1 for arm in arms) and len(frozenset.union(*arms)) > 1


def _aliases(arm: Condition) -> frozenset[str | None]:
    found = (o for c in sqltext.comparisons(arm) for o in c.operands)
    return frozenset(alias for operand in found for alias in operand.aliases)


def _finding(subject: Subject, execution: Execution, condition: Or, compared: float, kept: float) -> Finding:
    node = execution.node
    arms = sqltext.disjuncts(condition)
    readings = [_reading(subject, arm) for arm in arms]
    served = all(r is not None and _is_served(arm, r) for r, arm in zip(readings, arms, strict=True))
    named = [
        f"{r.relation if r else 'a subquery'} ({', '.join(columns_of([a]))})"
        for r, a in zip(readings, arms, strict=True)
    ]
    tables = [r.relation for r in readings if r is not None]
    return RULE.finding(
        f"joins {counted(compared)} to keep {counted(kept)} by alternatives over {' or '.join(dict.fromkeys(named))}",
        Evidence.plan("rows compared", round(compared), "rows"),
        Evidence.plan("rows kept", round(kept), "rows"),
        table=tables[0] if tables else relation_of(node),
        about=" or ".join(dict.fromkeys(",".join(columns_of([arm])) for arm in arms)),
        node=node,
        parameters=subject.parameters,
        severity=None if served else Severity.WARNING,
        advice="write a UNION of one query for each alternative",
    )


def _reading(subject: Subject, arm: Condition) -> Reading | None:
    (alias,) = _aliases(arm)
    return next((r for r in subject.readings if r.node.alias == alias), None)


def _is_served(arm: Condition, reading: Reading) -> bool:
    """Whether an index exists that would serve this alternative alone."""
    asked = (c.about(reading.node.alias) for c in sqltext.conjuncts(arm) if isinstance(c, sqltext.Comparison))
    plain = any(obstacle(c, reading.table, reading.node.alias) is Obstacle.NONE for c in sqltext.conjuncts(arm))
    by_column = any(any(indexes_starting_with(reading.table, column)) for column in columns_of([arm]))
    return plain and (by_column or any(c is not None and has_expression_index(reading.table, c.left) for c in asked))
