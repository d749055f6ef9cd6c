"""Plans the workload without indexes that look superfluous: who would get slower, and who would not.

A demand is asked again only where the answer may differ: a plan that does not read an index is the same without it,
unless the index has an expression, whose statistics go with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from premortem.model import Answer, Profile, Question, RelationName
from premortem.workload.studied import Studied
from premortem.workload.suspects import DropLimits, Suspect
from premortem.workload.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """One demand that gets dearer, with the parameter set that it shows most with."""

    demand: int
    parameters: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """How many times dearer."""
        return self.after / max(self.before, 0.01)


@dataclass(slots=True)
class Proof:
    """The workload with the recommended indexes in place, and what it costs without some of the others.

    `base` are the answers with everything there, in the order of the demands.
    """

    studied: Sequence[Studied]
    world: World
    visible: frozenset[int]
    base: tuple[Answer, ...]
    limits: DropLimits
    asked: int = 0
    _near: dict[RelationName, list[int]] = field(default_factory=dict)
    _known: dict[tuple[int, frozenset[RelationName]], Answer] = field(default_factory=dict)
    _touched: list[frozenset[RelationName]] = field(default_factory=list)

    def __post_init__(self) -> None:
        profile = self.world.profile
        self._touched = [
            frozenset(_tables(one, base, profile)) for one, base in zip(self.studied, self.base, strict=True)
        ]
        for number, tables in enumerate(self._touched):
            for table in tables:
                self._near.setdefault(table, []).append(number)

    def touching(self, suspects: Iterable[Suspect]) -> list[int]:
        """Return the demands that read the tables of these."""
        return sorted({n for s in suspects for table in s.tables for n in self._near.get(table, ())})

    def readers(self, suspect: Suspect) -> list[int]:
        """Return the demands whose plans read it, while everything is there."""
        return [n for n in self.touching((suspect,)) if self.base[n].kept & suspect.family]

    def without(self, hidden: Sequence[Suspect], demands: Iterable[int]) -> dict[int, Answer]:
        """Return what these demands cost without the suspects."""
        keys = {n: (n, self._relevant(n, hidden)) for n in demands}
        missing = [key for key in keys.values() if key[1] and key not in self._known]
        questions = [Question(demand=n, visible=self.visible, hidden=names) for n, names in missing]
        self.asked += len(questions)
        self._known.update(zip(missing, self.world.ask(questions) if questions else (), strict=True))
        return {n: self._known.get(key, self.base[n]) for n, key in keys.items()}

    def harmed(self, hidden: Sequence[Suspect], demands: Iterable[int]) -> tuple[Harm, ...]:
        """Return the demands that get dearer without the suspects, the worst first."""
        answers = self.without(hidden, demands)
        found = (self._harm(n, answer) for n, answer in answers.items())
        return tuple(sorted((h for h in found if h is not None), key=lambda h: -h.ratio))

    def concerned(self, suspect: Suspect, hidden: Sequence[Suspect]) -> list[int]:
        """Return the demands whose plans may change if it goes too, the others being gone already."""
        near = self.touching((suspect,))
        if any(k.expression is not None for k in suspect.index.keys):
            return near
        now = self.without(hidden, near)
        return [n for n in near if now[n].kept & suspect.family]

    def _harm(self, number: int, answer: Answer) -> Harm | None:
        base = self.base[number]
        sets = self.studied[number].demand.sets
        pairs = [
            Harm(demand=number, parameters=one.name, before=before, after=after)
            for befores, afters in ((base.shown, answer.shown), (base.risk, answer.risk))
            for one, before, after in zip(sets, befores, afters, strict=True)
            if after > before * (1 + self.limits.noise) + self.limits.floor
        ]
        return max(pairs, key=lambda h: h.ratio, default=None)

    def _relevant(self, number: int, hidden: Sequence[Suspect]) -> frozenset[RelationName]:
        """Return the names to hide from a demand: an index of a table that it does not read is nothing to it."""
        touched = self._touched[number]
        return frozenset(name for s in hidden if touched & s.tables for name in s.family)


def _tables(one: Studied, base: Answer, profile: Profile) -> Iterator[RelationName]:
    yield from one.keys
    yield from one.visits
    for name in (*one.before.kept, *base.kept):
        table = profile.table_of_index(name.schema, name.name)
        if table is not None:
            yield table.relation


def dearest(base: Sequence[Answer], answers: dict[int, Answer]) -> float:
    """Return how many times dearer the demand is that gets dearest, at least 1."""
    pairs = (
        after / max(before, 0.01)
        for n, answer in answers.items()
        for before, after in zip((*base[n].shown, *base[n].risk), (*answer.shown, *answer.risk), strict=True)
        if math.isfinite(after)
    )
    return max(pairs, default=1.0)
