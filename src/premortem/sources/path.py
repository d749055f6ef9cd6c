"""`SET search_path` in a file of queries: what comes after it is looked up where it says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from premortem.model import Query, StatementKind, Unreadable

_SETS = re.compile(r"\s*SET\s+(?:SESSION\s+)?search_path\s*(?:=|\sTO\s)\s*(?P<schemas>[^;]+);?\s*\Z", re.IGNORECASE)
_RESETS = re.compile(r"\s*RESET\s+(?:search_path|ALL)\s*;?\s*\Z", re.IGNORECASE)
_SCHEMA = re.compile(r"""\s*(?:"(?P<quoted>(?:[^"]|"")+)"|'(?P<literal>(?:[^']|'')*)'|(?P<plain>[\w$]+))\s*(?:,|\Z)""")


def along(pieces: Iterable[Query | Unreadable]) -> Iterator[Query | Unreadable]:
    """Yield the pieces of one file, those after a `SET search_path` with that path, up to the next one."""
    path: tuple[str, ...] | None = None
    for piece in pieces:
        if isinstance(piece, Query) and piece.kind is StatementKind.UTILITY:
            path = _after(piece.text, path)
        yield replace(piece, search_path=path) if path is not None and isinstance(piece, Query) else piece


def _after(text: str, before: tuple[str, ...] | None) -> tuple[str, ...] | None:
    match = _SETS.match(text)
    if match is None:
        return None if _RESETS.match(text) else before
    return None if match["schemas"].strip().upper() == "DEFAULT" else schemas(match["schemas"])


def schemas(text: str) -> tuple[str, ...]:
    """Return the schemas that a list names, in order.

    >>> schemas('Sales, "Old, One"')
    ('sales', 'Old, One')
    """
    return tuple(name for match in _SCHEMA.finditer(text) if (name := _name(match)))


def _name(match: re.Match[str]) -> str:
    if match["quoted"]:
        return match["quoted"].replace('""', '"')
    return match["literal"].replace("''", "'") if match["literal"] is not None else match["plain"].lower()
