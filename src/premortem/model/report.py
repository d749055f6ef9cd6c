"""What check and explain hand to the renderers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from premortem.model.difference import Accepted, Difference
from premortem.model.execution import Executed
from premortem.model.finding import Finding
from premortem.model.gap import Gap
from premortem.model.index import Advice, Declined
from premortem.model.planned import Planned
from premortem.model.profile import Values
from premortem.model.query import Query, Site


class Verdict(StrEnum):
    """What the gate says; the worst of its queries decides for a report (fail, then unknown, then pass)."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> int:
        """0 clean, 1 the gate says no, 3 could not tell."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.UNKNOWN: 3}[self]

    @classmethod
    def worst(cls, verdicts: tuple[Verdict, ...]) -> Verdict:
        """Return what several verdicts amount to."""
        return next((v for v in (cls.FAIL, cls.UNKNOWN) if v in verdicts), cls.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """A finding that an allow comment or a setting keeps from counting."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryReport:
    """Everything that is known of one query.

    `error` is the server's own message where the query could not be parsed or planned (`verdict` is then unknown).
    `also_at` are the other places where the very same statement stands.  `difference` is None where nothing was
    compared, `executed` where nothing was executed.  `owners` are whom the settings name for its path or tables.
    """

    query: Query | None
    site: Site
    also_at: tuple[Site, ...] = ()
    original: str
    verdict: Verdict
    planned: tuple[Planned, ...] = ()
    findings: tuple[Finding, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    advice: tuple[Advice, ...] = ()
    declined: tuple[Declined, ...] = ()
    gaps: tuple[Gap, ...] = ()
    error: str | None = None
    hint: str | None = None
    difference: Difference | None = None
    executed: Executed | None = None
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Where a report's facts come from, for its last line.

    `plans_from` names the file whose plans were judged as they stand there, empty where premortem planned; then there
    may be no profile, and everything about it and about the twin is empty.
    """

    profile_name: str
    profile_taken_at: datetime | None
    production_version: str
    twin_version: str
    twin_is_exact: bool
    premortem_version: str
    values: Values = Values.ALL
    plans_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The one thing that renderers take.

    `findings` are those about no single query: the schema, the change's migrations (each with its `site`), the lock.
    `unchanged` counts the queries that were not planned again because nothing that their plans depend on changed;
    `gone` are accepted queries that nobody runs any more.
    """

    verdict: Verdict
    queries: tuple[QueryReport, ...]
    facts: Facts
    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    unchanged: int = 0
    gone: tuple[Accepted, ...] = ()
    seconds: float | None = None
