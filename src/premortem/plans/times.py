"""Where a measured plan's time went: each node's own share, without what is below it.

EXPLAIN prints a node's time per loop and with everything below.  Below a Gather the loops are those of several
processes that ran at once, so the time that passed is the sum divided by them.  A CTE's time is part of the first CTE
Scan that pulls its rows, and not of the node that lists it as an InitPlan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from premortem.model import Node, Plan

_GATHERS = frozenset({"Gather", "Gather Merge"})


def as_measured(plan: Plan) -> Plan:
    """Return the plan with the rows that its nodes returned in place of those that the planner expected."""
    return replace(plan, root=_node_as_measured(plan.root)) if plan.is_measured else plan


def _node_as_measured(node: Node) -> Node:
    children = tuple(_node_as_measured(child) for child in node.children)
    rows = node.actual.rows if node.actual is not None else node.rows
    return replace(node, rows=rows, children=children)


def own_times(plan: Plan) -> Mapping[tuple[int, ...], float]:
    """Return the milliseconds that each node took itself, by path; empty where the plan was not timed."""
    totals = dict(_totals(plan.root, 1.0))
    if not totals:
        return {}
    ctes = {(n.subplan_name or "").removeprefix("CTE "): totals.get(n.path, 0.0) for n in plan.walk() if _is_cte(n)}
    return {n.path: max(totals[n.path] - _below(n, totals, ctes), 0.0) for n in plan.walk() if n.path in totals}


def total_ms(plan: Plan) -> float | None:
    """Return how long the execution took, None where the plan does not tell."""
    if plan.execution_ms is not None:
        return plan.execution_ms
    actual = plan.root.actual
    return actual.total_ms * actual.loops if actual is not None and actual.total_ms is not None else None


def processes(gather: Node) -> float:
    """Return how many processes ran what is below a Gather: the workers that were launched, and the leader."""
    launched = gather.actual.workers_launched if gather.actual is not None else None
    leads = not gather.raw.get("Single Copy")
    return max(float((launched or 0) + (1 if leads else 0)), 1.0)


def _totals(node: Node, at_once: float) -> Iterator[tuple[tuple[int, ...], float]]:
    actual = node.actual
    if actual is not None and (actual.total_ms is not None or not actual.loops):
        yield node.path, (actual.total_ms or 0.0) * actual.loops / max(min(at_once, actual.loops), 1.0)
    below = at_once * processes(node) if node.kind in _GATHERS else at_once
    for child in node.children:
        yield from _totals(child, 1.0 if child.parent_relationship == "InitPlan" else below)


def _is_cte(node: Node) -> bool:
    return bool(node.subplan_name and node.subplan_name.startswith("CTE "))


def _below(node: Node, totals: Mapping[tuple[int, ...], float], ctes: dict[str, float]) -> float:
    spent = sum(totals.get(c.path, 0.0) for c in node.children if not _is_cte(c))
    if node.kind == "CTE Scan" and node.cte_name in ctes:
        spent += ctes.pop(node.cte_name)  # the others read what the first one stored
    return spent
