"""From a value's number to the value: the ordered set of values that a column draws from.

A key's domain is shared by every column that refers to it, so a child's value is a parent's by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from premortem.synthesis import streams, wire
from premortem.synthesis.kinds import Family, Kind
from premortem.synthesis.segments import Segments, Steps
from premortem.synthesis.streams import Ints
from premortem.synthesis.wire import Cells, Octets

_DAY = 86_400_000_000
_DIGITS = np.frombuffer(b"0123456789abcdefghijklmnopqrstuvwxyz", np.uint8)


class Domain(Protocol):
    """Values by their numbers, from 0 to `size`."""

    @property
    def size(self) -> int:
        """How many values there are."""
        ...

    def cells(self, numbers: Ints) -> Cells:
        """Return the values of these numbers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A few values, each told."""

    values: Cells

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.values.octets)

    def cells(self, numbers: Ints) -> Cells:
        """Return the values of these numbers."""
        return self.values.take(numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Numbers that are no values yet: combinations of another key."""

    size: int

    def cells(self, numbers: Ints) -> Cells:
        """Return the numbers themselves."""
        return wire.integers(numbers, 8)


@dataclass(frozen=True, kw_only=True)
class Union:
    """The values of several domains, one after the other: the keys of a table's partitions."""

    parts: tuple[Domain, ...]

    @cached_property
    def _steps(self) -> Steps:
        return Steps.of(np.array([part.size for part in self.parts], np.int64))

    @property
    def size(self) -> int:
        """How many values there are."""
        return sum(part.size for part in self.parts)

    def cells(self, numbers: Ints) -> Cells:
        """Return the values of these numbers."""
        step = self._steps.find(numbers)
        inside = numbers - self._steps.starts[step]
        found = {int(at): self.parts[int(at)].cells(inside[step == at]) for at in np.unique(step)}
        width = max((cells.octets.shape[1] for cells in found.values()), default=0)
        octets = np.zeros((len(numbers), width), np.uint8)
        lengths = np.zeros(len(numbers), np.int32)
        for at, cells in found.items():
            rows = np.flatnonzero(step == at)
            octets[rows, : cells.octets.shape[1]] = cells.octets
            lengths[rows] = _lengths(cells)
        return Cells(octets=octets, lengths=lengths)


