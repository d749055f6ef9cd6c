"""From judged queries to the lock: what is recorded of each, and what of the old lock stays as it is.

An entry stays untouched, to the letter, while it tells the truth: the same query, the same findings, and a cost that is
no other by more than a near-tie.  So a new profile changes nothing in the file, and a branch changes what it is about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from premortem import baseline, sqltext
from premortem.baseline import Lock
from premortem.check import acceptance
from premortem.check.figures import figures
from premortem.check.novelty import PLAN_GOT_WORSE, Comparing
from premortem.model import (
    Accepted,
    AcceptedFinding,
    Change,
    Finding,
    Query,
    QueryReport,
    RelationName,
    Severity,
    Site,
    StatementKind,
    Verdict,
)

UNUSED_ACCEPTANCE = "unused-acceptance"
#: More tables than this, and the widest stand for all: a query over a thousand partitions is one line all the same.
_MOST_TABLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why findings are accepted, and until when; `accepts_all` takes in what fails, else what fails is left out."""

    says: str
    until: date | None = None
    accepts_all: bool = False


def updated(
    old: Lock | None,
    reports: Iterable[QueryReport],
    comparing: Comparing,
    reason: Reason,
    place: Callable[[Site], Site],
    forgets: Callable[[Accepted], bool],
) -> Lock:
    """Return the lock with today's queries; `forgets` says of one that nobody asks any more whether it goes."""
    before = dict(old.queries) if old is not None else {}
    entries: dict[str, Accepted] = {}
    replaced: set[str] = set()
    for report in reports:
        query = report.query
        if query is None or query.kind is StatementKind.UTILITY:
            continue
        if not reason.accepts_all and (not report.planned or report.verdict is Verdict.FAIL):
            continue
        name, match = comparing.sifted.name(query), comparing.sifted.match(query)
        entry = (_entry if report.planned else _untold)(report, query, comparing, reason, place)
        entries[name] = _merged(entries[name], entry) if name in entries else entry
        replaced |= {match.name} if match is not None else set()
    for name, entry in entries.items():
        entries[name] = kept(before[name], entry, comparing, refresh=reason.accepts_all) if name in before else entry
    gone = {n for n, a in comparing.sifted.gone.items() if forgets(a)}
    stay = {n: a for n, a in before.items() if n not in gone | (replaced - entries.keys())}
    return Lock(queries={**stay, **entries}, settings=baseline.planner_settings(comparing.profile))


def _entry(
    report: QueryReport, query: Query, comparing: Comparing, reason: Reason, place: Callable[[Site], Site]
) -> Accepted:
    profile = comparing.profile
    now = figures(report.planned, profile)
    return Accepted(
        fingerprint=query.fingerprint,
        text=sqltext.one_line(query.text),
        site=place(query.site),
        shape=baseline.outline(now.worst.plan),
        rows_read=rounded(now.rows_read),
        cost=rounded(now.cost),
        tables=_tables(query, comparing),
        indexes=tuple(sorted(baseline.used(report.planned, profile))),
        facts=comparing.world.facts(query),
        findings=_findings(report, comparing, reason),
        search_path=query.search_path,
        tags=tuple(sorted(query.tags)),
        is_captured=query.executions is not None,
    )


def _untold(
    report: QueryReport, query: Query, comparing: Comparing, reason: Reason, place: Callable[[Site], Site]
) -> Accepted:
    """Return the entry of a query that could not be planned, such as one of a table that only its tests make."""
    name = comparing.sifted.name(query)
    held = {f.key: f for f in a.findings} if (a := comparing.known.accepted.get(name)) is not None else {}
    finding = acceptance.untold(report.error or "")
    return Accepted(
        fingerprint=query.fingerprint,
        text=sqltext.one_line(query.text),
        site=place(query.site),
        shape=(),
        rows_read=0.0,
        cost=0.0,
        facts=comparing.world.facts(query),
        findings=(_accepted(finding, held.get(finding.key), comparing.settings.today, reason),),
        search_path=query.search_path,
        tags=tuple(sorted(query.tags)),
        is_captured=query.executions is not None,
    )


def _tables(query: Query, comparing: Comparing) -> tuple[tuple[RelationName, float], ...]:
    """Return the tables with rows that a query may read, foreign keys' children and views' tables included."""
    stored = [t for t in comparing.world.reads(query) if t.kind.has_storage]
    widest = sorted(stored, key=lambda t: (-t.rows, t.relation))[:_MOST_TABLES]
    return tuple((t.relation, rounded(t.rows)) for t in sorted(widest, key=lambda t: t.relation))


