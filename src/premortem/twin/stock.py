"""A twin with every candidate of a workload in it, and a planner that is asked thousands of questions about them.

A candidate is in one of three states.  *Away*, it is not live, and not in the list of its table's indexes.  *At hand*,
it is in the list and not valid: the planner opens it and skips it.  *Shown*, it is valid.  Showing what is at hand
changes one row.  Taking something to hand has every query on its table analysed anew as well; but two hundred indexes
at hand take longer to skip than a query takes to plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import groupby

from premortem import pg, plans
from premortem.advisor import costs_of
from premortem.errors import PrivilegeError, ServerTimeout, StatementError
from premortem.model import (
    Answer,
    Demand,
    Index,
    IndexCandidate,
    ParameterSet,
    Plan,
    Planned,
    Profile,
    Question,
    RelationName,
)
from premortem.twin import candidates as making
from premortem.twin.answering import Names, glance
from premortem.twin.candidates import queries
from premortem.twin.explaining import ESTIMATES, Explainer

#: How many queries stay prepared: each costs the server some tens of kilobytes.
_PREPARED = 1_000
#: How many plans are remembered by their digests.
_REMEMBERED = 100_000
#: How many candidates of a table stay at hand that the next questions do not ask about.
_SPARE = 12
_BRIEF, _WHOLE = "FORMAT JSON", ESTIMATES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """One parameter set's costs and the indexes of its plan."""

    shown: float
    risk: float
    used: frozenset[int] = frozenset()
    kept: frozenset[RelationName] = frozenset()


_REFUSED = _Read(shown=math.inf, risk=math.inf)


