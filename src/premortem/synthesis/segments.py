"""How rows are spread over a column's values: segments of an ordered line, each with its rows and distinct values.

A most common value is a segment of one value; between two bounds of the histogram lies one of many.  Everything is a
whole number, so that what stands in which row, and how often, follows by arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from premortem.synthesis import streams
from premortem.synthesis.streams import Floats, Ints

_Share = TypeVar("_Share", int, float)
_GUIDES = 4096
#: How far a value may stand from where an even spread would put it: enough for fan-outs to vary as Poisson's do.
_SPREAD = 4.0

#: With fewer rows than this for each value, values are spread evenly: by chance too many would get no row.
THIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """Segment s has `rows[s]` rows over `distinct[s]` values, spread evenly over `width[s]` places from `place[s]`."""

    place: Ints
    width: Ints
    rows: Ints
    distinct: Ints

    def __len__(self) -> int:
        return len(self.place)

    @property
    def total(self) -> int:
        """All rows."""
        return int(self.rows.sum())

    @property
    def values(self) -> int:
        """All distinct values."""
        return int(self.distinct.sum())


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Finds the step of a staircase that numbers stand on, with a table of guesses."""

    starts: Ints

    @classmethod
    def of(cls, sizes: Ints) -> Steps:
        """Return the staircase of steps of these sizes."""
        return cls(starts=np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64))))

    @property
    def _per_number(self) -> float:
        return _GUIDES / max(int(self.starts[-1]), 1)

    @cached_property
    def _guesses(self) -> Ints:
        at = np.floor(np.arange(_GUIDES, dtype=np.float64) / self._per_number).astype(np.int64)
        guesses = np.searchsorted(self.starts, at, side="right") - 1
        return np.asarray(np.minimum(guesses, len(self.starts) - 2), np.int64)

    def __reduce__(self) -> tuple[object, ...]:
        return _steps, (self.starts,)  # the guesses are quicker made again than sent

    def find(self, numbers: Ints) -> Ints:
        """Return the step of each number."""
        if len(self.starts) == 2:
            return np.zeros(numbers.size, np.int64)
        found = self._guesses[np.minimum((numbers * self._per_number).astype(np.int64), _GUIDES - 1)]
        last = len(self.starts) - 2
        ahead = np.flatnonzero((numbers >= self.starts[found + 1]) & (found < last))
        while ahead.size:
            found[ahead] += 1
            ahead = ahead[(numbers[ahead] >= self.starts[found[ahead] + 1]) & (found[ahead] < last)]
        behind = np.flatnonzero(numbers < self.starts[found])
        while behind.size:
            found[behind] -= 1
            behind = behind[numbers[behind] < self.starts[found[behind]]]
        return found


