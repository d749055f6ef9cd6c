"""`premortem explain --plan`: reads what somebody pasted, judges every plan in it, writes the report.

A profile is optional.  With one, the plan's findings are about production's tables; where the statement is there too
(auto_explain logs it, a session shows it, the command line names it), the twin plans it and proves an index.
"""

from __future__ import annotations

import argparse
import codecs
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from premortem import __version__, check, plans, sources, twin
from premortem.cli import delivery, output, parallel
from premortem.cli.configured import settings_of
from premortem.cli.judging import profile_of
from premortem.cli.progress import Told, shown
from premortem.errors import InputError, UsageError
from premortem.model import Facts, Gap, Planned, Profile, Query, QueryReport, Report, Site, StatementKind
from premortem.settings import Settings

_STDIN = "<stdin>"
_MOST_BYTES = 64 * 1024 * 1024
_UNKNOWN = "-- the statement of this plan is not given"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def judged(arguments: argparse.Namespace) -> int:
    """Judge the plans of `--plan` and return the verdict's exit code."""
    started = time.monotonic()
    wanted = delivery.wanted(arguments)
    settings = settings_of(arguments.settings)
    source = _STDIN if arguments.plan == output.STANDARD else arguments.plan
    pasted = plans.read(_text(arguments.plan))
    queries = [_query(one, arguments.query, source) for one in pasted]
    with shown("reading plans", quiet=arguments.quiet) as told:
        report = _report(arguments, settings, source, pasted, queries, told)
    delivery.write(replace(report, seconds=time.monotonic() - started), wanted, details=True)
    return report.verdict.exit_code


def _report(
    arguments: argparse.Namespace,
    settings: Settings,
    source: str,
    pasted: Sequence[plans.Pasted],
    queries: Sequence[Query],
    told: Told,
) -> Report:
    if arguments.profile is None:
        if arguments.migrations:
            raise UsageError("--migrations needs a profile", hint="name production's profile with -p")
        return check.report(_judged(pasted, queries, None, settings, source, {}), _facts(source))
    profile, identity = profile_of(arguments.profile)
    world = parallel.World(
        profile=profile,
        identity=identity,
        migrations=twin.read_migrations(arguments.migrations),
        assumptions={name: twin.Assumption(rows=rows) for name, rows in settings.tables.items()},
    )
    facts = replace(
        _facts(source),
        profile_name=arguments.profile.name,
        profile_taken_at=profile.taken_at,
        production_version=profile.server.version.split(" ")[0],
        values=profile.values,
    )
    gaps: tuple[Gap, ...] = profile.gaps
    reports: Mapping[str, QueryReport] = {}
    if any(q.text for q in queries) or arguments.migrations:
        with world.open(told) as opened:
            planner = parallel.planner_of(opened)
            known = [q for q in queries if q.text]
            run = check.run_all(
                known, planner=planner, profile=opened.profile, settings=settings, strict=arguments.debug
            )
            reports = {r.query.text: r for r in run if r.query is not None}
            facts = replace(facts, twin_version=opened.server_version, twin_is_exact=opened.is_exact)
            gaps, profile = (*gaps, *opened.gaps), opened.profile
    return check.report(_judged(pasted, queries, profile, settings, source, reports), facts, gaps=gaps)


def _judged(
    pasted: Sequence[plans.Pasted],
    queries: Sequence[Query],
    profile: Profile | None,
    settings: Settings,
    source: str,
    twins: Mapping[str, QueryReport],
) -> tuple[QueryReport, ...]:
    return tuple(
        check.judge_plan(
            Planned(parameters=check.pasted_values(source), plan=one.plan, json=one.json),
            query,
            profile=profile,
            settings=settings,
            sound=one.sound,
            twin=twins.get(query.text) if query.text else None,
        )
        for one, query in zip(pasted, queries, strict=True)
    )


def _query(pasted: plans.Pasted, typed: str | None, source: str) -> Query:
    """Return the statement that a plan is of; without a text where it is unknown or cannot be read."""
    site = Site(source=source, line=pasted.line)
    text = typed if typed is not None else pasted.statement
    read = sources.text(text, site) if text else ()
    found = next((q for q in read if isinstance(q, Query) and q.kind is not StatementKind.UTILITY), None)
    if found is None:
        return Query(text="", original=text or _UNKNOWN, fingerprint="", site=site)
    return replace(found, site=replace(found.site, line=pasted.line))


def _text(named: str) -> str:
    """Return the text of a file or of standard input, whatever wrote it: UTF-8, or UTF-16 as PowerShell's `>` does.

    Raises InputError.
    """
    try:
        if named == output.STANDARD:
            content = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(named).open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{named} cannot be read: {said}", hint="name a file that holds a plan, or -") from error
    if len(content) > _MOST_BYTES:
        raise InputError(
            f"{named} is larger than {_MOST_BYTES >> 20} MB", hint="cut the plans out of it; capture reads whole logs"
        )
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    return content.decode(encoding, "replace")


def _facts(source: str) -> Facts:
    return Facts(
        profile_name="",
        profile_taken_at=None,
        production_version="",
        twin_version="",
        twin_is_exact=True,
        premortem_version=__version__,
        plans_from=source,
    )
