"""The case for a chosen set: what each index does for which query, what it costs, when it enters, what it replaces.

```
explain
├── _recommendation      each index: the queries that lose something without it, the others staying
├── _replaced            existing indexes that it makes superfluous, planned without them
├── frontier             the best set of every size, with what came and went
└── declining            what was considered and left, and why
```
Everything rests on plans: what the chosen set was planned to do, and what is planned without one of its members.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from premortem import advisor, words
from premortem.model import (
    Answer,
    Built,
    Drop,
    FrontierPoint,
    Gain,
    Index,
    IndexCandidate,
    Indexing,
    Kept,
    Profile,
    Question,
    Recommendation,
    RelationKind,
    RelationName,
    Table,
    Upkeep,
)
from premortem.rules.indexes import create_sql, drop_sql, own_indexes
from premortem.workload.dropping.suspects import DropLimits
from premortem.workload.proof.refuting import Refuted
from premortem.workload.search.knowledge import Known, Visible
from premortem.workload.search.selection import Chosen, Step
from premortem.workload.studied import Studied
from premortem.workload.telling.declining import alone_savings, declined
from premortem.workload.telling.hinting import hints
from premortem.workload.weighing import a_day, expected_cost

#: What an index of the set costs those who write.
Price = Callable[[IndexCandidate], Upkeep]
#: Less than this part of a query's cost is not called a saving.
_NOTICED = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the user asked for, as far as it decides what is said; who allows no byte asks about none."""

    budget: int | None = None
    min_share: float = 0.01


def explain(chosen: Chosen, studied: Sequence[Studied], price: Price, terms: Terms) -> Indexing:
    """Return the whole case for a chosen set; where it comes from, and what may go, is for the caller to add."""
    case = Case.of(chosen, studied, price)
    recommendations = case.recommendations()
    before, after = case.total(chosen.before), case.total(chosen.after)
    return Indexing(
        recommendations=recommendations,
        frontier=frontier(chosen, before) if terms.budget != 0 else (),
        declined=declined(chosen, terms.budget, terms.min_share) if terms.budget != 0 else (),
        before=a_day(before),
        after=a_day(after),
        upkeep=sum((r.upkeep.time for r in recommendations), timedelta()),
        relative_cost=after / before if before > 0 else 1.0,
        measured=case.measured(before),
        budget_bytes=terms.budget,
        slower=case.slower(),
        hints=hints(chosen, recommendations),
        is_counted=any(s.demand.calls_per_day is not None for s in studied),
        effort=chosen.effort,
    )