def _steps(starts: Ints) -> Steps:
    return Steps(starts=starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Values by their numbers, each with the first of the ranks that hold it and how many do."""

    numbers: Ints
    first: Ints
    count: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginal:
    """Turns a row's rank among the rows of a column into its value's number.

    `even` spreads rows evenly over a segment's values, so that every value stands there; otherwise they vary.
    """

    rows: Steps
    numbers: Ints
    width: Ints
    distinct: Ints
    even: bool = False

    @classmethod
    def of(cls, segments: Segments, *, numbered: bool = True, even: bool = False) -> Marginal:
        """Return the marginal; values are numbered from 0, or by their places where `numbered` is false."""
        numbers = np.cumsum(segments.distinct) - segments.distinct if numbered else segments.place
        width = segments.distinct if numbered else segments.width
        return cls(rows=Steps.of(segments.rows), numbers=numbers, width=width, distinct=segments.distinct, even=even)

    @property
    def total(self) -> int:
        """All rows."""
        return int(self.rows.starts[-1])

    def values(self, ranks: Ints, random: np.random.Generator | None) -> Ints:
        """Return the number of the value at each rank."""
        step = self.rows.find(ranks)
        distinct = self.distinct[step]
        start = self.rows.starts[step]
        if random is None or self.even:
            rows = self.rows.starts[step + 1] - start
            found = scaled(ranks - start, distinct, rows)
        else:
            rows = self.rows.starts[step + 1] - start
            at = (ranks - start) * (distinct / np.maximum(rows, 1))
            room = np.where(rows < THIN * distinct, 0.0, np.minimum(_SPREAD, distinct))
            at += (random.random(ranks.size) - 0.5) * room
            found = _reflected(at, distinct)
        return self.numbers[step] + scaled(found, self.width[step], distinct)

    def groups(self, ranks: Ints, salt: int | None) -> Groups:
        """Return for each rank its value's number, and the first and the number of the ranks that share it.

        With a salt, values have more or fewer ranks than an even spread gives them, by chance that the salt picks.
        """
        step = self.rows.find(ranks)
        start, distinct = self.rows.starts[step], self.distinct[step]
        rows = self.rows.starts[step + 1] - start
        inside = ranks - start
        at = np.minimum((inside * (distinct / np.maximum(rows, 1))).astype(np.int64), distinct - 1)
        at += self._border(step, at + 1, rows, distinct, salt) <= inside
        at -= self._border(step, at, rows, distinct, salt) > inside
        first = self._border(step, at, rows, distinct, salt)
        count = self._border(step, at + 1, rows, distinct, salt) - first
        return Groups(
            numbers=self.numbers[step] + scaled(at, self.width[step], distinct), first=start + first, count=count
        )

    def group_of(self, numbers: Ints, salt: int | None) -> Groups:
        """Return the ranks that share each number, or the number next to it that some share."""
        step = np.clip(np.searchsorted(self.numbers, numbers, side="right") - 1, 0, len(self.numbers) - 1)
        distinct, width = self.distinct[step], np.maximum(self.width[step], 1)
        start = self.rows.starts[step]
        rows = self.rows.starts[step + 1] - start
        inside = np.clip(numbers - self.numbers[step], 0, width - 1)
        at = np.minimum(-(-inside * distinct // width), distinct - 1)
        first = self._border(step, at, rows, distinct, salt)
        count = self._border(step, at + 1, rows, distinct, salt) - first
        return Groups(
            numbers=self.numbers[step] + scaled(at, self.width[step], distinct), first=start + first, count=count
        )

    def _border(self, step: Ints, at: Ints, rows: Ints, distinct: Ints, salt: int | None) -> Ints:
        """Return the first rank, within its segment, of a segment's value."""
        moved = at.astype(np.float64)
        if salt is not None:
            inner = (at > 0) & (at < distinct)
            room = np.maximum(0.999 - distinct / np.maximum(rows, 1), 0.0)  # so that every value keeps a row
            moved += np.where(inner, streams.uniform(self.numbers[step] + at, salt) * room, 0.0)
        found = np.ceil(moved * (rows / np.maximum(distinct, 1)) - 1e-9).astype(np.int64)
        return np.where(at >= distinct, rows, np.minimum(found, rows))

    @property
    def heaviest(self) -> float:
        """The largest share of the rows that one value has."""
        rows = np.diff(self.rows.starts)
        return float((rows / np.maximum(self.distinct, 1)).max(initial=1.0) / max(self.total, 1))


def _reflected(at: Floats, limit: Ints) -> Ints:
    found = np.abs(at)
    over = found >= limit
    found = np.where(over, 2 * limit - found, found).astype(np.int64)
    return np.clip(found, 0, limit - 1)


def scaled(number: Ints, over: Ints, of: Ints) -> Ints:
    """Return floor(number * over / of) without overflow."""
    whole, rest = np.divmod(over, np.maximum(of, 1))
    if not rest.any():
        return number * whole
    return number * whole + number * rest // np.maximum(of, 1)


def apportioned(shares: Floats, total: int) -> Ints:
    """Return whole numbers that sum to the total, each within one of its share (largest remainders first)."""
    if not len(shares):
        return np.zeros(0, np.int64)
    weight = float(shares.sum())
    exact = shares * (total / weight) if weight > 1e-200 else np.full(len(shares), total / len(shares))
    found = np.floor(exact).astype(np.int64)
    left = total - int(found.sum())
    if left > 0:
        found[np.argsort(found - exact, kind="stable")[:left]] += 1
    return found


def segments(points: Sequence[tuple[int, float]], bounds: Sequence[int], rows: int, distinct: float) -> Segments:
    """Return the segments of a column of so many non-null rows.

    `points` are the most common values' places with their rows, `bounds` the histogram's places in order, `distinct`
    the number of values altogether.
    """
    heavy = dict(points)
    place, width, share, _ = _between(sorted(heavy), bounds)
    place, width, share, _ = _apart(place, width, share)
    rest = max(0.0, rows - sum(heavy.values())) if len(place) else 0.0
    shares = np.array(share) * rest
    limits = np.minimum(np.array(width, np.float64), np.maximum(shares, 1.0))
    values = _spread(np.array(width, np.float64), limits, max(distinct - len(heavy), 1.0))
    places = np.array([*sorted(heavy), *place], np.int64)
    order = np.argsort(places, kind="stable")
    weights = np.array([*(heavy[p] for p in sorted(heavy)), *shares], np.float64)[order]
    counted = apportioned(weights, rows)
    numbers = np.array([*(1 for _ in heavy), *values], np.int64)[order]
    widths = np.array([*(1 for _ in heavy), *width], np.int64)[order]
    kept = counted > 0
    places, widths, counted, numbers = places[order][kept], widths[kept], counted[kept], numbers[kept]
    numbers = np.clip(numbers, 1, np.maximum(counted, 1))
    return Segments(place=places, width=widths, rows=counted, distinct=np.minimum(numbers, widths))


def disjoint(found: Segments) -> Segments:
    """Return segments none of which holds a value of another, from some in order."""
    if not (found.place[:-1] + found.width[:-1] > found.place[1:]).any():
        return found
    place, width, rows, which = _apart(found.place.tolist(), found.width.tolist(), found.rows.tolist())
    widths = np.array(width, np.int64)
    return Segments(
        place=np.array(place, np.int64), width=widths, rows=np.array(rows, np.int64),
        distinct=np.minimum(found.distinct[which], widths),
    )  # fmt: skip


def _apart(
    place: Sequence[int], width: Sequence[int], share: Sequence[_Share]
) -> tuple[list[int], list[int], list[_Share], list[int]]:
    """Return pieces of a line without what an earlier one holds already, and which of them are left.

    Equal bounds of a histogram make such pieces: their value has a bucket of its own.
    """
    places: list[int] = []
    widths: list[int] = []
    shares: list[_Share] = []
    which: list[int] = []
    for at, (start, size, own) in enumerate(zip(place, width, share, strict=True)):
        over = max(places[-1] + widths[-1] - start, 0) if places else 0
        if over >= size:
            shares[-1] += own
            continue
        places.append(start + over)
        widths.append(size - over)
        shares.append(own)
        which.append(at)
    return places, widths, shares, which


def unique_segments(pins: Sequence[int], bounds: Sequence[int], rows: int) -> Segments:
    """Return the segments of a key of so many rows, in which some values must be; places may be too few for the rows.

    Each bucket has the same number of rows, those of its pins among them.
    """
    fixed = sorted(set(pins))
    place, width, share, inside = _between(fixed, bounds)
    if not place:
        place, width, share, inside = [max([*fixed, *bounds], default=0) + 1], [rows], [1.0], [0]
    each = rows / max(len(bounds) - 1, 1)
    wanted = np.maximum(np.array(share) * (len(bounds) - 1) * (each - np.array(inside)), 0.0)
    counted = _within(wanted, np.array(width, np.float64), max(rows - len(fixed), 0))
    places = np.array([*fixed, *place], np.int64)
    numbers = np.array([*(1 for _ in fixed), *counted], np.int64)
    widths = np.maximum(np.array([*(1 for _ in fixed), *width], np.int64), numbers)
    order = np.argsort(places, kind="stable")
    order = order[numbers[order] > 0]
    return Segments(place=places[order], width=widths[order], rows=numbers[order], distinct=numbers[order])


def _within(wanted: Floats, limits: Floats, total: int) -> Ints:
    """Return whole numbers of that total, each about as wanted, and within its limit where that is possible."""
    found = np.minimum(wanted, limits)
    for _ in range(20):
        left = total - float(found.sum())
        free = limits - found
        if left <= 0.5 or not (free > 0).any():
            break
        found = np.minimum(found + free * min(left / float(free.sum()), 1.0), limits)
    return apportioned(found if found.sum() > 0 else limits, total)


def _between(heavy: Sequence[int], bounds: Sequence[int]) -> tuple[list[int], list[int], list[float], list[int]]:
    """Return what lies in each bucket between its bounds and the common values in it.

    That is starts, widths, shares, and how many common values the bucket has.
    """
    counts: list[int] = []
    starts: list[int] = []
    widths: list[int] = []
    shares: list[float] = []
    known = np.array(heavy, np.int64)
    for at in range(len(bounds) - 1):
        low, high = bounds[at], max(bounds[at + 1] + (1 if at == len(bounds) - 2 else 0), bounds[at] + 1)
        inside = known[np.searchsorted(known, low) : np.searchsorted(known, high)] if len(known) else known
        pieces = _pieces(low, high, [int(p) for p in inside])
        whole = sum(w for _, w in pieces)
        for start, size in pieces:
            starts.append(start)
            widths.append(size)
            shares.append(size / whole / (len(bounds) - 1))
            counts.append(len(inside))
    return starts, widths, shares, counts


def _pieces(low: int, high: int, inside: Sequence[int]) -> list[tuple[int, int]]:
    found, at = [], low
    for point in inside:
        if point > at:
            found.append((at, point - at))
        at = point + 1
    if high > at:
        found.append((at, high - at))
    return found


def _spread(width: Floats, limits: Floats, wanted: float) -> Ints:
    """Return how many distinct values each piece gets: by its width, up to its limit, altogether as wanted."""
    if not len(width):
        return np.zeros(0, np.int64)
    low, high = 0.0, float((limits / np.maximum(width, 1)).max())
    if limits.sum() <= wanted:
        return np.maximum(1, np.ceil(limits)).astype(np.int64)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(width * middle, limits).sum() < wanted else (low, middle)
    found = apportioned(np.minimum(width * high, limits), round(wanted))
    return np.maximum(1, np.minimum(found, np.maximum(1, np.ceil(limits)).astype(np.int64)))


def limited(found: Segments, most: int) -> Segments:
    """Return segments in which no value has more than so many rows; what is over goes to the others."""
    room = found.distinct * most
    if (found.rows <= room).all():
        return found
    rows = np.minimum(found.rows, room)
    for _ in range(20):
        left = found.total - int(rows.sum())
        free = room - rows
        if left <= 0 or not free.any():
            break
        rows = np.minimum(rows + apportioned(np.minimum(free, left).astype(np.float64), left), room)
    return Segments(place=found.place, width=found.width, rows=rows, distinct=found.distinct)
