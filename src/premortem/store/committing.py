"""One poll's outcome, written as one transaction: all of it is there after a crash, or none of it.

```
write
├── registry     statements and subjects that are new here
├── history      rows of minutes that are over, by COPY
├── alerts       each change: the alert, an event, a letter per channel
├── events
└── checkpoint   the state, the samples that are in history, the minute that is not over
```
Whatever is written twice is there once: changes, events and letters by their ids, deltas by their samples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from premortem import pg
from premortem.errors import StoreError
from premortem.model import AlertChange, Confidence, Event, Statement, StatementKey, Turn
from premortem.store import chunks, days, encoding, outbox
from premortem.store.chunks import Parts
from premortem.store.queries import QUERIES
from premortem.store.recording import Ledger, Row, fresh, minute, recorded

if TYPE_CHECKING:  # commands that record and look back need nothing of watching
    from premortem.watch.deltas import Delta

#: What a statement is in history: its database, its fingerprint, and whether clients execute it themselves.
Name = tuple[str, str, bool]
Channels = Sequence[str] | Callable[[AlertChange], Iterable[str]]
_LONGEST_SUBJECT = 500
_WEEK = timedelta(days=7)
_MOST_NAMES = 20_000
_ARRAYS = ("calls", "total_ms", "squares", "rows", "shared_read", "temp_written", "wal_bytes", "doubtful")
#: What statements begin with whose constants pg_stat_statements replaces in every version of PostgreSQL.
_NORMALIZED = ("select", "insert", "update", "delete", "merge", "with", "values", "table", "(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What a watcher wants kept; `given` tells a checkpoint that is None from none."""

    instance: str
    at: datetime
    checkpoint: object | None
    given: bool
    changes: Sequence[AlertChange]
    deltas: Sequence[Delta]
    statements: Mapping[StatementKey, Statement]
    events: Sequence[Event]
    channels: Channels
    hold: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What we know of an instance's rows, so that a poll need not ask: as the last commit of this session left it."""

    instance: int
    watched_since: datetime
    version: int
    ledger: Ledger
    numbers: Mapping[Name, int] = field(default_factory=dict)
    days: frozenset[date] = frozenset()
    chunks: Mapping[str, bytes] = field(default_factory=dict)
    stored: frozenset[bytes] = frozenset()


def instance_number(db: pg.Session, name: str, at: datetime) -> int:
    """Return an instance's number; it gets one the first time."""
    found = db.value(QUERIES["instance"], name=encoding.text(name))
    if found is None:
        db.execute(QUERIES["add instance"], name=encoding.text(name), at=at)
        found = db.value(QUERIES["instance"], name=encoding.text(name))
    return int(found)


def remember(db: pg.Session, name: str, at: datetime) -> Memory:
    """Return what the database knows of an instance."""
    number = instance_number(db, name, at)
    ((_, watched_since),) = db.tuples(QUERIES["instance"], name=encoding.text(name))
    db.execute(QUERIES["add checkpoint"], instance=number, at=at)
    ((version, samples, *arrays),) = db.tuples(QUERIES["ledger"], instance=number)
    names = ("subject", "at", *_ARRAYS)
    rows = tuple(Row(**dict(zip(names, row, strict=True))) for row in zip(*arrays, strict=True))
    return Memory(
        instance=number,
        watched_since=watched_since,
        version=version,
        ledger=Ledger(samples=tuple(samples), open=rows),
        days=frozenset(days.existing(db)),
        stored=frozenset(db.values(QUERIES["digests"], instance=number)),
    )


def write(db: pg.Session, memory: Memory, commit: Commit) -> Memory | None:
    """Write a commit inside of a transaction and return what we know then; None where somebody else wrote before."""
    deltas = fresh(commit.deltas, memory.ledger.samples)
    newest = max((delta.end for delta in commit.deltas), default=commit.at)
    names = {delta.key: _name(delta.key, commit.statements) for delta in deltas}
    memory = _registered(db, memory, commit, deltas, names, newest)
    minutes = {end: minute(end, newest, commit.at) for end in {delta.end for delta in deltas}}
    rows = [_row(delta, memory.numbers[names[delta.key]], minutes[delta.end]) for delta in deltas]
    ledger, over = recorded(memory.ledger, rows, {delta.end for delta in commit.deltas}, commit.at)
    memory = _kept(db, memory, over)
    _changed(db, memory.instance, commit)
    for event in commit.events:
        add_event(db, event)
    parts = chunks.split(commit.checkpoint, memory.chunks) if commit.given else None
    return _checkpointed(db, memory, commit, ledger, parts)


