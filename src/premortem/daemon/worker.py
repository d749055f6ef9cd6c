"""Watches one instance: a thread that polls, steps, commits, and has what opened diagnosed.

```
run                       until it is told to stop
├── lease                 several watchers may share a fleet; one has the instance
├── restore               from the checkpoint of whoever watched it last
├── poll                  eyes.sample → watch.step → backlog → store.commit → diagnosing
└── between               glances; diagnoses that are ready → watch.diagnosed → store.commit
```
The state in memory is never behind the store, and the store is never ahead of what was told: a commit holds the
checkpoint and the letters of the same step.  Killed at any point, the next run goes on from the last commit.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from premortem import watch
from premortem.daemon.backlog import Backlog, Batch
from premortem.daemon.current import Current
from premortem.daemon.eyes import Eyes
from premortem.daemon.figures import figures
from premortem.daemon.gauges import Board
from premortem.daemon.journal import Journal
from premortem.daemon.knowledge import Knowledge
from premortem.errors import PremortemError, StoreError
from premortem.model import AlertChange, Diagnosis, Sample, Statement, Turn, Unreached
from premortem.settings import Instance
from premortem.store import Saved, Store

#: Glances a poll, and how near to each other they may be: activity is cheap, and still it is a round trip.
_GLANCES = 3
_LEAST_BETWEEN = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A diagnosis that is ready: of the alert with that key that opened then."""

    key: str
    opened_at: datetime
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What a worker is given.  `diagnose` takes what opened, and hands over what it found; `wake` says that there are
    letters.
    """

    store: Store
    current: Current
    board: Board
    journal: Journal
    diagnose: Callable[[Diagnosable, Callable[[Ready], None]], None]
    knowledge: Knowledge
    wake: Callable[[], None]
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosable:
    """What opened in a step, and what was known then: of entries and of sessions, by fingerprint."""

    instance: Instance
    changes: tuple[AlertChange, ...]
    sample: Sample
    state: watch.State
    told: watch.Told

    def statements(self) -> Iterator[Statement]:
        """Yield the statements that moved or run."""
        yield from self.told.statements.values()
        yield from self.told.running.values()

    def queryids(self, fingerprint: str) -> frozenset[int]:
        """Return under which ids the server counts a statement."""
        return frozenset(key.queryid for key, one in self.told.statements.items() if one.fingerprint == fingerprint)

    def pids(self, fingerprint: str) -> frozenset[int]:
        """Return which sessions run a statement that has no entry yet."""
        return frozenset(pid for pid, one in self.told.running.items() if one.fingerprint == fingerprint)


class Worker:
    """One instance's thread."""

    def __init__(self, instance: Instance, eyes: Eyes, common: Common, *, jitter: float) -> None:
        self.instance = instance
        self.beat = time.monotonic()
        self.looked = False
        self.well = True
        self.databases: tuple[str, ...] = ()
        self.ddl = False
        self._eyes = eyes
        self._common = common
        self._jitter = jitter
        self._state: watch.State | None = None
        self._backlog = Backlog()
        self._stop = threading.Event()
        self._ready: queue.SimpleQueue[Ready | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self.run, name=f"watch {instance.name}", daemon=True)
        self._for_good = False
        self._says: dict[str, str] = {}
        self._statements: tuple[Statement, ...] = ()

    @property
    def name(self) -> str:
        """The instance's name."""
        return self.instance.name

    @property
    def state(self) -> watch.State | None:
        """What is known of the instance now; None while another watcher has it."""
        return self._state

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The statements that were seen, as of the last poll."""
        return self._statements

    @property
    def waits(self) -> bool:
        """Whether something waits for the store."""
        return self._backlog.waiting is not None

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, *, for_good: bool = False) -> None:
        """Ask it to end; what it does now it finishes.  `for_good` ends its alerts as well: nobody watches it then."""
        self._for_good = for_good
        self._stop.set()
        self._ready.put(None)

    def join(self, timeout: float) -> bool:
        """Wait until it ended; return whether it did."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def run(self) -> None:
        """Watch until told to stop."""
        self._wait(time.monotonic() + self._jitter)
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                self.turn()
                self._between(began)
            if self._for_good:
                self._abandon()
        finally:
            self._eyes.close()
            with contextlib.suppress(StoreError):
                self._common.store.release(self.name)

    def _abandon(self) -> None:
        """End what is open: whoever was told of it would wait for ever."""
        if self._state is not None:
            now = self._common.now()
            self._keep(watch.abandoned(self._state, self._common.current.watching, now), watch.Told(), now)

    def turn(self) -> None:
        """Do what is due at a poll; whatever fails is said, and the next poll tries again."""
        self.beat = time.monotonic()
        try:
            if self._may_watch():
                self.poll()
        except PremortemError as error:
            self._failed("watch.failed", error)
        except Exception as error:  # noqa: BLE001  # one instance's bug must not end the watch over the others
            self._failed("watch.bug", error)

    def poll(self) -> None:
        """Look, decide, keep, and have diagnosed."""
        began, now = time.monotonic(), self._common.now()
        settings, state = self._common.current.watching, self._state
        if state is None:
            return
        seen = self._eyes.sample(now)
        told = self._told(seen)
        stepped = watch.step(state, seen, told, settings, self._common.now())
        self._state, self.looked = stepped.state, True
        self.databases = self.databases or self._eyes.databases
        self.ddl = self.ddl or any(event.kind.startswith("index.") for event in stepped.events)
        self._show(seen, stepped, time.monotonic() - began)
        self._keep(stepped, told, now)
        if isinstance(seen, Sample):
            self._diagnose(stepped, seen, told)

    def _told(self, seen: Sample | Unreached) -> watch.Told:
        if isinstance(seen, Unreached):
            return watch.Told()
        statements = self._eyes.statements
        told = watch.Told(statements=statements.told(), running=statements.running(seen))
        self._statements = tuple(told.statements.values())
        return self._common.knowledge.told(told, (moved.key for moved in seen.moved))

    def _keep(self, stepped: watch.Stepped, told: watch.Told, now: datetime) -> None:
        """Have a step kept; where the store is down, with what waits already."""
        seconds = self._common.current.watching.diagnosis_seconds
        moved = {delta.key for delta in stepped.deltas}
        self._backlog.add(
            Batch(
                at=now,
                checkpoint=watch.encode(stepped.state),
                changes=stepped.changes,
                deltas=stepped.deltas,
                statements={key: told.statements[key] for key in moved if key in told.statements},
                events=stepped.events,
                hold=self._common.now() + timedelta(seconds=seconds) if seconds > 0 else None,
            )
        )
        self._say(stepped.changes)
        self._flush()

    def _flush(self) -> None:
        """Write what waits; raises nothing: what cannot be written waits on."""
        batch = self._backlog.waiting
        if batch is None:
            return
        try:
            if not self._common.store.lease(self.name, batch.at):
                self._give_up()
                return
            self._common.store.commit(
                self.name,
                at=batch.at,
                checkpoint=batch.checkpoint,
                changes=batch.changes,
                deltas=batch.deltas,
                statements=batch.statements,
                events=batch.events,
                channels=self._common.current.channels,
                hold=batch.hold,
            )
        except StoreError as error:
            self._common.board.count("store_failures")
            self._failed("store.failed", error)
            return
        self._well("store.failed", "store.again", changes=len(batch.changes), deltas=len(batch.deltas))
        if batch.dropped:
            self._common.journal.warn("history.gap", instance=self.name, dropped=batch.dropped)
        self._backlog.written()
        if batch.changes:
            self._common.wake()

    def _may_watch(self) -> bool:
        """Return whether the instance is ours; one that was watched goes on without the store, in memory."""
        try:
            has = self._common.store.lease(self.name, self._common.now())
            if has and self._state is None:
                self._restore()
        except StoreError as error:
            self._common.board.count("store_failures")
            self._failed("store.failed", error)
            return self._state is not None
        if not has and self._state is not None:
            self._give_up()
        return has

    def _restore(self) -> None:
        """Go on from where the last watcher of the instance was."""
        saved = self._common.store.saved(self.name)
        self._state = _restored(self.name, saved, self._common.journal)
        self._common.knowledge.watched_since = saved.watched_since or self._common.now()
        self._common.journal.say(
            "watch.begins",
            instance=self.name,
            since="the beginning" if saved.at is None else saved.at.isoformat(timespec="seconds"),
            open_alerts=len([one for one in self._state.alerts if one.is_open]),
        )

    def _give_up(self) -> None:
        """Leave the instance to the watcher that has it now, and with it all that we had not written."""
        self._state, self.looked = None, True
        self._backlog.written()
        self._common.board.forget(self.name)
        self._common.journal.say("watch.elsewhere", instance=self.name)

    def _diagnose(self, stepped: watch.Stepped, sample: Sample, told: watch.Told) -> None:
        wanted = tuple(change for change in stepped.changes if _wants_diagnosis(change))
        if wanted:
            what = Diagnosable(instance=self.instance, changes=wanted, sample=sample, state=stepped.state, told=told)
            self._common.diagnose(what, self._ready.put)

    def _between(self, began: float) -> None:
        """Glance, and take diagnoses, until the next poll is due."""
        poll = self._poll_seconds()
        every = max(poll / _GLANCES, _LEAST_BETWEEN)
        due, look = began + poll, began + every
        while not self._stop.is_set() and time.monotonic() < due:
            self._wait(min(due, look))
            now = time.monotonic()
            if now >= look and not self._stop.is_set():
                if due - now > every / 2:  # else the poll itself is near
                    self._glance()
                look = time.monotonic() + every

    def _poll_seconds(self) -> float:
        return self.instance.poll_seconds or self._common.current.watching.poll_seconds

    def _glance(self) -> None:
        if self._state is None:
            return
        try:
            self._eyes.glance()
        except PremortemError:  # the next poll says so, with what to do
            self._common.board.count("glance_failures")

    def _wait(self, until: float) -> None:
        """Wait, and take what is ready meanwhile."""
        with contextlib.suppress(queue.Empty):
            while not self._stop.is_set():
                ready = self._ready.get(timeout=max(0.0, until - time.monotonic()))
                if ready is not None:
                    self._take(ready)

    def _take(self, ready: Ready) -> None:
        """Put a diagnosis into its alert, and have that kept and told."""
        if self._state is None:
            return
        now = self._common.now()
        stepped = watch.diagnosed(self._state, ready.key, ready.opened_at, ready.diagnosis, now)
        self._state = stepped.state
        if stepped.changes:
            self._keep(stepped, watch.Told(), now)

    def _show(self, seen: Sample | Unreached, stepped: watch.Stepped, took: float) -> None:
        board, name = self._common.board, self.name
        self.well = isinstance(seen, Sample)
        if isinstance(seen, Unreached):
            board.unreached(name)
            board.count("poll_failures")
            self._failed("poll.failed", PremortemError(seen.says, hint=seen.hint or None))
            return
        board.count("polls")
        board.instance(name, figures(seen, stepped, took))
        self._well("poll.failed", "poll.again")
        for gap in seen.gaps:
            self._once(f"gap {gap.subject}", gap.says, "poll.gap", subject=gap.subject, says=gap.says, hint=gap.cure)

    def _say(self, changes: Iterable[AlertChange]) -> None:
        for change in changes:
            alert = change.alert
            self._common.journal.say(
                f"alert.{change.turn.value}",
                instance=self.name,
                kind=alert.kind.value,
                urgency=alert.urgency.value,
                key=alert.key,
                says=alert.says,
                **({"muted": alert.muted} if alert.muted else {}),
            )

    def _failed(self, event: str, error: Exception) -> None:
        """Say what failed, once as long as it goes on failing for the same reason."""
        if self._says.get(event) != str(error):
            self._says[event] = str(error)
            self._common.journal.fail(event, error, instance=self.name)

    def _well(self, event: str, again: str, **facts: object) -> None:
        if self._says.pop(event, None) is not None:
            self._common.journal.say(again, instance=self.name, **facts)

    def _once(self, about: str, what: str, event: str, /, **facts: object) -> None:
        if self._says.get(about) != what:
            self._says[about] = what
            self._common.journal.warn(event, instance=self.name, **facts)


def _wants_diagnosis(change: AlertChange) -> bool:
    """Return whether somebody has to find out why: what opened or got worse without anybody knowing."""
    alert = change.alert
    return change.turn in (Turn.OPENED, Turn.WORSE) and alert.diagnosis is None and not alert.muted


def _restored(name: str, saved: Saved, journal: Journal) -> watch.State:
    """Return the state of a checkpoint; one that cannot be read is said, and only what is open is taken over."""
    if saved.checkpoint is None:
        return watch.fresh(name, saved.alerts)
    try:
        return watch.decode(saved.checkpoint)
    except PremortemError as error:
        journal.fail("checkpoint.unreadable", error, instance=name)
        return watch.fresh(name, saved.alerts)
