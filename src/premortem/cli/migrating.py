"""What `check` does with the change's migrations: it judges what the twin saw them do."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from premortem import check, migrations, sources, twin
from premortem.cli import parallel
from premortem.cli.progress import Told
from premortem.errors import UsageError
from premortem.model import Gap, Profile, Query, QueryReport, Report, StatementKind, Verdict
from premortem.settings import Settings

_SHOWN = 5
#: What Django's sqlmigrate writes for an operation that the database need not know of, and for RunPython.
_NO_STATEMENT, _PROGRAM = "(no-op)", "CANNOT BE WRITTEN AS SQL"


def read(arguments: argparse.Namespace, changes: sources.Changes | None) -> tuple[migrations.Migration, ...]:
    """Return the migrations that a command line names; with `--changed-since`, those that the branch touches.

    Raises UsageError where standard input is to be the queries too, or holds nothing.
    """
    paths: list[Path] = arguments.migrations
    if Path("-") in paths and "-" in getattr(arguments, "paths", ()):
        raise UsageError("standard input cannot be the queries and the migrations", hint="name files for one of them")

    def is_touched(path: Path) -> bool:
        return changes is None or changes.touches(path) is not False

    found = migrations.read(paths, stdin=sys.stdin, only=is_touched)
    if any(m.path == migrations.STDIN and not m.text.strip() for m in found):
        raise UsageError(
            "standard input holds no migration",
            hint="the command before the pipe wrote none, or failed: `set -o pipefail` lets the job end there",
        )
    return found


def unseen(change: Sequence[migrations.Migration]) -> tuple[Gap, ...]:
    """Return a gap for each file that holds nothing to judge, or a step that is a program."""
    silent = (
        Gap(subject=f"migration {m.path}", says="It holds no statement.", effect="There was nothing in it to judge.")
        for m in change
        if is_silent(m)
    )
    programs = (
        Gap(
            subject=f"migration {m.path}",
            says=f"A step of it is a program, which cannot be written as SQL (line {line}).",
            effect="What it does to production's rows is not judged.",
        )
        for m in change
        for line, text in enumerate(m.text.splitlines(), 1)
        if text.startswith("--") and _PROGRAM in text
    )
    return (*silent, *programs)


def is_silent(migration: migrations.Migration) -> bool:
    """Whether a migration holds no statement, and no word of its tool that there is none to be made."""
    return not migrations.steps((migration,)) and _NO_STATEMENT not in migration.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The twins of a run: `opened`, which `world` opens, plans the queries, and on `migrated` the migrations ran."""

    world: parallel.World
    opened: twin.Twin
    migrated: twin.Twin


def stage(world: parallel.World, stack: contextlib.ExitStack, told: Told) -> Stage:
    """Open what the queries and the migrations are judged on.

    Migrations run on production's schema, whatever schema a suite's run has left: there they would find their work
    done.  What they leave is what that schema is then grafted onto, so a renamed table keeps its figures.
    """
    if world.branch is None or not world.migrations:
        opened = stack.enter_context(world.open(told))
        return Stage(world=world, opened=opened, migrated=opened)
    migrated = stack.enter_context(replace(world, branch=None).open(told))
    identity = f"{world.identity} {_digest(world.migrations)}" if world.identity else None
    grafted = replace(world, profile=migrated.profile, identity=identity, migrations=())
    return Stage(world=grafted, opened=stack.enter_context(grafted.open(told)), migrated=migrated)


def _digest(change: Sequence[migrations.Migration]) -> str:
    text = "\0".join(part for m in change for part in (m.path, m.text))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def not_judged(arguments: argparse.Namespace, world: parallel.World, migrated: twin.Twin) -> tuple[Gap, ...]:
    """Return a gap where the captured schema has what no migration made that was judged."""
    before = migrated.profile if world.migrations else world.profile
    differing = twin.differences(before, world.branch) if world.branch is not None else ()
    if not differing:
        return ()
    more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
    what = f"{'; '.join(differing[:_SHOWN])}{more}"
    if world.migrations:
        says = f"They do not lead from production to the captured schema, which also has: {what}."
    else:
        why = "none of those named is the branch's" if arguments.migrations else "none were named"
        says = f"They were not judged: the captured schema differs from production's ({what}), and {why}."
    return (
        Gap(
            subject="the change's migrations",
            says=says,
            effect="What locks or rewrites production's tables on the way there is not known.",
            cure="name them, or hand in their SQL: --migrations PATH, see docs/how-to/migrations.md",
        ),
    )


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
