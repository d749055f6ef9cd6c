"""From theories to the diagnosis that people read: one answer, what to type, and what could not be found out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from premortem import words
from premortem.diagnosis import accusing
from premortem.diagnosis.offender import Offender
from premortem.diagnosis.seen import Seen, Theory, growth, moment
from premortem.model import (
    Action,
    AlertKind,
    Cause,
    Diagnosis,
    Evidence,
    Gap,
    PlanSeen,
    RelationName,
    Source,
    Suspect,
    Window,
)
from premortem.report import tree

#: Below this a theory's remedy is not worth a line beside that of a better one.
_WORTH = 0.4
#: A suspect below this is named as what was shipped then, and rolling it back is not proposed.
_ROLL_BACK = 0.5
_RECENT = timedelta(days=2)
#: An index that takes longer to build is not the first thing to type while a fresh deploy can be taken back.
_QUICK = timedelta(minutes=5)
_MOST_ACTIONS = 5
#: What passes by itself: no deploy brought it, and rolling one back ends nothing.
TRANSIENT = frozenset({Cause.LOCKED, Cause.POOL, Cause.TRANSACTION, Cause.CONNECTIONS})
#: What is known to have happened and cannot be typed away.
_NO_CURE = frozenset({Cause.UNKNOWN, Cause.GREW, Cause.TRAFFIC})
#: Where one of these leads, the index that the twin proposes is the very index, under another name.
_AN_INDEX = frozenset({Cause.INDEX_VANISHED, Cause.INDEX_INVALID})


def told(seen: Seen, found: Sequence[Theory], accused: Sequence[Suspect], *, gaps: Sequence[Gap] = ()) -> Diagnosis:
    """Return the diagnosis that the theories and the suspects make."""
    lead = found[0]
    nothing = _nothing_shipped(seen, accused)
    said = [lead.says, *_impact(seen.offender), *_introduced(seen, lead, accused), *([nothing] if nothing else [])]
    plan = _plan(seen)
    return Diagnosis(
        cause=lead.cause,
        says=" ".join(said),
        confidence=lead.confidence,
        table=lead.table,
        index=lead.index,
        first_seen=seen.offender.first_seen if seen.offender.statement else None,
        suspects=tuple(accused),
        nothing_shipped=nothing,
        actions=tuple(_actions(seen, found, accused))[:_MOST_ACTIONS],
        evidence=tuple(dict.fromkeys([*lead.evidence, *_measured(seen)])),
        plan=plan.text if plan else "",
        plan_basis=plan.basis if plan else "",
        gaps=(*gaps, *_age(seen)),
    )


def _impact(offender: Offender) -> Iterator[str]:
    """What it occupies, as Little's law says it, against what there is."""
    window = offender.window
    if window is None or window.busy < 0.05:
        return
    seats = offender.seats
    of = f" of {seats.most - seats.reserved}" if seats else ""
    share = f" and {words.percent(round(window.share, 2))} of the database's time" if window.share else ""
    yield f"It occupies {words.number(window.busy)}{of} connections{share}{_queue(offender, window)}."


def _queue(offender: Offender, window: Window) -> str:
    """Return who waits in PgBouncer because this statement has the connections; they wait, it does not."""
    pools = (p for p in offender.pools if p.database == offender.database and p.clients_waiting)
    full = next((p for p in pools if p.size and window.busy >= p.size / 2), None)
    if full is None:
        return ""
    waits = words.plural(full.clients_waiting, "client waits", "clients wait")
    return f", and {waits} for it in PgBouncer {full.pooler}"


def _introduced(seen: Seen, lead: Theory, accused: Sequence[Suspect]) -> Iterator[str]:
    offender = seen.offender
    if lead.cause in TRANSIENT:
        return
    if accused:
        deploy = accused[0].deploy
        who = f" of {words.one_line(deploy.service)}" if deploy.service else ""
        likely = "Introduced by" if accused[0].confidence >= _ROLL_BACK else "Perhaps introduced by"
        yield (
            f"{likely} deploy {words.one_line(deploy.revision)}{who} on {moment(deploy.at)}"
            f" ({_ago(seen.now, deploy.at)}): {accused[0].basis}."
        )
    elif offender.first_seen is not None:
        came = "First seen" if offender.appeared else "It was there when watching began"
        yield f"{came} on {moment(offender.first_seen)} ({_ago(seen.now, offender.first_seen)})."


def _ago(now: datetime, then: datetime) -> str:
    return f"{words.duration(max(now - then, timedelta()))} ago"


def _nothing_shipped(seen: Seen, accused: Sequence[Suspect]) -> str:
    """Return that nothing was shipped lately, and what grew instead; empty where something was, or nobody knows."""
    ledger, offender = seen.ledger, seen.offender
    grown = [text for t in seen.tables if (text := _growth(seen, t.relation, t.full_name))]
    since = max(filter(None, [ledger.since, seen.now - _RECENT]), default=None)
    lately = offender.first_seen is not None and offender.appeared and seen.now - offender.first_seen < _RECENT
    if lately or since is None or accusing.shipped_since(ledger.deploys, ledger.services, since):
        return ""
    if not ledger.deploys and ledger.since is None:  # nobody records deploys, so that there are none says nothing
        return f"{words.listing(grown)}." if grown else ""
    said = f"Nothing was shipped since {moment(since)}"
    return f"{said}; {words.listing(grown)}." if grown else f"{said}."