@dataclass(slots=True)
class Stock:
    """The candidates that a twin holds, which of them its planner sees at the moment, and the demands it plans.

    It is a `workload.World` of one process.  Its candidates' names are numbered from `first` on.  A question that the
    server refuses, such as an ON CONFLICT without its index, costs infinitely much.  Existing indexes are hidden with
    their partitions' parts, and what is `kept` names the partitions' parts.
    """

    db: pg.Session
    server: pg.Server
    profile: Profile
    explainer: Explainer
    demands: list[Demand] = field(default_factory=list)
    first: int = 0
    _count: int = 0
    _made: dict[int, tuple[int, ...]] = field(default_factory=dict)
    _heaps: dict[int, int] = field(default_factory=dict)
    _names: Names = field(default_factory=Names)
    _parts: dict[RelationName, frozenset[int]] | None = None
    _shown: frozenset[int] = frozenset()
    _hidden: frozenset[int] = frozenset()
    _at_hand: dict[int, frozenset[int]] = field(default_factory=dict)
    _bets: set[tuple[int, int]] = field(default_factory=set)
    _changes: int = 0
    _stale: bool = False
    _generic: dict[int, int] = field(default_factory=dict)
    _reads: dict[bytes, _Read] = field(default_factory=dict)
    _judging: Profile = field(init=False)

    def __post_init__(self) -> None:
        self.explainer.most_prepared = _PREPARED
        self._judging = self.profile
        self._names = Names.of(self.profile)
        self.db.execute(queries["turner"])

    @property
    def stocked(self) -> int:
        """How many candidates are known, which is the number of the next one."""
        return self._count

    def stock(self, candidates: Sequence[IndexCandidate]) -> tuple[str | None, ...]:
        """Make candidates known, none of them visible yet, and return the server's refusal for each, None where made.

        They are numbered on from those that are stocked already; a refused one keeps its number and is never visible.
        """
        outcome = making.make(self.db, self.server, self.profile, candidates, first=self.last)
        self._count += len(candidates)
        for made in outcome.made.values():
            self._made[made.number - self.first] = (*self._made.get(made.number - self.first, ()), made.oid)
            self._heaps[made.oid] = made.heap
        self._judging = _with_indexes(self._judging, outcome.indexes)
        numbers = {name: made.number - self.first for name, made in outcome.made.items()}
        self._names.add(numbers, (index for indexes in outcome.indexes.values() for index in indexes))
        return outcome.refusals

    def ask(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """Return the answers in the questions' order; they are asked in the order that changes least."""
        answers: dict[Question, Answer] = {}
        for _, group in groupby(sorted(set(questions), key=nearness), key=lambda q: q.demand):
            some = list(group)
            soon = frozenset(oid for q in some for oid in self._wanted(q)[0])
            answers.update((q, self._answer(q, soon)) for q in some)
        return tuple(answers[q] for q in questions)

    def plans(self, question: Question) -> tuple[Planned, ...]:
        """Return the plans themselves, one for each of the demand's parameter sets.

        Raises StatementError where the server refuses to plan it.
        """
        demand = self.demands[question.demand]
        self._see(question)
        return tuple(self.explainer.explain(demand.query, s) for s in demand.sets)

    @property
    def last(self) -> int:
        """The number that the next candidate's name gets; another stock of the same twin begins there."""
        return self.first + self._count

    def rest(self) -> None:
        """Show no candidate and hide no index: the twin that the stock is in plans as production would again."""
        if self._shown or self._hidden or self._stale:
            nothing: frozenset[int] = frozenset()
            self.db.replies("; ".join([*self._turn(nothing, nothing, nothing), "DISCARD PLANS"]))
            self._turned(nothing, nothing, nothing)
            self._stale = False

    def _answer(self, question: Question, soon: frozenset[int]) -> Answer:
        """Ask one question; those of the next few questions are taken to hand at once."""
        demand = self.demands[question.demand]
        shown, hidden = self._wanted(question)
        options = [self._options(question.demand, place) for place in range(len(demand.sets))]
        try:
            explains = self.explainer.message(demand.query, demand.sets, options)
            turn = self._turn(shown, hidden, soon)
            texts = self.db.replies("; ".join([*turn, *self._afresh(question, demand), explains]))
        except (StatementError, ServerTimeout, PrivilegeError):
            return self._one_by_one(question, demand)
        self._turned(shown, hidden, soon)
        return _answer_of([self._read(question.demand, place, text) for place, text in enumerate(texts)])

    def _options(self, demand: int, place: int) -> str:
        return _WHOLE if (demand, place) in self._bets else _BRIEF

    def _afresh(self, question: Question, demand: Demand) -> list[str]:
        """Return what has the generic plan made anew, which the server keeps.

        It would keep it while no table changes, and an index that was there and not valid has not changed its table.
        """
        if not any(s.is_generic for s in demand.sets) or self._generic.get(question.demand) == self._changes:
            return []
        self._generic[question.demand] = self._changes
        return ["DISCARD PLANS"]

    def _read(self, demand: int, place: int, text: str) -> _Read:
        """Read one plan; most questions get one that another got before."""
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        found = self._reads.get(digest)
        if found is None:
            if len(self._reads) >= _REMEMBERED:
                self._reads.clear()
            found = self._reads[digest] = self._read_anew(demand, place, text)
        return found

    def _read_anew(self, demand: int, place: int, text: str) -> _Read:
        """Read one plan; where a glance is not enough, with all that EXPLAIN can say."""
        seen = glance(text)
        is_plain = not seen.bets and not self._names.cost_more(seen.indexes)
        if is_plain and not self._names.ambiguous(seen.indexes):
            used, kept = self._names.used(seen.indexes), self._names.kept(seen.indexes)
            return _Read(shown=seen.cost, risk=seen.cost, used=used, kept=kept)
        if (demand, place) not in self._bets:
            self._bets.add((demand, place))
            known = self.demands[demand]
            (text,) = self.db.replies(self.explainer.message(known.query, [known.sets[place]], [_WHOLE]))
        return self._judged(plans.parse_json(text))

    def _judged(self, plan: Plan) -> _Read:
        costs = costs_of(plan, self._judging)
        used = self._names.used(frozenset(n.index for n in plan.walk() if n.index is not None))
        return _Read(shown=costs.shown, risk=costs.risk, used=used, kept=self._names.kept_by(plan.root))

    def _one_by_one(self, question: Question, demand: Demand) -> Answer:
        """Ask about one set after the other: a refusal is one set's, and a missing setting is made up."""
        self._see(question)
        return _answer_of([self._tried(demand, one) for one in demand.sets])

    def _tried(self, demand: Demand, one: ParameterSet) -> _Read:
        try:
            return self._judged(self.explainer.explain(demand.query, one).plan)
        except (StatementError, ServerTimeout, PrivilegeError):
            return _REFUSED

    def _see(self, question: Question) -> None:
        """Make the question's indexes visible, and have every plan made anew."""
        shown, hidden = self._wanted(question)
        self.db.replies("; ".join([*self._turn(shown, hidden, shown), "DISCARD PLANS"]))
        self._turned(shown, hidden, shown)
        self._stale = True  # the plan that `explain` then makes of a query without parameters is kept

    def _wanted(self, question: Question) -> tuple[frozenset[int], frozenset[int]]:
        """Return the OIDs of the candidates to show, and of the existing indexes to hide."""
        shown = frozenset(oid for n in question.visible for oid in self._made.get(n, ()))
        hidden = frozenset(oid for name in question.hidden for oid in self._of(name))
        return shown, hidden

    def _turn(self, shown: frozenset[int], hidden: frozenset[int], soon: frozenset[int]) -> list[str]:
        """Return the statement that makes just these visible and invisible, none where nothing changes."""
        on = (shown - self._shown) | (self._hidden - hidden)
        off = (self._shown - shown) | (hidden - self._hidden)
        hands = self._hands(soon, shown)
        taken = frozenset(oid for heap, oids in hands.items() for oid in oids - self._at_hand.get(heap, frozenset()))
        away = frozenset(oid for heap, oids in hands.items() for oid in self._at_hand.get(heap, frozenset()) - oids)
        if not on and not off and not taken and not away:
            return []
        self._changes += 1
        return [f"CALL premortem_twin.turn({', '.join(map(_array, (on, off, taken, away, frozenset(hands))))})"]

    def _turned(self, shown: frozenset[int], hidden: frozenset[int], soon: frozenset[int]) -> None:
        """Note what the server has done."""
        self._at_hand.update(self._hands(soon, shown))
        self._shown, self._hidden = shown, hidden

    def _hands(self, soon: frozenset[int], shown: frozenset[int]) -> dict[int, frozenset[int]]:
        """Return what to have at hand of tables where something is missing; what was there stays if it is little."""
        wanted: dict[int, set[int]] = {}
        for oid in soon | shown:
            wanted.setdefault(self._heaps[oid], set()).add(oid)
        found = {}
        for heap, oids in wanted.items():
            there = self._at_hand.get(heap, frozenset())
            if not oids <= there:
                found[heap] = oids | there if len(there - oids) <= _SPARE else frozenset(oids)
        return {heap: frozenset(oids) for heap, oids in found.items()}

    def _of(self, name: RelationName) -> frozenset[int]:
        """Return the OIDs of an existing index and of its parts on partitions; none where the planner never saw it."""
        if self._parts is None:  # while none is hidden yet
            self._parts = _parts(self.db.rows(queries["existing"], _Existing))
        return self._parts.get(name, frozenset())


def _with_indexes(profile: Profile, indexes: Mapping[RelationName, tuple[Index, ...]]) -> Profile:
    """Return a profile whose tables have more indexes: what a plan reads of one is worked out from its size."""
    tables = tuple(
        replace(t, indexes=(*t.indexes, *indexes[t.relation])) if t.relation in indexes else t for t in profile.tables
    )
    return replace(profile, tables=tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Existing:
    oid: int
    schema: str
    name: str
    parent: int | None


def _parts(rows: Sequence[_Existing]) -> dict[RelationName, frozenset[int]]:
    """Return every index's OID and those of all that hang below it."""
    parents = {r.oid: r.parent for r in rows}
    below: dict[int, set[int]] = {r.oid: set() for r in rows}
    for oid in parents:
        above: int | None = oid
        while above is not None:
            below.get(above, set()).add(oid)
            above = parents.get(above)
    return {RelationName(schema=r.schema, name=r.name): frozenset(below[r.oid]) for r in rows}


def _array(oids: frozenset[int]) -> str:
    return "'{" + ",".join(map(str, sorted(oids))) + "}'::pg_catalog.oid[]"


def nearness(question: Question) -> tuple[int, list[str], list[int]]:
    """Sort a demand's questions next to each other, like sets of indexes next to like ones."""
    return question.demand, sorted(map(str, question.hidden)), sorted(question.visible)


def _answer_of(read: Sequence[_Read]) -> Answer:
    return Answer(
        shown=tuple(r.shown for r in read),
        risk=tuple(r.risk for r in read),
        used=frozenset().union(*(r.used for r in read)),
        kept=frozenset().union(*(r.kept for r in read)),
    )
