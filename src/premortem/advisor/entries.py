"""What it takes to put entries into an index and to have them vacuumed away: processor time and write-ahead log.

Records follow `nbtxlog.h`, `ginxlog.h`, `gistxlog.h` and `hash_xlog.h`.  Times, and what splits and flushes add to the
log, are measured: one backend on cached pages, PostgreSQL 15 and 18 on a 2024 server core (`bench/advisor/writes`
measures them again, and says how near this comes).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from premortem.advisor.building import expression_seconds
from premortem.advisor.columns import KeyStatistics, key_statistics
from premortem.advisor.elements import elements
from premortem.advisor.leaves import PAGE, tuple_size
from premortem.advisor.machine import Machine
from premortem.advisor.samples import Element
from premortem.advisor.size import IndexSize
from premortem.model import IndexCandidate, Table

_LINE_POINTER = 4.0
_SEARCHED = 0.08e-6  # seconds in which VACUUM looks for a row among the dead ones, up to PostgreSQL 16
_GROWS = 0.95  # correlation from which new rows' keys are taken to come after the old ones
_MANY = 50.0  # distinct values: below, an order says little
#: What the image of a leaf logs: after a while pages are 90 % full where keys come in order, and 70 % where in none,
#: when there are more of them than CREATE INDEX leaves.  The same image for both, and pages in proportion, log as much.
_IMAGE = 0.8 * PAGE
_MORE_PAGES = 0.9 / 0.8
_PER_IMAGE = 2e-6
#: Bytes per second of writing the log out; assumed, a cloud's disk.
LOG_BYTES = 200e6
#: Seconds to fetch a page from the system's cache (measured), and from a disk (assumed: a cloud's SSD).
NEAR_PAGE, FAR_PAGE = 5e-6, 200e-6
_RESIDENT = 600.0  # seconds that a page stays in memory after its last use; assumed
#: Bytes per second of reading an index in order from a disk that is not the slowest.
READ_BYTES = 400e6


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

    `new` is what a new row's entry costs, `moved` that of a row from anywhere in the table, images apart.  `fronts` are
    the pages where new rows' entries go, 1 where the keys grow.  `keys` are entries per row, `visits` the pages that a
    row's entries change, and `splits` those that they fill.  `image` is the bytes of a page's image.
    VACUUM takes `seen` seconds for each entry, dead or not, `searched` more where it has to search a list of dead rows
    for one that is in no order, and `page` for each page, and logs `cleared` bytes for a
    page with dead ones and `offset` for each of them.
    """

    method: str
    rows: float
    pages: float
    new: Cost
    moved: Cost
    fronts: float
    keys: float = 1.0
    visits: float = 1.0
    splits: float = 0.0
    image: float = _IMAGE
    seen: float = 0.02e-6
    searched: float = 0.0
    page: float = 2e-6
    cleared: float = 60.0
    offset: float = 2.0


def shape_of(
    candidate: IndexCandidate, table: Table, size: IndexSize, *, collates: bool = False, is_new: bool = True
) -> Shape:
    """Return how an index looks to those who write.

    `collates` says that texts are compared by a language's rules and not by their bytes.  A new index's pages are as
    full as CREATE INDEX leaves them, and will be less so.
    """
    keys = tuple(key_statistics(k, table) for k in candidate.keys)
    included = tuple(key_statistics(name, table) for name in candidate.include)
    found = _Index(
        candidate, keys, tuple_size((*keys, *included)), max(size.tuples, 1.0), max(float(size.pages), 1.0), collates,
        is_new,
    )  # fmt: skip
    shape = _PRICED.get(candidate.method, _gist)(found)
    worked_out = Cost(seconds=sum(map(expression_seconds, candidate.keys)))
    return replace(shape, new=shape.new + worked_out, moved=shape.moved + worked_out)


