"""Distributions: rows, values and distinct values add up, whatever the statistics are."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from premortem.synthesis import distinct
from premortem.synthesis.segments import Marginal, apportioned, limited, segments, unique_segments

BOUNDS = st.lists(st.integers(-1000, 100_000), min_size=2, max_size=30, unique=True).map(sorted)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.integers(0, 10**9))
def test_shares_become_whole_numbers_that_add_up(shares: list[float], total: int) -> None:
    found = apportioned(np.array(shares), total)
    assert found.sum() == total
    assert (found >= 0).all()


@settings(deadline=None, max_examples=60)
@given(BOUNDS, st.dictionaries(st.integers(-1000, 100_000), st.floats(1, 500), max_size=20), st.integers(1, 20_000))
def test_every_row_has_a_value_within_the_bounds(bounds: list[int], common: dict[int, float], rows: int) -> None:
    assume(sum(common.values()) <= rows)
    found = segments(list(common.items()), bounds, rows, rows / 3)
    assert found.total == rows
    marginal = Marginal.of(found, numbered=False)
    places = marginal.values(np.arange(rows, dtype=np.int64), np.random.default_rng(1))
    assert min(places) >= min(bounds[0], *common, bounds[0])
    assert max(places) <= max(bounds[-1], *common, bounds[-1])


@settings(deadline=None, max_examples=60)
@given(BOUNDS, st.sets(st.integers(-1000, 100_000), max_size=10), st.integers(20, 20_000))
def test_a_key_has_its_pins_and_no_value_twice(bounds: list[int], pins: set[int], rows: int) -> None:
    inside = {p for p in pins if bounds[0] <= p <= bounds[-1]}
    assume(rows <= bounds[-1] - bounds[0] + 1)
    found = unique_segments(sorted(inside), bounds, rows)
    places = Marginal.of(found, numbered=False, even=True).values(np.arange(rows, dtype=np.int64), None)
    assert len(set(places.tolist())) == rows
    assert inside <= set(places.tolist())


@settings(deadline=None, max_examples=60)
@given(BOUNDS, st.integers(1, 20_000), st.integers(1, 2000), st.booleans())
def test_groups_are_the_rows_of_a_value(bounds: list[int], rows: int, values: int, varied: bool) -> None:
    marginal = Marginal.of(segments([], bounds, rows, values), even=True)
    ranks = np.arange(rows, dtype=np.int64)
    salt = 5 if varied else None
    groups = marginal.groups(ranks, salt)
    assert (np.diff(groups.numbers) >= 0).all()
    numbers, first, count = np.unique(groups.numbers, return_index=True, return_counts=True)
    assert (groups.first[first] == first).all()
    assert (groups.count[first] == count).all()
    again = marginal.group_of(numbers, salt)
    assert (again.first == first).all()
    assert (again.count == count).all()


@settings(deadline=None, max_examples=60)
@given(BOUNDS, st.integers(1, 20_000), st.integers(1, 300), st.integers(1, 50))
def test_no_value_has_more_rows_than_it_may(bounds: list[int], rows: int, values: int, most: int) -> None:
    found = segments([], bounds, rows, values)
    assume(found.values * most >= rows)
    capped = limited(found, most)
    assert capped.total == rows
    assert (capped.rows <= capped.distinct * most).all()


def test_the_number_of_distinct_values_is_the_one_that_analyze_would_underestimate() -> None:
    """Notes of a measured case: 97,500 values of which a sample of 30,000 rows of a million shows 32,000."""
    bounds = [round(100_000 * (n / 100) ** 3) for n in range(101)]

    def make(values: float) -> object:
        return segments([], bounds, 1_000_000, values)

    said = distinct.estimated(segments([], bounds, 1_000_000, 90_000), 30_000)
    assert said < 60_000
    found = distinct.believed(make, said, 100_000, 30_000)  # type: ignore[arg-type]
    assert 80_000 < found < 100_000