@dataclass(slots=True)
class Case:
    """A chosen set, and what has to be planned to explain it."""

    chosen: Chosen
    studied: Sequence[Studied]
    price: Price
    names: dict[int, str] = field(default_factory=dict)
    order: tuple[int, ...] = ()
    added: dict[int, float] = field(default_factory=dict)
    users: dict[int, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, chosen: Chosen, studied: Sequence[Studied], price: Price) -> Case:
        """Return the case, with the plans of all queries without each of the indexes that they use."""
        alone = alone_savings(chosen)
        case = cls(chosen, studied, price, users=_by_index(a.used & chosen.visible for a in chosen.after))
        chosen.knowledge.ask((d, chosen.visible - {i}) for i, users in case.users.items() for d in users)
        lost = {i: case.lost(i) for i in chosen.visible}
        case.order = tuple(sorted(chosen.visible, key=lambda i: (-max(alone.get(i, 0.0), lost[i]), i)))
        case.added = case._added()
        named = advisor.names([chosen.candidates[i] for i in case.order], case.profile)
        case.names = dict(zip(case.order, named, strict=True))
        return case

    @property
    def profile(self) -> Profile:
        """The profile that the planners stand for."""
        return self.chosen.knowledge.world.profile

    def total(self, answers: Sequence[Answer]) -> float:
        """Return what all demands cost under these answers, in milliseconds a day."""
        return sum(k.cost(a) for k, a in zip(self.chosen.knowledge.known, answers, strict=True))

    def measured(self, before: float) -> float:
        """Return the part of today's time that rests on times that somebody measured."""
        known = zip(self.chosen.knowledge.known, self.studied, strict=True)
        timed = sum(k.before for k, s in known if s.demand.mean is not None and s.demand.calls_per_day is not None)
        return timed / before if before > 0 else 0.0

    def recommendations(self) -> tuple[Recommendation, ...]:
        """Return the indexes in the order to build them, those first that save most by themselves."""
        saved = self.total(self.chosen.before) - self.total(self.chosen.after)
        return tuple(self._recommendation(i, saved) for i in self.order)

    def _added(self) -> dict[int, float]:
        """Return what each index saves besides those before it in the order, in milliseconds a day."""
        knowledge, built, steps = self.chosen.knowledge, frozenset[int](), []
        every = _by_index(self.chosen.visible & k.relevant for k in knowledge.known)
        for index in self.order:
            readers = every.get(index, [])
            steps.append((index, readers, built, built := built | {index}))
        knowledge.ask(
            (d, visible) for _, readers, before, after in steps for d in readers for visible in (before, after)
        )
        return {index: sum(self._saved(d, before, after) for d in readers) for index, readers, before, after in steps}

    def _saved(self, demand: int, before: Visible, after: Visible) -> float:
        known, knowledge = self.chosen.knowledge.known[demand], self.chosen.knowledge
        saved = known.cost(knowledge.answer(demand, before)) - known.cost(knowledge.answer(demand, after))
        return saved if math.isfinite(saved) else 0.0

    def lost(self, index: int) -> float:
        """Return the milliseconds a day that are lost again without an index, the others staying."""
        return sum(self._loss(d, index) for d in self.users.get(index, ()))

    def _loss(self, demand: int, index: int) -> float:
        known = self.chosen.knowledge.known[demand]
        without = self.chosen.knowledge.answer(demand, self.chosen.visible - {index})
        loss = known.cost(without) - known.cost(self.chosen.after[demand])
        return max(loss, 0.0) if math.isfinite(loss) else known.before

    def _recommendation(self, index: int, saved: float) -> Recommendation:
        candidate, name = self.chosen.candidates[index], self.names[index]
        table = self.profile.table(candidate.table)
        assert table is not None
        lost = self.lost(index)
        replaces = tuple(RelationName(schema=table.schema, name=i.name) for i in self._replaced(candidate, table))
        drops, restores = _replacing(replaces, self.profile) if replaces else ((), ())
        return Recommendation(
            candidate=candidate,
            name=name,
            size_bytes=self.chosen.sizes[index],
            build_time=advisor.build_time(candidate, table, self.profile),
            lock=advisor.lock(candidate, table, self.profile),
            upkeep=self.price(candidate),
            gains=tuple(self._gains(index)),
            saves=a_day(lost),
            share=min(max(self.added[index] / saved, 0.0), 1.0) if saved > 0 else 0.0,
            adds=a_day(max(self.added[index], 0.0)),
            enters_at=enters_at(self.chosen, frozenset({index})),
            replaces=replaces,
            notes=tuple(self._notes(candidate, table)),
            statements=advisor.statements(candidate, name, table, self.profile),
            undo_statements=advisor.undo_statements(candidate, name, table),
            drop_statements=drops,
            restore_statements=restores,
        )

    def _gains(self, index: int) -> Iterator[Gain]:
        for demand in self.users.get(index, ()):
            known = self.chosen.knowledge.known[demand]
            found = gain(known, self.chosen.before[demand], self.chosen.after[demand])
            saved = known.cost(self.chosen.before[demand]) - known.cost(self.chosen.after[demand])
            share = min(self._loss(demand, index) / saved, 1.0) if saved > 0 else 0.0
            yield replace(found, share=share)

    def slower(self) -> tuple[Gain, ...]:
        """Return the queries that the set slows down."""
        rows = zip(self.chosen.knowledge.known, self.chosen.before, self.chosen.after, strict=True)
        return tuple(gain(k, b, a) for k, b, a in rows if a.used and k.harms(a))

    # what is superfluous then -----------------------------------------------------------------------------------

    def _replaced(self, candidate: IndexCandidate, table: Table) -> Iterator[Index]:
        """Yield the existing indexes that the candidate begins like, and without which no query gets slower."""
        for index in advisor.replaced(candidate, table):
            if not self._missed(RelationName(schema=table.schema, name=index.name), self.chosen.visible):
                yield index

    def _missed(self, name: RelationName, visible: Visible) -> bool:
        """Whether a query that reads the index, with the chosen set, would be slower without it."""
        world, family = self.chosen.knowledge.world, family_of(name, self.profile)
        readers = [d for d, a in enumerate(self.chosen.after) if family & a.kept]
        hidden = frozenset({name})
        answers = world.ask(tuple(Question(demand=d, visible=visible, hidden=hidden) for d in readers))
        noise = DropLimits().noise
        pairs = zip(readers, answers, strict=True)
        return any(dearer(self.chosen.after[d], answer, noise=noise) for d, answer in pairs)

    def _notes(self, candidate: IndexCandidate, table: Table) -> Iterator[str]:
        for extension in advisor.extensions(candidate):
            if not any(e.name == extension for e in self.profile.extensions):
                yield f"needs the extension {extension}, which production does not have yet"
        invalid = advisor.invalid_index(candidate, table)
        if invalid is not None:
            yield f"{invalid.name} is the same index, left invalid by a failed build; REINDEX CONCURRENTLY mends it too"
        risk = advisor.caution(candidate, table)
        if risk is not None:
            yield risk
        if candidate.include and _is_hardly_visible(table):
            share = words.percent(round(table.all_visible / max(table.relation_pages, 1), 2))
            yield (
                f"includes columns to spare visits to the table, and {share} of its pages are known to be visible to "
                f"all: VACUUM {table.relation.sql} first, and often enough"
            )


