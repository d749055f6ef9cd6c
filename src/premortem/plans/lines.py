"""A plan as indented lines, so that every renderer draws the same tree and marks the same node."""

from __future__ import annotations

from dataclasses import dataclass

from premortem.model import Node, Plan
from premortem.model.relation import quoted
from premortem.plans.shape import kind

_SHOWN = (
    ("Index Cond", "index_condition"),
    ("Recheck Cond", "recheck_condition"),
    ("Order By", "order_by"),
    ("Hash Cond", "hash_condition"),
    ("Merge Cond", "merge_condition"),
    ("Join Filter", "join_filter"),
    ("Filter", "filter"),
)
_LISTED = (("Sort Key", "sort_key"), ("Presorted Key", "presorted_key"), ("Group Key", "group_key"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """One node of a plan as a line of text.

    `label` is what PostgreSQL's text form calls the node, without indentation and arrow; `details` are its conditions
    and keys, one line each; `subplan` is the heading above it (`SubPlan 1`, `CTE x`) where it has one.
    """

    path: tuple[int, ...]
    depth: int
    label: str
    details: tuple[str, ...]
    subplan: str | None
    node: Node


def lines(plan: Plan) -> tuple[PlanLine, ...]:
    """Return a plan's nodes as lines, parents first."""
    return tuple(
        PlanLine(
            path=node.path,
            depth=len(node.path),
            label=label(node),
            details=details(node),
            subplan=node.subplan_name,
            node=node,
        )
        for node in plan.walk()
    )


def label(node: Node) -> str:
    """Return a node's heading, such as `Index Scan using orders_pkey on orders o`."""
    words = [kind(node)]
    words += ["Backward"] if node.scan_direction == "Backward" else []
    if node.kind == "Bitmap Index Scan":
        return " ".join([*words, f"on {quoted(node.index)}" if node.index else ""]).rstrip()
    words += [f"using {quoted(node.index)}"] if node.index else []
    words += [f"on {target}"] if (target := _target(node)) else []
    return " ".join(words)


def _target(node: Node) -> str:
    if node.relation is not None:
        name = node.relation.short
        return name if node.alias in (None, node.relation.name) else f"{name} {quoted(node.alias or '')}"
    named = node.cte_name or node.raw.get("Function Name")
    names = [quoted(n) for n in (named, node.alias) if isinstance(n, str)]
    return " ".join(dict.fromkeys(names))


def details(node: Node) -> tuple[str, ...]:
    """Return a node's conditions and keys as EXPLAIN's text form prints them."""
    conditions = [f"{name}: {value}" for name, field in _SHOWN if (value := getattr(node, field)) is not None]
    keys = [f"{name}: {', '.join(value)}" for name, field in _LISTED if (value := getattr(node, field))]
    return (*keys, *conditions)
