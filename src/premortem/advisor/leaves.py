"""The pages that a B-tree would have: tuples laid out, equal keys in posting lists, leaves and levels filled.

As CREATE INDEX does it (`_bt_load`, `_bt_buildadd` and `_bt_sort_dedup_finish_pending` in nbtsort.c,
`index_form_tuple` in indextuple.c, suffix truncation in nbtutils.c), for averages instead of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from premortem.advisor.columns import KeyStatistics
from premortem.advisor.groups import Cells

PAGE = 8192
LINE_POINTER = 4
LEAF_FILLFACTOR = 90  # BTREE_DEFAULT_FILLFACTOR
_INNER_FILLFACTOR = 70  # BTREE_NONLEAF_FILLFACTOR
_USABLE = PAGE - 24 - 16 - LINE_POINTER  # header, special space, the slot of the high key
_TUPLE_HEADER = 8
_TUPLE_HEADER_WITH_NULLS = 16
_TID = 6
_POSTING_LIMIT = 812  # a tenth of a page, the most that CREATE INDEX puts into one posting list (nbtsort.c)
_TIEBREAK = 8  # a pivot between two pages of the same key carries a row pointer
_SMOOTH = 30.0  # rows a key: from here on its posting lists are as good as those of exactly so many rows
_LARGEST = 2704  # BTMaxItemSize: wider rows are refused


@dataclass(frozen=True, slots=True)
class Items:
    """What the leaves hold: bytes with line pointers, how many items, and their bytes squared and added up."""

    bytes: float
    count: float
    squares: float

    @property
    def typical(self) -> float:
        """The size of the item that a given byte is in."""
        return self.squares / self.bytes if self.bytes else 0.0

    @property
    def average(self) -> float:
        """The size of an item."""
        return self.bytes / self.count if self.count else 0.0


def aligned(size: float) -> int:
    """Return the size with what MAXALIGN adds."""
    return math.ceil(size / 8 - 1e-9) * 8


def tuple_size(keys: Sequence[KeyStatistics]) -> float:
    """Return the average size of an index tuple; rows with a NULL carry a bitmap and no datum for it.

    What alignment adds depends on where a value of varying width ends, so that is followed by what is left when the
    place is divided by eight.
    """
    ends = {(False, 0): (1.0, 0.0)}
    for key in keys:
        ends = _after(ends, key)
    whole = sum(
        share * ((_TUPLE_HEADER_WITH_NULLS if nulls else _TUPLE_HEADER) + end + -rest % 8)
        for (nulls, rest), (share, end) in ends.items()
    )
    return min(whole, float(_LARGEST))


_Ends = dict[tuple[bool, int], tuple[float, float]]


def _after(ends: _Ends, key: KeyStatistics) -> _Ends:
    """Return where tuples end once they have the next key: (a NULL before, rest) -> (share of the rows, average)."""
    found: dict[tuple[bool, int], tuple[float, float]] = {}

    def add(place: tuple[bool, int], share: float, end: float) -> None:
        had, mass = found.get(place, (0.0, 0.0))
        found[place] = (had + share, mass + share * end)

    for (nulls, rest), (share, end) in ends.items():
        if key.null_share > 0:
            add((True, rest), share * key.null_share, end)
        for width in key.widths:
            pad = -rest % width.alignment
            kept = share * (1.0 - key.null_share) * width.share
            if kept > 0:
                add((nulls, (rest + pad + width.rest) % 8), kept, end + pad + width.mean)
    return {place: (share, mass / share) for place, (share, mass) in found.items() if share > 0}


# leaves --------------------------------------------------------------------------------------------------------------


def plain(rows: float, size: float) -> Items:
    """Return the items of an index that keeps a tuple for every row."""
    item = size + LINE_POINTER
    return Items(rows * item, rows, rows * item * item)


def shared(cells: Sequence[Cells], rows: float, size: float) -> Items:
    """Return the items of an index whose equal keys share posting lists."""
    total, count, squares = 0.0, 0.0, 0.0
    for cell in cells:
        rate = rows * cell.share
        found = _of_even(rate, size) if cell.even and rate > 1.0 else _of_cell(rate, size)
        total, count, squares = (
            total + cell.count * found.bytes, count + cell.count * found.count, squares + cell.count * found.squares
        )  # fmt: skip
    return Items(total, count, squares)


def _of_cell(rate: float, size: float) -> Items:
    """Return the items of one key that so many rows are expected to have."""
    if rate < 1e-3:
        return plain(rate, size)
    if rate > _SMOOTH:
        return _of_group(rate, size)
    share, total, count, squares = math.exp(-rate), 0.0, 0.0, 0.0
    for rows in range(1, int(rate + 5 * math.sqrt(rate)) + 4):
        share *= rate / rows
        if share > 1e-4 or rows < rate:
            found = _of_group(rows, size)
            total, count, squares = (
                total + share * found.bytes, count + share * found.count, squares + share * found.squares
            )  # fmt: skip
    return Items(total, count, squares)


def _of_even(rate: float, size: float) -> Items:
    """Return the items of one key that has so many rows, or the whole number above or below."""
    more = rate - math.floor(rate)
    low, high = _of_group(math.floor(rate), size), _of_group(math.ceil(rate), size)
    return Items(*(a * (1.0 - more) + b * more for a, b in zip(
        (low.bytes, low.count, low.squares), (high.bytes, high.count, high.squares), strict=True
    )))  # fmt: skip


def _of_group(rows: float, size: float) -> Items:
    """Return the items of so many rows with the same key."""
    if rows <= 1:
        return plain(rows, size)
    capacity = max(2, int((_POSTING_LIMIT - 4 - size) / _TID))
    full, left = divmod(rows, capacity)
    item = aligned(size + capacity * _TID) + LINE_POINTER
    total, count, squares = full * item, full, full * item * item
    if left:
        last = (size + left * _TID + 3.0 if left > 1 else size) + LINE_POINTER
        total, count, squares = total + last, count + 1, squares + last * last
    return Items(total, count, squares)


def leaf_pages(items: Items, size: float, fillfactor: int) -> int:
    """Return the pages that hold the items.

    A page is closed once less than the fillfactor's share is free; its last item moves to the next one, and makes room
    for the high key.  Of a posting list at the end only the key counts there, since the high key has no row pointers.
    """
    if not items.count:
        return 1
    limit = _USABLE - LINE_POINTER - PAGE * (100 - fillfactor) // 100
    end = _USABLE - 8  # room for the high key's row pointer
    item = items.typical
    front = min(size + LINE_POINTER, item)
    if items.typical < items.average * 1.02:
        held = min((limit - front) // item + 1, end // item - 1) * item
    else:
        held = min(limit + item / 2 - front, end - 1.5 * item)
    return max(1, math.ceil((items.bytes - item) / max(held, item)))  # the last page takes one more


def pivot_size(prefixes: Sequence[tuple[float, float]], items: float) -> float:
    """Return the average size of what leads to a page: the key's first columns that tell two neighbours apart.

    `prefixes` are (distinct values, tuple size) of one, two… columns.
    """
    told, size = 0.0, 0.0
    for kinds, bytes_of_prefix in prefixes:
        apart = max(told, min(1.0, kinds / max(items, 1.0)))
        size += (apart - told) * aligned(bytes_of_prefix)
        told = apart
    return size + (1.0 - told) * (aligned(prefixes[-1][1]) + _TIEBREAK) + LINE_POINTER


def with_inner_pages(leaves: int, pivot: float) -> tuple[int, int]:
    """Return all pages but the metapage, and the level of the root."""
    fan_out = max(2.0, (_USABLE - LINE_POINTER - PAGE * (100 - _INNER_FILLFACTOR) // 100) / pivot + 0.4)
    pages, level, width = leaves, 0, leaves
    while width > 1:
        width = max(1, math.ceil((width - 1) / fan_out))  # the root takes one more
        pages += width
        level += 1
    return pages, level
