"""Alerts: what hurts now, since when, how much, and whether somebody must get up for it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from premortem.model.finding import Evidence
from premortem.model.gap import Gap
from premortem.model.relation import RelationName
from premortem.model.sample import Statement


class AlertKind(StrEnum):
    """What an alert is about; the value is its name in settings, messages and labels."""

    SLOW = "slow-query"
    RUNNING = "running-query"
    RISING = "rising-query"
    HEAVY = "new-heavy-query"
    PLAN = "plan-changed"
    INDEX = "index-vanished"
    POOL = "pool-saturated"
    CONNECTIONS = "connections-saturated"
    TRANSACTION = "long-transaction"
    IDLE = "idle-in-transaction"
    BLOCKED = "blocked-sessions"
    UNREACHED = "instance-unreached"


class Urgency(StrEnum):
    """Whether an alert wakes somebody up."""

    PAGE = "page"
    TICKET = "ticket"


class Turn(StrEnum):
    """What became of an alert."""

    OPENED = "opened"
    WORSE = "worse"
    BETTER = "better"
    DIAGNOSED = "diagnosed"
    CLOSED = "closed"


class Confidence(StrEnum):
    """How sure we are of a window's figures."""

    HIGH = "high"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a statement did in the last `length` of its server's time.

    `covered` is how much of it the samples cover.  `total_ms` is execution time, `squares` the sum of the squared
    execution times (ms²), so that windows add up.  `instance_ms` is such time of all top-level statements in it.
    `provisional_ms` brings `total_ms` to the time that passed inside the window: plus the time of executions that still
    run or were cancelled, which the counters do not hold, minus what a long execution took before the window began.
    `running` execute at its end, the oldest for `longest_running_ms`.  `uncounted` executions ended in it without
    being counted (cancelled, failed), after `uncounted_ms` together.  `waited` of the calls did little but wait for a
    lock that has an alert of its own, for `waited_ms` together at most.
    """

    ends_at: datetime
    length: timedelta
    covered: timedelta
    calls: int
    total_ms: float
    squares: float
    rows: int = 0
    shared_read: int = 0
    instance_ms: float = 0.0
    provisional_ms: float = 0.0
    running: int = 0
    longest_running_ms: float = 0.0
    uncounted: int = 0
    uncounted_ms: float = 0.0
    waited: int = 0
    waited_ms: float = 0.0
    toplevel: bool = True
    confidence: Confidence = Confidence.HIGH
    doubts: tuple[str, ...] = ()

    @property
    def mean_ms(self) -> float | None:
        """The average execution time, None without a call."""
        return self.total_ms / self.calls if self.calls else None

    @property
    def busy(self) -> float:
        """How many connections the statement occupies on average: its time over the time covered (Little's law)."""
        seconds = self.covered.total_seconds()
        return max(0.0, self.total_ms + self.provisional_ms) / 1000 / seconds if seconds > 0 else 0.0

    @property
    def share(self) -> float | None:
        """Its part of the database time of all top-level statements, None where there was none."""
        spent = self.total_ms + self.provisional_ms
        return max(0.0, min(1.0, spent / self.instance_ms)) if self.instance_ms > 0 else None


def alert_key(instance: str, database: str, kind: AlertKind, subject: str) -> str:
    """Return the key by which every channel and every run knows an alert: 20 hex digits of SHA-256."""
    said = "\0".join((instance, database, kind.value, subject))
    return hashlib.sha256(said.encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """A change that was shipped: of which service, what, when, and how we know."""

    service: str
    revision: str
    at: datetime
    source: str = "record"
    author: str = ""
    url: str = ""
    says: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A deploy that may have introduced a statement; `basis` is one phrase on why, `confidence` between 0 and 1."""

    deploy: Deploy
    basis: str
    confidence: float


class Cause(StrEnum):
    """Why a statement is slow, as far as evidence goes."""

    MISSING_INDEX = "missing-index"
    INDEX_VANISHED = "index-vanished"
    INDEX_INVALID = "index-invalid"
    PLAN_CHANGED = "plan-changed"
    GREW = "table-grew"
    TRAFFIC = "traffic-grew"
    LOCKED = "waits-for-locks"
    TRANSACTION = "transaction-left-open"
    CONNECTIONS = "connections-taken"
    POOL = "waits-for-a-connection"
    STALE_STATISTICS = "stale-statistics"
    QUERY = "query-itself"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to type, what it does, and how to undo it."""

    says: str
    sql: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    command: str = ""
    proof: str = ""
    takes: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Why, how sure, and what to type next: what the alert carries.

    `says` is the whole answer in one or two sentences.  `plan` is EXPLAIN's text, `plan_basis` where it was planned
    ("on db-1 itself, generic plan", "on the twin of the profile of 14:00").  `actions` begin with the one to take;
    rolling back is among them where a deploy is suspected.  `gaps` are what could not be found out.
    """

    cause: Cause
    says: str
    confidence: float
    table: RelationName | None = None
    index: str = ""
    first_seen: datetime | None = None
    suspects: tuple[Suspect, ...] = ()
    nothing_shipped: str = ""
    actions: tuple[Action, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    plan: str = ""
    plan_basis: str = ""
    gaps: tuple[Gap, ...] = ()
    took: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that hurts on one instance, from its opening to its close.

    `subject` is what it is about: a fingerprint, an index, a pool, a process.  `turns` counts what became of it, so
    that (key, opened_at, turns) names each message that it makes.  `value` and `limit` are in `unit`.  `provisional`
    alerts rest on executions that still run.  `muted` says why nobody is told, empty where somebody is.  `unwatched`
    says why it closed where nobody knows whether it is over.
    """

    key: str
    kind: AlertKind
    instance: str
    database: str
    subject: str
    says: str
    urgency: Urgency
    opened_at: datetime
    changed_at: datetime
    closed_at: datetime | None = None
    turns: int = 1
    value: float = 0.0
    limit: float = 0.0
    unit: str = "ms"
    worst: float = 0.0
    provisional: bool = False
    statement: Statement | None = None
    window: Window | None = None
    evidence: tuple[Evidence, ...] = ()
    diagnosis: Diagnosis | None = None
    services: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    muted: str = ""
    unwatched: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it still hurts."""
        return self.closed_at is None

    def diagnosed(self, diagnosis: Diagnosis, at: datetime) -> Alert:
        """Return the alert with its diagnosis."""
        return replace(self, diagnosis=diagnosis, changed_at=at, turns=self.turns + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChange:
    """What became of an alert at a moment; `at` is the time of the premortem that saw it."""

    turn: Turn
    alert: Alert
    at: datetime

    @property
    def id(self) -> str:
        """The name of this change, the same whenever it is worked out again."""
        return f"{self.alert.key}-{self.alert.opened_at:%Y%m%dT%H%M%S%f}-{self.alert.turns}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact of the log that nothing is ever taken out of: an alert's change, a deploy, a plan, a restart.

    `kind` is `alert.opened`, `deploy.recorded`, `index.vanished`, `plan.changed`, `instance.restarted` …; `id` makes
    writing it twice one event; `payload` is JSON.
    """

    id: str
    at: datetime
    kind: str
    instance: str = ""
    database: str = ""
    subject: str = ""
    payload: dict[str, object] = field(default_factory=dict)
