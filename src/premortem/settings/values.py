"""Settings as values: for the whole run, for the queries of some paths, budgets and owners."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType

from premortem import advisor, baseline, rules
from premortem.model import Finding, Query, RelationName, Severity, Unreadable
from premortem.settings.names import known_rules
from premortem.settings.places import matches, names, relative
from premortem.settings.watching import Watching


@dataclass(frozen=True, slots=True, kw_only=True)
class PathSettings:
    """A `[[paths]]` entry: what else holds for the queries of some files.

    `at_most` is the most that a finding may count for there, None where nothing is said; `silent` is `at_most = "off"`.
    """

    match: tuple[str, ...]
    severities: Mapping[str, Severity] = field(default_factory=lambda: MappingProxyType({}))
    off: frozenset[str] = frozenset()
    limits: rules.Limits = field(default_factory=rules.Limits)
    at_most: Severity | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A `[[budgets]]` entry: what a query may cost; `place` counts the entries from 1, for what is said of it.

    It holds for queries that `queries`, `paths` and `tables` all admit, and an empty one admits every query.  With
    tables, `rows_read` is what a query reads of such a table alone.
    """

    place: int
    queries: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    rows_read: float | None = None
    cost: float | None = None
    ms: float | None = None

    def admits(self, query: Query, path: str) -> bool:
        """Whether a query, as far as its name and file tell, has to keep this budget."""
        named = not self.queries or query.site.name in self.queries or query.fingerprint in self.queries
        return named and (not self.paths or matches(path, self.paths))

    def admits_table(self, relation: RelationName) -> bool:
        """Whether the budget is about that table."""
        return names(relation, self.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """An `[[owners]]` entry: whom to ask about the queries of some files, or about some tables."""

    owners: tuple[str, ...]
    paths: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Milliseconds per unit of cost: the median and the 10th and 90th percentile over some statements."""

    low: float
    median: float
    high: float
    statements: int

    @property
    def basis(self) -> str:
        """Where the figures come from, in one phrase."""
        return (
            f"{self.median:.2g} ms per unit of cost, {self.low:.2g} to {self.high:.2g}, "
            f"over {self.statements} statements of the workload"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a run.

    `severities` are those that the user chose, `off` the rules switched off, `limits` the rules' thresholds, `tables`
    the rows that a table without statistics is taken to have, `baseline` when a plan is worse than the accepted one,
    `watching` what `premortem watch` is told.

    Three are the run's own: `here` is the folder that paths are seen from, `today` the day that ends allowances
    (whoever names none has none that ends), `speed` how fast production is where a budget in milliseconds asks.
    """

    severities: Mapping[str, Severity] = field(default_factory=lambda: MappingProxyType({}))
    off: frozenset[str] = frozenset()
    limits: rules.Limits = field(default_factory=rules.Limits)
    advisor: advisor.Limits = field(default_factory=advisor.Limits)
    tables: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    baseline: baseline.Limits = field(default_factory=baseline.Limits)
    budgets: tuple[Budget, ...] = ()
    owners: tuple[Ownership, ...] = ()
    paths: tuple[PathSettings, ...] = ()
    watching: Watching = field(default_factory=Watching)
    at_most: Severity | None = None
    silent: bool = False
    here: str = ""
    today: date = date.max
    speed: Speed | None = None

    @property
    def rule_names(self) -> frozenset[str]:
        """The names of everything that can be found."""
        return known_rules()

    def graded(self, finding: Finding) -> Finding:
        """Return a finding with the severity that the user chose for its rule, as it is where nobody chose."""
        severity = self.severities.get(finding.rule)
        return finding if severity is None else replace(finding, severity=severity)

    def places(self, source: str) -> tuple[int, ...]:
        """Return which `[[paths]]` entries hold for a query's file: what tells apart files that are judged apart."""
        if not self.paths:
            return ()
        path = relative(source, self.here)
        return tuple(place for place, entry in enumerate(self.paths) if matches(path, entry.match))

    def apart(self, item: Query | Unreadable) -> tuple[object, ...]:
        """Return what tells apart places at which the very same statement is judged apart."""
        if not (self.paths or self.budgets or self.owners):
            return ()
        source = item.site.source
        path = relative(source, self.here)
        budgets = [b.place for b in self.budgets if isinstance(item, Query) and b.admits(item, path)]
        return self.places(source), tuple(budgets), self.owners_of(source, ())

    def at(self, source: str) -> Settings:
        """Return the settings that hold for the queries of a file: of the entries that match, the last one decides."""
        found = self
        for place in self.places(source):
            found = _overridden(found, self.paths[place])
        return found

    def owners_of(self, source: str, tables: Iterable[RelationName]) -> tuple[str, ...]:
        """Return whom to ask: the last entry that matches the file, then the last one for each table."""
        path = relative(source, self.here)
        found = [e.owners for e in reversed(self.owners) if e.paths and matches(path, e.paths)][:1]
        for table in tables:
            found += [e.owners for e in reversed(self.owners) if e.tables and names(table, e.tables)][:1]
        return tuple(dict.fromkeys(owner for owners in found for owner in owners))


def _overridden(settings: Settings, entry: PathSettings) -> Settings:
    kept = {name: s for name, s in settings.severities.items() if name not in entry.off}
    changed = dict(settings.limits.changed)
    for name, limits in entry.limits.changed.items():
        changed[name] = {**changed.get(name, {}), **limits}
    says_most = entry.at_most is not None or entry.silent
    return replace(
        settings,
        severities=MappingProxyType({**kept, **entry.severities}),
        off=(settings.off - entry.severities.keys()) | entry.off,
        limits=replace(settings.limits, changed=MappingProxyType(changed)),
        at_most=entry.at_most if says_most else settings.at_most,
        silent=entry.silent if says_most else settings.silent,
    )
