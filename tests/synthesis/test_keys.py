"""Keys of several columns: no combination twice, and any of them by its number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from premortem.synthesis.asked import Basis
from premortem.synthesis.combining import Member, beside, combined
from premortem.synthesis.domains import Numbers
from premortem.synthesis.keys import Key, ladder
from premortem.synthesis.kinds import Family
from premortem.synthesis.segments import Segments, segments


def member(slot: str, values: int, rows: int, skew: float, *, correlation: float = 0.0) -> Member:
    weights = np.arange(1, min(values, 40) + 1, dtype=float) ** -skew
    points = [(n, float(w)) for n, w in enumerate(weights * rows / weights.sum())]

    def basis(count: float) -> Basis:
        made: Segments = segments(points if values <= 40 else points[:20], [0, values - 1], rows, count)
        return Basis(domain=Numbers(size=values), found=made, numbered=False)

    return Member(
        slot=slot, basis=basis(values), correlation=correlation, unique=False, family=Family.TEXT, widened=basis
    )  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    st.integers(2, 400), st.integers(2, 60), st.integers(1, 8), st.floats(0, 1.5), st.floats(0, 1.5),
    st.integers(10, 5000), st.integers(0, 2**63),
)  # fmt: skip
def test_no_combination_stands_twice(a: int, b: int, c: int, skew: float, other: float, rows: int, salt: int) -> None:
    members = [member("a", a, rows, skew, correlation=1.0), member("b", b, rows, other), member("c", c, rows, 0)]
    found = combined(members, rows, salt)
    assume(found is not None)
    assert found is not None
    numbers = np.arange(rows, dtype=np.int64)
    columns = found.key.combinations(numbers)
    assert len(set(zip(*(columns[name].tolist() for name in found.key.columns), strict=True))) == rows
    some = numbers[:: max(1, rows // 7)][::-1]
    again = found.key.combinations(some)
    assert all((again[name] == columns[name][some]).all() for name in found.key.columns)


def test_a_key_that_fits_exactly_has_every_combination() -> None:
    members = [member("day", 20, 2000, 0.0, correlation=1.0), member("item", 20, 2000, 0.0), member("at", 5, 2000, 0.0)]
    found = combined(members, 2000, 1)
    assert found is not None
    columns = found.key.combinations(np.arange(2000, dtype=np.int64))
    assert len(set(zip(*(c.tolist() for c in columns.values()), strict=True))) == 2000


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=7), st.integers(10, 20_000))
def test_a_ladder_counts_within_its_groups(shares: list[float], rows: int) -> None:
    counts = np.sort(np.array(shares))[::-1] * rows
    most = rows
    stairs = ladder(counts, rows, most, 3)
    groups = stairs.groups(np.arange(rows, dtype=np.int64), None)
    inside = np.arange(rows) - groups.first
    assert (inside >= 0).all()
    assert (inside < groups.count).all()
    assert len(set(zip(groups.numbers.tolist(), inside.tolist(), strict=True))) == rows


@pytest.mark.parametrize("salt", range(20))
@pytest.mark.parametrize("first", [0.334, 0.338, 0.345])
def test_a_ladder_has_no_more_groups_than_there_are_parents(first: float, salt: int) -> None:
    """A sample may find more first lines than there are orders, which a third of all lines is just as many as."""
    counts = np.array([first, 0.261, 0.2, 0.136, 0.065]) * 120_000
    made = ladder(counts, 120_000, 40_000, salt)
    assert 39_000 < made.count <= 40_000


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 300), st.integers(1, 60), st.integers(1, 60), st.floats(0, 1.5), st.integers(10, 3000),
    st.integers(0, 2**63),
)  # fmt: skip
def test_two_sets_with_one_leading_column_both_hold(a: int, b: int, c: int, skew: float, rows: int, salt: int) -> None:
    first = combined([member("a", a, rows, skew, correlation=1.0), member("b", b, rows, 0.5)], rows, salt)
    assume(first is not None and first.key.names[0] == "a")
    assert first is not None
    assert isinstance(first.key, Key)
    second = beside(first.key, [member("c", c, rows, 0)], salt + 1)
    assume(second is not None)
    assert second is not None
    numbers = np.arange(rows, dtype=np.int64)
    one, other = first.key.combinations(numbers), second.key.combinations(numbers)
    assert (one["a"] == other["a"]).all()
    for columns in (one, other):
        assert len(set(zip(*(column.tolist() for column in columns.values()), strict=True))) == rows
