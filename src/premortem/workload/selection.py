"""Chooses the set of indexes: an integer program over what is known, asked about, and solved again.

```
select
├── seed, merge          what each demand would take; candidates that serve several
├── _settle              solve -> ask about the solution -> learn -> solve, until it holds what was promised
├── _hull                the same at rising prices of a byte: the corners of the frontier
└── _settle(budget)      the same within the budget, from the best corner that fits
```
A plan's cost under a set of indexes that were never seen together is guessed from its parts; what the planner makes of
a solution is then asked, so whatever is returned was planned as a whole.  Time that runs out, or Ctrl-C, ends it with
the best set that was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from premortem.advisor import index_size
from premortem.model import Answer, Effort, IndexCandidate
from premortem.workload.knowledge import Knowledge, Known, Visible
from premortem.workload.merging import extends, merged
from premortem.workload.program import Program, solve
from premortem.workload.seeding import seed
from premortem.workload.studied import Studied
from premortem.workload.world import World

_NOTHING: Visible = frozenset()
_CLOSE = 0.005
_NOISE = 0.002
_PATIENCE = 10.0  # seconds for one solution of the program, where there is as much time
_ROUNDS = 8
_BETTER = 0.999
_BESIDES = (0.05, 0.2)
_POINTS = 12
_FEW = 4  # corners on the way to a budget, where no frontier is wanted
_MERGED = 150
_HOPELESS = 10.0
_PROMISING = 8
_STAND_INS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the set may be.

    `budget` is in bytes on disk, `upkeep` in milliseconds a day.  An index has to save `min_share` of the time that is
    spent in its table's queries; no parameter set of a query may get dearer by more than `max_loss`.
    """

    budget: int | None = None
    per_table: int | None = None
    upkeep: float | None = None
    min_share: float = 0.01
    max_loss: float = 0.05
    frontier: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A set that was planned as a whole: numbers of candidates, bytes, and milliseconds a day."""

    visible: Visible
    bytes: int
    reads: float
    upkeep: float


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
    """Return the best set of indexes for these demands that was found before the time was up.

    `upkeep` gives milliseconds a day, `remaining` the seconds that are left.  The world knows no candidate yet.
    """
    knowledge = Knowledge.of(studied, world, limits.max_loss)
    search = _Search(knowledge, limits, upkeep, remaining)
    try:
        search.begin()
        search.choose()
    except KeyboardInterrupt:
        search.interrupted = True
    return search.result()


@dataclass(slots=True)
class _Search:
    """A search under way: what is known, and the best set so far for every budget that was asked about."""

    knowledge: Knowledge
    limits: Limits
    upkeep_of: Callable[[IndexCandidate], float]
    remaining: Callable[[], float]
    sizes: dict[int, int] = field(default_factory=dict)
    upkeep: dict[int, float] = field(default_factory=dict)
    shares: dict[int, float] = field(default_factory=dict)
    charges: dict[int, float] = field(default_factory=dict)
    wider: dict[int, tuple[int, ...]] = field(default_factory=dict)
    spent: dict[object, float] = field(default_factory=dict)
    joined: set[int] = field(default_factory=set)
    forbidden: set[Visible] = field(default_factory=set)
    steps: dict[Visible, Step] = field(default_factory=dict)
    interrupted: bool = False

    def begin(self) -> None:
        """Learn what each demand would take, then make candidates of what several of them took."""
        groups = (c for known in self.knowledge.known for group in known.studied.groups for c in group)
        numbers = self.knowledge.stock(groups)
        self._weigh()
        seed(self.knowledge, numbers, self.sizes)
        worth = self._taken()
        joined = merged([self.knowledge.candidates[i] for i in sorted(worth, key=lambda i: -worth[i])])
        numbers = self.knowledge.stock(joined[:_MERGED])
        self.joined = {numbers[c.definition] for c in joined[:_MERGED]}
        self._weigh()

    def choose(self) -> None:
        """Find the best set without a budget, the frontier below it, and the best set within the budget."""
        largest = self._settle()
        budget = self.limits.budget
        if self.limits.frontier or budget is not None:
            self._hull(self._step(_NOTHING), largest, _POINTS if self.limits.frontier else _FEW)
        if budget is not None and largest.bytes > budget:
            self._settle(budget=budget)

    def _hull(self, small: Step, large: Step, points: int) -> None:
        """Find the sets between two that are best at some price of a byte: the corners of the frontier."""
        gaps = [(small, large)]
        while gaps and points > 0 and not self._time_is_up():
            low, high = gaps.pop(0)
            if high.bytes <= low.bytes:
                continue
            price = (self._worth(low) - self._worth(high)) / (high.bytes - low.bytes)
            found = self._settle(price=price) if price > 0 else None
            points -= 1
            if found is not None and low.bytes < found.bytes < high.bytes:
                gaps += [(low, found), (found, high)]

    def _time_is_up(self) -> bool:
        return self.remaining() <= 0

    # what there is to choose from ---------------------------------------------------------------------------------

    def _taken(self) -> dict[int, float]:
        """Return the candidates that plans use, with what the demands that use them save at most."""
        found: dict[int, float] = {}
        for known in self.knowledge.known:
            saved: dict[int, float] = {}
            for used, cost in known.atoms.items():
                for index in used:
                    saved[index] = max(saved.get(index, 0.0), known.before - cost)
            for index, milliseconds in saved.items():
                found[index] = found.get(index, 0.0) + milliseconds
        return {i: saved for i, saved in found.items() if saved > 0}

    def _weigh(self) -> None:
        """Work out sizes and charges of the candidates that are new, and which ones could stand in for which."""
        profile = self.knowledge.world.profile
        self._count_time()
        for number in sorted(self.knowledge.usable - self.sizes.keys()):
            candidate = self.knowledge.candidates[number]
            table = profile.table(candidate.table)
            assert table is not None
            self.sizes[number] = index_size(candidate, table).bytes
            self.upkeep[number] = self.upkeep_of(candidate)
            self.shares[number] = 0.5 + self.sizes[number] / max(table.size_bytes, 8192)
        for number, share in self.shares.items():
            spent = self.spent.get(self.knowledge.candidates[number].table, 0.0)
            self.charges[number] = self.upkeep[number] + self.limits.min_share * spent * share
        self._relate()

    def _count_time(self) -> None:
        """Count the time a day of each table's queries, without most of what indexes save of the hopeless ones.

        Else one query that takes hours would make everything that helps the others look too small to mention.
        """
        self.spent.clear()
        for known in self.knowledge.known:
            counted = min(known.before, _HOPELESS * min(known.atoms.values()))
            for table in known.studied.keys:
                self.spent[table] = self.spent.get(table, 0.0) + counted

    def _relate(self) -> None:
        by_table: dict[object, list[int]] = {}
        for number in sorted(self.sizes):
            by_table.setdefault(self.knowledge.candidates[number].table, []).append(number)
        candidates = self.knowledge.candidates
        taken = self._taken()
        for numbers in by_table.values():
            others = [n for n in numbers if n in taken or n in self.joined]
            for short in numbers if taken else ():
                longer = [n for n in others if n != short and extends(candidates[n], candidates[short])]
                self.wider[short] = tuple(sorted(longer, key=lambda n: self.sizes[n])[:_STAND_INS])

    def _atoms(self, known: Known) -> dict[Visible, float]:
        """Return what a demand's plans may use and cost: seen ones, and guesses of what could stand in for what."""
        seen = {used: cost for used, cost in known.atoms.items() if used not in known.harmful or not used}
        found = dict(seen)
        promising = sorted((cost, sorted(used)) for used, cost in seen.items() if used and cost < known.before)
        for cost, used in promising[:_PROMISING]:
            for index, other in ((i, o) for i in used for o in self.wider.get(i, ())):
                guess = frozenset(used) - {index} | {other}
                if other in known.relevant and guess not in found and known.find(guess) is None:
                    found[guess] = cost * (1 + _CLOSE)
        return found

    # one set ------------------------------------------------------------------------------------------------------

    def _settle(self, *, budget: int | None = None, price: float = 0.0) -> Step:
        """Return the best set within a budget or at a price of a byte, by solving and asking in turn."""
        best: Step | None = None
        for _ in range(_ROUNDS):
            visible = self._solved(budget, price)
            if visible is None:
                break
            promised = self._promised(visible)
            step = self._asked(visible)
            better = step is not None and (
                best is None or self._worth(step, price) < self._worth(best, price) * _BETTER
            )
            if step is not None and better:
                best = step
                if budget is not None:
                    self._look_around(step)
            elif step is not None and step.reads <= promised * (1 + _CLOSE):
                break
            if self._time_is_up():
                break
        return best or self._step(_NOTHING)

    def _look_around(self, step: Step) -> None:
        """Ask what each demand would take besides a set, of candidates that are small beside it."""
        around = [frozenset(i for i, size in self.sizes.items() if size <= step.bytes * share) for share in _BESIDES]
        self.knowledge.ask((d, step.visible | small) for d in range(len(self.knowledge.known)) for small in around)

    def _solved(self, budget: int | None, price: float) -> Visible | None:
        sizes = {i: s for i, s in self.sizes.items() if budget is None or s <= budget}
        atoms = [_undominated(self._atoms(k), sizes) for k in self.knowledge.known]
        useful = {i for choices in atoms for used in choices for i in used}
        program = Program(
            atoms=[choices for choices in atoms if len(choices) > 1],
            sizes={i: s for i, s in sizes.items() if i in useful}, charges=self.charges,
            tables={i: self.knowledge.candidates[i].table for i in useful},
            forbidden=sorted(self.forbidden, key=sorted), per_table=self.limits.per_table, upkeep=self.upkeep,
            most_upkeep=self.limits.upkeep,
        )  # fmt: skip
        start = self._best(budget, price).visible
        seconds = max(0.2, min(_PATIENCE, self.remaining() / 8))
        return solve(program, budget=budget, price=price, start=start, seconds=seconds)

    def _promised(self, visible: Visible) -> float:
        total = 0.0
        for known in self.knowledge.known:
            total += min(cost for used, cost in self._atoms(known).items() if used <= visible)
        return total

    def _asked(self, visible: Visible) -> Step | None:
        """Ask about a solution; return it as a step, and keep it, unless it harms a query."""
        answers = self.knowledge.answers(visible)
        pairs = zip(self.knowledge.known, answers, strict=True)
        harmful = {a.used for k, a in pairs if a.used and k.harms(a, self.limits.max_loss)}
        self.forbidden |= harmful
        return None if harmful else self._step(visible)

    def _step(self, visible: Visible) -> Step:
        """Return a set as a step, without what no plan uses."""
        answers = self.knowledge.answers(visible)
        used = frozenset(i for a in answers for i in a.used) & visible
        reads = sum(k.cost(a) for k, a in zip(self.knowledge.known, answers, strict=True))
        step = Step(visible=used, bytes=sum(self.sizes[i] for i in used), reads=reads,
                    upkeep=sum(self.upkeep[i] for i in used))  # fmt: skip
        self.steps[used] = step
        return step

    def _worth(self, step: Step, price: float = 0.0) -> float:
        return step.reads + sum(self.charges[i] for i in step.visible) + price * step.bytes

    # the end ------------------------------------------------------------------------------------------------------

    def result(self) -> Chosen:
        """Return what was found."""
        best = self._best(self.limits.budget)
        known = self.knowledge.known
        return Chosen(
            visible=best.visible, candidates=tuple(self.knowledge.candidates), sizes=self.sizes, upkeep=self.upkeep,
            refused=self.knowledge.refused, before=tuple(k.studied.before for k in known),
            after=self.knowledge.answers(best.visible), weights=tuple(k.weight for k in known),
            steps=tuple(self._frontier()), knowledge=self.knowledge,
            effort=Effort(
                demands=len(known), candidates=len(self.knowledge.candidates), asked=self.knowledge.asked,
                inferred=self.knowledge.inferred, finished=not (self.interrupted or self._time_is_up()),
            ),
        )  # fmt: skip

    def _best(self, budget: float | None = None, price: float = 0.0) -> Step:
        """Return the best of all sets that were found and fit."""
        fitting = [s for s in self.steps.values() if budget is None or s.bytes <= budget]
        return min(fitting, key=lambda s: self._worth(s, price), default=None) or self._step(_NOTHING)

    def _frontier(self) -> Iterable[Step]:
        """Yield the sets that no smaller one beats, the smallest first."""
        least = float("inf")
        self._step(_NOTHING)
        for step in sorted(self.steps.values(), key=lambda s: (s.bytes, s.reads)):
            if step.reads < least * (1 - 1e-9):
                least = step.reads
                yield step


def _undominated(atoms: Mapping[Visible, float], sizes: Mapping[int, int]) -> dict[Visible, float]:
    """Return the sets for which there is no part that costs the demand as little, all of whose indexes fit."""
    found: dict[Visible, float] = {}
    for used, cost in sorted(atoms.items(), key=lambda a: (len(a[0]), a[1], sorted(a[0]))):
        fits = all(i in sizes for i in used)
        if fits and not any(less < used and price <= cost * (1 + _NOISE) for less, price in found.items()):
            found[used] = cost
    return found
