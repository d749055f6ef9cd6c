"""Plans the workload without indexes that look superfluous: who would get slower, and who would not.

While one index after the other is tried, a demand is asked again only where the answer may differ: a plan that does not
read an index is the same without it, unless it is unique, which ON CONFLICT may want, or has an expression, whose
statistics go with it.  The set that it comes to is asked of every demand on its tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from premortem import sqltext
from premortem.model import Answer, Profile, Query, Question, RelationName
from premortem.workload.dropping.suspects import DropLimits, Suspect
from premortem.workload.studied import Studied
from premortem.workload.world import World

_NOTHING: frozenset[RelationName] = frozenset()


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
class Hidden:
    """The suspects that the planner is not to see, by the tables that they are read with.

    `telling` are those whose absence a plan may notice that does not read them, `knowing` of these have the statistics
    of an expression.
    """

    telling: set[RelationName] = field(default_factory=set)
    knowing: set[RelationName] = field(default_factory=set)
    _names: dict[RelationName, set[RelationName]] = field(default_factory=dict)

    def add(self, suspect: Suspect) -> None:
        """Hide one more."""
        for table in suspect.tables:
            self._names.setdefault(table, set()).update(suspect.family)
        if has_expression(suspect):
            self.knowing |= suspect.family
        if suspect.index.unique or has_expression(suspect):
            self.telling |= suspect.family

    def remove(self, suspect: Suspect) -> None:
        """Show one again."""
        for table in suspect.tables:
            self._names[table] -= suspect.family
        self.knowing -= suspect.family
        self.telling -= suspect.family

    def beside(self, tables: Iterable[RelationName]) -> frozenset[RelationName]:
        """Return what is hidden of some tables: an index of a table that a demand does not read is nothing to it."""
        return frozenset().union(*(self._names.get(table, ()) for table in tables))


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
    _known: dict[int, dict[frozenset[RelationName], Answer]] = field(default_factory=dict)
    touched: list[frozenset[RelationName]] = field(default_factory=list)

    def __post_init__(self) -> None:
        profile = self.world.profile
        self.touched = [
            frozenset(_tables(one, base, profile)) for one, base in zip(self.studied, self.base, strict=True)
        ]
        for number, tables in enumerate(self.touched):
            for table in tables:
                self._near.setdefault(table, []).append(number)

    def touching(self, suspects: Iterable[Suspect]) -> list[int]:
        """Return the demands that read the tables of these."""
        return sorted({n for s in suspects for table in s.tables for n in self._near.get(table, ())})

    def readers(self, suspect: Suspect) -> list[int]:
        """Return the demands whose plans read it, while everything is there."""
        return [n for n in self.touching((suspect,)) if self.base[n].kept & suspect.family]

    def without(self, hidden: Hidden, demands: Iterable[int], *, whole: bool = False) -> dict[int, Answer]:
        """Return what these demands cost without the suspects; as a `whole`, nothing is inferred."""
        names = {n: hidden.beside(self.touched[n]) for n in demands}
        infer = self._exact if whole else self._inferred
        found = {n: infer(n, gone, hidden) for n, gone in names.items()}
        missing = [n for n, answer in found.items() if answer is None]
        questions = [Question(demand=n, visible=self.visible, hidden=names[n]) for n in missing]
        self.asked += len(questions)
        for n, answer in zip(missing, self.world.ask(questions) if questions else (), strict=True):
            self._known.setdefault(n, {})[names[n]] = found[n] = answer
        return {n: answer for n, answer in found.items() if answer is not None}

    def harmed(self, hidden: Hidden, demands: Iterable[int], *, whole: bool = False) -> tuple[Harm, ...]:
        """Return the demands that get dearer without the suspects, or lose what they were planned on; the worst first.

        Without an expression's statistics a plan is made on a guess, and what looks cheaper then is none the better.
        """
        answers = self.without(hidden, demands, whole=whole)
        found = (self._harm(n, answer) or self._blinded(n, answer, hidden) for n, answer in answers.items())
        return tuple(sorted((h for h in found if h is not None), key=lambda h: -h.ratio))

    def _blinded(self, number: int, answer: Answer, hidden: Hidden) -> Harm | None:
        """Return a demand that seems to get cheaper, which nothing but another estimate can make it."""
        if not hidden.knowing or not hidden.beside(self.touched[number]) & hidden.knowing:
            return None
        pairs = zip(self.studied[number].demand.sets, self.base[number].shown, answer.shown, strict=True)
        for one, before, after in pairs:
            if after < before * (1 - self.limits.noise) - self.limits.floor:
                return Harm(demand=number, parameters=one.name, before=before, after=after)
        return None

    def _exact(self, number: int, gone: frozenset[RelationName], _: Hidden) -> Answer | None:
        return self._known.get(number, {}).get(gone) if gone else self.base[number]

    def _inferred(self, number: int, gone: frozenset[RelationName], hidden: Hidden) -> Answer | None:
        """Return an answer that is known, or that of a plan which reads nothing of what is gone besides."""
        for before, answer in ((_NOTHING, self.base[number]), *self._known.get(number, {}).items()):
            besides = gone - before
            if before <= gone and besides.isdisjoint(answer.kept) and besides.isdisjoint(hidden.telling):
                return answer
        return None

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


def has_expression(suspect: Suspect) -> bool:
    """Whether the planner learns something from the index even where it does not read it."""
    return any(k.expression is not None for k in suspect.index.keys)


def _tables(one: Studied, base: Answer, profile: Profile) -> Iterator[RelationName]:
    yield from one.keys
    yield from one.visits
    yield from _arbitrated(one.demand.query, profile)
    for name in (*one.before.kept, *base.kept):
        table = profile.table_of_index(name.schema, name.name)
        if table is not None:
            yield table.relation


def _arbitrated(query: Query, profile: Profile) -> Iterator[RelationName]:
    """Yield the table of an INSERT … ON CONFLICT: no plan says which index it wants."""
    if "on conflict" not in " ".join(query.text.lower().split()):
        return
    for written in sqltext.statement_facts(query.text).writes:
        table = profile.find_table(written.name, written.schema or None)
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
