"""What may be the cause, each with the evidence for it and how sure that makes us.

A theory is pure: it looks at what was seen and says what it takes for the cause, or nothing.  The likeliest leads the
diagnosis; the others' remedies stand behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from premortem import rules, words
from premortem.diagnosis import blocking, vanishing
from premortem.diagnosis.live import Building, LivePlan
from premortem.diagnosis.offender import NOTHING_KNOWN, Ledger, Offender, Sizes
from premortem.model import (
    Action,
    Advice,
    AlertKind,
    Cause,
    Evidence,
    Finding,
    Profile,
    Proof,
    QueryReport,
    RelationName,
    Severity,
    Source,
    Table,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that was found out: of the live server, of the twin, and of before.

    `profile` holds the statement's relations as they are now, `kept` as they were when the instance's profile was last
    refreshed, `wanted` are the relations that the statement names.
    """

    offender: Offender
    now: datetime
    ledger: Ledger = NOTHING_KNOWN
    wanted: tuple[RelationName, ...] = ()
    profile: Profile | None = None
    kept: Profile | None = None
    live: LivePlan | None = None
    report: QueryReport | None = None
    building: tuple[Building, ...] = ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables that the statement names, with their partitions."""
        if self.profile is None:
            return ()
        named = [t for name in self.wanted if (t := self.profile.table(name)) is not None]
        return tuple(dict.fromkeys([*named, *(c for t in named for c in self.profile.children(t.relation))]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Theory:
    """One cause that the evidence speaks for; `says` is a sentence, `actions` what cures it."""

    cause: Cause
    confidence: float
    says: str
    table: RelationName | None = None
    index: str = ""
    actions: tuple[Action, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def theories(seen: Seen) -> tuple[Theory, ...]:
    """Return what may be the cause, the likeliest first; there is always one."""
    found = [
        *_locked(seen),
        *_pool(seen),
        *_open_transaction(seen),
        *_connections(seen),
        *_invalid(seen),
        *_vanished(seen),
        *_missing(seen),
        *_untried(seen),
        *_stale(seen),
        *_plan_changed(seen),
        *_query(seen),
        *_grew(seen),
        *_traffic(seen),
        _unknown(seen),
    ]
    return tuple(sorted(found, key=lambda t: -t.confidence))


def _locked(seen: Seen) -> Iterator[Theory]:
    offender = seen.offender
    running = offender.running
    waiting = [b for b in running if b.wait_type == "Lock" or b.blocked_by]
    if offender.kind is AlertKind.BLOCKED and not waiting:
        waiting = [b for b in offender.backends if b.blocked_by]
    if not waiting:
        return
    chains = blocking.roots(waiting, offender.backends)
    share = len(waiting) / max(len(running), len(waiting))
    told = [blocking.told(root, offender.backends, seen.now) for root in chains]
    sessions = words.plural(len(waiting), "session waits", "sessions wait")
    of = f" of {len(running)} that run it" if len(running) > len(waiting) else ""
    held = f" that {words.listing(told, most=3)} {'hold' if len(told) > 1 else 'holds'}" if told else ""
    yield Theory(
        cause=Cause.LOCKED,
        confidence=0.97 if share >= 0.5 else round(0.4 + share / 2, 2),
        says=f"{sessions}{of} for a lock{held}; the statement itself is not what is slow.",
        actions=tuple(blocking.action(root, offender.backends, seen.now) for root in chains[:3]),
        evidence=(_measured("sessions that wait for a lock", len(waiting)),),
    )


def _pool(seen: Seen) -> Iterator[Theory]:
    waiting = [p for p in seen.offender.pools if p.clients_waiting and p.longest_wait > timedelta()]
    window = seen.offender.window
    for pool in waiting[:1]:
        servers = pool.servers_active + pool.servers_idle + pool.servers_used
        size = pool.size or servers
        busy = window.busy if window else 0.0
        own = bool(size) and busy >= size / 2
        whose = f"; {words.number(busy)} of them are busy with this statement alone: it is the cause, not the pool"
        waits = words.plural(pool.clients_waiting, "client waits", "clients wait")
        of = words.plural(size, "server connection")
        yield Theory(
            cause=Cause.POOL,
            confidence=0.5 if own else 0.92 if seen.offender.kind is AlertKind.POOL else 0.45,
            says=f"{waits} in PgBouncer {pool.pooler} for one of the {of} of {pool.database} as {pool.user},"
            f" the longest for {words.duration(pool.longest_wait)}{whose if own else ''}.",
            actions=() if own else (_of_pool(seen, size),),
            evidence=(_measured("clients that wait for the pool", pool.clients_waiting),),
        )


def _open_transaction(seen: Seen) -> Iterator[Theory]:
    if seen.offender.kind not in (AlertKind.IDLE, AlertKind.TRANSACTION):
        return
    for backend in seen.offender.running[:1]:
        told = blocking.told(backend.pid, seen.offender.backends, seen.now)
        idle = backend.state.startswith("idle")
        setting = "idle_in_transaction_session_timeout" if idle else "statement_timeout"
        yield Theory(
            cause=Cause.TRANSACTION,
            confidence=0.9,
            says=f"{told[:1].upper()}{told[1:]} keeps its connection, its locks, and what VACUUM could clean up.",
            actions=(
                blocking.action(backend.pid, seen.offender.backends, seen.now),
                Action(says=f"set {setting} for its role, so that the server ends the next one by itself"),
            ),
        )


def _connections(seen: Seen) -> Iterator[Theory]:
    seats = seen.offender.seats
    if seen.offender.kind is not AlertKind.CONNECTIONS or seats is None:
        return
    room, idle = seats.most - seats.reserved, max(seats.taken - seats.active, 0)
    who = max(seats.by_application, key=lambda item: item[1], default=(("", "", ""), 0))
    most = f"; {who[1]} of them are {words.one_line(who[0][2] or who[0][1])}'s" if who[1] else ""
    if idle * 2 >= seats.taken:
        says = f"{idle} of {seats.taken} connections do nothing{most}: the pools are larger than what they serve."
        action = Action(says="make the applications' pools smaller, or put PgBouncer in between")
    else:
        says = (
            f"{seats.active} of {seats.taken} connections work at once{most}: what they run is slow, or too many come."
        )
        action = Action(says="cure the statement that occupies most of them; more connections would make it slower")
    yield Theory(
        cause=Cause.CONNECTIONS,
        confidence=0.85,
        says=says,
        actions=(action,),
        evidence=(Evidence(name="connections", value=f"{seats.taken} of {room}", source=Source.MEASURED),),
    )


def _measured(name: str, value: float) -> Evidence:
    return Evidence(name=name, value=value, source=Source.MEASURED)


def _of_pool(seen: Seen, size: int) -> Action:
    seats = seen.offender.seats
    if seats is not None and seats.idle_in_transaction * 2 >= size:
        says = (
            f"{words.plural(seats.idle_in_transaction, 'session is', 'sessions are')} idle in a transaction and holds"
            " a server connection meanwhile: end these transactions in the application, before any wait"
        )
        return Action(says=says)
    room = "" if seats is None else f" ({seats.active} sessions are active, of {seats.most} connections)"
    return Action(
        says=f"raise default_pool_size for this database and user, if the server has room{room}; RELOAD in the console"
    )


def _invalid(seen: Seen) -> Iterator[Theory]:
    advised = _advised_keys(seen.report)
    for finding in _of_schema(seen, "invalid-index"):
        table = seen.profile.table(finding.table) if seen.profile and finding.table else None
        if table is None or table not in seen.tables:
            continue
        index = next((i for i in table.indexes if not i.valid and i.name in finding.says), None)
        if index is None:
            continue
        fits = (table.relation, index.columns[:1]) in {(t, k[:1]) for t, k in advised}
        if any(b.index_name == index.name for b in seen.building):
            yield _being_built(seen, table, index.name)
        else:
            yield Theory(
                cause=Cause.INDEX_INVALID,
                confidence=0.96 if fits else 0.45,
                says=f"{finding.says}.",
                table=table.relation,
                index=index.name,
                actions=(
                    Action(
                        says=f"build {index.name} again without locking writes out",
                        sql=finding.remedy.sql if finding.remedy else (),
                        proof="likely: the twin proposes the same index" if fits else "advice",
                        takes=_build_time(seen, table),
                    ),
                ),
            )


def _being_built(seen: Seen, table: Table, index: str) -> Theory:
    at = next(b for b in seen.building if b.index_name == index)
    done = f", {words.percent(at.done)} done" if at.done is not None else ""
    return Theory(
        cause=Cause.INDEX_INVALID,
        confidence=0.97,
        says=f"{index} of {table.full_name} is being built now ({at.phase}{done}); until then no query uses it.",
        table=table.relation,
        index=index,
        actions=(Action(says=f"wait for session {at.pid}, which builds it"),),
    )


def _vanished(seen: Seen) -> Iterator[Theory]:
    for lost in vanishing.lost(seen.offender, seen.kept, seen.profile, seen.wanted):
        before = seen.offender.plan_before
        used = before is not None and any(i.name == lost.name.name for i in before.indexes)
        fits = (lost.table, lost.columns[:1]) in {(t, k[:1]) for t, k in _advised_keys(seen.report)}
        sure = 0.98 if used or (fits and lost.reported) else 0.96 if fits else 0.8 if _filters(seen, lost) else 0.3
        was = "; the plan before used it" if used else ""
        yield Theory(
            cause=Cause.INDEX_VANISHED,
            confidence=sure,
            says=f"The index {lost.name.name} of {lost.table.short} is gone{lost.since}{was}.",
            table=lost.table,
            index=lost.name.name,
            actions=(
                Action(
                    says=f"create {lost.name.name} again, as it was",
                    sql=(lost.create,),
                    undo=(lost.drop,),
                    proof="the plan before used it" if used else "likely: the twin proposes it" if fits else "advice",
                    takes=_build_time(seen, seen.profile.table(lost.table) if seen.profile else None),
                ),
            ),
        )


def _filters(seen: Seen, lost: vanishing.Lost) -> bool:
    """Whether the live plan reads rows that a condition on the lost index's first column then throws away."""
    filters = [n.filter for n in seen.live.plan.scans() if n.filter] if seen.live else []
    return bool(lost.columns) and any(re.search(rf"\b{re.escape(lost.columns[0])}\b", f) for f in filters)


