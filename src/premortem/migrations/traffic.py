"""How busy production's tables are: what would wait if a lock were held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from premortem.errors import StatementError
from premortem.model import Profile, Query, RelationName, Source, Table
from premortem.sqltext import statement_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a table sees; None where production does not know.

    `reads` and `writes` are statements per second; `slowest` is the longest mean time of a statement that names it:
    what a lock has to wait for, at the least.
    """

    reads: float | None = None
    writes: float | None = None
    slowest: timedelta | None = None
    source: Source = Source.WORKLOAD

    @property
    def total(self) -> float | None:
        """Statements per second, both kinds."""
        if self.reads is None and self.writes is None:
            return None
        return (self.reads or 0.0) + (self.writes or 0.0)


@dataclass(slots=True)
class Traffics:
    """The traffic of a profile's tables: the workload is read once, when the first table asks."""

    profile: Profile
    _by_table: Mapping[RelationName, tuple[Query, ...]] | None = field(default=None)

    def statements(self, relation: RelationName) -> tuple[Query, ...]:
        """Return the workload's statements that name the table, or the one that it is a partition of."""
        if self._by_table is None:
            self._by_table = _by_table(self.profile)
        table = self.profile.table(relation)
        names = (relation, *(table.parents if table is not None else ()))
        return tuple(dict.fromkeys(q for n in names for q in self._by_table.get(n, ())))

    def of(self, relation: RelationName) -> Traffic:
        """Return what a table sees."""
        named = self.statements(relation)
        if any(q.calls_per_second is not None for q in named):
            return _from_workload(named, relation, self.profile)
        table = self.profile.table(relation)
        counted = _from_counters(table) if table is not None else Traffic()
        if counted.total is None and self.profile.workload.statements and self.profile.workload.window:
            return Traffic(reads=0.0, writes=0.0)  # the workload is known, and nothing in it names the table
        return counted


def _by_table(profile: Profile) -> Mapping[RelationName, tuple[Query, ...]]:
    found: defaultdict[RelationName, list[Query]] = defaultdict(list)
    for query in profile.workload.statements:
        for relation in named_by(query, profile):
            found[relation].append(query)
    return {name: tuple(queries) for name, queries in found.items()}


def named_by(query: Query, profile: Profile) -> Iterator[RelationName]:
    """Yield production's tables that a statement names, none where it cannot be read."""
    try:
        facts = statement_facts(query.text)
    except StatementError:
        return
    at = replace(profile, search_path=query.search_path) if query.search_path is not None else profile
    for name in dict.fromkeys((*facts.reads, *facts.writes)):
        table = at.find_table(name.name, name.schema)
        if table is not None:
            yield table.relation


def _from_workload(named: tuple[Query, ...], relation: RelationName, profile: Profile) -> Traffic:
    reads = writes = 0.0
    for query in named:
        rate = query.calls_per_second or 0.0
        if _writes(query):
            writes += rate
        else:
            reads += rate
    times = [q.mean_time for q in named if q.mean_time is not None]
    return Traffic(reads=reads, writes=writes, slowest=max(times, default=None))


def _writes(query: Query) -> bool:
    try:
        return bool(statement_facts(query.text).writes)
    except StatementError:
        return False


def _from_counters(table: Table) -> Traffic:
    """The table's own counters: scans stand for reads, changed rows for writes, which may be too many."""
    seen = table.activity
    if seen.window is None:
        return Traffic()
    return Traffic(
        reads=seen.sequential_scans + seen.index_scans,
        writes=seen.inserts + seen.updates + seen.deletes,
        source=Source.STATISTICS,
    )
