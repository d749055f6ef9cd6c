"""A query that takes longer to plan than to run.

Sees:   a planning time above the execution time.
Hurts:  many partitions, joins or indexes are looked at for every call; the processor does it, so it grows with traffic.
Do:     prepare the statement, name the partition key, join fewer tables, drop unused indexes.
Quiet:  planning that takes little, plans that were not executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.plans import total_ms
from premortem.rules.measured import evidence, milliseconds, pages, relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="planning-slower-than-execution", severity=Severity.WARNING, needs_analyze=True, page=__doc__)
#: From here on the first planning of a session, with an empty catalog cache, explains much of the time.
COLD_KB = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_ms` of planning, and at least `min_ratio` times the execution."""

    min_ms: float = 20
    min_ratio: float = 1


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding where planning takes most of the time."""
    plan = subject.plan
    planning, running = plan.planning_ms, total_ms(plan)
    if planning is None or running is None:
        return
    if planning < limits.min_ms or planning < limits.min_ratio * running:
        return
    cold = plan.planning_read_blocks or 0
    why = f", {pages(cold)} of the catalog read from disk among it" if cold * 8 > COLD_KB else ""
    yield RULE.finding(
        f"is planned for {milliseconds(planning)} and runs for {milliseconds(running)}{why}",
        evidence("planning", planning, "ms"),
        evidence("execution", running, "ms"),
        table=relation_of(plan.root),
        about="planning",
        node=plan.root,
        parameters=subject.parameters,
        advice="prepare it once and execute it often; fewer partitions, joins and indexes to look at",
    )
