"""Judges the queries that foreign keys run on behalf of a DELETE or UPDATE, and tells them under that statement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from premortem import sqltext
from premortem.check.judgement import FOREIGN_KEY, Judgement, judge
from premortem.check.planner import Planner
from premortem.check.proof import unhelped
from premortem.errors import StatementError
from premortem.model import Evidence, Finding, Gap, Profile, Query, Severity
from premortem.settings import Settings
from premortem.triggers import Change, Hidden, changes, hidden

#: How many foreign keys a cascade is followed through; a longer chain is told as a gap.
MOST_QUERIES = 64


def judged(query: Query, judgement: Judgement, *, planner: Planner, profile: Profile, settings: Settings) -> Judgement:
    """Return the judgement with what the foreign keys' own queries showed."""
    done: set[str] = set()
    waiting = list(_of(query, judgement, profile))
    while waiting and len(done) < MOST_QUERIES:
        next_one = waiting.pop(0)
        if next_one.query.fingerprint in done:
            continue
        done.add(next_one.query.fingerprint)
        try:
            inner = judge(next_one.query, planner=planner, profile=profile, settings=settings)
        except StatementError as error:
            judgement = replace(judgement, gaps=(*judgement.gaps, _unplanned(next_one, error)))
            continue
        judgement = absorbed(judgement, next_one, inner, settings)
        waiting.extend(_of(next_one.query, inner, profile))
    return replace(judgement, gaps=(*judgement.gaps, _cut(query))) if waiting else judgement


def _of(query: Query, judgement: Judgement, profile: Profile) -> Iterator[Hidden]:
    if not any(n.kind == "ModifyTable" for p in judgement.planned for n in p.plan.walk()):
        return
    facts = sqltext.statement_facts(query.text)
    seen: dict[tuple[object, str], Change] = {}
    for planned in judgement.planned:
        for change in changes(planned.plan, facts):
            place = (change.relation, change.operation)
            seen[place] = max(seen.get(place, change), change, key=lambda c: c.rows)
    for change in seen.values():
        yield from hidden(change, profile, query.site)


def absorbed(judgement: Judgement, trigger: Hidden, inner: Judgement, settings: Settings) -> Judgement:
    """Return the judgement with a trigger's query told as the statement's own.

    Where the rule on foreign keys has seen the same thing, its finding takes the remedy; else the trigger's own
    findings are added, each saying whence it comes.
    """
    told = [f for f in judgement.findings if _is_about(f, trigger)]
    rest = tuple(f for f in judgement.findings if f not in told)
    cures = [f for f in inner.findings if f.remedy is not None and f.remedy.sql]
    if told and cures:
        new = tuple(_cured(f, cures[0]) for f in told)
    elif told:
        new = tuple(_quiet(f, inner, settings) for f in told)
    else:
        new = tuple(_hosted(f, trigger) for f in inner.findings if f.severity is not Severity.INFO)
    return replace(
        judgement,
        findings=(*rest, *new),
        advice=(*judgement.advice, *(a for a in inner.advice if a not in judgement.advice)),
        declined=(*judgement.declined, *inner.declined),
        gaps=(*judgement.gaps, *inner.gaps),
    )


def _is_about(finding: Finding, trigger: Hidden) -> bool:
    columns = ",".join(trigger.columns)
    return finding.rule == FOREIGN_KEY and finding.table == trigger.child and columns in finding.key.replace(" ", "")


def _cured(finding: Finding, cure: Finding) -> Finding:
    """Return the finding with the trigger's remedy; the plan that shows it is the trigger's, not the statement's."""
    worse = Severity.ERROR if Severity.ERROR in (finding.severity, cure.severity) else finding.severity
    return replace(finding, severity=worse, remedy=cure.remedy, node=None, parameters=None)


def _quiet(finding: Finding, inner: Judgement, settings: Settings) -> Finding:
    if finding.severity is Severity.INFO or finding.rule in settings.severities:
        return finding
    return replace(finding, severity=Severity.INFO, says=unhelped(finding.says, inner.says))


def _hosted(finding: Finding, trigger: Hidden) -> Finding:
    rows = Evidence.plan("rows that the statement changes", trigger.rows, "rows")
    return replace(
        finding,
        says=f"{trigger.says}, and that {finding.says}",
        node=None,
        key=f"{finding.key}:{trigger.constraint}",
        evidence=(*finding.evidence, rows),
    )


def _unplanned(trigger: Hidden, error: StatementError) -> Gap:
    return Gap(
        subject=f"foreign key {trigger.constraint} of {trigger.child}",
        says=f"the query of its trigger could not be planned: {error.message}",
        effect="what it reads is not part of the verdict",
    )


def _cut(query: Query) -> Gap:
    return Gap(
        subject="cascading foreign keys",
        says=f"more than {MOST_QUERIES} foreign keys follow from {query.site}, the rest were not planned",
        effect="what they read is not part of the verdict",
    )