def _missing(seen: Seen) -> Iterator[Theory]:
    report = seen.report
    for advice in report.advice if report else ():
        relation = advice.candidate.table
        finding = _lead(report, relation, advice) if report else None
        gain = _gain(advice)
        sure = 0.95 if gain >= 100 else 0.9 if gain >= 10 else 0.8 if gain >= 3 else 0.4
        if not _scans_much(seen, relation):
            sure = round(sure * 0.6, 2)
        keys = ", ".join(k.sql for k in advice.candidate.keys)
        why = f"{_each_call(finding)}: " if finding else ""
        covers = "an index that holds all it asks for" if advice.covers_only else "the index"
        yield Theory(
            cause=Cause.MISSING_INDEX,
            confidence=sure,
            says=f"{why}{covers} {relation.short} ({keys}) is missing.",
            table=relation,
            index=advice.name,
            actions=(_create(advice, seen),),
            evidence=(*(finding.evidence if finding else ()), *_costs(advice)),
        )


def _untried(seen: Seen) -> Iterator[Theory]:
    """An index that the live plan's conditions suggest, where no twin could try it."""
    report = seen.report
    for finding in report.findings if report and not report.advice else ():
        remedy = finding.remedy
        if remedy is None or not any("INDEX" in sql for sql in remedy.sql) or finding.severity is Severity.INFO:
            continue
        yield Theory(
            cause=Cause.MISSING_INDEX,
            confidence=0.75 if finding.severity is Severity.ERROR else 0.5,
            says=f"{_each_call(finding)}: an index is missing.",
            table=finding.table,
            actions=(
                Action(
                    says="create the index that the plan's conditions suggest; nobody tried it",
                    sql=remedy.sql,
                    undo=remedy.undo,
                    proof="advice",
                ),
            ),
            evidence=finding.evidence,
        )


