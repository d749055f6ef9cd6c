"""A plan as text, as EXPLAIN prints it, with the node that hurts marked."""

from __future__ import annotations

from premortem.model import Node, Plan
from premortem.plans import PlanLine, lines
from premortem.report import words

MARK = "◀ here"
_STEP = 3


def text(plan: Plan, *, hot: tuple[int, ...] | None = None) -> str:
    """Return the plan as indented text; the node at the path `hot` is marked."""
    return "\n".join(line for shown in lines(plan) for line in node_lines(shown, hot=hot))


def node_lines(shown: PlanLine, *, hot: tuple[int, ...] | None = None) -> tuple[str, ...]:
    """Return the text of one node: its heading with costs, then its conditions."""
    indent = " " * (_STEP * shown.depth)
    arrow = f"{indent[:-_STEP]}-> " if shown.depth else ""
    mark = f"  {MARK}" if shown.path == hot else ""
    head = f"{arrow}{words.one_line(shown.label)}  {figures(shown.node)}{mark}"
    above = (f"{indent}{words.one_line(shown.subplan)}",) if shown.subplan else ()
    return (*above, head, *(f"{indent}  {words.one_line(d)}" for d in shown.details))


def figures(node: Node) -> str:
    """Return a node's estimates as EXPLAIN prints them, without the width."""
    costs = f"cost={node.startup_cost:.2f}..{node.total_cost:.2f} rows={node.rows:.0f}"
    actual = node.actual
    return f"({costs})" + (f" (actual rows={actual.rows:.0f} loops={actual.loops:.0f})" if actual else "")
