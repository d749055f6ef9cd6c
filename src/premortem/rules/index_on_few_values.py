"""An index on a column that has only a handful of values, each of them common.

Sees:   a B-tree index on nothing but such a column, that production does not use, or that the change brings.
Hurts:  whichever value is asked for, the index finds a large part of the table, and reading the table is cheaper; yet
        each write pays for it.
Do:     an index that starts with a more selective column, or a partial one for the rare state.
Quiet:  columns with a rare value, partial and unique indexes, indexes of foreign keys, ones that are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Index, Profile, Severity, Table
from premortem.rules.foreign_key_without_index import rows_of
from premortem.rules.indexes import create_sql, drop_sql, is_bound, own_indexes, serves_foreign_key
from premortem.rules.rule import Kind, Rule

RULE = Rule(name="index-on-few-values", severity=Severity.INFO, kind=Kind.SCHEMA, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Tables of at least `min_rows`, where even the rarest value has `min_share` of the rows."""

    min_rows: float = 10_000
    min_share: float = 0.1


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every index that cannot be selective."""
    for table, index in own_indexes(profile):
        if index.method != "btree" or len(index.keys) != 1 or index.predicate or is_bound(index) or index.scans:
            continue
        if rows_of(table, profile) < limits.min_rows or index.include or serves_foreign_key(table, index):
            continue
        found = _rarest(table, index)
        if found is not None and found[1] >= limits.min_share:
            yield _finding(table, index, profile, *found)


def _rarest(table: Table, index: Index) -> tuple[int, float] | None:
    """Return how many values the column has and the share of the rarest, None where that is unknown."""
    column = table.column(index.columns[0] or "")
    statistics = column.own_statistics if column is not None else None
    if statistics is None or not statistics.most_common_frequencies or statistics.n_distinct <= 0:
        return None
    shares = statistics.most_common_frequencies
    return (len(shares), min(shares)) if len(shares) >= statistics.n_distinct else None


def _finding(table: Table, index: Index, profile: Profile, values: int, share: float) -> Finding:
    column = index.columns[0]
    has = "the same value in every row"
    if values > 1:
        has = f"{values} different values, of which the rarest is {share:.0%} of the rows"
    return RULE.finding(
        f"{index.name} of {table.full_name} ({column}) has {has}",
        Evidence.stat("values", values),
        Evidence.stat("share of the rarest", round(share, 3)),
        table=table.relation,
        about=index.name,
        advice="start the index with another column, or index the rows that are looked for only",
        sql=drop_sql(table, index),
        undo=create_sql(table, index, profile),
    )
