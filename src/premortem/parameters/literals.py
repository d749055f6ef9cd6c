"""Literals of a text that meet pseudonyms: production's value is not in the profile, so it is taken for a rare one."""

from __future__ import annotations

from collections.abc import Iterator

from premortem import sqltext
from premortem.model import Node, Plan, Profile


def literals_unknown(plan: Plan, profile: Profile) -> tuple[str, ...]:
    """Return the columns that a plan compares with a literal and whose values are pseudonyms.

    The plan must hold no values but those of the text: it is the literal one, or the generic one.
    """
    return tuple(dict.fromkeys(name for node in plan.scans() for name in _columns(node, profile)))


def _columns(node: Node, profile: Profile) -> Iterator[str]:
    table = profile.table(node.relation) if node.relation else None
    texts = (node.filter, node.index_condition, node.recheck_condition)
    for text in texts if table is not None else ():
        for comparison in sqltext.comparisons(sqltext.condition(text)) if text else ():
            column = comparison.left.column
            found = table.column(column.column) if table is not None and column is not None else None
            statistics = found.own_statistics if found is not None else None
            constant = comparison.right is not None and comparison.right.constant is not None
            if constant and found is not None and statistics is not None and statistics.pseudonyms:
                yield f"{node.relation}.{found.name}"
