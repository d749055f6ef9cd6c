"""A foreign key whose column is of another type than the column it points at.

Sees:   an integer that refers to a bigint, or types that are compared by casting one of them.
Hurts:  the narrow column cannot hold the other's later values, so inserts fail on that day; a cast keeps an index from
        serving joins and the foreign key's own checks.
Do:     give both the same type, while the table is small.
Quiet:  lengths and precisions, varchar beside text, a column that is wider than what it points at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Column, Constraint, Evidence, Finding, Profile, Severity, Table
from premortem.rules.rule import Kind, Rule
from premortem.sqltext import base_type

RULE = Rule(name="foreign-key-type-mismatch", severity=Severity.WARNING, kind=Kind.SCHEMA, page=__doc__)
_WIDTHS = {"smallint": 2, "integer": 4, "bigint": 8}
_TEXTS = frozenset({"text", "character varying"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Tables of at least `min_rows`."""

    min_rows: float = 0


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every column of a foreign key that does not fit what it refers to."""
    for child in profile.tables:
        for key in (k for k in child.foreign_keys if k.inherited_from is None and child.rows >= limits.min_rows):
            parent = profile.table(key.references) if key.references is not None else None
            if parent is not None:
                yield from _of_key(profile.with_base_types(child), key, profile.with_base_types(parent))


def _of_key(child: Table, key: Constraint, parent: Table) -> Iterator[Finding]:
    for own, referenced in zip(key.columns, key.referenced_columns, strict=False):
        column, other = child.column(own), parent.column(referenced)
        why = _mismatch(column, other) if column is not None and other is not None else None
        if column is not None and other is not None and why is not None:
            yield RULE.finding(
                f"{child.full_name}.{own} is {column.type} and refers to {parent.full_name}.{referenced}, which is"
                f" {other.type}: {why}",
                Evidence.catalog("foreign key", key.name),
                table=child.relation,
                about=own,
                advice=f"make {own} {other.type}",
            )


def _mismatch(column: Column, other: Column) -> str | None:
    """Return what is wrong with a pair of types, None where nothing is."""
    own, referenced = base_type(column.type), base_type(other.type)
    if own == referenced or {own, referenced} <= _TEXTS:
        return None
    if own in _WIDTHS and referenced in _WIDTHS:
        return "its later values do not fit" if _WIDTHS[own] < _WIDTHS[referenced] else None
    return "they are compared by a cast"
