"""What each statement did between two samples, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from premortem.model import Confidence, Counters, Moved, Sample, StatementKey
from premortem.watch.epochs import NOTHING, Ground, LastFacts, continues, ground, may_have_lost, squares

__all__ = ["Delta", "Interval", "LastFacts", "deltas", "interval"]

THROWN_OUT = "pg_stat_statements threw entries out; one that came back may look like one that stayed"
CAME_BACK = "the statement's entry was thrown out or reset and came back; calls before that are missing"
RESET = "the counters were reset or lost in a crash; calls before that are missing"
CLOCK = "the server's clock was set; the time in between is measured with ours"
#: How far the two clocks may drift apart in one poll before one of them was set.
_DRIFT = timedelta(seconds=5)
#: How many polls old the last sample may be for an entry without a history to have begun since, where the extension
#: does not say since when it counts (a new server behind the same address would look the same).
_RECENT = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What one entry of pg_stat_statements did from `start` to `end`; times are execution time in ms.

    `squares` is the sum of the squared execution times.  `is_new` says that there was no such entry at `start`.
    """

    key: StatementKey
    start: datetime
    end: datetime
    calls: int
    total_ms: float
    squares: float
    rows: int = 0
    shared_hit: int = 0
    shared_read: int = 0
    temp_written: int = 0
    wal_bytes: int = 0
    is_new: bool = False
    confidence: Confidence = Confidence.HIGH
    doubts: tuple[str, ...] = ()

    @property
    def toplevel(self) -> bool:
        """Whether a client sent it; the time of what runs inside functions is in their callers' time, too."""
        return self.key.toplevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The time between two samples, on the server's clock of the later; `was_set` says that the clock was set."""

    start: datetime
    end: datetime
    was_set: bool = False


def interval(sample: Sample, last: LastFacts | None) -> Interval | None:
    """Return the time that a sample's counters are about; None for a first sample, which is about none."""
    if sample.since is None:
        return None
    theirs = sample.at - sample.since
    ours = sample.read_at - last.read_at if last is not None and last.at == sample.since else theirs
    if abs(theirs - ours) <= _DRIFT and theirs >= timedelta(0):
        return Interval(start=sample.since, end=sample.at)
    return Interval(start=sample.at - max(ours, timedelta(0)), end=sample.at, was_set=True)


def deltas(sample: Sample, last: LastFacts | None, *, poll: timedelta = timedelta(seconds=15)) -> tuple[Delta, ...]:
    """Return what moved between the last sample and this one, for each entry that was called."""
    return tuple(_deltas(sample, last, poll))


def _deltas(sample: Sample, last: LastFacts | None, poll: timedelta) -> Iterator[Delta]:
    over, became = interval(sample, last), ground(last, sample)
    if over is None or became is Ground.FOREIGN:
        return
    begun = sample.server.reset_at
    if became is Ground.ZEROED and begun is not None and not over.was_set:
        over = Interval(start=min(max(over.start, begun), over.end), end=over.end)
    recent = sample.server.reset_at is not None or over.end - over.start <= _RECENT * poll
    lost = may_have_lost(last, sample)
    for moved in sample.moved:
        found = _began(moved, became, recent)
        if found is not None and moved.now.calls > found[0].calls:
            yield _delta(moved, found[0], over, _doubts(moved, found[1], over, lost))


def _began(moved: Moved, became: Ground, recent: bool) -> tuple[Counters, str] | None:
    """Return the counters to count from, with a doubt; None where that cannot be known."""
    if became is Ground.ZEROED:
        return NOTHING, RESET
    if moved.before is None:
        return (NOTHING, "") if recent or moved.now.since is not None else None
    return (moved.before, "") if continues(moved.before, moved.now) else (NOTHING, CAME_BACK)


def _doubts(moved: Moved, doubt: str, over: Interval, lost: bool) -> tuple[str, ...]:
    unsure = lost and moved.before is not None and moved.now.since is None and not doubt
    return tuple(said for said in (doubt, THROWN_OUT if unsure else "", CLOCK if over.was_set else "") if said)


def _delta(moved: Moved, base: Counters, over: Interval, doubts: tuple[str, ...]) -> Delta:
    now = moved.now
    calls, total = now.calls - base.calls, max(0.0, now.total_ms - base.total_ms)
    return Delta(
        key=moved.key, start=over.start, end=over.end, calls=calls, total_ms=total,
        squares=max(squares(now) - squares(base), total * total / calls), rows=now.rows - base.rows,
        shared_hit=now.shared_hit - base.shared_hit, shared_read=now.shared_read - base.shared_read,
        temp_written=now.temp_written - base.temp_written, wal_bytes=now.wal_bytes - base.wal_bytes,
        is_new=moved.before is None,
        confidence=Confidence.LOW if THROWN_OUT in doubts else Confidence.HIGH, doubts=doubts,
    )  # fmt: skip