def _by_index(found: Iterable[Visible]) -> dict[int, list[int]]:
    """Return the demands by the indexes that each of them names, in their order."""
    users: dict[int, list[int]] = {}
    for demand, indexes in enumerate(found):
        for index in indexes:
            users.setdefault(index, []).append(demand)
    return users


#: A table of whose pages fewer are all-visible has to be visited after an index-only scan anyway.
_VISIBLE = 0.8


def _is_hardly_visible(table: Table) -> bool:
    return table.kind is not RelationKind.PARTITIONED_TABLE and table.all_visible < _VISIBLE * table.relation_pages


def family_of(index: RelationName, profile: Profile) -> frozenset[RelationName]:
    """Return the index and its parts on partitions, which are what plans name."""
    table = profile.table_of_index(index.schema, index.name)
    children = profile.children(table.relation) if table is not None else ()
    parts = (RelationName(schema=c.schema, name=i.name) for c in children for i in c.indexes if i.parent == index)
    return frozenset({index}).union(*(family_of(part, profile) for part in parts))


def gain(known: Known, before: Answer, after: Answer) -> Gain:
    """Return what becomes of a demand: costs of an average call, and times a day."""
    return Gain(
        query=known.studied.demand.query,
        before_cost=expected_cost(known.studied.demand, before),
        after_cost=expected_cost(known.studied.demand, after),
        before=a_day(known.cost(before)),
        after=a_day(known.cost(after)),
    )


def dearer(before: Answer, after: Answer, *, noise: float = _NOTICED) -> bool:
    """Whether a parameter set's plan costs more by more than the noise, shown or at risk."""
    pairs = [*zip(before.shown, after.shown, strict=True), *zip(before.risk, after.risk, strict=True)]
    return any(new > old * (1 + noise) + 1.0 for old, new in pairs)


def enters_at(chosen: Chosen, indexes: Visible) -> int | None:
    """Return the bytes of the smallest best set that the indexes are in, None where they are in none."""
    return min((s.bytes for s in chosen.steps if indexes <= s.visible), default=None)


