"""PostgreSQL's binary forms, written for whole columns at a time, and rows of binary COPY put together from them.

The forms are those that the types' `*_recv` functions read (src/backend/utils/adt of PostgreSQL 12 to 18); the frame
is that of COPY's page in the manual, "Binary Format": no header and no trailer here, so that chunks can be joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from premortem.synthesis.streams import Ints

Octets = NDArray[np.uint8]

#: What stands before and after the rows in a stream of binary COPY.
HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
_TEN_THOUSAND = np.int64(10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """A column of binary values: row i is the first `lengths[i]` octets of `octets[i]`, NULL where that is -1.

    `lengths` is None where every value fills its row.
    """

    octets: Octets
    lengths: NDArray[np.int32] | None = None

    def take(self, rows: Ints) -> Cells:
        """Return the cells of some rows."""
        lengths = None if self.lengths is None else self.lengths[rows]
        return Cells(octets=self.octets[rows], lengths=lengths)

    def nulled(self, nulls: NDArray[np.bool_]) -> Cells:
        """Return the cells with NULL where asked."""
        if not nulls.any():
            return self
        width = np.int32(self.octets.shape[1])
        lengths = np.full(len(self.octets), width, np.int32) if self.lengths is None else self.lengths
        return Cells(octets=self.octets, lengths=np.where(nulls, np.int32(-1), lengths))

    def value(self, row: int) -> bytes | None:
        """Return one value, None for NULL."""
        length = self.octets.shape[1] if self.lengths is None else int(self.lengths[row])
        return None if length < 0 else bytes(self.octets[row, :length].tobytes())


def listed(values: Sequence[bytes | None]) -> Cells:
    """Return cells of single values."""
    width = max((len(v) for v in values if v is not None), default=0)
    octets = np.zeros((len(values), width), np.uint8)
    for row, value in enumerate(values):
        if value:
            octets[row, : len(value)] = np.frombuffer(value, np.uint8)
    lengths = np.array([-1 if v is None else len(v) for v in values], np.int32)
    same = bool(values) and bool((lengths == width).all())
    return Cells(octets=octets, lengths=None if same else lengths)


def integers(values: Ints, octets: int) -> Cells:
    """Return whole numbers of 2, 4 or 8 octets in network order."""
    return Cells(octets=values.astype(f">i{octets}").view(np.uint8).reshape(-1, octets))


def floats(values: NDArray[np.float64], octets: int) -> Cells:
    """Return floating-point numbers of 4 or 8 octets in network order."""
    return Cells(octets=values.astype(f">f{octets}").view(np.uint8).reshape(-1, octets))


def numerics(values: Ints, scale: int) -> Cells:
    """Return numerics of `scale` decimals from whole numbers of their last decimal.

    All digits are sent, zeros too, so that every value has the same length: `numeric_recv` strips them.
    """
    after = -(-scale // 4)
    sizes = np.abs(values)
    whole, rest = np.divmod(sizes, np.int64(10**scale))
    rest = rest * np.int64(10 ** (after * 4 - scale))
    before = max(1, -(-len(str(int(whole.max(initial=0)))) // 4))
    words = np.empty((len(values), 4 + before + after), ">u2")
    words[:, 0], words[:, 1] = before + after, before - 1
    words[:, 2], words[:, 3] = np.where(values < 0, 0x4000, 0), scale
    for place in range(before - 1, -1, -1):
        whole, words[:, 4 + place] = np.divmod(whole, _TEN_THOUSAND)
    for place in range(after - 1, -1, -1):
        rest, words[:, 4 + before + place] = np.divmod(rest, _TEN_THOUSAND)
    return Cells(octets=words.view(np.uint8).reshape(len(values), -1))


def rows(columns: Sequence[Cells], count: int) -> bytes:
    """Return rows of binary COPY: for each the number of columns, then length and octets of every value."""
    width = 2 + sum(4 + column.octets.shape[1] for column in columns)
    block = max(64, _CACHED // max(width, 1))
    frame = np.zeros((min(block, count), width), np.uint8)
    _write_fixed(frame, columns)
    kept = np.ones(frame.shape, np.bool_)
    parts = (_block(frame, kept, columns, at, min(at + block, count)) for at in range(0, count, block))
    return b"".join(parts)


#: Rows are put together in blocks that stay in a core's cache.
_CACHED = 400_000


def _write_fixed(frame: Octets, columns: Sequence[Cells]) -> None:
    """Write what is the same in every row: the number of columns, and the lengths that do not vary."""
    frame[:, :2] = np.frombuffer(len(columns).to_bytes(2, "big"), np.uint8)
    at = 2
    for column in columns:
        width = column.octets.shape[1]
        if column.lengths is None:
            frame[:, at : at + 4] = np.frombuffer(width.to_bytes(4, "big"), np.uint8)
        at += 4 + width


def _block(frame: Octets, kept: NDArray[np.bool_], columns: Sequence[Cells], start: int, end: int) -> bytes:
    frame, kept = frame[: end - start], kept[: end - start]
    at = 2
    for column in columns:
        width = column.octets.shape[1]
        frame[:, at + 4 : at + 4 + width] = column.octets[start:end]
        if column.lengths is not None:
            lengths = column.lengths[start:end]
            frame[:, at : at + 4] = lengths.astype(">i4").view(np.uint8).reshape(-1, 4)
            np.less(np.arange(width, dtype=np.int32), lengths[:, None], out=kept[:, at + 4 : at + 4 + width])
        at += 4 + width
    return frame.tobytes() if all(column.lengths is None for column in columns) else frame[kept].tobytes()
