"""Whether two readings of counters belong to one run of counting, on the server and for each entry of its own.

Counters begin again at nothing when somebody resets them, when a server process crashes, when an entry was thrown out
and came back, and when another server answers.  The difference of two readings is only what happened in between if none
of this did.  Since version 1.11 of pg_stat_statements an entry says since when it counts; before, five tests can tell
that it does not continue, and none that it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from premortem.model import Counters, InstanceFacts, Sample

#: Of the counters' floats; a server adds them up in another order than we subtract them.
_TOLERANCE = 1e-9
NOTHING = Counters(
    calls=0, total_ms=0.0, min_ms=0.0, max_ms=0.0, mean_ms=0.0, stddev_ms=0.0, rows=0, shared_hit=0, shared_read=0,
    temp_written=0, wal_bytes=0,
)  # fmt: skip


class Ground(Enum):
    """What became of all of a server's counters since the sample before.

    KEPT: they went on.  ZEROED: they began again at nothing in between.  FOREIGN: others answer, which have counted
    since before the last sample.
    """

    KEPT = auto()
    ZEROED = auto()
    FOREIGN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFacts:
    """What must be kept of a sample to judge the next one; `at` is the server's clock, `read_at` ours."""

    at: datetime
    read_at: datetime
    server: InstanceFacts

    @classmethod
    def of(cls, sample: Sample) -> LastFacts:
        """Return what must be kept of a sample."""
        return cls(at=sample.at, read_at=sample.read_at, server=sample.server)


def ground(last: LastFacts | None, sample: Sample) -> Ground:
    """Return what became of the server's counters between its last sample and this one."""
    if last is None or sample.since is None:
        return Ground.KEPT
    before, now = last.server, sample.server
    if _is_another(before, now):
        return Ground.FOREIGN
    if now.reset_at == before.reset_at or now.reset_at is None or before.reset_at is None:
        return Ground.KEPT
    return Ground.ZEROED if now.reset_at > sample.since else Ground.FOREIGN


def _is_another(before: InstanceFacts, now: InstanceFacts) -> bool:
    identities = {before.identity, now.identity} - {None}
    return len(identities) > 1 or before.version_num // 10_000 != now.version_num // 10_000


def may_have_lost(last: LastFacts | None, sample: Sample) -> bool:
    """Whether entries may have been thrown out and come back since the last sample, unseen by the extension's tests."""
    if last is None:
        return False
    before, now = last.server, sample.server
    if now.deallocations is None or before.deallocations is None:
        return sample.vanished > 0 or now.started_at != before.started_at
    return now.deallocations != before.deallocations


def continues(before: Counters, now: Counters) -> bool:
    """Whether a reading can be the continuation of another of the same entry; certain where both say since when.

    The tests of the counters found 51 of 100 entries that had been thrown out and had come back, and accused none of
    300 that had not; so where entries were thrown out, the rest is told to be of low confidence.
    """
    if before.since is not None and now.since is not None:
        return before.since == now.since
    return not (_fell(before, now) or _out_of_bounds(before, now) or _too_even(before, now))


def _fell(before: Counters, now: Counters) -> bool:
    """Whether something that only grows has shrunk, or a minimum has risen."""
    slack = 1 + _TOLERANCE
    pairs = (
        (before.calls, now.calls), (before.rows, now.rows), (before.shared_hit, now.shared_hit),
        (before.shared_read, now.shared_read), (before.temp_written, now.temp_written),
        (before.wal_bytes, now.wal_bytes),
    )  # fmt: skip
    if any(new < old for old, new in pairs) or now.total_ms * slack < before.total_ms:
        return True
    return before.calls > 0 and (now.min_ms > before.min_ms * slack or now.max_ms * slack < before.max_ms)


def _out_of_bounds(before: Counters, now: Counters) -> bool:
    """Whether the calls in between took less than the shortest or more than the longest would have."""
    calls, total = now.calls - before.calls, now.total_ms - before.total_ms
    slack = _TOLERANCE * max(1.0, now.total_ms)
    return total < calls * now.min_ms - slack or total > calls * now.max_ms + slack


def _too_even(before: Counters, now: Counters) -> bool:
    """Whether the squares in between are less than even calls would make them, which no calls can do."""
    calls, total = now.calls - before.calls, now.total_ms - before.total_ms
    if calls <= 0:
        return False
    return squares(now) - squares(before) < total * total / calls - _TOLERANCE * max(1.0, squares(now))


def squares(of: Counters) -> float:
    """Return the sum of the squared execution times, which adds up over calls, entries and times."""
    return of.calls * (of.stddev_ms**2 + of.mean_ms**2)
