"""How much room a mirror takes, told before anything is written: a disk that fills up halfway helps nobody."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from premortem.model import Profile, RelationName, Table

PAGE = 8192
#: The write-ahead log that a load keeps between two checkpoints, at most; `max_wal_size` of our own servers.
LOG = 4 << 30
#: Growth of estimates: rows that are a little wider, pages that are a little emptier than the statistics say.
MARGIN = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a mirror takes: its tables with TOAST, its indexes, and what building it takes for a while."""

    tables: int
    indexes: int
    passing: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.tables + self.indexes + self.passing


def needed(profile: Profile, share: float = 1.0, only: Collection[RelationName] | None = None) -> Room:
    """Return how much room the mirror of a share of that production takes.

    While an index is built its sorted keys lie on disk beside it; the log grows to `max_wal_size`, and not beyond what
    is written.
    """
    chosen = [t for t in profile.tables if t.kind.has_storage and (only is None or t.relation in only)]
    tables = _scaled(sum(t.pages * PAGE + t.toast_bytes for t in chosen), share)
    indexes = _scaled(sum(_indexes(chosen)), share)
    sorting = _scaled(max(_indexes(chosen), default=0), share)
    return Room(tables=tables, indexes=indexes, passing=sorting + min(LOG, tables + indexes))


def _indexes(tables: Iterable[Table]) -> list[int]:
    return [i.pages * PAGE for t in tables for i in t.indexes]


def _scaled(size: float, share: float) -> int:
    return int(size * share * MARGIN)


def free(directory: Path) -> int | None:
    """Return the bytes that are free where that folder is, None where it cannot be asked from here."""
    here = directory
    while not os.access(here, os.F_OK) and here != here.parent:  # a folder of the server's user is closed to us
        here = here.parent
    try:
        return shutil.disk_usage(here).free
    except OSError:
        return None
