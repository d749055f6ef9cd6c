"""Sizes in memory as the planner counts them, and which relations a part of a plan is about."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

from premortem.model import Node, Profile, RelationName, Table, quoted
from premortem.rules.subject import Subject

#: Bytes of a row beyond its columns, in a sort or hash table (`relation_byte_size` of costsize.c: an aligned header).
ROW_OVERHEAD = 24
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_NOTHING = RelationName(schema="", name="query")


def sized(size_bytes: float) -> str:
    """Return a size in words.

    >>> sized(900), sized(4 << 20), sized(1.26 * 2**30)
    ('900 bytes', '4 MB', '1.3 GB')
    """
    step = min(int(math.log(max(size_bytes, 1), 1024)), len(_UNITS) - 1)
    value = size_bytes / 1024**step
    return f"{value:,.1f} {_UNITS[step]}" if value < 10 and value % 1 >= 0.05 else f"{value:,.0f} {_UNITS[step]}"


def bytes_of(rows: float, width: int) -> float:
    """Return what the planner takes rows of that width to need in a sort or hash table."""
    return rows * (math.ceil(width / 8) * 8 + ROW_OVERHEAD)


def work_mem(profile: Profile) -> float:
    """Return what a sort may use, in bytes."""
    return _number(profile.setting("work_mem"), 4096.0) * 1024


def hash_mem(profile: Profile) -> float:
    """Return what a hash table may use, in bytes: since version 13 a multiple of `work_mem`, since 15 twice it."""
    default = 2.0 if profile.server.major >= 15 else 1.0
    return work_mem(profile) * _number(profile.setting("hash_mem_multiplier"), default)


def _number(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def relation_of(*nodes: Node) -> RelationName:
    """Return the first relation that is read at or below nodes, a stand-in where none is."""
    return next((n.relation for node in nodes for n in node.walk() if n.relation is not None), _NOTHING)


def aliases(node: Node) -> frozenset[str]:
    """Return the names under which a part of a plan knows what it reads."""
    return frozenset(n.alias for n in node.walk() if n.alias)


def mentions_any(text: str, names: frozenset[str]) -> bool:
    """Whether an expression of a plan has a column of one of these.

    >>> mentions_any("(o.id = c.id)", frozenset({"c"})), mentions_any("(abc.id = 1)", frozenset({"c"}))
    (True, False)
    """
    return any(f"{mark}{quoted(name)}." in f"({text}" for name in names for mark in ("(", " ", ",", "-", "["))


def texts(node: Node) -> Iterator[str]:
    """Yield everything that EXPLAIN says of one node in words, its outputs left out."""
    for name, value in node.raw.items():
        if name == "Output":
            continue
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, str))


def is_settled(table: Table) -> bool:
    """Whether a table's rates are those of a day at least, and not of a bulk load that the statistics began with."""
    return table.activity.window is None or table.activity.window >= timedelta(days=1)


def is_guess(subject: Subject) -> bool:
    """Whether the plan's figures come from no value: a generic plan takes ranges and lists for a fixed share."""
    return subject.planned.parameters.is_generic and subject.query.parameter_count > 0
