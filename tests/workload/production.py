"""One production for each major, its profile and its twin: made once, as a twin takes seconds to build."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from premortem import catalog, parameters, pg, twin, workload
from premortem.model import Answer, Index, IndexCandidate, Planned, Profile, Query, Question, Site, Table, Values
from premortem.workload import Studied

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """A twin, and the usual choice of parameter sets."""

    explain: object
    parameter_types: object
    choose: object = parameters.choose


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A `workload.World` for some demands, on a stock that has seen others before; a twin has but one."""

    profile: Profile
    whole: twin.Stock
    first: int

    @property
    def stocked(self) -> int:
        return self.whole.stocked

    def stock(self, candidates: Sequence[IndexCandidate]) -> tuple[str | None, ...]:
        return self.whole.stock(candidates)

    def ask(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        return self.whole.ask([self._own(q) for q in questions])

    def plans(self, question: Question) -> tuple[Planned, ...]:
        return self.whole.plans(self._own(question))

    def _own(self, question: Question) -> Question:
        return replace(question, demand=question.demand + self.first)


@dataclass(frozen=True, slots=True)
class Production:
    """A server with rows, what its catalog says, and a twin of it that plans."""

    dsn: str
    profile: Profile
    planner: twin.Twin
    stock: twin.Stock

    def study(self, *queries: str) -> tuple[Studied, ...]:
        """Return the queries as the workload's study sees them; they are named q1, q2, …"""
        self.stock.rest()
        planner = Planner(explain=self.planner.explain, parameter_types=self.planner.parameter_types)
        found = [workload.study(_query(n, text), planner, self.profile) for n, text in enumerate(queries, 1)]  # type: ignore[arg-type]
        assert all(isinstance(one, Studied) for one in found), found
        return tuple(one for one in found if isinstance(one, Studied))

    def world(self, studied: Sequence[Studied], profile: Profile | None = None) -> Desk:
        """Return what plans these demands with and without indexes; `profile` has other counters, perhaps."""
        first = len(self.stock.demands)
        self.stock.demands.extend(one.demand for one in studied)
        return Desk(profile=profile or self.profile, whole=self.stock, first=first)


def _query(number: int, text: str) -> Query:
    count = max((n for n in range(1, 10) if f"${n}" in text), default=0)
    return Query(text=text, original=text, fingerprint=text, site=Site(source=f"q{number}"), parameter_count=count)


def made(server: pg.Server, file: str, stack: ExitStack) -> Production:
    """Load a script into a fresh database, and open a twin of what it becomes."""
    name = f"{Path(file).stem}_{secrets.token_hex(4)}"
    with pg.writer(server, purpose="test") as db:
        db.execute(f"CREATE DATABASE {name}")
    stack.callback(_dropped, server, name)
    with pg.writer(server, purpose="test", database=name) as db:
        for statement in (HERE / file).read_text(encoding="utf-8").split(";\n"):
            if statement.strip():
                db.execute(statement)
        db.execute("VACUUM ANALYZE")
    profile = pulled(server.dsn(name))
    opened = stack.enter_context(twin.open(profile, installation=server.installation))
    return Production(server.dsn(name), profile, opened, opened.stock())


def pulled(dsn: str) -> Profile:
    """Return the database's profile with every value."""
    with pg.session(dsn, purpose="test") as db:
        return catalog.pull(db, values=Values.ALL)


def _dropped(server: pg.Server, name: str) -> None:
    with pg.writer(server, purpose="test") as db:
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


def counted(profile: Profile, window: timedelta | None, scans: dict[str, int] | None = None) -> Profile:
    """Return the profile as if its counters had counted for so long, with these scans and none of other indexes."""

    def of_index(index: Index) -> Index:
        return replace(index, scans=(scans or {}).get(index.name, 0), last_used=None)

    def of_table(table: Table) -> Table:
        indexes = tuple(of_index(i) for i in table.indexes)
        return replace(table, indexes=indexes, activity=replace(table.activity, window=window))

    return replace(profile, tables=tuple(of_table(t) for t in profile.tables))


def with_table(profile: Profile, table: str, **activity: float) -> Profile:
    """Return the profile with other rates of one table's writes."""
    tables = (
        replace(t, activity=replace(t.activity, **activity)) if t.name == table else t  # type: ignore[arg-type]
        for t in profile.tables
    )
    return replace(profile, tables=tuple(tables))
