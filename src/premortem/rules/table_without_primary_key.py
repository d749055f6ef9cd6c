"""A table whose rows nothing tells apart.

Sees:   a table without a primary key.
Hurts:  logical replication refuses its UPDATE and DELETE, tools that rebuild tables online refuse it, and one of two
        equal rows cannot be deleted.
Do:     add a key: `id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY`, or make one of a unique index.
Quiet:  partitions and children (their parent's affair), temporary and unlogged tables, REPLICA IDENTITY USING INDEX.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import ConstraintKind, Evidence, Finding, Index, Profile, RelationKind, Severity, Table
from premortem.rules.foreign_key_without_index import rows_of
from premortem.rules.rule import Kind, Rule

RULE = Rule(name="table-without-primary-key", severity=Severity.WARNING, kind=Kind.SCHEMA, page=__doc__)
_KINDS = frozenset({RelationKind.TABLE, RelationKind.PARTITIONED_TABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Tables of at least `min_rows`; 0 means new and empty ones too."""

    min_rows: float = 0


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every table without a primary key."""
    for table in profile.tables:
        if table.kind not in _KINDS or table.parents or table.persistence != "permanent" or not table.columns:
            continue
        if rows_of(table, profile) < limits.min_rows or any(i.primary or i.replica_identity for i in table.indexes):
            continue
        if not any(c.kind is ConstraintKind.PRIMARY_KEY for c in table.constraints):
            yield _finding(table)


def _finding(table: Table) -> Finding:
    unique = next((i for i in table.indexes if _could_be_key(table, i)), None)
    instead = f"; {unique.name} could be one" if unique is not None else ""
    return RULE.finding(
        f"{table.full_name} has no primary key{instead}",
        Evidence.catalog("primary key", "none"),
        table=table.relation,
        about="primary key",
        severity=Severity.INFO if unique is not None else None,
        advice="make the unique index the primary key" if unique is not None else "add a primary key",
    )


def _could_be_key(table: Table, index: Index) -> bool:
    columns = [table.column(c) for c in index.columns if c is not None]
    whole = index.unique and index.valid and index.predicate is None and len(columns) == len(index.keys)
    return whole and all(c is not None and c.not_null for c in columns)
