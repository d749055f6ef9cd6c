"""What is known of each demand's cost under any set of indexes, and what has to be asked.

A plan costs the same as long as the indexes that it reads are there and none is added to those that it was chosen
among, unless one of them tells the planner something by being there.  So one answer, for some visible indexes of which
some are used, answers every set in between; the same idea as in INUM (Papadomanolakis et al., VLDB 2007) and
AutoIndex's atomic configurations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from premortem.model import Answer, IndexCandidate, Question
from premortem.workload.studied import Studied
from premortem.workload.weighing import day_weight, expected_cost
from premortem.workload.world import World

#: A demand's numbered candidates that its plans could read.
Visible = frozenset[int]
_NOTHING: Visible = frozenset()
_AT_ONCE = 256  # some seconds' work, so that a deadline is kept and an interrupted search keeps what it learnt


@dataclass(slots=True)
class Known:
    """What is known of one demand: its answers by what was visible, and the cost of each set that a plan used.

    Costs are milliseconds a day.  `speaking` are the candidates that change estimates by being there, read or not: the
    planner takes an expression's statistics and a column's uniqueness from whatever index has them.
    """

    studied: Studied
    weight: float
    max_loss: float
    relevant: set[int] = field(default_factory=set)
    speaking: set[int] = field(default_factory=set)
    answers: dict[Visible, Answer] = field(default_factory=dict)
    inferred: dict[Visible, Answer] = field(default_factory=dict)
    atoms: dict[Visible, float] = field(default_factory=dict)
    harmful: set[Visible] = field(default_factory=set)

    def note(self, visible: Visible, answer: Answer) -> None:
        """Remember an answer, and the set that its plans used: as harmful where a parameter set got worse.

        An infinite cost is the server's refusal to plan it at all.
        """
        self.answers[visible] = answer
        if not all(map(isfinite, answer.shown)):
            return
        cost = self.cost(answer)
        self.atoms[answer.used] = min(cost, self.atoms.get(answer.used, cost))
        if answer.used and self.harms(answer):
            self.harmful.add(answer.used)

    def cost(self, answer: Answer) -> float:
        """Return what an answer costs a day."""
        return self.weight * expected_cost(self.studied.demand, answer)

    def harms(self, answer: Answer) -> bool:
        """Whether a parameter set got worse by more than the share, and by more than anybody would notice."""
        old = self.studied.before
        least = max(50.0, 0.01 * max(map(max, zip(old.shown, old.risk, strict=True))))
        pairs = [*zip(old.shown, answer.shown, strict=True), *zip(old.risk, answer.risk, strict=True)]
        return any(after > before * (1 + self.max_loss) + least for before, after in pairs)

    @property
    def before(self) -> float:
        """What the demand costs today."""
        return self.atoms[_NOTHING]

    def find(self, visible: Visible) -> Answer | None:
        """Return the answer for a set of indexes if it is known or follows from a known one."""
        known = self.answers.get(visible) or self.inferred.get(visible)
        if known is None:
            known = next((a for asked, a in self.answers.items() if self._follows(visible, asked, a)), None)
            if known is not None:
                self.inferred[visible] = known
        return known

    def _follows(self, visible: Visible, asked: Visible, answer: Answer) -> bool:
        """Whether an answer for some indexes is one for others too: no more of them, and all that it uses."""
        return answer.used <= visible <= asked and not (asked - visible) & self.speaking


@dataclass(slots=True)
class Knowledge:
    """All demands, the candidates, and the world that answers what is not known."""

    world: World
    known: list[Known] = field(default_factory=list)
    candidates: list[IndexCandidate] = field(default_factory=list)
    usable: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    asked: int = 0
    inferred: int = 0

    @classmethod
    def of(cls, studied: Sequence[Studied], world: World, max_loss: float) -> Knowledge:
        """Return what the study of the demands says already."""
        knowledge = cls(world)
        for one in studied:
            known = Known(one, day_weight(one.demand, one.before), max_loss)
            known.note(_NOTHING, one.before)
            knowledge.known.append(known)
        return knowledge

    def stock(self, candidates: Iterable[IndexCandidate]) -> dict[str, int]:
        """Make candidates known to the planners, each once; return the numbers of all by definition."""
        numbers = {c.definition: n for n, c in enumerate(self.candidates)}
        new = list({c.definition: c for c in candidates if c.definition not in numbers}.values())
        for candidate, refusal in zip(new, self.world.stock(new) if new else (), strict=True):
            number = len(self.candidates)
            self.candidates.append(candidate)
            numbers[candidate.definition] = number
            if refusal is None:
                self.usable.add(number)
            else:
                self.refused[number] = refusal
        self._relate(len(self.candidates) - len(new))
        return numbers

    def _relate(self, first: int) -> None:
        """Note which demands could use the candidates from a number on."""
        by_table: dict[object, list[int]] = {}
        for number in range(first, len(self.candidates)):
            if number in self.usable:
                by_table.setdefault(self.candidates[number].table, []).append(number)
        for known in self.known:
            for table, keys in known.studied.keys.items():
                for number in by_table.get(table, ()):
                    if _says_something(self.candidates[number], keys, known.studied.visits.get(table)):
                        known.relevant.add(number)
                        if _speaks(self.candidates[number]):
                            known.speaking.add(number)

    def ask(self, wanted: Iterable[tuple[int, Visible]], *, until: Callable[[], bool] = lambda: False) -> None:
        """Ask the world for the answers that are not known yet, many at a time, and no more once `until` says so."""
        missing: dict[tuple[int, Visible], Question] = {}
        for demand, visible in wanted:
            narrowed = visible & self.known[demand].relevant
            if self.known[demand].find(narrowed) is not None:
                self.inferred += 1
                continue
            missing.setdefault((demand, narrowed), Question(demand=demand, visible=narrowed))
        questions = list(missing.items())
        for start in range(0, len(questions), _AT_ONCE):
            if until():
                return
            self._learn(dict(questions[start : start + _AT_ONCE]))

    def _learn(self, questions: Mapping[tuple[int, Visible], Question]) -> None:
        answers = self.world.ask(tuple(questions.values()))
        self.asked += len(questions)
        for (demand, visible), answer in zip(questions, answers, strict=True):
            self.known[demand].note(visible, answer)

    def answer(self, demand: int, visible: Visible) -> Answer:
        """Return the answer of one demand, asking where it is not known."""
        narrowed = visible & self.known[demand].relevant
        found = self.known[demand].find(narrowed)
        if found is None:
            self.ask([(demand, narrowed)])
            found = self.known[demand].answers[narrowed]
        return found

    def answers(self, visible: Visible) -> tuple[Answer, ...]:
        """Return every demand's answer under a set of indexes."""
        self.ask((n, visible) for n in range(len(self.known)))
        return tuple(self.answer(n, visible) for n in range(len(self.known)))


def _speaks(candidate: IndexCandidate) -> bool:
    return candidate.unique or any(k.expression is not None for k in candidate.keys)


def _says_something(candidate: IndexCandidate, keys: frozenset[str], visits: frozenset[str] | None) -> bool:
    """Whether a demand might read the index: for its first key, or because it holds all that is needed."""
    first = candidate.keys[0]
    if candidate.method != "btree" or (first.column or first.expression) in keys:
        return True
    held = {k.column for k in candidate.keys} | set(candidate.include)
    return visits is not None and visits <= held
