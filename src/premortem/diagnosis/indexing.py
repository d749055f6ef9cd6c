"""Causes that an index cures: one that is missing, that vanished, that was never finished."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from premortem import words
from premortem.diagnosis import blocking, vanishing
from premortem.diagnosis.seen import Seen, Theory, each_call, of_schema
from premortem.model import (
    Action,
    Advice,
    AlertKind,
    Cause,
    Evidence,
    Finding,
    QueryReport,
    RelationName,
    Severity,
    Table,
)


def invalid(seen: Seen) -> Iterator[Theory]:
    """Yield the indexes of its tables that no query uses, for they were never finished."""
    advised = _advised_keys(seen.report)
    for finding in of_schema(seen, "invalid-index"):
        table = seen.profile.table(finding.table) if seen.profile and finding.table else None
        if table is None or table not in seen.tables:
            continue
        index = next((i for i in table.indexes if not i.valid and finding.says.startswith(f"{i.name} of ")), None)
        if index is None:
            continue
        fits = (table.relation, index.columns[:1]) in {(t, k[:1]) for t, k in advised}
        if any(b.index_name == index.name for b in seen.building):
            yield _being_built(seen, table, index.name)
        else:
            yield Theory(
                cause=Cause.INDEX_INVALID,
                confidence=0.96 if fits or _is_about(seen, table.schema, index.name) else 0.45,
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


def vanished(seen: Seen) -> Iterator[Theory]:
    """Yield the indexes of its tables that were there before."""
    for lost in vanishing.lost(seen.offender, seen.kept, seen.profile, seen.wanted):
        before = seen.offender.plan_before
        used = before is not None and any(i.name == lost.name.name for i in before.indexes)
        fits = (lost.table, lost.columns[:1]) in {(t, k[:1]) for t, k in _advised_keys(seen.report)}
        sure = 0.98 if used or (fits and lost.reported) else 0.96 if fits else 0.8 if _filters(seen, lost) else 0.3
        if _is_about(seen, lost.name.schema, lost.name.name):
            sure = max(sure, 0.95)  # that it vanished is what the alert says
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


def _is_about(seen: Seen, schema: str, name: str) -> bool:
    """Whether the alert is about that very index."""
    offender = seen.offender
    return offender.kind is AlertKind.INDEX and offender.subject == RelationName(schema=schema, name=name).sql


def _filters(seen: Seen, lost: vanishing.Lost) -> bool:
    """Whether the live plan reads rows that a condition on the lost index's first column then throws away."""
    filters = [n.filter for n in seen.live.plan.scans() if n.filter] if seen.live else []
    return bool(lost.columns) and any(re.search(rf"\b{re.escape(lost.columns[0])}\b", f) for f in filters)


def missing(seen: Seen) -> Iterator[Theory]:
    """Yield the indexes that the twin found to cure it."""
    report = seen.report
    for advice in report.advice if report else ():
        relation = advice.candidate.table
        finding = _lead(report, relation, advice) if report else None
        gain = _gain(advice)
        sure = 0.95 if gain >= 100 else 0.9 if gain >= 10 else 0.8 if gain >= 3 else 0.4
        if not _scans_much(seen, relation):
            sure = round(sure * 0.6, 2)
        keys = ", ".join(k.sql for k in advice.candidate.keys)
        why = f"{each_call(finding)}: " if finding else ""
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


def untried(seen: Seen) -> Iterator[Theory]:
    """An index that the live plan's conditions suggest, where no twin could try it."""
    report = seen.report
    for finding in report.findings if report and not report.advice else ():
        remedy = finding.remedy
        if remedy is None or not any("INDEX" in sql for sql in remedy.sql) or finding.severity is Severity.INFO:
            continue
        yield Theory(
            cause=Cause.MISSING_INDEX,
            confidence=0.75 if finding.severity is Severity.ERROR else 0.5,
            says=f"{each_call(finding)}: an index is missing.",
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
