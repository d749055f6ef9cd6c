"""Runs the judgement of queries and makes the report of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from premortem.check import foreign_keys, policy
from premortem.check.executor import Executor
from premortem.check.judgement import Judgement, judge
from premortem.check.planner import Planner
from premortem.errors import PremortemError, ServerTimeout, StatementError
from premortem.model import (
    Accepted,
    Facts,
    Finding,
    Gap,
    Profile,
    Query,
    QueryReport,
    Report,
    StatementKind,
    Unreadable,
    Verdict,
)
from premortem.settings import Settings

_REPORT_IT = "run it again with --debug and report what it says"


def run(
    query: Query | Unreadable,
    *,
    planner: Planner,
    profile: Profile,
    settings: Settings,
    executor: Executor | None = None,
) -> QueryReport:
    """Return everything that is known of one query, with its verdict."""
    return next(run_all([query], planner=planner, profile=profile, settings=settings, executor=executor))


def run_all(
    queries: Iterable[Query | Unreadable],
    *,
    planner: Planner,
    profile: Profile,
    settings: Settings,
    progress: Callable[[int], None] = lambda done: None,
    strict: bool = False,
    executor: Executor | None = None,
) -> Iterator[QueryReport]:
    """Yield a report for each different statement, in the order in which they are first met.

    The same text is planned once; where its comments, or the settings of its path, differ from place to place, each has
    a report of its own.  A bug of ours makes that one query "could not tell", so that the others are judged; `strict`
    raises it instead.  An `executor` executes each of them as well.
    """
    judged: dict[object, Judgement | PremortemError] = {}
    for done, same in enumerate(_alike(queries, settings)):
        first = same[0]
        also = tuple(q.site for q in same[1:])
        if isinstance(first, Unreadable):
            told = _unreadable(first)
        elif first.kind is StatementKind.UTILITY:
            told = _skipped(first)
        else:
            known = (first.text, first.search_path, settings.places(first.site.source))
            if known not in judged:
                here = settings.at(first.site.source)
                judged[known] = _judge(first, planner, profile, here, executor, strict=strict)
            told = _reported(first, judged[known])
        yield policy.apply(replace(told, also_at=also), settings, profile=profile)
        progress(done + 1)


def _alike(queries: Iterable[Query | Unreadable], settings: Settings) -> list[list[Query | Unreadable]]:
    groups: dict[object, list[Query | Unreadable]] = {}
    for query in queries:
        groups.setdefault((_identity(query), settings.apart(query)), []).append(query)
    return list(groups.values())


def _identity(query: Query | Unreadable) -> object:
    if isinstance(query, Unreadable):
        return query.original, query.says
    return query.text, query.search_path, tuple((a.rule, a.reason, a.until, a.mistake) for a in query.allows)


def _judge(
    query: Query, planner: Planner, profile: Profile, settings: Settings, executor: Executor | None, *, strict: bool
) -> Judgement | PremortemError:
    try:
        judgement = judge(query, planner=planner, profile=profile, settings=settings, executor=executor)
        return foreign_keys.judged(query, judgement, planner=planner, profile=profile, settings=settings)
    except (StatementError, ServerTimeout) as error:
        return error
    except PremortemError:
        raise
    except Exception as error:  # one query's bug must not take the verdict on the others away
        if strict:
            raise
        return PremortemError(f"{type(error).__name__}: {error}; this is a bug in premortem", hint=_REPORT_IT)


def _reported(query: Query, outcome: Judgement | PremortemError) -> QueryReport:
    """Return all that was found of a query, before anybody decided what of it counts."""
    if isinstance(outcome, PremortemError):
        return _unplannable(query, outcome)
    return QueryReport(
        query=query,
        site=query.site,
        original=query.original,
        verdict=policy.verdict(outcome.findings),
        planned=outcome.planned,
        findings=outcome.findings,
        advice=outcome.advice,
        declined=outcome.declined,
        gaps=outcome.gaps,
        executed=outcome.executed,
    )


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


def report(
    reports: Sequence[QueryReport],
    facts: Facts,
    *,
    findings: Sequence[Finding] = (),
    gaps: Sequence[Gap] = (),
    unchanged: int = 0,
    gone: Sequence[Accepted] = (),
    seconds: float | None = None,
) -> Report:
    """Return the one value that renderers take; `findings` are those about no single query.

    `unchanged` counts the queries that did not have to be judged, `gone` are accepted ones that nobody asks any more.
    """
    verdicts = (policy.verdict(findings), *(r.verdict for r in reports))
    return Report(
        verdict=Verdict.worst(verdicts),
        queries=tuple(reports),
        facts=facts,
        findings=tuple(findings),
        gaps=tuple(dict.fromkeys(gaps)),
        unchanged=unchanged,
        gone=tuple(gone),
        seconds=seconds,
    )