@dataclass(frozen=True, kw_only=True)
class Line:
    """Whole numbers in order: segment s holds `distinct[s]` of them, spread evenly over `width[s]` places.

    A place is `unit * number + offset` of what the type counts in (microseconds, cents).  `exact` are values that their
    places do not tell wholly, by number: the lower half of a UUID, a network's mask.
    """

    kind: Kind
    scale: int
    unit: int
    place: Ints
    width: Ints
    distinct: Ints
    offset: int = 0
    exact_numbers: Ints | None = None
    exact: Cells | None = None
    salt: int = 0

    @cached_property
    def _steps(self) -> Steps:
        return Steps.of(self.distinct)

    @property
    def size(self) -> int:
        """How many values there are."""
        return int(self.distinct.sum())

    def places(self, numbers: Ints) -> Ints:
        """Return the places of these numbers, in units."""
        step = self._steps.find(numbers)
        inside = numbers - self._steps.starts[step]
        distinct = self.distinct[step]
        whole, rest = np.divmod(self.width[step], distinct)
        return np.asarray(self.place[step] + inside * whole + inside * rest // distinct, np.int64)

    def number(self, place: int) -> int:
        """Return the number of the value at a place (in units), or of the nearest one."""
        step = max(int(np.searchsorted(self.place, place, side="right")) - 1, 0)
        inside = min(max(place - int(self.place[step]), 0), int(self.width[step]) - 1)
        distinct, width = int(self.distinct[step]), int(self.width[step])
        return int(self._steps.starts[step]) + min(-(-inside * distinct // width), distinct - 1)

    def absolute(self, numbers: Ints) -> Ints:
        """Return the places of these numbers in what the type counts in."""
        return self.places(numbers) * self.unit + self.offset

    def not_below(self, places: Ints) -> Ints:
        """Return the numbers of the least values that are not below places in what the type counts in."""
        wanted = -((self.offset - places) // self.unit)
        step = np.clip(np.searchsorted(self.place, wanted, side="right") - 1, 0, len(self.place) - 1)
        inside = np.clip(wanted - self.place[step], 0, self.width[step] - 1)
        distinct = self.distinct[step]
        found = self._steps.starts[step] + np.minimum(-(-inside * distinct // self.width[step]), distinct - 1)
        return np.asarray(np.minimum(found + (self.places(found) < wanted), self.size - 1), np.int64)

    def cells(self, numbers: Ints) -> Cells:
        """Return the values of these numbers."""
        found = self.encoded(self.places(numbers) * self.unit + self.offset, numbers)
        if self.exact is None or self.exact_numbers is None:
            return found
        at = np.minimum(np.searchsorted(self.exact_numbers, numbers), len(self.exact_numbers) - 1)
        hits = np.flatnonzero(self.exact_numbers[at] == numbers)
        return _replaced(found, hits, self.exact.take(at[hits])) if hits.size else found

    def encoded(self, places: Ints, numbers: Ints) -> Cells:
        """Return the type's binary form of these places."""
        kind = self.kind
        if kind.family is Family.NUMERIC:
            return wire.numerics(places, self.scale)
        if kind.family is Family.FLOAT:
            return wire.floats(places / 10.0**self.scale, kind.octets)
        if kind.family is Family.UUID:
            low = streams.mixed(numbers, self.salt)
            high = (places.astype(np.uint64) << np.uint64(2)) | (streams.mixed(numbers, self.salt + 1) >> np.uint64(62))
            return Cells(octets=np.stack((high, low), axis=1).astype(">u8").view(np.uint8).reshape(-1, 16))
        if kind.family is Family.ADDRESS:
            head = np.tile(np.frombuffer(bytes((2, 32, int(kind.name == "cidr"), 4)), np.uint8), (len(places), 1))
            return Cells(octets=np.concatenate((head, _tail(places, 4)), axis=1))
        if kind.family is Family.MAC:
            return Cells(octets=np.ascontiguousarray(_tail(places, kind.octets)))
        if kind.family is Family.INTERVAL:
            return _intervals(places)
        if kind.family is Family.TIME_TZ:
            clock = np.clip(places, 0, _DAY - 1)
            return Cells(octets=np.concatenate((_tail(clock, 8), _tail(clock * 0, 4)), axis=1))
        return wire.integers(np.clip(places, kind.least, kind.most), kind.octets)


def _tail(numbers: Ints, octets: int) -> Octets:
    return numbers.astype(">i8").view(np.uint8).reshape(-1, 8)[:, 8 - octets :]


def _intervals(places: Ints) -> Cells:
    days, rest = np.divmod(np.abs(places), _DAY)
    sign = np.sign(places)
    months = np.zeros(len(places), np.int64)
    return Cells(octets=np.concatenate((_tail(rest * sign, 8), _tail(days * sign, 4), _tail(months, 4)), axis=1))


def _replaced(cells: Cells, rows: Ints, by: Cells) -> Cells:
    width = max(cells.octets.shape[1], by.octets.shape[1])
    octets = np.zeros((len(cells.octets), width), np.uint8)
    octets[:, : cells.octets.shape[1]] = cells.octets
    octets[rows, : by.octets.shape[1]] = by.octets
    lengths = _lengths(cells)
    lengths[rows] = _lengths(by)
    same = bool((lengths == width).all())
    return Cells(octets=octets, lengths=None if same else lengths)


def _lengths(cells: Cells) -> NDArray[np.int32]:
    if cells.lengths is not None:
        return cells.lengths.copy()
    return np.full(len(cells.octets), cells.octets.shape[1], np.int32)


@dataclass(frozen=True, kw_only=True)
class Templates:
    """Values made of a few templates: the first of a segment is the template, the others have a counter written in.

    `distinct[s]` values have template s; the counter has `digits` digits of base 36 from octet `at[s]`, in templates
    that are numbered like the segments in `counted` and told whole in `whole`.  `skipped[s]` is the count that would
    make the template itself.
    """

    distinct: Ints
    whole: Cells
    counted: Cells
    at: Ints
    digits: int
    skipped: Ints
    noise: Ints | None = None
    salt: int = 0

    @cached_property
    def _steps(self) -> Steps:
        return Steps.of(self.distinct)

    @property
    def size(self) -> int:
        """How many values there are."""
        return int(self.distinct.sum())

    def cells(self, numbers: Ints) -> Cells:
        """Return the values of these numbers."""
        step = self._steps.find(numbers)
        inside = numbers - self._steps.starts[step]
        found = self.counted.take(step)
        octets = np.ascontiguousarray(found.octets)
        self._make_noise(octets, step, numbers)
        self._count(octets, step, inside)
        found = Cells(octets=octets, lengths=_lengths(found))
        firsts = np.flatnonzero(inside == 0)
        return _replaced(found, firsts, self.whole.take(step[firsts])) if firsts.size else found

    def _count(self, octets: Octets, step: Ints, inside: Ints) -> None:
        row = np.arange(len(octets))
        at, left = self.at[step], inside + (inside >= self.skipped[step])
        for digit in range(self.digits - 1, -1, -1):
            left, rest = np.divmod(left, 36)
            octets[row, at + digit] = _DIGITS[rest]

    def _make_noise(self, octets: Octets, step: Ints, numbers: Ints) -> None:
        """Fill what stands behind the counter with letters that do not compress, where a template says from where."""
        if self.noise is None:
            return
        width = octets.shape[1]
        words = -(-width // 8)
        salted = numbers[:, None] * np.int64(words) + np.arange(words)
        letters = streams.mixed(salted.ravel(), self.salt).view(np.uint8).reshape(len(octets), -1)[:, :width]
        behind = np.arange(width) >= self.noise[step][:, None]
        octets[behind] = (letters[behind] % 26) + ord("a")


def line_of(kind: Kind, found: Segments, *, scale: int, unit: int, offset: int = 0, salt: int = 0) -> Line:
    """Return the line of a column's own segments."""
    return Line(
        kind=kind, scale=scale, unit=unit, place=found.place, width=found.width, distinct=found.distinct,
        offset=offset, salt=salt,
    )  # fmt: skip
