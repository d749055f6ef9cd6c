"""The pages of GiST, SP-GiST, BRIN and hash indexes: simpler than a B-tree's, and measured where a build decides."""

from __future__ import annotations

import math

from premortem.advisor.columns import KeyStatistics
from premortem.advisor.groups import of_key
from premortem.advisor.leaves import LINE_POINTER, PAGE, aligned
from premortem.model import IndexCandidate, Table

_HASH_FILLFACTOR = 75  # HASH_DEFAULT_FILLFACTOR
_IN_ORDER = 0.95  # correlation
_HASH_ITEM = 20  # a tuple of 16 bytes and its line pointer
_HASH_PAGE = (PAGE - 24 - 16) // _HASH_ITEM
_ONE_PHASE = 512  # buckets: from here on they grow by quarters of a power of two (hash.h)
_REVMAP = 1360  # ranges that a page of a BRIN index's map leads to
_GIST_USABLE = PAGE - 24 - 16
_SP_HEADER = 12  # SGLTHDRSZ
#: How full pages of a GiST index are after CREATE INDEX, measured on 100,000 and 300,000 rows in several orders: where
#: rows are inserted and pages split, in order or at random, and where they are sorted first.
_SPLIT_IN_ORDER = 0.45
_SPLIT = 0.6
_SPLIT_RANGES = 0.5
_SPLIT_TRIGRAMS = 0.77
_SORTED = 0.98
_SORTED_RANGES = 0.92
_SORTED_POINTS = 0.66
_SORTS_POINTS = 14  # the first version that does so
_SORTS_ALL = 18
_NEVER_SORTED = frozenset(("inet", "cidr", "box", "circle", "polygon", "tsvector"))


def gist_pages(candidate: IndexCandidate, keys: tuple[KeyStatistics, ...], rows: float, major: int) -> float:
    """Return the pages of a GiST index; how full its pages get is measured."""
    pairs = list(zip((k.opclass for k in candidate.keys), keys, strict=True))
    item = aligned(8 + sum(_gist_width(opclass, k) for opclass, k in pairs)) + LINE_POINTER
    held = _GIST_USABLE * min(_gist_filled(opclass, k, major) for opclass, k in pairs)
    leaves = rows * item / held
    return leaves * (1 + item / held) + 1


def _gist_filled(opclass: str | None, key: KeyStatistics, major: int) -> float:
    ranges = key.type.endswith("range")
    if _is_trigrams(opclass):
        return _SPLIT_TRIGRAMS
    if key.type == "point" and major >= _SORTS_POINTS:
        return _SORTED_POINTS
    if major >= _SORTS_ALL and key.type not in _NEVER_SORTED:
        return _SORTED_RANGES if ranges else _SORTED
    correlation = (key.statistics.correlation if key.statistics else None) or 0.0
    return _SPLIT_RANGES if ranges else _SPLIT_IN_ORDER if correlation > _IN_ORDER else _SPLIT


def _is_trigrams(opclass: str | None) -> bool:
    return opclass is not None and opclass.startswith("gist_trgm")


def _gist_width(opclass: str | None, key: KeyStatistics) -> float:
    """Return the size of a GiST leaf key: a point is kept as a box, a number as the range from it to itself."""
    if _is_trigrams(opclass):
        return 5.0 + 3.0 * max(3.0, key.mean_width)
    if key.type in ("point", "box", "circle", "polygon"):
        return {"circle": 24.0}.get(key.type, 32.0)
    if key.type in ("inet", "cidr"):
        return 8.0
    if key.varies:
        return key.mean_width if key.type.endswith("range") else key.mean_width + 7.0  # two headers of four bytes
    return 2 * key.width


def spgist_pages(keys: tuple[KeyStatistics, ...], rows: float) -> float:
    """Return the pages of an SP-GiST index; texts share their beginnings in inner tuples."""
    key = keys[0]
    texts = key.type in ("text", "character varying")
    width = min(key.mean_width, 8.0) if texts else 8.0 if key.type in ("inet", "cidr") else key.mean_width
    item = aligned(_SP_HEADER + width) + LINE_POINTER
    return rows * item / (_GIST_USABLE * (0.63 if key.type in ("inet", "cidr") else 0.8)) + 3


def brin_pages(candidate: IndexCandidate, table: Table, keys: tuple[KeyStatistics, ...], per_range: int) -> float:
    """Return the pages of a BRIN index, which has one entry for every so many pages of the table."""
    ranges = max(1.0, table.pages / per_range)
    item = aligned(8 + 2 * sum(k.width for k in keys)) + LINE_POINTER
    return 1 + math.ceil(ranges / _REVMAP) + math.ceil(ranges * item / 8000)


def hash_pages(key: KeyStatistics, rows: float, fillfactor: int | None) -> float:
    """Return the pages of a hash index: its buckets, and what rows with the same key make overflow.

    Only a hash is kept, so that the key's width does not count.
    """
    buckets = _buckets(rows / (PAGE * (fillfactor or _HASH_FILLFACTOR) // 100 // _HASH_ITEM))
    held = rows * (1.0 - key.null_share)  # NULLs are not kept
    spread, overflow = 0.0, 0.0
    for cell in of_key(key.left(1.0), held).cells:
        rate = cell.share * held
        if rate > _HASH_PAGE / 2:
            overflow += cell.count * rate / _HASH_PAGE * (1.0 - min(1.0, cell.count / buckets) * _HASH_PAGE / rate / 2)
        else:
            spread += cell.count * rate * (rate + 1.0)
    deviation = math.sqrt(spread / buckets)
    full = 0.5 * math.erfc((_HASH_PAGE - held / buckets) / max(deviation, 1e-9) / math.sqrt(2))
    return buckets + overflow + buckets * full + 2


def _buckets(wanted: float) -> float:
    """Return the number of buckets that CREATE INDEX starts with: the next power of two, by quarters from 512 on."""
    below = 2.0 ** math.floor(math.log2(max(2.0, wanted)))
    if below < _ONE_PHASE:
        return below if below >= wanted else below * 2
    return below * (1.0 + math.ceil((wanted / below - 1.0) * 4.0 - 1e-9) / 4.0)