def _each_call(finding: Finding) -> str:
    return f"Each call {finding.says}" if finding.says.startswith("reads ") else _sentence(finding.says)


def _create(advice: Advice, seen: Seen) -> Action:
    effect = max(advice.effects, key=lambda e: e.before_worst / max(e.after_worst, 0.01), default=None)
    proof = "likely: planned on a twin of this server"
    if effect is not None:
        proof += f", cost {words.number(effect.before_worst)} to {words.number(effect.after_worst)}"
        proof += f" ({words.change(effect.before_worst, effect.after_worst)})"
    where = " on the primary, for this is a replica" if seen.offender.in_recovery else ""
    waits = blocking.slow_builders(seen.offender, seen.now)
    return Action(
        says=f"create the index{where}: about {words.duration(advice.build_seconds)} to build,"
        f" {words.size(advice.size_bytes)}{waits}",
        sql=advice.sql,
        undo=advice.undo,
        proof=proof,
        takes=timedelta(seconds=advice.build_seconds),
    )


def _stale(seen: Seen) -> Iterator[Theory]:
    changed = seen.offender.plan_before is not None and _shape_differs(seen)
    for finding in _of_schema(seen, "stale-statistics"):
        table = seen.profile.table(finding.table) if seen.profile and finding.table else None
        if table is None or table not in seen.tables:
            continue
        rows = max(table.rows, 1.0)
        share = table.activity.modified_since_analyze / rows
        never = table.tuples < 0 or "never" in finding.says
        sure = 0.75 if never or share >= 1 else 0.65 if share >= 0.5 else 0.4
        off = any("autovacuum_enabled=false" in o or "autovacuum_enabled=off" in o for o in table.options)
        why = "; autovacuum is off for it" if off else ""
        if seen.profile and seen.profile.setting("autovacuum", "on") == "off":
            why = "; autovacuum is off on this server"
        yield Theory(
            cause=Cause.STALE_STATISTICS,
            confidence=min(0.94, round(sure + (0.2 if changed else 0.0), 2)),
            says=f"{_sentence(finding.says)}{why}: the planner guesses.",
            table=table.relation,
            actions=(
                Action(
                    says=f"analyze {table.full_name}, which takes seconds and locks nobody out",
                    sql=finding.remedy.sql if finding.remedy else (f"ANALYZE {table.relation.sql};",),
                    proof="advice",
                ),
            ),
            evidence=finding.evidence,
        )


