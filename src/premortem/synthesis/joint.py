"""Columns that hang together: by CREATE STATISTICS, or because a CHECK compares them.

Extended statistics name the most common combinations: these are drawn whole.  What is left of each column's own
distribution is drawn column by column, the one with the most values first.  Of the others, as large a share as the
dependency's degree says follows from a column before it: the n-th quantile of the one meets the n-th of the other,
which keeps both distributions.  Where PostgreSQL counted the combinations, each value meets as many as that makes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from premortem.model import Constraint, ConstraintKind, ExtendedStatistics
from premortem.synthesis import streams
from premortem.synthesis.asked import Basis
from premortem.synthesis.domains import Line
from premortem.synthesis.drawing import Drawn, Nulls, Random, Spot
from premortem.synthesis.segments import Marginal, Segments, Steps, apportioned
from premortem.synthesis.streams import Floats, Ints

_COMPARED = re.compile(
    r"CHECK \(*\"?(?P<left>\w+)\"?\)*(?:::[\w ]+)?\)* (?P<sign><=?|>=?) \(*\"?(?P<right>\w+)\"?\)*(?:::[\w ]+)?\)*\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A column of a joint draw: what is left of its distribution, and how it follows from an earlier one.

    `after` is that column's place, `degree` the share of its rows that follow, `meets` how many values the others are
    drawn from for each of its values (0 for all).  `nulls` is the share of NULLs outside of the common combinations.
    """

    slot: str
    marginal: Marginal
    nulls: float
    after: int | None = None
    degree: float = 0.0
    meets: int = 0
    salt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """Columns of extended statistics: `items[i][k]` is column k's number in combination i, -1 for NULL."""

    parts: tuple[Part, ...]
    items: Ints
    counts: Steps
    spot: Spot

    def draw(self, rows: Ints, slots: dict[str, Drawn], random: Random) -> None:
        """Fill the columns' slots."""
        chance = random(" ".join(part.slot for part in self.parts))
        ranks, common = self.spot.ranks(rows, chance)
        which = self._combinations(rows, chance) if common is not None else None
        numbers: list[Ints] = []
        for at, part in enumerate(self.parts):
            own = self._ranks(part, ranks, numbers, chance)
            found = part.marginal.values(own, chance)
            numbers.append(found)
            nulls = chance.random(rows.size) < part.nulls if part.nulls > 0 else None
            slots[part.slot] = _merged(found, nulls, common, None if which is None else self.items[which, at])

    def _combinations(self, rows: Ints, chance: np.random.Generator) -> Ints:
        total = int(self.counts.starts[-1])
        if self.spot.exact and self.spot.placement.window >= self.spot.filled:
            ranks = streams.shuffled(rows, self.spot.rows, self.spot.salt) - self.spot.filled
            return self.counts.find(np.clip(ranks, 0, total - 1))
        return self.counts.find(chance.integers(0, max(total, 1), rows.size))

    def _ranks(self, part: Part, ranks: Ints, numbers: Sequence[Ints], chance: np.random.Generator) -> Ints:
        total = part.marginal.total
        if part.after is None:
            return np.minimum(ranks, max(total - 1, 0))
        share = self._free(part, numbers[part.after], chance)
        follows = chance.random(len(ranks)) < part.degree
        if follows.any():
            before = self.parts[part.after].marginal
            groups = before.group_of(numbers[part.after][follows], None)
            share[follows] = (groups.first + groups.count / 2) / max(before.total, 1)
        return np.clip((share * total).astype(np.int64), 0, max(total - 1, 0))

    def _free(self, part: Part, before: Ints, chance: np.random.Generator) -> Floats:
        if not part.meets:
            return chance.random(len(before))
        return streams.uniform(before * part.meets + chance.integers(0, part.meets, len(before)), part.salt)


