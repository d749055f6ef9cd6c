"""How often each node of a plan runs, and how much of it, as the planner expects and as a careful reader would.

Where the plan was measured, it says so itself, and nothing has to be expected.

EXPLAIN prints the rows of one execution of a node.  What a statement reads is that times the executions: the inner side
of a nested loop runs once per outer row, a SubPlan once per row of its node, a parallel scan in shares.  Below a LIMIT
only a part is read; that discount is granted where nothing on the way can discard rows (`plans.keeps`), and refused
where it is a bet on finding some.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from premortem.model import Node, Plan, Profile, Table
from premortem.plans import Prices, keeps, rows_read, stops_at_first_match
from premortem.plans import processes as launched
from premortem.plans.costs import expected_processes
from premortem.plans.worst import TRUSTED, is_exists

_GATHERS = frozenset({"Gather", "Gather Merge"})
_READ_WHOLE = frozenset({"Sort", "Hash", "SetOp", "Bitmap Heap Scan", "BitmapAnd", "BitmapOr"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One node: how many times it runs, by how many processes, and the share of it that is read each time.

    `copies` is set below a Materialize or CTE: read once, its rows looked at again `copies` times.
    """

    node: Node
    parents: tuple[Node, ...] = ()
    loops: float = 1.0
    processes: float = 1.0
    share: float = 1.0
    copies: float = 1.0

    @property
    def rows(self) -> float:
        """How many rows it hands up during the whole statement."""
        if self.node.actual is not None:
            return self.node.actual.rows * self.node.actual.loops
        return self.node.rows * self.processes * self.loops * self.share


def executions(plan: Plan, profile: Profile) -> Iterator[Execution]:
    """Yield every node of a plan with how it is executed, parents first."""
    yield from _Walk(profile=profile, prices=Prices.of_profile(profile)).below(Execution(node=plan.root))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    profile: Profile
    prices: Prices

    def below(self, here: Execution) -> Iterator[Execution]:
        yield _measured(here)
        for child in here.node.children:
            yield from self.below(self._child(here, child))

    def _child(self, here: Execution, child: Node) -> Execution:
        node = here.node
        below = replace(here, node=child, parents=(*here.parents, node))
        if child.parent_relationship in ("InitPlan", "SubPlan"):
            return self._subplan(here, below)
        if node.kind in _GATHERS:
            return replace(below, processes=here.processes * _processes(node))
        if node.kind in _READ_WHOLE or (node.kind == "Aggregate" and node.strategy != "Sorted"):
            return replace(below, share=1.0)
        if node.kind == "Limit":
            return replace(below, share=here.share * self._limit_share(node, child))
        if node.kind == "Nested Loop" and child.parent_relationship == "Inner":
            return self._inner(here, below)
        if node.kind == "Materialize":
            return replace(below, loops=1.0, copies=here.loops)
        if node.kind == "Append" and node.parallel_aware and not any(n.parallel_aware for n in child.walk()):
            return replace(below, processes=1.0)  # one process takes it, and all of it
        return below

    def _subplan(self, here: Execution, below: Execution) -> Execution:
        child, node = below.node, here.node
        if child.parent_relationship == "InitPlan":
            return replace(below, share=self._first_row_share(node, child))
        if f"hashed {child.subplan_name}" in conditions(node):
            return replace(below, share=1.0)
        read = self._read(here) if mentions(node, child) else node.rows
        return replace(below, loops=here.loops * max(read * here.share, 1.0), share=self._first_row_share(node, child))

    def _read(self, here: Execution) -> float:
        """Return the rows that each of the processes reads of a node."""
        table = table_of(here.node, self.profile)
        read = rows_read(here.node, table, prices=self.prices, processes=here.processes)
        shared = here.node.parallel_aware and here.node.actual is None
        return read / here.processes if shared else read

    def _first_row_share(self, node: Node, child: Node) -> float:
        trusted = is_exists(node, child) and keeps(child, self.profile) >= TRUSTED
        return 1.0 / max(child.rows, 1.0) if trusted else 1.0

    def _limit_share(self, limit: Node, child: Node) -> float:
        if keeps(child, self.profile) < TRUSTED or child.rows <= 0:
            return 1.0
        span = child.total_cost - child.startup_cost
        by_cost = (limit.total_cost - child.startup_cost) / span if span > 0 else 1.0
        return min(max(by_cost, limit.rows / child.rows, 0.0), 1.0)

    def _inner(self, here: Execution, below: Execution) -> Execution:
        join, inner = here.node, below.node
        outer = join.inputs[0]
        loops = max(outer.rows, 1.0)
        if inner.kind == "Memoize" and inner.total_cost > 0:
            loops = min(max((join.total_cost - outer.total_cost) / inner.total_cost, 1.0), loops)
        trusted = stops_at_first_match(join) and not join.join_filter and keeps(inner, self.profile) >= TRUSTED
        share = 1.0 / max(inner.rows, 1.0) if trusted else 1.0
        return replace(below, loops=here.loops * loops * here.share, share=share)


def _measured(here: Execution) -> Execution:
    """Return how a node was executed where that was measured: the loops are those of all processes together."""
    actual = here.node.actual
    if actual is None:
        return here
    together = min(here.processes, actual.loops) if here.processes > 1 else 1.0
    return replace(here, loops=round(actual.loops / max(together, 1.0), 3), share=1.0)


def _processes(gather: Node) -> float:
    return launched(gather) if gather.actual is not None else processes(gather)


def processes(gather: Node) -> float:
    """Return how many processes' worth of rows a Gather collects, as the planner expects."""
    return expected_processes(gather)


def conditions(node: Node) -> str:
    """Return all the conditions of a node as one text, to look for a SubPlan's name in."""
    one_time = node.raw.get("One-Time Filter")
    texts = (node.filter, node.join_filter, node.index_condition, node.hash_condition, node.merge_condition, one_time)
    return " ".join(t for t in texts if isinstance(t, str))


def mentions(node: Node, child: Node) -> bool:
    """Whether a SubPlan stands in a condition of its node, and not in what the node returns."""
    return child.subplan_name is not None and child.subplan_name in conditions(node)


def table_of(node: Node, profile: Profile) -> Table | None:
    """Return the table that a scan reads, None where the profile lacks it."""
    if node.relation is None:
        return None
    return profile.find_table(node.relation.name, node.relation.schema or None)
