"""A nested loop whose inner side runs far more often than was expected.

Sees:   the inner side of a Nested Loop executed many times, and many times more than the outer side's estimate.
Hurts:  the plan was chosen for a few turns; with a hundred times as many a hash join would be quicker.
Do:     correct the estimate of the outer side: ANALYZE, a higher statistics target, CREATE STATISTICS on its columns.
Quiet:  as many turns as expected, few turns, joins that take a small share of the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Node, Severity
from premortem.plans import own_times, total_ms
from premortem.rules.measured import about, estimate, evidence, executed, has_estimate, place, relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="nested-loop-runs-too-often", severity=Severity.WARNING, needs_analyze=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_loops` turns, `min_factor` times as many as expected, in at least `min_share` of the time."""

    min_loops: float = 1_000
    min_factor: float = 10
    min_share: float = 0.2


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every nested loop whose outer side was underestimated."""
    for node, _ in executed(subject):
        if node.kind != "Nested Loop" or len(node.inputs) != 2 or not has_estimate(node.inputs[0]):
            continue
        outer, inner = node.inputs
        turns = _turns(inner)
        expected = estimate(outer) * (node.actual.loops if node.actual else 1.0)
        share = _share(subject, inner)
        if turns < limits.min_loops or turns < limits.min_factor * expected or share < limits.min_share:
            continue
        yield RULE.finding(
            f"runs {place(inner)} {turns:,.0f} times where {expected:,.0f} were expected",
            evidence("executions", turns),
            Evidence.plan("executions expected", round(expected)),
            table=relation_of(outer),
            about=about(node) if node.join_filter else about(inner),
            node=node,
            parameters=subject.parameters,
            advice=f"correct the estimate of {relation_of(outer)}: ANALYZE it, or CREATE STATISTICS on its columns",
        )


def _turns(inner: Node) -> float:
    return inner.actual.loops if inner.actual is not None else 0.0


def _share(subject: Subject, inner: Node) -> float:
    """Return the inner side's part of the time, all of it where nothing was timed."""
    own, whole = own_times(subject.plan), total_ms(subject.plan)
    return sum(own.get(n.path, 0.0) for n in inner.walk()) / whole if own and whole else 1.0