@dataclass(frozen=True, slots=True)
class _Index:
    """A candidate with what is known of its keys, the size of a tuple, its rows and its pages."""

    candidate: IndexCandidate
    keys: Sequence[KeyStatistics]
    tuple: float
    rows: float
    pages: float
    collates: bool
    is_new: bool

    @property
    def item(self) -> float:
        """What a tuple takes on its page."""
        return self.tuple + _LINE_POINTER

    @property
    def spread(self) -> float:
        """In how many places new rows' entries land: one for every value before the first key that grows.

        Equal keys are kept in the order of their rows, so the row's own place is the last key, and it grows.
        """
        found = 1.0
        for key in self.keys:
            if _is_growing(key):
                break
            found *= _places(key)
        return found


def _is_growing(key: KeyStatistics) -> bool:
    correlation = key.statistics.correlation if key.statistics is not None else None
    return correlation is not None and abs(correlation) >= _GROWS and key.distinct >= _MANY


def _places(key: KeyStatistics) -> float:
    """Return among how many values rows are spread: a value that most have makes the others count for little.

    It is the exponential of the distribution's entropy, which is `distinct` where all are as frequent.
    """
    found: float | None = key.__dict__.get("_places")
    if found is None:
        found = key.__dict__["_places"] = math.exp(_entropy(key))
    return found


def _entropy(key: KeyStatistics) -> float:
    rest = max(1.0 - key.null_share - sum(key.common), 0.0)
    others = max(key.distinct - len(key.common), 1.0)
    common = sum(f * -math.log(f) for f in (key.null_share, *key.common) if f > 0)
    return common + (rest * math.log(others / rest) if rest > 0 else 0.0)


# B-tree ---------------------------------------------------------------------------------------------------------------

#: Seconds of an entry at the right end, of each doubling of the pages that entries land on, of landing amid a page of
#: other keys or of the same ones, and of a search for the same key before.
_ENTRY, _PER_DOUBLING, _AMID, _AMID_SAME, _UNIQUE = 0.45e-6, 0.18e-6, 1.6e-6, 1.0e-6, 0.6e-6
_TOLD_APART = 1000.0  # distinct values before a key: more, and it is seldom looked at
_WORDS = frozenset({"text", "character varying", "character", "citext"})
_PLACES = 60.0  # places per page from which entries land amid others
#: Seconds per key that a search compares, beyond what fixed-width keys take.
_COMPARED = {"numeric": 0.04e-6, "text": 0.05e-6, "language": 0.12e-6}
#: Bytes of a log record that inserts into a leaf, beside the tuple.
_RECORD = 46.0
#: Of an item's bytes, what splits log besides: half of a page that is 70 % full, or the tenth that a growing one moves.
_HALVES, _TENTHS = 0.73, 0.12
_CROWDED_LOG = 16.0  # bytes per entry that joining equal keys logs on pages where a single key fills several


def _btree(of: _Index) -> Shape:
    spread = of.spread
    amid = -math.expm1(-max(spread - of.pages, 0.0) / of.pages / _PLACES)
    pages = of.pages * (1.0 + (_MORE_PAGES - 1.0) * amid * of.is_new)
    fronts = min(spread, pages)
    halved = 1.0 if _is_shared(of) else 0.0
    crowded = Cost(wal=_CROWDED_LOG * max(1.0 - spread / of.pages, 0.0) * halved)
    return Shape(
        method="btree", rows=of.rows, pages=pages, fronts=fronts, new=_btree_entry(of, fronts, amid, amid),
        moved=_btree_entry(of, pages, 1.0, halved) + crowded, splits=of.item / PAGE,
        searched=_SEARCHED * min(1.0, spread / of.pages),
    )  # fmt: skip


def _is_shared(of: _Index) -> bool:
    """Whether rows share keys: in posting lists, they take less than a tuple each."""
    return of.pages * PAGE / of.rows < 0.8 * of.item


