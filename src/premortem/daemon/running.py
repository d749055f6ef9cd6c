"""The daemon as a whole: what it is made of, the orders it takes, and how it ends.

```
run
├── store                a session for some fifty instances each, and one for chores
├── fleet                a worker per instance
├── clinic               diagnoses and plans, in the background
├── rounds               a thread per channel
├── chores               what is due once in a while
├── door                 /metrics, /healthz, /readyz, POST /deploys
└── orders               reload, stop
```
"""

from __future__ import annotations

import contextlib
import math
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from premortem import diagnosis, store
from premortem.daemon import gauges
from premortem.daemon import http as doors
from premortem.daemon.chores import Chores
from premortem.daemon.clinic import Clinic
from premortem.daemon.current import Current, Loaded, load
from premortem.daemon.delivering import Office
from premortem.daemon.eyes import Address, Eyes
from premortem.daemon.fleet import Fleet
from premortem.daemon.health import Health
from premortem.daemon.journal import Journal
from premortem.daemon.knowledge import Knowledge
from premortem.daemon.mail import Mail
from premortem.daemon.signals import Order, Orders, heeded
from premortem.daemon.statements import Shared
from premortem.daemon.worker import Common, Worker
from premortem.errors import PremortemError, SettingsError
from premortem.model import Deploy
from premortem.secrets import Secrets, hidden_parts
from premortem.settings import Instance, Watching
from premortem.store import Store