def frontier(chosen: Chosen, before: float) -> tuple[FrontierPoint, ...]:
    """Return the best sets by size, each with what came and went against the one before."""
    points: list[FrontierPoint] = []
    previous: Visible = frozenset()
    for step in _steps(chosen):
        points.append(
            FrontierPoint(
                size_bytes=step.bytes,
                reads=a_day(step.reads),
                upkeep=a_day(step.upkeep),
                relative_cost=step.reads / before if before > 0 else 1.0,
                indexes=_definitions(chosen, step.visible),
                added=_definitions(chosen, step.visible - previous),
                removed=_definitions(chosen, previous - step.visible),
                chosen=step.visible == chosen.visible,
            )
        )
        previous = step.visible
    return tuple(points)


def _steps(chosen: Chosen) -> tuple[Step, ...]:
    """Return the steps of the frontier with the chosen set among them, which need not be the best of its size."""
    if any(s.visible == chosen.visible for s in chosen.steps):
        return chosen.steps
    size = sum(chosen.sizes[i] for i in chosen.visible)
    reads = sum(k.cost(a) for k, a in zip(chosen.knowledge.known, chosen.after, strict=True))
    upkeep = sum(chosen.upkeep[i] for i in chosen.visible)
    own = Step(visible=chosen.visible, bytes=size, reads=reads, upkeep=upkeep)
    return tuple(sorted((*chosen.steps, own), key=lambda s: (s.bytes, s.reads)))


def _definitions(chosen: Chosen, numbers: Visible) -> tuple[str, ...]:
    return tuple(sorted(chosen.candidates[i].definition for i in numbers))


def with_execution(found: Indexing, executed: Refuted[Chosen]) -> Indexing:
    """Return the answer with what executing it on a mirror showed."""
    refused = {d.candidate.definition for d in executed.declined}
    return replace(
        found,
        recommendations=tuple(_with_built(r, executed.built) for r in found.recommendations),
        declined=(*executed.declined, *(d for d in found.declined if d.candidate.definition not in refused)),
        gaps=(*found.gaps, *executed.gaps),
        lies=executed.lies,
        certainty=executed.certainty,
        effort=replace(found.effort, finished=found.effort.finished and not executed.interrupted),
    )


def _with_built(one: Recommendation, built: Mapping[str, Built]) -> Recommendation:
    made = built.get(one.candidate.definition)
    if made is None:
        return one
    took = words.duration(made.seconds)
    return replace(one, notes=(*one.notes, f"built on the mirror: {words.size(made.size_bytes)} in {took}"))


def without_dropped(found: Indexing, drops: Sequence[Drop], profile: Profile, *, kept: Sequence[Kept] = ()) -> Indexing:
    """Return the answer with what may go; an index that is told there is not dropped by what replaces it, too.

    One that was found to be missed when all of them are gone is not replaced after all.
    """
    told, staying = frozenset(d.index for d in drops), frozenset(k.index for k in kept)
    recommendations = tuple(_less(r, told, staying, profile) for r in found.recommendations)
    return replace(found, recommendations=recommendations, drops=tuple(drops), kept=tuple(kept))


def _less(
    one: Recommendation, told: frozenset[RelationName], staying: frozenset[RelationName], profile: Profile
) -> Recommendation:
    if not (told | staying).intersection(one.replaces):
        return one
    replaces = tuple(name for name in one.replaces if name not in staying)
    drops, restores = _replacing({*replaces} - told, profile)
    return replace(one, replaces=replaces, drop_statements=drops, restore_statements=restores)


def _replacing(names: Collection[RelationName], profile: Profile) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the statements that drop what an index replaces, and those that bring it back."""
    found = [(t, i) for t, i in own_indexes(profile) if RelationName(schema=t.schema, name=i.name) in names]
    drops = tuple(s for t, i in found for s in drop_sql(t, i))
    return drops, tuple(s for t, i in found for s in create_sql(t, i, profile))
