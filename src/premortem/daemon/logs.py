"""Follows an instance's log for what was cancelled, where premortem may read it.

The log is read between polls from where it was left, a piece at a time: a server that logs every statement writes
faster than anybody reads, and then what was missed is said, not caught up with.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from premortem.capture.logs import Cancellation, LogForm, cancellations, sniff, whole
from premortem.daemon.timeouts import Timeouts
from premortem.errors import InputError
from premortem.model import Cancelled, Gap, Statement

#: What is read of a log in one go; more since the last look is skipped.
_MOST_BYTES = 16 << 20
_HEAD = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a log was left: the file, by its inode, how far it was read, and how far it was written by then."""

    path: Path
    inode: int
    read: int
    written: int


class Tail:
    """What one instance's log says, from now on; `pattern` is a path or a glob, whose newest file is followed."""

    def __init__(self, pattern: str, *, prefix: str | None = None) -> None:
        self._pattern = pattern
        self._prefix = prefix
        self._place: Place | None = None
        self._form: LogForm | None = None
        self.gap: Gap | None = None

    def read(self) -> tuple[Cancellation, ...]:
        """Return what was cancelled since the last look; `gap` says why nothing can be told, None where it can."""
        try:
            found = self._read()
        except (OSError, InputError) as error:
            self.gap = _gap(self._pattern, error)
            return ()
        self.gap = None
        return found

    def _read(self) -> tuple[Cancellation, ...]:
        path = newest(self._pattern)
        if self._place is None:
            self._place = _end(path)
            return ()
        before = self._rotated(path)
        return before + self._new(path)

    def _rotated(self, path: Path) -> tuple[Cancellation, ...]:
        """Return the rest of the file before, where the server has gone on to a new one."""
        place = self._place
        if place is None or (place.path == path and place.inode == os.stat(path).st_ino):
            return ()
        rest = self._new(place.path, ended=True) if place.path != path and place.path.exists() else ()
        self._place = Place(path=path, inode=os.stat(path).st_ino, read=0, written=0)
        self._form = None
        return rest

    def _new(self, path: Path, *, ended: bool = False) -> tuple[Cancellation, ...]:
        """Return what a file says beyond where it was left; its last record waits as long as the file still grows."""
        place, size = self._place, os.stat(path).st_size
        if place is None:
            return ()
        read = place.read if size >= place.read else 0  # cut to nothing in place, as copytruncate does
        begin = max(read, size - _MOST_BYTES)
        with path.open("rb") as log:
            self._form = self._form or sniff(log.read(_HEAD).splitlines(keepends=True))
            log.seek(begin)
            piece = log.read(size - begin)
        piece = piece[: piece.rfind(b"\n") + 1]
        if not ended and size != place.written:
            piece = piece[: whole(piece, self._form)]
        self._place = Place(path=path, inode=place.inode, read=begin + len(piece), written=size)
        lines = (line + b"\n" for line in piece.split(b"\n")[:-1])
        return tuple(cancellations(lines, form=self._form, prefix=self._prefix)) if piece else ()


def newest(pattern: str) -> Path:
    """Return the file that is written: the one of the pattern that changed last."""
    paths = glob.glob(pattern) or [pattern]
    return Path(max(paths, key=lambda path: os.stat(path).st_mtime))


def _end(path: Path) -> Place:
    stat = os.stat(path)
    return Place(path=path, inode=stat.st_ino, read=stat.st_size, written=stat.st_size)


def _gap(pattern: str, error: OSError | InputError) -> Gap:
    says = error.message if isinstance(error, InputError) else os.strerror(error.errno or 0)
    return Gap(
        subject=f"log {pattern}",
        says=f"The log cannot be read: {says}.",
        effect="Statements that are cancelled between two looks at the sessions are not seen.",
        cure="let premortem read the file, or take `log` out of the instance's settings",
    )


def cancelled(
    found: tuple[Cancellation, ...], identify: Callable[[Cancellation], Statement], timeouts: Timeouts, now: datetime
) -> tuple[Cancelled, ...]:
    """Return cancellations as watching knows them: by statement, without their values."""
    return tuple(
        Cancelled(
            at=one.at or now,
            statement=identify(one),
            pid=one.pid,
            elapsed_ms=timeouts.elapsed_ms(one.why, one.database, one.role),
            why=one.why,
        )
        for one in found
        if not one.application.startswith("premortem")
    )
