"""`premortem adopt`: accepts what an old code base has, so that the gate judges what is new."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial

from premortem import check, words
from premortem.cli import judging, locking, output
from premortem.cli.inputs import gather
from premortem.errors import UsageError
from premortem.model import QueryReport, Severity, Verdict

#: So many of the queries that could not be told are named; the rest are counted.
_NAMED = 10


def run(arguments: argparse.Namespace) -> int:
    """Write the lock with today's findings accepted; 3 where it may lack a query that could not be judged or seen."""
    today = date.today()
    if arguments.until is not None and arguments.until <= today:
        raise UsageError(f"--until {arguments.until} is over already", hint="name a day to come")
    file = locking.lock_file(arguments, writes=True)
    assert file is not None
    reason = check.Reason(says=arguments.reason or f"adopted {today}", until=arguments.until, accepts_all=True)
    outcome = judging.run(arguments, partial(gather, arguments), file=file, reason=reason)
    assert outcome.lock is not None
    said = locking.write(file, outcome.lock, outcome.report.gone)
    reports = outcome.report.queries
    lacks = [] if outcome.is_whole else ["  the suite failed, so some of its queries may be missing"]
    output.write("\n".join([said, *_accepted(reports, reason), *_merging(file), *_untold(reports), *lacks]) + "\n")
    told = outcome.is_whole and all(r.query is not None for r in reports if r.verdict is Verdict.UNKNOWN)
    return 0 if told else Verdict.UNKNOWN.exit_code


def _accepted(reports: Sequence[QueryReport], reason: check.Reason) -> Iterator[str]:
    """Yield what was accepted: how many findings, of how many queries, until when."""
    findings = [f for r in reports for f in r.findings if f.severity is not Severity.INFO]
    if not findings:
        yield "  no finding had to be accepted"
        return
    errors = sum(f.severity is Severity.ERROR for f in findings)
    queries = sum(any(f.severity is not Severity.INFO for f in r.findings) for r in reports)
    of = f"in {words.plural(queries, 'query', 'queries')}, {words.plural(errors, 'of them an error', 'of them errors')}"
    until = f", until {reason.until}" if reason.until else ""
    yield f"  {words.plural(len(findings), 'finding')} accepted {of}{until}"


def _merging(file: locking.LockFile) -> Iterator[str]:
    """Yield what to tell git, once: two branches that add queries then always merge."""
    attributes = file.path.parent / ".gitattributes"
    line = f"{file.path.name} merge=union"
    if file.lock is None and (not attributes.is_file() or line not in attributes.read_text("utf-8", "replace")):
        yield f"  for clean merges add to .gitattributes: {line}"


def _untold(reports: Sequence[QueryReport]) -> Iterator[str]:
    """Yield what could not be planned: what the lock accepts for all that, and what it cannot hold."""
    unknown = [r for r in reports if r.verdict is Verdict.UNKNOWN]
    yield from _named("that could not be planned, accepted as such", [r for r in unknown if r.query is not None])
    yield from _named("that are no SQL, which no lock can hold", [r for r in unknown if r.query is None])


def _named(what: str, reports: Sequence[QueryReport]) -> Iterator[str]:
    if not reports:
        return
    yield f"  {words.plural(len(reports), 'statement')} {what}:"
    for report in reports[:_NAMED]:
        yield f"    {words.one_line(str(report.site))}: {words.one_line(report.error or '')}"
    if len(reports) > _NAMED:
        yield f"    and {words.number(len(reports) - _NAMED)} more; premortem check names them"
