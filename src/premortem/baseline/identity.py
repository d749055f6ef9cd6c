"""Which query is which: the name under which the lock keeps one, and the plan's outline that it keeps of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from premortem import sqltext
from premortem.model import Node, Plan, Query
from premortem.plans import kind, label

#: An outline of more lines than this says no more about the plan's shape.
MOST_LINES = 40


def key(query: Query) -> str:
    """Return the name of a query in the lock: the same while it says the same, however it is spelled.

    The fingerprint leaves constants out, and a constant decides whether a partial index fits; and it takes tables for
    one whose names differ in digits only.
    """
    named = sqltext.constants(query.text), sqltext.numbered_names(query.text)
    asked = repr((*named, query.search_path)).encode("utf-8", "surrogatepass")
    return f"{query.fingerprint}-{hashlib.sha256(asked).hexdigest()[:6]}"


def outline(plan: Plan) -> tuple[str, ...]:
    """Return a plan's nodes as lines, indented by their depth; alike ones under one parent are one line."""
    lines = list(_lines(plan.root, 0))
    if len(lines) <= MOST_LINES:
        return tuple(lines)
    return (*lines[: MOST_LINES - 1], f"and {len(lines) - MOST_LINES + 1} more nodes")


def _lines(node: Node, depth: int, more: int = 0) -> Iterator[str]:
    counted = f" (and {more} more)" if more else ""
    yield f"{'  ' * depth}{label(node)}{counted}"
    groups: dict[object, list[Node]] = {}
    for number, child in enumerate(node.children):
        groups.setdefault(_alike(node, child, number), []).append(child)
    for group in groups.values():
        yield from _lines(group[0], depth + 1, len(group) - 1)


def _alike(parent: Node, child: Node, number: int) -> object:
    """Return what makes two children one line: under an Append, partitions that are read in the same way."""
    if parent.kind not in ("Append", "Merge Append"):
        return number
    return tuple((kind(n), len(n.children)) for n in child.walk())
