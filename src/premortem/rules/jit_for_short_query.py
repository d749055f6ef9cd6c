"""A query that is compiled to machine code each time, and takes longer to compile than to run.

Sees:   a cost above `jit_above_cost`, for a query that production runs often and quickly, or a plan of very many nodes
        (every partition's expressions are compiled).
Hurts:  compiling costs tens of milliseconds to seconds for each execution, and is not kept for the next.
Do:     `SET jit = off` for the role or database, or raise `jit_above_cost`; search fewer partitions.
Quiet:  jit off, cheaper plans, long queries, plans of few nodes whose time nobody knows, plans that were executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Plan, Query, Severity, Source
from premortem.rules.amounts import is_guess, relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="jit-for-short-query", severity=Severity.WARNING, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At most `max_ms` on average, at least `min_calls` a second; or at least `min_nodes` nodes with expressions."""

    max_ms: float = 500
    min_calls: float = 0.1
    min_nodes: float = 100


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding where compiling costs more than it saves."""
    threshold = _threshold(subject)
    cost = subject.plan.total_cost
    if threshold is None or cost < threshold or is_guess(subject) or subject.plan.execution_ms is not None:
        return
    nodes = _compiled(subject.plan)
    short = _is_short(subject.query, limits)
    if not short and nodes < limits.min_nodes:
        return
    why = short or f"for {nodes:,} nodes"
    yield RULE.finding(
        f"costs {cost:,.0f}, above jit_above_cost ({threshold:,.0f}), so it is compiled each time, {why}",
        Evidence.plan("cost", round(cost)),
        Evidence.catalog("jit_above_cost", threshold),
        Evidence(name="nodes with expressions", value=nodes, source=Source.COMPUTED),
        table=relation_of(subject.plan.root),
        about="jit",
        node=subject.plan.root,
        parameters=subject.parameters,
        advice="set jit = off for the role that runs it, or raise jit_above_cost",
    )


def _threshold(subject: Subject) -> float | None:
    """Return the cost from which on production compiles, None where it does not."""
    if subject.profile.setting("jit") != "on":
        return None
    try:
        threshold = float(subject.profile.setting("jit_above_cost", "100000"))
    except ValueError:
        return None
    return threshold if threshold >= 0 else None


def _is_short(query: Query, limits: Limits) -> str:
    """Return how quick and frequent the query is in production, nothing where it is not, or nobody knows."""
    if query.mean_time is None or query.calls_per_second is None:
        return ""
    mean = query.mean_time.total_seconds() * 1000
    if mean > limits.max_ms or query.calls_per_second < limits.min_calls:
        return ""
    return f"although it takes {mean:,.0f} ms, {query.calls_per_second:,.1f} times a second"


def _compiled(plan: Plan) -> int:
    """Return how many nodes have expressions that are worth compiling: conditions, joins and aggregates."""
    return sum(
        1
        for n in plan.walk()
        if n.filter or n.join_filter or n.hash_condition or n.index_condition or n.kind == "Aggregate"
    )
