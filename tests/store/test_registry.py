"""The registry knows when a statement came, and does not pretend to where it cannot."""

from __future__ import annotations

from datetime import timedelta

from premortem import store
from tests.store.made import NOON, POLL, delta, statements

ONE, TWO = f"{1:016x}", f"{2:016x}"
DAY = timedelta(days=1)


def run(opened: store.Store, number: int, after: timedelta, **how: object) -> None:
    instance = str(how.pop("instance", "db-1"))
    at = NOON + after
    opened.commit(instance, at=at, deltas=[delta(number, at, **how)], statements=statements(number))  # type: ignore[arg-type]


def test_a_statement_that_came_is_first_seen_then_for_ever(opened: store.Store) -> None:
    run(opened, 1, timedelta(0), is_new=True)
    run(opened, 1, 50 * DAY, is_new=True)
    opened.maintain(NOON + 80 * DAY)
    assert opened.first_seen([ONE, TWO]) == {ONE: NOON}


def test_a_statement_that_was_there_before_has_no_first_time(opened: store.Store) -> None:
    run(opened, 1, timedelta(0))
    run(opened, 1, POLL, is_new=True)  # thrown out, and back
    assert opened.first_seen([ONE]) == {}
    (known,) = opened.find(ONE, since=NOON - DAY, until=NOON + DAY)
    assert (known.first_seen, known.appeared) == (NOON, False)


def test_a_statement_that_is_old_elsewhere_is_not_new(opened: store.Store) -> None:
    run(opened, 1, timedelta(0), instance="db-1")
    run(opened, 1, DAY, instance="db-2", is_new=True)
    assert opened.first_seen([ONE]) == {}
    assert opened.first_seen([ONE], instance="db-2") == {ONE: NOON + DAY}


def test_the_first_of_several_instances_counts(opened: store.Store) -> None:
    run(opened, 1, DAY, instance="db-1", is_new=True)
    run(opened, 1, timedelta(0), instance="db-2", is_new=True)
    assert opened.first_seen([ONE]) == {ONE: NOON}


def test_after_a_reset_a_statement_is_new_once_the_registry_is_a_week_old(opened: store.Store) -> None:
    doubts = ("the counters were reset",)
    run(opened, 1, timedelta(0), is_new=True, doubts=doubts)
    run(opened, 2, 8 * DAY, is_new=True, doubts=doubts)
    assert opened.first_seen([ONE, TWO]) == {TWO: NOON + 8 * DAY}


def test_it_came_at_its_sample_not_at_a_late_commit(opened: store.Store) -> None:
    """The store was down for an hour."""
    late = NOON + timedelta(hours=1)
    deltas = [delta(1, NOON, is_new=True), delta(2, late, is_new=True)]
    opened.commit("db-1", at=late, deltas=deltas, statements=statements(1, 2))
    assert opened.first_seen([ONE, TWO]) == {ONE: NOON, TWO: late}


def test_a_fingerprint_that_nobody_saw(opened: store.Store) -> None:
    assert opened.statement(ONE) is None
    assert opened.first_seen([]) == {}
