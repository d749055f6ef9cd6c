"""The pages of GiST, SP-GiST, BRIN and hash indexes: simpler than a B-tree's, and measured where a build decides."""

from __future__ import annotations

import math

from premortem.advisor.columns import KeyStatistics
from premortem.advisor.leaves import LINE_POINTER, PAGE, aligned
from premortem.model import IndexCandidate, Table

_HASH_FILLFACTOR = 75  # HASH_DEFAULT_FILLFACTOR
_HASH_ITEM = 20  # a tuple of 16 bytes and its line pointer
_REVMAP = 1360  # ranges that a page of a BRIN index's map leads to


def gist_pages(candidate: IndexCandidate, keys: tuple[KeyStatistics, ...], rows: float, major: int) -> float:
    """Return the pages of a GiST index; how full its pages get is measured, per kind of key."""
    item = aligned(8 + sum(_gist_width(k) for k in keys)) + LINE_POINTER
    leaves = rows * item / ((PAGE - 40) * min(_gist_fill(k) for k in keys))
    return leaves * (1 + item / PAGE * 1.4) + 1


def _gist_width(key: KeyStatistics) -> float:
    """The size of a GiST leaf key: a point is kept as a box."""
    return {"point": 32.0, "inet": 14.0, "cidr": 14.0}.get(key.type, max(key.width + 3, 16.0))


def _gist_fill(key: KeyStatistics) -> float:
    """How full GiST pages are after a build, measured on 300,000 rows."""
    return {"point": 0.66, "inet": 0.73, "cidr": 0.73}.get(key.type, 0.56)


def spgist_pages(keys: tuple[KeyStatistics, ...], rows: float) -> float:
    """Return the pages of an SP-GiST index."""
    item = aligned(8 + sum(k.width for k in keys)) + LINE_POINTER
    return rows * item / (PAGE * 0.7) + 3


def brin_pages(candidate: IndexCandidate, table: Table, keys: tuple[KeyStatistics, ...], per_range: int) -> float:
    """Return the pages of a BRIN index, which has one entry for every so many pages of the table."""
    ranges = max(1.0, table.pages / per_range)
    item = aligned(8 + 2 * sum(k.width for k in keys)) + LINE_POINTER
    return 1 + math.ceil(ranges / _REVMAP) + math.ceil(ranges * item / 8000)


def hash_pages(key: KeyStatistics, rows: float, fillfactor: int | None) -> float:
    """Return the pages of a hash index."""
    target = (PAGE - 40) * (fillfactor or _HASH_FILLFACTOR) / 100 / _HASH_ITEM
    buckets = 2.0 ** math.ceil(math.log2(max(2.0, rows / target)))
    return buckets * 1.02 + 4
