"""Gives empty relation files production's size, in no disk space, and empty B-trees production's height.

The planner reads three things from the files: the number of blocks, a B-tree's height (from its metapage) and the
figures on a GIN or BRIN metapage.  A hole in a sparse file answers the first.  Layouts: PostgreSQL 12 to 18,
`src/include/access/{nbtree.h,ginblock.h,brin_page.h}` and `storage/bufpage.h`.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path

BLOCK = 8192
SEGMENT_BLOCKS = 131_072
_HEADER = 24
_BTREE_SPECIAL = 16
_LEAF, _ROOT = 1, 2
_ALT_TID = 0x2000
#: How many item pointers fit on a BRIN revmap page: (8192 - 24 - 8) / 6, `REVMAP_PAGE_MAXITEMS`.
_REVMAP_ITEMS = 1360


def extend(path: Path, blocks: int, owner: tuple[int, int] | None = None) -> None:
    """Make a relation's main fork that many blocks long, in segments of 1 GiB, as holes; never shorter than it is."""
    for segment in range(max(1, math.ceil(blocks / SEGMENT_BLOCKS))):
        part = path if segment == 0 else path.with_name(f"{path.name}.{segment}")
        wanted = min(blocks - segment * SEGMENT_BLOCKS, SEGMENT_BLOCKS) * BLOCK
        with open(part, "r+b" if part.exists() else "w+b") as file:
            if os.fstat(file.fileno()).st_size < wanted:
                file.truncate(wanted)
        if owner is not None:
            os.chown(part, *owner)


def blocks(path: Path) -> int:
    """Return the length of a relation's main fork in blocks, over its segments."""
    total, segment = 0, 0
    part = path
    while part.exists():
        total += part.stat().st_size // BLOCK
        segment += 1
        part = path.with_name(f"{path.name}.{segment}")
    return total


def write_btree(path: Path, level: int) -> None:
    """Write a valid, empty B-tree of that height below the metapage that is there (level 0: nothing to do).

    Block 1 is the leaf, block n+1 the inner page of level n, each with one minus-infinity downlink to the page below.
    """
    if level <= 0:
        return
    root = level + 1
    with open(path, "r+b") as file:
        for height in range(level + 1):
            file.seek((height + 1) * BLOCK)
            file.write(_btree_page(height, is_root=height == level))
        file.seek(_HEADER + 8)
        file.write(struct.pack("=IIII", root, level, root, level))


def _btree_page(level: int, *, is_root: bool) -> bytes:
    special = BLOCK - _BTREE_SPECIAL
    flags = (_LEAF if level == 0 else 0) | (_ROOT if is_root else 0)
    opaque = struct.pack("=IIIHH", 0, 0, level, flags, 0)
    item = b"" if level == 0 else _downlink(level)
    upper = special - len(item)
    pointers = b"" if level == 0 else struct.pack("=I", upper | (1 << 15) | (len(item) << 17))
    header = struct.pack("=QHHHHHHI", 0, 0, 0, _HEADER + len(pointers), upper, special, BLOCK | 4, 0)
    body = header + pointers
    return body + b"\0" * (upper - len(body)) + item + opaque


def _downlink(child: int) -> bytes:
    """An index tuple with no attributes (minus infinity) that points at a block."""
    return struct.pack("=HHHH", child >> 16, child & 0xFFFF, 0, 8 | _ALT_TID)


def write_gin(path: Path, figures: Mapping[str, float]) -> None:
    """Write production's figures onto a GIN metapage: pending, total, entry and data pages, and entries."""
    with open(path, "r+b") as file:
        file.seek(_HEADER + 12)
        file.write(struct.pack("=I", int(figures.get("n_pending_pages", 0))))
        file.seek(_HEADER + 24)
        pages = (int(figures.get(n, 0)) for n in ("n_total_pages", "n_entry_pages", "n_data_pages"))
        file.write(struct.pack("=IIIIq", *pages, 0, int(figures.get("n_entries", 0))))


def write_brin(path: Path, heap_pages: int, pages_per_range: int) -> None:
    """Write the last revmap page that a heap of that size has; the planner charges for reading the revmap."""
    ranges = max(1, math.ceil(heap_pages / max(1, pages_per_range)))
    with open(path, "r+b") as file:
        file.seek(_HEADER + 12)
        file.write(struct.pack("=I", math.ceil(ranges / _REVMAP_ITEMS)))
