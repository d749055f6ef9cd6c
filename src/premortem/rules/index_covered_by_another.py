"""An index whose columns are the first columns of another one.

Sees:   a B-tree index, without a promise of its own, that a longer one on the same rows can stand in for.
Hurts:  each write is made to both; the longer one answers the same questions nearly as quickly.
Do:     drop the shorter one.
Quiet:  unique indexes and constraints, other predicates, operator classes, or orders that reading backwards does not
        give, and a longer index that is several times as large, as reading that one costs more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Index, Profile, Severity, Table
from premortem.rules.coverage import Shape, does_the_work, shape_of
from premortem.rules.indexes import create_sql, drop_sql, is_bound, size_of, words_of
from premortem.rules.rule import Kind, Rule

RULE = Rule(name="index-covered-by-another", severity=Severity.INFO, kind=Kind.SCHEMA, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The longer one is at most `max_ratio` times as large, where both sizes are known."""

    max_ratio: float = 4


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every index that a longer one covers."""
    for table in profile.tables:
        usable = [i for i in table.indexes if i.parent is None and i.valid and i.method == "btree"]
        shapes = {i.name: shape_of(i) for i in usable}
        for index in usable:
            covering = (i for i in usable if _covers(shapes[i.name], shapes[index.name]))
            longer = (i for i in covering if _is_near(table, i, index, profile, limits))
            other = next(longer, None)
            if other is not None and not is_bound(index):
                yield _finding(table, index, other, profile)


def _covers(longer: Shape, shorter: Shape) -> bool:
    return len(longer.held) > len(shorter.held) and does_the_work(longer, shorter)


def _is_near(table: Table, longer: Index, index: Index, profile: Profile, limits: Limits) -> bool:
    small, large = (size_of(table, i, profile) for i in (index, longer))
    return not small or not large or large <= limits.max_ratio * max(small, 1)


def _finding(table: Table, index: Index, other: Index, profile: Profile) -> Finding:
    return RULE.finding(
        f"{index.name} of {table.full_name} ({words_of(index)}) is the start of {other.name} ({words_of(other)})",
        Evidence.catalog("size", size_of(table, index, profile), "bytes"),
        table=table.relation,
        about=index.name,
        advice=f"drop {index.name}: {other.name} serves its queries too",
        sql=drop_sql(table, index),
        undo=create_sql(table, index, profile),
    )
