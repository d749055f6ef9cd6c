"""What `check` does with the change's migrations: it judges what the twin saw them do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from premortem import check, migrations, sources, twin
from premortem.errors import UsageError
from premortem.model import Profile, Query, QueryReport, Report, StatementKind, Verdict
from premortem.settings import Settings


def read(arguments: argparse.Namespace, changes: sources.Changes | None) -> tuple[migrations.Migration, ...]:
    """Return the migrations that a command line names; with `--changed-since`, those that the branch touches.

    Raises UsageError where standard input is to be the queries too.
    """
    paths: list[Path] = arguments.migrations
    if Path("-") in paths and "-" in getattr(arguments, "paths", ()):
        raise UsageError("standard input cannot be the queries and the migrations", hint="name files for one of them")

    def is_touched(path: Path) -> bool:
        return changes is None or changes.touches(path) is not False

    return migrations.read(paths, stdin=sys.stdin, only=is_touched)


def judged(
    change: Sequence[migrations.Migration],
    production: Profile,
    opened: twin.Twin,
    planner: check.Planner,
    reports: Sequence[QueryReport],
    settings: Settings,
) -> migrations.Judged:
    """Return what is wrong with the change's migrations; nothing where there are none."""
    if not change:
        return migrations.Judged()
    workload = [q for q in sources.workload(production) if isinstance(q, Query) and q.kind is not StatementKind.UTILITY]
    uses = migrations.Uses(
        reports=tuple(reports),
        workload=tuple(workload),
        planner=planner,
        before=production,
        after=opened.profile,
    )
    linted = migrations.lint(change, production.server.major)
    return migrations.judge(migrations.steps(change), opened.observed, linted=linted, uses=uses, settings=settings)


def with_migrations(report: Report, judged: migrations.Judged) -> Report:
    """Return a report with what is wrong with the migrations; what could not be looked at is no pass."""
    could_not_tell = () if judged.complete else (Verdict.UNKNOWN,)
    return replace(
        report,
        findings=(*report.findings, *judged.findings),
        gaps=tuple(dict.fromkeys((*report.gaps, *judged.gaps))),
        verdict=Verdict.worst((report.verdict, check.policy.verdict(judged.findings), *could_not_tell)),
    )
