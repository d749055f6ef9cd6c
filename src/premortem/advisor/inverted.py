"""The pages that a GIN index would have: an entry for every key, with its rows compressed beside it or in a tree.

After `ginentrypage.c`, `ginpostinglist.c` and `gindatapage.c`.
"""

from __future__ import annotations

import math

from premortem.advisor.columns import KeyStatistics
from premortem.advisor.elements import elements
from premortem.advisor.leaves import LINE_POINTER, PAGE, aligned
from premortem.advisor.samples import Element
from premortem.model import IndexCandidate, Table

_USABLE = PAGE - 24 - 8
_INLINE = 2704  # GinMaxItemSize: longer posting lists get pages of their own
_FIRST = 8  # a posting list begins with a whole row pointer and its own length
_SPREAD = (0.88, 1.0, 1.12)  # keys that are told of together are not all as frequent
_SHORT = 64  # bytes of a list, up to which keys of about as many rows take the same room
_SEGMENT = 256  # posting list pages hold lists of that size
_ENTRIES_FILLED = 0.5  # entries come in order, and a full page is split in half


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
        size = _posting_bytes(having * element.count / seen, table)
        base = aligned(8 + several + element.width)
        spread = _SPREAD if element.count > 1 and size > _SHORT else (1.0,)
        for part in spread:
            beside, apart = _stored(base, size * part)
            entries += seen * beside / len(spread)
            postings += seen * apart / len(spread)
        count += seen
    filled = _ENTRIES_FILLED + entries / max(count, 1.0) / 2 / _USABLE
    return entries / (_USABLE * filled) * 1.01 + postings


def _stored(base: int, size: float) -> tuple[float, float]:
    """Return the bytes of an entry and the pages of its posting tree, if its list is too long to stand beside it."""
    if size <= _INLINE:
        return aligned(base + size) + LINE_POINTER, 0.0
    leaves = math.ceil(size * (1.0 + _FIRST / _SEGMENT) / _USABLE)
    return base + LINE_POINTER, float(leaves + (leaves > 1))


def _posting_bytes(rows: float, table: Table) -> float:
    """Return the bytes of a compressed list of so many rows: varbyte codes of the distance to the row before."""
    return _FIRST + max(0.0, rows - 1.01) * _code_width(rows, table)


def _code_width(having: float, table: Table) -> float:
    """Return the average length of a code: one byte within a page, two up to 7 pages on, three up to 1023."""
    per_page = max(1.0, table.rows / max(table.pages, 1))
    share = min(1.0, having / max(table.rows, 1.0))
    met = 1.0 - (1.0 - share) ** per_page  # of the pages that hold one such row
    if share <= 0.0:
        return 4.0
    crossing = min(1.0, met / (share * per_page))
    rest = 1.0 - met
    near, far = 1.0 - math.pow(rest, 7), 1.0 - math.pow(rest, 1023)
    return float(1.0 - crossing + crossing * (2.0 * near + 3.0 * (far - near) + 4.0 * (1.0 - far)))