def _findings(report: QueryReport, comparing: Comparing, reason: Reason) -> tuple[AcceptedFinding, ...]:
    """Return the findings to accept: those that were accepted keep their reason, the rest get today's.

    An edit that left the plan as it was carries what was accepted of its old text.
    """
    held = _held(report, comparing, of_old_text=False)
    borne = {**_held(report, comparing, of_old_text=True), **held}
    suppressed = [s.finding for s in report.suppressed if s.finding.key in borne]
    found: dict[str, AcceptedFinding] = {}
    for finding, known in (*((f, held) for f in report.findings), *((f, borne) for f in suppressed)):
        if finding.severity is not Severity.INFO and finding.rule != PLAN_GOT_WORSE:
            found[finding.key] = _accepted(finding, known.get(finding.key), comparing.settings.today, reason)
    return tuple(found[key] for key in sorted(found))


def _held(report: QueryReport, comparing: Comparing, *, of_old_text: bool) -> dict[str, AcceptedFinding]:
    """Return what the lock accepts of a query, or of the text that it had before an edit."""
    if report.query is None:
        return {}
    match = comparing.sifted.match(report.query)
    if not of_old_text:
        was = comparing.known.accepted.get(comparing.sifted.name(report.query))
    else:
        was = comparing.known.accepted.get(match.name, match.was) if match is not None else None
    return {f.key: f for f in was.findings} if was is not None else {}


def _accepted(finding: Finding, held: AcceptedFinding | None, today: date, reason: Reason) -> AcceptedFinding:
    over = held is not None and held.until is not None and today > held.until
    if held is not None and not (over and reason.accepts_all):
        return replace(held, severity=finding.severity) if reason.accepts_all else held
    return AcceptedFinding(key=finding.key, severity=finding.severity, reason=reason.says, until=reason.until)


def _merged(one: Accepted, other: Accepted) -> Accepted:
    """Return the entry of a text that stands in several places, whose comments differ: it accepts what any shows."""
    findings = {f.key: f for f in (*other.findings, *one.findings)}
    return replace(one, findings=tuple(findings[key] for key in sorted(findings)))


def kept(old: Accepted, new: Accepted, comparing: Comparing, *, refresh: bool = False) -> Accepted:
    """Return the old entry where it still tells the truth, else the new one.

    A finding that is not seen today, although nothing that matters changed, may be seen again tomorrow.
    """
    seen, known = {f.key for f in new.findings}, {f.key for f in old.findings}
    schema = baseline.SCHEMA in baseline.changed(old.facts, new.facts)
    if refresh or not old.shape or not seen <= known or (schema and seen != known):
        return new
    if (old.site.source, old.site.name) != (new.site.source, new.site.name):
        old = replace(old, site=new.site)
    limits = comparing.settings.baseline
    low, high = sorted((max(old.cost, limits.min_cost), max(new.cost, limits.min_cost)))
    return new if high >= limits.worse * low else old


def rounded(value: float) -> float:
    """Return a number to two digits that count, so that it does not change from day to day.

    >>> rounded(2_137_450), rounded(8.572), rounded(0)
    (2100000.0, 8.6, 0.0)
    """
    if value <= 0 or not math.isfinite(value):
        return 0.0
    return float(f"{value:.2g}")


def stale(
    reports: Sequence[QueryReport], comparing: Comparing, site: Callable[[str], Site | None]
) -> tuple[Finding, ...]:
    """Return findings about the lock: what it accepts that a query, now really better, no longer shows."""
    return tuple(
        _stale(held, report, site(comparing.sifted.name(report.query)))
        for report in reports
        if report.query is not None and _is_better(report, comparing)
        for held in _unshown(report, comparing)
    )


def _is_better(report: QueryReport, comparing: Comparing) -> bool:
    """Return whether an unedited query costs really less than it did, or its schema is another."""
    difference = report.difference
    if difference is None or difference.change is not Change.UNCHANGED or difference.was is None or not report.planned:
        return False
    assert report.query is not None
    if baseline.SCHEMA in baseline.changed(difference.was.facts, comparing.world.facts(report.query)):
        return True
    now = figures(report.planned, comparing.profile).cost
    return now * comparing.settings.baseline.worse <= difference.was.cost


def _unshown(report: QueryReport, comparing: Comparing) -> tuple[AcceptedFinding, ...]:
    assert report.query is not None
    held = comparing.known.accepted.get(comparing.sifted.name(report.query))
    shown = {f.key for f in report.findings} | {s.finding.key for s in report.suppressed}
    return tuple(f for f in held.findings if f.key not in shown) if held is not None else ()


def _stale(held: AcceptedFinding, report: QueryReport, site: Site | None) -> Finding:
    rule = held.key.partition(":")[0]
    return Finding(
        rule=UNUSED_ACCEPTANCE,
        severity=Severity.WARNING,
        says=f"the lock accepts {rule} of {report.site}, which no longer shows it; run check with --update-lock",
        key=f"{UNUSED_ACCEPTANCE}:{held.key}",
        site=site,
    )
