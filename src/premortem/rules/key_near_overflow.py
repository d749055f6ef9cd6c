"""An integer key that is running out of numbers.

Sees:   a key column of type integer or smallint whose largest value, or number of rows, is near the type's end.
Hurts:  on that day every INSERT fails with "integer out of range", and changing the type rewrites the table.
Do:     change it to bigint while there is time: a new column, filled in batches, then swapped; referring columns too.
Quiet:  bigint, numbers that are far from the end, columns that are no key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Column, Evidence, Finding, Profile, Severity, Table
from premortem.rules.amounts import is_settled
from premortem.rules.foreign_key_without_index import rows_of
from premortem.rules.rule import Kind, Rule
from premortem.sqltext import base_type

RULE = Rule(name="key-near-overflow", severity=Severity.WARNING, kind=Kind.SCHEMA, page=__doc__)
_LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1}
_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From `min_share` of the numbers on it is a warning, from `error_share` on an error."""

    min_share: float = 0.6
    error_share: float = 0.85


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every key that will run out of numbers."""
    for table in profile.tables:
        if table.parents:
            continue
        typed = profile.with_base_types(table)
        for column in typed.columns:
            largest = _LARGEST.get(base_type(column.type))
            used = (
                _used(typed, column, rows_of(table, profile)) if largest is not None and _is_key(typed, column) else 0.0
            )
            if largest is not None and used >= limits.min_share * largest:
                yield _finding(table, column, used, largest, limits)


def _is_key(table: Table, column: Column) -> bool:
    unique = any(i.unique and i.columns == (column.name,) and i.predicate is None for i in table.indexes)
    return unique or bool(column.identity) or "nextval(" in (column.default or "")


def _used(table: Table, column: Column, rows: float) -> float:
    """Return the largest number known to be in use: of the statistics' values, or as many as there are rows."""
    known = [rows if any(i.unique and i.columns == (column.name,) for i in table.indexes) else 0.0]
    for statistics in column.statistics:
        if not statistics.pseudonyms:
            values = (*(statistics.histogram_bounds or ())[-1:], *(statistics.most_common_values or ()))
            known.extend(float(v) for v in values if v.lstrip("-").isdigit())
    return max(known)


def _finding(table: Table, column: Column, used: float, largest: int, limits: Limits) -> Finding:
    share = min(used / largest, 1.0)
    rate = table.activity.inserts if is_settled(table) else 0.0
    days = (largest - used) / rate / _DAY if rate > 0 else None
    left = f"; at {rate:,.1f} inserts a second the rest lasts {max(days, 0):,.0f} days" if days is not None else ""
    return RULE.finding(
        f"{table.full_name}.{column.name} is {column.type} and has used {share:.0%} of its numbers{left}",
        Evidence.stat("largest value known", round(used)),
        Evidence.catalog("largest value possible", largest),
        table=table.relation,
        about=column.name,
        severity=Severity.ERROR if share >= limits.error_share else None,
        advice="change it to bigint while there is time",
    )
