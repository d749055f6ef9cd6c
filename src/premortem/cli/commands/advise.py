"""`premortem advise`: the best set of indexes for a whole workload, and the ones that may go."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from premortem import __version__, advisor, sources, twin, words, workload
from premortem.cli import capturing, judging, output, parallel, planners
from premortem.cli.inputs import workload_of
from premortem.cli.progress import Told, shown
from premortem.errors import InputError, PremortemError, UsageError
from premortem.model import (
    Facts,
    Gap,
    IndexCandidate,
    Indexing,
    Profile,
    Query,
    Unreadable,
    Upkeep,
    Verdict,
)
from premortem.report import indexing as report

_CAPTURE = ".capture"
_INTERRUPTED = 130
_FOREVER = 1e9
#: The part of --time that is kept for explaining what was found.
_EXPLAINING = 0.1


def run(arguments: argparse.Namespace) -> int:
    """Advise on the workload's indexes; after Ctrl-C it ends with 130, and the best set found until then."""
    workload.require_solver()
    output.check(arguments.output)
    profile, identity = judging.profile_of(arguments.profile)
    wanted = tuple(workload.meant(typed, profile) for typed in arguments.explain)
    replicas = _replicas(arguments, profile)
    workload.check_replicas(profile, replicas)
    queries, unseen = _queries(arguments, profile)
    gathered = workload.demands(queries, profile, min_share=arguments.skip_below)
    gathered = replace(gathered, gaps=(*unseen, *gathered.gaps))
    if not gathered.demands and gathered.unreadable:
        raise _nothing_planned(gathered.unreadable)
    if not gathered.demands:
        raise InputError("there is no query to look for indexes for", hint="name files, or pull a profile with one")
    asked = _Asked(arguments=arguments, profile=profile, identity=identity, replicas=replicas, wanted=wanted)
    with shown("starting", quiet=arguments.quiet) as told:
        found = asked.advise(gathered, told)
    look = replace(output.look(arguments.output, details=arguments.details), again=_again(sys.argv[1:]))
    output.write(report.render(found, arguments.format, look=look), arguments.output)
    return _exit_code(found, out_of_time=asked.searching() <= 0)


def _exit_code(found: Indexing, *, out_of_time: bool) -> int:
    """Return 0 where it could tell: a search that was stopped before it found anything could not."""
    if found.effort.finished:
        return 0
    if not out_of_time:
        return _INTERRUPTED
    return 0 if found.recommendations or found.drops else Verdict.UNKNOWN.exit_code


def _queries(arguments: argparse.Namespace, profile: Profile) -> tuple[tuple[Query | Unreadable, ...], tuple[Gap, ...]]:
    """Return the queries of the paths, or production's own where there are none, and what captures did not see."""
    if not arguments.paths:
        return workload_of(profile), ()
    plain = [p for p in arguments.paths if not p.endswith(_CAPTURE)]
    filed = sources.read(plain, stdin=sys.stdin, profile=profile) if plain else ()
    captured = capturing.gathered(arguments, [Path(p) for p in arguments.paths if p.endswith(_CAPTURE)], profile)
    own = workload_of(profile) if arguments.workload else ()
    return (*sources.with_calls((*filed, *captured.queries), profile), *own), captured.gaps


def _replicas(arguments: argparse.Namespace, profile: Profile) -> tuple[Profile, ...]:
    """Return the replicas' profiles, refused before any work is done where they are none of production's."""
    if arguments.replica_profile and not arguments.drop:
        raise UsageError("--replica-profile says which indexes may go", hint="add --drop, or leave it out")
    replicas = tuple(judging.profile_of(path)[0] for path in arguments.replica_profile)
    if replicas:
        workload.drop_gaps(profile, replicas=replicas)
    return replicas


#: What is not typed again: what decides on the output, and what may hold a password.
_ONCE = {
    "-f": 1,
    "--format": 1,
    "-o": 1,
    "--output": 1,
    "--mirror": 1,
    "--details": 0,
    "-q": 0,
    "--quiet": 0,
    "--debug": 0,
}


def _again(typed: Sequence[str]) -> str:
    """Return the command line to be typed again with another format; nothing where it was not typed.

    >>> _again(["advise", "-p", "my prod.profile", "--format=sql", "--mirror", "password=x", "--drop"])
    "premortem advise -p 'my prod.profile' --drop"
    """
    kept: list[str] = []
    words_left = iter(typed)
    for word in words_left:
        name, given, _ = word.partition("=")
        if name not in _ONCE:
            kept.append(word)
        elif _ONCE[name] and not given:
            next(words_left, None)
    return shlex.join(["premortem", *kept]) if "advise" in kept else ""


