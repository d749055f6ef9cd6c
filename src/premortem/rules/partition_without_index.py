"""A partition that lacks an index which most of its siblings have.

Sees:   a partition without an index of the same columns as at least half of the other partitions have.
Hurts:  the one partition is read whole; queries are quick or slow by the month they ask for.
Do:     create the index on the partition, and on the parent, so that new partitions get it by themselves.
Quiet:  indexes of the parent (every partition has those), partitions that are foreign tables or all but empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Index, Profile, RelationKind, Severity, Table
from premortem.rules.indexes import keys_of, predicate_of, words_of
from premortem.rules.rule import Kind, Rule

RULE = Rule(name="partition-without-index", severity=Severity.WARNING, kind=Kind.SCHEMA, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_share` of the siblings have it; partitions of at least `min_rows`."""

    min_share: float = 0.5
    min_rows: float = 1_000


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every index that a partition lacks."""
    for parent in profile.tables:
        if parent.kind is RelationKind.PARTITIONED_TABLE:
            yield from _of_siblings(
                parent, [t for t in profile.children(parent.relation) if t.kind.has_storage], limits
            )


def _of_siblings(parent: Table, siblings: list[Table], limits: Limits) -> Iterator[Finding]:
    having = {t.relation: {_identity(i): i for i in t.indexes if i.valid} for t in siblings}
    counts = Counter(identity for found in having.values() for identity in found)
    examples = {identity: i for found in having.values() for identity, i in found.items()}
    for table in siblings:
        for identity, count in counts.items():
            common = count >= max(limits.min_share * (len(siblings) - 1), 1) and identity not in having[table.relation]
            if (
                common
                and table.rows >= limits.min_rows
                and not _stands_in(examples[identity], having[table.relation].values())
            ):
                yield _finding(parent, table, examples[identity], count, len(siblings))


def _identity(index: Index) -> object:
    return index.method, keys_of(index), predicate_of(index), index.unique


def _stands_in(wanted: Index, others: object) -> bool:
    """Whether another index of the partition does as well: the same keys first, or the same and unique."""
    assert hasattr(others, "__iter__")
    keys = keys_of(wanted)
    found = (i for i in others if i.method == wanted.method and predicate_of(i) == predicate_of(wanted))
    return any(keys_of(i)[: len(keys)] == keys and (i.unique or not wanted.unique) for i in found)


def _finding(parent: Table, table: Table, index: Index, count: int, siblings: int) -> Finding:
    unique = "UNIQUE " if index.unique else ""
    rest = index.definition.partition(" USING ")[2]
    return RULE.finding(
        f"{table.full_name} has no index on ({words_of(index)}), which {count} of {siblings} partitions of"
        f" {parent.full_name} have",
        Evidence.catalog("partitions with it", count),
        table=table.relation,
        about=words_of(index).replace(" ", ""),
        advice="create it here, and on the parent for new partitions",
        sql=(f"CREATE {unique}INDEX CONCURRENTLY ON {table.relation.sql} USING {rest};",) if rest else (),
    )
