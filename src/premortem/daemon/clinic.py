"""Finds out why, in the background: diagnoses of what opened, and the plans by which a change is noticed.

A diagnosis has the seconds that the settings give it before its message goes without it; it may take longer, and is
told then.  Each has a connection of its own, so that none keeps a poll waiting.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from premortem import diagnosis, pg, watch
from premortem.daemon.current import Current
from premortem.daemon.fleet import address_of
from premortem.daemon.gauges import Board
from premortem.daemon.journal import Journal
from premortem.daemon.knowledge import Knowledge
from premortem.daemon.worker import Diagnosable, Ready, Worker
from premortem.errors import PremortemError, StoreError
from premortem.model import (
    Alert,
    AlertKind,
    Cause,
    Deploy,
    Diagnosis,
    Gap,
    IndexSeen,
    PlanSeen,
    Statement,
    Subject,
    Window,
)
from premortem.settings import Instance
from premortem.store import Store

#: Diagnoses at a time: each is a connection to an instance and a planner's work on a core of ours.
_AT_ONCE = 4
#: How long a diagnosis may take, and how long where time was all that was missing: a machine that is busy with the
#: incident itself is slow to plan.
_SOON, _PATIENCE = 4.0, 30.0
#: What fills a pool now is told by the newest samples.
_LATELY = timedelta(seconds=30)
#: How often plans are looked at, of how many statements: those that took most of the time.
PLANS_EVERY = timedelta(minutes=5)
_MOST_PLANS = 10
_PLAN_SECONDS = 2.0
#: How far back a deploy can be that introduced a statement; what is older tells nobody anything.
_DEPLOYS_SINCE = timedelta(days=365)
#: Alerts that a diagnosis has something to say about.
DIAGNOSED = frozenset(AlertKind) - {AlertKind.UNREACHED}


class Clinic:
    """The threads that find out why."""

    def __init__(
        self,
        current: Current,
        store: Store,
        journal: Journal,
        board: Board,
        knowledge: Mapping[str, Knowledge],
        profiles: diagnosis.Profiles,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._current = current
        self._store = store
        self._journal = journal
        self._board = board
        self._knowledge = knowledge
        self._profiles = profiles
        self._now = now
        self._doctors = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="diagnose")
        self._nurses = ThreadPoolExecutor(2, thread_name_prefix="plans")
        self._clerks = ThreadPoolExecutor(1, thread_name_prefix="profiles")
        self._planned_at: dict[str, datetime] = {}
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def diagnose(self, what: Diagnosable, give: Callable[[Ready], None]) -> None:
        """Begin to find out why these alerts opened; each diagnosis is handed over when it is ready.

        What gets worse while somebody finds out why is not asked about twice: nobody wants the answer twice.
        """
        for change in what.changes:
            if change.alert.kind in DIAGNOSED and self._begins(_case(change.alert)):
                self._submit(self._doctors, partial(self._treat, change.alert, what, give))

    def look_after(self, worker: Worker, now: datetime) -> None:
        """Look at the plans of a worker's heaviest statements, and keep its profiles fresh, where it is time."""
        self._keep_profiles(worker, now)
        last = self._planned_at.get(worker.name)
        state = worker.state
        if state is None or state.at is None or (last is not None and timedelta(0) <= now - last < PLANS_EVERY):
            return
        if not self._begins(worker.name):
            return
        self._planned_at[worker.name] = now
        self._submit(self._nurses, partial(self._look, worker, state))

    def _keep_profiles(self, worker: Worker, now: datetime) -> None:
        """Read what is due of an instance's profiles again, one at a time; DDL makes them due."""
        ddl, worker.ddl = worker.ddl, False
        for database in worker.databases:
            if ddl:
                self._profiles.changed(worker.name, database)
            if self._profiles.is_due(worker.name, database, now) and self._begins(f"{worker.name}\0{database}"):
                self._submit(self._clerks, partial(self._refresh, worker.instance, database))

    def _refresh(self, instance: Instance, database: str) -> None:
        try:
            self._profiles.refresh(instance.name, database, self._dsn(instance), self._now())
        except PremortemError as error:
            self._journal.fail("profile.failed", error, instance=instance.name, database=database)
        finally:
            self._ends(f"{instance.name}\0{database}")

    def _begins(self, what: str) -> bool:
        """Return whether something may begin: not where it is being done."""
        with self._lock:
            if what in self._busy:
                return False
            self._busy.add(what)
            return True

    def _ends(self, what: str) -> None:
        with self._lock:
            self._busy.discard(what)

    def stop(self) -> None:
        """End; what was not begun is not done, and what runs ends with its statement timeout."""
        for pool in (self._doctors, self._nurses, self._clerks):
            pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the pool is shut down: we are stopping
            pool.submit(self._guarded, work)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  # the alert goes without its diagnosis, and the log says why
            self._journal.fail("diagnosis.failed", error)

    def _treat(self, alert: Alert, what: Diagnosable, give: Callable[[Ready], None]) -> None:
        try:
            give(self._ready(alert, what))
        finally:
            self._ends(_case(alert))

    def _ready(self, alert: Alert, what: Diagnosable) -> Ready:
        found = self._diagnosed(alert, what)
        took = self._now() - alert.opened_at
        if took > timedelta(seconds=self._current.watching.diagnosis_seconds):
            self._board.count("diagnoses_late")
        self._journal.say(
            "diagnosis.ready",
            instance=alert.instance,
            key=alert.key,
            cause=found.cause.value,
            seconds=f"{took.total_seconds():.1f}",
            gaps=len(found.gaps),
        )
        return Ready(key=alert.key, opened_at=alert.opened_at, diagnosis=found)

    def _diagnosed(self, alert: Alert, what: Diagnosable) -> Diagnosis:
        """Return why it hurts: in the seconds that its message waits, else in as many as it takes, to be told then."""
        found = self._within(_SOON, alert, what)
        hurried = found.cause is Cause.UNKNOWN and any(gap.subject == "twin" for gap in found.gaps)
        return self._within(_PATIENCE, alert, what) if hurried else found

    def _within(self, seconds: float, alert: Alert, what: Diagnosable) -> Diagnosis:
        offender, ledger = self._offender(alert, what), self._ledger(what.instance, alert.database)
        database = alert.database or None
        profile = self._profiles.profile(what.instance.name, alert.database)
        try:
            with diagnosis.connect(self._dsn(what.instance), database) as live:
                return diagnosis.diagnose(
                    offender, live=live, profile=profile, ledger=ledger, now=self._now(), seconds=seconds
                )
        except PremortemError as error:
            found = diagnosis.diagnose(
                offender, live=None, profile=profile, ledger=ledger, now=self._now(), seconds=seconds
            )
            return replace(found, gaps=(*found.gaps, _unreached(error)))

    def _offender(self, alert: Alert, what: Diagnosable) -> diagnosis.Offender:
        knowledge = self._knowledge[what.instance.name]
        fingerprint = alert.statement.fingerprint if alert.statement else alert.subject
        subject = Subject(database=alert.database, fingerprint=fingerprint)
        first_seen, appeared = self._first_seen(fingerprint)
        return diagnosis.offender(
            alert,
            what.sample,
            queryids=what.queryids(fingerprint),
            pids=what.pids(fingerprint),
            first_seen=first_seen or (alert.opened_at if appeared else knowledge.watched_since),
            appeared=appeared,
            baseline=knowledge.baseline(subject),
            plan_before=knowledge.plan(subject),
            gone=_gone(what.state, alert.database),
            heaviest=_heaviest_of(what, alert) if alert.kind is AlertKind.POOL else None,
        )

    def _first_seen(self, fingerprint: str) -> tuple[datetime | None, bool]:
        """Return when a statement came, and whether it was seen to come: what is in the registry was there before.

        It is asked now: the poll that saw the statement first may be the very one in which its alert opened.  What
        never came to its end is in no registry, and is new.
        """
        try:
            found = self._store.first_seen([fingerprint]).get(fingerprint)
            return found, found is not None or self._store.statement(fingerprint) is None
        except StoreError:
            return None, False  # nothing is claimed that nobody knows

    def _ledger(self, instance: Instance, database: str) -> diagnosis.Ledger:
        """Return what was shipped, as far as the store can be asked, and how large tables were."""
        sizes = self._profiles.sizes(instance.name, database)
        try:
            deploys: tuple[Deploy, ...] = self._store.deploys(self._now() - _DEPLOYS_SINCE)
        except StoreError:
            return diagnosis.Ledger(services=instance.services, sizes=sizes)
        since = min((deploy.at for deploy in deploys), default=None)
        return diagnosis.Ledger(deploys=deploys, services=instance.services, since=since, sizes=sizes)

    def _look(self, worker: Worker, state: watch.State) -> None:
        try:
            chosen = _heaviest(state, worker.statements)
            self._knowledge[worker.name].saw(dict(self._plans(worker.instance, chosen)))
        finally:
            self._ends(worker.name)

    def _plans(self, instance: Instance, chosen: Iterable[Statement]) -> Iterator[tuple[Subject, PlanSeen]]:
        by_database: dict[str, list[Statement]] = {}
        for one in chosen:
            by_database.setdefault(one.database, []).append(one)
        for database, statements in by_database.items():
            with (
                contextlib.suppress(PremortemError),  # the next poll says that it is down; a database may refuse us
                diagnosis.connect(self._dsn(instance), database, seconds=_PLAN_SECONDS) as live,
            ):
                yield from self._shapes(live, statements)

    def _shapes(self, live: pg.Session, statements: Iterable[Statement]) -> Iterator[tuple[Subject, PlanSeen]]:
        for one in statements:
            seen = diagnosis.plan_shape(live, one, self._now())
            if isinstance(seen, PlanSeen):  # else it cannot be planned without its values, or not by us
                yield Subject(database=one.database, fingerprint=one.fingerprint), seen

    def _dsn(self, instance: Instance) -> str:
        return address_of(instance, self._current.loaded).dsn


