"""How two profiles differ, in sentences."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from premortem import catalog
from premortem.model import (
    Column,
    ColumnStatistics,
    Gap,
    Index,
    Profile,
    RelationKind,
    ServerFacts,
    Setting,
    Table,
    Values,
)

STATISTICS = ColumnStatistics(null_fraction=0.0, average_width=4, n_distinct=4, most_common_values=("open", "done"),
                              most_common_frequencies=(0.1, 0.9))  # fmt: skip
COLUMN = Column(name="status", number=1, type="text", statistics=(STATISTICS,))
INDEX = Index(name="orders_status", definition="CREATE INDEX orders_status ON public.orders USING btree (status)",
              method="btree", keys=(), pages=2000)  # fmt: skip
ORDERS = Table(schema="public", name="orders", kind=RelationKind.TABLE, columns=(COLUMN,), indexes=(INDEX,),
               pages=10_000, relation_pages=10_000, tuples=1e6)  # fmt: skip
SERVER = ServerFacts(version_num=150018, version="15.18", database="shop", encoding="UTF8", collate="C", ctype="C")
PROFILE = Profile(taken_at=datetime(2026, 1, 2, tzinfo=UTC), server=SERVER, values=Values.ALL, tables=(ORDERS,),
                  settings=(Setting(name="work_mem", value="4096", unit="kB"),))  # fmt: skip


def with_table(**changes: object) -> Profile:
    return replace(PROFILE, tables=(replace(ORDERS, **changes),))


def with_statistics(**changes: object) -> Profile:
    return with_table(columns=(replace(COLUMN, statistics=(replace(STATISTICS, **changes),)),))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (PROFILE, ()),
        (with_table(tuples=1.1e6), ()),
        (with_table(tuples=3e6), ("orders grew from 1,000,000 to 3,000,000 rows (times 3.0).",)),
        (with_table(tuples=2e5), ("orders shrank from 1,000,000 to 200,000 rows (times 5.0).",)),
        (
            with_table(pages=20_000, relation_pages=20_000),
            ("orders grew from 10,000 to 20,000 pages with about as many rows (times 2.0).",),
        ),
        (replace(PROFILE, tables=()), ("orders is gone.",)),
        (with_table(indexes=()), ("orders_status is gone.",)),
        (with_table(indexes=(INDEX, replace(INDEX, name="two"))), ("two is new.",)),
        (with_table(indexes=(replace(INDEX, valid=False),)), ("orders_status is no longer valid.",)),
        (
            with_table(indexes=(replace(INDEX, pages=4000),)),
            ("orders_status grew from 2,000 to 4,000 pages (times 2.0).",),
        ),
        (with_table(columns=(replace(COLUMN, type="integer"),)), ("orders.status was text and is integer.",)),
        (with_table(columns=(COLUMN, replace(COLUMN, name="b"))), ("orders.b is new.",)),
        (with_statistics(n_distinct=40), ("orders.status had about 4 distinct values and has 40.",)),
        (with_statistics(null_fraction=0.25), ("orders.status was NULL in 0% of the rows and is in 25%.",)),
        (
            with_statistics(most_common_frequencies=(0.4, 0.6)),
            ("orders.status had 'open' in 10% of the rows and has it in 40%.",),
        ),
        (
            with_statistics(most_common_frequencies=(0.4, 0.6), pseudonyms=True),
            ("orders.status had its most common value in 90% of the rows and has it in 60%.",),
        ),
        (with_table(columns=(replace(COLUMN, statistics=()),)), ("orders.status has no statistics any more.",)),
        (
            replace(PROFILE, settings=(Setting(name="work_mem", value="8192", unit="kB"),)),
            ("work_mem was 4096 and is 8192 (in kB).",),
        ),
        (
            replace(PROFILE, server=replace(SERVER, version_num=180006, version="18.6")),
            ("PostgreSQL was 15.18 and is 18.6.",),
        ),
        (
            replace(PROFILE, gaps=(Gap(subject="workload", says="It was not read."),)),
            ("The second profile has a gap that the first had not: It was not read.",),
        ),
        (
            replace(PROFILE, values=Values.NONE),
            ("The first was pulled with --values all, the second with --values none.",),
        ),
    ],
)
def test_a_difference_is_a_sentence(other: Profile, says: tuple[str, ...]) -> None:
    assert tuple(d.says for d in catalog.diff(PROFILE, other)) == says
