"""What is due once in a while, in a thread of its own: partitions and roll-up, usual values, deploys to announce.

None of it is in a hurry, and none of it may keep a poll waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from premortem import watch
from premortem.daemon.clinic import Clinic
from premortem.daemon.current import Current
from premortem.daemon.fleet import Fleet
from premortem.daemon.journal import Journal
from premortem.daemon.knowledge import Knowledge
from premortem.daemon.worker import Worker
from premortem.errors import PremortemError
from premortem.store import Store

_EVERY_SECONDS = 2.0
_MAINTAIN_EVERY = timedelta(hours=1)
#: A deploy that was recorded while no watcher ran is announced if it is not older than this.
_ANNOUNCED = timedelta(hours=1)
_AWAY = timedelta(days=1)


class Chores:
    """The thread that does them, one after the other."""

    def __init__(
        self,
        current: Current,
        store: Store,
        journal: Journal,
        knowledge: Mapping[str, Knowledge],
        fleet: Fleet,
        clinic: Clinic,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._current = current
        self._store = store
        self._journal = journal
        self._knowledge = knowledge
        self._fleet = fleet
        self._clinic = clinic
        self._now = now
        self._stop = threading.Event()
        self._maintained_at: datetime | None = None
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)

    def start(self) -> None:
        """Begin with them."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; a roll-up that runs is undone with its connection."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            try:
                self.turn()
                self._said = ""
            except Exception as error:  # noqa: BLE001  # said, and tried again: the watch must not stand still for it
                self._failed(error)

    def turn(self) -> None:
        """Do what is due."""
        now = self._now()
        self._announce(now)
        if self._maintained_at is None or not timedelta(0) <= now - self._maintained_at < _MAINTAIN_EVERY:
            self._maintain(now)
            self._forget(now)
            self._maintained_at = now
        for worker in self._fleet.workers:
            if self._stop.is_set():
                return
            self._usual(worker, now)
            self._clinic.look_after(worker, now)

    def _announce(self, now: datetime) -> None:
        channels = [channel.name for channel in self._current.watching.channels if channel.deploys]
        if channels:
            self._store.announce(channels, now - _ANNOUNCED, now)

    def _maintain(self, now: datetime) -> None:
        done = self._store.maintain(now, timedelta(days=self._current.watching.retention_days))
        if done.dropped or done.says:
            self._journal.say("history.kept", dropped=len(done.dropped), says="; ".join(done.says))

    def _forget(self, now: datetime) -> None:
        """End the alerts of instances that the settings do not name any more, and that nobody else watches.

        A day is left for those who are away for an upgrade, and who have settings of their own.
        """
        named = {instance.name for instance in self._current.watching.instances}
        for name in {alert.instance for alert in self._store.alerts()} - named:
            if self._store.lease(name, now):
                try:
                    self._end(name, now)
                finally:
                    self._store.release(name)

    def _end(self, name: str, now: datetime) -> None:
        saved = self._store.saved(name)
        if saved.checkpoint is None or (saved.at is not None and now - saved.at < _AWAY):
            return
        stepped = watch.abandoned(watch.decode(saved.checkpoint), self._current.watching, now)
        self._store.commit(
            name,
            at=now,
            checkpoint=watch.encode(stepped.state),
            changes=stepped.changes,
            events=stepped.events,
            channels=self._current.channels,
        )
        self._journal.say("instance.forgotten", instance=name, closed=len(stepped.changes))

    def _usual(self, worker: Worker, now: datetime) -> None:
        knowledge = self._knowledge.get(worker.name)
        if knowledge is not None and worker.statements and knowledge.want_baselines(now):
            knowledge.read_baselines(self._store, worker.statements, now)

    def _failed(self, error: Exception) -> None:
        if self._said != str(error):
            self._said = str(error)
            self._journal.fail("chores.failed", error, **({} if isinstance(error, PremortemError) else {"bug": "yes"}))
