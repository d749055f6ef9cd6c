"""The last minutes of an instance in memory: a slot per poll, and in it what each statement did.

A statement is known by its database and fingerprint, so the entries of several roles, and of several versions of one
text, add up.  Executions that still run are followed from look to look: what they take is booked in the slot in which
they take it, and taken back when the counters count the whole of it; an execution that ends and is not counted was
cancelled, and what it took stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from premortem.model import Backend, Confidence, Sample, Statement, StatementKey, Subject
from premortem.watch.deltas import Delta, LastFacts, interval
from premortem.watch.flights import Ending, followed, landed
from premortem.watch.identity import identify_session, unnamed
from premortem.watch.slots import Move, Rings, Slot, decode, encode, sealed
from premortem.watch.windows import covered, windows

__all__ = ["Move", "Rings", "Slot", "advance", "covered", "decode", "encode", "windows"]

#: How long slots are kept where nobody asks for longer windows.
KEEP = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """What the numbers of a sample mean."""

    sample: Sample
    statements: Mapping[StatementKey, Statement]
    sessions: Mapping[int, Statement]

    def subject(self, key: StatementKey) -> Subject | None:
        """The statement of an entry; by its number where nobody knows its text yet, None where it is our own."""
        found = self.statements.get(key)
        if found is None:
            return Subject(database=self.database(key.dbid), fingerprint=unnamed(key.queryid))
        return None if found.ours else Subject(database=found.database, fingerprint=found.fingerprint)

    def running(self, backend: Backend) -> Subject | None:
        """The statement that a session runs; None where it is our own, or one that no counter counts."""
        database = self.database(backend.dbid)
        told = self.sessions.get(backend.pid) if backend in self.sample.backends else None
        found = told or identify_session(backend, database, known=self.statements)
        if found.ours or found.utility or (found.unreadable and backend.queryid is None):
            return None
        return Subject(database=database, fingerprint=found.fingerprint)

    def database(self, oid: int | None) -> str:
        return "" if oid is None else self.sample.databases.get(oid, str(oid))


def advance(
    rings: Rings,
    sample: Sample,
    deltas: Sequence[Delta],
    statements: Mapping[StatementKey, Statement],
    *,
    running: Mapping[int, Statement] = MappingProxyType({}),
    keep: timedelta = KEEP,
    locked: bool = False,
) -> Rings:
    """Return the rings after a sample and what moved in it; slots older than `keep` are left behind.

    `running` says what sessions of the sample run, by pid, where somebody found out already.  `locked` says that a
    lock has an alert of its own.
    """
    over = interval(sample, rings.last)
    start = sample.at if over is None else over.start
    names = _Names(sample=sample, statements=statements, sessions=running)
    moves = _moves(deltas, names)
    landing = landed(
        followed(rings.flights, sample, names.running), rings.heard, sample,
        {subject: (move.calls, move.total_ms) for subject, move in moves.items()}, start,
        locked=locked,
    )  # fmt: skip
    counted = sum(d.total_ms for d in deltas if d.toplevel and names.subject(d.key) is not None)
    slot = Slot(
        start=start, end=sample.at, moves=_with_endings(moves, landing.endings),
        instance_ms=counted + sum(ending.provisional_ms for ending in landing.endings.values()),
    )  # fmt: skip
    before = _shifted(rings.slots, start) if over is not None and over.was_set else rings.slots
    kept = (one for one in before if sample.at - keep < one.end <= start)
    return Rings(
        slots=(*kept, sealed(slot)), flights=landing.flights, heard=landing.heard, last=LastFacts.of(sample)
    )  # fmt: skip


def _moves(deltas: Iterable[Delta], names: _Names) -> dict[Subject, Move]:
    by_subject: dict[Subject, list[Delta]] = defaultdict(list)
    for delta in deltas:
        subject = names.subject(delta.key)
        if subject is not None:
            by_subject[subject].append(delta)
    return {subject: _move(found) for subject, found in by_subject.items()}


def _move(deltas: Sequence[Delta]) -> Move:
    """Return what the entries of one statement did together; most have one, and a poll has hundreds of them."""
    if len(deltas) == 1:
        (d,) = deltas
        low = d.confidence is Confidence.LOW
        return Move(
            d.calls, d.total_ms, d.squares, d.rows, d.shared_read, toplevel=d.toplevel, low=low, doubts=d.doubts
        )
    return Move(
        calls=sum(d.calls for d in deltas), total_ms=sum(d.total_ms for d in deltas),
        squares=sum(d.squares for d in deltas), rows=sum(d.rows for d in deltas),
        shared_read=sum(d.shared_read for d in deltas), toplevel=any(d.toplevel for d in deltas),
        low=any(d.confidence is Confidence.LOW for d in deltas),
        doubts=tuple(dict.fromkeys(doubt for d in deltas for doubt in d.doubts)),
    )  # fmt: skip


def _with_endings(moves: Mapping[Subject, Move], endings: Mapping[Subject, Ending]) -> Mapping[Subject, Move]:
    found = dict(moves)
    for subject, ending in endings.items():
        found[subject] = found.get(subject, Move())._replace(
            provisional_ms=ending.provisional_ms,
            uncounted=ending.uncounted,
            uncounted_ms=ending.uncounted_ms,
            waited=ending.waited,
            waited_ms=ending.waited_ms,
        )
    return MappingProxyType(found)


def _shifted(slots: tuple[Slot, ...], start: datetime) -> tuple[Slot, ...]:
    """Return the slots on a clock that was set, so that the newest ends where the next one starts."""
    by = start - slots[-1].end if slots else timedelta(0)
    return tuple(replace(one, start=one.start + by, end=one.end + by) for one in slots)
