"""How large an index would be, so that a proposal says what it costs and a twin can give it that size.

PostgreSQL's own page layout (`bufpage.h`, `nbtree.h`, `nbtdedup.c`, `ginpostinglist.c`) applied to the statistics:
tuples are aligned, leaves are filled to the fillfactor, and equal keys share a posting list.  How many rows share a
key comes from the most common values and the number of distinct values, multiplied over the key columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from premortem.advisor.columns import KeyStatistics, key_statistics
from premortem.model import IndexCandidate, Table

PAGE = 8192
_PAGE_HEADER = 24
_BTREE_SPECIAL = 16
_LINE_POINTER = 4
_TUPLE_HEADER = 8
_TUPLE_HEADER_WITH_NULLS = 16
_LEAF_FILLFACTOR = 90  # BTREE_DEFAULT_FILLFACTOR
_INNER_FILLFACTOR = 70  # BTREE_NONLEAF_FILLFACTOR
_POSTING_LIMIT = 812  # a tenth of a page, the most that CREATE INDEX puts into one posting list (nbtsort.c)
_TID = 6
_MAX_CELLS = 4096
_TIEBREAK = 8  # a pivot between two pages of the same key carries a row pointer
_LONG_POSTINGS = 7.5  # bytes per row: below, most keys have so many rows that they span pages
_SPREAD = (-3, -2, -1, 0, 1, 2, 3)
_INLINE_POSTINGS = 2700  # GinMaxItemSize, about: longer posting lists get pages of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSize:
    """What an index would look like on disk; `level` is a B-tree's height above the leaves, None for other methods."""

    pages: int
    tuples: float
    level: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class _Cells:
    """So many possible keys, each holding this share of the rows."""

    share: float
    count: float


def index_size(candidate: IndexCandidate, table: Table) -> IndexSize:
    """Return the estimated size of an index that does not exist yet."""
    keys = tuple(key_statistics(key, table) for key in candidate.keys)
    rows = table.rows * _covered(candidate, table)
    build = {"gin": _gin, "gist": _gist, "spgist": _gist, "brin": _brin, "hash": _hash}.get(candidate.method)
    if build is not None:
        return build(candidate, table, keys, rows)
    return _btree(candidate, table, keys, rows)


def _covered(candidate: IndexCandidate, table: Table) -> float:
    from premortem.advisor.selectivity import share_of_predicate

    return 1.0 if candidate.predicate is None else share_of_predicate(candidate.predicate, table)


def _sized(pages: float, tuples: float, level: int | None) -> IndexSize:
    whole = max(1, math.ceil(pages))
    return IndexSize(pages=whole, tuples=tuples, level=level, bytes=whole * PAGE)


