"""Which chunk is next: pure but for its own count.

Chunks of one table lie in the heap in the order in which they arrive, and a column's physical correlation is that
order.  So a table that has few chunks is loaded by one worker at a time; only among many do neighbours that change
places not matter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from premortem.mirror.manifest import ChunkName
from premortem.model import RelationName

#: A table is loaded by one worker for every so many of its chunks: two that change places move by 1/16 of the table.
CHUNKS_PER_WORKER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A table's chunks, and how many rows it has in them."""

    relation: RelationName
    rows: int
    chunks: tuple[int, ...]
    every: int


@dataclass(slots=True)
class _Lane:
    waiting: deque[int]
    rows_per_chunk: float
    at_once: int
    running: int = 0

    @property
    def left(self) -> float:
        return len(self.waiting) * self.rows_per_chunk

    @property
    def is_open(self) -> bool:
        return bool(self.waiting) and self.running < self.at_once


class Schedule:
    """Hands out chunks: of the table with the most rows left first, so that all tables end together."""

    def __init__(self, work: Iterable[Work]) -> None:
        self._lanes: dict[RelationName, _Lane] = {
            w.relation: _Lane(
                waiting=deque(w.chunks),
                rows_per_chunk=w.rows / w.every,
                at_once=max(1, w.every // CHUNKS_PER_WORKER),
            )
            for w in work
            if w.chunks
        }

    def next(self) -> ChunkName | None:
        """Return a chunk to load now, None where none may be: all are done, or wait for one that runs."""
        ready = [(lane.left, relation) for relation, lane in self._lanes.items() if lane.is_open]
        if not ready:
            return None
        _, relation = max(ready)
        lane = self._lanes[relation]
        lane.running += 1
        return ChunkName(relation=relation, number=lane.waiting.popleft())

    def done(self, chunk: ChunkName) -> None:
        """Take note that a chunk is in."""
        self._lanes[chunk.relation].running -= 1

    def again(self, chunk: ChunkName) -> None:
        """Take a chunk back that was lost; it is the next of its table."""
        lane = self._lanes[chunk.relation]
        lane.running -= 1
        lane.waiting.appendleft(chunk.number)

    def give_up(self, relation: RelationName) -> None:
        """Forget the rest of a table."""
        self._lanes[relation].waiting.clear()


def remaining(every: Mapping[RelationName, tuple[int, int]], done: Iterable[ChunkName]) -> tuple[Work, ...]:
    """Return the work that is left of tables with so many rows and chunks each.

    >>> t = RelationName(schema="s", name="t")
    >>> [w.chunks for w in remaining({t: (30, 3)}, [ChunkName(relation=t, number=1)])]
    [(0, 2)]
    """
    finished = frozenset(done)
    return tuple(
        Work(
            relation=relation,
            rows=rows,
            chunks=tuple(n for n in range(count) if ChunkName(relation=relation, number=n) not in finished),
            every=count,
        )
        for relation, (rows, count) in every.items()
        if count
    )
