"""What a plan may cost when the planner's hopes fail: `plans.worst_cost`, and four bets that it does not see.

An EXISTS that is an output, not a condition, is an InitPlan or SubPlan without an output list of its own.  A B-tree
whose leading column the condition leaves open is read from end to end, however few rows the condition keeps.  An
incremental sort reads all rows that tie on what is sorted already, and the planner takes the ties for average ones.
A search of a trigram index walks through lists that it does not count (`trigrams`).
"""

from __future__ import annotations

from dataclasses import dataclass

from premortem import plans, sqltext
from premortem.advisor.trigrams import walked
from premortem.model import Index, Node, Plan, Profile

_SUBPLANS = frozenset({"InitPlan", "SubPlan"})
_KEPT = 0.5
_UNLUCKY = 50.0  # how many times more than expected a filter that keeps most is taken to read, at worst


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The planner's cost of a plan, its cost when nothing stops early, and when any filter at all may find nothing.

    The last one is for comparing candidates only: an index that leaves a condition to a filter relies on it being
    independent of what is in the index.
    """

    shown: float
    worst: float
    strict: float = 0.0

    @property
    def risk(self) -> float:
        """The cost to be judged by."""
        return max(self.shown, self.worst)

    @property
    def doubt(self) -> float:
        """The cost to compare candidates by."""
        return max(self.risk, self.strict)


def costs_of(plan: Plan, profile: Profile) -> Costs:
    """Return both costs of a plan."""
    worst = plans.worst_cost(plan, profile)
    ties = max((_ties(node, plan, profile) for node in plan.walk()), default=0.0)
    lists = sum(walked(node, plan, profile) for node in plan.walk())
    hidden = max((ties, *(_bet(node, plan, profile, _KEPT) for node in plan.walk())))
    strict = max((_bet(node, plan, profile, 1.01) for node in plan.walk()), default=0.0)
    return Costs(
        shown=plan.total_cost, worst=max(worst, hidden) + lists, strict=min(strict, plan.total_cost * _UNLUCKY)
    )


def _bet(node: Node, plan: Plan, profile: Profile, kept: float) -> float:
    """Return the full cost of a scan that something above expects to stop early, 0 where there is no such bet."""
    if not node.path or node.relation is None:
        return 0.0
    above = plan.ancestors(node.path)
    if any(a.kind in ("Sort", "Aggregate", "Hash") for a in above) or not any(_stops(a, plan) for a in (*above, node)):
        return 0.0
    return node.total_cost if _discards(node, profile, kept) else 0.0


def _ties(node: Node, plan: Plan, profile: Profile) -> float:
    """Return what an incremental sort costs starting in the largest group of ties, 0 where nothing stops it early."""
    if node.kind != "Incremental Sort" or not any(a.kind == "Limit" for a in plan.ancestors(node.path)):
        return 0.0
    found = [_most_common(key, plan, profile) for key in node.presorted_key]
    return node.total_cost * min(found, default=0.0)


def _most_common(key: str, plan: Plan, profile: Profile) -> float:
    """Return the share of the most common value of a sort key's column."""
    parsed = sqltext.sort_key(key)
    scan = next((n for n in plan.scans() if n.alias == parsed.alias), None)
    table = profile.find_table(scan.relation.name, scan.relation.schema or None) if scan and scan.relation else None
    column = table.column(parsed.column) if table and parsed.column else None
    statistics = column.own_statistics if column else None
    return max(statistics.most_common_frequencies or (0.0,)) if statistics else 0.0


def _stops(node: Node, plan: Plan) -> bool:
    if node.kind == "Limit":
        return True
    return node.parent_relationship in _SUBPLANS and not node.output and bool(node.path)


def _discards(node: Node, profile: Profile, kept: float) -> bool:
    table = profile.find_table(node.relation.name, node.relation.schema or None) if node.relation else None
    if table is None:
        return False
    if node.filter is not None and plans.keeps(node, profile) < kept:
        return True
    index = next((i for i in table.indexes if i.name == node.index), None)
    return index is not None and index.method == "btree" and _skips_leading(node, index)


def _skips_leading(node: Node, index: Index) -> bool:
    """Whether the index condition is on later keys only."""
    first = index.keys[0].column
    if node.index_condition is None or first is None or node.kind == "Bitmap Heap Scan":
        return False
    condition = sqltext.condition(node.index_condition)
    named = {
        c.column
        for cmp in sqltext.comparisons(condition)
        for o in cmp.operands
        for c in o.columns
        if c.alias == node.alias
    }
    return bool(named) and first not in named
