"""What theories look at, and what they say: everything that was found out, and one cause that it speaks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from premortem import rules
from premortem.diagnosis.live import Building, LivePlan
from premortem.diagnosis.offender import NOTHING_KNOWN, Ledger, Offender, Sizes
from premortem.model import (
    Action,
    Cause,
    Evidence,
    Finding,
    Profile,
    QueryReport,
    RelationName,
    Source,
    Table,
)

#: At three in the morning a table of a hundred pages without statistics is worth a word.
_EAGER = rules.limits({"stale-statistics": {"min_pages": 100, "min_rows": 1000, "min_share": 0.2}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that was found out: of the live server, of the twin, and of before.

    `profile` holds the statement's relations as they are now, `kept` as they were when the instance's profile was last
    refreshed, `wanted` are the relations that the statement names.
    """

    offender: Offender
    now: datetime
    ledger: Ledger = NOTHING_KNOWN
    wanted: tuple[RelationName, ...] = ()
    profile: Profile | None = None
    kept: Profile | None = None
    live: LivePlan | None = None
    report: QueryReport | None = None
    building: tuple[Building, ...] = ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables that the statement names, with their partitions."""
        if self.profile is None:
            return ()
        named = [t for name in self.wanted if (t := self.profile.table(name)) is not None]
        return tuple(dict.fromkeys([*named, *(c for t in named for c in self.profile.children(t.relation))]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Theory:
    """One cause that the evidence speaks for; `says` is a sentence, `actions` what cures it."""

    cause: Cause
    confidence: float
    says: str
    table: RelationName | None = None
    index: str = ""
    actions: tuple[Action, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def growth(seen: Seen, relation: RelationName) -> tuple[Sizes, float] | None:
    """Return the oldest known size of a table, and its rows now; None where the past is not known."""
    table = seen.profile.table(relation) if seen.profile else None
    known = [s for s in seen.ledger.sizes if relation in s.rows]
    if table is None or not known or table.tuples < 0:
        return None
    rows = sum(c.rows for c in seen.profile.children(relation)) if seen.profile and not table.pages else table.rows
    return min(known, key=lambda s: s.at), rows


def moment(at: datetime) -> str:
    """Return a moment as messages say it: to the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def sentence(text: str) -> str:
    """Return a finding's words as the beginning of a sentence; a table's name stays as it is."""
    return text[:1].upper() + text[1:] if text.split(" ")[0].isalpha() and "_" not in text.split(" ")[0] else text


def each_call(finding: Finding) -> str:
    """Return what a finding says of each call."""
    return f"Each call {finding.says}" if finding.says.startswith("reads ") else sentence(finding.says)


def of_schema(seen: Seen, rule: str) -> Iterator[Finding]:
    """Yield what a rule of the schema finds in the statement's relations."""
    if seen.profile is not None:
        yield from (f for f in rules.find_schema(seen.profile, _EAGER) if f.rule == rule)


def shape_differs(seen: Seen) -> bool:
    """Return whether the live plan is another than the one before; False where one is not known."""
    before = seen.offender.plan_before
    return seen.live is not None and before is not None and seen.live.seen(seen.now).shape != before.shape


def used_now(seen: Seen) -> frozenset[RelationName]:
    """Return the indexes of the live plan."""
    return frozenset(seen.live.seen(seen.now).indexes) if seen.live else frozenset()


def measured(name: str, value: float) -> Evidence:
    """Return a figure that was counted on the server."""
    return Evidence(name=name, value=value, source=Source.MEASURED)
