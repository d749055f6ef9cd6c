"""A query whose expressions took a large part of its time to compile.

Sees:   JIT timing that is a large share of the execution.
Hurts:  the compilation is paid at every execution; plans with many partitions compile thousands of functions.
Do:     `SET jit = off` for this role or database, or raise jit_above_cost above this plan's cost.
Quiet:  long queries, compilation that is quick, plans that were not executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.plans import total_ms
from premortem.rules.measured import evidence, milliseconds, relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="jit-takes-longer-than-it-saves", severity=Severity.WARNING, needs_analyze=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_ms` of compiling, and at least `min_share` of the execution (dataxplan: 25 %)."""

    min_ms: float = 50
    min_share: float = 0.25


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding where compiling took much of the time."""
    plan = subject.plan
    spent, whole = plan.jit_ms, total_ms(plan)
    if spent is None or not whole or spent < limits.min_ms or spent < limits.min_share * whole:
        return
    yield RULE.finding(
        f"compiles expressions for {milliseconds(spent)} of the {milliseconds(whole)} that it runs",
        evidence("JIT compilation", spent, "ms"),
        evidence("execution", whole, "ms"),
        table=relation_of(plan.root),
        about="jit",
        node=plan.root,
        parameters=subject.parameters,
        advice=f"SET jit = off for whoever runs it, or jit_above_cost above {plan.total_cost:,.0f}",
    )
