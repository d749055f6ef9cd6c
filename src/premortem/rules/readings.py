"""What a plan reads of each relation and what it keeps: the view that most rules look through.

The scans of one table's partitions are one reading: nobody asks for an index on `events_2024_03` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from premortem import sqltext
from premortem.model import Node, Plan, Profile, RelationKind, RelationName, Table
from premortem.plans import Prices, rows_read
from premortem.rules.execution import Execution, executions, table_of
from premortem.sqltext import Condition, conjuncts

WHOLE = "whole"
BY_INDEX = "by index"
_WHOLE_SCANS = frozenset({"Seq Scan", "Sample Scan", "Foreign Scan", "Tid Range Scan"})
_INDEX_SCANS = frozenset({"Index Scan", "Index Only Scan", "Bitmap Heap Scan"})
_RETURNS = re.compile(r"\$(\d+)")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One relation as a plan reads it, all its partitions together.

    `read` and `kept` are rows over the whole statement, `read_once` those of one execution; `loops` is how often the
    scan runs.  `table` is the one that the query names (the partitioned parent), `scanned` the tables that have rows.
    """

    table: Table
    scanned: tuple[Table, ...]
    how: str
    parts: tuple[Execution, ...]
    read: float
    read_once: float
    kept: float
    initplans: frozenset[int] = frozenset()

    @property
    def node(self) -> Node:
        """The scan that reads most."""
        return max((p.node for p in self.parts), key=lambda n: n.total_cost)

    @property
    def execution(self) -> Execution:
        """How the scan that reads most is executed."""
        return max(self.parts, key=lambda p: p.node.total_cost)

    @property
    def loops(self) -> float:
        """How often it is run."""
        return self.execution.loops

    @property
    def relation(self) -> RelationName:
        """The relation that the query names."""
        return self.table.relation

    @property
    def rows(self) -> float:
        """The rows of all that is scanned."""
        return sum(t.rows for t in self.scanned)

    @property
    def pages(self) -> int:
        """The pages of all that is scanned."""
        return sum(t.pages for t in self.scanned)

    @cached_property
    def filters(self) -> tuple[Condition, ...]:
        """What is asked of each row after it was read."""
        return self._conditions(self.node.filter)

    @cached_property
    def index_conditions(self) -> tuple[Condition, ...]:
        """What an index was asked for."""
        below = (n.index_condition for n in self.node.walk() if n.kind == "Bitmap Index Scan")
        return self._conditions(self.node.index_condition, *below)

    def _conditions(self, *texts: str | None) -> tuple[Condition, ...]:
        return tuple(c for t in texts if t for c in conjuncts(sqltext.condition(t, self.initplans)))


def readings(plan: Plan, profile: Profile) -> tuple[Reading, ...]:
    """Return what a plan reads, in plan order."""
    prices = Prices.of_profile(profile)
    initplans = _initplans(plan)
    groups: dict[object, list[Execution]] = {}
    for execution in executions(plan, profile):
        if (key := _group(execution, profile)) is not None:
            groups.setdefault(key, []).append(execution)
    return tuple(_reading(parts, profile, prices, initplans) for parts in groups.values())


def _initplans(plan: Plan) -> frozenset[int]:
    names = (n.subplan_name for n in plan.walk() if n.parent_relationship == "InitPlan" and n.subplan_name)
    return frozenset(int(number) for name in names for number in _RETURNS.findall(name))


def _group(execution: Execution, profile: Profile) -> object | None:
    node = execution.node
    table = table_of(node, profile)
    if table is None or node.kind not in _WHOLE_SCANS | _INDEX_SCANS:
        return None
    how = WHOLE if node.kind in _WHOLE_SCANS else BY_INDEX
    root = partition_root(table, profile)
    if root is table:
        return node.path
    append = next((p for p in reversed(execution.parents) if p.kind in ("Append", "Merge Append")), None)
    return (append.path if append is not None else node.path, root.relation, how)


def partition_root(table: Table, profile: Profile) -> Table:
    """Return the partitioned table at the top of a partition, the table itself where it is none."""
    seen = {table.relation}
    while table.parents:
        parent = profile.table(table.parents[0])
        if parent is None or parent.kind is not RelationKind.PARTITIONED_TABLE or parent.relation in seen:
            return table
        seen.add(parent.relation)
        table = parent
    return table


def _reading(parts: Sequence[Execution], profile: Profile, prices: Prices, initplans: frozenset[int]) -> Reading:
    tables = tuple(t for p in parts if (t := table_of(p.node, profile)) is not None)
    once = [_read_once(part, table, prices) for part, table in zip(parts, tables, strict=True)]
    times = [_times(part) for part in parts]
    return Reading(
        table=profile.with_base_types(partition_root(tables[0], profile)),
        scanned=tuple({t.relation: t for t in tables}.values()),
        how=WHOLE if parts[0].node.kind in _WHOLE_SCANS else BY_INDEX,
        parts=tuple(parts),
        read=sum(rows * often for rows, often in zip(once, times, strict=True)),
        read_once=sum(once),
        kept=sum(part.rows for part in parts),
        initplans=initplans,
    )


def _read_once(part: Execution, table: Table, prices: Prices) -> float:
    """Return the rows that one execution reads, by all its processes together."""
    actual = part.node.actual
    if actual is not None:
        return rows_read(part.node) * actual.loops / max(part.loops, 1.0) if actual.loops else 0.0
    return rows_read(part.node, table, loops=part.loops, prices=prices, processes=part.processes)


def _times(part: Execution) -> float:
    """How often that is read: a scan that processes share counts once, one that each repeats as often as they do."""
    if part.node.actual is not None:
        return max(part.loops, 1.0)
    repeats = part.loops > 1 or (part.node.kind in _INDEX_SCANS and not part.node.parallel_aware)
    repeated = part.processes if repeats else 1.0
    return part.loops * repeated * part.share


def columns_of(conditions: Iterable[Condition], alias: str | None = None) -> tuple[str, ...]:
    """Return the columns that conditions are about, each once, in alphabetical order; those of one alias if given."""
    names = (name for condition in conditions for name in _columns(condition))
    return tuple(sorted({n.column for n in names if alias is None or n.alias in (alias, None)}))


def _columns(condition: Condition) -> Iterator[sqltext.ColumnName]:
    if isinstance(condition, sqltext.Opaque):
        yield from condition.columns
    for comparison in sqltext.comparisons(condition):
        for operand in comparison.operands:
            yield from operand.columns