def _btree_entry(of: _Index, fronts: float, amid: float, halved: float) -> Cost:
    """Return what an entry costs; `halved` is the share of splits amid others.

    A row that moves leaves room where it was, so that its new entry splits a page only where many rows share the key.
    """
    split = (_TENTHS + (_HALVES - _TENTHS) * halved) * min(of.pages * PAGE / of.rows, of.item)
    among = _AMID_SAME if _is_shared(of) else _AMID
    seconds = _ENTRY + _PER_DOUBLING * math.log2(fronts) + among * amid
    if fronts > 1.0:
        seconds += _compared(of) * math.log2(of.rows + 1.0)
    return Cost(seconds=seconds + _UNIQUE * of.candidate.unique, wal=_RECORD + of.tuple + split)


def _compared(of: _Index) -> float:
    """Return what comparing two keys takes: a later one is looked at where those before it are equal."""
    total, before = 0.0, 1.0
    for key in of.keys:
        total += _COMPARED.get(_kind(key, of.collates), 0.0) * min(1.0, _TOLD_APART / before)
        before *= key.distinct
    return total


def _kind(key: KeyStatistics, collates: bool) -> str:
    if key.type == "numeric" or not key.varies:
        return key.type
    return "language" if collates and key.type in _WORDS else "text"


# GIN ------------------------------------------------------------------------------------------------------------------

#: Into the pending list: seconds and bytes per row, and seconds per key.
_PENDING_ROW, _PENDING_LOG, _PENDING_KEY = 1.0e-6, 118.0, 0.15e-6
_PENDING_LIST = 4 * 1024.0 * 1024.0  # gin_pending_list_limit
#: Out of it: seconds per row and key, and per key that comes at all; bytes likewise, the latter beside its own tuple.
_FLUSHED, _FLUSHED_KEY, _FLUSHED_LOG, _FLUSHED_KEY_LOG = 0.25e-6, 4.0e-6, 15.0, 110.0
#: VACUUM takes each page of entries apart, and logs a page with dead ones whole where these are in its entries.
_GIN_PAGE, _GIN_SEARCHED, _GIN_CLEARED, _GIN_OFFSET = 25e-6, 0.05e-6, 0.5 * _IMAGE, 15.0
_GIN_MOVED = 1.5  # times the processor time, where rows come from all over the table
_LONGEST_INLINE, _PER_POSTING = 1200.0, 2.5  # an entry's list of rows is written anew until it has pages of its own


def _gin(of: _Index) -> Shape:
    pairs = zip(of.candidate.keys, of.keys, strict=True)
    found = [e for key, stats in pairs for e in elements(stats, key.opclass)]
    keys = max(1.0, sum(e.share * e.count for e in found))
    width = sum(e.share * e.count * e.width for e in found) / keys + 8.0
    flushed = _PENDING_LIST / (keys * width)
    groups = [(e, e.count * -math.expm1(-e.share * flushed) / flushed) for e in found]
    log = sum(g * (_FLUSHED_KEY_LOG + _HALVES * e.width + _inline(e, of.rows)) for e, g in groups)
    visits = sum(g for _, g in groups)
    cost = Cost(
        seconds=_PENDING_ROW + keys * (_PENDING_KEY + _FLUSHED) + visits * _FLUSHED_KEY,
        wal=_PENDING_LOG + keys * (width + _FLUSHED_LOG) + log,
    )
    return Shape(
        method="gin", rows=of.rows, pages=of.pages, fronts=of.pages, new=cost,
        moved=replace(cost, seconds=cost.seconds * _GIN_MOVED), keys=keys, visits=visits,
        page=_GIN_PAGE, searched=_GIN_SEARCHED, cleared=_GIN_CLEARED, offset=_GIN_OFFSET,
    )  # fmt: skip


def _inline(element: Element, rows: float) -> float:
    posted = element.share * rows * _PER_POSTING
    return posted if posted < _LONGEST_INLINE else 0.0


# the others -----------------------------------------------------------------------------------------------------------