_Executed: TypeAlias = "workload.Refuted[workload.Chosen]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the user asked for, with the profile read."""

    arguments: argparse.Namespace
    profile: Profile
    identity: str
    replicas: tuple[Profile, ...] = ()
    wanted: tuple[workload.Meant, ...] = ()
    started: float = field(default_factory=time.monotonic)

    def remaining(self) -> float:
        """Return the seconds that are left for the search."""
        most: float = self.arguments.time or _FOREVER
        return most - (time.monotonic() - self.started)

    def searching(self) -> float:
        """Return the seconds that are left for the search: the case for what it finds takes some, too."""
        return self.remaining() - _EXPLAINING * (self.arguments.time or 0.0)

    def advise(self, gathered: workload.Gathered, told: Told) -> Indexing:
        """Open the planners, study every query, choose, and explain."""
        world = parallel.World(profile=self.profile, identity=self.identity, assumptions={})
        count = len(gathered.demands)
        with planners.opened(world, queries=count, count=self.arguments.jobs, progress=told) as opened:
            outcomes = opened.study(gathered.demands, lambda done: told(f"planned {done} of {count} queries"))
            return self._advised(gathered, outcomes, opened, told)

    def _advised(
        self,
        gathered: workload.Gathered,
        outcomes: Sequence[workload.Studied | Unreadable],
        opened: planners.Planners,
        told: Told,
    ) -> Indexing:
        studied = tuple(s for s in outcomes if isinstance(s, workload.Studied))
        unplanned = tuple(u for u in outcomes if isinstance(u, Unreadable))
        if not studied:
            raise _nothing_planned(unplanned)
        told(f"looking for indexes for {words.plural(len(studied), 'query', 'queries')}")
        world = opened.world(studied)
        studied, chosen, executed = self._chosen(studied, world, told)
        told("explaining")
        terms = workload.Terms(budget=self.arguments.budget, min_share=self.arguments.min_share)
        found = workload.explain(chosen, studied, self._upkeep, terms)
        found = workload.with_execution(found, executed) if executed is not None else found
        if self.arguments.drop:
            found = self._with_drops(found, chosen, studied)
        asked = tuple(workload.why(one, chosen, found, self._upkeep, terms) for one in self.wanted)
        return replace(
            found,
            asked=asked,
            unreadable=(*gathered.unreadable, *unplanned),
            gaps=_once(
                gathered.gaps, workload.missing(gathered, outcomes), found.gaps, self.profile.gaps, opened.here.gaps
            ),
            workload=gathered.says + _timed(gathered, studied),
            facts=self._facts(opened.here),
            effort=replace(found.effort, seconds=time.monotonic() - self.started),
        )

    def _chosen(
        self, studied: tuple[workload.Studied, ...], world: workload.World, told: Told
    ) -> tuple[tuple[workload.Studied, ...], workload.Chosen, _Executed | None]:
        """Choose by plans; with a mirror, execute what that changes and choose again, until no estimate lies.

        The mirror also times the queries that nobody measured; they are returned with that.
        """

        def select(world: workload.World) -> workload.Chosen:
            return workload.select(studied, world, self._limits(), upkeep=self._milliseconds, remaining=self.searching)

        if self.arguments.mirror is None:
            return studied, select(world), None
        from premortem import execution  # takes half a second to import, and few runs need it

        told("executing on the mirror")
        limit = timedelta(seconds=self.arguments.mirror_timeout)
        with execution.rehearse(self.arguments.mirror, self.profile, limit=limit) as mirror:
            studied = workload.timed(studied, mirror.stage, enough=lambda: self.searching() <= 0, told=told)
            refuted = workload.refute(
                select,
                lambda c: c.visible,
                studied,
                world,
                mirror.stage,
                promising=lambda c: workload.promising(c, self.arguments.budget),
                enough=lambda: self.searching() <= 0,
                told=told,
            )
        return studied, refuted.chosen, replace(refuted, gaps=(*mirror.gaps, *refuted.gaps))

    def _limits(self) -> workload.Limits:
        typed = self.arguments
        most = typed.max_upkeep.total_seconds() * 1000 if typed.max_upkeep is not None else None
        return workload.Limits(
            budget=typed.budget, per_table=typed.max_per_table, upkeep=most, min_share=typed.min_share,
            frontier=typed.budget != 0,
        )  # fmt: skip

    def _upkeep(self, candidate: IndexCandidate) -> Upkeep:
        table = self.profile.table(candidate.table)
        assert table is not None  # candidates are of tables that the profile has
        return advisor.upkeep(candidate, table, self.profile, advisor.whole_size(candidate, self.profile))

    def _milliseconds(self, candidate: IndexCandidate) -> float:
        return self._upkeep(candidate).time.total_seconds() * 1000

    def _with_drops(
        self,
        found: Indexing,
        chosen: workload.Chosen,
        studied: Sequence[workload.Studied],
    ) -> Indexing:
        drops, kept = workload.drops(
            studied,
            chosen.knowledge.world,  # in which the chosen have their numbers, and costs as execution found them
            recommended=found.recommendations,
            visible=chosen.visible,
            answers=chosen.after,
            replicas=self.replicas,
            now=datetime.now(UTC),
        )
        gaps = workload.drop_gaps(self.profile, replicas=self.replicas)
        return replace(workload.without_dropped(found, drops, self.profile, kept=kept), gaps=gaps)

    def _facts(self, opened: twin.Twin) -> Facts:
        return Facts(
            profile_name=self.arguments.profile.name,
            profile_taken_at=self.profile.taken_at,
            production_version=self.profile.server.version.split(" ")[0],
            twin_version=opened.server_version,
            twin_is_exact=opened.is_exact,
            premortem_version=__version__,
            values=self.profile.values,
        )


def _once(*found: Sequence[Gap]) -> tuple[Gap, ...]:
    """Return all gaps, each once."""
    return tuple(dict.fromkeys(gap for gaps in found for gap in gaps))


def _timed(gathered: workload.Gathered, studied: Sequence[workload.Studied]) -> str:
    """Return on whose times the answer rests where the mirror's were taken."""
    known = sum(d.mean is not None for d in gathered.demands)
    timed = sum(s.demand.mean is not None for s in studied) - known
    return f"; {words.plural(timed, 'query', 'queries')} timed on the mirror" if timed > 0 else ""


def _nothing_planned(unplanned: Sequence[Unreadable]) -> PremortemError:
    """Return the error for a workload of which nothing could be planned, with the first reason."""
    first = unplanned[0]
    count = words.plural(len(unplanned), "query", "queries")
    return PremortemError(f"none of {count} could be planned; {first.site}: {first.says}", hint=first.hint)