def _plan_changed(seen: Seen) -> Iterator[Theory]:
    before = seen.offender.plan_before
    if before is None or not _shape_differs(seen):
        return
    used = [i.name for i in before.indexes if i not in _used_now(seen)]
    lost = f", which used {words.listing(used)}" if used else ""
    yield Theory(
        cause=Cause.PLAN_CHANGED,
        confidence=0.8 if seen.offender.kind is AlertKind.PLAN else 0.6,
        says=f"Its plan is another than at {moment(before.at)}{lost}.",
        table=next((n.relation for n in seen.live.plan.scans("Seq Scan")), None) if seen.live else None,
    )


def _query(seen: Seen) -> Iterator[Theory]:
    report = seen.report
    found = report.findings if report else ()
    cured = {f.key for f in found if f.remedy and any("INDEX" in s for s in f.remedy.sql)}
    for finding in found:
        if finding.key in cured or finding.severity is Severity.INFO:
            continue
        remedy = finding.remedy
        says = remedy.says if remedy and remedy.says else f"see the rule {finding.rule}"
        yield Theory(
            cause=Cause.QUERY,
            confidence=0.6 if finding.severity is Severity.ERROR else 0.35,
            says=f"{_sentence(finding.says)} ({finding.rule}).",
            table=finding.table,
            actions=(
                Action(
                    says=says,
                    sql=remedy.sql if remedy else (),
                    undo=remedy.undo if remedy else (),
                    proof=remedy.proof.value if remedy else Proof.ADVICE.value,
                ),
            ),
            evidence=finding.evidence,
        )


def _grew(seen: Seen) -> Iterator[Theory]:
    for table in seen.tables:
        grown = growth(seen, table.relation)
        if grown is not None and grown[1] >= 1.2 * max(grown[0].rows[table.relation], 1):
            then, rows = grown
            yield Theory(
                cause=Cause.GREW,
                confidence=0.5,
                says=f"{table.full_name} grew from {words.plural(then.rows[table.relation], 'row')} on"
                f" {then.at:%Y-%m-%d} to {words.number(rows)}.",
                table=table.relation,
                evidence=(Evidence.catalog("rows then", round(then.rows[table.relation]), "rows"),),
            )


def growth(seen: Seen, relation: RelationName) -> tuple[Sizes, float] | None:
    """Return the oldest known size of a table, and its rows now; None where the past is not known."""
    table = seen.profile.table(relation) if seen.profile else None
    known = [s for s in seen.ledger.sizes if relation in s.rows]
    if table is None or not known or table.tuples < 0:
        return None
    rows = sum(c.rows for c in seen.profile.children(relation)) if seen.profile and not table.pages else table.rows
    return min(known, key=lambda s: s.at), rows


