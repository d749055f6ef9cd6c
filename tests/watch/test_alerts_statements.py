"""Alerts of statements: slow ones, running ones, new ones, rising ones, plans that changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.model import AlertKind, Baseline, Day, PlanSeen, Seats, Subject, Turn, Urgency
from premortem.settings import Override
from premortem.watch.rising import trend
from tests.watch.scene import NOON, SKU, Scene, key, limits, session, statement, turns

SUBJECT = Subject(database="shop", fingerprint="f0000sku")
SEATS = Seats(most=100, reserved=3, taken=20, active=15, idle_in_transaction=0)


def test_a_mean_over_the_limit_opens_when_half_of_the_window_is_covered() -> None:
    scene = Scene(seats=SEATS)
    scene.poll()
    assert scene.polls(9, calls=3, ms=2800) == []
    (change,) = scene.polls(1, calls=3, ms=2800)
    alert = change.alert
    assert (change.turn, alert.kind, alert.urgency) == (Turn.OPENED, AlertKind.SLOW, Urgency.PAGE)
    assert alert.says == (
        "order_items by product_sku: 2,800 ms mean over 2 min 30 s (limit 100 ms), 30 calls, "
        "100 % of the database's time, occupies 0.56 of 100 connections"
    )
    assert (alert.value, alert.limit, alert.unit, alert.subject) == (2800, 100, "ms", "f0000sku")
    assert alert.statement == statement()


def test_within_one_poll_once_the_window_is_over_the_limit() -> None:
    scene = Scene()
    scene.poll()
    assert scene.polls(20, calls=100, ms=3) == []
    # 100 calls of 3 ms and one of so many ms a poll: the first poll whose window is over 100 ms is the one that tells.
    scene.call(1, 100, 3)
    scene.call(1, 10, 25_000)
    (change,) = scene.poll()
    assert change.turn is Turn.OPENED


def test_a_fast_statement_and_a_single_call_are_quiet() -> None:
    scene = Scene()
    scene.poll()
    assert scene.polls(30, calls=100, ms=99) == []
    scene.call(2, 1, 60_000, statement("select report()"))
    assert scene.polls(10, calls=100, ms=99) == []


def test_utility_statements_and_our_own_are_quiet() -> None:
    scene = Scene()
    scene.poll()
    assert scene.polls(20, calls=5, ms=5000, said=statement("vacuum", utility=True)) == []
    assert scene.polls(20, number=2, calls=5, ms=5000, said=statement("select 1", ours=True)) == []


def test_a_slow_statement_gets_worse_better_and_closes() -> None:
    scene = Scene()
    scene.poll()
    opened = scene.polls(20, calls=10, ms=150)
    worse = scene.polls(20, calls=10, ms=700)
    better = scene.polls(35, calls=10, ms=110)
    closed = scene.polls(35, calls=10, ms=3)
    assert [turns(c) for c in (opened, better, closed)] == [
        [("slow-query", "opened")], [("slow-query", "better")], [("slow-query", "closed")],
    ]  # fmt: skip
    assert turns(worse) == [("slow-query", "worse")]
    assert worse[0].alert.value > 500  # when the window had filled, not at its first doubling
    done = closed[0].alert
    assert done.closed_at == closed[0].at
    assert done.worst == 700
    assert done.says.endswith("at worst 700 ms")
    assert "order_items by product_sku" in done.says
    assert scene.open == []


def test_what_stays_slow_is_told_once() -> None:
    scene = Scene()
    scene.poll()
    assert turns(scene.polls(400, calls=10, ms=250)) == [("slow-query", "opened")]


def test_a_statement_that_is_not_called_any_more_closes() -> None:
    scene = Scene()
    scene.poll()
    scene.polls(20, calls=10, ms=250)
    (closed,) = scene.polls(40, calls=0)
    assert closed.turn is Turn.CLOSED
    assert "hardly called any more" in closed.alert.says


def test_around_the_limit_it_stays_open() -> None:
    scene = Scene()
    scene.poll()
    found = [c for _ in range(40) for c in (*scene.polls(20, calls=10, ms=105), *scene.polls(20, calls=10, ms=90))]
    assert turns(found) == [("slow-query", "opened")]


@pytest.mark.parametrize(
    ("calls", "ms", "usual", "urgency"),
    [
        (1, 200, None, Urgency.TICKET),  # a hundredth of a connection, though all of the time: nothing else runs
        (20, 200, None, Urgency.PAGE),  # a quarter of a connection, all of the time
        (100, 200, None, Urgency.PAGE),  # more than one connection
    ],
)
def test_impact_decides_on_a_page(calls: int, ms: float, usual: float | None, urgency: Urgency) -> None:
    scene = Scene()
    scene.poll()
    (change,) = scene.polls(20, calls=calls, ms=ms)
    assert change.alert.urgency is urgency


def test_a_page_for_what_is_far_from_usual() -> None:
    heavy = statement("select * from big where x = $1", table="big")
    for usual, urgency in ((150.0, Urgency.TICKET), (20.0, Urgency.PAGE)):
        scene = Scene(baselines={SUBJECT: Baseline(median_ms=usual)})
        scene.poll()
        for _ in range(20):
            scene.call(2, 1000, 15, heavy)  # the rest of the server: a share of 10 % is left for the other
            scene.call(1, 10, 180)
            scene.poll()
        (change,) = scene.changes
        assert change.alert.urgency is urgency
        assert f"usually {usual:g} ms" in change.alert.says


def test_a_ticket_that_becomes_a_page_is_told_once_as_worse() -> None:
    scene = Scene()
    scene.poll()
    assert [c.alert.urgency for c in scene.polls(20, calls=1, ms=150)] == [Urgency.TICKET]
    found = scene.polls(40, calls=150, ms=150)
    assert [(c.turn, c.alert.urgency) for c in found] == [(Turn.WORSE, Urgency.PAGE)]


def test_other_limits_for_a_table_a_role_a_fingerprint() -> None:
    entries = (
        Override(place=1, tables=("order_*",), changed={"mean_ms": 5000.0}),
        Override(place=2, tables=("public.order_items",), services=("app",), changed={"mean_ms": 40.0}),
        Override(place=3, fingerprints=("f0000sku",), instances=("db-2",), changed={"mean_ms": 9000.0}),
    )
    scene = Scene(settings=replace(limits(), overrides=entries))
    scene.poll()
    (change,) = scene.polls(20, calls=10, ms=50)
    assert change.alert.limit == 40
    other = Scene(settings=replace(limits(), overrides=entries[:1]))
    other.poll()
    assert other.polls(30, calls=10, ms=4000) == []


def test_an_override_may_have_a_shorter_window() -> None:
    entries = (Override(place=1, tables=("order_items",), changed={"window_seconds": 60.0}),)
    scene = Scene(settings=replace(limits(), overrides=entries))
    scene.poll()
    (change,) = scene.polls(3, calls=10, ms=500)
    assert change.alert.window is not None
    assert change.alert.window.length == timedelta(seconds=60)


def running(scene: Scene, pid: int, seconds: float, number: int = 1, **said: object) -> None:
    began = scene.at + timedelta(seconds=15 - seconds)
    scene.statements.setdefault(key(number), statement())
    scene.backends = (
        *(b for b in scene.backends if b.pid != pid),
        session(pid, queryid=number, query_start=began, transaction_start=began, **said),
    )


def test_a_running_query_is_told_before_any_call_ends_and_becomes_the_slow_one() -> None:
    scene = Scene()
    scene.polls(21, calls=0)
    running(scene, 41, 6)
    (opened,) = scene.poll()
    assert (opened.turn, opened.alert.kind, opened.alert.provisional) == (Turn.OPENED, AlertKind.RUNNING, True)
    assert opened.alert.says == (
        "order_items by product_sku: an execution runs for 6.0 s (limit 5.0 s) and is not counted yet; shop-web"
    )
    assert opened.alert.urgency is Urgency.TICKET
    scene.backends = ()
    scene.call(1, 3, 7000)
    (worse,) = scene.poll()
    assert (worse.turn, worse.alert.kind, worse.alert.provisional) == (Turn.WORSE, AlertKind.SLOW, False)
    assert worse.alert.key == opened.alert.key
    assert worse.alert.opened_at == opened.alert.opened_at
    closed = scene.polls(60, calls=0)
    assert turns(closed) == [("slow-query", "closed")]


def test_several_at_once_page_and_one_that_goes_on_for_a_minute_does() -> None:
    scene = Scene()
    scene.polls(21, calls=0)
    running(scene, 41, 6)
    running(scene, 42, 7)
    (opened,) = scene.poll()
    assert opened.alert.urgency is Urgency.PAGE
    assert "2 executions run, the longest for 7.0 s" in opened.alert.says
    alone = Scene()
    alone.polls(21, calls=0)
    began = alone.at
    told = []
    for _ in range(5):
        alone.statements[key(1)] = statement()
        alone.backends = (session(41, queryid=1, query_start=began, transaction_start=began),)
        told += alone.poll()
    assert [(c.turn, c.alert.urgency) for c in told if c.alert.urgency is Urgency.PAGE][:1] == [
        (Turn.WORSE, Urgency.PAGE)
    ]


def test_a_slow_query_that_also_runs_is_one_alert() -> None:
    scene = Scene()
    scene.poll()
    scene.polls(20, calls=10, ms=250)
    running(scene, 41, 30)
    assert scene.polls(1, calls=10, ms=250) == []
    assert scene.open == [AlertKind.SLOW]


def test_who_waits_for_a_lock_runs_autovacuum_or_is_ours_is_no_running_query() -> None:
    scene = Scene()
    scene.polls(21, calls=0)
    running(scene, 41, 8, blocked_by=(99,))
    running(scene, 42, 8, application="premortem/watch")
    running(scene, 43, 8, kind="autovacuum worker")
    running(scene, 44, 8, leader=43)
    running(scene, 45, 8, state="idle")
    assert scene.poll() == []


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("waits", [True, False])
def test_calls_that_waited_for_a_lock_make_no_slow_query_when_they_end(waits: bool, restarts: bool) -> None:
    scene = Scene(settings=limits(running_seconds=3600), restarts=restarts)
    scene.poll()
    scene.polls(20, calls=10, ms=2)
    said: dict[str, object] = {"wait_type": "Lock", "blocked_by": (99,)} if waits else {}
    began = scene.at
    for _ in range(3):
        for pid in (41, 42, 43):
            running(scene, pid, 15 + (scene.at - began).total_seconds(), **said)
        scene.poll()
    scene.backends = ()
    scene.call(1, 3, 47_000)
    found = turns(scene.poll()) + turns(c for _ in range(12) for c in scene.poll())
    alerts = {change.alert.kind for change in scene.changes}
    assert alerts == ({AlertKind.BLOCKED} if waits else {AlertKind.SLOW}), found


def test_what_is_slow_besides_is_told_while_others_wait_for_a_lock() -> None:
    scene = Scene()
    scene.poll()
    scene.polls(20, calls=10, ms=2)
    for seconds in (15, 30):
        running(scene, 41, seconds, wait_type="Lock", blocked_by=(99,))
        scene.poll()
    scene.backends = ()
    scene.call(1, 1, 33_000)
    found = scene.polls(12, calls=10, ms=400)
    (slow,) = [c for c in found if c.turn is Turn.OPENED]
    assert slow.alert.kind is AlertKind.SLOW
    assert slow.alert.value < 400
    assert "calls beside those that waited for a lock" in slow.alert.says


def test_a_query_that_a_timeout_always_ends_is_slow_though_nothing_counts_it() -> None:
    scene = Scene(settings=limits(running_seconds=60))
    scene.polls(21, calls=0)
    for at in range(10):
        running(scene, 100 + at, 10)
        scene.poll()
        scene.backends = ()
        scene.poll()
    (change,) = [c for c in scene.changes if c.turn is Turn.OPENED]
    assert change.alert.kind is AlertKind.SLOW
    assert "of them cancelled" in change.alert.says


def new_and_heavy(share_calls: int = 100) -> Scene:
    scene = Scene(first_seen={"f0000sku": NOON - timedelta(hours=2)})
    scene.poll()
    for _ in range(20):
        scene.call(2, 100, 50, statement("select * from big where x = $1", table="big"))
        scene.call(1, share_calls, 10)
        scene.poll()
    return scene


def test_a_new_statement_with_a_noticeable_share() -> None:
    scene = new_and_heavy()
    (change,) = scene.changes
    assert change.alert.kind is AlertKind.HEAVY
    assert change.alert.says.startswith("order_items by product_sku: first seen 2 h")
    assert "16.7 % of the database's time" in change.alert.says
    assert change.alert.urgency is Urgency.TICKET


def test_on_a_server_that_was_not_known_yesterday_nothing_is_new() -> None:
    scene = Scene(first_seen={"f0000sku": NOON - timedelta(hours=2)}, watched_since=NOON - timedelta(hours=5))
    scene.poll()
    assert scene.polls(30, calls=100, ms=10) == []


def test_a_new_statement_is_no_news_after_a_day() -> None:
    scene = new_and_heavy()
    scene.first_seen["f0000sku"] -= timedelta(hours=23)
    scene.polls(12, calls=100, ms=10)
    assert scene.told_of(AlertKind.HEAVY) == [Turn.OPENED, Turn.CLOSED]


def days(*means: float) -> tuple[Day, ...]:
    first = date(2026, 11, 3) - timedelta(days=len(means))
    return tuple(Day(day=first + timedelta(days=n), calls=9, mean_ms=m) for n, m in enumerate(means))


@pytest.mark.parametrize(
    ("means", "rises"),
    [
        ((3, 10, 18, 26, 33, 41, 48, 55), True),
        ((3, 10, 180, 26, 33, 41, 48, 55), True),  # a bad day bends nothing
        ((50, 51, 50, 52, 51, 50, 52), False),  # no rise worth the name
        ((10, 12, 14, 16, 18, 20, 22), False),  # a month away
        ((3, 30, 60), False),  # too few days
        ((60, 5, 60, 5, 61, 5, 62), False),  # up and down
        ((90, 70, 50, 30, 20, 10), False),
    ],
)
def test_a_mean_that_will_reach_the_limit_in_a_week(means: tuple[float, ...], rises: bool) -> None:
    scene = Scene(baselines={SUBJECT: Baseline(median_ms=30.0, days=days(*means))})
    scene.poll()
    found = scene.polls(15, calls=10, ms=means[-1])
    assert turns(found) == ([("rising-query", "opened")] if rises else [])


def test_a_rise_says_when_it_reaches_the_limit() -> None:
    scene = Scene(baselines={SUBJECT: Baseline(median_ms=30.0, days=days(10, 20, 30, 40, 50, 60, 70))})
    scene.poll()
    (change,) = scene.polls(3, calls=10, ms=70)
    assert change.alert.says == (
        "order_items by product_sku: its mean rose from 10 to 70 ms in 7 days; at this pace it reaches the limit of "
        "100 ms in 3 days, on 06 November"
    )
    assert change.alert.urgency is Urgency.TICKET


def test_a_rise_ends_when_the_index_is_there() -> None:
    scene = Scene(baselines={SUBJECT: Baseline(median_ms=30.0, days=days(10, 20, 30, 40, 50, 60, 70))})
    scene.poll()
    scene.polls(30, calls=10, ms=70)
    assert turns(scene.polls(60, calls=10, ms=1)) == [("rising-query", "closed")]


def test_a_plan_that_changed_and_is_slower() -> None:
    scene = Scene(baselines={SUBJECT: Baseline(median_ms=3.0)}, plans={SUBJECT: PlanSeen(shape="index", at=NOON)})
    scene.poll()
    scene.polls(20, calls=100, ms=3)
    scene.plans[SUBJECT] = PlanSeen(shape="seq", at=NOON)
    assert scene.polls(1, calls=100, ms=3) == []
    assert "plan.changed" in scene.events
    opened, worse = scene.polls(20, calls=100, ms=60)
    assert [c.alert.kind for c in (opened, worse)] == [AlertKind.PLAN] * 2
    assert "3 ms before" in opened.alert.says
    scene.plans[SUBJECT] = PlanSeen(shape="index", at=NOON)
    assert turns(scene.polls(40, calls=100, ms=3)) == [("plan-changed", "closed")]


def test_a_plan_that_changed_without_harm_is_an_event_only() -> None:
    scene = Scene(plans={SUBJECT: PlanSeen(shape="index", at=NOON)})
    scene.poll()
    scene.polls(20, calls=100, ms=3)
    scene.plans[SUBJECT] = PlanSeen(shape="bitmap", at=NOON)
    assert scene.polls(40, calls=100, ms=3.3) == []
    assert scene.events.count("plan.changed") == 1


def test_a_slow_query_with_a_new_plan_is_one_alert() -> None:
    scene = Scene(plans={SUBJECT: PlanSeen(shape="index", at=NOON)})
    scene.poll()
    scene.polls(20, calls=100, ms=3)
    scene.plans[SUBJECT] = PlanSeen(shape="seq", at=NOON)
    found = scene.polls(30, calls=100, ms=900)
    assert {c.alert.kind for c in found} <= {AlertKind.SLOW, AlertKind.PLAN}
    (slow,) = [a for a in scene.state.alerts if a.kind is AlertKind.SLOW]
    assert "its plan changed 7 min 15 s ago" in slow.says


def test_sixty_shapes_of_one_table_are_one_alert() -> None:
    scene = Scene()
    scene.poll()
    for _ in range(20):
        for number in range(60):
            scene.call(number, 2, 200 + number, statement(f"{SKU} or id = {number}"))
        scene.poll()
    (change,) = scene.changes
    assert change.alert.subject == "table order_items"
    assert change.alert.says.startswith("60 statements on order_items are too slow; the worst: ")
    assert change.alert.value == 259
    for _ in range(40):
        scene.poll()
    assert [c.turn for c in scene.changes] == [Turn.OPENED, Turn.CLOSED]


def test_five_shapes_are_five_alerts_and_a_sixth_that_comes_later_is_its_own() -> None:
    scene = Scene()
    scene.poll()
    for step in range(30):
        for number in range(6 if step > 15 else 5):
            scene.call(number, 2, 200, statement(f"{SKU} or id = {number}"))
        scene.poll()
    assert [c.turn for c in scene.changes] == [Turn.OPENED] * 6


def test_a_slow_disk_is_one_alert() -> None:
    scene = Scene()
    scene.poll()
    for _ in range(20):
        for number in range(40):
            scene.call(number, 2, 200, statement(f"select * from t{number} where a = $1", table=f"t{number}"))
        scene.poll()
    (change,) = scene.changes
    assert change.alert.says.startswith("40 statements are too slow; the worst: ")


def test_a_hostile_text_and_a_huge_one_are_named_safely() -> None:
    for text in ("select \x1b[31m'</script>' from \u202e t where\n a = $1 (", "select 1 /*" + "x" * 1_000_000):
        scene = Scene()
        scene.poll()
        scene.polls(20, calls=10, ms=250, said=statement(text, unreadable="its text cannot be parsed"))
        (change,) = scene.changes
        assert change.alert.says.isprintable()
        assert len(change.alert.says) < 400


@given(st.lists(st.floats(0.1, 1e4), min_size=4, max_size=20), st.floats(0.01, 100))
def test_a_trend_knows_no_units(means: list[float], factor: float) -> None:
    plain, scaled = trend(days(*means)), trend(days(*(factor * m for m in means)))
    assert (plain is None) == (scaled is None)
    if plain is not None and scaled is not None:
        assert scaled.slope == pytest.approx(factor * plain.slope)
        assert scaled.hours_to(factor * 20_000) == pytest.approx(plain.hours_to(20_000))


@given(st.lists(st.floats(1, 100), min_size=6, max_size=20), st.integers(0, 19), st.floats(0, 1e6))
def test_one_day_bends_no_straight_rise(noise: list[float], which: int, wild: float) -> None:
    means = [10.0 + 3 * n for n in range(len(noise) + 4)]
    means[which % len(means)] = wild
    found = trend(days(*means))
    assert found is not None
    assert found.slope == pytest.approx(3, abs=0.01)
