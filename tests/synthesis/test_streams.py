"""Permutations and placements: functions of a number alone that still meet every number once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.synthesis import streams
from premortem.synthesis.streams import Placement


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3000), st.integers(0, 2**64 - 1))
def test_a_shuffle_is_a_permutation_and_can_be_undone(size: int, salt: int) -> None:
    numbers = np.arange(size, dtype=np.int64)
    found = streams.shuffled(numbers, size, salt)
    assert sorted(found.tolist()) == numbers.tolist()
    assert streams.unshuffled(found, size, salt).tolist() == numbers.tolist()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3000), st.floats(-1, 1), st.integers(0, 2**64 - 1), st.integers(1, 500))
def test_a_placement_meets_every_rank_once_whatever_is_asked_first(
    rows: int, correlation: float, salt: int, piece: int
) -> None:
    placement = Placement.of(rows, correlation, salt)
    numbers = np.arange(rows, dtype=np.int64)
    whole = placement.ranks(numbers)
    assert sorted(whole.tolist()) == numbers.tolist()
    pieces = [placement.ranks(numbers[at : at + piece]) for at in range(0, rows, piece)]
    assert np.concatenate(pieces[::-1]).tolist() == np.concatenate(
        [whole[at : at + piece] for at in range(0, rows, piece)][::-1]
    ).tolist()  # fmt: skip


@pytest.mark.parametrize("correlation", [-1.0, -0.7, 0.0, 0.3, 0.5, 0.9, 0.98, 0.999, 1.0])
def test_a_placement_is_correlated_as_asked(correlation: float) -> None:
    rows = np.arange(20_000, dtype=np.int64)
    placement = Placement.of(20_000, correlation, 7)
    random = np.random.default_rng(7)
    assert np.corrcoef(rows, placement.ranks(rows))[0, 1] == pytest.approx(correlation, abs=0.03)
    assert np.corrcoef(rows, placement.drawn(rows, random))[0, 1] == pytest.approx(correlation, abs=0.03)
