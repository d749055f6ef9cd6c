"""Draws: which number each row gets for a column, or for several that hang together.

A draw takes row numbers and gives value numbers.  Draws of one table run in order, and a later one may follow what an
earlier one gave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from premortem.synthesis import streams
from premortem.synthesis.segments import Marginal
from premortem.synthesis.streams import Ints, Placement

Nulls = NDArray[np.bool_]
#: A random stream for a purpose, within the chunk that is being made.
Random = Callable[[str], np.random.Generator]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The numbers of some rows, and which of them are NULL (None for none)."""

    numbers: Ints
    nulls: Nulls | None = None


class Draw(Protocol):
    """Adds to the slots that it fills what the rows get there."""

    def draw(self, rows: Ints, slots: dict[str, Drawn], random: Random) -> None:
        """Fill slots for these rows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Which rank each row of a table has in a column, and which rows are NULL.

    `exact` gives every rank to one row (keys, small tables); else ranks and NULLs are drawn, which is cheaper.
    """

    placement: Placement
    rows: int
    filled: int
    exact: bool
    salt: int

    def ranks(self, rows: Ints, chance: np.random.Generator | None) -> tuple[Ints, Nulls | None]:
        """Return the rank of each row among those that are not NULL, and which are."""
        if self.filled <= 0:
            return np.zeros(rows.size, np.int64), np.ones(rows.size, np.bool_)
        if self.filled >= self.rows:
            return (self.placement.ranks(rows) if chance is None or self.exact else self._drawn(rows, chance)), None
        if chance is None or self.exact:
            return self._exactly(rows)
        return self._drawn(rows, chance), chance.random(rows.size) >= self.filled / self.rows

    def _drawn(self, rows: Ints, chance: np.random.Generator) -> Ints:
        if self.filled >= self.rows:
            return self.placement.drawn(rows, chance)
        at = (rows * (self.filled / self.rows)).astype(np.int64)
        return self.placement.drawn(np.minimum(at, self.filled - 1), chance)

    def _exactly(self, rows: Ints) -> tuple[Ints, Nulls]:
        if self.placement.window >= self.filled:  # without any order, who is NULL is as random as the rest
            ranks = streams.shuffled(rows, self.rows, self.salt)
            nulls = ranks >= self.filled
            return np.where(nulls, 0, ranks), nulls
        before, after = self._before(rows), self._before(rows + 1)
        nulls = before == after
        return self.placement.ranks(np.minimum(before, self.filled - 1)), nulls

    def _before(self, rows: Ints) -> Ints:
        """Return how many rows before each are not NULL: these are strewn evenly, so that they can be counted."""
        shift = self.salt % max(self.rows, 1)
        return (rows + shift) * self.filled // self.rows - shift * self.filled // self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """A column on its own."""

    slot: str
    marginal: Marginal
    spot: Spot

    def draw(self, rows: Ints, slots: dict[str, Drawn], random: Random) -> None:
        """Fill the slot."""
        chance = random(self.slot)
        ranks, nulls = self.spot.ranks(rows, chance)
        slots[self.slot] = Drawn(numbers=self.marginal.values(ranks, chance), nulls=nulls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    """Makes some of a slot's rows NULL."""

    slot: str
    null_fraction: float

    def draw(self, rows: Ints, slots: dict[str, Drawn], random: Random) -> None:
        """Change the slot."""
        nulls = random("nulls " + self.slot).random(rows.size) < self.null_fraction
        slots[self.slot] = Drawn(numbers=slots[self.slot].numbers, nulls=nulls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upwards:
    """Makes a reference to the table's own key point to an earlier key, so that no row is its own ancestor."""

    slot: str
    key: str
    nullable: bool

    def draw(self, rows: Ints, slots: dict[str, Drawn], random: Random) -> None:
        """Change the slot."""
        drawn, own = slots[self.slot], slots[self.key].numbers
        parents = np.where(drawn.numbers < own, drawn.numbers, drawn.numbers % np.maximum(own, 1))
        roots = own == 0 if self.nullable else None
        nulls = drawn.nulls if roots is None else roots if drawn.nulls is None else roots | drawn.nulls
        slots[self.slot] = Drawn(numbers=parents, nulls=nulls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """The same number everywhere, or NULL everywhere."""

    slot: str
    null: bool = False

    def draw(self, rows: Ints, slots: dict[str, Drawn], random: Random) -> None:
        """Fill the slot."""
        nulls = np.ones(rows.size, np.bool_) if self.null else None
        slots[self.slot] = Drawn(numbers=np.zeros(rows.size, np.int64), nulls=nulls)
