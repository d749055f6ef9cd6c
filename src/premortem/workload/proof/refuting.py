"""Chooses indexes, executes what they change, and chooses again with what the execution says.

```
refute
├── select(view)         the search, asking a view of the world: no index that was refused, costs as measured
├── mirror.build         what is chosen and not built yet
├── _learn               each demand whose plans use something new: its values in turns without and with all of it
├── _try_out             once: what was not chosen, and may be better than the planner thinks
└── again                where an estimate lied, until none does
```
A plan whose estimate lies is costed by what it took, so that the search finds another index or column order, or none.
After some rounds the planner is taken to have promised as much too much of such a query's other plans; what makes a
query slower even so is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, Protocol, TypeVar

from premortem import words
from premortem.errors import ServerTimeout, StatementError
from premortem.model import (
    Answer,
    Built,
    Certainty,
    Comparison,
    Declined,
    Gap,
    IndexCandidate,
    ParameterSet,
    Query,
    RelationName,
    Run,
    StatementKind,
)
from premortem.workload.proof.facts import Definitions, Fact, fact, sentence
from premortem.workload.proof.measuring import Noise, compared
from premortem.workload.proof.view import Ground, View
from premortem.workload.studied import Studied
from premortem.workload.weighing import day_weight, expected_cost
from premortem.workload.world import World

Chosen = TypeVar("Chosen")
#: A demand, and numbers of candidates that it may be better served by than the planner thinks.
Promise = tuple[int, frozenset[int]]
#: Refusals that production's server would give as well: a row too long, not immutable, not unique.
_FINAL = frozenset({"54000", "42P17", "23505"})
_MOST_TOLD = 3


class Mirror(Protocol):
    """Where indexes are built and queries executed; all of it is undone in the end.

    `build` numbers indexes on from those that it was given before; one that cannot be built has the server's error.
    `run` executes a query where of these only the `visible` ones are there, and of its own not the `hidden` ones.
    """

    @property
    def place(self) -> str:
        """Where it is, without a password."""
        ...

    def build(self, candidates: Sequence[IndexCandidate]) -> tuple[Built | StatementError | ServerTimeout, ...]:
        """Build indexes, none of them visible yet."""
        ...

    def run(
        self,
        query: Query,
        parameters: ParameterSet,
        *,
        visible: frozenset[int] = frozenset(),
        hidden: frozenset[RelationName] = frozenset(),
        limit_ms: float | None = None,
    ) -> Run:
        """Execute a query; raises StatementError where it is refused."""
        ...

    def sampled(self, query: Query, sets: Sequence[ParameterSet]) -> tuple[ParameterSet, ...]:
        """Return values that rows of its own have, so that they go together; none where the query has none."""
        ...

    def is_whole(self, relation: RelationName) -> bool:
        """Whether a table is about as large as production's."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How long to go on, and what is noise.

    In the first half of `rounds` every estimate that lied is a reason to search again; in the second half only what
    got slower is, and the planner's other promises for such a query are believed as little.  After them nothing new is
    built, and round by round an index that still does harm is refused, until none does.
    """

    rounds: int = 6
    noise: Noise = field(default_factory=Noise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuted(Generic[Chosen]):
    """The set that is left, the world as the last search saw it, and what was found out.

    `facts` are those of the chosen set's plans; `lies` are estimates that execution refuted, as sentences; `declined`
    are the indexes that it refused.  `built` are sizes and build times on the mirror, by definition.  `slower` are
    demands that the set slows down: none, unless the search insists on it.  `interrupted` says that Ctrl-C ended it.
    """

    chosen: Chosen
    world: World
    place: str
    facts: tuple[Fact, ...] = ()
    lies: tuple[str, ...] = ()
    declined: tuple[Declined, ...] = ()
    built: Mapping[str, Built] = field(default_factory=dict)
    slower: tuple[Fact, ...] = ()
    gaps: tuple[Gap, ...] = ()
    certainty: Certainty = Certainty.PLANNED
    rounds: int = 0
    interrupted: bool = False


def refute(
    select: Callable[[World], Chosen],
    visible: Callable[[Chosen], frozenset[int]],
    studied: Sequence[Studied],
    world: World,
    mirror: Mirror,
    *,
    promising: Callable[[Chosen], Sequence[Promise]] = lambda _: (),
    rules: Rules | None = None,
    enough: Callable[[], bool] = lambda: False,
    told: Callable[[str], None] = lambda _: None,
) -> Refuted[Chosen]:
    """Return the set that `select` chooses once every plan that it changes was executed and none got slower.

    `visible` tells the numbers of a choice's indexes, and `promising` which demands are worth executing with which of
    the indexes that it knows besides.  `enough` says whether the time is up: then what was not executed is a gap, and
    the set is as sure as its plans are.  `told` hears what is going on.
    """
    return _Trial(Ground(world, studied), mirror, rules or Rules(), enough, told).run(select, visible, promising)


@dataclass(slots=True)
class _Trial:
    """Searches and executions under way, and what they have found."""

    ground: Ground
    mirror: Mirror
    rules: Rules
    enough: Callable[[], bool]
    told: Callable[[str], None]
    built: dict[str, Built] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    tables: dict[str, IndexCandidate] = field(default_factory=dict)
    unbuilt: dict[str, str] = field(default_factory=dict)
    tried_out: set[tuple[int, Definitions]] = field(default_factory=set)
    interrupted: bool = False

    @property
    def is_over(self) -> bool:
        """Whether there is no time to execute anything more."""
        return self.interrupted or self.enough()

    def run(
        self,
        select: Callable[[World], Chosen],
        visible: Callable[[Chosen], frozenset[int]],
        promising: Callable[[Chosen], Sequence[Promise]],
    ) -> Refuted[Chosen]:
        last: Definitions | None = None
        half = (self.rules.rounds + 1) // 2
        for number in itertools.count(1):
            view = View(self.ground)
            if number > 1:
                self.told("looking for indexes again, with what was refuted")
            chosen = select(view)
            shown = visible(chosen)
            wanted = self._wanted(view, shown)
            new = self._learn(view, shown, wanted)
            if number == 1:
                new += self._try_out(view, promising(chosen))
            wrong = any(f.is_better if self._was_tried_out(f) else f.is_lie for f in new)
            if not (number <= half and wrong) and not self._does_harm(wanted):
                break
            stays, last = view.definitions(shown) == last, view.definitions(shown)
            self.ground.is_cautious = number >= half
            if number >= self.rules.rounds:
                self.ground.only = frozenset(self.built)
            if stays or number >= self.rules.rounds or self.is_over:
                refused = len(self.ground.banned)
                self._refuse(wanted)
                if number > self.rules.rounds and len(self.ground.banned) == refused:
                    break
        return self._result(chosen, view, wanted, number)

    # what a choice asks for ---------------------------------------------------------------------------------------

    def _wanted(self, view: View, shown: frozenset[int]) -> list[tuple[int, Answer, Definitions]]:
        """Return the demands whose plans a choice changes: reading ones first, the heaviest of them first.

        What writes leaves dead rows behind, and pages that an index-only scan has to visit.
        """
        definitions = view.definitions(shown)
        every = range(len(self.ground.studied))
        found = self.ground.ask([(n, definitions, frozenset()) for n in every])
        changed = [(n, answer, used) for n, (answer, used) in zip(every, found, strict=True) if used]
        return sorted(changed, key=lambda one: (self._writes(one[0]), -self._weight(one[0])))

    def _writes(self, demand: int) -> bool:
        return self.ground.studied[demand].demand.query.kind not in (StatementKind.SELECT, StatementKind.VALUES)

    def _weight(self, number: int) -> float:
        one = self.ground.studied[number]
        return day_weight(one.demand, one.before) * expected_cost(one.demand, one.before)

    def _build(self, view: View, shown: frozenset[int]) -> Definitions:
        """Build what is chosen and was not built before; return what is there of it."""
        wanted = [view.candidates[n] for n in sorted(shown)]
        new = [c for c in wanted if c.definition not in self.numbers]
        for candidate, found in zip(new, self.mirror.build(new) if new else (), strict=True):
            self.numbers[candidate.definition] = len(self.numbers)
            self.tables[candidate.definition] = candidate
            if isinstance(found, Built):
                self.built[candidate.definition] = found
            elif isinstance(found, StatementError) and found.sqlstate in _FINAL:
                self.ground.banned[candidate.definition] = f"it cannot be built on the mirror: {found.message}"
            else:
                self.unbuilt[candidate.definition] = found.message
        return frozenset(c.definition for c in wanted if c.definition in self.built)

    # executing ----------------------------------------------------------------------------------------------------

    def _learn(
        self, view: View, shown: frozenset[int], wanted: Sequence[tuple[int, Answer, Definitions]]
    ) -> list[Fact]:
        """Build what is chosen, execute what is not known yet of it, and return what that says; Ctrl-C ends it."""
        new: list[Fact] = []
        if self.is_over:
            return new
        try:
            self.told("building on the mirror")
            there = self._build(view, shown)
            unknown = [w for w in wanted if (w[0], w[2]) not in self.ground.facts and w[2] <= there]
            for done, (demand, answer, used) in enumerate(unknown):
                if not self.enough():
                    self.told(f"executed {done} of {words.plural(len(unknown), 'query', 'queries')} on the mirror")
                    new.append(self._noted(demand, answer, used, there))
        except KeyboardInterrupt:
            self.interrupted = True
        return new

    def _try_out(self, view: View, promises: Sequence[Promise]) -> list[Fact]:
        """Build what was not chosen, execute the demands that may be better served by it; Ctrl-C ends it."""
        found: list[Fact] = []
        if self.is_over or not promises:
            return found
        try:
            self.told("building on the mirror what may be better than the planner thinks")
            there = self._build(view, frozenset(n for _, numbers in promises for n in numbers))
            wanted = [(d, w, frozenset[RelationName]()) for d, n in promises if (w := view.definitions(n)) <= there]
            for done, ((demand, *_), (answer, used)) in enumerate(zip(wanted, self.ground.ask(wanted), strict=True)):
                if used and (demand, used) not in self.ground.facts and not self.enough():
                    self.told(f"tried {done} of {words.plural(len(wanted), 'plan')} that may be better than planned")
                    found.append(self._noted(demand, answer, used, used))
                    self.tried_out.add((demand, used))
        except KeyboardInterrupt:
            self.interrupted = True
        return found

    def _was_tried_out(self, found: Fact) -> bool:
        """Whether nobody chose what was executed: then it is no news that it is no better than it should be."""
        return (found.demand, found.used) in self.tried_out

    def _noted(self, demand: int, answer: Answer, used: Definitions, there: Definitions) -> Fact:
        """Execute a demand with all that is there, and remember what that says of what its plans use."""
        found = self.ground.facts[demand, used] = self._executed(demand, answer, used, there)
        return found

    def _executed(self, demand: int, answer: Answer, used: Definitions, there: Definitions) -> Fact:
        one = self.ground.studied[demand]
        comparisons: list[Comparison | None] = []
        sampled: list[Comparison] = []
        refusal = ""
        try:
            for values in one.demand.sets:
                comparisons.append(None if values.is_generic else self._compared(one.demand.query, values, there))
            for values in self.mirror.sampled(one.demand.query, one.demand.sets):
                sampled.append(self._compared(one.demand.query, values, there))
        except StatementError as error:
            refusal = error.message
            comparisons += [None] * (len(one.demand.sets) - len(comparisons))
        whole = all(self.mirror.is_whole(self.tables[d].table) for d in used)
        noise = self.rules.noise
        return fact(demand, used, one, answer, comparisons, noise, whole=whole, sampled=sampled, refusal=refusal)

    def _compared(self, query: Query, values: ParameterSet, there: Definitions) -> Comparison:
        visible = frozenset(self.numbers[d] for d in there)
        without, with_them = partial(self._run, query, values, frozenset()), partial(self._run, query, values, visible)
        return compared(query, values, without, with_them, self.rules.noise)

    def _run(self, query: Query, values: ParameterSet, visible: frozenset[int], limit_ms: float | None) -> Run:
        return self.mirror.run(query, values, visible=visible, limit_ms=limit_ms)

    # what still does harm -----------------------------------------------------------------------------------------

    def _slower(self, wanted: Sequence[tuple[int, Answer, Definitions]]) -> list[Fact]:
        found = (self.ground.facts.get((demand, used)) for demand, _, used in wanted)
        return [f for f in found if f is not None and f.is_slower]

    def _does_harm(self, wanted: Sequence[tuple[int, Answer, Definitions]]) -> bool:
        return bool(self._slower(wanted)) or any(used & self.ground.banned.keys() for _, _, used in wanted)

    def _refuse(self, wanted: Sequence[tuple[int, Answer, Definitions]]) -> None:
        """Refuse the indexes that make a query slower though the search knows what they cost."""
        savings = self._savings(wanted)
        for found in self._slower(wanted):
            why = sentence(found, self.ground.studied[found.demand])
            for definition in self._culprits(found, savings):
                self.ground.banned.setdefault(definition, why)

    def _culprits(self, found: Fact, savings: Mapping[str, float]) -> Definitions:
        """Return the index without which the query is not slower, the one that others would miss least.

        All of them where there is no such one.
        """
        if len(found.used) == 1 or self.is_over:
            return found.used
        by_savings = sorted(found.used, key=lambda d: (savings.get(d, 0.0), d))
        cured = next((d for d in by_savings if not self._is_slower_without(found, d)), None)
        return found.used if cured is None else frozenset({cured})

    def _savings(self, wanted: Sequence[tuple[int, Answer, Definitions]]) -> dict[str, float]:
        """Return what the queries whose plans read an index save a day, as far as is known."""
        saved: dict[str, float] = {}
        for demand, answer, used in wanted:
            one = self.ground.studied[demand]
            after = expected_cost(one.demand, self.ground.costed(demand, answer, used))
            gain = day_weight(one.demand, one.before) * (expected_cost(one.demand, one.before) - after)
            for definition in used:
                saved[definition] = saved.get(definition, 0.0) + max(gain, 0.0)
        return saved

    def _is_slower_without(self, found: Fact, definition: str) -> bool:
        there = found.used - {definition}
        ((answer, _),) = self.ground.ask([(found.demand, there, frozenset())])
        return self._executed(found.demand, answer, there, there).is_slower

    # the end ------------------------------------------------------------------------------------------------------

    def _result(
        self, chosen: Chosen, view: View, wanted: Sequence[tuple[int, Answer, Definitions]], rounds: int
    ) -> Refuted[Chosen]:
        keys = [(demand, used) for demand, _, used in wanted]
        facts = tuple(self.ground.facts[k] for k in keys if k in self.ground.facts)
        gaps = tuple(self._gaps(keys))
        slower = tuple(self._slower(wanted))
        sure = not gaps and not slower and len(facts) == len(keys) and all(f.is_executed for f in facts)
        refuted = (f for f in self.ground.facts.values() if f.is_lie and not self._was_tried_out(f))
        lies = sorted(refuted, key=lambda f: not f.is_slower)
        return Refuted(
            chosen=chosen, world=view, place=self.mirror.place, facts=facts, built=dict(self.built), slower=slower,
            lies=tuple(sentence(f, self.ground.studied[f.demand]) for f in lies),
            declined=tuple(
                Declined(candidate=self.tables[d], reason=why) for d, why in self.ground.banned.items()
            ),
            gaps=gaps, certainty=Certainty.EXECUTED if sure else Certainty.PLANNED, rounds=rounds,
            interrupted=self.interrupted,
        )  # fmt: skip

    def _gaps(self, keys: Sequence[tuple[int, Definitions]]) -> Iterator[Gap]:
        """Yield why the set is not sure, reason by reason."""
        for definition, why in self.unbuilt.items():
            if any(definition in used for _, used in keys):
                yield Gap(subject=definition, says=f"It could not be built on the mirror: {why}", effect=_PLANNED)
        open_ = {key: self.ground.facts.get(key) for key in keys}
        for refusal in dict.fromkeys(f.refusal for f in open_.values() if f is not None and f.refusal):
            demands = [d for (d, _), f in open_.items() if f is not None and f.refusal == refusal]
            yield self._unexecuted(demands, f"The mirror refuses {{}}: {refusal}")
        waiting = [d for (d, used), f in open_.items() if f is None and not used & self.unbuilt.keys()]
        if waiting:
            ended = "It was interrupted" if self.interrupted else "The time was up"
            yield self._unexecuted(waiting, ended + " before {} came to be executed")
        valueless = [
            d
            for (d, _), f in open_.items()
            if f is not None and not f.refusal and not any((*f.comparisons, *f.sampled))
        ]
        if valueless:
            yield self._unexecuted(valueless, "There are no values to execute {} with")
        unending = [
            d for (d, _), f in open_.items() if f is not None and any(_never_ended(c) for c in f.comparisons)
        ]  # fmt: skip
        if unending:
            yield self._unexecuted(unending, "{} came to no end, with the indexes or without", cure="--mirror-timeout")

    def _unexecuted(self, demands: Sequence[int], says: str, cure: str = "") -> Gap:
        named = words.listing([str(self.ground.studied[d].demand.query.site) for d in demands], most=_MOST_TOLD)
        return Gap(subject="execution on the mirror", says=says.format(named), effect=_PLANNED, cure=cure)


_PLANNED = "that they get no slower is as sure as the twin's plans are"


def _never_ended(comparison: Comparison | None) -> bool:
    return (
        comparison is not None
        and not comparison.before.finished
        and (comparison.after is None or not comparison.after.finished)
    )
