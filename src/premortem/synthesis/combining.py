"""Which column of a unique set leads, and how the others follow, so that every combination stands once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from premortem.synthesis.asked import Basis
from premortem.synthesis.keys import Key, ladder
from premortem.synthesis.kinds import Family
from premortem.synthesis.segments import Marginal, Segments, limited

if TYPE_CHECKING:
    from premortem.synthesis.partitions import PartitionedKey

#: From this correlation on a column is taken to lie in the heap in its own order.
_ORDERED = 0.9
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A column of a unique set: its basis as if no row were NULL, and how to make it with more distinct values."""

    slot: str
    basis: Basis
    correlation: float
    unique: bool
    family: Family
    widened: Callable[[float], Basis]

    @property
    def distinct(self) -> int:
        """How many values it has."""
        return self.basis.found.values


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """A key, with the bases of its columns as they became."""

    key: Key | PartitionedKey
    bases: dict[str, Basis]
    correlation: float


def combined(members: Sequence[Member], rows: int, salt: int, *, alone: bool = True) -> Combination | None:
    """Return the key of these members for so many rows, None where they have too few values for that.

    Groups vary in size where there is room, but not where another set shares them, which may have less.
    """
    if rows <= 0:
        return None
    own = [m for m in members if m.unique]
    if len(members) == 2 and len(own) == 1:
        return _with_own_number(members, own[0], salt)
    lead = _lead(members)
    others = [m for m in members if m is not lead]
    steps = _steps(lead, others, rows, salt)
    if steps is not None:
        return steps
    bases = {m.slot: m.basis for m in others}
    first = _roomy(lead, others, rows, bases)
    room = _room(bases.values())
    if first.found.values * room < rows:
        return None
    found = limited(first.found, room)
    if found.total < rows:
        return None
    each = rows / max(found.values, 1)
    key = Key(
        names=(lead.slot, *bases), lead=_marginal(first, found), salt=salt, varied=alone and 2 * each < room,
        others=tuple(_marginal(b, b.found) for b in bases.values()),
    )  # fmt: skip
    return Combination(key=key, bases={lead.slot: first, **bases}, correlation=_together(lead.correlation))


def beside(key: Key, members: Sequence[Member], salt: int) -> Combination | None:
    """Return a second key with the groups of another, in which these members differ too; None where they cannot."""
    if key.units or not members:
        return None
    bases = {m.slot: m.basis for m in members}
    for member in sorted(members, key=lambda m: -m.distinct):
        missing = key.largest / _room(bases.values())
        if missing > 1:
            bases[member.slot] = member.widened(np.ceil(bases[member.slot].found.values * missing))
    if _room(bases.values()) < key.largest:
        return None
    others = tuple(_marginal(b, b.found) for b in bases.values())
    made = replace(key, names=(key.names[0], *bases), others=others, bijective=None, turned=salt)
    return Combination(key=made, bases=bases, correlation=0.0)


def _together(correlation: float) -> float:
    """Return the correlation of a leading column's rows: from an order on, rows of one value lie side by side."""
    return math.copysign(1.0, correlation) if abs(correlation) >= _ORDERED else correlation


def _marginal(basis: Basis, found: Segments) -> Marginal:
    return Marginal.of(found, numbered=basis.numbered, even=True)


def _with_own_number(members: Sequence[Member], own: Member, salt: int) -> Combination:
    """A column of groups beside one whose values are all different: tenant and number, say."""
    lead = next(m for m in members if m is not own)
    key = Key(
        names=(lead.slot, own.slot), lead=_marginal(lead.basis, lead.basis.found), others=(), salt=salt, varied=False,
        bijective=salt ^ 7,
    )  # fmt: skip
    return Combination(key=key, bases={lead.slot: lead.basis, own.slot: own.basis}, correlation=own.correlation)


def _lead(members: Sequence[Member]) -> Member:
    ordered = [m for m in members if abs(m.correlation) >= _ORDERED and m.distinct > 1]
    return max(ordered or members, key=lambda m: m.distinct)


