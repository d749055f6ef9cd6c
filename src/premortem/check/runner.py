"""Runs the judgement of queries and makes the report of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from premortem.check import allows, foreign_keys
from premortem.check.judgement import Judgement, judge
from premortem.check.planner import Planner
from premortem.errors import PremortemError, ServerTimeout, StatementError
from premortem.model import (
    Facts,
    Finding,
    Gap,
    Profile,
    Query,
    QueryReport,
    Report,
    Severity,
    StatementKind,
    Suppressed,
    Unreadable,
    Verdict,
)
from premortem.settings import Settings

_REPORT_IT = "run it again with --debug and report what it says"


def run(query: Query | Unreadable, *, planner: Planner, profile: Profile, settings: Settings) -> QueryReport:
    """Return everything that is known of one query, with its verdict."""
    return next(run_all([query], planner=planner, profile=profile, settings=settings))


def run_all(
    queries: Iterable[Query | Unreadable],
    *,
    planner: Planner,
    profile: Profile,
    settings: Settings,
    progress: Callable[[int], None] = lambda done: None,
    strict: bool = False,
) -> Iterator[QueryReport]:
    """Yield a report for each different statement, in the order in which they are first met.

    The same text is planned once; where its comments differ from place to place, each has a report of its own.  A bug
    of ours makes that one query "could not tell", so that the others are judged; `strict` raises it instead.
    """
    judged: dict[object, Judgement | PremortemError] = {}
    for done, same in enumerate(_alike(queries)):
        first = same[0]
        also = tuple(q.site for q in same[1:])
        if isinstance(first, Unreadable):
            yield replace(_unreadable(first), also_at=also)
        elif first.kind is StatementKind.UTILITY:
            yield replace(_skipped(first), also_at=also)
        else:
            known = (first.text, first.search_path)
            if known not in judged:
                judged[known] = _judge(first, planner, profile, settings, strict=strict)
            yield replace(_reported(first, judged[known], settings), also_at=also)
        progress(done + 1)


def _alike(queries: Iterable[Query | Unreadable]) -> list[list[Query | Unreadable]]:
    groups: dict[object, list[Query | Unreadable]] = {}
    for query in queries:
        groups.setdefault(_identity(query), []).append(query)
    return list(groups.values())


def _identity(query: Query | Unreadable) -> object:
    if isinstance(query, Unreadable):
        return query.original, query.says
    return query.text, query.search_path, tuple((a.rule, a.reason) for a in query.allows)


def _judge(
    query: Query, planner: Planner, profile: Profile, settings: Settings, *, strict: bool
) -> Judgement | PremortemError:
    try:
        judgement = judge(query, planner=planner, profile=profile, settings=settings)
        return foreign_keys.judged(query, judgement, planner=planner, profile=profile, settings=settings)
    except (StatementError, ServerTimeout) as error:
        return error
    except PremortemError:
        raise
    except Exception as error:  # one query's bug must not take the verdict on the others away
        if strict:
            raise
        return PremortemError(f"{type(error).__name__}: {error}; this is a bug in premortem", hint=_REPORT_IT)


def _reported(query: Query, outcome: Judgement | PremortemError, settings: Settings) -> QueryReport:
    if isinstance(outcome, PremortemError):
        return _unplannable(query, outcome)
    counted, suppressed = _counted(query, outcome.findings, settings)
    wanted = {sql for f in counted if f.remedy for sql in f.remedy.sql}
    return QueryReport(
        query=query,
        site=query.site,
        original=query.original,
        verdict=verdict(counted),
        planned=outcome.planned,
        findings=counted,
        suppressed=suppressed,
        advice=tuple(a for a in outcome.advice if wanted.issuperset(a.sql)),
        declined=outcome.declined,
        gaps=outcome.gaps,
    )


def _counted(
    query: Query, findings: Sequence[Finding], settings: Settings
) -> tuple[tuple[Finding, ...], tuple[Suppressed, ...]]:
    """Return the findings that count, and those that a setting or a comment keeps from counting, each with why."""
    why = "switched off in the settings"
    off = tuple(Suppressed(finding=f, reason=why) for f in findings if f.rule in settings.off)
    on = [f for f in findings if f.rule not in settings.off]
    counted, suppressed = allows.apply(on, query.allows, settings.rule_names)
    return counted, (*off, *suppressed)


def _unplannable(query: Query, error: PremortemError) -> QueryReport:
    return QueryReport(
        query=query,
        site=query.site,
        original=query.original,
        verdict=Verdict.UNKNOWN,
        error=error.message,
        hint=error.hint,
    )


def _unreadable(piece: Unreadable) -> QueryReport:
    return QueryReport(
        query=None,
        site=piece.site,
        original=piece.original,
        verdict=Verdict.UNKNOWN,
        error=piece.says,
        hint=piece.hint,
    )


def _skipped(query: Query) -> QueryReport:
    return QueryReport(query=query, site=query.site, original=query.original, verdict=Verdict.PASS)


def verdict(findings: Iterable[Finding]) -> Verdict:
    """Return what the findings amount to: an error fails the gate, nothing else does."""
    return Verdict.FAIL if any(f.severity is Severity.ERROR for f in findings) else Verdict.PASS


def report(
    reports: Sequence[QueryReport],
    facts: Facts,
    *,
    findings: Sequence[Finding] = (),
    gaps: Sequence[Gap] = (),
    seconds: float | None = None,
) -> Report:
    """Return the one value that renderers take; `findings` are those about the schema and not about a query."""
    verdicts = (verdict(findings), *(r.verdict for r in reports))
    return Report(
        verdict=Verdict.worst(verdicts),
        queries=tuple(reports),
        facts=facts,
        findings=tuple(findings),
        gaps=tuple(dict.fromkeys(gaps)),
        seconds=seconds,
    )
