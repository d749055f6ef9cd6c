"""What a schema says of a column's values: CHECKs of one column, and the bounds of its partition."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Column, ConstraintKind, Profile, Table

_LITERAL = r"(?:'(?P<text>(?:[^']|'')*)'|\(?(?P<number>-?[\d.]+)\)?)"
_COMPARISON = re.compile(rf"\(*\"?(?P<column>\w+)\"?\)*(?:::[\w ]+)?\)* (?P<sign><=?|>=?) {_LITERAL}")
_IN = re.compile(r"\(*\"?(?P<column>\w+)\"?\)*(?:::[\w ]+)?\)* = ANY \(+ARRAY\[(?P<values>.*?)\]")
_VALUE = re.compile(r"'((?:[^']|'')*)'|(-?[\d.]+)")
_RANGE = re.compile(r"FROM \((?P<low>.*)\) TO \((?P<high>.*)\)")
_LIST = re.compile(r"FOR VALUES IN \((?P<values>.*)\)")
_KEY = re.compile(r"(?P<method>\w+) \((?P<columns>.*)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The least and the largest value that a column may have, and all that it may have, as text; None for no limit.

    `below` and `above` say that the limits themselves are outside.
    """

    least: str | None = None
    most: str | None = None
    above: bool = False
    below: bool = False
    listed: tuple[str, ...] = ()


def limits(table: Table, column: Column, profile: Profile) -> Limits:
    """Return what partitions and CHECKs that hold for every row say of a column."""
    least, most, above, below = None, None, False, False
    listed: tuple[str, ...] = ()
    for found in (*_checks(table, column), *_partitions(table, column, profile)):
        if found.least is not None:
            least, above = found.least, found.above
        if found.most is not None:
            most, below = found.most, found.below
        listed = found.listed or listed
    return Limits(least=least, most=most, above=above, below=below, listed=listed)


def _checks(table: Table, column: Column) -> Iterator[Limits]:
    for constraint in table.constraints:
        text = constraint.definition
        if constraint.kind is not ConstraintKind.CHECK or " OR " in text or "NOT (" in text:
            continue
        for match in _COMPARISON.finditer(text):
            if match["column"] == column.name:
                value = match["text"].replace("''", "'") if match["text"] is not None else match["number"]
                if match["sign"].startswith(">"):
                    yield Limits(least=value, above=match["sign"] == ">")
                else:
                    yield Limits(most=value, below=match["sign"] == "<")
        for match in _IN.finditer(text):
            if match["column"] == column.name:
                yield Limits(listed=_values(match["values"]))


def _values(text: str) -> tuple[str, ...]:
    return tuple((a.replace("''", "'") if a or not b else b) for a, b in _VALUE.findall(text))


def _partitions(table: Table, column: Column, profile: Profile) -> Iterator[Limits]:
    """Yield the bounds of the partition and of those that it is a part of."""
    one: Table | None = table
    while one is not None and one.partition_bound and one.parents:
        parent = profile.table(one.parents[0])
        keys = partition_columns(parent) if parent else ()
        if column.name in keys:
            yield from _bound(one.partition_bound, keys.index(column.name))
        one = parent


def partition_columns(table: Table) -> tuple[str, ...]:
    """Return the columns that a table is partitioned by; an expression stands as it is written."""
    match = _KEY.match(table.partition_key or "")
    return tuple(part.strip().strip('"') for part in match["columns"].split(",")) if match else ()


def _bound(text: str, at: int) -> Iterator[Limits]:
    listed = _LIST.search(text)
    if listed:
        values = tuple(v for v in _values(listed["values"]) if v)
        if values:
            yield Limits(listed=values)
    match = _RANGE.search(text)
    if match:
        lows, highs = (_ends(match[name]) for name in ("low", "high"))
        before = all(lows[i] == highs[i] for i in range(min(at, len(lows), len(highs))))
        if at < len(lows) and at < len(highs) and before:
            yield Limits(least=lows[at], most=highs[at], below=at == len(highs) - 1)


def _ends(text: str) -> list[str | None]:
    parts = re.findall(r"'(?:[^']|'')*'|[^,]+", text)
    return [None if p.strip() in ("MINVALUE", "MAXVALUE") else p.strip().strip("'").replace("''", "'") for p in parts]
