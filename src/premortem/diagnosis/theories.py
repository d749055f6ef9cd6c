"""What may be the cause, each with the evidence for it and how sure that makes us.

A theory is pure: it looks at what was seen and says what it takes for the cause, or nothing.  The likeliest leads the
diagnosis; the others' remedies stand behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from premortem import words
from premortem.diagnosis import crowding, indexing
from premortem.diagnosis.seen import Seen, Theory, growth, moment, of_schema, sentence, shape_differs, used_now
from premortem.model import (
    Action,
    AlertKind,
    Cause,
    Evidence,
    Proof,
    Severity,
    Source,
)


def theories(seen: Seen) -> tuple[Theory, ...]:
    """Return what may be the cause, the likeliest first; there is always one."""
    found = [
        *crowding.locked(seen),
        *crowding.pool(seen),
        *crowding.open_transaction(seen),
        *crowding.connections(seen),
        *indexing.invalid(seen),
        *indexing.vanished(seen),
        *indexing.missing(seen),
        *indexing.untried(seen),
        *_stale(seen),
        *_plan_changed(seen),
        *_query(seen),
        *_grew(seen),
        *_traffic(seen),
        _unknown(seen),
    ]
    return tuple(sorted(found, key=lambda t: -t.confidence))


def _stale(seen: Seen) -> Iterator[Theory]:
    changed = seen.offender.plan_before is not None and shape_differs(seen)
    for finding in of_schema(seen, "stale-statistics"):
        table = seen.profile.table(finding.table) if seen.profile and finding.table else None
        if table is None or table not in seen.tables:
            continue
        rows = max(table.rows, 1.0)
        share = table.activity.modified_since_analyze / rows
        never = table.tuples < 0 or "never" in finding.says
        sure = 0.75 if never or share >= 1 else 0.65 if share >= 0.5 else 0.4
        if not never and table.pages <= 1.1 * table.relation_pages:
            # Rows that a session added just before its own ANALYZE are counted after it; such a file has not grown.
            sure = 0.25
        off = any("autovacuum_enabled=false" in o or "autovacuum_enabled=off" in o for o in table.options)
        why = "; autovacuum is off for it" if off else ""
        if seen.profile and seen.profile.setting("autovacuum", "on") == "off":
            why = "; autovacuum is off on this server"
        yield Theory(
            cause=Cause.STALE_STATISTICS,
            confidence=min(0.94, round(sure + (0.2 if changed else 0.0), 2)),
            says=f"{sentence(finding.says)}{why}: the planner guesses.",
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
    if before is None or not shape_differs(seen):
        return
    used = [i.name for i in before.indexes if i not in used_now(seen)]
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
            says=f"{sentence(finding.says)} ({finding.rule}).",
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
    seen_one = seen.live is not None or bool(seen.report and seen.report.planned)
    planned = "Its plan shows nothing that would make it slow." if seen_one else "There is no plan of it to look at."
    return Theory(cause=Cause.UNKNOWN, confidence=0.1, says=planned + told)


def _waits(seen: Seen) -> str:
    events = [f"{b.wait_type}/{b.wait}" for b in seen.offender.running if b.wait_type not in ("", "Client", "Lock")]
    return words.listing(sorted(set(events), key=lambda e: -events.count(e)), most=2)
