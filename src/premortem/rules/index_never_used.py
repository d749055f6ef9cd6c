"""An index that no query has used for a long time.

Sees:   an index with no scan since the statistics were reset, a month or more ago.
Hurts:  every write to the table writes to it, HOT updates are lost to it, and it takes memory from others.
Do:     drop it, after a look at the replicas: their reads are counted there and not here.
Quiet:  constraints and unique indexes, the only index of a foreign key, small indexes, statistics that are young or
        whose age is unknown, profiles that were taken from a replica.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from premortem.model import Evidence, Finding, Index, Profile, Severity, Table
from premortem.rules.amounts import sized
from premortem.rules.indexes import create_sql, drop_sql, is_bound, own_indexes, parts_of, serves_foreign_key, size_of
from premortem.rules.rule import Kind, Rule

RULE = Rule(name="index-never-used", severity=Severity.INFO, kind=Kind.SCHEMA, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Statistics of at least `min_days`; indexes of at least `min_megabytes`."""

    min_days: float = 30
    min_megabytes: float = 8


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every index that nobody used."""
    if profile.server.in_recovery:
        return
    for table, index in own_indexes(profile):
        window = table.activity.window or _window(table, profile)
        size = size_of(table, index, profile)
        if window is None or window < timedelta(days=limits.min_days) or size < limits.min_megabytes * 2**20:
            continue
        if index.valid and not is_bound(index) and not _is_needed(table, index) and _scans(table, index, profile) == 0:
            yield _finding(table, index, profile, window, size)


def _window(table: Table, profile: Profile) -> timedelta | None:
    """Return the youngest statistics of a table's partitions, as it has none of its own."""
    windows = [t.activity.window for t in profile.children(table.relation)]
    return min((w for w in windows if w is not None), default=None) if all(windows) else None


def _is_needed(table: Table, index: Index) -> bool:
    others = (i for i in table.indexes if i.valid and i is not index)
    return serves_foreign_key(table, index) and not any(serves_foreign_key(table, i) for i in others)


def _scans(table: Table, index: Index, profile: Profile) -> int | None:
    parts = [i.scans for _, i in parts_of(table, index, profile)]
    if not parts:
        return index.scans
    known = [p for p in parts if p is not None]
    return sum(known) if len(known) == len(parts) else None


def _finding(table: Table, index: Index, profile: Profile, window: timedelta, size: int) -> Finding:
    writes = table.activity.inserts + table.activity.updates + table.activity.deletes
    rate = f", while {table.full_name} was written {writes:,.1f} times a second" if writes >= 0.1 else ""
    return RULE.finding(
        f"{index.name} of {table.full_name} ({sized(size)}) was not used in {window.days} days{rate}",
        Evidence.catalog("size", size, "bytes"),
        Evidence.catalog("days of statistics", window.days, "days"),
        table=table.relation,
        about=index.name,
        advice="drop it, once you know that no replica uses it",
        sql=drop_sql(table, index),
        undo=create_sql(table, index, profile),
    )
