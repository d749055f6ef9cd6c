"""What it takes to put entries into an index and to have them vacuumed away: processor time and write-ahead log.

Record sizes follow `xlogrecord.h`, `nbtxlog.h`, `ginxlog.h` and `hash_xlog.h`; times are measured, one backend on
cached pages (`bench/advisor/writes` measures them on PostgreSQL 15 and 18, and says how near this comes).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from premortem.advisor.columns import KeyStatistics, key_statistics
from premortem.advisor.elements import elements
from premortem.advisor.machine import Machine
from premortem.advisor.size import PAGE, IndexSize
from premortem.model import IndexCandidate, IndexKey, Table

_HEADER = 8  # IndexTupleData
_LINE_POINTER = 4
_GROWS = 0.95  # correlation from which new rows' keys are taken to come after the old ones
_MANY = 1000.0  # distinct values: below, a key repeats within pages whatever its order

#: Seconds per entry, B-tree: forming the tuple, the descent, the insertion and its log record.
_BTREE_ENTRY = 1.1e-6
#: Seconds per level of binary search and per key compared, by kind of key.
_COMPARE_FIXED = 0.012e-6
_COMPARE_TEXT = 0.05e-6
_COMPARE_NUMERIC = 0.04e-6
#: Bytes of a log record that inserts into a leaf, beside the tuple.
_RECORD = 46.0
#: Of an item's bytes, what splits log besides: half a page that is 70 % full, or the tenth that a growing one leaves.
_SPLIT_LOG, _GROWING_SPLIT_LOG = 0.73, 0.12
#: Seconds per byte of log that is formed, besides what is in the figures per entry.
_PER_IMAGE = 3e-6
_IMAGE_FILL = 0.8
#: Bytes per second of writing the log out; assumed, a cloud disk.
LOG_BYTES = 200e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Processor seconds and bytes of log."""

    seconds: float = 0.0
    wal: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(seconds=self.seconds + other.seconds, wal=self.wal + other.wal)

    def times(self, factor: float) -> Cost:
        """Return the cost of so many."""
        return Cost(seconds=self.seconds * factor, wal=self.wal * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An index as those who write see it.

    `item` are the bytes of a tuple, `per_row` those that a row takes on disk; `fronts` are the pages where new rows'
    entries go, 1 where the keys grow.  `keys` are entries per row.
    """

    method: str
    item: float
    per_row: float
    rows: float
    pages: float
    fronts: float
    compare: float = _COMPARE_FIXED
    keys: float = 1.0
    unique: bool = False

    @property
    def grows(self) -> bool:
        """Whether new entries come after all others."""
        return self.fronts <= 1.0


def shape_of(candidate: IndexCandidate, table: Table, size: IndexSize) -> Shape:
    """Return how an index looks to those who write."""
    keys = tuple(key_statistics(k, table) for k in candidate.keys)
    included = tuple(key_statistics(name, table) for name in candidate.include)
    pages, rows = max(float(size.pages), 1.0), max(size.tuples, 1.0)
    return Shape(
        method=candidate.method, item=_item(candidate.method, (*keys, *included)), per_row=pages * PAGE / rows,
        rows=rows, pages=pages, fronts=_fronts(candidate.keys, keys, pages), compare=sum(map(_compare, keys)),
        keys=_keys(candidate, keys), unique=candidate.unique,
    )  # fmt: skip


def _item(method: str, keys: tuple[KeyStatistics, ...]) -> float:
    data = sum(k.width * (1.0 - k.null_share) for k in keys)
    return _HEADER + math.ceil(data / 8) * 8 + _LINE_POINTER


def _compare(key: KeyStatistics) -> float:
    if key.type == "numeric":
        return _COMPARE_NUMERIC
    return _COMPARE_TEXT if key.varies else _COMPARE_FIXED


def _keys(candidate: IndexCandidate, keys: tuple[KeyStatistics, ...]) -> float:
    if candidate.method != "gin":
        return 1.0
    pairs = zip(candidate.keys, keys, strict=True)
    return max(1.0, sum(e.share * e.count for key, stats in pairs for e in elements(stats, key.opclass)))


def _fronts(keys: tuple[IndexKey, ...], known: tuple[KeyStatistics, ...], pages: float) -> float:
    """Return on how many pages new rows' entries land: one for every value before the first key that grows.

    Equal keys are kept in the order of their rows, so the row's own place is the last key, and it grows.
    """
    spread = 1.0
    for stats in known:
        if _is_growing(stats):
            break
        spread *= stats.distinct
    return min(spread, pages)


def _is_growing(key: KeyStatistics) -> bool:
    correlation = key.statistics.correlation if key.statistics is not None else None
    return correlation is not None and abs(correlation) >= _GROWS and key.distinct >= _MANY


# entries --------------------------------------------------------------------------------------------------------------


def entering(shape: Shape, per_second: float, machine: Machine, *, scattered: bool = False) -> Cost:
    """Return what so many entries a second cost a second; `scattered` ones belong to rows anywhere in the table."""
    if per_second <= 0:
        return Cost()
    fronts = shape.pages if scattered else shape.fronts
    one = _ONE.get(shape.method, _btree)(shape, scattered or not shape.grows)
    return one.times(per_second) + _imaged(fronts, per_second, shape, machine) + _fetched(fronts, per_second, machine)


def _btree(shape: Shape, spread: bool) -> Cost:
    split = (_SPLIT_LOG if spread else _GROWING_SPLIT_LOG) * min(shape.per_row, shape.item)
    depth = math.log2(shape.rows + 2) if spread else math.log2(PAGE / shape.item + 2)
    check = shape.compare * 4 if shape.unique else 0.0
    return Cost(seconds=_BTREE_ENTRY + depth * shape.compare + check, wal=_RECORD + shape.item - _LINE_POINTER + split)


def _gin(shape: Shape, spread: bool) -> Cost:
    return Cost(seconds=1e-6 + 1.2e-6 * shape.keys, wal=60 + 40 * shape.keys)


def _gist(shape: Shape, spread: bool) -> Cost:
    return Cost(seconds=9e-6, wal=60 + 2 * shape.item)


def _hash(shape: Shape, spread: bool) -> Cost:
    return Cost(seconds=1.5e-6, wal=100)


def _brin(shape: Shape, spread: bool) -> Cost:
    return Cost(seconds=0.25e-6, wal=1)


_ONE = {"gin": _gin, "gist": _gist, "spgist": _gist, "hash": _hash, "brin": _brin}


def _imaged(pages: float, per_second: float, shape: Shape, machine: Machine) -> Cost:
    """Return what the images of pages cost that are changed for the first time since a checkpoint."""
    if shape.method == "brin" or not machine.images:
        return Cost()
    images = _touched(pages, per_second * machine.interval) / machine.interval
    return Cost(seconds=_PER_IMAGE, wal=PAGE * _IMAGE_FILL * machine.images).times(images)


def _touched(pages: float, entries: float) -> float:
    """Return how many different pages so many entries fall on."""
    return pages * -math.expm1(-entries / pages)


def _fetched(pages: float, per_second: float, machine: Machine) -> Cost:
    """Return what reading pages costs that are not in shared buffers; the one page of a growing key always is."""
    if pages <= 2.0:
        return Cost()
    return Cost(seconds=per_second * (machine.near * NEAR_PAGE + machine.far * FAR_PAGE))


#: Seconds to fetch a page from the system's cache (measured), and from a disk (assumed: a cloud's SSD).
NEAR_PAGE, FAR_PAGE = 5e-6, 200e-6


# vacuum ---------------------------------------------------------------------------------------------------------------

#: Seconds per page and per entry that VACUUM looks at, and per dead entry that it takes away.
_PER_PAGE, _PER_SEEN, _PER_DEAD = 2e-6, 0.03e-6, 0.05e-6
_DEAD_RECORD, _DEAD_OFFSET = 60.0, 2.0


def vacuuming(shape: Shape, dead: float, machine: Machine) -> Cost:
    """Return what one VACUUM costs that finds so many dead entries: it reads every page of the index."""
    if dead <= 0 or shape.method == "brin":
        return Cost()
    changed = _touched(shape.pages, dead)
    image = PAGE * _IMAGE_FILL * machine.images
    seconds = shape.pages * _PER_PAGE + shape.rows * shape.keys * _PER_SEEN + dead * shape.keys * _PER_DEAD
    read = shape.pages * machine.far * PAGE / READ_BYTES
    log = changed * (_DEAD_RECORD + image) + dead * shape.keys * _DEAD_OFFSET
    return Cost(seconds=seconds + read + changed * _PER_IMAGE * (machine.images > 0), wal=log)


#: Bytes per second of reading an index in order from a disk that is not the slowest.
READ_BYTES = 400e6
