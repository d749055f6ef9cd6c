"""A busy table with so many indexes that writing is mostly writing indexes.

Sees:   a table with many indexes and many writes a second.
Hurts:  an INSERT writes to each of them, and so does an update that is not HOT; WAL, replicas and vacuum pay as well.
Do:     drop those that are not used or are the start of another; merge several into one with more columns.
Quiet:  calm tables, few indexes, statistics of less than a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Profile, Severity
from premortem.rules.amounts import is_settled, sized
from premortem.rules.indexes import size_of
from premortem.rules.rule import Kind, Rule

RULE = Rule(name="too-many-indexes", severity=Severity.INFO, kind=Kind.SCHEMA, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_indexes` and `min_writes` a second that have to be written to each of them."""

    min_indexes: float = 10
    min_writes: float = 20


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every busy table with many indexes."""
    for table in profile.tables:
        activity = table.activity
        writes = activity.inserts + max(activity.updates - activity.hot_updates, 0.0)
        count = len(table.indexes)
        if count < limits.min_indexes or writes < limits.min_writes or not is_settled(table):
            continue
        size = sum(size_of(table, i, profile) for i in table.indexes)
        yield RULE.finding(
            f"{table.full_name} has {count} indexes ({sized(size)}), to each of which {writes:,.0f} entries are written"
            " a second",
            Evidence.catalog("indexes", count),
            Evidence.stat("writes a second", round(writes, 1)),
            table=table.relation,
            about="indexes",
            advice="drop what is not used, and merge indexes that start alike",
        )
