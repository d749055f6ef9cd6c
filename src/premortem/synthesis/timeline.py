"""Where spans stand on a line so that no two of a group meet: what an exclusion constraint asks of periods.

A group's rows are cut into blocks of a few rows, and each block has its stretch of the line, as long as the lower
bounds' distribution says.  Within it, lengths and gaps come from a pattern; where the lengths do not fit, they shrink
together.  Everything follows from a row's place in its group, and all borders are whole numbers, so that two rows that
are made by different workers never meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from premortem.synthesis import streams
from premortem.synthesis.segments import scaled
from premortem.synthesis.streams import Floats, Ints

#: The shares of the line's rows are counted in these: products of two of them are whole numbers still.
WHOLE = 2**31
#: How many rows a block has.
_BLOCK = 8
_PATTERNS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Rows' stretches of the line: shares from `low` to `high`, for `count` rows, of which each is the `inside`-th.

    `name` is a number that no other stretch has.
    """

    low: Ints
    high: Ints
    count: Ints
    inside: Ints
    name: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Where rows begin and how long they are; `last` are those after which their stretch's group has no other row."""

    start: Ints
    length: Ints
    last: Ints


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The lower bounds' distribution, as places at shares, and the lengths that spans should have, in order.

    A span takes `least` places or more.
    """

    shares: Ints
    places: Ints
    lengths: Floats
    least: int
    salt: int

    def at(self, shares: Ints) -> Ints:
        """Return the places of shares."""
        step = np.clip(np.searchsorted(self.shares, shares, side="right") - 1, 0, len(self.shares) - 2)
        wide = self.places[step + 1] - self.places[step]
        over = self.shares[step + 1] - self.shares[step]
        return self.places[step] + scaled(shares - self.shares[step], wide, over)

    def spans(self, stretch: Stretch) -> Spans:
        """Return the spans of rows, none of which meets another of its stretch."""
        blocks = -(-stretch.count // _BLOCK)
        block = (stretch.inside * blocks) // np.maximum(stretch.count, 1)
        first = -(-block * stretch.count // blocks)
        size = -(-(block + 1) * stretch.count // blocks) - first
        wide = stretch.high - stretch.low
        low = np.asarray(stretch.low + wide * first // stretch.count, np.int64)
        high = np.asarray(stretch.low + wide * (first + size) // stretch.count, np.int64)
        pattern = (streams.mixed(stretch.name + first, self.salt) % np.uint64(_PATTERNS)).astype(np.int64)
        start, following, length = self._within(low, high, size, stretch.inside - first, pattern)
        last = (stretch.inside == stretch.count - 1) & (stretch.high == WHOLE)
        room = np.where(last, length, following - start)
        return Spans(start=start, length=np.clip(length, self.least, room), last=last)

    def _within(self, low: Ints, high: Ints, size: Ints, inside: Ints, pattern: Ints) -> tuple[Ints, Ints, Ints]:
        """Return where rows begin in their blocks, where the next begins at the soonest, and how long they would be."""
        begin, end = self.at(low), self.at(high)
        wide = end - begin
        before = self._before
        every = before[pattern, size]
        slack = np.maximum(wide - every, 0) / self._gaps[pattern, size]
        over = np.maximum(np.maximum(every, wide), 1)
        found = []
        for row in (inside, inside + 1):
            share = (before[pattern, row] + slack * self._gaps[pattern, row]) / over
            place = self.at(low + np.minimum((share * (high - low)).astype(np.int64), high - low)) - begin
            left = wide - self.least * size
            moved = (place * (left / np.maximum(wide, 1))).astype(np.int64)
            found.append(begin + self.least * row + np.clip(moved, 0, left))
        following = np.where(inside + 1 == size, end, found[1])
        length = before[pattern, inside + 1] - before[pattern, inside]
        return found[0], following, length

    def strewn(self, random: np.random.Generator, count: int) -> Spans:
        """Return spans that are drawn without regard to any other."""
        start = self.at(random.integers(0, WHOLE, count, dtype=np.int64))
        length = np.maximum(self._length(random.random(count)), self.least)
        return Spans(start=start, length=length, last=np.zeros(count, np.bool_).astype(np.int64))

    def _length(self, quantiles: Floats) -> Ints:
        known = np.linspace(0.0, 1.0, len(self.lengths))
        return np.rint(np.interp(quantiles, known, self.lengths)).astype(np.int64)

    @cached_property
    def _before(self) -> Ints:
        """For each pattern the lengths before each row, all of them last: a sample of the lengths for each block."""
        chance = np.random.Generator(np.random.PCG64(self.salt))
        order = chance.random((_PATTERNS, _BLOCK)).argsort(axis=1)
        lengths = np.maximum(self._length((order + chance.random((_PATTERNS, _BLOCK))) / _BLOCK), self.least)
        return np.concatenate((np.zeros((_PATTERNS, 1), np.int64), lengths.cumsum(axis=1)), axis=1)

    @cached_property
    def _gaps(self) -> Floats:
        """For each pattern the gaps until each row, and until the end of the block."""
        chance = np.random.Generator(np.random.PCG64(self.salt ^ 5))
        gaps: Floats = chance.standard_exponential((_PATTERNS, _BLOCK + 1)) + 1e-9
        return np.asarray(gaps.cumsum(axis=1), np.float64)


def timeline(
    places: Sequence[int], shares: Sequence[float], lengths: Sequence[float], *, crowd: int, slots: int, least: int,
    salt: int,
) -> tuple[Timeline, float]:  # fmt: skip
    """Return the line on which so many rows of a slot find room, and how much longer than the distribution it is.

    `places` are those at `shares` of the rows, in order; `crowd` is the most rows that a group has in one of `slots`.
    """
    at = np.rint(np.asarray(shares, np.float64) * WHOLE).astype(np.int64)
    known = np.asarray(places, np.int64)
    kept = np.append(True, np.diff(at) > 0)
    at, known = at[kept], np.maximum.accumulate(known[kept])
    known[-1] += least  # the last one begins before it
    # A stretch of n rows of a slot has a share of WHOLE / slots / n, less one for rounding.
    each = crowd * least / (WHOLE // slots - 1 - crowd) * (1 + 1e-9)
    while len(at) > 2 and _needed(at, each).sum() > known[-1] - known[0]:  # each stretch is rounded up
        at, known = _thinned(at), _thinned(known)
    wide, needed = np.diff(known), _needed(at, each)
    longer = float(needed.sum() / max(int(wide.sum()), 1))
    starts = known[0] + np.concatenate((np.zeros(1, np.int64), np.cumsum(_widened(wide, needed))))
    found = Timeline(shares=at, places=starts, lengths=np.asarray(lengths, np.float64), least=least, salt=salt)
    return found, max(longer, 1.0)


def _needed(shares: Ints, each: float) -> Ints:
    """Return how many places the stretches between shares need."""
    return np.ceil(np.diff(shares) * each).astype(np.int64) + 1


def _thinned(knots: Ints) -> Ints:
    return np.append(knots[:-1:2], knots[-1])


def _widened(wide: Ints, needed: Ints) -> Ints:
    """Return stretches that are as wide as needed, at the cost of those that are wider."""
    found = np.maximum(wide, needed)
    over = int(found.sum() - wide.sum())
    free = found - needed
    if over <= 0 or not free.any():
        return found
    share = min(1.0, over / float(free.sum()))
    return np.asarray(np.maximum(found - np.floor(free * share).astype(np.int64), needed), np.int64)
