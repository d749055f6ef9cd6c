"""What a diagnosis is about, and what is known besides: who runs it, what was shipped, what was before."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from premortem.model import (
    Alert,
    AlertKind,
    Backend,
    Baseline,
    Deploy,
    IndexSeen,
    PlanSeen,
    Pool,
    RelationName,
    Sample,
    Seats,
    Statement,
    Window,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offender:
    """What hurts, with all that was seen of it.

    `subject` is the alert's.  `backends` are all sessions of the sample, `queryids` and `pids` tell which of them it is
    about.  `first_seen` is
    when the statement came where `appeared`, else it is older than that.  `gone` are indexes that vanished lately,
    `changed_at` is when an index vanished or the plan changed.  `heaviest` is the statement that occupies most of the
    database, with its window, where the alert is about no statement.
    """

    instance: str
    database: str
    kind: AlertKind = AlertKind.SLOW
    subject: str = ""
    statement: Statement | None = None
    window: Window | None = None
    backends: tuple[Backend, ...] = ()
    queryids: frozenset[int] = frozenset()
    pids: frozenset[int] = frozenset()
    seats: Seats | None = None
    pools: tuple[Pool, ...] = ()
    gone: tuple[IndexSeen, ...] = ()
    first_seen: datetime | None = None
    appeared: bool = True
    baseline: Baseline | None = None
    plan_before: PlanSeen | None = None
    opened_at: datetime | None = None
    changed_at: datetime | None = None
    in_recovery: bool = False
    heaviest: tuple[Statement, Window] | None = None

    @property
    def running(self) -> tuple[Backend, ...]:
        """The sessions that run it, or that the alert is about; parallel workers count with their leader."""
        return tuple(b for b in self.backends if b.leader is None and (b.pid in self.pids or self._runs(b)))

    def _runs(self, backend: Backend) -> bool:
        return backend.state == "active" and backend.queryid is not None and backend.queryid in self.queryids

    @property
    def tags(self) -> Mapping[str, str]:
        """What the statement's comments say."""
        return dict(self.statement.tags) if self.statement else {}


def offender(
    alert: Alert,
    sample: Sample | None = None,
    *,
    queryids: Collection[int] = (),
    pids: Collection[int] = (),
    first_seen: datetime | None = None,
    appeared: bool = True,
    baseline: Baseline | None = None,
    plan_before: PlanSeen | None = None,
    gone: Collection[IndexSeen] = (),
    heaviest: tuple[Statement, Window] | None = None,
) -> Offender:
    """Return what an alert is about, with what the newest sample shows of it."""
    changes = alert.kind in (AlertKind.INDEX, AlertKind.PLAN)
    return Offender(
        instance=alert.instance,
        database=alert.database,
        kind=alert.kind,
        subject=alert.subject,
        statement=alert.statement,
        window=alert.window,
        backends=sample.backends if sample else (),
        queryids=frozenset(queryids),
        pids=frozenset(pids),
        seats=sample.seats if sample else None,
        pools=sample.pools if sample else (),
        gone=tuple(gone),
        first_seen=first_seen,
        appeared=appeared,
        baseline=baseline,
        plan_before=plan_before,
        opened_at=alert.opened_at,
        changed_at=alert.opened_at if changes else None,
        in_recovery=bool(sample and sample.server.in_recovery),
        heaviest=heaviest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many rows tables had at a time."""

    at: datetime
    rows: Mapping[RelationName, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What was shipped, and how large tables were: the past, as far as somebody wrote it down.

    `services` are those that use the instance (empty: any may), `since` is when the recording of deploys began.
    """

    deploys: tuple[Deploy, ...] = ()
    services: tuple[str, ...] = ()
    since: datetime | None = None
    sizes: tuple[Sizes, ...] = ()


NOTHING_KNOWN = Ledger()
