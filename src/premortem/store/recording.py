"""What a commit adds to history: deltas as rows of whole minutes, on our clock, each sample once.

Pure.  A sample is known by its moment on the server's clock, so a commit that is repeated, whole or as part of a later
one, adds nothing twice.  Minutes are on our clock, which is that of deploys and alerts, whatever the server's says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # commands that record and look back need nothing of watching
    from premortem.watch.deltas import Delta

#: So many samples are remembered at least, and all of the newest commit, for that is what may come again.
REMEMBERED = 100
_FARTHEST = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of history."""

    subject: int
    at: datetime
    calls: int
    total_ms: float
    squares: float
    rows: int
    shared_read: int
    temp_written: int
    wal_bytes: int
    doubtful: bool = False

    def plus(self, other: Row) -> Row:
        """Return the row that says what both say."""
        return replace(
            self,
            calls=self.calls + other.calls,
            total_ms=self.total_ms + other.total_ms,
            squares=self.squares + other.squares,
            rows=self.rows + other.rows,
            shared_read=self.shared_read + other.shared_read,
            temp_written=self.temp_written + other.temp_written,
            wal_bytes=self.wal_bytes + other.wal_bytes,
            doubtful=self.doubtful or other.doubtful,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What an instance's history holds beside its rows: the samples that are in it, and the minute that is not over."""

    samples: tuple[datetime, ...] = ()
    open: tuple[Row, ...] = ()


def fresh(deltas: Iterable[Delta], samples: Sequence[datetime]) -> tuple[Delta, ...]:
    """Return the deltas whose samples are not in history yet."""
    known = frozenset(samples)
    return tuple(delta for delta in deltas if delta.end not in known)


def minute(end: datetime, newest: datetime, at: datetime) -> datetime:
    """Return the minute, on our clock, of a sample; the newest one was taken at `at`.

    >>> at = datetime(2026, 5, 4, 14, 3, 20, tzinfo=UTC)
    >>> server = at + timedelta(hours=1)  # a clock that is wrong by an hour
    >>> minute(server - timedelta(seconds=30), server, at).isoformat()
    '2026-05-04T14:02:00+00:00'
    """
    ours = at - (newest - end)
    if abs(ours - at) > _FARTHEST:  # its clock jumped by days
        ours = at
    return ours.astimezone(UTC).replace(second=0, microsecond=0)


def recorded(
    ledger: Ledger, rows: Iterable[Row], samples: Iterable[datetime], at: datetime
) -> tuple[Ledger, tuple[Row, ...]]:
    """Return the ledger with the rows in it, and the rows of minutes that are over by `at`, in the order of history."""
    sums: dict[tuple[datetime, int], Row] = {}
    for row in (*ledger.open, *rows):
        place = (row.at, row.subject)
        sums[place] = sums[place].plus(row) if place in sums else row
    begun = at.astimezone(UTC).replace(second=0, microsecond=0)
    every = [sums[place] for place in sorted(sums)]
    # In the order in which they came: a server's clock may go back.
    newest = sorted(samples)
    known = tuple(dict.fromkeys((*ledger.samples, *newest)))[-max(REMEMBERED, len(newest)) :]
    kept = tuple(row for row in every if row.at >= begun)
    return Ledger(samples=known, open=kept), tuple(row for row in every if row.at < begun)
