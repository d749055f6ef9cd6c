"""What a plan costs when nothing that is expected to stop early does.

The planner discounts whatever stands under a LIMIT, and the inner side of a semi-join, anti-join or unique join, by the
share of it that it expects to be read.  That is a bet on the key being there: where it is rare or absent, everything is
read.  The top line of the plan shows the bet won; this is the bet lost.

What is inflated
    LIMIT                the child's full cost, when some node on the way down can discard rows
    Nested Loop Semi, Anti, or with a unique inner side
                         the inner side's full cost for every outer row, when the inner side can discard rows
    Incremental Sort     under a LIMIT, the cost of sorting a group as large as the most common value of the presorted
                         columns makes it, where the planner takes all groups for equally large
    MIN/MAX, EXISTS      PostgreSQL plans MIN/MAX as an InitPlan with LIMIT 1, so the first line covers it; an EXISTS
                         that stays a SubPlan or InitPlan is charged for its first row only, and here for all of them
    everything else      its own cost, with its inputs as above

A node that keeps at least half of what it reads is taken at its word (`TRUSTED`): only a filter that keeps little, or
an index scan that goes through all of its index, can turn out to keep nothing.  Without a profile the number of rows
that a scan reads is unknown, and any filter counts.
Merge joins are left as they are: where they stop depends on the range of values, not on how rare one is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from premortem.model import Node, Plan, Profile, Table
from premortem.plans import labels
from premortem.plans.costs import DEFAULT_PRICES, Prices, expected_processes
from premortem.plans.reads import rows_of_all, rows_read

TRUSTED = 0.5
_BLOCKING = frozenset({"Sort", "Hash", "Aggregate", "Bitmap Index Scan", "BitmapAnd", "BitmapOr", "SetOp"})
_COLUMN = re.compile(rf"(?:({labels.NAME})\.)?({labels.NAME})(?: (?:DESC|ASC|NULLS|COLLATE)\b.*)?\Z")
_GATHERS = frozenset({"Gather", "Gather Merge"})
_STREAMING_STRATEGIES = frozenset({"Sorted"})
_EARLY_JOINS = frozenset({"Semi", "Anti", "Right Semi"})


def worst_cost(plan: Plan | Node, profile: Profile | None = None) -> float:
    """Return the cost of a plan, or of a node and what is below it, when nothing stops early."""
    return _worst(plan.root if isinstance(plan, Plan) else plan, profile)


def _worst(node: Node, profile: Profile | None) -> float:
    grown = sum(_growth(node, child, profile) for child in node.children)
    return node.total_cost + max(grown, 0.0)


def _growth(node: Node, child: Node, profile: Profile | None) -> float:
    """What a child adds to its parent's cost when it, or what is below it, does not stop early."""
    worst = _worst(child, profile)
    if child.parent_relationship in ("InitPlan", "SubPlan"):
        return _subplan_growth(node, child, worst, profile)
    if node.kind == "Limit":
        full = worst if keeps(child, profile) < TRUSTED else first_group_cost(child, profile)
        return max(full - node.total_cost, 0.0)
    if node.kind == "Nested Loop" and child.parent_relationship == "Inner":
        return _inner_growth(node, child, worst, profile)
    return worst - child.total_cost


def _inner_growth(join: Node, inner: Node, worst: float, profile: Profile | None) -> float:
    outer = next((n for n in join.inputs if n is not inner), None)
    loops = max(outer.rows, 1.0) if outer is not None else 1.0
    if inner.kind == "Materialize":
        return worst - inner.total_cost
    if stops_at_first_match(join) and (join.join_filter or keeps(inner, profile) < TRUSTED):
        outer_cost = outer.total_cost if outer is not None else 0.0
        return max(loops * worst + outer_cost - join.total_cost, 0.0)
    return loops * (worst - inner.total_cost)


def first_group_cost(node: Node, profile: Profile | None) -> float:
    """Return what an incremental sort costs up to its first row when its first group is the largest, else nothing."""
    below = next((n for n in _stream(node) if n.kind == "Incremental Sort"), None)
    if below is None or profile is None:
        return 0.0
    shares = [largest_share(key, below, profile) for key in below.presorted_key]
    return below.total_cost * min(shares, default=0.0)


def _stream(node: Node) -> Iterator[Node]:
    """Yield a node and those whose first rows it waits for, down to the first that reads all its input."""
    while node.kind not in _BLOCKING:
        yield node
        if not node.inputs:
            return
        node = node.inputs[0]


