"""What alerts promise whatever happens: nothing lost, doubled or flapping, over restarts and bad clocks."""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem import watch
from premortem.errors import CheckpointError
from premortem.model import AlertChange, AlertKind, Cause, Diagnosis, Pool, Turn, Urgency
from tests.watch.scene import NOON, Scene, key, limits, session, statement, turns

#: What happens between two polls: calls and their length, waiting clients, blocked sessions, or no answer; and the step
#: of our clock and of the server's.
HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(["calls", "calls", "calls", "pool", "locks", "running", "away", "restart", "nothing"]),
        st.integers(1, 40),
        st.sampled_from([1.0, 60.0, 90.0, 150.0, 400.0, 5000.0]),
        st.sampled_from([15.0, 15.0, 15.0, 15.0, 14.0, 60.0, 4000.0, -3600.0]),
        st.sampled_from([None, None, None, None, 15.0, -3600.0, 3600.0]),
    ),
    max_size=60,
)
Happening = tuple[str, int, float, float, float | None]


def happen(scene: Scene, what: Happening) -> list[AlertChange]:
    kind, count, ms, ours, theirs = what
    scene.backends, scene.pools = (), ()
    if kind == "calls":
        scene.call(count % 7, count, ms, statement(f"select * from t where x = $1 and {count % 7} = 1", table="t"))
    if kind == "pool":
        scene.pools = (_pool(count),)
    if kind == "locks":
        scene.backends = tuple(session(n, query_start=scene.at, blocked_by=(99,)) for n in range(count % 9))
    if kind == "running":
        scene.statements.setdefault(key(1), statement())
        began = scene.at - timedelta(seconds=count)
        scene.backends = (session(5, queryid=1, query_start=began, transaction_start=began),)
    if kind == "restart":
        scene.server = replace(scene.server, started_at=scene.server.started_at + timedelta(seconds=1 + count))
    scene.at += timedelta(seconds=(theirs if theirs is not None else ours) - ours)
    return scene.miss(ours) if kind == "away" else scene.poll(ours)


def _pool(count: int) -> Pool:
    return Pool(
        pooler="pgb", database="shop", user="app", mode="transaction", clients_active=1, clients_waiting=count,
        servers_active=1, servers_idle=0, servers_used=0, longest_wait=timedelta(seconds=count / 8),
    )  # fmt: skip


def ids(changes: list[AlertChange]) -> list[str]:
    return [change.id for change in changes]


@settings(max_examples=60, deadline=None)
@given(HAPPENINGS)
def test_a_watcher_that_restarts_after_every_poll_tells_the_same(happenings: list[Happening]) -> None:
    steady, restarted = Scene(), Scene(restarts=True)
    for what in happenings:
        assert happen(steady, what) == happen(restarted, what)
        assert steady.state == restarted.state


@settings(max_examples=60, deadline=None)
@given(HAPPENINGS, st.data())
def test_going_on_from_any_checkpoint_tells_the_same(happenings: list[Happening], data: st.DataObject) -> None:
    scene = Scene()
    cut = data.draw(st.integers(0, len(happenings)))
    for what in happenings[:cut]:
        happen(scene, what)
    other = scene.copy()
    other.restart()
    first = [c for what in happenings[cut:] for c in happen(scene, what)]
    again = [c for what in happenings[cut:] for c in happen(other, what)]
    assert first == again
    assert ids(first) == ids(again)


@settings(max_examples=80, deadline=None)
@given(HAPPENINGS)
def test_openings_and_closings_alternate_and_every_message_has_a_name_of_its_own(happenings: list[Happening]) -> None:
    scene = Scene()
    for what in happenings:
        happen(scene, what)
        keys = [alert.key for alert in scene.state.alerts]
        assert len(keys) == len(set(keys))
    assert len(set(ids(scene.changes))) == len(scene.changes)
    stories: dict[str, list[AlertChange]] = defaultdict(list)
    for change in scene.changes:
        stories[change.alert.key].append(change)
    for story in stories.values():
        is_open, count = False, 0
        for change in story:
            opens = change.turn is Turn.OPENED
            count = 1 if opens else count + 1
            assert is_open != opens
            assert change.alert.turns == count
            is_open = change.turn is not Turn.CLOSED
        moments = [change.at for change in story]
        assert moments == sorted(set(moments))
    still = {alert.key for alert in scene.state.alerts}
    assert still == {k for k, story in stories.items() if story[-1].turn is not Turn.CLOSED}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([1.0, 50.0, 79.0, 81.0, 99.0, 101.0, 150.0, 190.0]), min_size=1, max_size=200))