def _heaviest(state: watch.State, statements: Iterable[Statement]) -> list[Statement]:
    """Return the statements that took most of the newest window's time, those with an open alert first."""
    by_subject = {Subject(database=one.database, fingerprint=one.fingerprint): one for one in statements}
    assert state.at is not None
    windows = watch.windows(state.rings, state.at, timedelta(minutes=5))
    ranked = sorted(windows, key=lambda subject: windows[subject].total_ms, reverse=True)
    alerted = [Subject(database=a.database, fingerprint=a.subject) for a in state.alerts if a.statement]
    found = [by_subject[subject] for subject in dict.fromkeys((*alerted, *ranked)) if subject in by_subject]
    return [one for one in found if not (one.utility or one.ours or one.unreadable)][:_MOST_PLANS]


def _case(alert: Alert) -> str:
    return f"{alert.key}\0{alert.opened_at.isoformat()}"


def _heaviest_of(what: Diagnosable, alert: Alert) -> tuple[Statement, Window] | None:
    """Return what occupied most of a database's connections in the last seconds, as far as its text is known."""
    known = {Subject(database=one.database, fingerprint=one.fingerprint): one for one in what.statements()}
    windows = watch.windows(what.state.rings, what.sample.at, _LATELY)
    there = [s for s in windows if s.database == alert.database and s in known and not known[s].ours]
    most = max(there, key=lambda subject: windows[subject].busy, default=None)
    return (known[most], windows[most]) if most else None


def _gone(state: watch.State, database: str) -> Collection[IndexSeen]:
    return [one.index for one in state.lost if not database or one.index.database == database]


def _unreached(error: PremortemError) -> Gap:
    return Gap(
        subject="the live server",
        says=f"It could not be asked for a plan: {error.message}.",
        effect="The plan and the proof are missing.",
        cure=error.hint or "",
    )
