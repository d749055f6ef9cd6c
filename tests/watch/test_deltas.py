"""What moved between two samples: epochs, doubts, and the counters that add up whichever way they are cut."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.model import Confidence, Counters, InstanceFacts, Moved, Sample, StatementKey
from premortem.watch.deltas import CAME_BACK, CLOCK, RESET, THROWN_OUT, Delta, LastFacts, deltas
from premortem.watch.epochs import NOTHING, Ground, continues, ground, squares

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
POLL = timedelta(seconds=15)
KEY = StatementKey(dbid=5, userid=10, toplevel=True, queryid=77)
SERVER = InstanceFacts(
    version_num=150020, started_at=NOON - timedelta(days=9), extension=(1, 10), identity=1, deallocations=3,
    reset_at=NOON - timedelta(days=8),
)  # fmt: skip
times = st.lists(st.floats(0.01, 1e5), min_size=1, max_size=40)


def counted(calls: list[float], since: datetime | None = None) -> Counters:
    """What the server's counters say after these executions."""
    if not calls:
        return replace(NOTHING, since=since)
    mean = sum(calls) / len(calls)
    variance = sum((one - mean) ** 2 for one in calls) / len(calls)
    return Counters(
        calls=len(calls), total_ms=sum(calls), min_ms=min(calls), max_ms=max(calls), mean_ms=mean,
        stddev_ms=variance**0.5, rows=len(calls), shared_hit=0, shared_read=3 * len(calls), temp_written=0,
        wal_bytes=0, since=since,
    )  # fmt: skip


def sample(*moved: Moved, at: datetime = NOON, since: datetime | None = NOON - POLL, **changed: object) -> Sample:
    server = replace(SERVER, **changed)  # type: ignore[arg-type]
    return Sample(instance="db-1", at=at, read_at=at, server=server, since=since, moved=moved)


def last(at: datetime = NOON - POLL, **changed: object) -> LastFacts:
    return LastFacts(at=at, read_at=at, server=replace(SERVER, **changed))  # type: ignore[arg-type]


def moved(before: list[float] | None, now: list[float], *, key: StatementKey = KEY) -> Moved:
    return Moved(key=key, now=counted(now), before=None if before is None else counted(before))


def only(found: tuple[Delta, ...]) -> Delta:
    (delta,) = found
    return delta


@given(times, times)
def test_what_was_called_in_between_is_what_is_counted(first: list[float], then: list[float]) -> None:
    delta = only(deltas(sample(moved(first, first + then)), last()))
    assert (delta.calls, delta.rows, delta.shared_read) == (len(then), len(then), 3 * len(then))
    assert delta.total_ms == pytest.approx(sum(then), rel=1e-6, abs=1e-6)
    assert delta.squares == pytest.approx(sum(one * one for one in then), rel=1e-3, abs=1e-6 * sum(first) ** 2)
    assert (delta.confidence, delta.doubts, delta.is_new) == (Confidence.HIGH, (), False)


@given(times, st.data())
def test_any_split_of_the_same_calls_adds_up(calls: list[float], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(calls)))
    parts = [m for m in (moved(None, calls[:cut]), moved(calls[:cut], calls)) if m.now.calls]
    found = [d for m in parts for d in deltas(sample(m), last())]
    whole = only(deltas(sample(moved(None, calls)), last()))
    assert sum(d.calls for d in found) == whole.calls
    assert sum(d.total_ms for d in found) == pytest.approx(whole.total_ms)
    assert sum(d.squares for d in found) == pytest.approx(whole.squares, rel=1e-6)


@given(times, times)
def test_a_continuation_is_never_taken_for_a_return(first: list[float], then: list[float]) -> None:
    assert continues(counted(first), counted(first + then))
    assert continues(counted(first), counted(first))


@given(times)
def test_squares_are_what_they_are_called(calls: list[float]) -> None:
    assert squares(counted(calls)) == pytest.approx(sum(one * one for one in calls), rel=1e-6)


def test_a_first_sample_says_nothing() -> None:
    assert deltas(sample(moved(None, [1.0]), since=None), None) == ()


def test_an_entry_that_is_new_is_counted_from_nothing() -> None:
    delta = only(deltas(sample(moved(None, [200.0, 300.0])), last()))
    assert (delta.calls, delta.total_ms, delta.is_new, delta.doubts) == (2, 500.0, True, ())