def _growth(seen: Seen, relation: RelationName, name: str) -> str:
    grown = growth(seen, relation)
    if grown is None:
        return ""
    then, rows = grown
    before = then.rows[relation]
    if rows < 1.1 * max(before, 1):
        return ""
    return f"{name} grew from {words.number(before)} to {words.plural(rows, 'row')} since {then.at:%Y-%m-%d}"


def _actions(seen: Seen, found: Sequence[Theory], accused: Sequence[Suspect]) -> Iterator[Action]:
    lead, *others = found
    first = list(lead.actions)
    back = _roll_back(seen, lead, accused)
    slow = any(a.takes and a.takes > _QUICK for a in first)
    yield from [*back, *first] if back and slow and _is_fresh(seen, accused) else [*first, *back]
    yield from _relief(seen, lead)
    known = {a.sql for a in first if a.sql}
    for theory in others:
        worth = theory.confidence >= _WORTH and theory.cause not in _NO_CURE
        if worth and not (lead.cause in _AN_INDEX and theory.cause is Cause.MISSING_INDEX):
            yield from (a for a in theory.actions if a.sql not in known)
            known |= {a.sql for a in theory.actions if a.sql}


def _is_fresh(seen: Seen, accused: Sequence[Suspect]) -> bool:
    return bool(accused) and seen.now - accused[0].deploy.at < _RECENT


def _roll_back(seen: Seen, lead: Theory, accused: Sequence[Suspect]) -> list[Action]:
    """The alternative: take the deploy back; one that is weeks old takes with it what came after."""
    if not accused or accused[0].confidence < _ROLL_BACK or lead.cause in TRANSIENT:
        return []
    deploy = accused[0].deploy
    what = f"{words.one_line(deploy.revision)}" + (f" of {words.one_line(deploy.service)}" if deploy.service else "")
    where = f" ({words.one_line(deploy.url)})" if deploy.url else ""
    if _is_fresh(seen, accused):
        return [Action(says=f"roll back {what}, {_ago(seen.now, deploy.at)}{where}", proof="advice")]
    return [
        Action(
            says=f"switch off what {what} brought{where}; rolling it back takes with it all that was shipped in the"
            f" {words.duration(seen.now - deploy.at)} since",
            proof="advice",
        )
    ]


def _relief(seen: Seen, lead: Theory) -> Iterator[Action]:
    """Cancelling what runs now, where it runs long or fills the server."""
    running, offender = seen.offender.running, seen.offender
    fills = offender.kind in (AlertKind.RUNNING, AlertKind.CONNECTIONS) or len(running) >= 3
    if lead.cause in TRANSIENT or not running or not fills or not offender.queryids:
        return
    ids = ", ".join(str(q) for q in sorted(offender.queryids))
    yield Action(
        says=f"for relief now, cancel it where it runs ({words.plural(len(running), 'session')} at the moment)",
        sql=(
            "SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity"
            f" WHERE state = 'active' AND query_id IN ({ids});",
        ),
        proof="advice",
    )


def _measured(seen: Seen) -> Iterator[Evidence]:
    window, seats, baseline = seen.offender.window, seen.offender.seats, seen.offender.baseline
    if window is not None:
        if window.mean_ms is not None:
            yield _of_window("mean time", round(window.mean_ms, 1), "ms")
        yield _of_window("calls", window.calls)
        yield _of_window("connections occupied", round(window.busy, 2))
        if window.share is not None:
            yield _of_window("share of database time", round(100 * window.share, 1), "%")
    if baseline is not None and baseline.median_ms is not None:
        yield _of_window("usual mean time", round(baseline.median_ms, 2), "ms")
    if seats is not None:
        yield Evidence(name="connections taken", value=f"{seats.taken} of {seats.most}", source=Source.MEASURED)
    for table in seen.tables[:3]:
        if table.tuples >= 0 and table.pages:
            yield Evidence.catalog(f"rows of {table.full_name}", round(table.rows), "rows")


def _of_window(name: str, value: float, unit: str = "") -> Evidence:
    return Evidence(name=name, value=value, unit=unit, source=Source.WORKLOAD)


def _plan(seen: Seen) -> PlanSeen | None:
    """The live server's plan, else the twin's, without values where there is such a plan."""
    if seen.live is not None:
        return seen.live.seen(seen.now)
    if seen.report is None or not seen.report.planned:
        return None
    planned = next((p for p in seen.report.planned if p.parameters.is_generic), seen.report.planned[-1])
    at = seen.profile.taken_at if seen.profile else seen.now
    return PlanSeen(
        shape="", at=at, text=tree.text(planned.plan), cost=planned.plan.total_cost,
        basis=f"on a twin of the profile of {moment(at)}, {planned.parameters.name} plan",
    )  # fmt: skip


def _age(seen: Seen) -> Iterator[Gap]:
    """What the reader has to know of old or doubtful figures."""
    window = seen.offender.window
    if window is not None and window.doubts:
        yield Gap(subject="figures", says=f"{'; '.join(window.doubts)}.", effect="The times may be off.")
    if seen.offender.first_seen is not None and not seen.offender.appeared:
        yield Gap(
            subject="first seen",
            says="The statement was already there when watching began.",
            effect="Which deploy brought it cannot be told from when it was first seen.",
            cure="let queries carry their release in a comment, such as /*revision='a7c3dbe'*/",
        )