#: How long a stop may take; whoever sends SIGTERM sends SIGKILL some seconds later.
_STOP_SECONDS = 8.0
_TICK = 0.5
#: A commit is a few round trips, tens of milliseconds on a busy machine, and a session does one at a time: so many
#: instances share one, and no more sessions are opened than a server can spare.
_INSTANCES_A_SESSION, _MOST_SESSIONS = 50, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What a run is given: how to read the settings, where secrets are, where to say what happens."""

    read: Callable[[], Watching]
    secrets: Secrets
    journal: Journal
    orders: Orders
    here: Path


def run(started: Started, *, once: bool = False) -> int:
    """Watch until told to stop, or for one window where it is for `once`; return the exit code.

    Raises SettingsError where the settings cannot be begun with, StoreError where state cannot be kept in a directory.
    """
    loaded = load(started.read, started.secrets)
    refuse(loaded.watching)
    started.journal.hide(hidden_parts(loaded.secrets.values()))
    with heeded(started.orders), _stores(loaded, started) as (lanes, other):
        daemon = Daemon(started, Current(loaded), lanes, other)
        with daemon.open_door():
            return daemon.run(once=once)


def refuse(watching: Watching) -> None:
    """Raise SettingsError where there is nothing to watch."""
    if not watching.instances:
        raise SettingsError(
            "the settings name no instance to watch",
            hint='add [[instances]] with name = "…" and dsn = { env = "…" } to premortem.toml, or name it: --settings',
        )


@contextlib.contextmanager
def _stores(loaded: Loaded, started: Started) -> Iterator[tuple[tuple[Store, ...], Store]]:
    """Open the state for polls, and once more for chores, for polls must not wait for a roll-up.

    A database that is down may come back; a directory that cannot be used will not.
    """
    watching = loaded.watching
    dsn = loaded.secrets[watching.store] or None
    directory = state_directory(watching, started.here)
    with contextlib.ExitStack() as every:
        main = every.enter_context(store.open(dsn, directory=directory, lazy=dsn is not None))
        more = range(sessions_for(len(watching.instances)))
        *lanes, other = [every.enter_context(store.open(dsn, directory=directory, lazy=True)) for _ in more]
        started.journal.say("store.opened", place=main.place)
        yield (main, *lanes), other


def sessions_for(instances: int) -> int:
    """Return on how many sessions so many instances commit.

    >>> [sessions_for(number) for number in (1, 50, 51, 200, 1000)]
    [1, 1, 2, 4, 8]
    """
    return max(1, min(_MOST_SESSIONS, math.ceil(instances / _INSTANCES_A_SESSION)))


def state_directory(watching: Watching, here: Path) -> Path | None:
    """Return where the state is to be; a relative place starts at the folder of the settings."""
    return here / Path(watching.state_directory).expanduser() if watching.state_directory else None


class Daemon:
    """All parts, together."""

    def __init__(self, started: Started, current: Current, lanes: Sequence[Store], other: Store) -> None:
        self._started = started
        self._current = current
        self._lanes = lanes
        self._main = main = lanes[0]
        self._board = gauges.Board()
        self._shared = Shared()
        self._knowledge: dict[str, Knowledge] = {}
        office = Office(store=main, board=self._board, journal=started.journal, now=now)
        self._mail = Mail(current, office)
        folder = state_directory(current.watching, started.here) or store.default_directory()
        profiles = diagnosis.Profiles(folder, hours=current.watching.profile_hours)
        self._clinic = Clinic(current, other, started.journal, self._board, self._knowledge, profiles, now=now)
        self._fleet = Fleet(current, self._worker)
        self._chores = Chores(current, other, started.journal, self._knowledge, self._fleet, self._clinic, now=now)

    @contextlib.contextmanager
    def open_door(self) -> Iterator[None]:
        """Answer HTTP as long as the context lasts, where the settings want that."""
        listen = self._current.watching.listen
        if not listen:
            yield
            return
        door = doors.Door(
            metrics=gauges.exposition(self._board, now),
            alive=self._fleet.alive,
            ready=self._ready,
            record=self._record,
            token=lambda: self._current.secret(self._current.watching.deploy_token),
            now=now,
            failed=lambda error: self._started.journal.fail("http.failed", error),
        )
        with doors.opened(door, listen) as (host, port):
            self._started.journal.say("http.listens", at=f"{host}:{port}")
            yield

    def run(self, *, once: bool) -> int:
        """Watch until an order or the end of one window; return the exit code."""
        watching = self._current.watching
        self._started.journal.say(
            "daemon.begins",
            instances=len(watching.instances),
            channels=len(watching.channels),
            poll=watching.poll_seconds,
        )
        self._mail.follow()
        self._fleet.follow(stagger=not once)
        self._chores.start()
        try:
            return self._once() if once else self._serve()
        finally:
            self._stop()

    def _serve(self) -> int:
        while True:
            order = self._started.orders.next(60.0)
            if order is Order.STOP:
                self._started.journal.say("daemon.stops")
                return 0
            if order is Order.RELOAD:
                self.reload()

    def reload(self) -> None:
        """Take over the settings as they are written now; where they say nonsense, the old ones hold."""
        before = self._current.loaded
        journal = self._started.journal
        try:
            loaded = load(self._started.read, self._started.secrets)
            refuse(loaded.watching)
            self._mail.check(loaded)
        except PremortemError as error:
            self._board.settings(refused=True)
            journal.fail("settings.refused", error, holds="the settings of before")
            return
        journal.hide(hidden_parts(loaded.secrets.values()))
        self._current.replace(loaded)
        self._board.settings(refused=False)
        for what in _needs_restart(before, loaded):
            journal.warn("settings.restart", says=f"{what} changed, which holds from the next start on")
        self._mail.follow()
        self._fleet.follow()
        journal.say("settings.read", instances=len(loaded.watching.instances), channels=len(loaded.watching.channels))

    def _once(self) -> int:
        """Watch for one window, let what opened be diagnosed and told, and say with the exit code whether it hurts."""
        watching = self._current.watching
        seconds = watching.limits.window_seconds + watching.poll_seconds
        end = time.monotonic() + seconds + watching.diagnosis_seconds
        while time.monotonic() < end:
            if self._started.orders.next(min(_TICK, max(0.0, end - time.monotonic()))) is Order.STOP:
                return 3
        workers = self._fleet.workers
        if any(not worker.well for worker in workers):
            return 3
        return 1 if any(alert.is_open for one in workers if one.state for alert in one.state.alerts) else 0

    def _ready(self) -> Health:
        says = [f"{name} was not looked at yet" for name in self._fleet.unseen()]
        says += [f"the state of {one.name} waits for the store" for one in self._fleet.workers if one.waits]
        return Health(well=not says, says=tuple(says))

    def _record(self, deploy: Deploy) -> bool:
        new = self._main.record(deploy)
        if new:
            self._started.journal.say(
                "deploy.recorded", service=deploy.service, revision=deploy.revision, source=deploy.source
            )
        return new

    def _worker(self, instance: Instance, address: Address, jitter: float) -> Worker:
        kept = self._lanes[zlib.crc32(instance.name.encode()) % len(self._lanes)]
        knowledge = self._knowledge[instance.name] = Knowledge(instance.name, kept)
        timeout = timedelta(seconds=self._current.watching.statement_timeout_seconds)
        common = Common(
            store=kept,
            current=self._current,
            board=self._board,
            journal=self._started.journal,
            knowledge=knowledge,
            diagnose=self._clinic.diagnose,
            wake=self._mail.wake,
            now=now,
        )
        return Worker(instance, Eyes(instance, address, self._shared, statement_timeout=timeout), common, jitter=jitter)

    def _stop(self) -> None:
        """End every thread, within seconds; one that hangs is left behind, and said."""
        left = time.monotonic() + _STOP_SECONDS
        self._chores.stop()
        self._clinic.stop()
        late = [*self._fleet.stop(_STOP_SECONDS / 2)]
        late += self._mail.stop(max(1.0, left - time.monotonic()))
        if late:
            self._started.journal.warn("daemon.late", says=f"did not end in time: {', '.join(late)}")


def _needs_restart(before: Loaded, after: Loaded) -> list[str]:
    """Return what is read at start only, and has changed."""
    old, new = before.watching, after.watching
    changed = {
        "watch.store": before.secrets[old.store] != after.secrets[new.store],
        "watch.state_directory": old.state_directory != new.state_directory,
        "watch.listen": old.listen != new.listen,
    }
    return [name for name, is_changed in changed.items() if is_changed]


def now() -> datetime:
    """Return what time it is here."""
    return datetime.now(UTC)
