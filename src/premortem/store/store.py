"""The store's verbs.  Each is one transaction; each raises StoreError where the database says no or is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from premortem import pg
from premortem.errors import StoreError
from premortem.model import (
    Alert,
    AlertChange,
    Baseline,
    DeadLetter,
    Deploy,
    Event,
    Letter,
    Statement,
    StatementKey,
    Subject,
)
from premortem.store import chunks, committing, encoding, ledger, maintaining, outbox, past
from premortem.store.committing import Channels, Commit, Memory
from premortem.store.link import Link
from premortem.store.queries import QUERIES
from premortem.store.values import Known, Maintained, Saved, Step

if TYPE_CHECKING:  # commands that record and look back need nothing of watching
    from premortem.watch.deltas import Delta

T = TypeVar("T")
#: Says that a commit leaves the checkpoint as it is.
KEEP: object = object()
_LEASE = 0x70726D  # the advisory locks of leases have a class of their own
_ATTEMPTS = 5
_ROLL_UP_SECONDS = 3600.0  # many hours may wait, each with minutes of its own
_LEAST_RETENTION = timedelta(days=2)  # a late delta may be a day old


class Store:
    """State in one database.  Threads may share it: one of them is served at a time."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._memories: dict[str, tuple[int, Memory]] = {}
        self._leases: dict[str, int] = {}

    @property
    def place(self) -> str:
        """Where the state is, without a password."""
        return self._link.place.says

    # The watcher's.

    def saved(self, instance: str) -> Saved:
        """Return where the last commit left an instance."""
        with self._link.transaction() as db:
            db.execute(QUERIES["read as of one moment"])
            ((number, watched_since),) = db.tuples(QUERIES["instance"], name=instance) or ((None, None),)
            if number is None:
                return Saved()
            ((state, at),) = db.tuples(QUERIES["state"], instance=number) or ((None, None),)
            parts = {bytes(digest): bytes(body) for digest, body in db.tuples(QUERIES["chunks"], instance=number)}
            bodies = db.values(QUERIES["open alerts"], instance=number)
        return Saved(
            checkpoint=None if state is None else chunks.joined(state, parts),
            at=at,
            watched_since=watched_since,
            alerts=tuple(encoding.read(Alert, body) for body in bodies),
        )

    def commit(
        self,
        instance: str,
        *,
        at: datetime,
        checkpoint: object | None = KEEP,
        changes: Sequence[AlertChange] = (),
        deltas: Sequence[Delta] = (),
        statements: Mapping[StatementKey, Statement] | None = None,
        events: Sequence[Event] = (),
        channels: Channels = (),
        hold: datetime | None = None,
    ) -> None:
        """Keep all of it or nothing; what was kept before is kept once.

        `checkpoint` is what JSON can say; left out, the last one stays.  `channels` are told of each change, or say
        which a change is for.  Letters about alerts that open wait until `hold`, unless more becomes of the alert.
        """
        what = Commit(
            instance=instance,
            at=at,
            checkpoint=None if checkpoint is KEEP else checkpoint,
            given=checkpoint is not KEEP,
            changes=changes,
            deltas=deltas,
            statements=statements or {},
            events=events,
            channels=channels,
            hold=hold,
        )
        for _ in range(_ATTEMPTS):
            if self._committed(what):
                return
        raise StoreError(f"another watcher keeps writing the state of {instance}", hint="watch an instance once")

    def _committed(self, what: Commit) -> bool:
        """Whether nobody else wrote the instance's checkpoint since we last saw it; if so, everything is kept."""
        with self._link.session() as db:
            self._check_lease(db, what)
            known = self._memory(what)
            self._memories.pop(what.instance, None)  # until it is kept: after a failure nobody can say without asking
            kept = None
            with _undone_unless(db) as keep:
                kept = committing.write(db, known or committing.remember(db, what.instance, what.at), what)
                keep(kept is not None)
            if kept is not None:
                self._memories[what.instance] = (self._link.number, kept)
        return kept is not None

    def _memory(self, what: Commit) -> Memory | None:
        number, memory = self._memories.get(what.instance, (0, None))
        return memory if number == self._link.number else None

    def lease(self, instance: str, at: datetime) -> bool:
        """Return whether this store may watch the instance: nobody else has it.  Ask before every poll.

        A lease lasts as long as the connection, and commits go over that same connection: who lost a lease can commit
        no more once another has it.
        """
        if self._leases.get(instance) == self._link.number:
            return True  # a commit finds out whether that session is still there
        with self._link.session() as db:
            return self._leased(db, instance, at)

    def _leased(self, db: pg.Session, instance: str, at: datetime) -> bool:
        number = committing.instance_number(db, instance, at)
        if not db.value(QUERIES["try a lease"], **{"class": _LEASE, "number": number}):
            return False
        self._leases[instance] = self._link.number
        return True

    def _check_lease(self, db: pg.Session, what: Commit) -> None:
        """Get the lease again that went with a lost connection; raises StoreError where another has it now."""
        if self._leases.get(what.instance, self._link.number) == self._link.number:
            return
        if not self._leased(db, what.instance, what.at):
            raise StoreError(f"another watcher has {what.instance} now", hint="it keeps its state; nothing was written")

    def release(self, instance: str) -> None:
        """Let another watcher have the instance."""
        with self._link.session() as db:
            self._leases.pop(instance, None)
            if (number := db.value(QUERIES["instance"], name=instance)) is not None:
                db.execute(QUERIES["release a lease"], **{"class": _LEASE, "number": number})

    def maintain(self, now: datetime, retention: timedelta = timedelta(days=14)) -> Maintained:
        """Do what is due once an hour: partitions, roll-up, what is old.  Doing it more often does no harm."""
        with self._link.session(silent_seconds=_ROLL_UP_SECONDS) as db:
            return maintaining.maintain(db, now, max(retention, _LEAST_RETENTION))

    # The outbox: model.Outbox.

    def pending(self, channel: str, most: int = 100) -> tuple[Letter, ...]:
        """Return the channel's letters that are neither delivered nor dead, oldest first."""
        with self._link.session() as db:
            return outbox.pending(db, channel, most)

    def delivered(
        self,
        id: str,
        at: datetime,
        *,
        others: Sequence[str] = (),
        says: str = "",
        told: bool = True,
        counts: bool = True,
    ) -> None:
        """Keep that a letter is done with, and with it `others` that were told in the same message, which never count.

        `told` is False where nobody was told (`says` why).
        """
        ids = [id, *others]
        self._do("letters delivered", id=id, ids=ids, at=at, says=encoding.text(says), told=told, counts=counts)

    def failed(self, id: str, retry_at: datetime, says: str) -> None:
        """Keep that an attempt failed, why, and when to make the next."""
        self._do("letter failed", id=id, retry_at=retry_at, says=encoding.text(says))

    def dead(self, id: str, at: datetime, says: str) -> None:
        """Put a letter aside for good, with the reason."""
        self._do("letter dead", id=id, at=at, says=encoding.text(says))

    def told(self, channel: str, key: str, opened_at: datetime) -> bool:
        """Return whether the channel was told that this alert is open."""
        with self._link.session() as db:
            return bool(db.value(QUERIES["was told"], channel=channel, key=key, opened_at=opened_at))

    def sent_since(self, channel: str, since: datetime) -> int:
        """Return how many messages the channel was sent since then."""
        with self._link.session() as db:
            return int(db.value(QUERIES["sent since"], channel=channel, since=since))

    def dead_letters(self, channel: str | None = None) -> tuple[DeadLetter, ...]:
        """Return what was put aside, oldest first."""
        with self._link.session() as db:
            return outbox.dead_letters(db, channel)

    def revive(self, ids: Sequence[str]) -> int:
        """Let dead letters wait to be sent again, as if they were new; return how many there were."""
        with self._link.session() as db:
            return int(db.value(QUERIES["revive letters"], ids=list(ids)))

    def undelivered(self) -> dict[str, tuple[int, int]]:
        """Return how many letters wait, and how many are dead, by channel."""
        with self._link.session() as db:
            return {channel: (waiting, dead) for channel, waiting, dead in db.tuples(QUERIES["undelivered"])}

    def post_office(self, channel: str) -> bool:
        """Return whether this store may deliver the channel's letters: of several watchers, one does."""
        with self._link.session() as db:
            return bool(db.value(QUERIES["try a channel"], name=channel))

    # The registry, the log and the ledger.

    def first_seen(self, fingerprints: Iterable[str], instance: str | None = None) -> dict[str, datetime]:
        """Return when statements came, on any instance or on one; those that were there before watching have none."""
        with self._link.session() as db:
            return dict(db.tuples(QUERIES["first seen"], fingerprints=list(fingerprints), instance=instance))

    def statement(self, fingerprint: str) -> Statement | None:
        """Return what a fingerprint stands for, None where it was never seen."""
        with self._link.session() as db:
            rows = db.tuples(QUERIES["statement"], fingerprint=fingerprint)
        return past.statement(*rows[0]) if rows else None

    def record(self, deploy: Deploy) -> bool:
        """Add a deploy to the ledger; False where it is there."""
        with self._link.transaction() as db:
            return ledger.record(db, deploy)

    def deploys(
        self, since: datetime | None = None, until: datetime | None = None, services: Sequence[str] | None = None
    ) -> tuple[Deploy, ...]:
        """Return what was shipped in a time, oldest first."""
        with self._link.session() as db:
            return ledger.deploys(db, since, until, services)

    def announce(self, channels: Sequence[str], since: datetime, at: datetime) -> int:
        """Have channels told of the deploys that were recorded since, each once; return how many letters are new."""
        with self._link.transaction() as db:
            return outbox.tell_deploys(db, channels, since, at)

    def events(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        kinds: Sequence[str] | None = None,
        instance: str | None = None,
        subject: str | None = None,
        most: int = 10_000,
    ) -> tuple[Event, ...]:
        """Return the log of a time, oldest first."""
        with self._link.session() as db:
            return db.rows(
                QUERIES["events"],
                Event,
                since=since,
                until=until,
                kinds=None if kinds is None else list(kinds),
                instance=instance,
                subject=subject,
                most=most,
            )

    def alerts(
        self, *, open_only: bool = True, since: datetime | None = None, instance: str | None = None
    ) -> tuple[Alert, ...]:
        """Return alerts, oldest first: those that are open, else also those that closed since."""
        with self._link.session() as db:
            bodies = db.values(QUERIES["alerts"], open_only=open_only, since=since, instance=instance)
        return tuple(encoding.read(Alert, body) for body in bodies)

    # History.

    def history(
        self,
        instance: str | None,
        database: str | None,
        fingerprint: str | None,
        *,
        since: datetime,
        until: datetime,
        step: timedelta,
    ) -> tuple[Step, ...]:
        """Return what a statement did in each step of time; without a fingerprint, everything that clients execute."""
        with self._link.transaction() as db:
            return past.steps(
                db,
                instance=instance,
                database=database,
                fingerprint=fingerprint,
                since=since,
                until=until,
                step=step,
            )

    def find(
        self,
        words: str,
        *,
        since: datetime,
        until: datetime,
        instance: str | None = None,
        database: str | None = None,
        most: int = 10,
    ) -> tuple[Known, ...]:
        """Return statements by a fingerprint's beginning, a table or a text, the heaviest of the time first."""
        with self._link.transaction() as db:
            return past.find(db, words=words, instance=instance, database=database, since=since, until=until, most=most)

    def baselines(self, instance: str, subjects: Iterable[Subject], now: datetime) -> dict[Subject, Baseline]:
        """Return what is usual for statements: the median of the last 7 days, and the last 4 weeks day by day."""
        with self._link.transaction() as db:
            return past.baselines(db, instance, subjects, now)

    def _do(self, query: str, **params: object) -> int:
        with self._link.session() as db:
            return db.execute(QUERIES[query], **params)


class _NotKept(Exception):
    """Undoes a transaction that turned out to be in vain."""


@contextmanager
def _undone_unless(db: pg.Session) -> Iterator[Callable[[bool], None]]:
    """Run what follows as a transaction that is undone when it is told not to keep it."""

    def keep(wanted: bool) -> None:
        if not wanted:
            raise _NotKept

    try:
        with db.transaction():
            yield keep
    except _NotKept:
        return