def largest_share(key: str, node: Node, profile: Profile) -> float:
    """Return the share of rows that a sort key's most common value has, nothing where it is no column that we know."""
    match = _COLUMN.match(key)
    alias, column = (labels.unquoted(match[1] or ""), labels.unquoted(match[2])) if match else ("", "")
    tables = (_table(n, profile) for n in node.walk() if n.relation is not None and alias in ("", n.alias))
    found = (c.own_statistics for t in tables if t is not None and (c := t.column(column)) is not None)
    return max((f for s in found if s is not None for f in s.most_common_frequencies or ()), default=0.0)


def stops_at_first_match(join: Node) -> bool:
    """Whether a join looks for one match per outer row only."""
    return join.join_type in _EARLY_JOINS or bool(join.inner_unique)


def _subplan_growth(node: Node, child: Node, worst: float, profile: Profile | None) -> float:
    if not is_exists(node, child) and not _is_charged_in_part(node, child):
        return worst - child.total_cost
    charged = child.startup_cost + (child.total_cost - child.startup_cost) / max(child.rows, 1.0)
    if keeps(child, profile) >= TRUSTED:
        return 0.0
    calls = 1.0 if child.parent_relationship == "InitPlan" else _calls(node, profile)
    return calls * (worst - charged)


def _is_charged_in_part(node: Node, child: Node) -> bool:
    """Whether an InitPlan costs more than the node that it belongs to, which so counts on its first row only."""
    return child.parent_relationship == "InitPlan" and child.total_cost > node.total_cost


def is_exists(node: Node, child: Node) -> bool:
    """Whether a SubPlan or InitPlan is an EXISTS, as far as the conditions of its node tell.

    From version 17 on EXPLAIN says `EXISTS(SubPlan 1)`; before, a condition that is nothing but `(SubPlan 1)` or `$0`
    has to be boolean, and an EXISTS nearly always is what it comes from.
    """
    name = (child.subplan_name or "").split(" (")[0]
    conditions = [c for c in (node.filter, node.join_filter, _one_time_filter(node)) if c]
    parameter = (child.subplan_name or "").partition("(returns ")[2].rstrip(")")
    alone = {f"({name})", f"(NOT ({name}))", f"EXISTS({name})", f"(NOT EXISTS({name}))", f"(InitPlan {name[9:]}).col1"}
    return any(
        f"EXISTS({name})" in c or c in alone or (bool(parameter) and c in (parameter, f"(NOT {parameter})"))
        for c in conditions
    )


def _one_time_filter(node: Node) -> str | None:
    value = node.raw.get("One-Time Filter")
    return value if isinstance(value, str) else None


def _calls(node: Node, profile: Profile | None) -> float:
    return max(rows_read(node, _table(node, profile), prices=_prices(profile)), 1.0)


def keeps(node: Node, profile: Profile | None, processes: float = 1.0) -> float:
    """Return the share of the rows read below a node that reach it, 1.0 where none can be lost.

    The way down follows the rows that stream through; below a sort or a hash table everything is read anyway.
    `processes` are those that share a parallel-aware scan: a Gather on the way adds its own.
    """
    if node.kind in _BLOCKING and not (node.kind == "Aggregate" and node.strategy in _STREAMING_STRATEGIES):
        return 1.0
    below = processes * expected_processes(node) if node.kind in _GATHERS else processes
    return _kept_here(node, profile, processes) * _least(node, profile, below)


def _least(node: Node, profile: Profile | None, processes: float) -> float:
    followed = node.inputs[:1] if "Join" in node.kind or node.kind == "Nested Loop" else node.inputs
    return min((keeps(child, profile, processes) for child in followed), default=1.0)


def _kept_here(node: Node, profile: Profile | None, processes: float) -> float:
    if node.kind == "Nested Loop" or node.kind.endswith(" Join"):
        return _share(node.rows, node.inputs[0].rows) if node.inputs else 1.0
    table = _table(node, profile)
    if node.filter is None and (node.index_condition is None or table is None):
        return 1.0
    if node.relation is None:
        return _share(node.rows, node.inputs[0].rows) if node.inputs else 0.0
    if table is None:
        return 0.0
    returned = node.rows if node.actual is not None else rows_of_all(node, processes)
    return _share(returned, rows_read(node, table, prices=_prices(profile), processes=processes))


def _share(kept: float, read: float) -> float:
    return min(kept / read, 1.0) if read > 0 else 1.0


def _table(node: Node, profile: Profile | None) -> Table | None:
    if profile is None or node.relation is None:
        return None
    return profile.find_table(node.relation.name, node.relation.schema or None)


def _prices(profile: Profile | None) -> Prices:
    return Prices.of_profile(profile) if profile is not None else DEFAULT_PRICES
