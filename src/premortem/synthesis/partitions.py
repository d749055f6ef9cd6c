"""Keys of partitioned tables: the combinations of one partition after those of the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from premortem.synthesis import combining
from premortem.synthesis.asked import Basis
from premortem.synthesis.combining import Combination
from premortem.synthesis.domains import Union
from premortem.synthesis.keys import Key
from premortem.synthesis.segments import Groups, Segments, Steps, apportioned
from premortem.synthesis.streams import Ints


@dataclass(frozen=True, kw_only=True)
class PartitionedKey:
    """The combinations of a key by number; `firsts` are where each partition's values begin among each column's."""

    parts: tuple[Key, ...]
    firsts: tuple[Mapping[str, int], ...]

    #: No column leads: a value may have combinations in several partitions.
    leader = None

    @property
    def names(self) -> tuple[str, ...]:
        """The slots of a partition's key."""
        return self.parts[0].names

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that combinations are of."""
        return self.parts[0].columns

    @cached_property
    def steps(self) -> Steps:
        """Where each partition's combinations begin."""
        return Steps.of(np.array([part.total for part in self.parts], np.int64))

    @property
    def total(self) -> int:
        """How many combinations there are."""
        return sum(part.total for part in self.parts)

    def combinations(self, numbers: Ints) -> dict[str, Ints]:
        """Return the columns' numbers in these combinations."""
        which = self.steps.find(numbers)
        found = {name: np.zeros(len(numbers), np.int64) for name in self.columns}
        for at in np.unique(which).tolist():
            rows = np.flatnonzero(which == at)
            own = self.parts[at].combinations(numbers[rows] - self.steps.starts[at])
            for name in self.columns:
                found[name][rows] = own[name] + self.firsts[at][name]
        return found

    def within(self, numbers: Ints) -> Groups:
        """Return the combinations that hold numbers of a leading column, which there is none of."""
        raise NotImplementedError


def united(parts: Sequence[Combination]) -> Combination | None:
    """Return the key of a partitioned table from its partitions' keys, of which some may be missing."""
    columns = set(parts[0].key.columns) if parts else set()
    if not parts or any(set(part.key.columns) != columns for part in parts):
        return None
    bases = {name: [part.bases[name] for part in parts] for name in columns}
    starts = {name: np.cumsum([0, *(b.domain.size for b in own)]).tolist() for name, own in bases.items()}
    firsts = tuple({name: int(starts[name][at]) for name in columns} for at in range(len(parts)))
    key = PartitionedKey(parts=tuple(_plain(part.key) for part in parts), firsts=firsts)
    return Combination(key=key, bases={name: _united(own) for name, own in bases.items()}, correlation=0.0)


def _plain(key: Key | PartitionedKey) -> Key:
    assert isinstance(key, Key)
    return key


def _united(bases: Sequence[Basis]) -> Basis:
    domain = Union(parts=tuple(basis.domain for basis in bases))
    return Basis(domain=domain, found=bases[0].found, numbered=False)


def spread(key: PartitionedKey, found: Segments, column: str, sizes: Iterable[int]) -> Segments:
    """Return rows over a key's combinations, by their distribution over a column that tells the partition.

    `found` is over the numbers of the column's values, so many of which each partition has.
    """
    parts: list[Segments] = []
    low = 0
    for at, size in enumerate(sizes):
        own = _cut(found, low, low + size)
        low += size
        if own is None:
            continue
        part = key.parts[at]
        leads = part.leader == column
        over = combining.spread_over(part, own) if leads else combining.everywhere(part, own.total)
        parts.append(_moved(over, int(key.steps.starts[at])))
    if not parts:
        return combining.everywhere(key, found.total)
    place = np.concatenate([part.place for part in parts])
    width = np.concatenate([part.width for part in parts])
    rows = apportioned(np.concatenate([part.rows for part in parts]).astype(np.float64), found.total)
    kept = rows > 0
    return Segments(
        place=place[kept], width=width[kept], rows=rows[kept], distinct=np.minimum(width[kept], rows[kept])
    )  # fmt: skip


def _cut(found: Segments, low: int, high: int) -> Segments | None:
    """Return what of some segments lies between two places, as places from the lower one on."""
    start, end = np.maximum(found.place, low), np.minimum(found.place + found.width, high)
    some = end > start
    share = (end - start) / np.maximum(found.width, 1)
    rows = np.rint(found.rows * share).astype(np.int64)
    some &= rows > 0
    if not some.any():
        return None
    width = (end - start)[some]
    distinct = np.clip(np.rint(found.distinct * share).astype(np.int64)[some], 1, np.minimum(width, rows[some]))
    return Segments(place=start[some] - low, width=width, rows=rows[some], distinct=distinct)


def _moved(found: Segments, by: int) -> Segments:
    return Segments(place=found.place + by, width=found.width, rows=found.rows, distinct=found.distinct)
