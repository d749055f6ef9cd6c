"""What goes over the wire: rows of COPY BINARY, cut where the server refused one.

The format (PostgreSQL manual, COPY, Binary Format): a signature, two empty words, then for every row the number of
fields and each field's length and bytes, and a field count of -1 at the end.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!II", 0, 0)
TRAILER = b"\xff\xff"
#: How much is handed to the driver at a time: enough that Python costs nothing, little enough to stay in the cache.
PIECE = 1 << 18

_LINE = re.compile(r"\bline (\d+)(?:, column (.+?))?(?::|$)")


def stream(rows: bytes | memoryview) -> Iterator[memoryview | bytes]:
    """Yield the whole of a COPY for these rows, piece by piece."""
    yield HEADER
    view = memoryview(rows)
    for start in range(0, len(view), PIECE):
        yield view[start : start + PIECE]
    yield TRAILER


def boundaries(rows: bytes | memoryview) -> list[int]:
    """Return where each row begins, and where the last one ends.

    >>> boundaries(b"\\x00\\x01\\x00\\x00\\x00\\x01a" + b"\\x00\\x01\\xff\\xff\\xff\\xff")
    [0, 7, 13]
    """
    found, at = [0], 0
    while at < len(rows):
        (fields,) = struct.unpack_from("!h", rows, at)
        at += 2
        for _ in range(fields):
            (length,) = struct.unpack_from("!i", rows, at)
            at += 4 + max(length, 0)
        found.append(at)
    return found


def refused_line(context: str | None) -> tuple[int, str | None] | None:
    """Return the row, counted from 1, and the column that the server's context names.

    >>> refused_line("COPY items, line 7, column price")
    (7, 'price')
    >>> refused_line("SQL function f statement 1\\nCOPY items, line 12")
    (12, None)
    """
    found = _LINE.search(context.splitlines()[-1]) if context else None
    return (int(found[1]), found[2]) if found else None


def without_field(rows: Iterable[memoryview | bytes], field: int) -> bytes:
    """Return the rows with one field NULL in each of them.

    >>> without_field([b"\\x00\\x02\\x00\\x00\\x00\\x01a\\x00\\x00\\x00\\x01b"], 0)
    b'\\x00\\x02\\xff\\xff\\xff\\xff\\x00\\x00\\x00\\x01b'
    """
    return b"".join(_emptied(memoryview(row), field) for row in rows)


def _emptied(row: memoryview, field: int) -> bytes:
    at = 2
    for _ in range(field):
        (length,) = struct.unpack_from("!i", row, at)
        at += 4 + max(length, 0)
    (length,) = struct.unpack_from("!i", row, at)
    return bytes(row[:at]) + b"\xff\xff\xff\xff" + bytes(row[at + 4 + max(length, 0) :])
