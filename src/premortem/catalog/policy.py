"""Decides which columns' values leave production as they are under `--values low-cardinality`.

A column passes when it looks like a status: few distinct values, all of them short and all of them among the most
common ones.  Columns that a foreign key or a partition tree ties together are judged together, as their values must
stay equal.  A name that sounds like personal data never passes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from premortem.catalog.kinds import Kind, Shape, TypeRow, Wrap, shape
from premortem.model import Column, ColumnStatistics, RelationName, Table

MOST_VALUES = 50
LONGEST_VALUE = 40
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
#: Words of a column's name that sound like a person or a secret; plural forms are cut before they are looked up.
_PERSONAL = frozenset(
    """
    email mail name firstname lastname fullname username nickname surname forename login phone telephone tel mobile
    cell fax address addr street road zip zipcode postcode postal city town birth birthday birthdate dob born age
    gender sex ssn sin nin passport license licence iban bic account acct card cvv pan tax vat salary wage income
    token password passwd pwd secret apikey hash salt signature session cookie ip ipaddress lat latitude lon lng
    longitude     geo location comment note message subject body title description bio
    """.split()
)
ColumnKey = tuple[RelationName, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A column with what its type is, whether it looks like a status, and whether it has few values at all."""

    column: Column
    shape: Shape
    personal: bool
    status_like: bool
    few: bool
    partition_key: bool


def personal(text: str) -> bool:
    """Return whether a column's name, or an expression, sounds like a person or a secret.

    >>> [personal(name) for name in ("user_email", "billingAddress", "status", "created_at", "lower(last_name)")]
    [True, True, False, False, True]
    """
    words = (word.lower() for word in _WORDS.findall(text))
    return any(word in _PERSONAL or word.removesuffix("s") in _PERSONAL for word in words)


def status_like(found: ColumnStatistics, wrap: Wrap) -> bool:
    """Return whether the values in a column's statistics are few, short and all told."""
    if wrap is Wrap.ARRAY:
        shown = found.most_common_elements or ()
        return bool(shown) and len(shown) <= MOST_VALUES and _short(shown)
    values = found.most_common_values
    if values is None or found.histogram_bounds is not None or found.range_bounds_histogram is not None:
        return False
    return 0 < found.n_distinct <= MOST_VALUES and len(values) <= MOST_VALUES and _short(values)


def _short(values: Iterable[str]) -> bool:
    return all(len(value) <= LONGEST_VALUE for value in values)


def passing(tables: Iterable[Table], types: Mapping[str, TypeRow]) -> frozenset[ColumnKey]:
    """Return the columns whose values leave production as they are."""
    tables = tuple(tables)
    judged = {(t.relation, c.name): _judged(t, c, types) for t in tables for c in t.columns}
    groups = _groups(tables, judged)
    return frozenset(key for group in groups for key in group if _passes([judged[k] for k in group], judged[key]))


def _judged(table: Table, column: Column, types: Mapping[str, TypeRow]) -> Judged:
    form = shape(column.type, types)
    key = table.partition_key or ""
    return Judged(
        column=column, shape=form, personal=personal(column.name),
        status_like=bool(column.statistics) and all(status_like(s, form.wrap) for s in column.statistics),
        few=all(_distinct(s, table) <= MOST_VALUES for s in column.statistics),
        partition_key=key.startswith(("LIST", "RANGE")) and column.name in re.findall(r"\w+", key),
    )  # fmt: skip


def _distinct(found: ColumnStatistics, table: Table) -> float:
    return found.n_distinct if found.n_distinct >= 0 else -found.n_distinct * max(table.rows, 0.0)


def _passes(group: list[Judged], one: Judged) -> bool:
    if one.shape.kind is Kind.STATUS:
        return True
    if any(member.personal for member in group):
        return False
    if one.shape.kind is Kind.TIME or any(member.partition_key for member in group):
        return True
    few = all(m.status_like or (m.few and m.shape.wrap is Wrap.PLAIN) for m in group)
    return few and any(m.status_like for m in group)


def _groups(tables: Iterable[Table], keys: Mapping[ColumnKey, Judged]) -> Iterator[list[ColumnKey]]:
    """Columns that foreign keys and inheritance tie together, each in one group."""
    leader = {key: key for key in keys}

    def find(key: ColumnKey) -> ColumnKey:
        while leader[key] != key:
            leader[key] = leader[leader[key]]
            key = leader[key]
        return key

    for one, other in _ties(tables):
        if one in leader and other in leader:
            leader[find(one)] = find(other)
    groups: defaultdict[ColumnKey, list[ColumnKey]] = defaultdict(list)
    for key in keys:
        groups[find(key)].append(key)
    yield from groups.values()


def _ties(tables: Iterable[Table]) -> Iterator[tuple[ColumnKey, ColumnKey]]:
    for table in tables:
        for constraint in table.foreign_keys:
            if constraint.references is not None:
                pairs = zip(constraint.columns, constraint.referenced_columns, strict=False)
                yield from (((table.relation, here), (constraint.references, there)) for here, there in pairs)
        for parent in table.parents:
            yield from (((table.relation, c.name), (parent, c.name)) for c in table.columns)
