"""Plans what keeps a table's rows apart, where exclusion constraints ask for it.

```
kept_apart
├── exclusions       what the constraints say, those aside that others or keys imply
├── lines.axis       the line of their periods
├── _chain           the columns that are compared for equality, as groups of rows
└── Apart            the draw of all of these columns
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from premortem import words
from premortem.model import Column, Constraint, Table
from premortem.synthesis import basis as bases
from premortem.synthesis import correlations, uniqueness
from premortem.synthesis.apart import Apart, Chain, Condition, Level
from premortem.synthesis.asked import Basis
from premortem.synthesis.drawing import Spot
from premortem.synthesis.exclusions import Exclusion, Meant, exclusions
from premortem.synthesis.lines import Axis, axis, basis_of
from premortem.synthesis.segments import Marginal, Segments, apportioned, disjoint
from premortem.synthesis.streams import Placement
from premortem.synthesis.timeline import WHOLE, Timeline, timeline

if TYPE_CHECKING:
    from premortem.synthesis.planning import Planner

#: A slot has this many rows of an average group at least, so that their lengths find room.
_ROWS_OF_GROUP = 4
#: From this correlation on rows are laid in the order of time.
_ORDERED = 0.3
#: Where a line must be this much longer than production's, it is said.
_LONGER = 1.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A draw that keeps rows apart, with the columns that it decides; or why there is none, for which constraint."""

    constraint: Exclusion
    draw: Apart | None = None
    decided: Mapping[str, Basis] | None = None
    says: str | None = None

    @property
    def unique(self) -> tuple[frozenset[str], ...]:
        """The sets of columns in which no two rows are the same: spans that are apart begin and end apart."""
        if self.draw is None or self.draw.condition is not None or self.draw.empty:
            return ()
        return tuple(frozenset({*self.constraint.equal, name}) for name in self.constraint.periods[0].columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A level of a chain: its groups' distribution before it is known how many rows there are."""

    columns: tuple[str, ...]
    found: Segments
    level: Level
    bases: Mapping[str, Basis]
    correlation: float = 0.0

    @property
    def values(self) -> int:
        return self.found.values


def kept_apart(planner: Planner, table: Table, total: int, decided: Mapping[str, Basis]) -> Iterator[Kept]:
    """Yield what keeps a table's rows apart, and the constraints for which nothing does."""
    left = _needed(table)
    while left:
        first = left[0]
        together = [e for e in left if e.periods[:1] == first.periods[:1]] if first.periods else [first]
        left = [e for e in left if e not in together]
        yield _kept(planner, table, total, first, together, decided)


def _needed(table: Table) -> list[Exclusion]:
    """Return the constraints that no key and no other constraint implies, strictest first."""
    every = sorted(exclusions(table), key=lambda e: (e.partial, len(e.equal)))
    unique = [set(one) for one in uniqueness.unique_sets(table)]
    found: list[Exclusion] = []
    for one in every:
        equal = set(one.equal)
        implied = any(keys <= equal for keys in unique)
        implied |= any(_implies(other, one) for other in found)
        if not implied:
            found.append(one)
    return found


def _implies(other: Exclusion, one: Exclusion) -> bool:
    same = other.periods[:1] == one.periods[:1] and bool(one.periods)
    return same and set(other.equal) <= set(one.equal) and (not other.partial or other.meant == one.meant)


def _kept(
    planner: Planner, table: Table, total: int, first: Exclusion, together: Sequence[Exclusion],
    decided: Mapping[str, Basis],
) -> Kept:  # fmt: skip
    if not first.periods:
        return Kept(constraint=first, says="compares what no rows are made to differ in")
    period = first.periods[0]
    if any(name in decided for name in period.columns):
        return Kept(constraint=first, says="shares columns with another key")
    found = axis(planner, table, period, temporal=any(e.temporal for e in together))
    if found is None:
        return Kept(constraint=first, says="compares values of a type that is not made on a line")
    return _Apartness(planner=planner, table=table, total=total, axis=found, decided=decided).made(together)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Apartness:
    """Everything that the draw of one period is put together from."""

    planner: Planner
    table: Table
    total: int
    axis: Axis
    decided: Mapping[str, Basis]

    def made(self, together: Sequence[Exclusion]) -> Kept:
        first = together[0]
        salt = bases.salt(self.planner.seed, self.table.relation.sql, "apart", *(e.name for e in together))
        condition, rows = self._condition(together)
        chains = self._chains(together, rows)
        if rows > WHOLE // 4:
            return Kept(constraint=first, says="has more rows than can be counted apart")
        slot_rows = self._slot_rows(chains, rows)
        varied = len(chains) == 1
        line, longer = self._line(chains, rows, slot_rows, salt, varied=varied)
        if varied and longer > 1:  # groups of the same size take less room
            varied = False
            line, longer = self._line(chains, rows, slot_rows, salt, varied=False)
        if line is None:
            return Kept(constraint=first, says="has more rows than its type has places")
        draw = Apart(
            name=f"apart {first.name}", spot=self._spot(rows, slot_rows, chains, salt), slot_rows=slot_rows,
            chains=tuple(self._drawn(c, at, len(chains), varied=varied) for at, c in enumerate(chains)), line=line,
            ends=self.axis.ends, condition=condition[0] if condition else None,
            endless=self._endless(chains, rows), endless_outside=self.axis.endless, empty=self.axis.empty,
        )  # fmt: skip
        decided = {name: basis_of(domain, rows) for name, domain in self.axis.domains.items()}
        for chain in chains:
            for part in chain:
                decided |= part.bases
        if condition is not None:
            decided[condition[0].slot] = condition[1]
        says = self._longer(longer, chains, rows) if longer > _LONGER else None
        return Kept(constraint=first, draw=draw, decided=decided, says=says)

    # --- which rows ---

    def _condition(self, together: Sequence[Exclusion]) -> tuple[tuple[Condition, Basis] | None, int]:
        """Return the column that tells which rows are kept apart, and how many these are: all where that is unclear."""
        meant = {e.meant for e in together}
        one = next(iter(meant))
        if len(meant) > 1 or one is None or one.column in self.decided or self._is_taken(one.column, together):
            return None, self.total
        column = self.table.column(one.column)
        basis = self.planner.basis(self.table, one.column) if column else None
        if column is None or basis is None or not basis.domain.size:
            return None, self.total
        made = self._split(one, column, basis)
        return (None, self.total) if made is None else ((made[0], basis), made[1])

    def _is_taken(self, name: str, together: Sequence[Exclusion]) -> bool:
        return any(name in e.columns for e in together)

    def _split(self, meant: Meant, column: Column, basis: Basis) -> tuple[Condition, int] | None:
        filled = min(self.planner.asked(self.table, column).rows, self.total)
        found = replace(in_numbers(basis), rows=apportioned(basis.found.rows.astype(np.float64), filled))
        if not meant.values:
            own = Marginal.of(found, numbered=False) if filled else None
            if meant.others:
                return Condition(slot=column.name, inside=own, outside=None), filled
            return Condition(slot=column.name, inside=None, outside=own), self.total - filled
        numbers = {number for text in meant.values if (number := basis.number(text)) is not None}
        if len(numbers) < len(set(meant.values)):
            return None
        told, rest = split(found, numbers)
        inside, outside = (rest, told) if meant.others else (told, rest)
        nulls = (self.total - filled) / max(self.total - inside.total, 1)
        condition = Condition(
            slot=column.name, inside=Marginal.of(inside, numbered=False) if inside.total else None,
            outside=Marginal.of(outside, numbered=False) if outside.total else None, nulls=nulls,
        )  # fmt: skip
        return condition, inside.total

    # --- groups ---

    def _chains(self, together: Sequence[Exclusion], rows: int) -> list[list[_Part]]:
        chains: list[list[_Part]] = []
        taken = set(self.decided)
        for one in together:
            chains.append(self._chain([name for name in one.equal if name not in taken], rows))
            taken |= {name for part in chains[-1] for name in part.columns}
        return chains

    def _chain(self, left: Sequence[str], rows: int) -> list[_Part]:
        """Return the columns that are compared, those with most values first."""
        parts: list[_Part] = []
        for reference in uniqueness.references(self.table, self.planner.profile):
            if set(reference.columns) <= set(left) and (part := self._reference(reference, rows)) is not None:
                parts.append(part)
                left = [name for name in left if name not in reference.columns]
        parts += [part for name in left if (part := self._column(name, rows)) is not None]
        return sorted(parts, key=lambda p: -p.values)

    def _column(self, name: str, rows: int) -> _Part | None:
        column = self.table.column(name)
        basis = self.planner.basis(self.table, name, whole=True) if column else None
        if column is None or basis is None or not basis.domain.size:
            return None
        asked = self.planner.asked(self.table, column)
        return self._part((name,), in_numbers(basis), rows, {name: basis}, correlations.correlation(asked, basis))

    def _part(
        self, columns: tuple[str, ...], found: Segments, rows: int, own: Mapping[str, Basis], correlation: float
    ) -> _Part:
        found = disjoint(found)
        counted = apportioned(found.rows.astype(np.float64), max(rows, 1))
        kept = counted > 0
        found = Segments(
            place=found.place[kept], width=found.width[kept], rows=counted[kept],
            distinct=np.minimum(found.distinct[kept], counted[kept]),
        )  # fmt: skip
        salt = bases.salt(self.planner.seed, self.table.relation.sql, "group", *columns)
        level = Level(slot=columns[0], marginal=Marginal.of(found, numbered=False), salt=salt)
        return _Part(columns=columns, found=found, level=level, bases=own, correlation=correlation)

    def _reference(self, reference: Constraint, rows: int) -> _Part | None:
        found = self.planner.referred(reference)
        names = uniqueness.own_names(reference)
        spread = self.planner.spread_of(self.table, found.key, reference) if found else None
        if found is None or spread is None:
            return None
        own = {mine: found.bases[theirs] for theirs, mine in names.items()}
        part = self._part(reference.columns, spread[0], rows, own, spread[2])
        return replace(part, level=replace(part.level, slot=reference.name, key=found.key, names=names))

    def _drawn(self, parts: Sequence[_Part], at: int, chains: int, *, varied: bool) -> Chain:
        levels = tuple(replace(p.level, varied=varied and k == 0) for k, p in enumerate(parts))
        salt = bases.salt(self.planner.seed, self.table.relation.sql, "chain", at) if chains > 1 else None
        return Chain(levels=levels, salt=salt)

    # --- slots and the line ---

    def _slot_rows(self, chains: Sequence[Sequence[_Part]], rows: int) -> int:
        if rows <= 1:
            return 1
        if len(chains) > 1:
            return max(1, min(rows, *(int(0.999 / heaviest(chain)) for chain in chains)))
        correlation = abs(self.axis.correlation)
        parts = chains[0]
        if correlation < _ORDERED or (parts and abs(parts[0].correlation) > correlation):
            return rows
        groups = math.prod(p.values for p in parts) if parts else 1
        slots = min(math.sqrt(1 / max(1 - correlation, 1e-12)), rows / (_ROWS_OF_GROUP * groups))
        return -(-rows // max(int(slots), 1))

    def _line(
        self, chains: Sequence[Sequence[_Part]], rows: int, slot_rows: int, salt: int, *, varied: bool
    ) -> tuple[Timeline | None, float]:
        slots = -(-max(rows, 1) // slot_rows)
        crowd = 1 if len(chains) > 1 else crowded(chains[0], slot_rows, varied=varied)
        if WHOLE // slots <= 2 * (crowd + 2):
            return None, 0.0
        made, longer = timeline(
            self.axis.places, self.axis.shares, self.axis.lengths, crowd=crowd, slots=slots, least=self.axis.least,
            salt=salt,
        )  # fmt: skip
        over = max(int(made.places[-1]) - self.axis.beyond, 0)
        if over and int(made.places[0]) - over < self.axis.first:
            return None, longer
        return replace(made, places=made.places - over), longer

    def _spot(self, rows: int, slot_rows: int, chains: Sequence[Sequence[_Part]], salt: int) -> Spot:
        if slot_rows < rows:
            backward = self.axis.correlation < 0
            placement = Placement(rows=rows, window=slot_rows, backward=backward, salt=salt)
        else:
            correlation = chains[0][0].correlation if chains and chains[0] else self.axis.correlation
            placement = Placement.of(rows, correlation, salt)
        return Spot(placement=placement, rows=self.total, filled=rows, exact=True, salt=salt ^ 1)

    def _endless(self, chains: Sequence[Sequence[_Part]], rows: int) -> float:
        groups = min(math.prod(p.values for p in chains[0]) if chains[0] else 1, max(rows, 1))
        return min(1.0, self.axis.endless * rows / max(groups, 1))

    def _longer(self, longer: float, chains: Sequence[Sequence[_Part]], rows: int) -> str:
        groups = min(math.prod(p.values for p in chains[0]) if chains[0] else 1, max(rows, 1))
        return (
            f"keeps {words.number(rows)} rows of {words.number(groups)} groups apart, for which the line of its periods"
            f" is {longer:.1f} times as long as in production"
        )


def crowded(parts: Sequence[_Part], slot_rows: int, *, varied: bool) -> int:
    """Return how many rows of a group a slot has at most."""
    most = slot_rows
    for at, part in enumerate(parts):
        most = -(-most * _heaviest(part.found, varied=varied and at == 0) // max(part.found.total, 1))
    return max(most, 1)


def heaviest(parts: Sequence[_Part]) -> float:
    """Return the largest share of the rows that one group has."""
    return math.prod(_heaviest(part.found, varied=False) / max(part.found.total, 1) for part in parts)


def _heaviest(found: Segments, *, varied: bool) -> int:
    """Return the most rows that a value has."""
    each = np.ceil(found.rows / np.maximum(found.distinct, 1))
    if varied:
        each = np.where(found.distinct > 1, np.minimum(2 * each + 1, found.rows), each)
    return int(each.max(initial=1.0))


def in_numbers(basis: Basis) -> Segments:
    """Return a basis's segments with the numbers of their values as places."""
    found = basis.found
    if not basis.numbered:
        return found
    return replace(found, place=np.cumsum(found.distinct) - found.distinct, width=found.distinct)


def split(found: Segments, numbers: set[int]) -> tuple[Segments, Segments]:
    """Return the rows of some values and those of all others, from segments whose places are values' numbers."""
    told: list[tuple[int, int, int, int]] = []
    rest: list[tuple[int, int, int, int]] = []
    for place, width, rows, distinct in zip(*(a.tolist() for a in _arrays(found)), strict=True):
        pieces = list(_pieces(place, width, sorted(n for n in numbers if place <= n < place + width)))
        weights = np.array([1.0 if own else size * distinct / width for _, size, own in pieces])
        counts = apportioned(weights, rows).tolist()
        for (at, size, own), count in zip(pieces, counts, strict=True):
            values = 1 if own else round(size * distinct / width)
            (told if own else rest).append((at, size, count, values))
    return _segments(told), _segments(rest)


def _pieces(place: int, width: int, inside: Sequence[int]) -> Iterator[tuple[int, int, bool]]:
    """Yield a segment's parts: starts and sizes, and whether a part is one of the numbers."""
    at = place
    for number in inside:
        if number > at:
            yield at, number - at, False
        yield number, 1, True
        at = number + 1
    if at < place + width:
        yield at, place + width - at, False


def _arrays(found: Segments) -> tuple[np.ndarray, ...]:
    return found.place, found.width, found.rows, found.distinct


def _segments(parts: Sequence[tuple[int, int, int, int]]) -> Segments:
    kept = [(p, w, r, min(max(d, 1), w, r)) for p, w, r, d in parts if w > 0 and r > 0]
    columns = np.array(kept, np.int64).reshape(-1, 4).T
    place, width, rows, distinct = (np.ascontiguousarray(c) for c in columns)
    return Segments(place=place, width=width, rows=rows, distinct=distinct)
