"""A chunk is a function of the plan, the table and a number: where and when it is made does not matter."""

from __future__ import annotations

import pickle
import struct
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context

import pytest

from premortem import synthesis
from premortem.errors import InputError
from premortem.model import RelationName
from tests.synthesis.conftest import Production

pytestmark = pytest.mark.parametrize("production", [18], indirect=True, ids=["pg18"], scope="session")
ORDERS = RelationName(schema="public", name="orders")


@pytest.fixture(scope="session")
def planned(production: Production) -> synthesis.Synthesis:
    return synthesis.plan(production.profile)


def rows(planned: synthesis.Synthesis, relation: RelationName, number: int) -> bytes:
    return synthesis.encode(synthesis.chunk(planned, relation, number))


def test_workers_make_the_same_rows_in_any_order(planned: synthesis.Synthesis, production: Production) -> None:
    names = [(t.relation, n) for t in planned.tables for n in range(t.chunks)]
    here = [rows(planned, *name) for name in names]
    again = synthesis.plan(production.profile)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        made = workers.map(synthesis.chunk, [again] * len(names), *zip(*reversed(names), strict=True))
        there = [synthesis.encode(one) for one in made]
    assert there[::-1] == here


def test_another_seed_makes_other_rows(planned: synthesis.Synthesis, production: Production) -> None:
    assert rows(synthesis.plan(production.profile, seed=1), ORDERS, 0) != rows(planned, ORDERS, 0)


def test_a_plan_is_small(planned: synthesis.Synthesis) -> None:
    assert len(pickle.dumps(planned)) < 5_000_000


def test_rows_are_those_of_binary_copy(planned: synthesis.Synthesis) -> None:
    data = rows(planned, ORDERS, 0)
    columns = planned.table(ORDERS).columns
    assert columns == ("id", "user_id", "total", "created", "state")
    at = count = 0
    while at < len(data):
        assert struct.unpack_from(">h", data, at)[0] == len(columns)
        at += 2
        for _ in columns:
            (length,) = struct.unpack_from(">i", data, at)
            at += 4 + max(length, 0)
        count += 1
    assert count == synthesis.chunk(planned, ORDERS, 0).rows


def test_scale_and_cap(production: Production, planned: synthesis.Synthesis) -> None:
    twice = synthesis.plan(production.profile, scale=2)
    assert twice.table(ORDERS).rows == 2 * planned.table(ORDERS).rows
    capped = synthesis.plan(production.profile, rows=100_000)
    assert capped.rows <= 100_000
    tenants = RelationName(schema="public", name="tenants")
    assert capped.table(tenants).rows == planned.table(tenants).rows


def test_some_tables_only(production: Production) -> None:
    lines = RelationName(schema="public", name="lines")
    some = synthesis.plan(production.profile, tables=[lines])
    assert [t.relation for t in some.tables] == [lines]
    assert rows(some, lines, 0) == rows(synthesis.plan(production.profile), lines, 0)


def test_parents_come_before_children(planned: synthesis.Synthesis) -> None:
    order = [t.relation.name for t in planned.tables]
    assert order.index("tenants") < order.index("users") < order.index("orders") < order.index("lines")


def test_moments_move_with_the_profile(production: Production, planned: synthesis.Synthesis) -> None:
    later = production.profile.taken_at + timedelta(days=400)
    moved = synthesis.plan(production.profile, shift_to=later)
    at = planned.table(ORDERS).columns.index("created")
    before, after = (synthesis.chunk(p, ORDERS, 0).cells[at].value(0) for p in (planned, moved))
    assert before is not None
    assert after is not None
    assert struct.unpack(">q", after)[0] - struct.unpack(">q", before)[0] == 400 * 86_400_000_000
    events = RelationName(schema="public", name="events_1")
    assert rows(moved, events, 0) == rows(planned, events, 0)  # partitions have their bounds


def test_there_is_no_chunk_beyond_the_last(planned: synthesis.Synthesis) -> None:
    with pytest.raises(InputError, match="there is no chunk"):
        synthesis.chunk(planned, ORDERS, planned.table(ORDERS).chunks)


def test_a_profile_without_statistics_is_filled_all_the_same(production: Production) -> None:
    bare = replace(
        production.profile,
        tables=tuple(
            replace(t, columns=tuple(replace(c, statistics=()) for c in t.columns), statistics=())
            for t in production.profile.tables
        ),
    )
    planned = synthesis.plan(bare)
    assert planned.rows > 100_000
    for table in planned.tables:
        if table.chunks:
            assert rows(planned, table.relation, 0)
