"""History adds up: however samples are split into commits, repeated, rolled up and looked at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from premortem import pg, store
from premortem.errors import UsageError
from premortem.model import Subject
from premortem.watch.deltas import Delta
from tests.store.made import NOON, POLL, delta, statements

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_names = (f"db-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def shared(server15: pg.Server) -> Iterator[store.Store]:
    with pg.writer(server15, purpose="test") as db:
        db.execute("CREATE DATABASE history")
    with store.open(server15.dsn("history")) as found:
        yield found
    with pg.writer(server15, purpose="test") as db:
        db.execute("DROP DATABASE history WITH (FORCE)")


def fill(opened: store.Store, instance: str, samples: list[tuple[datetime, list[Delta]]]) -> None:
    known = statements(*range(10))
    for at, deltas in samples:
        opened.commit(instance, at=at, deltas=deltas, statements=known)


def total(steps: tuple[store.Step, ...]) -> tuple[int, float, float, int]:
    return (
        sum(step.calls for step in steps),
        sum(step.total_ms for step in steps),
        sum(step.squares for step in steps),
        sum(step.rows for step in steps),
    )


# Whole milliseconds: sums of floats that are whole numbers are exact, in whatever order they are added.
polls = st.lists(
    st.tuples(
        st.integers(1, 4000),  # seconds since the poll before
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 50), st.integers(0, 900)), max_size=4),
        st.booleans(),  # whether the answer to the commit was lost, so that the next one brings it again
    ),
    min_size=1,
    max_size=12,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(polls=polls, steps=st.sampled_from([1, 5, 60, 90, 1440]), retention=st.integers(2, 5))
def test_sums_are_exact_before_and_after_roll_up(
    shared: store.Store, polls: list[tuple[int, list[tuple[int, int, int]], bool]], steps: int, retention: int
) -> None:
    instance, at, waiting = next(_names), NOON, []
    every: list[Delta] = []
    known = statements(*range(4))
    for seconds, moved, lost in polls:
        at += timedelta(seconds=seconds)
        sample = [delta(number, at, calls=calls, mean=mean) for number, calls, mean in moved]
        every += sample
        waiting += sample
        shared.commit(instance, at=at, deltas=waiting, statements=known)
        if not lost:
            waiting = []
    expected = (
        sum(one.calls for one in every),
        sum(one.total_ms for one in every),
        sum(one.squares for one in every),
        sum(one.rows for one in every),
    )
    step = timedelta(minutes=steps)

    def seen() -> tuple[int, float, float, int]:
        return total(shared.history(instance, None, None, since=NOON, until=at + DAY, step=step))

    assert seen() == expected
    shared.maintain(at + timedelta(minutes=10), timedelta(days=retention))
    assert seen() == expected
    shared.maintain(at + 2 * HOUR, timedelta(days=retention))
    assert seen() == expected
    late = delta(1, at + POLL, calls=7, mean=3)
    shared.commit(instance, at=at + POLL, deltas=[late], statements=known)
    assert seen()[0] == expected[0] + 7
    shared.maintain(at + 3 * HOUR, timedelta(days=retention))
    assert seen()[0] == expected[0] + 7


def test_steps_are_what_ran_in_them(opened: store.Store) -> None:
    fill(
        opened,
        "db-1",
        [
            (
                NOON + minute * timedelta(minutes=1),
                [delta(1, NOON + minute * timedelta(minutes=1), calls=minute, mean=10)],
            )
            for minute in range(1, 10)
        ],
    )
    steps = opened.history("db-1", "shop", f"{1:016x}", since=NOON, until=NOON + HOUR, step=timedelta(minutes=5))
    assert [(step.at - NOON, step.calls) for step in steps] == [
        (timedelta(0), 1 + 2 + 3 + 4),
        (timedelta(minutes=5), 5 + 6 + 7 + 8 + 9),
    ]
    assert (steps[0].mean_ms, steps[0].deviation_ms, steps[1].busy) == (10, 0, 35 * 10 / 1000 / 300)
    assert opened.history("db-1", "shop", "nobody's", since=NOON, until=NOON + HOUR, step=HOUR) == ()
    with pytest.raises(UsageError, match="by the minute"):
        opened.history("db-1", "shop", None, since=NOON, until=NOON + HOUR, step=POLL)


def test_a_doubt_stays_with_its_row(opened: store.Store) -> None:
    fill(opened, "db-1", [(NOON, [delta(1, NOON, doubts=("thrown out",)), delta(2, NOON)])])
    for number, doubtful in ((1, True), (2, False)):
        (step,) = opened.history("db-1", "shop", f"{number:016x}", since=NOON, until=NOON + HOUR, step=HOUR)
        assert step.doubtful is doubtful


def test_days_are_made_ahead_and_dropped_when_they_are_rolled_up(opened: store.Store, database: str) -> None:
    fill(opened, "db-1", [(NOON + day * DAY, [delta(1, NOON + day * DAY, calls=10 + day)]) for day in range(6)])
    now = NOON + 5 * DAY + 2 * HOUR
    done = opened.maintain(now, timedelta(days=3))
    assert done.made == ("history_20260329", "history_20260330", "history_20260331")
    assert done.dropped == ("history_20260324", "history_20260325")
    assert done.says == ()
    assert done.hours == 6
    assert opened.maintain(now, timedelta(days=3)) == store.Maintained()
    for step in (timedelta(minutes=1), HOUR, DAY):
        steps = opened.history("db-1", "shop", None, since=NOON - DAY, until=now, step=step)
        assert [one.calls for one in steps] == [10, 11, 12, 13, 14, 15], step
    with pg.writer(database, purpose="test") as db:
        assert db.value("SELECT count(*) FROM premortem.history") == 4
        assert db.value("SELECT count(*) FROM premortem.statement") == 1


def test_somebody_who_reads_does_not_stop_the_watcher(opened: store.Store, database: str) -> None:
    """A partition that somebody reads is dropped the next time; until then nobody waits."""
    fill(opened, "db-1", [(NOON + day * DAY, [delta(1, NOON + day * DAY)]) for day in range(5)])
    now = NOON + 4 * DAY + 2 * HOUR
    with pg.session(database, purpose="test") as reader:
        reader.values("SELECT count(*) FROM premortem.history")
        done = opened.maintain(now, timedelta(days=2))
        assert done.dropped == ()
        assert len(done.says) == 2
        assert "history_20260324 is still there" in done.says[0]
    assert opened.maintain(now, timedelta(days=2)).dropped == ("history_20260324", "history_20260325")


def test_the_last_minute_of_an_instance_that_is_no_longer_watched_is_rolled_up(
    opened: store.Store, database: str
) -> None:
    fill(opened, "db-1", [(NOON, [delta(1, NOON, calls=5)])])
    opened.maintain(NOON + 3 * HOUR)
    with pg.writer(database, purpose="test") as db:
        assert db.value("SELECT calls FROM premortem.history_hour") == 5
        assert db.value("SELECT subjects FROM premortem.checkpoint") == []
    opened.commit("db-1", at=NOON + 4 * HOUR, deltas=[delta(1, NOON), delta(1, NOON + POLL)], statements=statements(1))
    steps = opened.history("db-1", "shop", None, since=NOON, until=NOON + DAY, step=DAY)
    assert sum(step.calls for step in steps) == 6, "its samples are still known"


def test_letters_about_open_alerts_are_not_forgotten(opened: store.Store) -> None:
    from premortem.model import Turn
    from tests.store.made import change

    opened.commit("db-1", at=NOON, changes=[change(), change(subject="b")], channels=["slack"])
    for letter in opened.pending("slack"):
        opened.delivered(letter.id, NOON)
    opened.commit("db-1", at=NOON, changes=[change(Turn.CLOSED, turns=2)])
    assert opened.maintain(NOON + 20 * DAY).letters == 0
    assert opened.maintain(NOON + 40 * DAY).letters == 1
    still = change(subject="b").alert
    assert opened.told("slack", still.key, still.opened_at)


def test_what_is_usual(opened: store.Store) -> None:
    """A week of hours at 3 ms, with one bad day, and the hour that is not over."""
    begin = datetime.combine(NOON.date(), time(), tzinfo=UTC) - 8 * DAY
    samples = []
    for hour in range(8 * 24):
        at = begin + hour * HOUR + timedelta(minutes=30)
        mean = 300.0 if hour // 24 == 6 else 3.0
        samples.append((at, [delta(1, at, calls=10, mean=mean)]))
    now = begin + 8 * DAY + timedelta(minutes=10)
    samples.append((now, [delta(1, now, calls=1000, mean=5000.0), delta(2, now)]))
    fill(opened, "db-1", samples)
    opened.maintain(now, timedelta(days=14))
    one, two = (Subject(database="shop", fingerprint=f"{number:016x}") for number in (1, 2))
    nobody = Subject(database="other", fingerprint=one.fingerprint)
    found = opened.baselines("db-1", [one, two, nobody], now)
    assert found[one].median_ms == 3.0
    assert [(day.calls, day.mean_ms) for day in found[one].days] == [
        (240, 300.0 if at == 6 else 3.0) for at in range(8)
    ]
    assert [day.day for day in found[one].days] == sorted(day.day for day in found[one].days)
    assert found[two] == found[nobody]
    assert found[two].median_ms is None
    assert opened.baselines("db-1", [], now) == {}
    assert opened.baselines("db-2", [one], now)[one].days == ()


def test_too_few_hours_say_nothing(opened: store.Store) -> None:
    fill(opened, "db-1", [(NOON + hour * HOUR, [delta(1, NOON + hour * HOUR)]) for hour in range(4)])
    opened.maintain(NOON + 5 * HOUR)
    subject = Subject(database="shop", fingerprint=f"{1:016x}")
    assert opened.baselines("db-1", [subject], NOON + 5 * HOUR)[subject].median_ms is None


def test_queries_are_found_by_fingerprint_table_and_text(opened: store.Store) -> None:
    from tests.store.made import key, statement

    known = {
        key(1): statement(1, "select * from order_items where product_sku = $1", table="order_items"),
        key(2): statement(2, "select Name from users where id = $1", table="users"),
    }
    opened.commit("db-1", at=NOON, deltas=[delta(1, NOON, calls=1, mean=9), delta(2, NOON, calls=2)], statements=known)
    opened.commit("db-2", at=NOON, deltas=[delta(2, NOON, calls=50)], statements=known)

    def found(words: str, instance: str | None = None) -> list[tuple[str, str, int]]:
        every = opened.find(words, since=NOON - HOUR, until=NOON + HOUR, instance=instance)
        return [(one.statement.tables[0].name, one.instance, one.calls) for one in every]

    assert found("") == [("users", "db-2", 50), ("order_items", "db-1", 1), ("users", "db-1", 2)]
    assert found(f"{1:016x}") == found("order_items") == found("public.order_items") == [("order_items", "db-1", 1)]
    assert found("NAME from") == [("users", "db-2", 50), ("users", "db-1", 2)]
    assert found("users", "db-1") == [("users", "db-1", 2)]
    assert found("%") == found("order.items") == []