def test_nothing_flaps(lengths: list[float]) -> None:
    scene = Scene(settings=limits(window_seconds=30, close_after_seconds=60))
    for ms in lengths:
        scene.polls(1, calls=5, ms=ms)
    told = [(c.turn, (c.at - NOON).total_seconds()) for c in scene.changes]
    openings = [at for turn, at in told if turn is Turn.OPENED]
    # Opening, being under for a minute, being over for a minute: two openings are never nearer than that.
    assert all(later - earlier >= 120 for earlier, later in pairwise(openings))
    assert len(told) <= 2 + len(lengths) * 15 / 60 * 2


def test_a_sample_that_comes_twice_or_late_changes_nothing() -> None:
    scene = Scene()
    scene.poll()
    scene.polls(20, calls=10, ms=250)
    early = scene.sample()
    scene.polls(2, calls=10, ms=250)
    state = scene.state
    for late in (early, scene.sample()):
        stepped = watch.step(scene.state, late, scene.told(), scene.settings, scene.now)
        assert (stepped.state, stepped.changes, stepped.deltas) == (state, (), ())


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("whose", ["ours", "theirs", "both"])
def test_a_clock_that_jumps_neither_opens_nor_closes(hours: int, whose: str) -> None:
    slow, fast = Scene(), Scene()
    for scene, ms in ((slow, 250.0), (fast, 3.0)):
        scene.poll()
        scene.polls(20, calls=10, ms=ms)
        told = len(scene.changes)
        if whose in ("ours", "both"):
            scene.now += timedelta(hours=hours)
        if whose in ("theirs", "both"):
            scene.at += timedelta(hours=hours)
        assert scene.polls(60, calls=10, ms=ms) == []
        assert len(scene.changes) == told
    (closed,) = slow.polls(60, calls=10, ms=3)
    assert closed.turn is Turn.CLOSED
    assert closed.alert.closed_at is not None
    assert closed.alert.closed_at >= closed.alert.opened_at


def test_a_laptop_that_slept_does_not_take_the_night_for_a_window() -> None:
    scene = Scene()
    scene.poll()
    scene.polls(20, calls=10, ms=3)
    scene.call(1, 50_000, 150)  # in the night
    assert scene.poll(8 * 3600) == []
    assert scene.polls(40, calls=10, ms=3) == []


def test_a_restart_of_the_database_loses_no_alert_and_makes_none() -> None:
    scene = Scene()
    scene.poll()
    scene.polls(20, calls=10, ms=250)
    scene.miss()
    scene.server = replace(scene.server, started_at=scene.at)
    assert scene.polls(30, calls=10, ms=250) == []
    # kill -9: the counters begin again at nothing
    scene.server = replace(scene.server, started_at=scene.at, reset_at=scene.at)
    scene.counters = {}
    assert scene.polls(30, calls=10, ms=250) == []
    assert scene.open == [AlertKind.SLOW]


