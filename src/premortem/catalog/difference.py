"""Tells how two profiles of a database differ, in sentences: what grew, came, went or was set otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from premortem.model import Column, ColumnStatistics, Index, Profile, RelationName, Setting, Table

T = TypeVar("T")

GROWTH = 1.2
DISTINCT_DRIFT = 1.5
FREQUENCY_DRIFT = 0.05


class Subject(StrEnum):
    """What a difference is about."""

    SERVER = "server"
    SETTING = "setting"
    EXTENSION = "extension"
    TABLE = "table"
    COLUMN = "column"
    INDEX = "index"
    STATISTICS = "statistics"
    GAP = "gap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is otherwise in the second profile, and one sentence on how."""

    subject: Subject
    name: str
    says: str


def diff(a: Profile, b: Profile) -> tuple[Difference, ...]:
    """Return how b differs from a, the widest things first."""
    return (
        *_server(a, b),
        *_named(Subject.EXTENSION, _versions(a), _versions(b), _changed_version),
        *_named(Subject.SETTING, _settings(a), _settings(b), _changed_setting),
        *_named(Subject.TABLE, _tables(a), _tables(b), _changed_table),
        *_inside(a, b),
        *_gaps(a, b),
    )


def _server(a: Profile, b: Profile) -> Iterator[Difference]:
    if a.server.version_num != b.server.version_num:
        says = f"PostgreSQL was {a.server.version} and is {b.server.version}."
        yield Difference(subject=Subject.SERVER, name="version", says=says)
    if a.server.database != b.server.database:
        says = f"The first profile is of the database {a.server.database}, the second of {b.server.database}."
        yield Difference(subject=Subject.SERVER, name="database", says=says)
    if (a.server.collate, a.server.locale) != (b.server.collate, b.server.locale):
        says = f"The collation was {a.server.locale or a.server.collate} and is {b.server.locale or b.server.collate}."
        yield Difference(subject=Subject.SERVER, name="collation", says=says)
    if a.values is not b.values:
        says = f"The first was pulled with --values {a.values}, the second with --values {b.values}."
        yield Difference(subject=Subject.SERVER, name="values", says=says)


def _named(
    subject: Subject, a: Mapping[str, T], b: Mapping[str, T], changed: Callable[[str, T, T], str | None]
) -> Iterator[Difference]:
    """What is new, what is gone, and what `changed` says of what stayed."""
    for name, item in b.items():
        says = f"{name} is new." if name not in a else changed(name, a[name], item)
        if says is not None:
            yield Difference(subject=subject, name=name, says=says)
    for name in a:
        if name not in b:
            yield Difference(subject=subject, name=name, says=f"{name} is gone.")


def _versions(profile: Profile) -> dict[str, str]:
    return {extension.name: extension.version for extension in profile.extensions}


def _changed_version(name: str, a: str, b: str) -> str | None:
    return None if a == b else f"{name} was {a} and is {b}."


def _settings(profile: Profile) -> dict[str, Setting]:
    return {setting.name: setting for setting in profile.settings}


def _changed_setting(name: str, a: Setting, b: Setting) -> str | None:
    if a.value == b.value:
        return None
    unit = f" (in {b.unit})" if b.unit else ""
    return f"{name} was {a.value} and is {b.value}{unit}."


def _tables(profile: Profile) -> dict[str, Table]:
    return {table.full_name: table for table in profile.tables}


def _changed_table(name: str, a: Table, b: Table) -> str | None:
    if a.kind is not b.kind:
        return f"{name} was a {a.kind} and is a {b.kind}."
    if a.definition != b.definition:
        return f"{name} has another definition."
    if max(a.rows, b.rows) >= 1000 and (factor := _factor(a.rows, b.rows)) >= GROWTH:
        how = "grew" if b.rows > a.rows else "shrank"
        return f"{name} {how} from {a.rows:,.0f} to {b.rows:,.0f} rows (times {factor:.1f})."
    if max(a.pages, b.pages) >= 1000 and (factor := _factor(a.pages, b.pages)) >= GROWTH:
        how = "grew" if b.pages > a.pages else "shrank"
        return f"{name} {how} from {a.pages:,} to {b.pages:,} pages with about as many rows (times {factor:.1f})."
    return None


def _factor(a: float, b: float) -> float:
    """How many times the smaller the larger is."""
    return max(a, b) / max(min(a, b), 1.0)


def _inside(a: Profile, b: Profile) -> Iterator[Difference]:
    for table in b.tables:
        before = a.table(table.relation)
        if before is not None:
            yield from _named(Subject.COLUMN, _columns(before), _columns(table), _changed_column)
            yield from _named(Subject.INDEX, _indexes(before), _indexes(table), _changed_index)
            yield from _drifted(before, table)


