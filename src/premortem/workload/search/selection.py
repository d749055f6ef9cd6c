"""Chooses the set of indexes: an integer program over what is known, asked about, and solved again.

```
select
├── begin                what each demand would take (seeding), and candidates that serve several (merging)
├── _settle              solve -> ask about the solution -> learn -> solve, until it holds what was promised
├── _corners             the same at rising prices of a byte: the corners of the frontier
└── _settle(budget)      the same within the budget, from the best corner that fits
```
A plan's cost under a set of indexes that were never seen together is guessed from its parts; what the planner makes of
a solution is then asked, so whatever is returned was planned as a whole.  Time that runs out, or Ctrl-C, ends it with
the best set that was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from premortem.model import Answer, Effort, IndexCandidate
from premortem.workload.search.choices import CLOSE, Choices
from premortem.workload.search.knowledge import Knowledge, Visible
from premortem.workload.search.merging import merged
from premortem.workload.search.parts import Solver
from premortem.workload.search.seeding import seed
from premortem.workload.studied import Studied
from premortem.workload.world import World

_NOTHING: Visible = frozenset()
_ROUNDS = 8.0
_HARMFUL_ROUND = 0.2  # of a round: what harms is forbidden, and most such rounds are soon over
_BETTER = 0.999
_BESIDES = (0.05, 0.2)
_POINTS = 12
_FEW = 4  # corners on the way to a budget
_MERGED = 150
_SEEDING = 0.5  # the part of the time in which everything else must have begun
_PATIENCE = 10.0  # seconds for one solution of the program, where there is as much time


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the set may be.

    `budget` is in bytes on disk, `upkeep` in milliseconds a day.  An index has to save `min_share` of the time that is
    spent in its table's queries, and a set as large as the tables `storage` of all of it, besides its upkeep.  No
    parameter set of a query may get dearer by more than `max_loss`.
    """

    budget: int | None = None
    per_table: int | None = None
    upkeep: float | None = None
    min_share: float = 0.01
    storage: float = 0.2
    max_loss: float = 0.05
    frontier: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A set that was planned as a whole: numbers of candidates, bytes, and milliseconds a day."""

    visible: Visible
    bytes: int
    reads: float
    upkeep: float


#: A smaller and a larger set, with perhaps others between them.
Gap: TypeAlias = tuple[Step, Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The set that was chosen, and what it rests on.

    `before` and `after` are the answers of every demand in order; `steps` is the frontier, the smallest set first.
    """

    visible: Visible
    candidates: tuple[IndexCandidate, ...]
    sizes: Mapping[int, int]
    upkeep: Mapping[int, float]
    refused: Mapping[int, str]
    before: tuple[Answer, ...]
    after: tuple[Answer, ...]
    weights: tuple[float, ...]
    steps: tuple[Step, ...]
    knowledge: Knowledge
    effort: Effort


def select(
    studied: Sequence[Studied],
    world: World,
    limits: Limits,
    *,
    upkeep: Callable[[IndexCandidate], float] = lambda _: 0.0,
    remaining: Callable[[], float] = lambda: 3600.0,
) -> Chosen:
    """Return the best set of indexes for these demands that was found before the time was up, or Ctrl-C came.

    `upkeep` gives milliseconds a day, `remaining` the seconds that are left.  The world knows no candidate yet.
    """
    knowledge = Knowledge.of(studied, world, limits.max_loss)
    search = _Search(knowledge, Choices(knowledge, upkeep, limits.min_share, limits.storage), limits, remaining)
    try:
        search.begin()
        search.choose()
    except KeyboardInterrupt:
        search.is_cut = True
    return search.result()


