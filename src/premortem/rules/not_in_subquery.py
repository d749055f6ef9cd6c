"""NOT IN with a subquery, which compares every row with every row as soon as the list outgrows memory.

Sees:   `x NOT IN (SELECT …)` whose list is too large for a hash table, or soon will be.
Hurts:  up to the limit of memory it is quick; one row more, and each row is compared with the whole list.  And a single
        NULL in the list makes the answer empty.
Do:     NOT EXISTS with the same condition: PostgreSQL makes an anti-join of it, which has no such limit.
Quiet:  short lists, NOT IN with values, NOT EXISTS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Severity
from premortem.rules.amounts import bytes_of, hash_mem, relation_of, sized
from premortem.rules.discards import counted
from premortem.rules.execution import Execution, conditions
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="not-in-subquery", severity=Severity.ERROR, page=__doc__)
_ADVICE = "write NOT EXISTS (SELECT … WHERE …) in place of NOT IN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_compared` comparisons, or a hashed list that needs `max_share` of the memory it may have."""

    min_compared: float = 1_000_000
    max_share: float = 0.25


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every NOT IN whose list is, or soon will be, gone through row by row."""
    if not any(n.parent_relationship == "SubPlan" for n in subject.plan.walk()):
        return
    if not subject.facts.has_not_in:
        return
    for execution in subject.executions:
        node = execution.node
        if node.parent_relationship != "SubPlan" or not execution.parents:
            continue
        asked = conditions(execution.parents[-1])
        if f"hashed {node.subplan_name}" in asked:
            yield from _hashed(subject, execution, limits)
        elif "NOT" in asked and (node.kind == "Materialize" or f"= ({node.subplan_name}).col1" in asked):
            yield from _compared(subject, execution, limits)


def _hashed(subject: Subject, execution: Execution, limits: Limits) -> Iterator[Finding]:
    node, memory = execution.node, hash_mem(subject.profile)
    size = bytes_of(node.rows, node.width)
    if size < limits.max_share * memory:
        return
    most = round(node.rows * memory / size)
    yield RULE.finding(
        f"looks for values in a list of {counted(node.rows)} of {relation_of(node)}, {sized(size)} of the"
        f" {sized(memory)} that a hash table may use: above {counted(most)} each row is compared with the whole list",
        Evidence.plan("rows in the list", round(node.rows), "rows"),
        Evidence.catalog("memory for a hash table", round(memory), "bytes"),
        table=relation_of(node),
        about="not in",
        node=node,
        parameters=subject.parameters,
        severity=Severity.WARNING,
        advice=_ADVICE,
    )


def _compared(subject: Subject, execution: Execution, limits: Limits) -> Iterator[Finding]:
    node, outer = execution.node, execution.parents[-1]
    compared = execution.loops * node.rows
    if compared < limits.min_compared:
        return
    yield RULE.finding(
        f"compares each of {counted(execution.loops)} of {relation_of(outer)} with a list of {counted(node.rows)} of"
        f" {relation_of(node)}, which no hash table of {sized(hash_mem(subject.profile))} holds",
        Evidence.plan("comparisons", round(compared)),
        Evidence.plan("rows in the list", round(node.rows), "rows"),
        table=relation_of(node),
        about="not in",
        node=node,
        parameters=subject.parameters,
        advice=_ADVICE,
    )
