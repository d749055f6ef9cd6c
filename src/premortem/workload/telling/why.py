"""Why an index that somebody named is proposed, is there already, or is not worth having.

It is planned twice for every query that could read it: among today's indexes, and among the proposed ones too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from premortem import advisor, words
from premortem.model import (
    Answer,
    Explained,
    Gain,
    Index,
    IndexCandidate,
    Indexing,
    Profile,
    Question,
    Recommendation,
    RelationKind,
    RelationName,
    Standing,
    Table,
)
from premortem.workload.search.knowledge import Visible
from premortem.workload.search.selection import Chosen
from premortem.workload.telling.declining import reason
from premortem.workload.telling.explaining import Price, Terms, dearer, family_of, gain
from premortem.workload.telling.meaning import Meant, settled


def why(meant: Meant, chosen: Chosen, found: Indexing, price: Price, terms: Terms) -> Explained:
    """Return what became of an index that somebody asked about.

    Raises UsageError where a name is neither an existing index's nor a proposed one's.
    """
    profile = chosen.knowledge.world.profile
    named = [(r.name, r.candidate) for r in found.recommendations]
    one = settled(meant, named, profile)
    assert one.candidate is not None
    table = profile.table(one.candidate.table)
    assert table is not None
    case = _Case(chosen, one.candidate, table, found, price, terms)
    if one.existing is not None:
        return case.existing(one.existing)
    recommended = next((r for r in found.recommendations if _same(r.candidate, one.candidate)), None)
    return case.recommended(recommended) if recommended is not None else case.declined()


def _same(one: IndexCandidate, other: IndexCandidate) -> bool:
    return _words(one) == _words(other)


def _words(one: IndexCandidate) -> str:
    """Return what tells an index from others, however its expressions are written."""
    text = "".join(one.definition.split()).replace("(", "").replace(")", "")
    return text.lower() + ("unique" if one.unique else "")


@dataclass(slots=True)
class _Case:
    """One index in question."""

    chosen: Chosen
    candidate: IndexCandidate
    table: Table
    found: Indexing
    price: Price
    terms: Terms

    @property
    def profile(self) -> Profile:
        """The profile that the planners stand for."""
        return self.chosen.knowledge.world.profile

    # an index that is there ---------------------------------------------------------------------------------------

    def existing(self, name: RelationName) -> Explained:
        """Return what an existing index does: what is lost without it."""
        index = next(i for i in self.table.indexes if i.name == name.name)
        family = family_of(name, self.profile)
        alone = self._hidden(name, family, self.chosen.before, frozenset())
        beside = self._hidden(name, family, self.chosen.after, self.chosen.visible)
        replacing = tuple(r.name for r in self.found.recommendations if name in r.replaces)
        return Explained(
            candidate=self.candidate, name=name.short, standing=Standing.EXISTS,
            says=f"{name} is there already" + ("" if index.valid and index.ready else ", but invalid: no plan uses it"),
            size_bytes=(index.pages or index.relation_pages) * 8192,
            upkeep=advisor.existing_upkeep(index, self.table, self.profile),
            alone=alone, beside=beside, readers=self._readers(family), better=replacing,
            reasons=tuple(self._about_existing(index, alone, beside, replacing)),
        )  # fmt: skip

    def _hidden(
        self, name: RelationName, family: frozenset[RelationName], answers: Sequence[Answer], visible: Visible
    ) -> tuple[Gain, ...]:
        """Return the queries that read the index, without and with it."""
        readers = [d for d, a in enumerate(answers) if family & a.kept]
        asked = (
            Question(demand=d, visible=visible & self.chosen.knowledge.known[d].relevant, hidden=frozenset({name}))
            for d in readers
        )
        without = self.chosen.knowledge.world.ask(tuple(asked))
        known = self.chosen.knowledge.known
        pairs = zip(readers, without, strict=True)
        return _ordered(gain(known[d], w, answers[d]) for d, w in pairs if dearer(answers[d], w))

    def _about_existing(
        self, index: Index, alone: Sequence[Gain], beside: Sequence[Gain], replacing: Sequence[str]
    ) -> Iterator[str]:
        if index.scans is not None:
            yield f"production counted {words.plural(index.scans, 'scan')} of it"
        others = replace(self.table, indexes=tuple(i for i in self.table.indexes if i.name != index.name))
        wider = advisor.same_index(self.candidate, others)
        if wider is not None:
            yield f"{wider.name} finds all that it finds"
        if replacing:
            yield f"{words.listing(replacing)}, which is proposed, does its work: it may go then"
        elif not alone:
            yield "no query of this workload would be slower without it; --drop says whether it may go"
        elif not beside:
            yield "next to the proposed indexes no query would miss it"

    # an index that is not -----------------------------------------------------------------------------------------

    def recommended(self, index: Recommendation) -> Explained:
        """Return why an index is proposed."""
        number = next(n for n in sorted(self.chosen.visible) if self.chosen.candidates[n] == index.candidate)
        alone = self._gains(number, self.chosen.before, frozenset({number}))
        without = self.chosen.knowledge.answers(self.chosen.visible - {number})
        beside = self._gains(number, without, self.chosen.visible)
        when = [f"it is in the best set from {words.size(index.enters_at)} on"] if index.enters_at else []
        return replace(
            self._explained(Standing.RECOMMENDED, index.name),
            says=f"it is proposed as {index.name}: without it, {_day(index.saves)} of "
            f"{_day(self.found.before - self.found.after)} that the set saves would be lost",
            alone=alone, beside=beside, readers=self._readers(), reasons=(*when, *index.notes),
            statements=index.statements, upkeep=index.upkeep,
        )  # fmt: skip

    def declined(self) -> Explained:
        """Return why an index is not proposed, with what it would do."""
        knowledge = self.chosen.knowledge
        number = knowledge.stock([self.candidate])[self.candidate.definition]
        if number in knowledge.refused:
            refused = f"PostgreSQL refuses it: {knowledge.refused[number]}"
            return Explained(candidate=self.candidate, name="", standing=Standing.REFUSED, says=refused)
        alone = self._gains(number, self.chosen.before, frozenset({number}))
        beside = self._gains(number, self.chosen.after, self.chosen.visible | {number})
        (name,) = advisor.names([self.candidate], self.profile)
        return replace(
            self._explained(Standing.DECLINED, name),
            says=self._reason(number, alone, beside), alone=alone, beside=beside, readers=self._readers(),
            better=tuple(self._better()), reasons=tuple(self._context(alone)),
            statements=advisor.statements(self.candidate, name, self.table, self.profile),
        )  # fmt: skip

    def _explained(self, standing: Standing, name: str) -> Explained:
        size = advisor.whole_size(self.candidate, self.profile)
        return Explained(
            candidate=self.candidate, name=name, standing=standing, says="", size_bytes=size.bytes,
            build_time=advisor.build_time(self.candidate, self.table, self.profile),
            lock=advisor.lock(self.candidate, self.table, self.profile), upkeep=self.price(self.candidate),
        )  # fmt: skip

    def _gains(self, number: int, without: Sequence[Answer], visible: Visible) -> tuple[Gain, ...]:
        """Return the queries whose plans use the index where just these are visible, without and with it."""
        knowledge = self.chosen.knowledge
        readers = [d for d, k in enumerate(knowledge.known) if number in k.relevant]
        knowledge.ask((d, visible) for d in readers)
        answers = [(d, knowledge.answer(d, visible)) for d in readers]
        return _ordered(gain(knowledge.known[d], without[d], a) for d, a in answers if number in a.used)

    def _reason(self, number: int, alone: Sequence[Gain], beside: Sequence[Gain]) -> str:
        exists = advisor.same_index(self.candidate, self.table)
        if exists is not None:
            return f"already covered by {exists.name}, which is there"
        if not alone and not beside:
            return self._unused()
        sizes = {**self.chosen.sizes, number: advisor.whole_size(self.candidate, self.profile).bytes}
        upkeep = {**self.chosen.upkeep, number: self.price(self.candidate).time.total_seconds() * 1000}
        chosen = replace(self.chosen, candidates=tuple(self.chosen.knowledge.candidates), sizes=sizes, upkeep=upkeep)
        return reason(chosen, number, _saved(alone), _saved(beside), self.terms.budget, self.terms.min_share)

    def _unused(self) -> str:
        whole = next((p for p in self.table.parents if self._is_partitioned(p)), None)
        if whole is not None:
            return (
                f"{self.table.full_name} is a partition: queries read {whole}, an index of which every partition gets"
            )
        if not self._readers():
            return f"no query of this workload that an index could help reads {self.table.full_name}"
        return "the planner would use it for no query of this workload"

    def _is_partitioned(self, name: RelationName) -> bool:
        table = self.profile.table(name)
        return table is not None and table.kind is RelationKind.PARTITIONED_TABLE

    def _context(self, alone: Sequence[Gain]) -> Iterator[str]:
        """Yield what else to know: which index takes its place, and what it would make superfluous."""
        better = list(self._better())
        if better and alone:
            verb = "is" if len(better) == 1 else "are"
            yield f"{words.listing(better, most=4)} {verb} proposed on {self.table.full_name}"
        gone = [i.name for i in advisor.replaced(self.candidate, self.table)]
        if gone:
            yield f"it would do the work of {words.listing(gone)}"
        if self.table.kind is RelationKind.PARTITIONED_TABLE:
            yield f"{self.table.full_name} is partitioned: every partition gets one"

    def _better(self) -> Iterator[str]:
        return (r.name for r in self.found.recommendations if r.candidate.table == self.candidate.table)

    def _readers(self, family: frozenset[RelationName] = frozenset()) -> int:
        known = zip(self.chosen.knowledge.known, self.chosen.before, strict=True)
        return sum(self.candidate.table in k.studied.keys or bool(family & a.kept) for k, a in known)


def _ordered(gains: Iterator[Gain]) -> tuple[Gain, ...]:
    """Return the gains, those first that change most."""
    return tuple(sorted(gains, key=lambda g: abs(g.before - g.after), reverse=True))


def _saved(gains: Sequence[Gain]) -> float:
    return sum((g.before - g.after).total_seconds() for g in gains) * 1000


def _day(time: timedelta) -> str:
    return f"{words.duration(time)}/day"
