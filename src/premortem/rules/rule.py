"""What a rule is: a name, how bad its finding is, whether an index would cure it, and its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from premortem.errors import SettingsError
from premortem.model import Evidence, Finding, Node, RelationName, Remedy, Severity

T = TypeVar("T")


class Kind(StrEnum):
    """What a rule judges: the plan of a query, the schema whatever the queries are, or a migration's statement."""

    QUERY = "query"
    SCHEMA = "schema"
    MIGRATION = "migration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One bad pattern.

    `curable_by_index` says that an index is the usual cure, so a finding for which none helps is no reason to stop.
    `needs_analyze` says that only a plan that was executed can show it; on estimates such a rule is silent.  `page` is
    the module's docstring: what the rule sees, why it hurts, what to do, and when it stays quiet.
    """

    name: str
    severity: Severity
    curable_by_index: bool = False
    kind: Kind = Kind.QUERY
    needs_analyze: bool = False
    page: str | None = field(repr=False)

    @property
    def says(self) -> str:
        """The first line of the page."""
        return (self.page or "").strip().partition("\n")[0]

    def finding(
        self,
        says: str,
        *evidence: Evidence,
        table: RelationName,
        about: str,
        node: Node | None = None,
        parameters: str | None = None,
        severity: Severity | None = None,
        advice: str | None = None,
        sql: tuple[str, ...] = (),
        undo: tuple[str, ...] = (),
    ) -> Finding:
        """Return a finding of this rule; `about` is what in the query it is about, for the key.

        `advice` is the remedy in words, `sql` and `undo` what to type where that is known.
        """
        return Finding(
            rule=self.name,
            severity=severity or self.severity,
            says=says,
            key=f"{self.name}:{table.sql}:{about}",
            table=table,
            node=node.path if node is not None else None,
            parameters=parameters,
            evidence=evidence,
            remedy=Remedy(says=advice or "", sql=sql, undo=undo) if advice or sql else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The rules' thresholds as far as settings change them; each rule has defaults of its own."""

    changed: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, rule: Rule, default: T) -> T:
        """Return a rule's limits with what the settings say in place of the defaults."""
        changed = self.changed.get(rule.name)
        return replace(default, **changed) if changed else default  # type: ignore[type-var]


def checked(rule: Rule, default: object, values: Mapping[str, object]) -> dict[str, float]:
    """Return a settings table of one rule as numbers.

    Raises SettingsError, naming the key, for one that the rule does not have or that is no number.
    """
    assert is_dataclass(default)
    known = {f.name: getattr(default, f.name) for f in fields(default)}
    for name, value in values.items():
        if name not in known:
            raise SettingsError(f"[rules.{rule.name}] has no {name}", hint=f"it has {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise SettingsError(f"[rules.{rule.name}] {name} must be a number that is not negative")
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
