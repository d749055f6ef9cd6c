"""Plans made with indexes that do not exist yet, shown with the names that these will have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from premortem.model import Advice, Effect, Node, Plan

#: What the twin calls the candidates while they are tried, numbered in their order.
_TRIED = re.compile(r"premortem_candidate_(\d+)\Z")


def named(advice: Sequence[Advice]) -> tuple[Advice, ...]:
    """Return the advice with the proposed names in the plans of its effects."""
    names = {str(number): one.name for number, one in enumerate(advice)}
    return tuple(replace(a, effects=tuple(_effect(e, names) for e in a.effects)) for a in advice)


def _effect(effect: Effect, names: Mapping[str, str]) -> Effect:
    return replace(effect, after=_plan(effect.after, names))


def _plan(plan: Plan, names: Mapping[str, str]) -> Plan:
    return replace(plan, root=_node(plan.root, names))


def _node(node: Node, names: Mapping[str, str]) -> Node:
    children = tuple(_node(c, names) for c in node.children)
    tried = _TRIED.match(node.index or "")
    index = names.get(tried[1], node.index) if tried else node.index
    return replace(node, children=children, index=index)
