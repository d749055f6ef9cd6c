"""Why a query that nobody edited is planned worse than when it was accepted: what grew, what is gone, what was set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from premortem import baseline
from premortem.model import Accepted, Evidence, Planned, Profile, RelationName, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A table that has many more rows than it had."""

    table: RelationName
    was: float
    now: float

    @property
    def says(self) -> str:
        """How much it grew, as a part of a sentence."""
        return f"{self.table} grew from {self.was:,.0f} to {self.now:,.0f} rows"


def growths(was: Accepted, profile: Profile, factor: float) -> tuple[Growth, ...]:
    """Return the tables that have `factor` times the rows that they had then, the most grown first."""
    found = []
    for relation, rows in was.tables:
        table = profile.table(relation)
        if table is not None and table.rows >= factor * max(rows, 1.0):
            found.append(Growth(table=relation, was=rows, now=table.rows))
    return tuple(sorted(found, key=lambda g: g.now / max(g.was, 1.0), reverse=True))


def causes(
    was: Accepted,
    planned: Sequence[Planned],
    profile: Profile,
    *,
    changed: frozenset[str],
    settings: Sequence[tuple[str, str]],
    grown: Sequence[Growth],
) -> tuple[str, ...]:
    """Return what changed, each as a part of a sentence; `changed` are the parts of the digest that differ."""
    found = [*(g.says for g in grown), *_indexes(was, planned, profile)]
    if baseline.SERVER in changed:
        found += _settings(settings, profile)
    if not found and baseline.SCHEMA in changed:
        found.append("the definition of its tables changed")
    if not found and baseline.STATISTICS in changed:
        found.append("the statistics of its tables changed")
    if not found and baseline.SERVER in changed:
        found.append("the server's version, types or extensions changed")
    return tuple(found)


def _indexes(was: Accepted, planned: Sequence[Planned], profile: Profile) -> Iterator[str]:
    used = baseline.used(planned, profile)
    for index in was.indexes:
        table = profile.table_of_index(index.schema, index.name)
        if table is None:
            yield f"index {index} is gone"
        elif index not in used and not next(i for i in table.indexes if i.name == index.name).valid:
            yield f"index {index} is invalid"


def _settings(before: Sequence[tuple[str, str]], profile: Profile) -> Iterator[str]:
    was, now = dict(before), dict(baseline.planner_settings(profile))
    units = {s.name: s.unit for s in profile.settings}
    for name in sorted(was.keys() | now.keys()) if was else ():
        if was.get(name) != now.get(name):
            unit = f" {units[name]}" if units.get(name) else ""
            yield f"{name} was {was.get(name, 'the default')} and is {now.get(name, 'the default')}{unit}"


def evidence(grown: Sequence[Growth]) -> tuple[Evidence, ...]:
    """Return the rows of the tables that grew, then and now."""
    return tuple(
        item
        for growth in grown
        for item in (
            Evidence(name=f"rows of {growth.table} then", value=growth.was, unit="rows", source=Source.LOCK),
            Evidence.catalog(f"rows of {growth.table} now", growth.now, "rows"),
        )
    )