def test_without_knowing_since_when_a_server_counts_an_old_sample_is_no_ground_for_new_entries() -> None:
    fresh = moved(None, [5.0])
    old = NOON - timedelta(seconds=40)
    nothing_known = {"reset_at": None, "deallocations": None, "extension": (1, 8)}
    assert deltas(sample(fresh, since=old, **nothing_known), last(old, **nothing_known), poll=POLL) == ()
    near = NOON - timedelta(seconds=35)
    assert only(deltas(sample(fresh, since=near, **nothing_known), last(near, **nothing_known), poll=POLL)).calls == 1
    assert only(deltas(sample(fresh, since=old), last(old), poll=POLL)).calls == 1


@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param([5.0] * 9, [5.0] * 3, id="calls fell"),
        pytest.param([1.0], [4.0, 5.0], id="the minimum rose"),
        pytest.param([900.0], [4.0, 5.0, 600.0, 400.0], id="the maximum fell"),
        pytest.param([100.0], [1.0, 100.0, 100.0, 100.0], id="too even"),
    ],
)
def test_an_entry_that_came_back_is_counted_from_nothing(before: list[float], now: list[float]) -> None:
    if before == [100.0]:  # the same minimum and maximum, but the squares in between cannot be
        back = replace(counted([1.0, 100.0, 50.5]), total_ms=151.5)
        found = Moved(key=KEY, now=replace(back, stddev_ms=0.0), before=counted([1.0, 100.0]))
    else:
        found = moved(before, now)
    delta = only(deltas(sample(found), last()))
    assert delta.calls == found.now.calls
    assert delta.doubts == (CAME_BACK,)


def test_where_entries_were_thrown_out_what_stayed_is_less_sure() -> None:
    found = sample(moved([5.0], [5.0, 6.0]), moved(None, [1.0], key=replace(KEY, queryid=78)), deallocations=4)
    stayed, new = deltas(found, last())
    assert (stayed.confidence, stayed.doubts) == (Confidence.LOW, (THROWN_OUT,))
    assert (new.confidence, new.doubts) == (Confidence.HIGH, ())


def test_an_entry_that_says_since_when_it_counts_is_sure() -> None:
    one, two = NOON - timedelta(hours=2), NOON - timedelta(seconds=4)
    stays = Moved(key=KEY, before=counted([5.0], one), now=counted([5.0, 9.0], one))
    returns = Moved(key=replace(KEY, queryid=2), before=counted([5.0], one), now=counted([5.0, 5.0, 5.0], two))
    stayed, returned = deltas(sample(stays, returns, deallocations=9), last())
    assert (stayed.calls, stayed.confidence) == (1, Confidence.HIGH)
    assert (returned.calls, returned.confidence, returned.doubts) == (3, Confidence.HIGH, (CAME_BACK,))


def test_minimum_and_maximum_that_were_reset_do_not_matter_where_the_entry_says_since_when() -> None:
    since = NOON - timedelta(hours=2)
    now = replace(counted([5.0, 9.0, 7.0], since), min_ms=7.0, max_ms=7.0)
    delta = only(deltas(sample(Moved(key=KEY, before=counted([5.0, 9.0], since), now=now)), last()))
    assert (delta.calls, delta.total_ms, delta.doubts) == (1, pytest.approx(7.0), ())


def test_a_reset_begins_a_shorter_interval() -> None:
    reset_at = NOON - timedelta(seconds=5)
    delta = only(deltas(sample(moved([5.0] * 9, [5.0] * 12), reset_at=reset_at), last()))
    assert (delta.calls, delta.start, delta.end, delta.doubts) == (12, reset_at, NOON, (RESET,))


def test_another_server_begins_anew() -> None:
    found = moved([5.0], [5.0, 5.0])
    assert deltas(sample(found, identity=2), last()) == ()
    assert deltas(sample(found, version_num=160001), last()) == ()
    # The standby that was promoted has the same identifier, and has counted for longer than we have not looked.
    assert deltas(sample(found, reset_at=NOON - timedelta(days=1)), last()) == ()
    assert ground(last(), sample(found, started_at=NOON)) is Ground.KEPT


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_set_does_not_make_time(hours: int) -> None:
    set_to = NOON + timedelta(hours=hours)
    found = replace(sample(moved([5.0], [5.0, 5.0])), at=set_to)  # our clock goes on
    delta = only(deltas(found, last()))
    assert (delta.start, delta.end) == (set_to - POLL, set_to)
    assert delta.doubts == (CLOCK,)
    assert delta.confidence is Confidence.HIGH


def test_a_clock_that_is_wrong_all_the_time_is_no_matter() -> None:
    wrong = timedelta(hours=1)
    before = LastFacts(at=NOON - POLL + wrong, read_at=NOON - POLL, server=SERVER)
    found = replace(sample(moved([5.0], [5.0, 5.0]), since=NOON - POLL + wrong), at=NOON + wrong, read_at=NOON)
    assert only(deltas(found, before)).doubts == ()
