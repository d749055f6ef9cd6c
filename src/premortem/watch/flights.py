"""Executions that were seen running, and how they ended: counted, or not.

pg_stat_statements counts an execution when it ends well.  What runs for long is in no counter for as long as it runs,
and what is cancelled never is: with a statement_timeout the worst query of all can look as if nobody ran it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from premortem.model import Backend, Cancelled, Sample, Subject

#: Shorter executions come and go between two looks, and the counters have them in time.
LONG_MS = 1_000.0
#: An execution's time as a session shows it has its planning in it; the counters' has not.
_SEEN_SHARE = 0.5
#: An execution that waited for a lock for such a part of its time says nothing of how fast the statement is.
_WAITED_SHARE = 0.5
#: How far a log and the sessions may lie apart in telling of the same end.
_HEARD = timedelta(minutes=2)
_KINDS = ("client backend", "background worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """An execution: `seen_ms` is how long it had run when it was last seen, at `until`.

    `booked_ms` is what it has in the slots so far, of the time that was watched, `waited_ms` what it was seen to wait
    for locks.
    """

    pid: int
    began: datetime
    subject: Subject
    until: datetime
    seen_ms: float
    booked_ms: float = 0.0
    waited_ms: float = 0.0
    live: bool = True

    @property
    def has_waited(self) -> bool:
        """Whether it did little but wait for a lock."""
        return self.waited_ms >= _WAITED_SHARE * self.seen_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An execution that is known not to have been counted, from looking at sessions or from the log, not yet both."""

    at: datetime
    subject: Subject
    pid: int | None
    from_log: bool
    timed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a slot has of executions that are not in its counters."""

    provisional_ms: float = 0.0
    uncounted: int = 0
    uncounted_ms: float = 0.0
    waited: int = 0
    waited_ms: float = 0.0

    def __add__(self, other: Ending) -> Ending:
        return Ending(
            provisional_ms=self.provisional_ms + other.provisional_ms, uncounted=self.uncounted + other.uncounted,
            uncounted_ms=self.uncounted_ms + other.uncounted_ms, waited=self.waited + other.waited,
            waited_ms=self.waited_ms + other.waited_ms,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """What runs on, what ended how, and what of it may be told a second time."""

    flights: tuple[Flight, ...] = ()
    endings: Mapping[Subject, Ending] = field(default_factory=lambda: MappingProxyType({}))
    heard: tuple[Heard, ...] = ()


def followed(
    flights: Iterable[Flight], sample: Sample, subject_of: Callable[[Backend], Subject | None]
) -> tuple[Flight, ...]:
    """Return the executions that ran at the last sample or were seen since; those that ended are not live."""
    known = {(flight.pid, flight.began): flight for flight in flights}
    looks = ((glance.at, glance.backends) for glance in sample.glances if glance.at <= sample.at)
    for at, backends in (*looks, (sample.at, sample.backends)):
        known = _looked(known, at, backends, subject_of)
    return tuple(known.values())


_Known = dict[tuple[int, datetime], Flight]


def _looked(
    known: _Known, at: datetime, backends: Iterable[Backend], subject_of: Callable[[Backend], Subject | None]
) -> _Known:
    seen = {}
    for backend in backends:
        began = backend.query_start
        if began is None or not _runs(backend) or (at - began) / timedelta(milliseconds=1) < LONG_MS:
            continue
        elapsed = (at - began) / timedelta(milliseconds=1)
        flight = known.get((backend.pid, began))
        subject = flight.subject if flight else subject_of(backend)
        if subject is not None:
            booked = flight.booked_ms if flight else 0.0
            seen[backend.pid, began] = Flight(
                pid=backend.pid, began=began, subject=subject, until=at, seen_ms=elapsed, booked_ms=booked,
                waited_ms=_waited(backend, flight, elapsed),
            )  # fmt: skip
    ended = {key: replace(flight, live=False) for key, flight in known.items() if key not in seen}
    return ended | seen


def _waited(backend: Backend, before: Flight | None, elapsed: float) -> float:
    """Return how long an execution has waited for locks, as far as looks tell: between two, as in the later one."""
    so_far, known = (before.waited_ms, before.seen_ms) if before else (0.0, 0.0)
    waits = bool(backend.blocked_by) or backend.wait_type == "Lock"
    return so_far + max(0.0, elapsed - known) if waits else so_far


def _runs(backend: Backend) -> bool:
    return backend.state == "active" and backend.kind in _KINDS and backend.leader is None


def landed(
    flights: Iterable[Flight], heard: Iterable[Heard], sample: Sample, counted: Mapping[Subject, tuple[int, float]],
    start: datetime, *, locked: bool = False,
) -> Landing:  # fmt: skip
    """Return what became of executions in the slot from `start` to the sample; `counted` are calls and time in it.

    `locked` says that a lock has an alert of its own, so that those who waited for it are told already.
    """
    watched = sample.since is not None
    endings: dict[Subject, Ending] = defaultdict(Ending)
    memory = [one for one in heard if sample.at - _HEARD < one.at]
    live = []
    for flight in flights:
        if flight.live:
            booked = _in_slot(flight, start)
            endings[flight.subject] += Ending(provisional_ms=booked)
            live.append(replace(flight, booked_ms=flight.booked_ms + booked))
    for flight, was_counted in _judged((f for f in flights if not f.live), counted):
        if was_counted:
            endings[flight.subject] += Ending(provisional_ms=-flight.booked_ms)
            if locked and flight.has_waited:
                endings[flight.subject] += Ending(waited=1, waited_ms=_at_most(flight, sample.at))
        elif watched:
            ended = _uncounted(flight, start, memory)
            told = locked and flight.has_waited
            endings[flight.subject] += replace(ended, uncounted=0, uncounted_ms=0.0) if told else ended
    for cancelled in sample.cancelled:
        subject = Subject(database=cancelled.statement.database, fingerprint=cancelled.statement.fingerprint)
        endings[subject] += _logged(cancelled, subject, sample.at - start, memory)
    return Landing(flights=tuple(live), endings=endings, heard=tuple(memory))


def _judged(
    ended: Iterable[Flight], counted: Mapping[Subject, tuple[int, float]]
) -> Iterator[tuple[Flight, bool]]:  # fmt: skip
    """Yield executions that ended, longest first, with whether the counters can have counted each."""
    left = dict(counted)
    for flight in sorted(ended, key=lambda f: (-f.seen_ms, f.pid, f.began)):
        calls, total = left.get(flight.subject, (0, 0.0))
        was_counted = calls > 0 and total >= _SEEN_SHARE * flight.seen_ms
        if was_counted:
            left[flight.subject] = (calls - 1, max(0.0, total - flight.seen_ms))
        yield flight, was_counted


def _in_slot(flight: Flight, start: datetime) -> float:
    """Return what an execution took of the slot, as far as it was seen, in ms."""
    return max(0.0, (flight.until - max(start, flight.began)) / timedelta(milliseconds=1))


def _at_most(flight: Flight, at: datetime) -> float:
    """Return how long an execution can have run that ended after it was last seen."""
    return flight.seen_ms + max(0.0, (at - flight.until) / timedelta(milliseconds=1))


def _uncounted(flight: Flight, start: datetime, memory: list[Heard]) -> Ending:
    """Return an execution that ended and was not counted; once, if the log told of it already."""
    told = _taken(memory, flight.subject, flight.pid, from_log=True)
    if told is not None and told.timed:
        return Ending()
    if told is None:
        memory.append(Heard(at=flight.until, subject=flight.subject, pid=flight.pid, from_log=False))
    return Ending(
        provisional_ms=_in_slot(flight, start), uncounted=int(told is None), uncounted_ms=flight.seen_ms
    )  # fmt: skip


def _logged(cancelled: Cancelled, subject: Subject, slot: timedelta, memory: list[Heard]) -> Ending:
    """Return an execution that the log says was cancelled; nothing if sessions told of it already."""
    if _taken(memory, subject, cancelled.pid, from_log=False) is not None:
        return Ending()
    elapsed = cancelled.elapsed_ms
    memory.append(
        Heard(at=cancelled.at, subject=subject, pid=cancelled.pid, from_log=True, timed=elapsed is not None)
    )  # fmt: skip
    inside = min(elapsed or 0.0, slot / timedelta(milliseconds=1))
    return Ending(provisional_ms=inside, uncounted=1, uncounted_ms=elapsed or 0.0)


def _taken(memory: list[Heard], subject: Subject, pid: int | None, *, from_log: bool) -> Heard | None:
    """Take the first that the other side told of out of memory, None where it told of none."""
    for one in memory:
        if one.from_log is from_log and one.subject == subject and (one.pid == pid or None in (one.pid, pid)):
            memory.remove(one)
            return one
    return None
