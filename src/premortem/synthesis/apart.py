"""Rows that are kept apart: what exclusion constraints forbid is not drawn.

Rows are cut into *slots*, each of which has its share of the line of time (or of numbers), and within a slot into
groups by the columns that the constraint compares for equality.  The rows of a group follow each other, in a stretch of
the line of their own.  With one slot, a group has the whole line; with many, rows lie in the heap in the order of time;
with slots in which no group has a second row, several constraints can hold at once, each with groups of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from premortem.synthesis import streams
from premortem.synthesis.drawing import Drawn, Nulls, Random, Spot
from premortem.synthesis.keys import Key
from premortem.synthesis.partitions import PartitionedKey
from premortem.synthesis.segments import Marginal
from premortem.synthesis.streams import Ints
from premortem.synthesis.timeline import WHOLE, Spans, Stretch, Timeline

#: In place of a range's length: it has no end, or nothing is in it.
ENDLESS, EMPTY = -1, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Some rows of the table: the number of the first, how many they are, and which of them each row is."""

    first: Ints
    count: Ints
    inside: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A column that is compared for equality, or the columns of a reference: `names` are theirs by the key's."""

    slot: str
    marginal: Marginal
    salt: int
    varied: bool = False
    key: Key | PartitionedKey | None = None
    names: Mapping[str, str] | None = None

    def parted(self, found: Within, shift: Ints, slots: dict[str, Ints]) -> Within:
        """Return the groups of the column's values within groups; adds the values' numbers."""
        total = self.marginal.total
        at = (found.inside * total + shift) // found.count
        own = self.marginal.groups(at, self.salt if self.varied else None)
        if self.key is None:
            slots[self.slot] = own.numbers
        else:
            combined = self.key.combinations(own.numbers)
            slots |= {mine: combined[theirs] for theirs, mine in (self.names or {}).items()}
        first = np.maximum(-((shift - own.first * found.count) // total), 0)
        end = -((shift - (own.first + own.count) * found.count) // total)
        return Within(first=found.first + first, count=end - first, inside=found.inside - first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The columns that one constraint compares for equality, one after the other; `salt` strews them in a slot."""

    levels: tuple[Level, ...]
    salt: int | None = None

    def groups(self, slot: Within, whole: bool, slots: dict[str, Ints]) -> Within:
        """Return the groups that rows are in; adds the columns' numbers."""
        found = slot
        if self.salt is not None:
            salts = streams.mixed(slot.first, self.salt)
            inside = streams.shuffled(slot.inside, slot.count, salts, largest=int(slot.count.max(initial=1)))
            found = replace(slot, inside=inside)
        for level in self.levels:
            shift = np.zeros(len(slot.first), np.int64)
            if not (whole and level is self.levels[0]):
                shift = (streams.uniform(found.first, level.salt) * level.marginal.total).astype(np.int64)
            found = level.parted(found, shift, slots)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A column that says which rows a constraint is about: its values in these, and in the others, None for NULL."""

    slot: str
    inside: Marginal | None
    outside: Marginal | None
    nulls: float = 0.0

    def draw(self, outside: Nulls | None, count: int, chance: np.random.Generator) -> Drawn:
        """Return the column's numbers."""
        numbers, missing = _some(self.inside, count, chance)
        if outside is not None:
            others, absent = _some(self.outside, count, chance)
            absent = absent | (chance.random(count) < self.nulls)
            numbers, missing = np.where(outside, others, numbers), np.where(outside, absent, missing)
        return Drawn(numbers=numbers, nulls=missing if missing.any() else None)


def _some(marginal: Marginal | None, count: int, chance: np.random.Generator) -> tuple[Ints, Nulls]:
    if marginal is None or not marginal.total:
        return np.zeros(count, np.int64), np.ones(count, np.bool_)
    ranks = chance.integers(0, marginal.total, count, dtype=np.int64)
    return marginal.values(ranks, chance), np.zeros(count, np.bool_)


class Ends(Protocol):
    """Writes spans to the columns that hold them."""

    def write(self, spans: Spans, empty: Nulls | None, endless: Nulls, slots: dict[str, Drawn]) -> None:
        """Fill the slots."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRange:
    """A column of ranges: its numbers are pairs of where a range starts and how long it is."""

    slot: str
    nulls: float = 0.0

    def write(self, spans: Spans, empty: Nulls | None, endless: Nulls, slots: dict[str, Drawn]) -> None:
        """Fill the slot."""
        length = np.where(endless, ENDLESS, spans.length)
        if empty is not None:
            length = np.where(empty, EMPTY, length)
        slots[self.slot] = Drawn(numbers=np.stack((spans.start, length), axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoEnds:
    """Two columns of which a constraint makes a range; `inclusive` says that the end is part of it."""

    low: str
    high: str
    inclusive: bool

    def write(self, spans: Spans, empty: Nulls | None, endless: Nulls, slots: dict[str, Drawn]) -> None:
        """Fill the slots."""
        slots[self.low] = Drawn(numbers=spans.start)
        end = spans.start + spans.length - self.inclusive
        slots[self.high] = Drawn(numbers=end, nulls=endless if endless.any() else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """The columns of exclusion constraints over one line.

    `spot` gives the rows that the constraints are about a rank; `slot_rows` of these are in a slot.  Of the rows that
    are the last of their groups, the share `endless` has no end; of all, `empty` are ranges that nothing is in.
    """

    name: str
    spot: Spot
    slot_rows: int
    chains: tuple[Chain, ...]
    line: Timeline
    ends: Ends
    condition: Condition | None = None
    endless: float = 0.0
    endless_outside: float = 0.0
    empty: float = 0.0

    @property
    def _slots(self) -> int:
        return -(-self.spot.filled // self.slot_rows)

    def draw(self, rows: Ints, slots: dict[str, Drawn], random: Random) -> None:
        """Fill the slots of all columns that the constraints name."""
        chance = random(self.name)
        ranks, outside = self.spot.ranks(rows, None)
        free = np.flatnonzero(outside) if outside is not None else np.zeros(0, np.int64)
        if free.size:
            ranks = ranks.copy()
            ranks[free] = chance.integers(0, max(self.spot.filled, 1), free.size)
        numbers: dict[str, Ints] = {}
        spans = self.spans(ranks, numbers)
        endless = (spans.last > 0) & (chance.random(rows.size) < self.endless)
        if free.size:
            spans, endless = self._freed(spans, endless, free, chance)
        slots |= {name: Drawn(numbers=found) for name, found in numbers.items()}
        empty = chance.random(rows.size) < self.empty if self.empty > 0 else None
        self.ends.write(spans, empty, endless, slots)
        if self.condition is not None:
            slots[self.condition.slot] = self.condition.draw(outside, rows.size, chance)

    def spans(self, ranks: Ints, numbers: dict[str, Ints]) -> Spans:
        """Return the spans of the rows of these ranks; adds the numbers of the columns that are compared."""
        filled = max(self.spot.filled, 1)
        slot = ranks // self.slot_rows
        first = slot * self.slot_rows
        within = Within(first=first, count=np.minimum(self.slot_rows, filled - first), inside=ranks - first)
        count = max(self._slots, 1)
        groups = [chain.groups(within, count == 1 and at == 0, numbers) for at, chain in enumerate(self.chains)]
        found = groups[0] if groups else within
        low, high = slot * WHOLE // count, (slot + 1) * WHOLE // count
        return self.line.spans(
            Stretch(low=low, high=high, count=found.count, inside=found.inside, name=found.first)
        )  # fmt: skip

    def _freed(
        self, spans: Spans, endless: Nulls, free: Ints, chance: np.random.Generator
    ) -> tuple[Spans, Nulls]:  # fmt: skip
        """Return the spans with others for the rows that no constraint is about."""
        others = self.line.strewn(chance, free.size)
        start, length = spans.start.copy(), spans.length.copy()
        start[free], length[free] = others.start, others.length
        endless[free] = chance.random(free.size) < self.endless_outside
        return replace(spans, start=start, length=length), endless
