"""Sliding windows: sums over slots, roles and splits; executions that run, end and are cancelled; clocks that jump."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.model import (
    Backend,
    Cancelled,
    Confidence,
    Glance,
    InstanceFacts,
    Sample,
    Statement,
    StatementKey,
    Subject,
    Window,
    codec,
)
from premortem.watch.deltas import CLOCK, Delta
from premortem.watch.rings import Rings, advance, covered, decode, encode, windows
from premortem.watch.windows import LONGER, UNCOUNTED

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
POLL = 15.0
WINDOW = timedelta(seconds=300)
SERVER = InstanceFacts(version_num=180006, started_at=NOON - timedelta(days=9))
KEY = StatementKey(dbid=5, userid=10, toplevel=True, queryid=77)
ITEMS = Statement(fingerprint="f1", text="select * from items where sku = $1", database="shop")
SUBJECT = Subject(database="shop", fingerprint="f1")
STATEMENTS = {KEY: ITEMS}


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def sample(seconds: float, since: float | None, *backends: Backend, **more: object) -> Sample:
    return Sample(
        instance="db-1", at=at(seconds), read_at=at(seconds), server=SERVER, databases={5: "shop"},
        since=None if since is None else at(since), backends=backends, **more,
    )  # type: ignore[arg-type] # fmt: skip


def delta(seconds: float, calls: int, total: float, *, since: float | None = None, key: StatementKey = KEY) -> Delta:
    start = seconds - POLL if since is None else since
    return Delta(
        key=key, start=at(start), end=at(seconds), calls=calls, total_ms=total, squares=total * total / calls,
        rows=calls,
    )  # fmt: skip


def runs(began: float, *, pid: int = 7, text: str = "select * from items where sku = 'x'", **more: object) -> Backend:
    found = Backend(pid=pid, dbid=5, userid=10, state="active", queryid=77, text=text, query_start=at(began))
    return replace(found, **more)  # type: ignore[arg-type]


def polled(*polls: tuple[tuple[Delta, ...], tuple[Backend, ...]]) -> tuple[Rings, float]:
    """The rings after polls at every 15 seconds, and when the last was."""
    rings, seconds = advance(Rings(), sample(0, None), (), STATEMENTS), 0.0
    for deltas, backends in polls:
        seconds += POLL
        rings = advance(rings, sample(seconds, seconds - POLL, *backends), deltas, STATEMENTS)
    return rings, seconds


def window(rings: Rings, seconds: float, length: timedelta = WINDOW) -> Window:
    return windows(rings, at(seconds), length)[SUBJECT]


def test_a_window_is_the_last_five_minutes() -> None:
    rings, now = polled(*(((delta(15 * n, 2, 300.0),), ()) for n in range(1, 41)))
    found = window(rings, now)
    assert (found.calls, found.total_ms, found.mean_ms) == (40, 6000.0, 150.0)
    assert found.covered == WINDOW
    assert found.busy == pytest.approx(6 / 300)
    assert found.share == 1.0
    assert window(rings, now, timedelta(seconds=60)).calls == 8


def test_polls_that_are_a_little_late_make_no_other_window() -> None:
    rings, late = Rings(), [0.0, 0.2, -0.1, 0.3, -0.2]
    ends = [15 * n + late[n % 5] for n in range(60)]
    rings = advance(rings, sample(ends[0], None), (), STATEMENTS)
    for before, end in pairwise(ends):
        rings = advance(rings, sample(end, before), (delta(end, 1, 10.0, since=before),), STATEMENTS)
        if end > 301:
            assert window(rings, end).calls == 20


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(0.01, 1e4)), min_size=1, max_size=60), st.data())
def test_windows_are_the_same_however_the_counters_are_cut(calls: list[tuple[int, float]], data: st.DataObject) -> None:
    """Calls in each of sixty seconds; polls at any of these seconds see the same in the end."""
    cuts = sorted({60, *data.draw(st.lists(st.integers(1, 59), max_size=10, unique=True))})
    rings, before = advance(Rings(), sample(0, None), (), STATEMENTS), 0
    for cut in cuts:
        those = calls[before:cut]
        deltas: tuple[Delta, ...] = ()
        if those:
            count, total = sum(n for n, _ in those), sum(n * ms for n, ms in those)
            squares = sum(n * ms * ms for n, ms in those)
            deltas = (replace(delta(cut, count, total, since=before), squares=squares),)
        rings, before = advance(rings, sample(cut, before), deltas, STATEMENTS), cut
    found = window(rings, 60)
    assert found.covered == timedelta(seconds=60)
    assert found.calls == sum(n for n, _ in calls)
    assert found.total_ms == pytest.approx(sum(n * ms for n, ms in calls))
    assert found.squares == pytest.approx(sum(n * ms * ms for n, ms in calls))


@given(st.lists(st.tuples(st.sampled_from([10, 11, 12]), st.integers(1, 9), st.floats(0, 1e4)), min_size=1))
def test_entries_of_several_roles_add_up(found: list[tuple[int, int, float]]) -> None:
    keys = {role: replace(KEY, userid=role) for role in (10, 11, 12)}
    deltas = tuple(delta(15, n, ms, key=keys[role]) for role, n, ms in found)
    rings = advance(Rings(), sample(0, None), (), {})
    rings = advance(rings, sample(15, 0), deltas, dict.fromkeys(keys.values(), ITEMS))
    assert window(rings, 15).calls == sum(n for _, n, _ in found)
    assert window(rings, 15).total_ms == pytest.approx(sum(ms for _, _, ms in found))


def test_only_top_level_statements_are_the_databases_time() -> None:
    inside = replace(KEY, toplevel=False, queryid=78)
    known = {KEY: ITEMS, inside: replace(ITEMS, fingerprint="f2")}
    rings = advance(Rings(), sample(0, None), (), known)
    rings = advance(rings, sample(15, 0), (delta(15, 2, 403.0), delta(15, 2, 402.0, key=inside)), known)
    found = windows(rings, at(15), WINDOW)
    assert {w.instance_ms for w in found.values()} == {403.0}
    assert (found[SUBJECT].toplevel, found[Subject(database="shop", fingerprint="f2")].toplevel) == (True, False)


def test_what_nobody_knows_has_its_number_and_what_is_ours_is_nothing() -> None:
    ours = replace(KEY, queryid=-2)
    rings = advance(Rings(), sample(0, None), (), {})
    known = {ours: replace(ITEMS, ours=True)}
    deltas = (delta(15, 1, 5.0, key=replace(KEY, queryid=-1)), delta(15, 1, 9.0, key=ours))
    rings = advance(rings, sample(15, 0), deltas, known)
    (subject,), (found,) = zip(*windows(rings, at(15), WINDOW).items(), strict=True)
    assert subject == Subject(database="shop", fingerprint="queryid-ffffffffffffffff")
    assert found.instance_ms == 5.0


def test_a_query_that_runs_occupies_a_connection_before_anything_counts_it() -> None:
    rings, now = polled(*(((), (runs(-5),)),) * 3)
    found = window(rings, now)
    assert (found.calls, found.running) == (0, 1)
    assert found.longest_running_ms == 50_000
    assert found.provisional_ms == 45_000  # of the time that was watched
    assert found.busy == 1.0
    assert found.share == 1.0


def test_a_query_of_forty_minutes_never_occupies_more_than_one_connection() -> None:
    rings = advance(Rings(), sample(0, None), (), STATEMENTS)
    last, seconds = 2400.0, 0.0
    while seconds < 2800:
        seconds += POLL
        running = (runs(0.5),) if seconds < last else ()
        deltas = (delta(seconds, 1, last * 1000 - 500),) if last <= seconds < last + POLL else ()
        rings = advance(rings, sample(seconds, seconds - POLL, *running), deltas, STATEMENTS)
        found = windows(rings, at(seconds), WINDOW).get(SUBJECT)
        assert found is None or found.busy <= 1.001
        if seconds == last:
            assert found is not None
            assert found.mean_ms == last * 1000 - 500
            assert found.busy == pytest.approx(1.0, rel=0.01)
    assert found is None or found.busy == 0.0
    assert rings.flights == ()


def test_a_cancelled_query_keeps_its_time_and_is_told() -> None:
    rings, now = polled(((), (runs(2),)), ((), ()))
    found = window(rings, now)
    assert (found.calls, found.running, found.uncounted, found.uncounted_ms) == (0, 0, 1, 13_000)
    assert found.provisional_ms == 13_000
    assert found.doubts == (UNCOUNTED,)


def test_quick_calls_of_the_same_query_do_not_count_a_cancelled_one() -> None:
    rings, now = polled(((), (runs(2),)), ((delta(30, 500, 900.0),), ()))
    assert window(rings, now).uncounted == 1
    rings, now = polled(((), (runs(2),)), ((delta(30, 500, 14_900.0),), ()))
    assert window(rings, now).uncounted == 0
    assert window(rings, now).provisional_ms == 0


def test_of_two_that_ended_the_counters_hold_the_longer() -> None:
    rings, now = polled(((), (runs(2), runs(5, pid=8))), ((delta(30, 1, 16_000.0),), ()))
    found = window(rings, now)
    assert (found.uncounted, found.uncounted_ms) == (1, 10_000)


def test_a_timeout_between_two_polls_is_seen_by_glances() -> None:
    rings = advance(Rings(), sample(0, None), (), STATEMENTS)
    glances = tuple(
        Glance(at=at(second), read_at=at(second), backends=(runs(began),)) for second, began in ((4, 1), (9, 6))
    )
    rings = advance(rings, sample(15, 0, glances=glances), (), STATEMENTS)
    assert (window(rings, 15).uncounted, window(rings, 15).uncounted_ms) == (2, 6_000)


def test_what_a_log_tells_as_well_is_told_once() -> None:
    told = Cancelled(at=at(20), statement=ITEMS, pid=7, elapsed_ms=18_000.0, why="statement timeout")
    other = replace(told, pid=9, elapsed_ms=5_000.0)
    rings = advance(Rings(), sample(0, None), (), STATEMENTS)
    rings = advance(rings, sample(15, 0, runs(2)), (), STATEMENTS)
    at_once = advance(rings, sample(30, 15, cancelled=(told, other)), (), STATEMENTS)
    assert (window(at_once, 30).uncounted, window(at_once, 30).uncounted_ms) == (2, 18_000)
    ended = advance(rings, sample(30, 15), (), STATEMENTS)
    log_late = advance(ended, sample(45, 30, cancelled=(told,)), (), STATEMENTS)
    assert window(log_late, 45).uncounted == 1
    log_early = advance(rings, sample(30, 15, runs(2), cancelled=(told,)), (), STATEMENTS)
    assert window(advance(log_early, sample(45, 30), (), STATEMENTS), 45).uncounted == 1


@pytest.mark.parametrize(
    "backend",
    [
        runs(2, state="idle in transaction"),
        runs(2, kind="parallel worker", leader=9),
        runs(2, kind="autovacuum worker"),
        runs(2, text="vacuum items", queryid=99),
        runs(14.5),
        runs(2, queryid=None, text="select * from items where sku = 'cut of"),
    ],
    ids=["idle", "parallel", "autovacuum", "utility", "short", "unreadable"],
)
def test_what_is_no_execution_of_a_statement(backend: Backend) -> None:
    rings, now = polled(((), (backend,)))
    assert windows(rings, at(now), WINDOW) == {}


def test_a_gap_is_not_covered_and_a_long_slot_says_so() -> None:
    rings, _ = polled(((delta(15, 1, 9.0),), ()))
    again = advance(rings, sample(100, None), (), STATEMENTS)  # a watcher that was restarted
    again = advance(again, sample(115, 100), (delta(115, 1, 9.0),), STATEMENTS)
    assert covered(again, at(115), WINDOW) == timedelta(seconds=30)
    unread = advance(rings, sample(500, 15), (delta(500, 60, 600.0, since=15),), STATEMENTS)
    found = window(unread, 500)
    assert found.covered == timedelta(seconds=485)
    assert found.doubts == (LONGER,)
    slept = advance(rings, sample(9000, 15), (delta(9000, 60, 600.0, since=15),), STATEMENTS)
    assert windows(slept, at(9000), WINDOW) == {}


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_set_moves_the_window_along(hours: int) -> None:
    rings, now = polled(((delta(15, 1, 9.0),), ()), ((delta(30, 1, 9.0),), ()))
    jump = hours * 3600
    seen = replace(sample(now + 15 + jump, now), read_at=at(now + 15))
    moved = replace(delta(now + 15 + jump, 1, 9.0), doubts=(CLOCK,))
    rings = advance(rings, seen, (moved,), STATEMENTS)
    found = window(rings, now + 15 + jump)
    assert (found.calls, found.covered, found.doubts) == (3, timedelta(seconds=45), (CLOCK,))


def test_a_doubt_is_the_windows_for_as_long_as_it_is_in_it() -> None:
    unsure = replace(delta(15, 1, 9.0), confidence=Confidence.LOW, doubts=("unsure",))
    rings, now = polled(((unsure,), ()), *(((delta(15 * n, 1, 9.0),), ()) for n in range(2, 30)))
    assert window(rings, now).confidence is Confidence.HIGH
    rings, now = polled(((unsure,), ()), ((delta(30, 1, 9.0),), ()))
    assert (window(rings, now).confidence, window(rings, now).doubts) == (Confidence.LOW, ("unsure",))


polls = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(1, 9), st.floats(0, 1e5), st.sampled_from([77, 78, 79])), max_size=4),
        st.lists(st.tuples(st.floats(-90, 150), st.integers(1, 3)), max_size=3, unique_by=lambda one: one[1]),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@given(polls, st.data())
def test_rings_that_were_put_away_go_on_as_if_nothing_had_been(
    story: list[tuple[list[tuple[int, float, int]], list[tuple[float, int]]]], data: st.DataObject
) -> None:
    stop = data.draw(st.integers(0, len(story)))
    straight = interrupted = advance(Rings(), sample(0, None), (), STATEMENTS)
    for number, (moves, running) in enumerate(story, 1):
        now = number * POLL
        deltas = tuple(delta(now, n, ms, key=replace(KEY, queryid=one)) for n, ms, one in moves)
        seen = sample(now, now - POLL, *(runs(began, pid=pid) for began, pid in running))
        if number == stop:
            interrupted = decode(json.loads(json.dumps(encode(interrupted))))
        straight = advance(straight, seen, deltas, STATEMENTS)
        interrupted = advance(interrupted, seen, deltas, STATEMENTS)
    assert interrupted == straight
    assert windows(interrupted, at(now), WINDOW) == windows(straight, at(now), WINDOW)


@pytest.mark.parametrize("document", [None, [], {}, {"subjects": [[1]]}, {"subjects": 5}])
def test_what_is_no_ring_is_refused(document: object) -> None:
    with pytest.raises(codec.Misfit):
        decode(document)
