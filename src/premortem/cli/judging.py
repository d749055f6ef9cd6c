"""What `check` and `explain` share: read the inputs, open the twin, judge, write the report."""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

from premortem import __version__, baseline, catalog, check, execution, parameters, rules, sources, twin
from premortem.baseline import Lock
from premortem.cli import delivery, migrating, parallel
from premortem.cli.configured import settings_of
from premortem.cli.given import Choose
from premortem.cli.inputs import Inputs, Queries
from premortem.cli.locking import LockFile, forgetter, seer
from premortem.cli.locking import known as known_of
from premortem.cli.progress import Told, shown
from premortem.errors import CaptureError, InputError, PremortemError
from premortem.model import Accepted, Facts, Finding, Gap, Profile, Query, QueryReport, Report, Unreadable, Verdict
from premortem.settings import Settings

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
    wanted = delivery.wanted(arguments)

    def gather(profile: Profile) -> Inputs:
        return Inputs(queries=read(profile))

    outcome = run(arguments, gather, chooser=chooser)
    delivery.write(outcome.report, wanted, details=details)
    return outcome.report.verdict.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run found, and the lock as it would be with it, where one is to be written.

    `is_whole` is false where a suite failed, so that queries may be missing.
    """

    report: Report
    lock: Lock | None = None
    is_whole: bool = True


def run(
    arguments: argparse.Namespace,
    gather: Callable[[Profile], Inputs],
    *,
    file: LockFile | None = None,
    reason: check.Reason | None = None,
    chooser: Callable[[Queries], Choose] = _from_statistics,
) -> Outcome:
    """Judge what `gather` returns and compare it with a lock; with a reason, return the lock with what is accepted."""
    started = time.monotonic()
    settings = settings_of(arguments.settings)
    profile, identity = profile_of(arguments.profile)
    inputs = gather(profile)
    if not inputs.queries and not arguments.migrations and not _whole_schema(arguments):
        raise _nothing(arguments, inputs)
    change = migrating.read(arguments, inputs.changes)
    if change and not inputs.queries and not _whole_schema(arguments) and all(map(migrating.is_silent, change)):
        raise InputError("there is no statement in the migrations", hint="name the files that hold them")
    world = parallel.World(
        profile=profile,
        identity=identity,
        branch=inputs.branch,
        migrations=change,
        assumptions={name: twin.Assumption(rows=rows) for name, rows in settings.tables.items()},
    )
    with shown("starting", quiet=arguments.quiet) as told, contextlib.ExitStack() as stack:
        mirror = _mirror(arguments, world, stack)
        staged = migrating.stage(world, stack, told)
        opened = staged.opened
        judging = _Judging(
            arguments=arguments,
            inputs=inputs,
            world=staged.world,
            opened=opened,
            planner=parallel.planner_of(opened, chooser(inputs.queries)),
            settings=settings,
            told=told,
            executor=mirror.executor if mirror else None,
        )
        reports, lock, against = judging.all(file, reason, _production(world, stack, told))
        report = check.report(
            reports,
            _facts(arguments.profile, profile, opened),
            findings=check.of_schema(
                (*_of_schema(profile, opened.profile, settings, whole=_whole_schema(arguments)), *against.findings),
                settings,
            ),
            gaps=(
                *inputs.gaps,
                *migrating.unseen(change),
                *migrating.not_judged(arguments, world, staged.migrated),
                *profile.gaps,
                *opened.gaps,
                *(mirror.gaps if mirror else ()),
                *against.gaps,
                *check.unmatched(settings, opened.profile),
            ),
            unchanged=against.unchanged,
            gone=against.gone,
            seconds=time.monotonic() - started,
        )
        planner = judging.planner if staged.migrated is opened else parallel.planner_of(staged.migrated)
        of_change = migrating.judged(world.migrations, profile, staged.migrated, planner, reports, settings)
        report = migrating.with_migrations(report, of_change)
        return Outcome(report=report if inputs.is_whole else _not_whole(report), lock=lock, is_whole=inputs.is_whole)


def _mirror(
    arguments: argparse.Namespace, world: parallel.World, stack: contextlib.ExitStack
) -> execution.Opened | None:
    """Open the mirror where one is named; not every command has one."""
    if getattr(arguments, "mirror", None) is None:
        return None
    return stack.enter_context(
        execution.open(
            arguments.mirror,
            world.profile,
            limit=timedelta(seconds=arguments.mirror_timeout),
            shows_values=arguments.mirror_values,
            migrations=world.migrations,
        )
    )


def _not_whole(report: Report) -> Report:
    """Return the report of a run that did not see everything: it may say no, it cannot say yes."""
    return replace(report, verdict=Verdict.worst((report.verdict, Verdict.UNKNOWN)))


def _nothing(arguments: argparse.Namespace, inputs: Inputs) -> PremortemError:
    """Return the error for a run that has no statement to judge: why, and whose mistake it is."""
    if not inputs.is_whole:
        gap = next((g for g in inputs.gaps if g.subject.startswith("the suite ")), None)
        how = gap.says[:1].lower() + gap.says[1:].rstrip(".") if gap else "it failed"
        subject = gap.subject if gap else "the suite"
        return CaptureError(f"{subject}: {how}, and no statement was seen before that", hint="make the suite pass")
    if arguments.suite:
        return CaptureError(
            f"{' '.join(arguments.suite)} asked the database nothing",
            hint="let it take its database from DATABASE_URL or PGHOST, …, or name its variable: --set NAME='{dsn}'",
        )
    return InputError("there is no statement to judge", hint="name a .sql file, a folder of them, or -")


def _production(
    world: parallel.World, stack: contextlib.ExitStack, told: Told
) -> Callable[[], tuple[check.Planner, Profile]] | None:
    """Return what opens a twin of production without what the branch does to its schema, once; None for no change."""
    if not world.migrations and world.branch is None:
        return None

    @functools.cache
    def opened() -> tuple[check.Planner, Profile]:
        plain = stack.enter_context(replace(world, migrations=(), branch=None).open(told))
        return parallel.planner_of(plain), plain.profile

    return opened


@dataclass(frozen=True, slots=True, kw_only=True)
class _Against:
    """What the comparison with the lock adds to a report."""

    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    unchanged: int = 0
    gone: tuple[Accepted, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judging:
    """One run with its twin open."""

    arguments: argparse.Namespace
    inputs: Inputs
    world: parallel.World
    opened: twin.Twin
    planner: check.Planner
    settings: Settings
    told: Told
    executor: check.Executor | None = None

    def all(
        self,
        file: LockFile | None,
        reason: check.Reason | None,
        production: Callable[[], tuple[check.Planner, Profile]] | None,
    ) -> tuple[Reports, Lock | None, _Against]:
        """Return the reports of what had to be judged, the lock to write, and what else the comparison showed."""
        if file is None and self.inputs.changes is None:
            reports, gaps = self._judged(self.inputs.queries)
            return reports, None, _Against(gaps=gaps)
        here = file or LockFile(path=Path(baseline.DEFAULT_FILE))
        place, sees = here.place, seer(self.arguments, here, self.inputs)
        adopts = reason is not None and reason.accepts_all
        known = known_of(file, self.inputs, skips=not adopts)
        facts = baseline.World(
            profile=self.opened.profile,
            version=__version__,
            rules=check.ground(self.settings),
            planner=self.opened.server_version,
        )
        sifted = check.sift(self.inputs.queries, known, facts, self.settings.today, place)
        reports, gaps = self._judged(sifted.queries)
        comparing = check.Comparing(
            known=known, sifted=sifted, world=facts, planner=self.planner, settings=self.settings, production=production
        )
        if not adopts:
            self.told("comparing with what was accepted")
            reports = tuple(check.compared(r, comparing) for r in reports)
        lock = None
        if file is not None and reason is not None:
            forgets = forgetter(sees, file, sifted.gone, adopts=adopts)
            lock = check.updated(file.lock, reports, comparing, reason, place, forgets)
        against = _Against(
            findings=check.stale(reports, comparing, file.site) if file is not None and not adopts else (),
            gaps=gaps,
            unchanged=sifted.unchanged,
            gone=tuple(sifted.gone[name] for name in sorted(sifted.gone) if sees(sifted.gone[name])),
        )
        return reports, lock, against

    def _judged(self, queries: Queries) -> tuple[Reports, tuple[Gap, ...]]:
        profile = self.world.profile
        settings, untimed = check.timed(self.settings, self.planner, lambda: sources.workload(profile))
        if self.executor is None:
            found = _all(self.arguments, queries, self.planner, self.opened.profile, self.world, settings, self.told)
            return tuple(found), untimed
        return tuple(self._executed(queries, settings, self.executor)), untimed

    def _executed(self, queries: Queries, settings: Settings, executor: check.Executor) -> Iterator[QueryReport]:
        """Yield the reports one after the other: what is timed on the mirror shares it with nobody."""
        total = len(queries)
        yield from check.run_all(
            queries,
            planner=self.planner,
            profile=self.opened.profile,
            settings=settings,
            progress=lambda done: self.told(f"planned and executed {done} of {total} queries"),
            strict=self.arguments.debug,
            executor=executor,
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


def _whole_schema(arguments: argparse.Namespace) -> bool:
    """Whether all of the schema is to be judged; not every command asks."""
    return bool(getattr(arguments, "schema", False))


def _of_schema(before: Profile, after: Profile, settings: Settings, *, whole: bool) -> tuple[Finding, ...]:
    """Return what the change's migrations make wrong with the schema; what was wrong before is not the change's.

    The whole schema is what the migrations leave of it, with production's figures.
    """
    if whole:
        return rules.find_schema(after, settings.limits)
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
