"""Who loads: processes of this machine, or the workers of a Dask cluster.

A crew is given chunks and gives back what became of them.  It never decides what is next, and loses nothing: a chunk
whose worker died comes back as `Lost`.
"""

from __future__ import annotations

import importlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from premortem.errors import MirrorError, UsageError
from premortem.mirror import loading
from premortem.mirror.loading import Loaded, Unloadable
from premortem.mirror.manifest import ChunkName

#: How many seconds a cluster may be without any worker.
_WORKERS_BACK = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A chunk whose worker died."""

    chunk: ChunkName


Outcome: TypeAlias = Loaded | Unloadable | Lost


class Crew(Protocol):
    """Workers that load chunks."""

    @property
    def seats(self) -> int:
        """How many chunks it takes at a time, so that nobody waits."""

    def give(self, chunk: ChunkName) -> None:
        """Have a chunk loaded."""

    def finished(self) -> list[Outcome]:
        """Wait for what becomes of at least one chunk.

        Raises what a worker raised: the target is gone, or cannot go on.
        """


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def here(place: str) -> Iterator[Crew]:
    """Yield a crew of this process alone: a few rows are in before another one has started."""
    try:
        yield _Here(place)
    finally:
        loading.forget()


class _Here:
    """This process: it loads what it was given when it is asked what became of it."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._given: list[ChunkName] = []

    @property
    def seats(self) -> int:
        return 1

    def give(self, chunk: ChunkName) -> None:
        self._given.append(chunk)

    def finished(self) -> list[Outcome]:
        return [loading.load(self._place, self._given.pop(0))]


@contextmanager
def processes(place: str, count: int) -> Iterator[Crew]:
    """Yield a crew of so many processes of this machine, gone when the block ends."""
    crew = _Processes(place, count)
    try:
        yield crew
    finally:
        crew.close()


class _Processes:
    """Processes of this machine; when one dies the others go with it, and a new set is started."""

    def __init__(self, place: str, count: int) -> None:
        self._place = place
        self._count = count
        self._running: dict[Future[Loaded | Unloadable], ChunkName] = {}
        self._pool = self._started()

    @property
    def seats(self) -> int:
        return self._count + 1

    def _started(self) -> ProcessPoolExecutor:
        # Not forked: this process has threads and a session to a server, which no child may inherit.
        return ProcessPoolExecutor(self._count, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)

    def give(self, chunk: ChunkName) -> None:
        try:
            future = self._pool.submit(loading.load, self._place, chunk)
        except BrokenProcessPool:  # its futures tell that; this one never started
            future = Future()
            future.set_exception(BrokenProcessPool())
        self._running[future] = chunk

    def finished(self) -> list[Outcome]:
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        found = [self._outcome(future) for future in done]
        if any(isinstance(outcome, Lost) for outcome in found):
            found += [self._outcome(future) for future in list(self._running)]
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = self._started()
        return found

    def _outcome(self, future: Future[Loaded | Unloadable]) -> Outcome:
        chunk = self._running.pop(future)
        try:
            return future.result()
        except BrokenProcessPool:
            return Lost(chunk=chunk)

    def close(self) -> None:
        """End the processes; what they have not committed is undone by the server."""
        workers = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; who started us ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when whoever started us was killed: a pool's process would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


@contextmanager
def dask(place: str, address: str) -> Iterator[Crew]:
    """Yield the workers of a Dask cluster as a crew.

    Raises UsageError where Dask is not installed here, MirrorError where the cluster is not there or has no workers.
    """
    distributed = _distributed()
    try:
        client = distributed.Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise MirrorError(f"the Dask scheduler {address} cannot be reached: {error}", hint="check --dask") from error
    with client:
        yield _Dask(distributed, client, place, address)


def _distributed() -> Any:
    """Return Dask's package, which has no types.

    Raises UsageError where it is not installed.
    """
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise UsageError("Dask is not installed", hint="pip install 'premortem[dask]'") from error


class _Dask:
    """The workers of a Dask cluster; it hands a lost worker's chunks to others by itself, and gives up after some."""

    def __init__(self, distributed: Any, client: Any, place: str, address: str) -> None:
        self._distributed = distributed
        self._client = client
        self._place = place
        self._running: dict[object, ChunkName] = {}
        threads = sum(client.nthreads().values())
        if not threads:
            raise MirrorError(f"the Dask scheduler {address} has no workers", hint="start some: dask worker ADDRESS")
        self._check()

    def _check(self) -> None:
        """Refuse workers that lack premortem, before any of them is asked for rows."""
        from premortem import __version__

        there = self._client.run(_version, on_error="return")
        wrong = sorted(str(worker) for worker, said in there.items() if said != __version__)
        if wrong:
            raise MirrorError(
                f"the Dask worker {wrong[0]} does not have premortem {__version__}: {there[wrong[0]]}",
                hint="install the same premortem[mirror,dask] on every worker",
            )

    @property
    def seats(self) -> int:
        return 2 * max(1, int(sum(self._client.nthreads().values())))

    def give(self, chunk: ChunkName) -> None:
        future = self._client.submit(loading.load, self._place, chunk, pure=False, retries=2)
        self._running[future] = chunk

    def finished(self) -> list[Outcome]:
        while True:
            try:
                done = self._wait()
            except TimeoutError:
                self._insist_on_workers()
                continue
            return [self._outcome(future) for future in done]

    def _wait(self) -> Any:
        with self._client.as_current():
            running = list(self._running)
            return self._distributed.wait(running, timeout=_WORKERS_BACK, return_when="FIRST_COMPLETED").done

    def _insist_on_workers(self) -> None:
        if not self._client.nthreads():
            raise MirrorError("all of the Dask workers are gone", hint="start some, and go on with --resume")

    def _outcome(self, future: Any) -> Outcome:
        chunk = self._running.pop(future)
        try:
            found: Outcome = future.result()
        except self._distributed.KilledWorker:
            return Lost(chunk=chunk)
        return found


def _version() -> str:
    from premortem import __version__

    return __version__