def _maxalign(size: float) -> int:
    return -(-math.ceil(size) // 8) * 8


def _data_size(keys: Iterable[KeyStatistics], step: float = 0.0) -> float:
    """Return where the last datum ends when all are laid out in a row, the varying ones off by `step`."""
    end = 0.0
    for key in keys:
        if key.alignment > 1:
            end = math.ceil(end / key.alignment) * key.alignment
        end += max(1.0, key.width + step) if key.varies else key.width
    return end


# B-tree ------------------------------------------------------------------------------------------------------------


def _btree(candidate: IndexCandidate, table: Table, keys: tuple[KeyStatistics, ...], rows: float) -> IndexSize:
    included = tuple(key_statistics(name, table) for name in candidate.include)
    tuple_size = _tuple_size((*keys, *included))
    deduplicates = not included and all(k.deduplicates for k in keys)
    sizes = _posting_bytes(keys, rows, tuple_size) if deduplicates else rows * (tuple_size + _LINE_POINTER)
    average = sizes / max(rows, 1.0) if rows else tuple_size + _LINE_POINTER
    room = PAGE - _PAGE_HEADER - _BTREE_SPECIAL - PAGE * (100 - _LEAF_FILLFACTOR) // 100
    pivot = _tuple_size(keys) + _LINE_POINTER + (_TIEBREAK if average < _LONG_POSTINGS else 0)
    # One slot goes to the high key; on average half an item does not fit any more.
    item = max(average, pivot) if not deduplicates else max(average, min(pivot * 2, 64))
    leaves = max(1, math.ceil(sizes / max(room - pivot - item / 2, item)))
    pages, level = _with_inner_pages(leaves, pivot)
    return _sized(pages + 1, rows, level)


def _tuple_size(keys: Sequence[KeyStatistics]) -> float:
    """Return the average size of an index tuple; rows with a NULL carry a bitmap and no datum for it."""
    whole = _TUPLE_HEADER + _average_aligned(keys)
    nulls = 1.0 - math.prod(1.0 - k.null_share for k in keys)
    if nulls <= 0.0:
        return whole
    kept = [k for k in keys if k.null_share < 0.5]
    with_null = _maxalign(_TUPLE_HEADER_WITH_NULLS + _data_size(kept))
    return whole * (1.0 - nulls) + with_null * nulls


def _average_aligned(keys: Sequence[KeyStatistics]) -> float:
    """Return the size of the data; one of varying width is a little of every size around its average."""
    if not any(k.varies for k in keys):
        return _maxalign(_data_size(keys))
    return sum(_maxalign(_data_size(keys, step)) for step in _SPREAD) / len(_SPREAD)


def _with_inner_pages(leaves: int, pivot: float) -> tuple[int, int]:
    room = PAGE - _PAGE_HEADER - _BTREE_SPECIAL - PAGE * (100 - _INNER_FILLFACTOR) // 100
    fan_out = max(2.0, room / pivot)
    pages, level, width = leaves, 0, leaves
    while width > 1:
        width = math.ceil(width / fan_out)
        pages += width
        level += 1
    return pages, level


def _posting_bytes(keys: Sequence[KeyStatistics], rows: float, tuple_size: float) -> float:
    """Return the bytes that leaf items take when equal keys share posting lists."""
    if rows < 1:
        return 0.0
    return sum(_cell_bytes(cells, rows, tuple_size) for cells in _joint(keys, rows))


def _joint(keys: Sequence[KeyStatistics], rows: float) -> tuple[_Cells, ...]:
    """Return the distribution of the rows over combined keys, the columns taken as independent."""
    joint: tuple[_Cells, ...] = (_Cells(1.0, 1.0),)
    for key in keys:
        classes = _classes(key, rows)
        joint = _merged([_Cells(a.share * b.share, a.count * b.count) for a in joint for b in classes])
    return joint


def _merged(cells: list[_Cells]) -> tuple[_Cells, ...]:
    """Return fewer classes of about the same shares, so that products stay small."""
    buckets: dict[int, tuple[float, float]] = {}
    for cell in cells:
        step = round(math.log2(cell.share) * 4) if cell.share > 0 else -10_000
        total, count = buckets.get(step, (0.0, 0.0))
        buckets[step] = (total + cell.share * cell.count, count + cell.count)
    return tuple(_Cells(total / count, count) for total, count in buckets.values() if count > 0)[:_MAX_CELLS]


def _classes(key: KeyStatistics, rows: float) -> tuple[_Cells, ...]:
    common = [_Cells(f, 1.0) for f in key.common if f > 0]
    nulls = [_Cells(key.null_share, 1.0)] if key.null_share > 0 else []
    rest = max(0.0, 1.0 - key.null_share - sum(key.common))
    distinct = max(1.0, key.distinct - len(key.common))
    if rest * rows < 1:
        return tuple(common + nulls) or (_Cells(1.0, 1.0),)
    underlying = _underlying(rest * rows / distinct, distinct)
    return (*common, *nulls, _Cells(rest / underlying, underlying))


def _underlying(per_key: float, distinct: float) -> float:
    """Return how many keys there must be for that many to be seen, each with so many rows on average.

    Rows fall on keys at random, so a key that is seen has rate/(1 - exp(-rate)) rows on average.
    """
    if per_key <= 1.0001:
        return distinct * 1e6
    rate = per_key
    for _ in range(40):
        rate = per_key * (1.0 - math.exp(-rate))
        if rate < 1e-6:
            return distinct * 1e6
    return distinct * per_key / rate


def _cell_bytes(cells: _Cells, rows: float, tuple_size: float) -> float:
    rate = rows * cells.share
    if rate < 1e-3:
        return cells.count * rate * (_maxalign(tuple_size) + _LINE_POINTER)
    if rate > 30:
        return cells.count * _group_bytes(rate, tuple_size)
    return cells.count * sum(_poisson(k, rate) * _group_bytes(k, tuple_size) for k in range(1, int(rate * 3) + 12))


def _poisson(k: int, rate: float) -> float:
    return math.exp(k * math.log(rate) - rate - math.lgamma(k + 1))


def _group_bytes(rows: float, tuple_size: float) -> float:
    """Return the bytes of so many rows with the same key, line pointers included."""
    if rows <= 1:
        return tuple_size + _LINE_POINTER
    capacity = max(2, int((_POSTING_LIMIT - tuple_size) / _TID))
    full, left = divmod(rows, capacity)
    size = full * (_maxalign(tuple_size + capacity * _TID) + _LINE_POINTER)
    if left:
        size += (_maxalign(tuple_size + left * _TID) if left > 1 else tuple_size) + _LINE_POINTER
    return size


# other access methods ------------------------------------------------------------------------------------------------


def _gin(candidate: IndexCandidate, table: Table, keys: tuple[KeyStatistics, ...], rows: float) -> IndexSize:
    pages = 2.0
    for key, stats in zip(candidate.keys, keys, strict=True):
        pages += _gin_pages(stats, rows * (1.0 - stats.null_share), table, stats.elements(key.opclass))
    return _sized(pages, rows, None)


def _gin_pages(stats: KeyStatistics, rows: float, table: Table, elements: tuple[tuple[float, float], ...]) -> float:
    """Return the pages of the entry tree and the posting lists; `elements` are (rows that have it, how many such)."""
    entry, postings = 0.0, 0.0
    for frequency, count in elements:
        having = frequency * rows
        if having < 0.5:
            continue
        compressed = having * _posting_width(having, table)
        entry += count * (_maxalign(_TUPLE_HEADER + stats.element_width) + _LINE_POINTER)
        if compressed > _INLINE_POSTINGS:
            postings += count * math.ceil(compressed / (PAGE - 60))
        else:
            entry += count * compressed
    return entry / (PAGE * 0.72) + postings


def _posting_width(having: float, table: Table) -> float:
    """Return the bytes per row pointer: the varbyte code of the distance to the one before (ginpostinglist.c)."""
    gap = max(1.0, table.pages) / max(1.0, having)
    if gap < 0.5:
        return 1.0 + min(1.0, gap * 2)
    return max(2.0, math.ceil((11 + math.log2(max(gap, 1.0)) + 0.5) / 7))


def _gist(candidate: IndexCandidate, table: Table, keys: tuple[KeyStatistics, ...], rows: float) -> IndexSize:
    """Return the size of a GiST index; how full its pages get is measured, per kind of key."""
    item = _maxalign(_TUPLE_HEADER + sum(k.gist_width for k in keys)) + _LINE_POINTER
    leaves = rows * item / ((PAGE - 40) * min(k.gist_fill for k in keys))
    return _sized(leaves * (1 + item / PAGE * 1.4) + 1, rows, None)


def _brin(candidate: IndexCandidate, table: Table, keys: tuple[KeyStatistics, ...], rows: float) -> IndexSize:
    ranges = max(1.0, table.pages / 128)
    per_range = _maxalign(8 + 2 * sum(k.width for k in keys)) + _LINE_POINTER
    return _sized(2 + ranges / 1360 + ranges * per_range / 8000, rows, None)


def _hash(candidate: IndexCandidate, table: Table, keys: tuple[KeyStatistics, ...], rows: float) -> IndexSize:
    target = (PAGE - 40) * 0.75 / 20
    buckets = 2.0 ** math.ceil(math.log2(max(2.0, rows / target)))
    return _sized(buckets * 1.02 + 4, rows, None)
