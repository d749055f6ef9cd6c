"""What waits for the store: one batch says what several said, and what is too much is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.daemon import backlog
from premortem.daemon.backlog import Backlog, Batch
from premortem.model import Event, Statement, StatementKey
from premortem.watch import Delta

NOW = datetime(2026, 1, 31, 14, 3, tzinfo=UTC)


def key(number: int) -> StatementKey:
    return StatementKey(dbid=1, userid=1, toplevel=True, queryid=number)


def batch(at: int, *queries: int) -> Batch:
    end = NOW + timedelta(seconds=at)
    start = end - timedelta(seconds=1)
    deltas = (Delta(key=key(n), start=start, end=end, calls=1, total_ms=n, squares=n * n) for n in queries)
    return Batch(
        at=end,
        checkpoint={"at": at},
        deltas=tuple(deltas),
        statements={key(n): Statement(fingerprint=str(n), text="", database="shop") for n in queries},
        events=(Event(id=str(at), at=end, kind="test"),),
        hold=end,
    )


batches = st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=8).map(
    lambda some: [batch(at, *queries) for at, queries in enumerate(some)]
)


@given(batches)
def test_one_batch_says_what_all_said(some: list[Batch]) -> None:
    waits = Backlog()
    for one in some:
        whole = waits.add(one)
    assert whole.deltas == tuple(delta for one in some for delta in one.deltas)
    assert whole.events == tuple(event for one in some for event in one.events)
    assert (whole.at, whole.checkpoint, whole.hold) == (some[-1].at, some[-1].checkpoint, some[-1].hold)
    assert whole.statements.keys() == {delta.key for delta in whole.deltas}
    assert whole.dropped == 0
    waits.written()
    assert waits.waiting is None


@given(batches, st.integers(1, 6))
def test_the_oldest_go_where_there_are_too_many(some: list[Batch], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backlog, "MOST_DELTAS", most)
        whole = reduce(Batch.then, some[1:], some[0])
    every = tuple(delta for one in some for delta in one.deltas)
    if len(some) > 1:
        assert whole.deltas == every[-most:]
        assert whole.dropped == len(every) - len(whole.deltas)
        assert {delta.key for delta in whole.deltas} <= whole.statements.keys()
