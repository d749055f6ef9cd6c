"""How many rows of a table have the same key: the shares of the rows that the values of one or several columns hold.

Columns are taken as independent unless something says otherwise: a unique key, extended statistics, or that two columns
both follow the order of the rows in the table, and thereby each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from premortem.advisor.columns import KeyStatistics, key_statistics
from premortem.advisor.remembering import remembered
from premortem.model import ConstraintKind, ExtendedStatistics, IndexKey, Table

_STEPS = 2  # classes of shares for each power of two
_FOLLOWS = 0.9  # a correlation with the order of the rows from which two columns are taken to follow each other
_TELLING = 10  # bounds of a histogram
_STRETCHED = 4.0  # pseudonyms of numbers have other distances than the numbers, so there may be more than fit
_EVEN = 1.15  # so many times the kinds that chance would lead to
_ALL = 0.95  # most common combinations that are so much of the table are all that there are


@dataclass(frozen=True, slots=True)
class Cells:
    """So many possible keys, each holding this share of the rows, as chance will have it or all alike (`even`)."""

    share: float
    count: float
    even: bool = False


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
    left = {k.column or k.expression or "": key_statistics(k, table) for k in keys}
    return remembered(table, "_groups", frozenset(left), lambda: combined(left, table, table.rows))


def combined(left: dict[str, KeyStatistics], table: Table, rows: float) -> Groups:
    """Return how so many rows fall on keys of which this is known."""
    factors = tuple(_factors(left, table, rows))
    joint: tuple[Cells, ...] = (Cells(1.0, 1.0),)
    for factor in factors:
        joint = _merged([_product(a, b) for a in joint for b in factor.cells])
    return Groups(joint, min(max(rows, 1.0), math.prod(f.kinds for f in factors)))


def _product(a: Cells, b: Cells) -> Cells:
    even = (a.even and b.count == b.share == 1.0) or (b.even and a.count == a.share == 1.0)
    return Cells(a.share * b.share, a.count * b.count, even)


def _factors(left: dict[str, KeyStatistics], table: Table, rows: float) -> Iterator[Groups]:
    """Yield the groups of sets of columns that are independent of each other."""
    left = dict(left)
    for statistics, places in _extended(left, table):
        yield _of_extended(statistics, places, [left.pop(statistics.keys[i]) for i in places], rows)
    following = [n for n, k in left.items() if _follows(k)]
    if len(following) > 1:
        yield _of_following([left.pop(n) for n in following], rows)
    yield from (of_key(k, rows) for k in left.values())


def of_key(key: KeyStatistics, rows: float) -> Groups:
    """Return how the rows fall on the values of one key."""
    rest = max(0.0, 1.0 - key.null_share - sum(key.common))
    spread = spread_cells(key, rest, rows)
    if spread:
        known = (*(Cells(f, 1.0) for f in (*key.common, key.null_share) if f > 0), *spread)
        kinds = sum(c.count * (1.0 - math.exp(-c.share * rows)) for c in known)
        return Groups(_merged(known), kinds)
    classes = _classes(key.common, key.null_share, key.kinds, rows, key.sampled)
    return Groups(_merged(classes), key.kinds + (key.null_share > 0))


# columns that depend on each other --------------------------------------------------------------------------------


def _extended(left: dict[str, KeyStatistics], table: Table) -> Iterator[tuple[ExtendedStatistics, tuple[int, ...]]]:
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


# keys that are whole numbers or days ------------------------------------------------------------------------------


def spread_cells(key: KeyStatistics, rest: float, rows: float) -> tuple[Cells, ...]:
    """Return the classes of a column of whole numbers: a part of the histogram has as many keys as it is wide.

    So the narrow parts of a skewed column have many rows a key, and the wide ones few.  Not every number need be there:
    as many are as ANALYZE's count of distinct values asks for.  Where it asks for more than chance would lead to, even
    with every number there, all numbers have about the same number of rows.
    """
    widths = _widths(key)
    wanted = key.kinds - len(key.common)
    if not widths or rest * rows < 1 or key.counted or wanted >= rest * rows * _ALL:
        return ()
    share = rest / len(widths)
    fullest = 1.0 if key.known is not None or key.type == "date" else _STRETCHED
    most = _found(widths, share * rows, fullest, key.sampled)
    dense = _density(widths, share * rows, wanted, key.sampled, fullest) if most > wanted else fullest
    counts = [max(1.0, w * dense) for w in widths]
    return tuple(Cells(share / count, count, wanted > most * _EVEN) for count in counts)


def _density(widths: Sequence[float], rows: float, wanted: float, sampled: float, fullest: float) -> float:
    """Return the share of the numbers that must be there for ANALYZE to find so many."""
    low, high = 1e-6, fullest
    for _ in range(20):
        dense = math.sqrt(low * high)
        low, high = (low, dense) if _found(widths, rows, dense, sampled) > wanted else (dense, high)
    return high


def _widths(key: KeyStatistics) -> tuple[float, ...]:
    bounds = whole_numbers(key)
    if len(bounds) < _TELLING or any(b <= a for a, b in pairwise(bounds)):
        return ()
    return tuple(b - a for a, b in pairwise(bounds))


def whole_numbers(key: KeyStatistics) -> tuple[int, ...]:
    """Return the bounds of the histogram of a column of whole numbers or days, empty for others."""
    bounds = (key.statistics and key.statistics.histogram_bounds) or ()
    try:
        if key.type in ("smallint", "integer", "bigint", "oid"):
            return tuple(map(int, bounds))
        if key.type == "date":
            return tuple(date.fromisoformat(b).toordinal() for b in bounds)
    except ValueError:  # infinity, BC
        return ()
    return ()


def _found(widths: Sequence[float], rows: float, dense: float, sampled: float) -> float:
    """Return how many distinct values ANALYZE would find where each part has that many rows."""
    seen, once, taken = 0.0, 0.0, 0.0
    for width in widths:
        count = max(1.0, width * dense)
        rate = rows * sampled / count
        none = math.exp(-rate)
        seen, once, taken = seen + count * (1.0 - none), once + rate * count * none, taken + rate * count
    return taken * seen / (taken - once + once * sampled)


# classes ----------------------------------------------------------------------------------------------------------


def _merged(cells: Sequence[Cells]) -> tuple[Cells, ...]:
    """Return fewer classes of about the same shares, so that products stay small."""
    if len(cells) == 1:
        return tuple(cells)
    buckets: dict[tuple[int, bool], tuple[float, float]] = {}
    for cell in cells:
        if cell.count <= 0 or cell.share <= 0:
            continue
        step = round(math.log2(cell.share) * _STEPS), cell.even
        total, count = buckets.get(step, (0.0, 0.0))
        buckets[step] = (total + cell.share * cell.count, count + cell.count)
    merged = tuple(Cells(total / count, count, even) for (_, even), (total, count) in buckets.items())
    return merged or (Cells(1.0, 1.0),)


def _classes(
    common: Sequence[float], nulls: float, kinds: float, rows: float, sampled: float = 1.0
) -> tuple[Cells, ...]:
    known = [Cells(f, 1.0) for f in (*common, nulls) if f > 0]
    rest = max(0.0, 1.0 - nulls - sum(common))
    distinct = max(1.0, kinds - len(common))
    if rest * rows < 1:
        return tuple(known) or (Cells(1.0, 1.0),)
    count = _possible(rest * rows, distinct, sampled)
    return (*known, Cells(rest / count, count))


def _possible(rows: float, distinct: float, sampled: float) -> float:
    """Return how many keys there must be, rows falling on them at random, for ANALYZE to find so many distinct ones.

    `seen` is the average number of sampled rows that a key has; ANALYZE's estimator (Haas and Stokes) then comes to
    possible * (1 - exp(-seen)) / (1 - (1 - sampled) exp(-seen)).
    """
    if distinct >= rows * 0.9999:
        return distinct * 1e6
    low, high = 1e-9, 1e6
    for _ in range(60):
        seen = math.sqrt(low * high)
        none = math.exp(-seen)
        found = rows * sampled / seen * (1.0 - none) / (1.0 - (1.0 - sampled) * none)
        low, high = (seen, high) if found > distinct else (low, seen)
    return max(1.0, rows * sampled / low)
