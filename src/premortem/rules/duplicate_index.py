"""Two indexes that are the same.

Sees:   indexes of one table with the same method, columns, order, predicate and included columns.
Hurts:  every write is made twice, and both take memory, disk and vacuum's time.
Do:     drop one; the one that a constraint owns stays.
Quiet:  a unique index beside a plain one is told as well, but the unique one stays; other operator classes, collations
        or orders are other indexes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Index, Profile, Severity, Table
from premortem.rules.amounts import sized
from premortem.rules.coverage import Shape, shape_of
from premortem.rules.indexes import create_sql, drop_sql, is_bound, size_of, words_of
from premortem.rules.rule import Kind, Rule

RULE = Rule(name="duplicate-index", severity=Severity.WARNING, kind=Kind.SCHEMA, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Indexes of at least `min_megabytes`."""

    min_megabytes: float = 0


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every index that another one makes superfluous."""
    for table in profile.tables:
        groups: dict[Shape, list[Index]] = {}
        for index in (i for i in table.indexes if i.parent is None and i.valid):
            groups.setdefault(shape_of(index), []).append(index)
        for same in groups.values():
            kept, *rest = sorted(same, key=_worth)
            for index in rest:
                size = size_of(table, index, profile)
                if size >= limits.min_megabytes * 2**20:
                    yield _finding(table, index, kept, size, profile)


def _worth(index: Index) -> tuple[bool, bool, bool]:
    return not index.primary, index.constraint is None, not is_bound(index)


def _finding(table: Table, index: Index, kept: Index, size: int, profile: Profile) -> Finding:
    free = not is_bound(index)
    return RULE.finding(
        f"{index.name} of {table.full_name} ({words_of(index)}) is the same as {kept.name}",
        Evidence.catalog("size", size, "bytes"),
        table=table.relation,
        about=index.name,
        advice=f"drop {index.name}, which takes {sized(size)}" if free else "drop the constraint that owns one of them",
        sql=drop_sql(table, index) if free else (),
        undo=create_sql(table, index, profile) if free else (),
    )
