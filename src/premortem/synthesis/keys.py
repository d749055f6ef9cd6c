"""Keys of several columns: every row another combination, each column about as its statistics say.

A key's combinations are numbered.  One column leads: its values have consecutive numbers, as many as its distribution
gives each.  Within such a group the other columns take different values, and that follows from the place in the group
alone, so that any combination can be asked for by its number, by other tables too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from premortem.synthesis import streams
from premortem.synthesis.drawing import Drawn, Random, Spot
from premortem.synthesis.segments import Groups, Marginal, Steps, apportioned
from premortem.synthesis.streams import Floats, Ints, Placement

if TYPE_CHECKING:
    from premortem.synthesis.partitions import PartitionedKey

_BLOCK = 4096
_TRIES = 20


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Groups whose other column counts 1, 2, 3 …: how long they are follows from how often each of these stands.

    Sizes repeat after some thousand groups, so that a row's group is found without counting all before it.
    """

    sizes: Ints
    values: int
    rows: int

    @cached_property
    def _steps(self) -> Steps:
        return Steps.of(self.sizes)

    @property
    def total(self) -> int:
        """All rows."""
        return self.rows

    @property
    def _length(self) -> int:
        return int(self.sizes.sum())

    @property
    def count(self) -> int:
        """How many groups there are."""
        whole, rest = divmod(self.rows, self._length)
        partly = int(self._steps.find(np.array([rest - 1], np.int64))[0]) + 1 if rest else 0
        return whole * len(self.sizes) + partly

    def groups(self, ranks: Ints, salt: int | None) -> Groups:
        """Return the group of each rank."""
        block, inside = np.divmod(ranks, self._length)
        at = self._steps.find(inside)
        first = block * self._length + self._steps.starts[at]
        number = block * len(self.sizes) + at
        count = np.minimum(self.sizes[at], self.rows - first)
        return Groups(numbers=number * self.values // self.count, first=first, count=count)

    def group_of(self, numbers: Ints, salt: int | None) -> Groups:
        """Return the group that has each number, or the one next to it."""
        group = np.minimum(-(-numbers * self.count // self.values), self.count - 1)
        block, at = np.divmod(group, len(self.sizes))
        first = block * self._length + self._steps.starts[at]
        count = np.minimum(self.sizes[at], self.rows - first)
        return Groups(numbers=group * self.values // self.count, first=first, count=count)


def ladder(counts: Floats, rows: int, most: int, salt: int) -> Ladder:
    """Return the groups of a column whose values stand in so many rows each, the first in every group.

    There are at most so many groups: where the frequencies ask for more, the shortest get longer.
    """
    shares = np.maximum(counts - np.append(counts[1:], 0.0), 0.0)
    each = apportioned(shares, _BLOCK)
    sizes = np.repeat(np.arange(1, len(counts) + 1, dtype=np.int64), each)
    asked = most
    for _ in range(_TRIES):
        made = Ladder(sizes=_lengthened(sizes, rows / max(asked, 1), salt), values=most, rows=rows)
        if made.count <= most:
            break
        asked -= made.count - most  # the last block is cut somewhere, and short groups may stand before the cut
    return made


def _lengthened(sizes: Ints, average: float, salt: int) -> Ints:
    """Return the groups of a block in their order, the first of them one row longer where the average asks for it."""
    missing = math.ceil(average * _BLOCK) - int(sizes.sum())
    found = sizes.copy()
    found[: min(max(missing, 0), _BLOCK)] += 1
    np.random.Generator(np.random.PCG64(salt)).shuffle(found)
    return found


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Columns that refer to another key together: a slot with that key's numbers, and its columns' names here."""

    slot: str
    key: Key
    names: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Key:
    """The combinations of a unique set of columns, by number.

    `names` are the leading column's and the others' slots.  Where `bijective` is a salt, the only other column has a
    value of its own in every row, and its number is the combination's, shuffled.  Where `turned` is a
    salt, the others go round in each group from a place that it picks: another key with the same groups takes them in
    order.  A slot of `units` stands for several
    columns that refer to another key together.
    """

    names: tuple[str, ...]
    lead: Marginal | Ladder
    others: tuple[Marginal, ...]
    salt: int
    varied: bool
    bijective: int | None = None
    turned: int | None = None
    units: tuple[Unit, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that combinations are of."""
        inside = {unit.slot: tuple(unit.names.values()) for unit in self.units}
        return tuple(column for name in self.names for column in inside.get(name, (name,)))

    @property
    def leader(self) -> str | None:
        """The leading column, None where several lead together."""
        return None if any(unit.slot == self.names[0] for unit in self.units) else self.names[0]

    @property
    def total(self) -> int:
        """How many combinations there are."""
        return self.lead.total

    @property
    def largest(self) -> int:
        """How many combinations a group has at most."""
        if isinstance(self.lead, Ladder):
            return int(self.lead.sizes.max())
        each = math.ceil(self.lead.heaviest * self.lead.total)
        return min(2 * each + 1, self.total) if self.varied else each

    @property
    def _vary(self) -> int | None:
        return self.salt if self.varied else None

    def combinations(self, numbers: Ints) -> dict[str, Ints]:
        """Return the columns' numbers in these combinations."""
        found = self._slots(numbers)
        for unit in self.units:
            theirs = unit.key.combinations(found.pop(unit.slot))
            found |= {own: theirs[name] for name, own in unit.names.items()}
        return found

    def _slots(self, numbers: Ints) -> dict[str, Ints]:
        groups = self.lead.groups(numbers, self._vary)
        found = {self.names[0]: groups.numbers}
        if self.bijective is not None:
            return found | {self.names[1]: streams.shuffled(numbers, self.total, self.bijective)}
        inside = numbers - groups.first
        if self.turned is not None:
            inside = (
                inside + (streams.uniform(groups.first, self.turned) * groups.count).astype(np.int64)
            ) % groups.count
        elif isinstance(self.lead, Ladder):
            return found | {self.names[1]: inside}
        return found | dict(zip(self.names[1:], self._members(groups, inside), strict=True))

    def within(self, numbers: Ints) -> Groups:
        """Return the combinations that hold these numbers of the leading column."""
        return self.lead.group_of(numbers, self._vary)

    def _members(self, groups: Groups, inside: Ints) -> list[Ints]:
        """Return the other columns' numbers: by their distribution where groups are small, else each value in turn."""
        shift = streams.uniform(groups.first, self.salt + 1)
        found = self._by_share(groups, inside, shift)
        large = np.flatnonzero(groups.count > self._most)
        if large.size:
            turns = self._in_turn(groups.count[large], inside[large], shift[large])
            for column, turn in zip(found, turns, strict=True):
                column[large] = turn
        return found

    @cached_property
    def _most(self) -> int:
        """The largest group in which members a group's length apart in their distribution always differ."""
        heaviest = 1.0
        for member in self.others:
            heaviest *= member.heaviest
        return int(0.999 / heaviest)

    def _by_share(self, groups: Groups, inside: Ints, shift: Floats) -> list[Ints]:
        share = (inside + shift) / groups.count
        found = []
        for member in self.others:
            at = share * member.total
            ranks = np.minimum(at.astype(np.int64), member.total - 1)
            own = member.groups(ranks, None)
            found.append(own.numbers)
            share = np.clip((at - own.first) / own.count, 0.0, 1.0 - 1e-12)
        return found

    def _in_turn(self, count: Ints, inside: Ints, shift: Floats) -> list[Ints]:
        sizes = [max(int(member.distinct.sum()), 1) for member in self.others]
        every = 1
        for size in sizes:
            every *= size
        step = every / count
        at = (inside * step + shift * every).astype(np.int64) % every if every < 2**52 else inside
        found = []
        for member, size in zip(reversed(self.others), reversed(sizes), strict=True):
            at, own = np.divmod(at, size)
            found.append(_nth(member, own))
        return found[::-1]


def _nth(member: Marginal, which: Ints) -> Ints:
    """Return the number of a marginal's n-th value."""
    starts = np.cumsum(member.distinct) - member.distinct
    step = np.searchsorted(starts, which, side="right") - 1
    inside = which - starts[step]
    return member.numbers[step] + inside * member.width[step] // np.maximum(member.distinct[step], 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """The columns of a unique set, one combination for every row."""

    key: Key
    spot: Spot
    by: int | None = None

    def draw(self, rows: Ints, slots: dict[str, Drawn], random: Random) -> None:
        """Fill the columns' slots; `by` is what shuffles the numbers of the key whose groups it shares."""
        ranks, _ = self.spot.ranks(rows, None)
        by = self.key.bijective if self.by is None else self.by
        if by is not None:
            ranks = streams.unshuffled(ranks, self.key.total, by)
        for name, numbers in self.key.combinations(ranks).items():
            slots[name] = Drawn(numbers=numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Referring:
    """The columns of a foreign key of several: for every row one of the parent's combinations.

    `names` are this table's columns by the parent's.
    """

    key: Key | PartitionedKey
    names: Mapping[str, str]
    slot: str
    marginal: Marginal
    spot: Spot

    def draw(self, rows: Ints, slots: dict[str, Drawn], random: Random) -> None:
        """Fill the columns' slots."""
        chance = random(self.slot)
        ranks, nulls = self.spot.ranks(rows, chance)
        found = self.key.combinations(self.marginal.values(ranks, chance))
        for theirs, own in self.names.items():
            slots[own] = Drawn(numbers=found[theirs], nulls=nulls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """A foreign key that shares the leading column of its parent's key with one that is drawn already.

    The other columns are those of a combination that holds the leading value, NULL where the parent has none.
    """

    key: Key
    names: Mapping[str, str]
    slot: str
    null_fraction: float

    def draw(self, rows: Ints, slots: dict[str, Drawn], random: Random) -> None:
        """Fill the other columns' slots."""
        chance = random(self.slot)
        lead = self.key.names[0]
        shared = slots[self.names[lead]]
        groups = self.key.within(shared.numbers)
        missing = (groups.numbers != shared.numbers) | (groups.count == 0)
        at = groups.first + (chance.random(rows.size) * np.maximum(groups.count, 1)).astype(np.int64)
        found = self.key.combinations(np.minimum(at, self.key.total - 1))
        nulls = missing | (chance.random(rows.size) < self.null_fraction)
        for theirs, own in self.names.items():
            if theirs != lead:
                slots[own] = Drawn(numbers=found[theirs], nulls=nulls if nulls.any() else None)


def placed(rows: int, correlation: float, salt: int) -> Spot:
    """Return the place of a table's rows among a key's combinations."""
    placement = Placement.of(rows, correlation, salt)
    return Spot(placement=placement, rows=rows, filled=rows, exact=True, salt=salt ^ 1)
