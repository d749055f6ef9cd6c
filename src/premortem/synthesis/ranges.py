"""Ranges as values of a domain: pairs of where they start and how long they are, in units of their line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from premortem.synthesis.apart import EMPTY, ENDLESS
from premortem.synthesis.domains import Line
from premortem.synthesis.drawing import Nulls
from premortem.synthesis.streams import Ints
from premortem.synthesis.wire import Cells, Octets

_LOW, _HIGH, _OPEN, _NOTHING = 2, 4, 16, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """Ranges on a line, from their start on, which is in them; so is the end where they are `inclusive`."""

    line: Line
    inclusive: bool = False
    multiple: bool = False

    @property
    def size(self) -> int:
        """How many values there are: nobody asks for one by its number."""
        return self.line.size

    def cells(self, numbers: Ints) -> Cells:
        """Return the ranges of pairs of start and length."""
        start, length = numbers[:, 0], numbers[:, 1]
        open_end, empty = length == ENDLESS, length == EMPTY
        low = self._end(start)
        high = self._end(start + np.maximum(length, 1) - self.inclusive)
        flags = np.full((len(start), 1), _LOW | (_HIGH if self.inclusive else 0), np.uint8)
        flags[open_end] = _LOW | _OPEN
        flags[empty] = _NOTHING
        octets = np.concatenate((flags, low, high), axis=1)
        lengths = np.full(len(start), octets.shape[1], np.int64)
        lengths[open_end] = 1 + low.shape[1]
        lengths[empty] = 1
        if self.multiple:
            return _multiple(octets, lengths, empty)
        varies = bool(open_end.any() or empty.any())
        return Cells(octets=octets, lengths=lengths.astype(np.int32) if varies else None)

    def _end(self, places: Ints) -> Octets:
        found = self.line.cells(places).octets
        return np.concatenate((_sizes(np.full(len(found), found.shape[1])), found), axis=1)


def _sizes(lengths: Ints) -> Octets:
    return np.ascontiguousarray(lengths.astype(">i4")).view(np.uint8).reshape(-1, 4)


def _multiple(ranges: Octets, lengths: Ints, empty: Nulls) -> Cells:
    """Return multiranges of one range each, of none for the empty range."""
    count = _sizes(np.where(empty, 0, 1))
    octets = np.concatenate((count, _sizes(lengths), ranges), axis=1)
    return Cells(octets=octets, lengths=np.where(empty, 4, lengths + 8).astype(np.int32))