def _name(key: StatementKey, statements: Mapping[StatementKey, Statement]) -> Name:
    statement = statements.get(key)
    if statement is None:  # its text could not be had: it counts all the same
        return str(key.dbid), f"queryid-{key.queryid}", key.toplevel
    return encoding.name(statement.database), encoding.name(statement.fingerprint), key.toplevel


def _row(delta: Delta, number: int, at: datetime) -> Row:
    return Row(
        subject=number,
        at=at,
        calls=delta.calls,
        total_ms=float(delta.total_ms),
        squares=float(delta.squares),
        rows=delta.rows,
        shared_read=delta.shared_read,
        temp_written=delta.temp_written,
        wal_bytes=delta.wal_bytes,
        doubtful=delta.confidence is Confidence.LOW,
    )


def _registered(
    db: pg.Session,
    memory: Memory,
    commit: Commit,
    deltas: Sequence[Delta],
    names: Mapping[StatementKey, Name],
    newest: datetime,
) -> Memory:
    """Return the memory with numbers for every name; what is new is put into the registry."""
    first: dict[Name, Delta] = {}
    for delta in deltas:
        name = names[delta.key]
        if name not in memory.numbers and (name not in first or delta.end < first[name].end):
            first[name] = delta
    if not first:
        return memory
    fingerprints = sorted({name[1] for name in first})
    _add_statements(db, [_statement(first, names, commit.statements, one) for one in fingerprints])
    db.execute(
        QUERIES["add subjects"],
        instance=memory.instance,
        databases=[name[0] for name in first],
        fingerprints=[name[1] for name in first],
        toplevel=[name[2] for name in first],
        seen=[commit.at - (newest - delta.end) for delta in first.values()],
        appeared=[_appeared(delta, commit.at - memory.watched_since) for delta in first.values()],
    )
    found = db.tuples(QUERIES["subjects"], instance=memory.instance, fingerprints=fingerprints)
    kept = memory.numbers
    if len(kept) > _MOST_NAMES:  # tables with names of their own for each run: what moved now will do
        kept = {name: kept[name] for name in set(names.values()) if name in kept}
    return replace(memory, numbers={**kept, **{(d, f, t): number for d, f, t, number in found}})


def _appeared(delta: Delta, watched: timedelta) -> bool:
    """Whether a statement that nobody saw before is new, and not one that was thrown out before we looked.

    The registry has seen most of what there is after a week, and a weekly job with it.
    """
    return delta.is_new and (not delta.doubts or watched >= _WEEK)


def _statement(
    first: Mapping[Name, Delta],
    names: Mapping[StatementKey, Name],
    statements: Mapping[StatementKey, Statement],
    fingerprint: str,
) -> Statement:
    key = next(delta.key for name, delta in first.items() if name[1] == fingerprint)
    return statements.get(key) or Statement(
        fingerprint=fingerprint, text="", database=names[key][0], unreadable="its text could not be read"
    )


def _add_statements(db: pg.Session, statements: Sequence[Statement]) -> None:
    db.execute(
        QUERIES["add statements"],
        fingerprints=[encoding.text(one.fingerprint) for one in statements],
        texts=[encoding.text(kept_text(one)) for one in statements],
        tables=[json.dumps(_tables(one)) for one in statements],
        bodies=[encoding.written(replace(one, text="", database="", role="")) for one in statements],
    )


def kept_text(statement: Statement) -> str:
    """Return what is kept of a statement's text: all of it where its constants were replaced.

    Up to PostgreSQL 15 pg_stat_statements shows utility statements as they were sent, and some hold passwords.

    >>> kept_text(Statement(fingerprint="x", text="ALTER ROLE bob PASSWORD 'secret'", database="shop"))
    'ALTER ROLE …'
    """
    words = statement.text.split(None, 2)
    comments = statement.text.lstrip().startswith(("/*", "--"))
    if not statement.utility and (not words or comments or words[0].lower().startswith(_NORMALIZED)):
        return statement.text
    return statement.text if len(words) < 3 and "'" not in statement.text else " ".join([*words[:2], "…"])