def _merged(found: Ints, nulls: Nulls | None, common: Nulls | None, told: Ints | None) -> Drawn:
    if common is None or told is None:
        return Drawn(numbers=found, nulls=nulls)
    numbers = np.where(common, np.maximum(told, 0), found)
    missing = common & (told < 0)
    nulls = missing if nulls is None else np.where(common, missing, nulls)
    return Drawn(numbers=numbers, nulls=nulls if nulls.any() else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A column as it is known before it is drawn together with others."""

    slot: str
    basis: Basis
    null_fraction: float
    correlation: float


def joined(
    found: ExtendedStatistics, sources: Mapping[str, Source], total: int, *, exact: bool, salt: int
) -> Joint | None:
    """Return the draw of a statistics object's columns, None where it says nothing of them."""
    names = [key for key in found.keys if key in sources]
    if len(names) < 2 or total <= 0:
        return None
    items, shares = _items(found, names, sources)
    counts = _counted(shares, total)
    order = sorted(range(len(names)), key=lambda k: -sources[names[k]].basis.found.values)
    rest = total - int(counts.sum())
    parts: list[Part] = []
    for place, k in enumerate(order):
        source = sources[names[k]]
        left, nulls = _left(source, items[:, k], counts, total, rest)
        part = Part(slot=source.slot, marginal=Marginal.of(left, numbered=source.basis.numbered), nulls=nulls)
        parts.append(_following(found, names, order[:place], k, part, parts, sources, salt))
    lead = sources[names[order[0]]]
    placement = streams.Placement.of(max(rest, 1), lead.correlation, salt)
    return Joint(
        parts=tuple(parts), items=items[:, order], counts=Steps.of(counts if len(counts) else np.zeros(1, np.int64)),
        spot=Spot(placement=placement, rows=total, filled=rest, exact=exact, salt=salt ^ 3),
    )  # fmt: skip


def _items(found: ExtendedStatistics, names: Sequence[str], sources: Mapping[str, Source]) -> tuple[Ints, list[float]]:
    """Return the common combinations as numbers, -1 for NULL, with their shares; unreadable ones are left out."""
    rows: list[list[int]] = []
    shares: list[float] = []
    places = [found.keys.index(name) for name in names]
    for item, share in zip(found.most_common_values or (), found.most_common_frequencies or (), strict=False):
        numbers = [
            -1 if (text := item[at]) is None else sources[name].basis.number(text)
            for at, name in zip(places, names, strict=True)
        ]
        if all(number is not None for number in numbers):
            rows.append([int(number or 0) for number in numbers])
            shares.append(share)
    return np.array(rows, np.int64).reshape(len(rows), len(names)), shares


def _counted(shares: Sequence[float], total: int) -> Ints:
    if not shares:
        return np.zeros(0, np.int64)
    weights = np.array(shares)
    whole = min(1.0, float(weights.sum()))
    return apportioned(weights, round(total * whole))


def _left(source: Source, numbers: Ints, counts: Ints, total: int, rest: int) -> tuple[Segments, float]:
    """Return what of a column's distribution the common combinations leave, and the share of NULLs in that."""
    found = source.basis.found
    nulls = max(total * source.null_fraction - int(counts[numbers < 0].sum()), 0.0)
    starts = np.cumsum(found.distinct) - found.distinct if source.basis.numbered else found.place
    told = numbers >= 0
    step = np.clip(np.searchsorted(starts, numbers[told], side="right") - 1, 0, len(found) - 1)
    taken = np.zeros(len(found), np.int64)
    np.add.at(taken, step, counts[told])
    rows = np.maximum(found.rows - taken, 0)
    if rows.sum() <= 0:
        rows = found.rows
    return replace(found, rows=apportioned(rows.astype(np.float64), max(rest, 1))), nulls / max(rest, 1)


def _following(
    found: ExtendedStatistics, names: Sequence[str], before: Sequence[int], own: int, part: Part,
    parts: Sequence[Part], sources: Mapping[str, Source], salt: int,
) -> Part:  # fmt: skip
    """Return the part with the earlier column that decides most of it."""
    best, degree = None, 0.0
    for place, k in enumerate(before):
        pair = (found.keys.index(names[k]), found.keys.index(names[own]))
        own_degree = dict(found.dependencies or ()).get(pair, 0.0)
        if best is None or own_degree > degree:
            best, degree = place, own_degree
    if best is None:
        return part
    meets = _meets(found, names[before[best]], names[own], sources, degree)
    return replace(part, after=best, degree=degree, meets=meets, salt=salt + own + 11)


def _meets(found: ExtendedStatistics, one: str, other: str, sources: Mapping[str, Source], degree: float) -> int:
    """Return how many of a column's values another's value meets, 0 where that is all by chance."""
    pair = tuple(sorted((found.keys.index(one), found.keys.index(other))))
    combinations = next((n for keys, n in found.ndistinct or () if tuple(sorted(keys)) == pair), None)
    values = sources[one].basis.found.values
    rows = sources[one].basis.found.total
    every = values * sources[other].basis.found.values
    if combinations is None or combinations > 0.8 * min(every, rows):
        return 0
    return max(1, round(combinations / max(values, 1) - (1.0 if degree > 0 else 0.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """A column whose place in its order is another's in its own: the larger the one, the larger the other.

    Where `a <= b` holds in every row of production, each quantile of b is at least that of a, and so it holds here.
    """

    slot: str
    marginal: Marginal
    leader: str
    of_leader: Marginal
    nulls: float
    lines: tuple[Line, Line] | None = None
    strictly: bool = False

    def draw(self, rows: Ints, slots: dict[str, Drawn], random: Random) -> None:
        """Fill the slot."""
        chance = random(self.slot)
        groups = self.of_leader.group_of(slots[self.leader].numbers, None)
        inside = chance.random(rows.size) * np.maximum(groups.count, 1)
        share = (groups.first + inside) / max(self.of_leader.total, 1)
        ranks = np.clip((share * self.marginal.total).astype(np.int64), 0, max(self.marginal.total - 1, 0))
        nulls = chance.random(rows.size) < self.nulls if self.nulls > 0 else None
        numbers = self._lifted(self.marginal.values(ranks, None), slots[self.leader].numbers)
        slots[self.slot] = Drawn(numbers=numbers, nulls=nulls)

    def _lifted(self, numbers: Ints, leading: Ints) -> Ints:
        """Return the numbers, larger ones where two histograms are too coarse to tell which value is the larger."""
        if self.lines is None:
            return numbers
        leader, own = self.lines
        least = leader.absolute(leading) + self.strictly
        low = np.flatnonzero(own.absolute(numbers) < least)
        numbers[low] = own.not_below(least[low])
        return numbers


def compared(constraints: Sequence[Constraint]) -> tuple[tuple[str, str, bool], ...]:
    """Return the pairs of columns of which a CHECK says that the first is not larger than the second, or smaller."""
    found = []
    for constraint in constraints:
        match = _COMPARED.match(constraint.definition) if constraint.kind is ConstraintKind.CHECK else None
        if match and match["left"] != match["right"]:
            low, high = (match["left"], match["right"])
            if match["sign"].startswith(">"):
                low, high = high, low
            found.append((low, high, len(match["sign"]) == 1))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depending:
    """A column that follows from a key's column, as extended statistics say: the customer of all lines of an order.

    `degree` is the share of rows that follow.  `ordered` says that the column grows with the key's numbers, of which
    there are `size`; else which value a number meets is chance, but always the same.
    """

    slot: str
    marginal: Marginal
    leader: str
    size: int
    degree: float
    ordered: bool
    nulls: float
    salt: int

    def draw(self, rows: Ints, slots: dict[str, Drawn], random: Random) -> None:
        """Fill the slot."""
        chance = random(self.slot)
        numbers = slots[self.leader].numbers
        own = streams.uniform(numbers, self.salt)
        share = (numbers + own) / max(self.size, 1) if self.ordered else own
        follows = chance.random(rows.size) < self.degree
        share = np.where(follows, share, chance.random(rows.size))
        ranks = np.clip((share * self.marginal.total).astype(np.int64), 0, max(self.marginal.total - 1, 0))
        missing = np.where(follows, streams.uniform(numbers, self.salt + 1), chance.random(rows.size)) < self.nulls
        nulls = missing if self.nulls > 0 else None
        slots[self.slot] = Drawn(numbers=self.marginal.values(ranks, None), nulls=nulls)


def degree_of(found: ExtendedStatistics, one: str, other: str, values: int) -> float:
    """Return the share of rows in which a column follows from another, by dependencies or by counted combinations."""
    pair = (found.keys.index(one), found.keys.index(other))
    stated = dict(found.dependencies or ()).get(pair)
    if stated is not None:
        return stated
    combinations = next((n for keys, n in found.ndistinct or () if set(keys) == set(pair)), None)
    return 1.0 if combinations is not None and combinations < 1.2 * values else 0.0
