"""What hurts on a server at this moment: what `premortem diagnose` hands to the renderers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from premortem.model.alert import AlertKind, Diagnosis, Window
from premortem.model.gap import Gap
from premortem.model.report import Verdict
from premortem.model.sample import Pool, Seats, Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Hurt:
    """One thing that hurts now.

    `busy` is how many connections it occupies or keeps waiting, which is how hurts are ordered.  `texts` are what its
    sessions run, with values, where they were asked for.  `why` is None where there was no time to find out.
    """

    kind: AlertKind
    subject: str
    says: str
    busy: float
    database: str = ""
    sessions: int = 0
    statement: Statement | None = None
    window: Window | None = None
    texts: tuple[str, ...] = ()
    why: Diagnosis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A statement that ran while we looked; `mean_ms` is None where none of its executions ended."""

    statement: Statement
    calls: int
    mean_ms: float | None
    busy: float
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """One look at a server: what hurts, what else ran, how full it is, and what could not be seen.

    `looked` is how long the look was, `took` how long all of it.  `blind` says that what hurts could not be seen at
    all, so that nothing found is no good news.  `sessions` counts those that run or wait.
    """

    place: str
    at: datetime
    looked: timedelta
    version: str
    hurts: tuple[Hurt, ...] = ()
    ran: tuple[Ran, ...] = ()
    seats: Seats | None = None
    pools: tuple[Pool, ...] = ()
    sessions: int = 0
    in_recovery: bool = False
    blind: bool = False
    gaps: tuple[Gap, ...] = ()
    took: timedelta | None = None

    @property
    def verdict(self) -> Verdict:
        """Fail where something hurts, unknown where that could not be told."""
        if self.hurts:
            return Verdict.FAIL
        return Verdict.UNKNOWN if self.blind else Verdict.PASS
