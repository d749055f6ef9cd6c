"""Several planners that answer a search's questions at the same time, each in a copy of the twin of its own.

```
opened
├── seats                      this process, then threads where there are few queries, else processes
├── Planners.study             each query's plans and candidates, in pieces, wherever a seat is free
└── Planners.world             what `workload.select` asks: candidates stocked, questions answered
```
A *seat* is a twin with one planner in it.  PostgreSQL does most of the work of an answer, so threads that wait for it
do; looking at plans is Python, and for that a process is worth the second that it takes to start.

A demand has a seat where it is asked about first, together with the others on its tables, so that few indexes are made
in more than one twin; a seat that has nothing to do takes another's questions.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.util import Finalize
from typing import Concatenate, ParamSpec, TypeVar

from premortem import parameters, twin, workload
from premortem.cli import parallel
from premortem.cli.given import Choose
from premortem.model import Answer, Demand, IndexCandidate, Planned, Profile, Query, Question, Unreadable
from premortem.workload import Studied

#: Below this many queries, starting a process takes longer than it saves.
_MANY = 150
#: How much a seat is given at a time: a fraction of a second's work, so that Ctrl-C waits for little.
_STUDIED_AT_ONCE, _ASKED_AT_ONCE = 10, 60

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(slots=True)
class Bench:
    """What one seat works with: its twin, the demands and candidates by their numbers, and those that it has made."""

    opened: twin.Twin
    choose: Choose = parameters.choose
    stock: twin.Stock | None = None
    candidates: list[IndexCandidate] = field(default_factory=list)
    local: dict[int, int] = field(default_factory=dict)

    def study(self, demands: Sequence[Demand | Query]) -> list[Studied | Unreadable]:
        """Look at some queries' plans."""
        planner = parallel.planner_of(self.opened, self.choose)
        return [workload.study(d, planner, self.opened.profile) for d in demands]

    def know(self, demands: Sequence[Demand]) -> None:
        """Take the demands that questions name by number."""
        self.stock = self.opened.stock(demands)

    def make(self, first: int, candidates: Sequence[IndexCandidate], here: Sequence[int]) -> dict[int, str | None]:
        """Take candidates, numbered from `first` on, and make those of `here`; return their refusals."""
        self.candidates[first:] = candidates
        return self._made(here)

    def ask(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """Answer questions, with any candidate that is made elsewhere made here first."""
        self._made(sorted({n for q in questions for n in q.visible if n not in self.local}))
        answers = self._planner.ask([self._here(q) for q in questions])
        numbers = {mine: number for number, mine in self.local.items()}
        return tuple(_renumbered(a, numbers) for a in answers)

    def plans(self, question: Question) -> tuple[Planned, ...]:
        """Return the plans of a question."""
        self._made(sorted(n for n in question.visible if n not in self.local))
        return self._planner.plans(self._here(question))

    @property
    def _planner(self) -> twin.Stock:
        assert self.stock is not None  # who asks has told the demands before
        return self.stock

    def _made(self, numbers: Sequence[int]) -> dict[int, str | None]:
        if not numbers:
            return {}
        refusals = self._planner.stock([self.candidates[n] for n in numbers])
        self.local.update(zip(numbers, range(len(self.local), len(self.local) + len(numbers)), strict=True))
        return dict(zip(numbers, refusals, strict=True))

    def _here(self, question: Question) -> Question:
        visible = frozenset(self.local[n] for n in question.visible)
        return Question(demand=question.demand, visible=visible, hidden=question.hidden)


def _renumbered(answer: Answer, numbers: Mapping[int, int]) -> Answer:
    if not answer.used:
        return answer
    used = frozenset(numbers[n] for n in answer.used)
    return Answer(shown=answer.shown, risk=answer.risk, used=used, kept=answer.kept)


# seats --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Near:
    """A seat in this process; its bench is there from the start, or opened in the seat's own thread."""

    executor: Executor
    bench: Future[Bench]

    def submit(self, work: Callable[Concatenate[Bench, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Have it done here."""
        return self.executor.submit(lambda: work(self.bench.result(), *args, **kwargs))


@dataclass(slots=True)
class Far:
    """A seat in a process of its own."""

    executor: Executor

    def submit(self, work: Callable[Concatenate[Bench, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Have it done there."""
        call: Callable[[], _T] = partial(_there, work, *args, **kwargs)
        with parallel.told_of_death():
            return self.executor.submit(call)


Seat = Near | Far


@dataclass(slots=True)
class _Process:
    """What a process keeps between pieces of work."""

    bench: Bench | None = None


_process = _Process()


def _begin(world: parallel.World, choose: Choose) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; who started us ends us
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    stack = contextlib.ExitStack()
    opened = stack.enter_context(world.open())
    Finalize(None, stack.close, exitpriority=10)  # a child of multiprocessing ends without atexit
    _process.bench = Bench(opened, choose)


def _there(work: Callable[Concatenate[Bench, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    assert _process.bench is not None
    return work(_process.bench, *args, **kwargs)


def seats(queries: int, wanted: int | None) -> int:
    """Return how many planners to open: as many as are wanted, else one for every core, one for a single query."""
    if wanted is not None:
        return max(1, wanted)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, max(1, queries))


@contextlib.contextmanager
def opened(
    world: parallel.World,
    *,
    queries: int,
    count: int | None = None,
    choose: Choose = parameters.choose,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Planners]:
    """Yield planners for about so many queries, on as many twins as are worth it or `count`; all are gone afterwards.

    Raises TwinError and what else opening a twin may raise.
    """
    more = seats(queries, count) - 1
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(world.open(progress))  # first alone: the others find it in the cache
        bench: Future[Bench] = Future()
        bench.set_result(Bench(here, choose))
        every: list[Seat] = [Near(_thread(stack), bench)]
        for _ in range(more):
            every.append(_far(stack, world, choose) if queries >= _MANY else _near(stack, world, choose))
        yield Planners(here, every)


def _thread(stack: contextlib.ExitStack) -> Executor:
    executor = ThreadPoolExecutor(1)
    stack.callback(executor.shutdown, wait=True, cancel_futures=True)
    return executor


def _near(stack: contextlib.ExitStack, world: parallel.World, choose: Choose) -> Near:
    own = contextlib.ExitStack()
    stack.push(own)
    executor = _thread(stack)
    return Near(executor, executor.submit(lambda: Bench(own.enter_context(world.open()), choose)))


def _far(stack: contextlib.ExitStack, world: parallel.World, choose: Choose) -> Far:
    # Not forked: this process has threads and a session to a server, which no child may inherit.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(world, choose))
    stack.callback(executor.shutdown, wait=True, cancel_futures=True)
    with _held_back():
        executor.submit(_there, _nothing)  # it starts when it is given something
    return Far(executor)


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Keep Ctrl-C from processes until they ignore it: half imported, they would print where they were."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _nothing(_: Bench) -> None:
    """Have a process started."""


# what the shell and the search ask ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Planners:
    """Twins that plan at the same time; `here` is the one of this process."""

    here: twin.Twin
    seats: Sequence[Seat]

    def study(
        self, demands: Sequence[Demand | Query], progress: Callable[[int], None] = lambda done: None
    ) -> tuple[Studied | Unreadable, ...]:
        """Return what each query's plans say, in the queries' order; `progress` is told how many are done."""
        pieces = [
            list(range(at, min(at + _STUDIED_AT_ONCE, len(demands)))) for at in range(0, len(demands), _STUDIED_AT_ONCE)
        ]
        found: dict[int, Studied | Unreadable] = {}

        def submit(seat: Seat, piece: list[int]) -> Future[list[Studied | Unreadable]]:
            return seat.submit(Bench.study, [demands[n] for n in piece])

        studying = self.seats if any(isinstance(s, Far) for s in self.seats) else self.seats[:1]
        for piece, outcomes in _shared_out(studying, [deque(pieces), *([deque()] * (len(studying) - 1))], submit):
            found.update(zip(piece, outcomes, strict=True))
            progress(len(found))
        return tuple(found[n] for n in range(len(demands)))

    def world(self, studied: Sequence[Studied]) -> PlannersWorld:
        """Return the world in which these demands are numbered as they stand."""
        demands = [s.demand for s in studied]
        for done in [seat.submit(Bench.know, demands) for seat in self.seats]:
            parallel.result(done)
        return PlannersWorld(self.here.profile, self.seats, _homes(studied, len(self.seats)))


def _homes(studied: Sequence[Studied], count: int) -> list[int]:
    """Return each demand's seat: those on the same tables on the same one, about the same work for all."""
    order = sorted(range(len(studied)), key=lambda n: (sorted(map(str, studied[n].visits)), n))
    work = {n: len(studied[n].demand.sets) * (1 + len(studied[n].groups)) for n in order}
    total, done = max(sum(work.values()), 1), 0
    homes = [0] * len(studied)
    for n in order:
        homes[n] = min(done * count // total, count - 1)
        done += work[n]
    return homes


@dataclass(slots=True)
class PlannersWorld:
    """A `workload.World` of several planners.  What was answered once, before Ctrl-C perhaps, is not asked again."""

    profile: Profile
    seats: Sequence[Seat]
    homes: Sequence[int]
    _candidates: list[IndexCandidate] = field(default_factory=list)
    _heard: dict[Question, Answer] = field(default_factory=dict)

    @property
    def stocked(self) -> int:
        """How many candidates are known, which is the number of the next one."""
        return len(self._candidates)

    def stock(self, candidates: Sequence[IndexCandidate]) -> tuple[str | None, ...]:
        """Make candidates known, none of them visible yet, and return the server's refusal for each, None where made.

        They are numbered on from those that are stocked already; a refused one keeps its number and is never visible.
        """
        first = len(self._candidates)
        self._candidates += candidates
        numbers = range(first, first + len(candidates))
        by_table = sorted(numbers, key=lambda n: str(self._candidates[n].table))
        share = -(-len(candidates) // len(self.seats)) or 1
        parts = [by_table[at * share : (at + 1) * share] for at in range(len(self.seats))]
        making = [s.submit(Bench.make, first, candidates, part) for s, part in zip(self.seats, parts, strict=True)]
        refusals = {n: why for made in making for n, why in parallel.result(made).items()}
        return tuple(refusals[n] for n in numbers)

    def ask(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """Return the answers in the questions' order."""
        new = sorted({q for q in questions if q not in self._heard}, key=twin.nearness)
        for piece, answers in _shared_out(self.seats, self._queues(new), self._asked):
            self._heard.update(zip(piece, answers, strict=True))  # whoever waits is told before `_hear` is called
        return tuple(self._heard[q] for q in questions)

    def plans(self, question: Question) -> tuple[Planned, ...]:
        """Return the plans themselves, one for each of the demand's parameter sets."""
        return parallel.result(self.seats[self.homes[question.demand]].submit(Bench.plans, question))

    def _queues(self, questions: Sequence[Question]) -> list[deque[list[Question]]]:
        """Return each seat's questions, in pieces."""
        size = max(1, min(_ASKED_AT_ONCE, len(questions) // (4 * len(self.seats))))
        queues: list[deque[list[Question]]] = []
        for seat in range(len(self.seats)):
            own = [q for q in questions if self.homes[q.demand] == seat]
            queues.append(deque(own[at : at + size] for at in range(0, len(own), size)))
        return queues

    def _asked(self, seat: Seat, piece: list[Question]) -> Future[tuple[Answer, ...]]:
        asked = seat.submit(Bench.ask, piece)
        # Even when nobody waits any more, an answer that comes is kept.
        asked.add_done_callback(lambda done: self._hear(piece, done))
        return asked

    def _hear(self, piece: Sequence[Question], done: Future[tuple[Answer, ...]]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._heard.update(zip(piece, done.result(), strict=True))


_Piece = TypeVar("_Piece")


def _shared_out(
    seats: Sequence[Seat],
    queues: Sequence[deque[_Piece]],
    submit: Callable[[Seat, _Piece], Future[_T]],
) -> Iterator[tuple[_Piece, _T]]:
    """Yield pieces of work and what came of them; a seat without work of its own takes the end of the longest queue."""
    running: dict[Future[_T], tuple[int, _Piece]] = {}
    try:
        for number in range(len(seats)):
            _feed(number, seats, queues, submit, running)
        while running:
            wait(running, return_when=FIRST_COMPLETED)
            for future in [f for f in running if f.done()]:
                number, piece = running.pop(future)
                _feed(number, seats, queues, submit, running)
                yield piece, parallel.result(future)
    finally:
        for future in running:
            future.cancel()


def _feed(
    number: int,
    seats: Sequence[Seat],
    queues: Sequence[deque[_Piece]],
    submit: Callable[[Seat, _Piece], Future[_T]],
    running: dict[Future[_T], tuple[int, _Piece]],
) -> None:
    longest = max(queues, key=len)
    own = queues[number]
    if own or longest:
        piece = own.popleft() if own else longest.pop()
        running[submit(seats[number], piece)] = (number, piece)
