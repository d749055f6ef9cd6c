"""What an index costs those who write: production's own rates, where it has counted for long enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from premortem.advisor.owning import lock, write_cost
from premortem.model import (
    Column,
    IndexCandidate,
    IndexKey,
    Profile,
    RelationKind,
    RelationName,
    ServerFacts,
    Table,
    TableActivity,
    Values,
)


def says(activity: TableActivity) -> str:
    column = Column(name="sku", number=1, type="text")
    table = Table(schema="public", name="items", kind=RelationKind.TABLE, columns=(column,), activity=activity)
    server = ServerFacts(version_num=180006, version="18.6", database="d", encoding="UTF8", collate="C", ctype="C")
    taken = datetime(2026, 1, 1, tzinfo=UTC)
    profile = Profile(taken_at=taken, server=server, values=Values.ALL, tables=(table,))
    return write_cost(IndexCandidate(table=table.relation, keys=(IndexKey(column="sku"),)), table, profile)


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("activity", "said"),
    [
        (TableActivity(window=DAY, inserts=160_506.4), "inserts/s: about 160,506 index entries/s more to write, "),
        (TableActivity(window=DAY, inserts=1.25, updates=4, hot_updates=3), "2.2 of 3.0 HOT updates/s are assumed to"),
        (TableActivity(window=DAY), "hardly written to"),
        (TableActivity(), "how often it is written is unknown"),
        (TableActivity(window=timedelta(minutes=3), inserts=160_506.4), "counted writes for 3 min, too short a time"),
    ],
)
def test_rates_are_said_where_they_mean_something(activity: TableActivity, said: str) -> None:
    assert said in says(activity)


# the lock ---------------------------------------------------------------------------------------------------------


def table_of(name: str, kind: RelationKind = RelationKind.TABLE, *parents: str) -> Table:
    column = Column(name="sku", number=1, type="text")
    return Table(
        schema="public", name=name, kind=kind, columns=(column,), pages=100_000, relation_pages=100_000, tuples=5e6,
        parents=tuple(RelationName(schema="public", name=p) for p in parents),
    )  # fmt: skip


def locked(*tables: Table) -> str:
    server = ServerFacts(version_num=180006, version="18.6", database="d", encoding="UTF8", collate="C", ctype="C")
    taken = datetime(2026, 1, 1, tzinfo=UTC)
    profile = Profile(taken_at=taken, server=server, values=Values.ALL, tables=tables)
    candidate = IndexCandidate(table=tables[0].relation, keys=(IndexKey(column="sku"),))
    return lock(candidate, tables[0], profile)


def test_a_table_can_be_written_to_while_its_index_is_built() -> None:
    says = locked(table_of("items"))
    assert says.startswith("SHARE UPDATE EXCLUSIVE, which lets reads and writes go on; it waits twice for")
    assert "without CONCURRENTLY, writes would wait for 7.7 s" in says


def test_partitions_are_locked_one_after_the_other_where_that_can_be_typed() -> None:
    parent = replace(table_of("items", RelationKind.PARTITIONED_TABLE), pages=0, relation_pages=-1)
    parts = [table_of(f"items_{n}", RelationKind.TABLE, "items") for n in range(3)]
    assert "one partition of items after the other" in locked(parent, *parts)
    nested = replace(parts[0], kind=RelationKind.PARTITIONED_TABLE)
    says = locked(parent, nested, *[replace(p, name=f"{p.name}_1", parents=(nested.relation,)) for p in parts])
    assert says.startswith("SHARE on every partition of items: writes wait for about 2")
