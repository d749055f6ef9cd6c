"""What a rule looks at: one plan of one query, the database it would run in, and how often it runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from premortem import sqltext
from premortem.errors import StatementError
from premortem.model import Node, Plan, Planned, Profile, Query
from premortem.rules.execution import Execution, executions
from premortem.rules.readings import Reading, readings
from premortem.sqltext import StatementFacts

#: A query that runs this often weighs as much as it can: what it reads counts twenty times.
BUSIEST = 20.0


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One plan of one query."""

    planned: Planned
    query: Query
    profile: Profile

    @property
    def plan(self) -> Plan:
        """The plan."""
        return self.planned.plan

    @property
    def parameters(self) -> str:
        """The name of the parameter set that the plan was made for."""
        return self.planned.parameters.name

    @cached_property
    def facts(self) -> StatementFacts:
        """What the query's text says; nothing where a pasted plan came with none, or with a part of it."""
        try:
            return sqltext.statement_facts(self.query.text)
        except StatementError:
            return StatementFacts(kind=self.query.kind)

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """What the plan reads of each relation."""
        return readings(self.plan, self.profile)

    @cached_property
    def executions(self) -> tuple[Execution, ...]:
        """Every node with how often it runs."""
        return tuple(executions(self.plan, self.profile))

    @property
    def calls_per_second(self) -> float:
        """How often the query runs, 1 where nobody knows or it is less."""
        return min(max(self.query.calls_per_second or 1.0, 1.0), BUSIEST)

    def weight(self, rows: float) -> float:
        """Return rows as they count: times the calls per second, so that a busy query is judged on smaller tables."""
        return rows * self.calls_per_second

    def reading_of(self, node: Node) -> Reading | None:
        """Return the reading that a scan node is part of."""
        return next((r for r in self.readings if any(p.node is node for p in r.parts)), None)
