"""The world as one search sees it: candidates numbered from 0, refused ones refused, costs as they were measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from premortem.model import Answer, IndexCandidate, Planned, Profile, Question, RelationName
from premortem.workload.proof.facts import Definitions, Facts, corrected, doubted, excess, scaled, surplus
from premortem.workload.studied import Studied
from premortem.workload.world import World

_Asked = tuple[int, Definitions, frozenset[RelationName]]


@dataclass(slots=True)
class Ground:
    """The world that all searches share, its numbers by definition; who else stocked it did so before.

    Of candidates that are not among `only`, where it is set, no search sees anything.
    """

    world: World
    studied: Sequence[Studied]
    facts: Facts = field(default_factory=dict)
    banned: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    definitions: dict[int, str] = field(default_factory=dict)
    answers: dict[_Asked, tuple[Answer, Definitions]] = field(default_factory=dict)
    is_cautious: bool = False
    only: Definitions | None = None

    def stock(self, candidates: Iterable[IndexCandidate]) -> None:
        """Make candidates known to the world, those that it does not know yet."""
        new = list({c.definition: c for c in candidates if c.definition not in self.numbers}.values())
        first = self.world.stocked
        refusals = self.world.stock(new) if new else ()
        for number, (candidate, refusal) in enumerate(zip(new, refusals, strict=True), start=first):
            self.numbers[candidate.definition] = number
            self.definitions[number] = candidate.definition
            if refusal is not None:
                self.refused[candidate.definition] = refusal

    def ask(self, asked: Sequence[_Asked]) -> list[tuple[Answer, Definitions]]:
        """Return the planner's own answers, each with what its plans use; none is asked for twice."""
        missing = list(dict.fromkeys(a for a in asked if a not in self.answers))
        found = self.world.ask([self.question(a) for a in missing]) if missing else ()
        for one, answer in zip(missing, found, strict=True):
            self.answers[one] = answer, frozenset(self.definitions[n] for n in answer.used)
        return [self.answers[a] for a in asked]

    def question(self, asked: _Asked) -> Question:
        """Return a question in the world's numbers."""
        demand, visible, hidden = asked
        return Question(demand=demand, visible=frozenset(self.numbers[d] for d in visible), hidden=hidden)

    def costed(self, demand: int, answer: Answer, used: Definitions) -> Answer:
        """Return an answer with costs as execution found them, where it refuted the planner's.

        Plans that use all that slower ones use, and more, are taken to be as slow until they are executed; and those
        that use all that better ones use, to be as much better than the planner thinks.  With caution, the planner is
        taken to have promised as much too much of a demand's other plans, which may then be no better than today's.
        """
        own = self.facts.get((demand, used))
        before = self.studied[demand].before
        if own is not None or not used:
            return corrected(answer, before, own) if own is not None and (own.is_lie or own.is_better) else answer
        found = [(part, f) for (d, part), f in self.facts.items() if d == demand]
        lies = [f for _, f in found if f.is_lie]
        slower = [f for part, f in found if f.is_slower and part < used]
        if slower:
            return corrected(answer, before, max(slower, key=lambda f: max((x or 0.0 for x in f.left), default=0.0)))
        better = [(len(part), surplus(f)) for part, f in found if f.is_better and part < used]
        if better:
            return scaled(answer, max(better)[1])
        return doubted(answer, before, min(map(excess, lies))) if lies and self.is_cautious else answer


@dataclass(slots=True)
class View:
    """One search's world."""

    ground: Ground
    candidates: list[IndexCandidate] = field(default_factory=list)

    @property
    def profile(self) -> Profile:
        """The profile that the planners stand for."""
        return self.ground.world.profile

    @property
    def stocked(self) -> int:
        """How many candidates this search knows, which is the number of the next one."""
        return len(self.candidates)

    def stock(self, candidates: Sequence[IndexCandidate]) -> tuple[str | None, ...]:
        """Make candidates known, none of them visible yet, and return the refusal for each, None where made."""
        self.ground.stock(candidates)
        self.candidates += candidates
        refusals: Mapping[str, str] = self.ground.refused | self.ground.banned
        return tuple(refusals.get(c.definition) for c in candidates)

    def ask(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """Return the answers in the questions' order, costed as execution found."""
        found = self.ground.ask([self._asked(q) for q in questions])
        return tuple(self._own(q, answer, used) for q, (answer, used) in zip(questions, found, strict=True))

    def plans(self, question: Question) -> tuple[Planned, ...]:
        """Return the plans themselves, one for each of the demand's parameter sets."""
        return self.ground.world.plans(self.ground.question(self._asked(question)))

    def definitions(self, numbers: Iterable[int]) -> Definitions:
        """Return candidates by what they are."""
        return frozenset(self.candidates[n].definition for n in numbers)

    def _asked(self, question: Question) -> _Asked:
        shown = self.definitions(question.visible).difference(self.ground.banned, self.ground.refused)
        shown = shown if self.ground.only is None else shown & self.ground.only
        return question.demand, shown, question.hidden

    def _own(self, question: Question, answer: Answer, used: Definitions) -> Answer:
        numbers = frozenset(n for n in question.visible if self.candidates[n].definition in used)
        return replace(self.ground.costed(question.demand, answer, used), used=numbers)
