"""Which minute a sample belongs to, and which rows are complete."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from premortem.store.recording import REMEMBERED, Ledger, Row, fresh, minute, recorded
from tests.store.made import NOON, delta

MINUTE = timedelta(minutes=1)


def row(subject: int, at: int, calls: int) -> Row:
    return Row(
        subject=subject,
        at=NOON + at * MINUTE,
        calls=calls,
        total_ms=0,
        squares=0,
        rows=0,
        shared_read=0,
        temp_written=0,
        wal_bytes=0,
    )


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3), st.integers(1, 9)), max_size=5), max_size=10))
def test_every_call_is_in_a_minute_that_is_over_or_in_one_that_is_not(polls: list[list[tuple[int, int, int]]]) -> None:
    """Also where clocks go back: a row may belong to any minute around now."""
    ledger, over = Ledger(), []
    for number, moved in enumerate(polls):
        rows = [row(subject, number + shift, calls) for subject, shift, calls in moved]
        ledger, done = recorded(ledger, rows, {NOON + number * MINUTE}, NOON + number * MINUTE)
        over += done
        assert all(one.at < NOON + number * MINUTE for one in done)
        assert all(one.at >= NOON + number * MINUTE for one in ledger.open)
        assert len({(one.subject, one.at) for one in done}) == len(done)
    total = sum(calls for moved in polls for _, _, calls in moved)
    assert sum(one.calls for one in (*over, *ledger.open)) == total


def test_samples_are_remembered_in_the_order_in_which_they_came() -> None:
    """A server's clock that was an hour ahead leaves moments behind that do not push out newer ones."""
    ledger = Ledger(samples=tuple(NOON + timedelta(hours=1, seconds=at) for at in range(REMEMBERED)))
    ledger, _ = recorded(ledger, [], {NOON}, NOON)
    assert len(ledger.samples) == REMEMBERED
    assert fresh([delta(1, NOON), delta(1, NOON + MINUTE)], ledger.samples) == (delta(1, NOON + MINUTE),)


def test_a_clock_that_jumps_by_years_does_not_take_history_along() -> None:
    newest = NOON + timedelta(days=4000)
    assert minute(newest, newest, NOON) == NOON
    assert minute(newest - timedelta(days=4000), newest, NOON) == NOON
    assert minute(NOON - timedelta(minutes=3), NOON, NOON) == NOON - timedelta(minutes=3)
