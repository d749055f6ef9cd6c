"""`premortem diagnose` without its terminal: looks twice at a server, finds what hurts, and why, in a few seconds."""

from __future__ import annotations

import contextlib
import importlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from premortem import pg, sampling, watch
from premortem.diagnosis import hurting
from premortem.diagnosis.deadline import Deadline
from premortem.diagnosis.live import connect
from premortem.diagnosis.offender import NOTHING_KNOWN, Ledger
from premortem.errors import PremortemError
from premortem.model import Gap, Hurt, Now, Sample, Statement, StatementKey, Subject
from premortem.sampling import Reader
from premortem.settings import Settings

#: How often the sessions are looked at between the two samples.
_GLANCES = 4
#: The statements whose texts are fetched: those that took most of the time.
_MOST_TEXTS = 50
_MOST_RAN = 8
#: What is kept back of the time for showing it.
_MARGIN = 0.3
_LEAST = 0.7
_SESSION_SECONDS = 2.0

#: When a statement was first seen, and whether it came then; asked for its fingerprint.
FirstSeen = Callable[[str], tuple[datetime | None, bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How to look: for how long, at how many causes, in how much time for all of it.

    `worst` are the seconds that the first cause gets whatever the budget: on a starved machine one answer late is worth
    more than none in time.
    """

    seconds: float = 1.0
    limit: int = 3
    budget: float = 4.0
    worst: float = 0.0
    show_values: bool = False
    settings: Settings = field(default_factory=Settings)
    ledger: Ledger = NOTHING_KNOWN
    first_seen: FirstSeen | None = None


@contextlib.contextmanager
def opened(dsn: str, name: str, *, poolers: Mapping[str, str] = MappingProxyType({})) -> Iterator[Reader]:
    """Open what `look` looks with; it can look again and again."""
    with sampling.open(dsn, name, poolers=poolers) as reader:
        yield reader


def look(reader: Reader, dsn: str, wanted: Wanted, *, sleep: Callable[[float], None] = time.sleep) -> Now:
    """Return what hurts on the server now and why, as far as the time allows; what was not reached is said."""
    began, deadline = time.monotonic(), Deadline.after(wanted.budget + max(0.0, wanted.seconds - 1))
    threading.Thread(target=importlib.import_module, args=("premortem.diagnosis.diagnosing",), daemon=True).start()
    seen = _seen(reader, wanted, sleep)  # what finds causes is loaded meanwhile
    found = hurting.activities(seen)
    every = hurting.hurts(seen, found, show_values=wanted.show_values)
    causes = _Causes(dsn=dsn, look=seen, found=found, wanted=wanted, deadline=deadline)
    told = causes.all(every)
    standing = reader.standing
    return Now(
        place=pg.describe(dsn),
        at=seen.after.at,
        looked=seen.length,
        version=_version(seen.after.server.version_num),
        hurts=told,
        ran=hurting.ran(found, seen, _MOST_RAN),
        seats=seen.after.seats,
        pools=seen.after.pools,
        sessions=sum(1 for b in seen.moments[-1] if b.state == "active" and b.leader is None),
        in_recovery=seen.after.server.in_recovery,
        blind=not standing.sees_all or not standing.activities,
        gaps=(*seen.after.gaps, *_unreached(told, wanted.limit)),
        took=timedelta(seconds=time.monotonic() - began),
    )


def _version(number: int) -> str:
    return f"{number // 10_000}.{number % 10_000}"


def _seen(reader: Reader, wanted: Wanted, sleep: Callable[[float], None]) -> hurting.Look:
    before = reader.sample()
    for _ in range(_GLANCES - 1):
        sleep(wanted.seconds / _GLANCES)
        reader.glance()
    sleep(wanted.seconds / _GLANCES)
    after = reader.sample()
    moved = watch.deltas(after, watch.LastFacts.of(before), poll=timedelta(seconds=max(wanted.seconds, 1.0)))
    heaviest = sorted(moved, key=lambda d: -d.total_ms)[:_MOST_TEXTS]
    keys = {d.key for d in heaviest} | _running_keys(after)
    texts = reader.texts(keys, most=2 * _MOST_TEXTS)
    known = keys & {*texts, *(d.key for d in moved)}  # of the others, a session's own text says more
    statements = {key: _statement(key, texts.get(key), after) for key in known}
    return hurting.Look(
        before=before, after=after, deltas=moved, statements=statements, limits=wanted.settings.watching.limits
    )


def _running_keys(sample: Sample) -> set[StatementKey]:
    """The entries of what runs now, moved or not: their texts are whole where a session's is cut."""
    running = {
        StatementKey(dbid=b.dbid, userid=b.userid, toplevel=True, queryid=b.queryid)
        for b in sample.backends
        if b.state == "active" and b.queryid and b.dbid is not None and b.userid is not None
    }
    return set(list(running)[:_MOST_TEXTS])


def _statement(key: StatementKey, text: str | None, sample: Sample) -> Statement:
    database, role = sample.databases.get(key.dbid, ""), sample.roles.get(key.userid, "")
    return watch.identify(text, database, role, queryid=key.queryid)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Causes:
    """Finds out why, one after the other, while there is time."""

    dsn: str
    look: hurting.Look
    found: Mapping[Subject, hurting.Activity]
    wanted: Wanted
    deadline: Deadline

    def all(self, hurts: Sequence[Hurt]) -> tuple[Hurt, ...]:
        """Return the hurts, the first of them with their causes."""
        return tuple(
            self._one(hurt, self.wanted.worst if place == 0 else 0.0) if place < self.wanted.limit else hurt
            for place, hurt in enumerate(hurts)
        )

    def _one(self, hurt: Hurt, least: float) -> Hurt:
        left = max(self.deadline.left - _MARGIN, least)
        if left < _LEAST and hurt.statement is not None:
            return hurt
        from premortem.diagnosis.diagnosing import diagnose

        first = self._first_seen(hurt)
        offender = hurting.offender(hurt, self.look, self.found, first)
        now, settings = self.look.after.at, self.wanted.settings
        ledger = self.wanted.ledger
        if hurt.statement is None:
            found = diagnose(offender, live=None, ledger=ledger, now=now, settings=settings)
            return replace(hurt, why=replace(found, gaps=()))
        try:
            with connect(self.dsn, hurt.database, seconds=min(_SESSION_SECONDS, left)) as live:
                found = diagnose(offender, live=live, ledger=ledger, now=now, settings=settings, seconds=left)
        except PremortemError as error:
            found = diagnose(offender, live=error, ledger=ledger, now=now, settings=settings, seconds=left)
        return replace(hurt, why=found)

    def _first_seen(self, hurt: Hurt) -> tuple[datetime | None, bool]:
        """When the statement was first seen: the store knows; else since when its entry counts, from 17 on."""
        if hurt.statement is None:
            return None, True
        if self.wanted.first_seen is not None:
            known = self.wanted.first_seen(hurt.statement.fingerprint)
            if known[0] is not None:
                return known
        return self._counted_since(hurt.statement)

    def _counted_since(self, statement: Statement) -> tuple[datetime | None, bool]:
        since = [
            moved.now.since
            for moved in self.look.after.moved
            if moved.now.since is not None and self.look.statements.get(moved.key) == statement
        ]
        if not since:
            return None, True
        reset = self.look.after.server.reset_at
        first = min(since)
        # An entry as old as all counting was there when counting began.
        return first, reset is None or first - reset > timedelta(hours=1)


def _unreached(hurts: Sequence[Hurt], limit: int) -> Iterator[Gap]:
    left = [h for h in hurts[:limit] if h.why is None]
    if left:
        yield Gap(
            subject="causes",
            says=f"The time was over before the cause of {len(left)} more was found.",
            effect="They are listed without one.",
            cure="run it again with --budget 15",
        )
