"""Reads a log while it is being written, a little behind its writer."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_POLL = 0.1
_PIECE = 1 << 20


def lines(path: Path, stop: threading.Event, *, begins: int = 0, behind: float = 0.0) -> Iterator[bytes]:
    """Yield a log's lines from a place in it on, until it is told to stop and has come to the end.

    `behind` is how many seconds old a line is at least before it is read, as long as the log is being written: what
    others have to say about it may come later than the line.
    """
    rest = b""
    with path.open("rb") as log:
        log.seek(begins)
        for chunk in _chunks(log, path, stop, behind):
            whole, newline, after = chunk.rpartition(b"\n")
            if not newline:
                rest += chunk
                continue
            yield from ended(rest + whole)
            rest = after
    if rest:
        yield rest


def ended(whole: bytes) -> Iterator[bytes]:
    """Yield the lines of a text each with its end, for a message may have several; a carriage return ends none."""
    return (line + b"\n" for line in whole.split(b"\n"))


def _chunks(log: BinaryIO, path: Path, stop: threading.Event, behind: float) -> Iterator[bytes]:
    sizes: deque[tuple[float, int]] = deque()
    place = log.tell()
    while True:
        ended = stop.is_set()
        now = time.monotonic()
        sizes.append((now, path.stat().st_size))
        while len(sizes) > 1 and sizes[1][0] <= now - behind:
            sizes.popleft()
        until = sizes[-1][1] if ended else sizes[0][1] if sizes[0][0] <= now - behind else place
        while place < until:
            chunk = log.read(min(_PIECE, until - place))
            place += len(chunk)
            yield chunk
        if ended:
            return
        stop.wait(_POLL)
