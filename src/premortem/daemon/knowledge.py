"""What is known of an instance's statements besides a sample: since when, what is usual, and how they are planned.

A poll does not wait for it.  The registry is asked for what is new, which is quick; what history says is read in the
background every few minutes, and so are plans.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from premortem import watch
from premortem.errors import StoreError
from premortem.model import Baseline, PlanSeen, Statement, StatementKey, Subject
from premortem.store import Store

#: Usual values are of whole hours and days, so they need no fresher figures than this.
BASELINES_EVERY = timedelta(minutes=10)
#: A statement that is new is in the registry from the commit of its first poll on: it is asked for twice.
_ASKED_TWICE = 2


class Knowledge:
    """What is known of one instance's statements; background threads add to it."""

    def __init__(self, instance: str, store: Store) -> None:
        self._instance = instance
        self._store = store
        self._lock = threading.Lock()
        self._first_seen: dict[str, datetime] = {}
        self._asked: dict[str, int] = {}
        self._baselines: Mapping[Subject, Baseline] = {}
        self._plans: dict[Subject, PlanSeen] = {}
        self._asked_at: datetime | None = None
        self.watched_since: datetime | None = None

    def told(self, told: watch.Told, moved: Iterable[StatementKey]) -> watch.Told:
        """Return what is told with all that is known besides; what the store cannot say now is left out."""
        found = (told.statements.get(key) for key in moved)
        self._ask({one.fingerprint for one in (*found, *told.running.values()) if one is not None})
        with self._lock:
            return replace(
                told,
                first_seen=dict(self._first_seen),
                watched_since=self.watched_since,
                baselines=self._baselines,
                plans=dict(self._plans),
            )

    def first_seen(self, fingerprint: str) -> datetime | None:
        """Return when a statement came; None where that was before anybody watched, or is not known."""
        with self._lock:
            return self._first_seen.get(fingerprint)

    def baseline(self, subject: Subject) -> Baseline | None:
        """Return what is usual for a statement."""
        with self._lock:
            return self._baselines.get(subject)

    def plan(self, subject: Subject) -> PlanSeen | None:
        """Return the newest plan that was seen of a statement."""
        with self._lock:
            return self._plans.get(subject)

    def saw(self, plans: Mapping[Subject, PlanSeen]) -> None:
        """Take over plans that were seen."""
        with self._lock:
            self._plans.update(plans)

    def want_baselines(self, now: datetime) -> bool:
        """Return whether it is time to ask history what is usual; says so once."""
        with self._lock:
            if self._asked_at is not None and timedelta(0) <= now - self._asked_at < BASELINES_EVERY:
                return False
            self._asked_at = now
            return True

    def read_baselines(self, store: Store, statements: Iterable[Statement], now: datetime) -> None:
        """Ask history what is usual for statements; raises StoreError where it cannot say."""
        subjects = {Subject(database=one.database, fingerprint=one.fingerprint) for one in statements}
        found = store.baselines(self._instance, subjects, now)
        with self._lock:
            self._baselines = found

    def _ask(self, fingerprints: set[str]) -> None:
        with self._lock:
            wanted = {one for one in fingerprints if self._asked.get(one, 0) < _ASKED_TWICE} - self._first_seen.keys()
        if not wanted:
            return
        try:
            found = self._store.first_seen(wanted)
        except StoreError:
            return  # the commit that follows says so
        with self._lock:
            self._first_seen.update(found)
            self._asked.update({one: self._asked.get(one, 0) + 1 for one in wanted})
