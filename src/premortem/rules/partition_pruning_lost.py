"""A partitioned table that is searched in every partition.

Sees:   an Append over all, or nearly all, partitions of a table, for a query that asks for a part of it.
Hurts:  every partition is opened and probed, and each new month adds one more.
Do:     say the partition key in the WHERE clause, bare: `at >= $1`, and not `date_trunc('day', at) = $1`.
Quiet:  few partitions, queries without any condition, partitions that are left out when the statement runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Node, RelationKind, RelationName, Severity, Table
from premortem.rules.discards import on_columns
from premortem.rules.obstacles import Obstacle, obstacle
from premortem.rules.readings import Reading, columns_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import Condition

RULE = Rule(name="partition-pruning-lost", severity=Severity.WARNING, curable_by_index=False, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_partitions` there are, at least `min_share` of them searched."""

    min_partitions: float = 6
    min_share: float = 0.9


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every partitioned table that is searched all over."""
    searched = _searched(subject)
    for root, found in searched.items():
        partitions = subject.profile.leaves(root)
        tables = {t.relation for reading in found for t in reading.scanned}
        enough = len(partitions) >= limits.min_partitions and len(tables) >= limits.min_share * len(partitions)
        conditions = tuple(c for r in found for c in _asked(r))
        if enough and conditions and not any(_is_pruned(r) for r in found):
            yield _finding(subject, found[0], conditions, len(tables), len(partitions))


def _searched(subject: Subject) -> Mapping[RelationName, list[Reading]]:
    found: dict[RelationName, list[Reading]] = {}
    for reading in subject.readings:
        if reading.table.kind is RelationKind.PARTITIONED_TABLE:
            found.setdefault(reading.relation, []).append(reading)
    return found


def _is_pruned(reading: Reading) -> bool:
    """Whether partitions are left out later, as EXPLAIN says, or because the key itself is compared.

    Compared with a constant, the key has been used already; with another value, it is when the statement runs.
    """
    if any(p.loops > 1 or any(_removed(a) for a in p.parents) for p in reading.parts):
        return True
    keys = set(key_columns(reading.table))
    plain = (c for c in _asked(reading) if obstacle(c, reading.table, reading.node.alias) is Obstacle.NONE)
    return any(keys & set(columns_of([c], reading.node.alias)) for c in plain)


def _asked(reading: Reading) -> tuple[Condition, ...]:
    return (*reading.filters, *reading.index_conditions)


def _removed(node: Node) -> bool:
    removed = node.raw.get("Subplans Removed")
    return isinstance(removed, int | float) and removed > 0


def key_columns(table: Table) -> tuple[str, ...]:
    """Return the columns that stand in a table's partition key.

    >>> from premortem.model import Column
    >>> at = Column(name="at", number=1, type="date")
    >>> kind = RelationKind.PARTITIONED_TABLE
    >>> key_columns(Table(schema="s", name="t", kind=kind, columns=(at,), partition_key="RANGE (at)"))
    ('at',)
    """
    words = set(re.findall(r'"(?:[^"]|"")+"|\w+', table.partition_key or ""))
    plain = {w.strip('"').replace('""', '"') for w in words}
    return tuple(c.name for c in table.columns if c.name in plain)


def _finding(
    subject: Subject, reading: Reading, conditions: tuple[Condition, ...], searched: int, partitions: int
) -> Finding:
    keys = key_columns(reading.table)
    named = set(columns_of(conditions, reading.node.alias))
    key = ", ".join(keys) or reading.table.partition_key or "its key"
    why = "wraps the partition key" if named & set(keys) else "does not say the partition key"
    return RULE.finding(
        f"searches {searched} of {partitions} partitions of {reading.relation}: the condition"
        f"{on_columns(reading, conditions)} {why} ({key})",
        Evidence.plan("partitions searched", searched),
        Evidence.catalog("partitions", partitions),
        table=reading.relation,
        about=key.replace(" ", ""),
        node=reading.node,
        parameters=subject.parameters,
        advice=f"compare {key} itself with a value, so that only the partitions that hold it are opened",
    )
