"""What a team decided, applied to what was found: severities, budgets, allow comments, owners.

Here and nowhere else a finding starts or stops to count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from premortem.check import allows, budgets
from premortem.model import Finding, Gap, Profile, QueryReport, RelationName, Severity, Suppressed, Verdict
from premortem.settings import Settings

_RANK = (Severity.INFO, Severity.WARNING, Severity.ERROR)


def apply(report: QueryReport, settings: Settings, *, profile: Profile) -> QueryReport:
    """Return a query's report, whose findings are all that the rules saw, with what counts of them and whom to ask."""
    owned = replace(report, owners=settings.owners_of(report.site.source, _tables(report)))
    if report.error is not None or report.query is None or not report.planned:
        return owned
    here = settings.at(report.site.source)
    found = (*report.findings, *budgets.over(report, here, profile))
    counted, suppressed = _counted(found, report, here)
    wanted = {sql for f in counted if f.remedy for sql in f.remedy.sql}
    return replace(
        owned,
        verdict=verdict(counted),
        findings=counted,
        suppressed=(*report.suppressed, *suppressed),
        advice=tuple(a for a in report.advice if wanted.issuperset(a.sql)),
    )


def _tables(report: QueryReport) -> tuple[RelationName, ...]:
    """Return the tables that the plans of a query touch, those it writes included."""
    nodes = (n for p in report.planned for n in p.plan.walk())
    return tuple(dict.fromkeys(n.relation for n in nodes if n.relation is not None))


def unmatched(settings: Settings, profile: Profile) -> tuple[Gap, ...]:
    """Return a gap for tables that the settings name and nobody has: whoever named them expects an effect."""
    named = (
        *settings.tables,
        *(t for b in settings.budgets for t in b.tables),
        *(t for o in settings.owners for t in o.tables),
    )
    plain = dict.fromkeys(name for name in named if not set(name) & set("*?["))
    missing = [name for name in plain if not _exists(name, profile)]
    if not missing:
        return ()
    return (
        Gap(
            subject="settings",
            says=f"They name {', '.join(missing)}, which no table of the profile or of the change is called.",
            effect="What they say of it has no effect.",
        ),
    )


def _exists(name: str, profile: Profile) -> bool:
    known = {n for t in profile.tables for n in (t.name, t.full_name, t.relation.sql, f"{t.schema}.{t.name}")}
    return name in known


def _counted(
    findings: Iterable[Finding], report: QueryReport, settings: Settings
) -> tuple[tuple[Finding, ...], tuple[Suppressed, ...]]:
    on, off = split(findings, settings)
    said = report.query.allows if report.query else ()
    shown = {s.finding.rule for s in off}
    counted, allowed = allows.apply(on, said, settings.rule_names, today=settings.today, also_shown=shown)
    left, silenced = split(counted, settings)  # what is said of the comments has a severity too
    return left, (*off, *allowed, *silenced)


def split(findings: Iterable[Finding], settings: Settings) -> tuple[tuple[Finding, ...], tuple[Suppressed, ...]]:
    """Return the findings as the settings grade them, and those that they switch off, each with why.

    Budgets, comments and the schema are graded here; the rules' own severities were given when they were found.
    """
    on: list[Finding] = []
    off: list[Suppressed] = []
    for finding in findings:
        if settings.silent:
            off.append(Suppressed(finding=finding, reason="switched off for this path in the settings"))
        elif finding.rule in settings.off:
            off.append(Suppressed(finding=finding, reason="switched off in the settings"))
        else:
            on.append(_graded(finding, settings))
    return tuple(on), tuple(off)


def of_schema(findings: Sequence[Finding], settings: Settings) -> tuple[Finding, ...]:
    """Return the findings about no query that count, graded by the settings for the file in which they stand."""
    return tuple(kept for f in findings for kept in split([f], settings.at(f.site.source) if f.site else settings)[0])


def _graded(finding: Finding, settings: Settings) -> Finding:
    severity = settings.severities.get(finding.rule, finding.severity)
    if settings.at_most is not None:
        severity = min(severity, settings.at_most, key=_RANK.index)
    return finding if severity is finding.severity else replace(finding, severity=severity)


def verdict(findings: Iterable[Finding]) -> Verdict:
    """Return what the findings amount to: an error fails the gate, nothing else does."""
    return Verdict.FAIL if any(f.severity is Severity.ERROR for f in findings) else Verdict.PASS
