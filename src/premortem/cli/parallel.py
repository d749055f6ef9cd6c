"""Judges many queries in several processes, each with a copy of the twin of its own.

Judging is half Python and half planning, one after the other, so a process keeps one core busy.  Each process works
in its own copy: what one tries out (an index that is there until the transaction ends) never waits for another's.
"""

from __future__ import annotations

import contextlib
import copyreg
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.util import Finalize
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from premortem import check, parameters, twin
from premortem.cli.given import Choose
from premortem.errors import PremortemError
from premortem.model import Profile, Query, QueryReport, Unreadable
from premortem.settings import Settings

#: How many queries a process is given at a time: some seconds' work, so that Ctrl-C and the end wait for little.
CHUNK = 50
#: Below this many, starting another process takes longer than it saves.
_WORTH_IT = 4 * CHUNK


_T = TypeVar("_T")
Mapped: TypeAlias = MappingProxyType[object, object]


def _read_only(mapping: dict[object, object]) -> Mapped:
    return MappingProxyType(mapping)


def _reduced(mapping: Mapped) -> tuple[Callable[[dict[object, object]], Mapped], tuple[dict[object, object]]]:
    return _read_only, (dict(mapping),)


# The frozen values hold read-only mappings, which pickle does not know by itself.
copyreg.pickle(MappingProxyType, _reduced)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that a twin is opened with, to open the same one elsewhere."""

    profile: Profile
    identity: str | None
    branch: Profile | None = None
    migrations: Sequence[twin.Migration] = ()
    assumptions: Mapping[str, twin.Assumption]

    def open(self, progress: Callable[[str], None] = lambda _: None) -> contextlib.AbstractContextManager[twin.Twin]:
        """Open a twin of it."""
        return twin.open(
            self.profile,
            branch=self.branch,
            migrations=self.migrations,
            assumptions=self.assumptions,
            identity=self.identity,
            progress=progress,
        )


def planner_of(opened: twin.Twin, choose: Choose = parameters.choose) -> check.Planner:
    """Return the questions of check that a twin answers."""
    return check.Planner(
        explain=opened.explain,
        parameter_types=opened.parameter_types,
        replanner=opened.replanner,
        choose=choose,
    )


def processes(queries: Sequence[Query | Unreadable], wanted: int | None) -> int:
    """Return how many processes to judge in: as many as are wanted, else as are worth it for so many queries here."""
    if wanted is not None:
        return wanted
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, max(1, len(queries) // (_WORTH_IT // 2)))


def judged(
    queries: Sequence[Query | Unreadable],
    here: Callable[[Sequence[Query | Unreadable]], Sequence[QueryReport]],
    *,
    world: World,
    settings: Settings,
    count: int,
    progress: Callable[[int], None] = lambda done: None,
    strict: bool = False,
) -> tuple[QueryReport, ...]:
    """Return the reports of all queries in their order, judged by `here` and by `count - 1` more processes."""
    waiting = deque(enumerate(_chunks(queries)))
    done: dict[int, Sequence[QueryReport]] = {}
    with _pool(count - 1, world, settings, strict) as pool:
        running: dict[Future[Sequence[QueryReport]], int] = {}
        while waiting or running:
            while waiting and len(running) < 2 * (count - 1):
                number, chunk = waiting.popleft()
                running[pool.submit(_judge, chunk)] = number
            if waiting:
                number, chunk = waiting.popleft()
                done[number] = here(chunk)
            else:
                wait(running, return_when=FIRST_COMPLETED)
            for future in [f for f in running if f.done()]:
                done[running.pop(future)] = result(future)
            progress(sum(len(reports) for reports in done.values()))
    return tuple(report for number in sorted(done) for report in done[number])


def result(future: Future[_T]) -> _T:
    """Return what a process found out.

    Raises PremortemError where it was killed.
    """
    with told_of_death():
        return future.result()


@contextlib.contextmanager
def told_of_death() -> Iterator[None]:
    """Turn the end of a process that was to do something into an error in our words.

    Raises PremortemError.
    """
    try:
        yield
    except BrokenProcessPool as error:
        raise PremortemError(
            "a process that planned queries was killed, perhaps for want of memory", hint="run it again with --jobs 1"
        ) from error


def _chunks(queries: Sequence[Query | Unreadable]) -> Iterator[list[Query | Unreadable]]:
    """Yield the queries in chunks; those with one text stay together, for they are planned once."""
    alike: dict[object, list[Query | Unreadable]] = {}
    for query in queries:
        alike.setdefault(query.text if isinstance(query, Query) else query.original, []).append(query)
    chunk: list[Query | Unreadable] = []
    for group in alike.values():
        chunk += group
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


@contextlib.contextmanager
def _pool(count: int, world: World, settings: Settings, strict: bool) -> Iterator[ProcessPoolExecutor]:
    # Not forked: this process has threads and a session to a server, which no child may inherit.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(world, settings, strict))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(slots=True)
class _Process:
    """What a process keeps between chunks."""

    judge: Callable[[Sequence[Query | Unreadable]], Sequence[QueryReport]] | None = None


_process = _Process()


def _begin(world: World, settings: Settings, strict: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; who started us ends us
    stack = contextlib.ExitStack()
    opened = stack.enter_context(world.open())
    # A child of multiprocessing ends without atexit; its own finalizers do run, and the server has to stop.
    Finalize(None, stack.close, exitpriority=10)
    _process.judge = lambda queries: tuple(
        check.run_all(queries, planner=planner_of(opened), profile=opened.profile, settings=settings, strict=strict)
    )


def _judge(queries: Sequence[Query | Unreadable]) -> Sequence[QueryReport]:
    assert _process.judge is not None
    return _process.judge(queries)
