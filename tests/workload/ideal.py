"""A planner without a server: each demand's cost is that of the cheapest of its ways whose indexes are all visible.

It is what the search takes a planner for, so the search's promises can be held against every possible answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from premortem.model import (
    Answer,
    Column,
    ColumnStatistics,
    Demand,
    IndexCandidate,
    IndexKey,
    ParameterSet,
    Planned,
    Profile,
    Query,
    Question,
    RelationKind,
    RelationName,
    ServerFacts,
    Site,
    Table,
    Values,
)
from premortem.workload import Studied

#: A set of indexes by number, and what a plan costs that reads them.
Way = tuple[frozenset[int], float]


def relation(number: int) -> RelationName:
    return RelationName(schema="public", name=f"t{number}")


def table(number: int, columns: int = 8, rows: float = 1e6) -> Table:
    """A table whose column `c3` has an average of 3 + 1 columns' width, so that indexes have different sizes."""
    made = tuple(
        Column(
            name=f"c{n}", number=n + 1, type="text",
            statistics=(ColumnStatistics(null_fraction=0.0, average_width=4 * (n + 1), n_distinct=-1.0),),
        )
        for n in range(columns)
    )  # fmt: skip
    return Table(
        schema="public", name=f"t{number}", kind=RelationKind.TABLE, columns=made, tuples=rows,
        pages=int(rows / 50), relation_pages=int(rows / 50),
    )  # fmt: skip


def profile(tables: int = 3) -> Profile:
    return Profile(
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
        server=ServerFacts(
            version_num=180000, version="18.0", database="ideal", encoding="UTF8", collate="C", ctype="C"
        ),
        values=Values.ALL,
        tables=tuple(table(n) for n in range(tables)),
    )


def candidate(on: int, *columns: int, include: Sequence[int] = (), free: int = 0) -> IndexCandidate:
    return IndexCandidate(
        table=relation(on), keys=tuple(IndexKey(column=f"c{c}") for c in columns),
        include=tuple(f"c{c}" for c in include), interchangeable=free,
    )  # fmt: skip


@dataclass(slots=True)
class Ideal:
    """A world in which demand `d` takes the cheapest of `ways[d]`, numbers being places in `candidates`."""

    candidates: list[IndexCandidate]
    ways: list[list[Way]]
    profile: Profile = field(default_factory=profile)
    known: list[IndexCandidate] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    refuses: frozenset[int] = frozenset()

    @property
    def stocked(self) -> int:
        return len(self.known)

    def stock(self, candidates: Sequence[IndexCandidate]) -> tuple[str | None, ...]:
        self.known += candidates
        return tuple("refused" if self._place(c) in self.refuses else None for c in candidates)

    def ask(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        self.asked += questions
        return tuple(self.answer(q.demand, {self.known[i].definition for i in q.visible}) for q in questions)

    def plans(self, question: Question) -> tuple[Planned, ...]:
        raise NotImplementedError

    def answer(self, demand: int, visible: set[str]) -> Answer:
        """Return what the planner would say if these definitions were there."""
        fitting = [w for w in self.ways[demand] if {self.candidates[i].definition for i in w[0]} <= visible]
        used, cost = min(fitting, key=lambda w: (w[1], sorted(w[0])))
        numbers = {c.definition: n for n, c in enumerate(self.known)}
        definitions = (self.candidates[i].definition for i in used)
        return Answer(shown=(cost,), risk=(cost,), used=frozenset(numbers[d] for d in definitions))

    def cost(self, demand: int, visible: set[str]) -> float:
        """Return what the demand costs where these definitions are there."""
        fitting = [w for w in self.ways[demand] if {self.candidates[i].definition for i in w[0]} <= visible]
        return min(cost for _, cost in fitting)

    def studied(self) -> tuple[Studied, ...]:
        """Return the demands as a study of them would: each index of its ways is a candidate of its own."""
        return tuple(self._studied(n) for n in range(len(self.ways)))

    def _studied(self, demand: int) -> Studied:
        own = sorted({i for used, _ in self.ways[demand] for i in used})
        query = Query(text=f"select {demand}", original="", fingerprint=str(demand), site=Site(source="ideal"))
        before = next(cost for used, cost in self.ways[demand] if not used)
        tables = {self.candidates[i].table for i in own}
        keys = frozenset(f"c{n}" for n in range(8))
        return Studied(
            demand=Demand(query=query, sets=(ParameterSet(name="literal"),), shares=(1.0,)),
            before=Answer(shown=(before,), risk=(before,)),
            groups=tuple((self.candidates[i],) for i in own),
            keys=dict.fromkeys(tables, keys),
            visits=dict.fromkeys(tables),
        )

    def _place(self, wanted: IndexCandidate) -> int | None:
        places = (n for n, c in enumerate(self.candidates) if c.definition == wanted.definition)
        return next(places, None)


def weighed(studied: Studied, calls: float) -> Studied:
    """Return a demand that is called so often a day."""
    return replace(studied, demand=replace(studied.demand, calls_per_day=calls))