def _room(others: Iterable[Basis]) -> int:
    room = 1
    for basis in others:
        room *= max(basis.found.values, 1)
    return int(min(room, 2**62))


def _roomy(lead: Member, others: Sequence[Member], rows: int, bases: dict[str, Basis]) -> Basis:
    """Return the leading basis; give the columns more values where all of their combinations are fewer than the rows.

    ANALYZE underestimates distinct values, but a key's rows cannot be more than its combinations.
    """
    first = lead.basis
    for member in sorted(others, key=lambda m: -m.distinct):
        missing = rows / (first.found.values * _room(bases.values()))
        if missing > 1:
            bases[member.slot] = member.widened(np.ceil(bases[member.slot].found.values * missing))
    missing = rows / (first.found.values * _room(bases.values()))
    return lead.widened(np.ceil(first.found.values * missing)) if missing > 1 else first


def _steps(lead: Member, others: Sequence[Member], rows: int, salt: int) -> Combination | None:
    """Return the key of a column and one that counts 1, 2, 3 … within it (lines of an order), None for any other."""
    if len(others) != 1 or others[0].family is not Family.INTEGER:
        return None
    found = others[0].basis.found
    counts = found.rows.astype(np.float64)
    places = found.place
    if not 2 <= len(found) <= _MOST_STEPS or (found.distinct != 1).any() or (np.diff(places) != 1).any():
        return None
    if (counts[1:] > counts[:-1] * 1.1 + 1).any() or counts[0] < 0.7 * lead.distinct or counts[-1] > 0.9 * counts[0]:
        return None
    room = lead.basis.domain.size if not lead.basis.numbered else rows
    stairs = ladder(np.minimum.accumulate(counts), rows, room, salt)
    groups = stairs.count
    first = lead.widened(groups)
    if first.domain.size < groups:
        return None
    values = first.domain.size if not first.numbered else first.found.values
    stairs = replace(stairs, values=max(values, groups))
    names = (lead.slot, others[0].slot)
    key = Key(names=names, lead=stairs, others=(), salt=salt, varied=False)
    bases = {lead.slot: first, others[0].slot: others[0].basis}
    return Combination(key=key, bases=bases, correlation=_together(lead.correlation))


def spread_over(key: Key, found: Segments) -> Segments:
    """Return segments over a leading column's values as segments over the key's combinations that hold them."""
    first = key.within(found.place)
    last = key.within(found.place + found.width - 1)
    start = np.maximum.accumulate(first.first)
    end = np.minimum(np.maximum.accumulate(last.first + last.count), np.append(start[1:], key.total))
    width = np.maximum(end - start, 0)
    some = np.flatnonzero(width > 0)
    if not some.size:
        return everywhere(key, found.total)
    rows = np.zeros(some.size, np.int64)  # what has no combination goes to the one before
    np.add.at(rows, np.clip(np.searchsorted(some, np.arange(len(found)), side="right") - 1, 0, None), found.rows)
    kept = rows > 0
    start, width, rows = start[some][kept], width[some][kept], rows[kept]
    return Segments(place=start, width=width, rows=rows, distinct=np.minimum(width, rows))


def one_each(found: Segments) -> Segments | None:
    """Return segments over combinations in which none is met twice, None where there are too few."""
    capped = limited(replace(found, distinct=found.width), 1)
    if capped.total < found.total:
        return None
    kept = capped.rows > 0
    return Segments(
        place=capped.place[kept], width=capped.width[kept], rows=capped.rows[kept], distinct=capped.rows[kept]
    )


def everywhere(key: Key | PartitionedKey, rows: int) -> Segments:
    """Return the one segment of all combinations."""
    total = np.array([key.total], np.int64)
    return Segments(
        place=np.zeros(1, np.int64),
        width=total,
        rows=np.array([rows], np.int64),
        distinct=np.minimum(total, max(rows, 1)),
    )
