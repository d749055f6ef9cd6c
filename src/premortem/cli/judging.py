"""What `check` and `explain` share: read the inputs, open the twin, judge, write the report."""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TypeAlias

from premortem import __version__, catalog, check, parameters, rules, sources, twin
from premortem.cli import delivery, parallel
from premortem.cli.given import Choose
from premortem.cli.progress import Told, shown
from premortem.errors import InputError, SettingsError
from premortem.model import Facts, Finding, Profile, Query, QueryReport, Report, Unreadable
from premortem.settings import DEFAULT_FILE, Settings
from premortem.settings import parse as parse_settings

Queries: TypeAlias = tuple[Query | Unreadable, ...]
Reports: TypeAlias = tuple[QueryReport, ...]


def _from_statistics(queries: Queries) -> Choose:
    return parameters.choose


def judged(
    arguments: argparse.Namespace,
    read: Callable[[Profile], Queries],
    *,
    details: bool,
    chooser: Callable[[Queries], Choose] = _from_statistics,
) -> int:
    """Judge the queries that `read` returns, write the report, and return the verdict's exit code."""
    started = time.monotonic()
    wanted = delivery.wanted(arguments)
    settings = settings_of(arguments.settings)
    profile, identity = profile_of(arguments.profile)
    queries = read(profile)
    if not queries:
        raise InputError("there is no statement to judge", hint="name a .sql file, a folder of them, or -")
    with shown("starting", quiet=arguments.quiet) as told:
        report = _report(arguments, profile, identity, queries, settings, chooser(queries), told, started)
    delivery.write(report, wanted, details=details)
    return report.verdict.exit_code


def _report(
    arguments: argparse.Namespace,
    profile: Profile,
    identity: str,
    queries: Queries,
    settings: Settings,
    choose: Choose,
    told: Told,
    started: float,
) -> Report:
    world = parallel.World(
        profile=profile,
        identity=identity,
        migrations=twin.read_migrations(arguments.migrations),
        assumptions={name: twin.Assumption(rows=rows) for name, rows in settings.tables.items()},
    )
    with world.open(told) as opened:
        planner = parallel.planner_of(opened, choose)
        settings, untimed = check.timed(settings, planner, lambda: sources.workload(profile))
        reports = _all(arguments, queries, planner, opened.profile, world, settings, told)
        return check.report(
            reports,
            _facts(arguments.profile, profile, opened),
            findings=check.of_schema(_of_schema(profile, opened.profile, settings), settings),
            gaps=(*profile.gaps, *opened.gaps, *untimed),
            seconds=time.monotonic() - started,
        )


def _all(
    arguments: argparse.Namespace,
    queries: Queries,
    planner: check.Planner,
    profile: Profile,
    world: parallel.World,
    settings: Settings,
    told: Told,
) -> Sequence[QueryReport]:
    total, strict = len(queries), arguments.debug

    def progress(done: int) -> None:
        told(f"judged {done} of {total} queries")

    def here(some: Sequence[Query | Unreadable], progress: Callable[[int], None] = lambda done: None) -> Reports:
        return tuple(
            check.run_all(some, planner=planner, profile=profile, settings=settings, progress=progress, strict=strict)
        )

    count = parallel.processes(queries, arguments.jobs)
    if count == 1:
        return here(queries, progress)
    return parallel.judged(queries, here, world=world, settings=settings, count=count, progress=progress, strict=strict)


def _of_schema(before: Profile, after: Profile, settings: Settings) -> tuple[Finding, ...]:
    """Return what the change's migrations make wrong with the schema; what was wrong before is not the change's."""
    if after.tables == before.tables:
        return ()
    known = {f.key for f in rules.find_schema(before, settings.limits)}
    return tuple(f for f in rules.find_schema(after, settings.limits) if f.key not in known)


def _facts(path: Path, profile: Profile, opened: twin.Twin) -> Facts:
    return Facts(
        profile_name=path.name,
        profile_taken_at=profile.taken_at,
        production_version=profile.server.version.split(" ")[0],
        twin_version=opened.server_version,
        twin_is_exact=opened.is_exact,
        premortem_version=__version__,
        values=profile.values,
    )


def profile_of(path: Path) -> tuple[Profile, str]:
    """Return the profile in a file, and the digest of that file, which stands for it in the twin's cache.

    Raises InputError where the file cannot be opened, ProfileError where it holds no usable profile.
    """
    try:
        with path.open("rb") as file:
            identity = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return catalog.read(file), identity
    except OSError as error:
        hint = "take one with: premortem profile pull DSN -o FILE"
        raise InputError(f"{path} cannot be read: {error.strerror or error}", hint=hint) from error


def settings_of(path: Path | None) -> Settings:
    """Return the settings of a file, of `premortem.toml` here where none is named, else the defaults.

    Raises SettingsError.
    """
    chosen, today = path or Path(DEFAULT_FILE), date.today()
    if path is None and not chosen.exists():
        return Settings(today=today)
    try:
        text = chosen.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{chosen} is not UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise SettingsError(f"{chosen} cannot be read: {error.strerror}") from error
    return parse_settings(text, str(chosen), here=os.getcwd(), today=today)
