"""An index that is written to, and that no query may use.

Sees:   an index that is not valid: a CREATE INDEX CONCURRENTLY that failed, or one of a partitioned table that not all
        partitions have.
Hurts:  it costs each write what an index costs, and helps nobody; a unique one may hold duplicates.
Do:     drop it and make it again, or REINDEX INDEX CONCURRENTLY; attach the missing partitions' indexes.
Quiet:  valid indexes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Index, Profile, RelationKind, Severity, Table, quoted
from premortem.rules.indexes import words_of
from premortem.rules.rule import Kind, Rule

RULE = Rule(name="invalid-index", severity=Severity.WARNING, kind=Kind.SCHEMA, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Tables of at least `min_rows`."""

    min_rows: float = 0


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every index that is not valid."""
    for table in profile.tables:
        for index in table.indexes:
            if not index.valid and table.rows >= limits.min_rows:
                yield _finding(table, index)


def _finding(table: Table, index: Index) -> Finding:
    name = f"{quoted(table.schema)}.{quoted(index.name)}"
    parent = table.kind is RelationKind.PARTITIONED_TABLE
    why = "not every partition has it" if parent else "its build did not end well"
    return RULE.finding(
        f"{index.name} of {table.full_name} ({words_of(index)}) is not valid, so no query uses it: {why}",
        Evidence.catalog("valid", "no"),
        table=table.relation,
        about=index.name,
        advice="attach an index of each partition to it" if parent else "build it again",
        sql=() if parent else (f"REINDEX INDEX CONCURRENTLY {name};",),
    )