def _traffic(seen: Seen) -> Iterator[Theory]:
    window, baseline = seen.offender.window, seen.offender.baseline
    days = [d.calls for d in baseline.days[-8:-1]] if baseline else []
    if window is None or len(days) < 2 or window.covered <= timedelta():
        return
    usual = sorted(days)[len(days) // 2] / 86_400
    rate = window.calls / window.covered.total_seconds()
    if usual > 0 and rate >= 2 * usual and rate >= 1:
        yield Theory(
            cause=Cause.TRAFFIC,
            confidence=0.3,
            says=f"It runs {words.number(rate)} times a second, {words.number(rate / usual)} times its usual pace.",
            evidence=(Evidence(name="usual calls per second", value=round(usual, 3), source=Source.WORKLOAD),),
        )


def _unknown(seen: Seen) -> Theory:
    waits = _waits(seen)
    told = f" Its sessions wait for {waits}." if waits else ""
    planned = (
        "Its plan shows nothing that would make it slow." if seen.live or seen.report else "There is no plan of it."
    )
    return Theory(cause=Cause.UNKNOWN, confidence=0.1, says=planned + told)


def _waits(seen: Seen) -> str:
    events = [f"{b.wait_type}/{b.wait}" for b in seen.offender.running if b.wait_type not in ("", "Client", "Lock")]
    return words.listing(sorted(set(events), key=lambda e: -events.count(e)), most=2)


def _of_schema(seen: Seen, rule: str) -> Iterator[Finding]:
    if seen.profile is not None:
        yield from (f for f in rules.find_schema(seen.profile, _EAGER) if f.rule == rule)


#: At three in the morning a table of a hundred pages without statistics is worth a word.
_EAGER = rules.limits({"stale-statistics": {"min_pages": 100, "min_rows": 1000, "min_share": 0.2}})


def _advised_keys(report: QueryReport | None) -> set[tuple[RelationName, tuple[str | None, ...]]]:
    advice = report.advice if report else ()
    return {(a.candidate.table, tuple(k.column for k in a.candidate.keys)) for a in advice}


def _lead(report: QueryReport, relation: RelationName, advice: Advice) -> Finding | None:
    """The finding that the index cures, the worst of the table first."""
    order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
    about = [f for f in report.findings if f.table == relation or (f.remedy and set(advice.sql) & set(f.remedy.sql))]
    return min(about, key=lambda f: order[f.severity], default=None)


def _gain(advice: Advice) -> float:
    return max((e.before_worst / max(e.after_worst, 0.01) for e in advice.effects), default=1.0)


def _costs(advice: Advice) -> tuple[Evidence, ...]:
    effect = max(advice.effects, key=lambda e: e.before_worst / max(e.after_worst, 0.01), default=None)
    if effect is None:
        return ()
    return (
        Evidence.plan("cost", round(effect.before_worst, 1)),
        Evidence.plan("cost with the index", round(effect.after_worst, 1)),
    )


def _scans_much(seen: Seen, relation: RelationName) -> bool:
    """Whether the live server reads the table otherwise than by a selective index; True where that is not known."""
    if seen.live is None:
        return True
    names = {relation, *(c.relation for c in seen.profile.children(relation))} if seen.profile else {relation}
    scans = [n for n in seen.live.plan.scans() if n.relation in names]
    return not scans or any(n.kind == "Seq Scan" or n.filter or "Bitmap" in n.kind for n in scans)


def _build_time(seen: Seen, table: Table | None) -> timedelta | None:
    advised = [a for a in (seen.report.advice if seen.report else ()) if table and a.candidate.table == table.relation]
    return timedelta(seconds=advised[0].build_seconds) if advised else None


def _shape_differs(seen: Seen) -> bool:
    before = seen.offender.plan_before
    return seen.live is not None and before is not None and seen.live.seen(seen.now).shape != before.shape


def _used_now(seen: Seen) -> frozenset[RelationName]:
    return frozenset(seen.live.seen(seen.now).indexes) if seen.live else frozenset()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text.split(" ")[0].isalpha() and "_" not in text.split(" ")[0] else text


def moment(at: datetime) -> str:
    """Return a moment as messages say it: to the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
