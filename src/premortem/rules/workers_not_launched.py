"""A parallel plan that got fewer workers than it was made for.

Sees:   a Gather whose `Workers Launched` is below `Workers Planned`.
Hurts:  the plan is worth its cost only with its workers; alone, one process does the work of all.
Do:     raise max_parallel_workers (and max_worker_processes), or lower max_parallel_workers_per_gather.
Quiet:  all workers there, plans that were not executed, queries that take little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.plans import total_ms
from premortem.rules.measured import evidence, executed, relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="workers-not-launched", severity=Severity.WARNING, needs_analyze=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_missing` workers missing in a query of at least `min_ms`."""

    min_missing: float = 1
    min_ms: float = 100


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every Gather that lacked workers."""
    for node, actual in executed(subject):
        planned, launched = node.workers_planned, actual.workers_launched
        if planned is None or launched is None or planned - launched < limits.min_missing:
            continue
        if (total_ms(subject.plan) or limits.min_ms) < limits.min_ms:
            continue
        yield RULE.finding(
            f"was planned for {planned} workers and got {launched}",
            evidence("workers planned", planned),
            evidence("workers launched", launched),
            table=relation_of(node),
            about="workers",
            node=node,
            parameters=subject.parameters,
            advice="raise max_parallel_workers, or lower max_parallel_workers_per_gather so that more queries get some",
        )
