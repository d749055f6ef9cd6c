"""Which of a demand's plans have something to say on candidates that the others do not say.

Most parameter sets get the generic plan with other figures.  Reading the conditions of a plan takes longer than
planning, so a plan that differs from another in constants only is not read again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from premortem.model import Node, Planned

_TYPE = (
    r'::(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?(?: varying| precision)?(?:\(\d+(?:,\d+)?\))?'
    r"(?: with(?:out)? time zone)?(?:\[\])*"
)
_CONSTANT = re.compile(rf"(?:'(?:[^']|'')*'|\(\$\d+\)(?=::)|\$\d+|(?<![\w\"$.])-?\d+(?:\.\d+)?(?![\w\"]))(?:{_TYPE})?")
_LIST = re.compile(rf"ARRAY\[\?(?:, \?)*\](?:{_TYPE})?")
#: A relation's part of a plan's cost decides whether it is worth an index; in a plan so much dearer it may be another.
_DEARER = 4.0


def telling(planned: Sequence[Planned]) -> tuple[Planned, ...]:
    """Return the plans to read, the generic one first: for each that differs in constants only, the dearest."""
    ordered = sorted(planned, key=lambda p: (not p.parameters.is_generic, -p.plan.total_cost))
    found: dict[object, Planned] = {}
    for one in ordered:
        key = tuple(_said(node) for node in one.plan.walk())
        known = found.get(key)
        if known is None:
            found[key] = one
        elif known.parameters.is_generic and one.plan.total_cost > _DEARER * known.plan.total_cost:
            found.setdefault((key, "dearer"), one)
    return tuple(found.values())


def _said(node: Node) -> object:
    """Return what a node says but for constants, costs and rows."""
    return (
        node.kind, node.relation, node.alias, node.index, node.join_type, node.strategy, tuple(map(_bare, _texts(node)))
    )  # fmt: skip


def _texts(node: Node) -> Iterator[str]:
    yield from (node.filter or "", node.index_condition or "", node.recheck_condition or "", node.join_filter or "")
    yield from (node.hash_condition or "", node.merge_condition or "", node.order_by or "")
    yield from node.sort_key
    yield from node.group_key


def _bare(text: str) -> str:
    """Return a deparsed text with its constants and parameters alike; a pattern's text says what it is.

    >>> _bare("((a = $1) AND ((b)::text = ($2)::text))") == _bare("((a = 5) AND ((b)::text = 'x'::text))")
    True
    >>> _bare("(a = ANY (ARRAY[$1, $2]))") == _bare("(a = ANY ('{1,2,3}'::integer[]))")
    True
    >>> _bare("(a ~~ $1)") == _bare("(a ~~ 'x%'::text)")
    False
    """
    return text if "~" in text else _LIST.sub("?", _CONSTANT.sub("?", text))
