"""The pages that a GIN index would have: an entry for every key, with its rows compressed beside it or in a tree.

After `ginentrypage.c`, `ginpostinglist.c` and `gindatapage.c`.
"""

from __future__ import annotations

import math

from premortem.advisor.columns import KeyStatistics
from premortem.advisor.elements import Element, elements
from premortem.advisor.leaves import LINE_POINTER, PAGE, aligned
from premortem.model import IndexCandidate, Table

_USABLE = PAGE - 24 - 8
_INLINE = 2704  # GinMaxItemSize: longer posting lists get pages of their own
_FIRST = 8  # a posting list begins with a whole row pointer and its own length
_SEGMENT = 256  # posting list pages hold lists of that size
_ENTRIES_FILLED = 0.5  # entries come in order, and a full page is split in half
_POSTINGS_FILLED = 1.0


def pages(candidate: IndexCandidate, table: Table, keys: tuple[KeyStatistics, ...], rows: float) -> float:
    """Return the pages of a GIN index that holds so many of the table's rows."""
    total = 2.0  # metapage, root
    several = 2 if len(keys) > 1 else 0
    for key, stats in zip(candidate.keys, keys, strict=True):
        total += _pages(elements(stats, key.opclass), rows, table, several)
    return total


def _pages(found: tuple[Element, ...], rows: float, table: Table, several: int) -> float:
    entries, postings, count = 0.0, 0.0, 0.0
    for element in found:
        having = element.share * rows
        seen = element.count * (1.0 - math.exp(-having))
        if seen <= 0:
            continue
        size = _posting_bytes(having * element.count / seen, table, rows)
        base = aligned(8 + several + element.width)
        if size > _INLINE:
            entries += seen * (base + LINE_POINTER)
            postings += seen * _tree(size)
        else:
            entries += seen * (aligned(base + size) + LINE_POINTER)
        count += seen
    filled = _ENTRIES_FILLED + entries / max(count, 1.0) / 2 / _USABLE
    return entries / (_USABLE * filled) * 1.01 + postings


def _posting_bytes(rows: float, table: Table, of: float) -> float:
    """Return the bytes of a compressed list of so many rows: varbyte codes of the distance to the row before."""
    return _FIRST + (rows - 1.0) * _code_width(rows, table, of)


def _code_width(having: float, table: Table, rows: float) -> float:
    """Return the average length of a code: one byte within a page, two up to 7 pages on, three up to 1023."""
    per_page = max(1.0, table.rows / max(table.pages, 1))
    share = min(1.0, having / max(table.rows, 1.0))
    met = 1.0 - (1.0 - share) ** per_page  # of the pages that hold one such row
    if share <= 0.0:
        return 4.0
    crossing = min(1.0, met / (share * per_page))
    rest = 1.0 - met
    near, far = 1.0 - math.pow(rest, 7), 1.0 - math.pow(rest, 1023)
    return 1.0 - crossing + crossing * (2.0 * near + 3.0 * (far - near) + 4.0 * (1.0 - far))


def _tree(size: float) -> float:
    whole = size * (1.0 + _FIRST / _SEGMENT)
    leaves = math.ceil(whole / (_USABLE * _POSTINGS_FILLED))
    return float(leaves + (leaves > 1))
