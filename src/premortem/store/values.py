"""What goes into the store and comes out of it, beside the model's own words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from premortem.model import Alert, Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Where a watcher of an instance was: its checkpoint as it was handed in, None at first, and its open alerts."""

    checkpoint: object | None = None
    at: datetime | None = None
    watched_since: datetime | None = None
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one statement, or all of them, did in one step of time that begins at `at`."""

    at: datetime
    length: timedelta
    calls: int = 0
    total_ms: float = 0.0
    squares: float = 0.0
    rows: int = 0
    shared_read: int = 0
    temp_written: int = 0
    wal_bytes: int = 0
    doubtful: bool = False

    @property
    def mean_ms(self) -> float | None:
        """The average execution time, None without a call."""
        return self.total_ms / self.calls if self.calls else None

    @property
    def deviation_ms(self) -> float | None:
        """The standard deviation of the execution time, None without a call."""
        if (mean := self.mean_ms) is None:
            return None
        return math.sqrt(max(0.0, self.squares / self.calls - mean * mean))

    @property
    def busy(self) -> float:
        """How many connections it occupied on average (Little's law)."""
        return self.total_ms / 1000 / self.length.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A statement of the registry, in one database of one instance.

    `appeared`: it was not there when the instance was looked at before, so `first_seen` is when it came.  Otherwise it
    is older than that.  `calls` and `total_ms` are those of the time that was asked about.
    """

    statement: Statement
    instance: str
    database: str
    first_seen: datetime
    appeared: bool
    calls: int = 0
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintained:
    """What maintenance did: partitions made and dropped, hours rolled up, letters forgotten."""

    made: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    hours: int = 0
    letters: int = 0
    says: tuple[str, ...] = field(default=())