def _columns(table: Table) -> dict[str, Column]:
    return {f"{table.full_name}.{column.name}": column for column in table.columns}


def _changed_column(name: str, a: Column, b: Column) -> str | None:
    if a.type != b.type:
        return f"{name} was {a.type} and is {b.type}."
    if a.not_null != b.not_null:
        return f"{name} is {'now' if b.not_null else 'no longer'} NOT NULL."
    return None


def _indexes(table: Table) -> dict[str, Index]:
    return {str(RelationName(schema=table.schema, name=index.name)): index for index in table.indexes}


def _changed_index(name: str, a: Index, b: Index) -> str | None:
    if a.definition != b.definition:
        return f"{name} is now {b.definition}."
    if a.valid != b.valid:
        return f"{name} is {'valid now' if b.valid else 'no longer valid'}."
    if max(a.pages, b.pages) >= 1000 and (factor := _factor(a.pages, b.pages)) >= GROWTH:
        how = "grew" if b.pages > a.pages else "shrank"
        return f"{name} {how} from {a.pages:,} to {b.pages:,} pages (times {factor:.1f})."
    return None


def _drifted(a: Table, b: Table) -> Iterator[Difference]:
    for column in b.columns:
        before = a.column(column.name)
        old, new = (None if c is None else c.own_statistics for c in (before, column))
        if before is not None:
            name = f"{b.full_name}.{column.name}"
            changes = _statistics_changes(old, new, a.rows, b.rows)
            yield from (Difference(subject=Subject.STATISTICS, name=name, says=f"{name} {c}.") for c in changes)


def _statistics_changes(
    a: ColumnStatistics | None, b: ColumnStatistics | None, rows_a: float, rows_b: float
) -> Iterator[str]:
    if a is not None and b is not None:
        yield from _drift(a, b, rows_a, rows_b)
    elif a is not None or b is not None:
        yield "has statistics now" if a is None else "has no statistics any more"


def _drift(a: ColumnStatistics, b: ColumnStatistics, rows_a: float, rows_b: float) -> Iterator[str]:
    if _distinct_drifted(a, b, rows_a, rows_b):
        before, after = _distinct(a, rows_a), _distinct(b, rows_b)
        yield f"had about {before:,.0f} distinct values and has {after:,.0f}"
    if abs(a.null_fraction - b.null_fraction) >= FREQUENCY_DRIFT:
        yield f"was NULL in {a.null_fraction:.0%} of the rows and is in {b.null_fraction:.0%}"
    yield from _frequencies(a, b)


def _distinct_drifted(a: ColumnStatistics, b: ColumnStatistics, rows_a: float, rows_b: float) -> bool:
    """A share of the rows is compared as a share: that a table grew is told of the table, not of each of its keys."""
    if a.n_distinct < 0 and b.n_distinct < 0:
        return max(a.n_distinct / b.n_distinct, b.n_distinct / a.n_distinct) >= DISTINCT_DRIFT
    return _factor(_distinct(a, rows_a), _distinct(b, rows_b)) >= DISTINCT_DRIFT


def _distinct(found: ColumnStatistics, rows: float) -> float:
    return found.n_distinct if found.n_distinct >= 0 else -found.n_distinct * rows


def _frequencies(a: ColumnStatistics, b: ColumnStatistics) -> Iterator[str]:
    """The value whose share moved most; pseudonyms differ from pull to pull, so only the top share is compared then."""
    if a.pseudonyms or b.pseudonyms or a.most_common_values is None or b.most_common_values is None:
        old, new = (max(s.most_common_frequencies or (0.0,)) for s in (a, b))
        if abs(old - new) >= FREQUENCY_DRIFT:
            yield f"had its most common value in {old:.0%} of the rows and has it in {new:.0%}"
        return
    before = dict(zip(a.most_common_values, a.most_common_frequencies or (), strict=False))
    after = dict(zip(b.most_common_values, b.most_common_frequencies or (), strict=False))
    moved = max(before | after, key=lambda value: abs(before.get(value, 0.0) - after.get(value, 0.0)), default=None)
    if moved is not None and abs(before.get(moved, 0.0) - after.get(moved, 0.0)) >= FREQUENCY_DRIFT:
        yield f"had {moved!r} in {before.get(moved, 0.0):.0%} of the rows and has it in {after.get(moved, 0.0):.0%}"


def _gaps(a: Profile, b: Profile) -> Iterator[Difference]:
    before, after = ({gap.subject: gap for gap in profile.gaps} for profile in (a, b))
    for subject in after.keys() - before.keys():
        says = f"The second profile has a gap that the first had not: {after[subject].says}"
        yield Difference(subject=Subject.GAP, name=subject, says=says)
    for subject in before.keys() - after.keys():
        says = f"The first profile's gap is closed: {before[subject].says}"
        yield Difference(subject=Subject.GAP, name=subject, says=says)
