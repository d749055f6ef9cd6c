"""Rebuilds a tree whose indentation was lost, from how many inputs each kind of node has.

EXPLAIN prints a node, its InitPlans, its inputs, then its SubPlans (`ExplainNode` of explain.c).  In that order the
number of inputs that each node must have is enough to nest all but Append and the like, which take as many as their
cost is the sum of.
"""

from __future__ import annotations

from collections.abc import Iterator

from premortem.model import Json
from premortem.plans import values

Properties = dict[str, Json]

_TWO = frozenset({"Nested Loop", "Hash Join", "Merge Join", "Recursive Union"})
_ONE = frozenset(
    "Aggregate|Sort|Incremental Sort|Limit|Unique|Hash|Materialize|Memoize|Gather|Gather Merge|Group|WindowAgg|"
    "LockRows|ProjectSet|Subquery Scan|Bitmap Heap Scan".split("|")
)
_MANY = frozenset({"Append", "Merge Append", "MergeAppend", "BitmapAnd", "BitmapOr"})
_ANY = frozenset({"Result", "SetOp", "Foreign Scan", "Custom Scan"})
_UNSURE = 1.02  # an Append costs a little more than what it appends


def inputs(kind: str) -> tuple[int, int]:
    """Return the least and the most inputs that a node of a kind has.

    >>> inputs("Hash Join"), inputs("Seq Scan"), inputs("Append")
    ((2, 2), (0, 0), (0, 10000))
    """
    if kind in _TWO:
        return 2, 2
    if kind in _ONE:
        return 1, 1
    if kind == "ModifyTable":  # several up to version 13, one for each partition
        return 1, 10_000
    if kind in _MANY:
        return 0, 10_000
    if kind in _ANY:
        return 0, 2
    return (0, 0) if kind.endswith(" Scan") else (0, 10_000)


def is_sound(root: Properties) -> bool:
    """Whether every node has as many inputs as its kind has."""
    return all(low <= len(_inputs(n)) <= high for n in walk(root) for low, high in (inputs(str(n.get("Node Type"))),))


def walk(root: Properties) -> Iterator[Properties]:
    """Yield the property objects of a tree's nodes as EXPLAIN prints them, without recursion."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(_plans(node))


def rebuilt(root: Properties) -> Properties | None:
    """Return the tree that the same nodes in the same order make by their numbers of inputs, None where none is sound.

    Raises RecursionError for one that is nested too deeply.
    """
    order = [{k: v for k, v in node.items() if k not in ("Plans", "Parent Relationship")} for node in walk(root)]
    builder = _Builder(order)
    made = builder.node()
    builder.take_rest(made)
    return made if builder.is_done and is_sound(made) else None


class _Builder:
    def __init__(self, order: list[Properties]) -> None:
        self._order = order
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at == len(self._order)

    def node(self) -> Properties:
        """Take the next node and all that belongs below it."""
        made = self._order[self._at]
        self._at += 1
        self._take_headed(made, "InitPlan", "CTE", mentioned=self._closes_initplan(made))
        low, high = inputs(str(made.get("Node Type")))
        taken = 0
        while taken < high and self._more(made, low, taken):
            self._hang(made, "")
            taken += 1
        self._take_headed(made, "SubPlan", mentioned=True)
        return made

    def take_rest(self, root: Properties) -> None:
        """Hang the SubPlans that nothing mentions, those of a list of columns that was not printed, under the root."""
        while str((self._following or {}).get("Subplan Name", "")).startswith("SubPlan"):
            self._hang(root, "SubPlan")

    def _more(self, made: Properties, low: int, taken: int) -> bool:
        following = self._following
        if following is None or "Subplan Name" in following:
            return False
        return taken < low or (_cost(made) > _UNSURE * sum(map(_cost, _inputs(made))) if taken else _cost(made) > 0.02)

    @property
    def _following(self) -> Properties | None:
        return self._order[self._at] if self._at < len(self._order) else None

    def _closes_initplan(self, made: Properties) -> bool:
        """Whether what follows may be the next InitPlan of a node further up, so that this one has to mention it."""
        return inputs(str(made.get("Node Type")))[1] == 0 and any("Subplan Name" in n for n in self._order[: self._at])

    def _take_headed(self, made: Properties, *headings: str, mentioned: bool) -> None:
        while (following := self._following) is not None:
            name = str(following.get("Subplan Name", ""))
            if not name.startswith(headings) or (mentioned and self._at > 1 and not _mentions(made, name)):
                return
            self._hang(made, "SubPlan" if name.startswith("SubPlan") else "InitPlan")

    def _hang(self, made: Properties, relationship: str) -> None:
        fed = len(_inputs(made))
        child = self.node()
        child["Parent Relationship"] = relationship or values.relationship(str(made.get("Node Type")), fed)
        plans = made.setdefault("Plans", [])
        assert isinstance(plans, list)
        plans.append(child)


def _mentions(node: Properties, name: str) -> bool:
    """Whether a node's conditions name a SubPlan or what an InitPlan returns."""
    plain, _, returned = name.partition(" (returns ")
    wanted = [f"({plain}", f"hashed {plain}", plain, *([returned.rstrip(")")] if returned else [])]
    output = node.get("Output")
    said = [*node.values(), *(output if isinstance(output, list) else [])]
    return any(w in v for v in said if isinstance(v, str) and v != name for w in wanted)


def _cost(node: Properties) -> float:
    value = node.get("Total Cost")
    return value if isinstance(value, float) else 0.0


def _plans(node: Properties) -> list[Properties]:
    plans = node.get("Plans")
    return [p for p in plans if isinstance(p, dict)] if isinstance(plans, list) else []


def _inputs(node: Properties) -> list[Properties]:
    return [p for p in _plans(node) if p.get("Parent Relationship") not in values.APART]
