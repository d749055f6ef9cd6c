"""What one step reads off a sample: of each thing that may hurt, how much, against which limit, and in which words."""

from __future__ import annotations

from dataclasses import dataclass

from premortem.model import AlertKind, Evidence, RelationName, Statement, Window, alert_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One figure against its limit.

    `over` says that it hurts, `under` that it surely does not; between the two an open alert stays open and none opens.
    `page` says that somebody should get up for it.  `gathers` lets it join others where many open at once.
    """

    kind: AlertKind
    database: str
    subject: str
    value: float
    limit: float
    says: str
    over: bool
    under: bool
    unit: str = "ms"
    page: bool = False
    provisional: bool = False
    gathers: bool = False
    statement: Statement | None = None
    tables: tuple[RelationName, ...] = ()
    window: Window | None = None
    evidence: tuple[Evidence, ...] = ()

    def key(self, instance: str) -> str:
        """The key of the alert that it opens or keeps open."""
        return key_of(instance, self.database, self.kind, self.subject)


def key_of(instance: str, database: str, kind: AlertKind, subject: str) -> str:
    """Return an alert's key; a running query has its slow query's, for it becomes that or goes away."""
    return alert_key(instance, database, AlertKind.SLOW if kind is AlertKind.RUNNING else kind, subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look for some kinds of alerts found.

    `settled` are the kinds of which everything was seen: an open alert of theirs without a reading hurts no more.
    """

    readings: tuple[Reading, ...] = ()
    settled: frozenset[AlertKind] = frozenset()