@dataclass(slots=True)
class _Search:
    """A search under way: what is known, what there is to choose from, and every set that was planned as a whole."""

    knowledge: Knowledge
    choices: Choices
    limits: Limits
    remaining: Callable[[], float]
    solver: Solver = field(default_factory=Solver)
    forbidden: set[Visible] = field(default_factory=set)
    steps: dict[Visible, Step] = field(default_factory=dict)
    is_cut: bool = False

    def begin(self) -> None:
        """Learn what each demand would take, then make candidates of what several of them took."""
        enough = self.remaining() * _SEEDING
        groups = (c for known in self.knowledge.known for group in known.studied.groups for c in group)
        numbers = self.knowledge.stock(groups)
        self.choices.weigh()
        seed(self.knowledge, numbers, self.choices.sizes, until=lambda: self._time_is_up(least=enough))
        worth = self.choices.worth()
        joined = merged([self.knowledge.candidates[i] for i in sorted(worth, key=lambda i: -worth[i])])[:_MERGED]
        numbers = self.knowledge.stock(joined)
        self.choices.joined = {numbers[c.definition] for c in joined}
        self.choices.weigh()

    def choose(self) -> None:
        """Find the best set without a budget, the one within it, and the rest of the frontier."""
        largest = self._settle()
        gaps = [(self._step(_NOTHING), largest)]
        budget = self.limits.budget
        if budget is not None and largest.bytes > budget:
            gaps = self._corners(gaps, _FEW, near=budget)
            self._settle(budget=budget)
        self._trim(self._best(budget))
        if self.limits.frontier:
            self._corners(gaps, _POINTS)

    def _corners(
        self, gaps: list[tuple[Step, Step]], points: int, *, near: int | None = None
    ) -> list[tuple[Step, Step]]:
        """Find sets between each two that are best at some price of a byte; return what is left to look into.

        Where a size is given, only the way there is.
        """
        left: list[Gap] = []
        while gaps and points > 0 and not self._time_is_up():
            low, high = gaps.pop(0)
            if near is not None and not low.bytes < near <= high.bytes:
                left.append((low, high))
                continue
            price = (self._worth(low) - self._worth(high)) / max(high.bytes - low.bytes, 1)
            found = self._settle(price=price) if price > 0 else None
            points -= 1
            if found is not None and low.bytes < found.bytes < high.bytes:
                gaps += [(low, found), (found, high)]
        return left + gaps

    def _time_is_up(self, *, least: float = 0.0) -> bool:
        """Whether there is no more time for what is not done yet: the search is cut short then."""
        self.is_cut |= self.remaining() <= least
        return self.remaining() <= least

    # one set ------------------------------------------------------------------------------------------------------

    def _settle(self, *, budget: int | None = None, price: float = 0.0) -> Step:
        """Return the best set within a budget or at a price of a byte, by solving and asking in turn."""
        best = self._step(_NOTHING)
        rounds = _ROUNDS
        while rounds > 0 and not self._time_is_up():
            visible = self._solved(budget, price)
            if visible is None:
                break
            promised = self.choices.promised(visible)
            step = self._asked(visible)
            is_harmless = step is not None
            step = step or self._without_harm(visible)
            known = self.knowledge.asked
            if self._worth(step, price) < self._worth(best, price) * _BETTER:
                best = step
                self._look_around(step, budget)
            keeps_its_promise = step.reads <= promised * (1 + CLOSE)
            if is_harmless and keeps_its_promise and self.knowledge.asked == known:
                break
            rounds -= 1 if is_harmless else _HARMFUL_ROUND
        return best

    def _without_harm(self, visible: Visible) -> Step:
        """Return a solution without what harms queries; where that harms as well, it is left out too."""
        while True:
            visible -= frozenset(i for together in self.forbidden if together <= visible for i in together)
            step = self._asked(visible)
            if step is not None:
                return step

    def _solved(self, budget: int | None, price: float) -> Visible | None:
        program = self.choices.program(budget, self.forbidden)
        program = replace(program, per_table=self.limits.per_table, most_upkeep=self.limits.upkeep)
        start = self._best(budget, price).visible
        seconds = max(1.0, min(_PATIENCE, self.remaining() / 8))
        return self.solver.solve(program, budget=budget, price=price, start=start, seconds=seconds)

    def _asked(self, visible: Visible) -> Step | None:
        """Ask about a solution; return it as a step, and keep it, unless it harms a query: what harms is forbidden."""
        answers = self.knowledge.answers(visible)
        pairs = zip(self.knowledge.known, answers, strict=True)
        harmful = {a.used for k, a in pairs if a.used and k.harms(a)}
        self.forbidden |= harmful
        return None if harmful else self._step(visible)

    def _look_around(self, step: Step, budget: int | None) -> None:
        """Ask what each demand would take besides a set that is to fit, of candidates that are small beside it."""
        if budget is None:
            return
        sizes = self.choices.sizes
        around = [frozenset(i for i, size in sizes.items() if size <= budget * share) for share in _BESIDES]
        demands = range(len(self.knowledge.known))
        self.knowledge.ask(((d, step.visible | small) for d in demands for small in around), until=self._time_is_up)

    def _trim(self, step: Step) -> None:
        """Leave out what nobody would miss enough: where an index is not there, another is often nearly as good."""
        readers = {i: [d for d, k in enumerate(self.knowledge.known) if i in k.relevant] for i in step.visible}
        self.knowledge.ask(
            ((d, step.visible - {i}) for i in sorted(step.visible) for d in readers[i]), until=self._time_is_up
        )
        for index in sorted(step.visible, key=lambda i: -self.choices.charges[i]):
            if self._time_is_up():
                break
            if self._lost(step.visible, index, readers[index]) < self.choices.charges[index]:
                less = self._asked(step.visible - {index})
                step = less if less is not None and self._worth(less) < self._worth(step) else step

    def _lost(self, visible: Visible, index: int, readers: Sequence[int]) -> float:
        """Return what a set saves less without one of its indexes, in the queries that could read it."""
        cost = [(self.knowledge.known[d].cost, d) for d in readers]
        answer = self.knowledge.answer
        return sum(of(answer(d, visible - {index})) - of(answer(d, visible)) for of, d in cost)

    def _step(self, visible: Visible) -> Step:
        """Return a set as a step, without what no plan uses."""
        answers = self.knowledge.answers(visible)
        used = frozenset(i for a in answers for i in a.used) & visible
        reads = sum(k.cost(a) for k, a in zip(self.knowledge.known, answers, strict=True))
        size = sum(self.choices.sizes[i] for i in used)
        step = Step(visible=used, bytes=size, reads=reads, upkeep=sum(self.choices.upkeep[i] for i in used))
        self.steps[used] = step
        return step

    def _worth(self, step: Step, price: float = 0.0) -> float:
        return step.reads + sum(self.choices.charges[i] for i in step.visible) + price * step.bytes

    # the end ------------------------------------------------------------------------------------------------------

    def result(self) -> Chosen:
        """Return what was found; where it was cut short before there was anything, what one look finds."""
        best = self._best(self.limits.budget)
        if not best.visible and self.choices.sizes:
            visible = self._solved(self.limits.budget, 0.0)
            best = (self._asked(visible) if visible else None) or best
        known = self.knowledge.known
        return Chosen(
            visible=best.visible,
            candidates=tuple(self.knowledge.candidates),
            sizes=self.choices.sizes,
            upkeep=self.choices.upkeep,
            refused=self.knowledge.refused,
            before=tuple(k.studied.before for k in known),
            after=self.knowledge.answers(best.visible),
            weights=tuple(k.weight for k in known),
            steps=tuple(self._frontier()),
            knowledge=self.knowledge,
            effort=Effort(
                demands=len(known),
                candidates=len(self.knowledge.candidates),
                asked=self.knowledge.asked,
                inferred=self.knowledge.inferred,
                finished=not self.is_cut,
            ),
        )

    def _best(self, budget: float | None = None, price: float = 0.0) -> Step:
        """Return the best of all sets that were found and are within the limits."""
        fitting = [s for s in self.steps.values() if self._is_allowed(s) and (budget is None or s.bytes <= budget)]
        return min(fitting, key=lambda s: self._worth(s, price), default=None) or self._step(_NOTHING)

    def _is_allowed(self, step: Step) -> bool:
        """Whether a set keeps to the limits; asked about as a whole, it may turn out to use less than it had."""
        most = self.limits.per_table
        tables = [self.knowledge.candidates[i].table for i in step.visible]
        crowded = most is not None and any(tables.count(t) > most for t in tables)
        return not crowded and (self.limits.upkeep is None or step.upkeep <= self.limits.upkeep)

    def _frontier(self) -> Iterator[Step]:
        """Yield the sets that no smaller one beats, the smallest first."""
        least = float("inf")
        self._step(_NOTHING)
        for step in sorted(self.steps.values(), key=lambda s: (s.bytes, s.reads)):
            if step.reads < least * (1 - 1e-9):
                least = step.reads
                yield step
