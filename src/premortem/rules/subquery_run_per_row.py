"""A subquery that is run once for every row of the query around it.

Sees:   a correlated subquery in the SELECT list or a condition that is expected to run very often.
Hurts:  a thousand rows cost a thousand little queries, a million rows a million; an index makes each quick, not few.
Do:     join it, or aggregate once with GROUP BY and join that; a LIMIT that is applied before the subquery helps too.
Quiet:  few runs, hashed subqueries, ones that scan a table each time (another rule names these).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Severity
from premortem.rules.amounts import relation_of
from premortem.rules.discards import counted
from premortem.rules.execution import Execution, conditions
from premortem.rules.readings import WHOLE
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="subquery-run-per-row", severity=Severity.WARNING, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_runs` (times calls per second), which make up at least `min_share` of the plan's cost."""

    min_runs: float = 20_000
    min_share: float = 0.3


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every subquery that runs very often."""
    for execution in subject.executions:
        node = execution.node
        if node.parent_relationship != "SubPlan" or subject.weight(execution.loops) < limits.min_runs:
            continue
        if f"hashed {node.subplan_name}" in conditions(execution.parents[-1]) or _scans(subject, execution):
            continue
        cost = execution.loops * node.total_cost * execution.share
        if cost >= limits.min_share * subject.plan.total_cost and any(n.relation for n in node.walk()):
            yield RULE.finding(
                f"runs a subquery on {relation_of(node)} for each of {counted(execution.loops)}",
                Evidence.plan("runs", round(execution.loops)),
                Evidence.plan("cost of all runs", round(cost)),
                table=relation_of(node),
                about="subquery",
                node=node,
                parameters=subject.parameters,
                advice="join the table, or aggregate it once and join that",
            )


def _scans(subject: Subject, execution: Execution) -> bool:
    path = execution.node.path
    return any(r.how == WHOLE and r.node.path[: len(path)] == path for r in subject.readings)