def test_a_diagnosis_joins_its_alert_and_stays_with_it() -> None:
    scene = Scene()
    scene.poll()
    (opened,) = scene.polls(20, calls=10, ms=250)
    why = Diagnosis(cause=Cause.MISSING_INDEX, says="no index on product_sku", confidence=0.9)
    stepped = watch.diagnosed(scene.state, opened.alert.key, opened.alert.opened_at, why, scene.now)
    (change,) = stepped.changes
    assert (change.turn, change.alert.turns, change.alert.diagnosis) == (Turn.DIAGNOSED, 2, why)
    assert [event.kind for event in stepped.events] == ["alert.diagnosed"]
    scene.state = stepped.state
    scene.restart()
    found = scene.polls(60, calls=10, ms=3)
    assert [c.alert.turns for c in found] == list(range(3, 3 + len(found)))
    assert all(c.alert.diagnosis == why for c in found)
    # It closed: a diagnosis that comes too late says nothing about what may open next.
    late = watch.diagnosed(scene.state, opened.alert.key, opened.alert.opened_at, why, scene.now)
    assert (late.state, late.changes) == (scene.state, ())


def test_a_fresh_start_takes_over_what_is_open_and_closes_it() -> None:
    scene = Scene()
    scene.poll()
    (opened,) = scene.polls(20, calls=10, ms=250)
    scene.state = watch.fresh("db-1", scene.state.alerts)
    scene.since = None
    found = scene.polls(80, calls=10, ms=3)
    assert turns(found)[-1] == ("slow-query", "closed")
    assert {(c.alert.key, c.alert.opened_at) for c in found} == {(opened.alert.key, opened.alert.opened_at)}
    assert [c.alert.turns for c in found] == list(range(2, 2 + len(found)))


def test_an_alert_that_opens_again_soon_after_has_to_last() -> None:
    scene = Scene(pools=(_pool(16),))
    scene.poll()
    scene.pools = ()
    assert [c.turn for _ in range(12) for c in scene.poll()][-1] is Turn.CLOSED
    scene.pools = (_pool(16),)
    assert [c for _ in range(8) for c in scene.poll()] == []
    found = [c for _ in range(3) for c in scene.poll()]
    assert [c.turn for c in found][:1] == [Turn.OPENED]


@pytest.mark.parametrize(
    "document",
    [
        None,
        3,
        {},
        {"version": 1},
        {"version": 99, "state": {}, "rings": {}},
        {"version": 1, "state": {"instance": 3}, "rings": {}},
        {"version": 1, "state": {"instance": "db-1"}, "rings": None},
        {"version": 1, "state": {"instance": "db-1"}, "rings": {}, "indexes": "[3]"},
        {"version": 1, "state": {"instance": "db-1"}, "rings": {}, "indexes": [3]},
        {"version": 1, "state": {"instance": "db-1"}, "rings": {"slots": [[1]]}},
        {"version": 1, "state": {"instance": "db-1", "alerts": [{}]}, "rings": {}},
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_an_error_that_says_so(document: object) -> None:
    with pytest.raises(CheckpointError) as caught:
        watch.decode(document)
    assert caught.value.hint is not None
    assert "begins anew" in caught.value.hint


def test_a_checkpoint_with_any_part_missing_is_an_error_and_no_crash() -> None:
    scene = Scene(pools=(_pool(16),))
    scene.poll()
    scene.polls(20, calls=10, ms=250)
    whole = json.loads(json.dumps(watch.encode(scene.state)))
    for place in _places(whole):
        broken = copy.deepcopy(whole)
        _spoil(broken, place)
        try:
            watch.decode(broken)
        except CheckpointError:
            continue


def _places(document: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(document, dict):
        return [p for k, v in document.items() for p in ((*path, k), *_places(v, (*path, k)))]
    if isinstance(document, list):
        return [p for k, v in enumerate(document[:3]) for p in ((*path, k), *_places(v, (*path, k)))]
    return []


def _spoil(document: object, place: tuple[str | int, ...]) -> None:
    for step in place[:-1]:
        document = document[step]  # type: ignore[index]
    document[place[-1]] = {"what": []}  # type: ignore[index]


def test_urgency_never_falls() -> None:
    scene = Scene()
    scene.poll()
    scene.polls(20, calls=100, ms=250)
    scene.polls(20, calls=1, ms=130)
    assert {alert.urgency for alert in scene.state.alerts} == {Urgency.PAGE}
    assert turns(scene.changes)[0] == ("slow-query", "opened")