def _tables(statement: Statement) -> list[str]:
    full = {f"{table.schema}.{table.name}".lower() for table in statement.tables if table.schema}
    return [encoding.text(one) for one in sorted(full | {table.name.lower() for table in statement.tables})]


def _kept(db: pg.Session, memory: Memory, rows: Sequence[Row]) -> Memory:
    """Put rows into history, with a partition for each of their days, and mark their hours."""
    if not rows:
        return memory
    wanted = {row.at.date() for row in rows}
    if not wanted <= memory.days:
        days.ensure(db, wanted)
        memory = replace(memory, days=memory.days | wanted)
    db.copy_in(QUERIES["copy history"], ["".join(map(_line, rows))])
    hours = sorted({row.at.replace(minute=0) for row in rows})
    db.execute(QUERIES["mark hours"], instance=memory.instance, hours=hours)
    return memory


def _line(row: Row) -> str:
    """Return a row in COPY's text format."""
    return (
        f"{row.total_ms!r}\t{row.squares!r}\t{row.calls}\t{row.rows}\t{row.shared_read}\t{row.temp_written}"
        f"\t{row.wal_bytes}\t{row.at.isoformat()}\t{row.subject}\t{row.doubtful}\n"
    )


def _changed(db: pg.Session, instance: int, commit: Commit) -> None:
    """Keep what became of alerts: as they are now, in the log, and to be told."""
    for change in commit.changes:
        alert = change.alert
        db.execute(
            QUERIES["write alert"],
            key=alert.key,
            opened_at=alert.opened_at,
            instance=instance,
            kind=alert.kind.value,
            changed_at=alert.changed_at,
            closed_at=alert.closed_at,
            turns=alert.turns,
            body=encoding.written(alert),
        )
        add_event(db, event_of(change))
        channels = commit.channels(change) if callable(commit.channels) else commit.channels
        outbox.tell(db, change, tuple(channels), commit.at, commit.hold if change.turn is Turn.OPENED else None)


def event_of(change: AlertChange) -> Event:
    """Return what became of an alert as an event of the log."""
    alert = change.alert
    return Event(
        id=change.id,
        at=change.at,
        kind=f"alert.{change.turn.value}",
        instance=alert.instance,
        database=alert.database,
        subject=alert.key,
        payload=encoding.plain(change),
    )


def add_event(db: pg.Session, event: Event) -> None:
    """Add an event to the log, unless it is there."""
    db.execute(
        QUERIES["add event"],
        id=encoding.text(event.id),
        at=event.at,
        kind=encoding.text(event.kind),
        instance=encoding.text(event.instance),
        database=encoding.text(event.database),
        subject=encoding.text(event.subject)[:_LONGEST_SUBJECT],
        payload=json.dumps(event.payload),
    )


def _checkpointed(db: pg.Session, memory: Memory, commit: Commit, ledger: Ledger, parts: Parts | None) -> Memory | None:
    """Return what we know once the checkpoint is the commit's; None where it was not the one any more that we know."""
    wanted = memory.stored if parts is None else frozenset(parts.digests.values())
    new = {} if parts is None else {d: text for text, d in parts.digests.items() if d not in memory.stored}
    arrays = {name: encoding.array(getattr(row, name) for row in ledger.open) for name in _ARRAYS}
    written = db.execute(
        QUERIES["write checkpoint"],
        instance=memory.instance,
        version=memory.version,
        at=commit.at,
        given=parts is not None,
        state=None if parts is None or commit.checkpoint is None else parts.root,
        new=list(new),
        bodies=[chunks.packed(text) for text in new.values()],
        gone=list(memory.stored - wanted),
        samples=encoding.moments(ledger.samples),
        subjects=encoding.array(row.subject for row in ledger.open),
        minutes=encoding.moments(row.at for row in ledger.open),
        **arrays,
    )
    if written > 1:
        raise StoreError("an instance has two checkpoints")
    if written == 0:
        return None
    known = memory.chunks if parts is None else parts.digests
    return replace(memory, chunks=known, stored=wanted, version=memory.version + 1, ledger=ledger)
