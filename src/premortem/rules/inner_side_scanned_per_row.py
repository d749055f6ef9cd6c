"""The inner side of a join, or a subquery, that is read anew for every row of the outer side.

Sees:   a sequential scan inside a nested loop, semi-join, anti-join or SubPlan, or rows that Materialize keeps
        and the join compares one by one.
Hurts:  reads are the product of two tables; ten times the data is a hundred times the work.
Do:     index the inner side's join key, with its filter; the advisor proposes one and proves it.
Quiet:  few rows in all, joins that keep what they compare (a product was asked for).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import Evidence, Finding, Node, Severity
from premortem.rules.discards import about, counted, on_columns, rows_evidence
from premortem.rules.execution import Execution
from premortem.rules.readings import WHOLE, Reading, columns_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import Condition

RULE = Rule(name="inner-side-scanned-per-row", severity=Severity.ERROR, curable_by_index=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Rows read over all executions; rows of Materialize count a tenth, as they are compared and not read."""

    min_rows: float = 50_000
    max_kept: float = 0.2


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every table whose rows are read or compared once per outer row."""
    for reading in subject.readings:
        looked_at, turns = _looked_at(reading)
        if turns <= 1 or subject.weight(looked_at) < limits.min_rows:
            continue
        conditions = (*reading.filters, *_join_conditions(reading.execution))
        kept = _kept(reading)
        if reading.how == WHOLE and conditions and kept <= limits.max_kept * looked_at:
            yield _finding(subject, reading, turns, looked_at, kept, conditions)


def _looked_at(reading: Reading) -> tuple[float, float]:
    execution = reading.execution
    if execution.copies > 1:
        return reading.kept * execution.copies / 10, execution.copies
    return reading.read, execution.loops


def _kept(reading: Reading) -> float:
    join = _join(reading.execution)
    kept = reading.kept * reading.execution.copies
    return min(kept, join.rows * reading.execution.processes) if join is not None else kept


def _join(execution: Execution) -> Node | None:
    """Return the nested loop that runs the scan per row, None where a SubPlan does."""
    child = execution.node
    for parent in reversed(execution.parents):
        if child.parent_relationship == "SubPlan":
            return None
        if parent.kind == "Nested Loop" and child.parent_relationship == "Inner":
            return parent
        child = parent
    return None


def _join_conditions(execution: Execution) -> tuple[Condition, ...]:
    join = _join(execution)
    parts = sqltext.conjuncts(sqltext.condition(join.join_filter)) if join is not None and join.join_filter else ()
    alias = execution.node.alias
    return tuple(c for c in parts if columns_of([c], alias))


def _finding(
    subject: Subject, reading: Reading, turns: float, looked_at: float, kept: float, conditions: tuple[Condition, ...]
) -> Finding:
    own = tuple(c for part in conditions for x in sqltext.comparisons(part) if (c := x.about(reading.node.alias)))
    how = "compares" if reading.execution.copies > 1 else "reads"
    once = reading.kept if reading.execution.copies > 1 else reading.read_once
    asked = on_columns(reading, own or conditions)
    return RULE.finding(
        f"{how} {counted(once)} of {reading.relation} for each of {counted(turns)}{asked}",
        *rows_evidence(reading, kept),
        Evidence.plan("rows looked at in all", round(once * turns), "rows"),
        table=reading.relation,
        about=about(reading, own or conditions),
        node=reading.node,
        parameters=subject.parameters,
    )
