"""What is new about a query: compared with the one that the lock accepted, or with the base branch's text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from premortem.model.planned import Planned
from premortem.model.query import Site
from premortem.model.relation import RelationName


class Change(StrEnum):
    """How a query differs from what was accepted.

    NEW: nothing like it was accepted.  EDITED: another text at the same call site, or of the same shape.  REGRESSED:
    the same text, planned worse because the schema or the profile changed.  UNCHANGED: none of these.
    """

    NEW = "new"
    EDITED = "edited"
    REGRESSED = "regressed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedFinding:
    """A finding that a team lives with: its `Finding.key`, why, and until when (None: for good)."""

    key: str
    reason: str
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One query as the lock has it.

    `shape` is the plan's outline, one line a node; `rows_read` and `cost` are those of its worst parameter set, rounded
    so that the lock does not change from day to day.  `tables` are what the plan reads, each with its rows then;
    `indexes` those it uses.  `facts` is a digest of everything that the plan depends on: while it is the same, the plan
    is the same and need not be made again.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is new about a query.

    `says` is one sentence ("orders grew from 40,000 to 2,000,000 rows, and the plan …"), `was` the accepted one,
    `before` the plans of the accepted text, or of the accepted schema, for the same parameter sets as today's.
    """

    change: Change
    says: str = ""
    was: Accepted | None = None
    before: tuple[Planned, ...] = ()
