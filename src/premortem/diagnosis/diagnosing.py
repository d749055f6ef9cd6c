"""From something that hurts to why it does: asks the live server and a twin, weighs the theories, tells."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from premortem import catalog, check, pg
from premortem.diagnosis import accusing, telling
from premortem.diagnosis import live as asking
from premortem.diagnosis.deadline import Deadline
from premortem.diagnosis.judging import Judged, judged
from premortem.diagnosis.live import Building, LivePlan
from premortem.diagnosis.offender import NOTHING_KNOWN, Ledger, Offender
from premortem.diagnosis.reading import readable
from premortem.diagnosis.seen import Seen
from premortem.diagnosis.theories import theories
from premortem.errors import PremortemError, PrivilegeError
from premortem.model import (
    GENERIC,
    AlertKind,
    Cause,
    Diagnosis,
    Gap,
    Planned,
    Profile,
    Query,
    QueryReport,
    RelationName,
    Suspect,
    Values,
)
from premortem.settings import Settings


def diagnose(
    offender: Offender,
    *,
    live: pg.Session | PremortemError | None,
    profile: Profile | None = None,
    ledger: Ledger = NOTHING_KNOWN,
    now: datetime,
    settings: Settings | None = None,
    seconds: float = 4.0,
) -> Diagnosis:
    """Return why it hurts, how sure that is, and what to type: whatever can be said in the time given.

    `live` is a session of `connect` to the statement's database, or why there is none; `profile` the instance's kept
    one, which tells what was there before, and stands in for a server that does not answer.
    """
    began = time.monotonic()
    deadline = Deadline.after(seconds)
    found = _found(offender, live, profile, settings or Settings(), deadline)
    seen = replace(found.seen, ledger=ledger, now=now)
    likely = theories(seen)
    told = telling.told(seen, likely, _suspects(seen, likely[0].cause), gaps=_distinct(found.gaps))
    return replace(told, took=timedelta(seconds=time.monotonic() - began))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    seen: Seen
    gaps: tuple[Gap, ...] = ()


def _suspects(seen: Seen, cause: Cause) -> tuple[Suspect, ...]:
    """The deploys before what changed lately, else before the statement was first seen.

    None where nothing that was shipped is to blame: a lock, a pool or a session that does nothing has no first call.
    """
    offender, ledger = seen.offender, seen.ledger
    what, moment = _changed(offender, cause, seen.now)
    if moment is not None:
        return accusing.suspects(moment, ledger.deploys, ledger.services, {}, what=what)
    if offender.statement is None or cause in telling.TRANSIENT:
        return ()
    return accusing.suspects(
        offender.first_seen, ledger.deploys, ledger.services, offender.tags, appeared=offender.appeared
    )


def _changed(offender: Offender, cause: Cause, now: datetime) -> tuple[str, datetime | None]:
    """Return what changed under a statement that may be old, and when at the latest; None where nothing did."""
    if offender.kind is AlertKind.PLAN:
        return "its plan changed", offender.changed_at
    if offender.kind is AlertKind.INDEX:
        return "the index vanished", offender.changed_at
    if cause is Cause.INDEX_VANISHED:
        return "it became slow without the index", offender.opened_at or now
    return "", None


def _found(
    offender: Offender,
    live: pg.Session | PremortemError | None,
    kept: Profile | None,
    settings: Settings,
    deadline: Deadline,
) -> _Found:
    """Ask the live server, then a twin of it; each refusal is a gap."""
    read = readable(offender.statement) if offender.statement else None
    query, unread = (None, (read,)) if isinstance(read, Gap) else (read, ())
    server = _asked(offender, query, live)
    standing = server.profile or (catalog.restricted(kept, server.wanted) if kept and server.wanted else None)
    answer = judged(query, standing, settings, deadline) if query and standing else Judged()
    if isinstance(live, pg.Session) and query is not None and server.refusal is not None:
        server = server.again(live, query, answer.types)
    refused = () if server.refusal is None else (_unplanned(server.refusal),)
    seen = Seen(
        offender=offender,
        now=datetime.min,
        wanted=_present(server.wanted, standing),
        profile=standing,
        kept=kept,
        live=server.plan,
        report=_report(answer, query, server.plan, standing, settings),
        building=server.building,
    )
    return _Found(seen=seen, gaps=(*unread, *server.gaps, *refused, *filter(_matters, answer.gaps)))


def _report(
    answer: Judged, query: Query | None, plan: LivePlan | None, profile: Profile | None, settings: Settings
) -> QueryReport | None:
    """Return what the twin reported; where it could not, what the live plan shows by itself."""
    told = answer.report
    tried = told is not None and told.error is None and not any(g.subject == "indexes" for g in told.gaps)
    if tried or query is None or plan is None:
        return told
    planned = Planned(parameters=GENERIC, plan=plan.plan)
    return check.judge_plan(planned, query, profile=profile, settings=settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """What the live server said of the statement's relations and of its plan."""

    wanted: tuple[RelationName, ...]
    path: str = ""
    profile: Profile | None = None
    plan: LivePlan | None = None
    refusal: PremortemError | None = None
    building: tuple[Building, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def again(self, live: pg.Session, query: Query, types: tuple[str, ...]) -> _Server:
        """Return it with the plan, where the server only lacked the parameters' types, which the twin found."""
        if self.refusal is None or not asking.is_indeterminate(self.refusal) or not types:
            return self
        plan, refusal = _planned(live, query, self.path, types)
        return replace(self, plan=plan, refusal=refusal)


def _asked(offender: Offender, query: Query | None, live: pg.Session | PremortemError | None) -> _Server:
    found = _Server(wanted=_named(offender))
    if live is None or isinstance(live, PremortemError):
        why = (live.message, live.hint or "") if live else ("nobody connected to it",)
        return replace(found, gaps=(_unasked(*why),))
    try:
        found = _read(found, offender, query, live)
    except PremortemError as error:
        return replace(found, gaps=(_unasked(error.message, error.hint or ""),))
    if query is None:
        return found
    plan, refusal = _planned(live, query, found.path)
    return replace(found, plan=plan, refusal=refusal)


def _read(found: _Server, offender: Offender, query: Query | None, live: pg.Session) -> _Server:
    path = asking.search_path(live, offender.statement.role if offender.statement else "")
    wanted = asking.resolved(live, found.wanted, path) or found.wanted
    texts = [query.text] if query else []
    profile = catalog.pull(live, values=Values.LOW_CARDINALITY, only=wanted, texts=texts) if wanted else None
    return replace(found, path=path, wanted=wanted, profile=profile, building=asking.building(live))


#: What makes costs a few per cent less exact is not worth a line at three in the morning.
_MINOR = ("B-tree heights", "collation", "tables of extensions", "extended statistics", "settings")


def _matters(gap: Gap) -> bool:
    return not gap.subject.startswith(_MINOR)


def _named(offender: Offender) -> tuple[RelationName, ...]:
    named = offender.statement.tables if offender.statement else ()
    return tuple(dict.fromkeys([*named, *(g.table for g in offender.gone if g.database == offender.database)]))


def _present(wanted: tuple[RelationName, ...], profile: Profile | None) -> tuple[RelationName, ...]:
    """The relations' full names, views by what they read."""
    if profile is None:
        return wanted
    named = [t for t in profile.tables if any(w.name == t.name and w.schema in ("", t.schema) for w in wanted)]
    views = [t for t in named if t.definition]
    read = [t for t in profile.tables if any(t.name in (v.definition or "") for v in views)]
    return tuple(dict.fromkeys(t.relation for t in (*named, *read)))


def _planned(
    live: pg.Session, query: Query, path: str, types: tuple[str, ...] = ()
) -> tuple[LivePlan | None, PremortemError | None]:
    try:
        return asking.explain(live, query, path, types), None
    except PremortemError as error:
        return None, error


def _unasked(why: str, cure: str = "") -> Gap:
    return Gap(
        subject="live server",
        says=f"The server could not be asked: {why}.",
        effect="Sizes and indexes are those of the last profile, and there is no plan of the server itself.",
        cure=cure,
    )


_READ = "GRANT SELECT on the statement's tables (or pg_read_all_data) TO the role: EXPLAIN asks for it"


def _unplanned(error: PremortemError) -> Gap:
    return Gap(
        subject="live plan",
        says=f"The server does not show its plan: {error.message}.",
        effect="The plan is the twin's.",
        cure=_READ if isinstance(error, PrivilegeError) else error.hint or "",
    )


def _distinct(gaps: tuple[Gap, ...]) -> tuple[Gap, ...]:
    return tuple(dict.fromkeys(gaps))
