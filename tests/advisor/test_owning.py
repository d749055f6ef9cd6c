"""What an index costs those who write: production's own rates, where it has counted for long enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from premortem.advisor.owning import write_cost
from premortem.model import (
    Column,
    IndexCandidate,
    IndexKey,
    Profile,
    RelationKind,
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
        (TableActivity(window=DAY, inserts=160_506.4), "160,506 inserts/s: about 160,506 index entries/s more to write, "),
        (TableActivity(window=DAY, inserts=1.25, updates=4, hot_updates=3), "2.2 of 3.0 HOT updates/s are assumed to change sku"),
        (TableActivity(window=DAY), "hardly written to"),
        (TableActivity(), "how often it is written is unknown"),
        (TableActivity(window=timedelta(minutes=3), inserts=160_506.4), "counted writes for 3 min, too short a time"),
    ],
)
def test_rates_are_said_where_they_mean_something(activity: TableActivity, said: str) -> None:
    assert said in says(activity)
