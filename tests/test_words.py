"""Numbers, durations and sizes: whatever the figure, it is said, and larger figures are never said to be smaller."""

from __future__ import annotations

import re
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from premortem import words

FINITE = st.floats(min_value=0, max_value=1e15, allow_nan=False)


def value_of(text: str) -> float:
    return float(text.replace(",", ""))


@given(st.floats())
def test_any_float_is_said(value: float) -> None:
    assert words.number(value)


@given(FINITE)
def test_a_number_is_within_one_percent(value: float) -> None:
    assert abs(value_of(words.number(value)) - value) <= 0.01 * value + 1e-9


@given(FINITE, FINITE)
def test_numbers_keep_their_order(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert value_of(words.number(low)) <= value_of(words.number(high))


@given(st.integers(min_value=100, max_value=10**12))
def test_whole_numbers_are_exact(value: int) -> None:
    assert words.number(value) == f"{value:,}"


@given(st.integers(min_value=0, max_value=2**60))
def test_a_size_is_short_and_within_six_percent(size: int) -> None:
    said = words.size(size)
    figure, unit = said.split(" ")
    assert len(figure) <= 5
    scale = {"byte": 1, "bytes": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4, "PB": 1024**5}[unit]
    assert abs(value_of(figure) * scale - size) <= 0.06 * size


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)))
def test_a_duration_has_at_most_two_units(value: timedelta) -> None:
    assert re.fullmatch(r"[\d.,]+(e-\d+)? (ms|s|min|h|days?)( \d+ (s|min))?", words.duration(value))


def test_no_unit_reaches_the_next() -> None:
    assert words.duration(59.7) == "1 min"
    assert words.duration(3599.8) == "1 h"
    assert words.duration(0.9996) == "1.0 s"
    assert words.size(1023 * 1024) == "1 MB"
    assert words.duration(-1) == "unknown"


@given(FINITE, FINITE)
def test_a_change_says_which_way(before: float, after: float) -> None:
    said = words.change(before, after)
    if after > 2 * before > 0:
        assert said.endswith("more")
    if before > 2 * after > 0:
        assert said.endswith("less")


@given(st.text())
def test_plain_text_steers_no_terminal(text: str) -> None:
    shown = words.plain(text)
    assert all(c in "\n\t" or c.isprintable() for c in shown)


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    assert len(words.one_line(text).splitlines()) <= 1


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_shortened_text_fits(text: str, width: int) -> None:
    assert len(words.shortened(text, width)) <= width


@given(st.lists(st.text(alphabet="abc", max_size=5)), st.integers(1, 5), st.integers(1, 20))
def test_first_lines_fit(lines: list[str], most: int, characters: int) -> None:
    shown = words.first_lines("\n".join(lines), lines=most, characters=characters)
    kept = [line for line in shown.splitlines() if not line.startswith("… (")]
    assert len(kept) <= most
    assert sum(map(len, kept)) <= characters