def _plain(of: _Index, seconds: float, log: float, searched: float = 0.0) -> Shape:
    cost = Cost(seconds=seconds, wal=log)
    return Shape(
        method=of.candidate.method, rows=of.rows, pages=of.pages, fronts=of.pages, new=cost, moved=cost,
        searched=searched,
    )  # fmt: skip


def _gist(of: _Index) -> Shape:
    moved = Cost(seconds=7e-6, wal=45.0 + 1.4 * of.item)
    return replace(_plain(of, 7e-6, 60.0 + 2.2 * of.item), moved=moved)


def _spgist(of: _Index) -> Shape:
    return _plain(of, 6e-6, 60.0 + 1.3 * of.item, searched=0.25e-6)


def _hash(of: _Index) -> Shape:
    return _plain(of, 2.8e-6, 77.0, searched=0.1e-6)


def _brin(of: _Index) -> Shape:
    """A range's summary changes for its first rows only, and waits for VACUUM until there is one at all."""
    cost = Cost(seconds=0.35e-6, wal=1.0)
    return Shape(method="brin", rows=of.rows, pages=of.pages, fronts=1.0, new=cost, moved=cost, image=0.0)


_PRICED: dict[str, Callable[[_Index], Shape]] = {
    "btree": _btree, "gin": _gin, "gist": _gist, "spgist": _spgist, "hash": _hash, "brin": _brin,
}  # fmt: skip


# so many of them ------------------------------------------------------------------------------------------------------


def entering(shape: Shape, per_second: float, machine: Machine, *, scattered: bool = False) -> Cost:
    """Return what so many rows' entries a second cost a second; `scattered` rows are from anywhere in the table."""
    if per_second <= 0:
        return Cost()
    fronts, one = (shape.pages, shape.moved) if scattered else (shape.fronts, shape.new)
    visits = per_second * shape.visits
    return one.times(per_second) + _imaged(fronts, visits, shape, machine) + _fetched(fronts, visits, machine)


def _imaged(pages: float, visits: float, shape: Shape, machine: Machine) -> Cost:
    """Return what the images of pages cost that are changed for the first time since a checkpoint."""
    entries = visits * machine.interval
    images = (_touched(pages, entries) + _touched(_ABOVE, entries * shape.splits)) / machine.interval
    return Cost(seconds=_PER_IMAGE * (machine.images > 0), wal=shape.image * machine.images).times(images)


def _touched(pages: float, entries: float) -> float:
    """Return how many different pages so many entries fall on."""
    return pages * -math.expm1(-entries / pages)


_ABOVE = 3.0  # pages that a split changes besides: the parent, now and then the root and the metapage


def _fetched(pages: float, visits: float, machine: Machine) -> Cost:
    """Return what reading pages costs that are not in shared buffers; the one page of a growing key always is.

    A page that was changed a moment ago is there still, however large the database is.
    """
    if pages <= 2.0:
        return Cost()
    reads = _touched(pages, visits * _RESIDENT) / _RESIDENT
    return Cost(seconds=reads * (machine.near * NEAR_PAGE + machine.far * FAR_PAGE))


# vacuum ---------------------------------------------------------------------------------------------------------------

_PER_DEAD = 0.25e-6  # seconds per dead entry that VACUUM takes away


def vacuuming(shape: Shape, dead: float, machine: Machine) -> Cost:
    """Return what one VACUUM costs that finds so many dead entries: it reads every page of the index."""
    if dead <= 0 or shape.method == "brin":
        return Cost()
    changed = _touched(shape.pages, dead * shape.visits)
    seen = shape.seen + shape.searched * machine.searches
    seconds = shape.pages * shape.page + shape.rows * shape.keys * seen + dead * shape.keys * _PER_DEAD
    read = shape.pages * machine.far * PAGE / READ_BYTES
    image = Cost(seconds=_PER_IMAGE * (machine.images > 0), wal=shape.cleared + shape.image * machine.images)
    return Cost(seconds=seconds + read, wal=dead * shape.keys * shape.offset) + image.times(changed)
