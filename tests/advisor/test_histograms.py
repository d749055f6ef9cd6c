"""How much of a column lies below a value, told by its histogram."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.advisor.histograms import share_below, share_less
from premortem.model import Column, ColumnStatistics


def column(type_name: str, bounds: tuple[str, ...]) -> Column:
    statistics = ColumnStatistics(null_fraction=0, average_width=8, n_distinct=-1, histogram_bounds=bounds)
    return Column(name="c", number=1, type=type_name, statistics=(statistics,))


HUNDREDS = tuple(str(n) for n in range(0, 1001, 10))
DAYS = tuple(f"2026-01-{day:02}" for day in range(1, 32))


@pytest.mark.parametrize(
    ("of", "value", "share"),
    [
        (column("integer", HUNDREDS), "500", 0.5),
        (column("numeric(10,2)", HUNDREDS), "255", 0.255),
        (column("integer", HUNDREDS), "-3", 0.0),
        (column("integer", HUNDREDS), "2000", 1.0),
        (column("date", DAYS), "2026-01-16", 0.5),
        (column("date", DAYS), "2026-01-16 00:00:00", 0.5),
        (column("timestamp with time zone", tuple(f"{d} 00:00:00+00" for d in DAYS)), "2026-01-16 02:00:00+02", 0.5),
        (column("text", HUNDREDS), "500", None),
        (column("integer", HUNDREDS), "infinity?", None),
        (column("date", ("2026-01-01", "2026-01-02")), "2026-01-02", None),
        (column("date", ("-infinity", *DAYS)), "2026-01-02", None),
    ],
)
def test_a_values_place_is_told_where_numbers_and_times_tell_it(of: Column, value: str, share: float | None) -> None:
    found = share_below(of, value)
    assert found == (None if share is None else pytest.approx(share, abs=0.001))


@given(st.lists(st.integers(-10_000, 10_000), min_size=10, max_size=101), st.integers(-11_000, 11_000))
def test_a_share_is_one_and_grows_with_the_value(values: list[int], value: int) -> None:
    of = column("integer", tuple(map(str, sorted(values))))
    low, high = share_below(of, str(value)), share_below(of, str(value + 100))
    assert low is not None
    assert high is not None
    assert 0.0 <= low <= high <= 1.0


def test_columns_of_the_same_values_are_less_than_each_other_half_of_the_time() -> None:
    assert share_less(column("date", DAYS), column("date", DAYS)) == pytest.approx(0.5, abs=0.03)
    later = column("integer", tuple(str(n + 2000) for n in range(0, 1001, 10)))
    assert share_less(column("integer", HUNDREDS), later) == 1.0
    assert share_less(later, column("integer", HUNDREDS)) == 0.0
    assert share_less(column("text", HUNDREDS), later) is None
