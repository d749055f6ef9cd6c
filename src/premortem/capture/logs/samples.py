"""The values that a statement was seen with: few, and as different as they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from zlib import crc32

from premortem.sqltext import Value

#: What each place of a statement held: constants as written, parameters by value (`\0` before it), NULL as None.
Held = tuple[tuple[str | None, ...], ...]

MOST = 20
_KEPT = 120
#: A sample beyond this many characters, or a list beyond this many members, is cut or not kept: reports show samples.
_LONGEST = 8_192
LONGEST_LIST = 1_000


def held(places: Sequence[Sequence[Value]], parameters: Sequence[str | None] | None) -> Held | None:
    """Return what the places held, None where parameters are not known."""
    found = []
    for values in places:
        row: list[str | None] = []
        for value in values[:LONGEST_LIST]:
            if value.parameter is None:
                row.append(value.text)
            elif parameters is None or value.parameter > len(parameters):
                return None
            else:
                known = parameters[value.parameter - 1]
                row.append(None if known is None else f"\0{known}")
        found.append(tuple(row))
    return tuple(found)


@dataclass(slots=True)
class Samples:
    """Counts what was seen, within bounds: the frequent stay, and of the rest a part that does not depend on order."""

    counts: dict[Held, int] = field(default_factory=dict)
    longest: Held | None = None
    _length: int = 0

    def take(self, seen: Held, calls: int) -> None:
        """Count one execution."""
        known = self.counts.get(seen)
        if known is not None:
            self.counts[seen] = known + calls
            return
        if sum(len(v or "") for row in seen for v in row) > _LONGEST:
            return
        length = _members(seen)
        if length > self._length:
            self.longest, self._length = seen, length
        self.counts[seen] = calls
        if len(self.counts) > _KEPT:
            kept = sorted(self.counts, key=self._rank)[: _KEPT // 2]
            self.counts = {k: self.counts[k] for k in kept}

    def _rank(self, seen: Held) -> tuple[int, int]:
        return -self.counts[seen], crc32(repr(seen).encode("utf-8", "replace"))

    def best(self) -> tuple[Held, ...]:
        """Return up to twenty, the most frequent first, the longest list among them."""
        order = sorted(self.counts, key=self._rank)
        frequent = order[: MOST // 2]
        rest = sorted(order[MOST // 2 :], key=lambda s: self._rank(s)[1])[: MOST - len(frequent)]
        found = [*frequent, *rest]
        if self.longest is not None and self._length > max(map(_members, found), default=0):
            found[MOST - 1 :] = [self.longest]
        return tuple(found)


def _members(seen: Held) -> int:
    return sum(len(row) for row in seen)
