"""How many rows of a table have the same key: the shares of the rows that the values of one or several columns hold.

Columns are taken as independent unless something says otherwise: a unique key, extended statistics, or that two columns
both follow the order of the rows in the table, and thereby each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from premortem.advisor.columns import KeyStatistics, key_statistics
from premortem.model import ConstraintKind, ExtendedStatistics, IndexKey, Table

_STEPS = 2  # classes of shares for each power of two
_FOLLOWS = 0.9  # a correlation with the order of the rows from which two columns are taken to follow each other
_ALL = 0.95  # most common combinations that are so much of the table are all that there are


@dataclass(frozen=True, slots=True)
class Cells:
    """So many possible keys, each holding this share of the rows."""

    share: float
    count: float


@dataclass(frozen=True, slots=True)
class Groups:
    """The keys of some columns: their classes, and how many of them will be seen."""

    cells: tuple[Cells, ...]
    kinds: float


def is_unique(keys: Sequence[IndexKey], table: Table) -> bool:
    """Whether a key of the table says that no two rows have the same values there, NULLs aside."""
    names = {k.column for k in keys}
    keyed = (c.columns for c in table.constraints if c.kind in (ConstraintKind.PRIMARY_KEY, ConstraintKind.UNIQUE))
    indexed = (i.columns for i in table.indexes if i.unique and i.predicate is None and i.valid)
    return any(columns and names.issuperset(columns) and _never_null(columns, table) for columns in (*keyed, *indexed))


def _never_null(columns: Sequence[str | None], table: Table) -> bool:
    return all(name is not None and _nulls(table, name) == 0.0 for name in columns)


def _nulls(table: Table, name: str) -> float:
    return key_statistics(name, table).null_share


def groups(keys: Sequence[IndexKey], table: Table) -> Groups:
    """Return how the rows of the whole table fall on the keys, whatever the order of the columns."""
    known = table.__dict__.setdefault("_key_groups", {})
    words = frozenset(k.column or k.expression for k in keys)
    if words not in known:
        known[words] = _combined(tuple(_factors(keys, table)), table.rows)
    found: Groups = known[words]
    return found


def _factors(keys: Sequence[IndexKey], table: Table) -> Iterator[Groups]:
    """Yield the groups of sets of columns that are independent of each other."""
    left = {k.column or k.expression or "": k for k in keys}
    for statistics, places in _extended(left, table):
        names = [statistics.keys[i] for i in places]
        yield _of_extended(statistics, places, [key_statistics(left[n], table) for n in names], table.rows)
        for name in names:
            del left[name]
    following = [n for n, k in left.items() if _follows(key_statistics(k, table))]
    if len(following) > 1:
        yield _of_following([key_statistics(left.pop(n), table) for n in following], table.rows)
    yield from (of_key(key_statistics(k, table), table.rows) for k in left.values())


def of_key(key: KeyStatistics, rows: float) -> Groups:
    """Return how the rows fall on the values of one key."""
    return Groups(_merged(_classes(key.common, key.null_share, key.kinds, rows)), key.kinds + (key.null_share > 0))


# columns that depend on each other --------------------------------------------------------------------------------


def _extended(left: dict[str, IndexKey], table: Table) -> Iterator[tuple[ExtendedStatistics, tuple[int, ...]]]:
    """Yield extended statistics that tell of several of the columns, most columns first, no column twice."""
    found = [
        (statistics, places)
        for statistics in table.statistics
        if not statistics.inherited
        for places in [tuple(i for i, name in enumerate(statistics.keys) if name in left)]
        if len(places) > 1 and (statistics.ndistinct or statistics.dependencies or statistics.most_common_values)
    ]
    used: set[str] = set()
    for statistics, places in sorted(found, key=lambda f: -len(f[1])):
        names = {statistics.keys[i] for i in places}
        if not names & used:
            used |= names
            yield statistics, places


def _of_extended(
    statistics: ExtendedStatistics, places: tuple[int, ...], keys: Sequence[KeyStatistics], rows: float
) -> Groups:
    kinds = _kinds_of_extended(statistics, places, keys, rows)
    if set(places) == set(range(len(statistics.keys))) and statistics.most_common_frequencies:
        common = statistics.most_common_frequencies
    else:  # most is known of the column with the most values; the others add little to it
        finest = max(keys, key=lambda k: k.kinds)
        common = finest.common if finest.kinds > kinds * 0.8 else ()
    if sum(common) > _ALL:
        common = tuple(f / sum(common) for f in common)
    return Groups(_merged(_classes(common, 0.0, max(kinds, float(len(common))), rows)), kinds)


def _kinds_of_extended(
    statistics: ExtendedStatistics, places: tuple[int, ...], keys: Sequence[KeyStatistics], rows: float
) -> float:
    for items, found in statistics.ndistinct or ():
        if set(items) == set(places):
            return found
    product = min(rows, math.prod(k.kinds for k in keys))
    degrees = dict(statistics.dependencies or ())
    least = max(k.kinds for k in keys)
    for place in places:
        others = tuple(p for p in places if p != place)
        degree = degrees.get((*others, place))
        if degree is not None:
            rest = min(rows, math.prod(k.kinds for p, k in zip(places, keys, strict=True) if p != place))
            return max(least, rest * degree + product * (1.0 - degree))
    frequencies = statistics.most_common_frequencies or ()
    if set(places) == set(range(len(statistics.keys))) and sum(frequencies) > _ALL:
        return max(least, float(len(frequencies)))
    return product


def _follows(key: KeyStatistics) -> bool:
    found = key.statistics
    return found is not None and abs(found.correlation or 0.0) > _FOLLOWS and key.kinds > 2


def _of_following(keys: Sequence[KeyStatistics], rows: float) -> Groups:
    """Return the groups of columns that all follow the order of the rows.

    A value that is `place + noise` has a correlation of sqrt(1 - noise²) with the place, noise as a part of the whole
    range; so one column's value leaves that part of the other's values, and the noise of both counts.
    """
    first, *others = sorted(keys, key=lambda k: -abs((k.statistics and k.statistics.correlation) or 0.0))
    kinds, noise = first.kinds, _noise(first)
    for key in others:
        window = min(1.0, math.hypot(noise, _noise(key)))
        kinds *= 1.0 + (key.kinds - 1.0) * window
    kinds = max(min(kinds, rows), *(k.kinds for k in keys))
    return Groups(_merged(_classes((), 0.0, kinds, rows)), kinds)


def _noise(key: KeyStatistics) -> float:
    correlation = (key.statistics.correlation if key.statistics else None) or 0.0
    return math.sqrt(max(0.0, 1.0 - correlation * correlation))


# classes ----------------------------------------------------------------------------------------------------------


def _combined(factors: Sequence[Groups], rows: float) -> Groups:
    joint: tuple[Cells, ...] = (Cells(1.0, 1.0),)
    for factor in factors:
        joint = _merged([Cells(a.share * b.share, a.count * b.count) for a in joint for b in factor.cells])
    return Groups(joint, min(max(rows, 1.0), math.prod(f.kinds for f in factors)))


def _merged(cells: Sequence[Cells]) -> tuple[Cells, ...]:
    """Return fewer classes of about the same shares, so that products stay small."""
    buckets: dict[int, tuple[float, float]] = {}
    for cell in cells:
        if cell.count <= 0 or cell.share <= 0:
            continue
        step = round(math.log2(cell.share) * _STEPS)
        total, count = buckets.get(step, (0.0, 0.0))
        buckets[step] = (total + cell.share * cell.count, count + cell.count)
    return tuple(Cells(total / count, count) for total, count in buckets.values()) or (Cells(1.0, 1.0),)


def _classes(common: Sequence[float], nulls: float, kinds: float, rows: float) -> tuple[Cells, ...]:
    known = [Cells(f, 1.0) for f in (*common, nulls) if f > 0]
    rest = max(0.0, 1.0 - nulls - sum(common))
    distinct = max(1.0, kinds - len(common))
    if rest * rows < 1:
        return tuple(known) or (Cells(1.0, 1.0),)
    underlying = _underlying(rest * rows / distinct, distinct)
    return (*known, Cells(rest / underlying, underlying))


def _underlying(per_key: float, distinct: float) -> float:
    """Return how many keys there must be for that many to be seen, each with so many rows on average.

    Rows fall on keys at random, so a key that is seen has rate/(1 - exp(-rate)) rows on average.
    """
    if per_key <= 1.0001:
        return distinct * 1e6
    rate = per_key
    for _ in range(40):
        rate = per_key * (1.0 - math.exp(-rate))
        if rate < 1e-6:
            return distinct * 1e6
    return distinct * per_key / rate
