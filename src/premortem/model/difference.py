"""What is new about a query: compared with the one that the lock accepted, or with the base branch's text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from premortem.model.finding import Evidence, Severity
from premortem.model.planned import Planned
from premortem.model.query import Site
from premortem.model.relation import RelationName


class Change(StrEnum):
    """How a query differs from what was accepted.

    NEW: nothing like it was accepted.  EDITED: another text at the same call site, or of the same shape.  REGRESSED:
    the same text, planned worse because the schema, the profile or the rules changed.  UNCHANGED: none of these.
    """

    NEW = "new"
    EDITED = "edited"
    REGRESSED = "regressed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedFinding:
    """A finding that a team lives with: its `Finding.key`, how bad it was, why, and until when (None: for good)."""

    key: str
    severity: Severity = Severity.ERROR
    reason: str
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One query as the lock has it.

    `text` is the query as PostgreSQL gets it, on one line.  `shape` is the plan's outline, one line a node, indented by
    its depth; `rows_read` and `cost` are those of its worst parameter set, all three rounded so that the lock does not
    change from day to day.  `tables` are what the plans read, each with its rows then; `indexes` those they use, of all
    parameter sets.  `facts` is a digest of everything that the plan depends on: while it is the same, the plan is the
    same and need not be made again.  `tags` and `is_captured` are those of a query that a test suite ran.
    """

    fingerprint: str
    text: str
    site: Site
    shape: tuple[str, ...]
    rows_read: float
    cost: float
    tables: tuple[tuple[RelationName, float], ...] = ()
    indexes: tuple[RelationName, ...] = ()
    facts: str = ""
    findings: tuple[AcceptedFinding, ...] = ()
    search_path: tuple[str, ...] | None = None
    tags: tuple[tuple[str, str], ...] = ()
    is_captured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is new about a query.

    `says` is one sentence ("orders grew from 40,000 to 2,000,000 rows, and the plan …"), `was` the accepted one,
    `before` the plans of the old text on today's schema, or of today's text on production's schema without the change's
    migrations: one for each parameter set, with the names that today's have.  `evidence` are the numbers behind `says`.
    `is_worse` is false for a regressed query whose plan is no worse: what is found in it is new.
    """

    change: Change
    says: str = ""
    was: Accepted | None = None
    before: tuple[Planned, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    is_worse: bool = True
