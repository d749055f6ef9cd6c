"""What is kept of an instance from step to step; all of it survives a restart in the checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from premortem.model import Alert, Backend, IndexSeen, InstanceFacts, Subject
from premortem.watch.rings import Rings


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is remembered of an alert's key besides the alert: since when what holds, and what was told last.

    Times are `State.watched`: seconds during which the instance was looked at, which no clock can turn back and no
    sleeping laptop can make long.  `at` is the time of the last change, which the next one must not precede.
    """

    key: str
    over: float | None = None
    under: float | None = None
    easing: float | None = None
    worsening: float | None = None
    told_value: float = 0.0
    told_at: float = 0.0
    told: bool = False
    closed: float | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An index that was there and is not, or is invalid now; `since` is in seconds watched.

    `others` counts the indexes that went with it and did the same on other tables: partitions, as a rule.
    """

    index: IndexSeen
    at: datetime
    since: float
    others: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Sessions that wait for one another, by pid and start; the subject stays while any of them does.

    `free` says when each of those that wait was last seen not to, by the server's clock; None where it never was.
    """

    subject: str
    members: tuple[str, ...]
    free: tuple[tuple[str, datetime | None], ...] = ()


#: The chains of a sample, each with the pid that all wait for and with those who wait.
Chains: TypeAlias = tuple[tuple[Chain, int, tuple[Backend, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPlan:
    """The newest plan of a statement, and, where it changed, what there was before and how long calls took with it.

    `changed` and `seen` are in seconds watched.
    """

    subject: Subject
    shape: str
    seen: float
    changed: float | None = None
    before_shape: str = ""
    before_ms: float | None = None
    steady_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is known of one instance.

    `watched` counts the seconds in which it was looked at, `began` is that count when it was first reached, at
    `began_at`.  `seen_at` is our clock at the last step, `at` the server's at the last sample and `read_at` ours.
    `missed` counts polls in a row that had no answer, from `missed_at` on.
    """

    instance: str
    rings: Rings = field(default_factory=Rings)
    watched: float = 0.0
    began_at: datetime | None = None
    began: float = 0.0
    seen_at: datetime | None = None
    at: datetime | None = None
    read_at: datetime | None = None
    server: InstanceFacts | None = None
    missed: int = 0
    missed_at: datetime | None = None
    alerts: tuple[Alert, ...] = ()
    marks: tuple[Mark, ...] = ()
    indexes: tuple[IndexSeen, ...] | None = None
    lost: tuple[Lost, ...] = ()
    chains: tuple[Chain, ...] = ()
    plans: tuple[KnownPlan, ...] = ()
    gaps: tuple[str, ...] = ()


def fresh(instance: str, alerts: Iterable[Alert] = ()) -> State:
    """Return the state of an instance that nothing is known of, but for alerts that are open and have to close once."""
    return State(instance=instance, alerts=tuple(alert for alert in alerts if alert.is_open))
