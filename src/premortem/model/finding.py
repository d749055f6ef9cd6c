"""The product: one thing that is wrong, how we know, and what to type next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from premortem.model.query import Site
from premortem.model.relation import RelationName


class Severity(StrEnum):
    """How bad a finding is: `error` fails the gate, `warning` and `info` do not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Source(StrEnum):
    """Where a number comes from."""

    PLAN = "plan estimate"
    STATISTICS = "pg_stats"
    CATALOG = "catalog"
    WORKLOAD = "pg_stat_statements"
    MEASURED = "measured"
    ASSUMED = "assumed"
    COMPUTED = "computed"
    SETTINGS = "settings"
    LOCK = "lock"


class Proof(StrEnum):
    """How sure we are of a remedy.

    PROVED: executed on real rows.  LIKELY: planned on the twin for every parameter set, no set worse.
    ADVICE: a change for a person to judge; premortem did not try it.
    """

    PROVED = "proved"
    LIKELY = "likely"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A named number with its unit and its source."""

    name: str
    value: float | str
    unit: str = ""
    source: Source

    @classmethod
    def plan(cls, name: str, value: float | str, unit: str = "") -> Evidence:
        """Return a figure that the planner estimated."""
        return cls(name=name, value=value, unit=unit, source=Source.PLAN)

    @classmethod
    def stat(cls, name: str, value: float | str, unit: str = "") -> Evidence:
        """Return a figure from production's statistics."""
        return cls(name=name, value=value, unit=unit, source=Source.STATISTICS)

    @classmethod
    def catalog(cls, name: str, value: float | str, unit: str = "") -> Evidence:
        """Return a figure from production's catalog (sizes, definitions)."""
        return cls(name=name, value=value, unit=unit, source=Source.CATALOG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to type, how to undo it, and how well it is proved; costs are those of the hurting parameter set.

    `measured` is one sentence on what it did on real rows, empty where it was not executed.
    """

    sql: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    says: str = ""
    proof: Proof = Proof.ADVICE
    before_cost: float | None = None
    after_cost: float | None = None
    measured: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a query or a schema.

    `node` is the path of the plan node, `parameters` the name of the parameter set whose plan shows it.  `key` is
    stable over line moves and growth: rule, table, and what in the query it is about; ignores and baselines use it.
    `site` is where it stands if that is not the query's own place: a line of a migration, of the settings, of the lock.
    """

    rule: str
    severity: Severity
    says: str
    key: str
    table: RelationName | None = None
    node: tuple[int, ...] | None = None
    parameters: str | None = None
    evidence: tuple[Evidence, ...] = ()
    remedy: Remedy | None = None
    site: Site | None = None
