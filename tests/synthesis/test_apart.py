"""Rows that an exclusion constraint keeps apart: whatever the statistics, no two of a group meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.synthesis import exclusions
from premortem.synthesis.apart import Apart, Chain, Condition, Level, OneRange
from premortem.synthesis.drawing import Drawn, Spot
from premortem.synthesis.keeping import split
from premortem.synthesis.segments import Marginal, Segments, apportioned, segments
from premortem.synthesis.streams import Placement, stream
from premortem.synthesis.timeline import timeline


def column(rows: int, values: int, heavy: list[float]) -> Segments:
    points = [(at * 3, share * rows) for at, share in enumerate(heavy) if at * 3 < values]
    found = segments(points, [0, values // 2, values - 1], rows, values)
    return replace(found, rows=apportioned(found.rows.astype(np.float64), rows))


def level(slot: str, found: Segments, salt: int, *, varied: bool) -> Level:
    return Level(slot=slot, marginal=Marginal.of(found, numbered=False), salt=salt, varied=varied)


def made(apart: Apart, rows: int, chunk: int) -> dict[str, Drawn]:
    """All rows of a table, made in chunks, last chunk first."""
    parts: list[dict[str, Drawn]] = []
    for first in reversed(range(0, rows, chunk)):
        slots: dict[str, Drawn] = {}
        numbers = np.arange(first, min(first + chunk, rows), dtype=np.int64)
        apart.draw(numbers, slots, lambda purpose, first=first: stream(first, purpose))  # type: ignore[misc]
        parts.append(slots)
    return {
        name: Drawn(
            numbers=np.concatenate([p[name].numbers for p in reversed(parts)]),
            nulls=np.concatenate(
                [n if (n := p[name].nulls) is not None else np.zeros(len(p[name].numbers), bool) for p in parts[::-1]]
            ),
        )
        for name in parts[0]
    }


def meetings(spans: np.ndarray, *groups: np.ndarray) -> int:
    """How often a span meets the next one of its group."""
    order = np.lexsort((spans[:, 0], *groups))
    one, other = order[:-1], order[1:]
    same = np.all([group[one] == group[other] for group in groups], axis=0) if groups else np.ones(len(one), bool)
    return int((same & (spans[other, 0] < spans[one].sum(axis=1))).sum())


CASES = {
    "rows": st.integers(2, 400), "values": st.integers(1, 60), "others": st.integers(1, 12),
    "heavy": st.lists(st.floats(0.01, 0.3), max_size=3),
    "places": st.lists(st.integers(0, 10**14), min_size=2, max_size=9),
    "lengths": st.lists(st.floats(1, 1e12), min_size=1, max_size=9), "slots": st.integers(1, 60),
    "share": st.floats(0.1, 1), "chunks": st.integers(1, 6), "salt": st.integers(0, 2**60),
    "least": st.integers(1, 2),
}  # fmt: skip


@settings(deadline=None, max_examples=120)
@given(st.fixed_dictionaries(CASES))
def test_rows_of_a_group_never_meet(case: dict) -> None:  # type: ignore[type-arg]
    rows, salt = case["rows"], case["salt"]
    filled = max(1, round(rows * case["share"]))
    slot_rows = -(-filled // case["slots"])
    slots = -(-filled // slot_rows)
    chain = Chain(
        levels=(
            level("a", column(filled, case["values"], case["heavy"]), salt, varied=True),
            level("b", column(filled, case["others"], []), salt + 1, varied=False),
        )
    )
    line, _ = timeline(
        sorted(case["places"]), np.linspace(0, 1, len(case["places"])).tolist(), sorted(case["lengths"]),
        crowd=slot_rows, slots=slots, least=case["least"], salt=salt,
    )  # fmt: skip
    whole = slots == 1
    placement = Placement(rows=filled, window=slot_rows, backward=False, salt=salt)
    apart = Apart(
        name="x", spot=Spot(placement=placement, rows=rows, filled=filled, exact=True, salt=salt ^ 1),
        slot_rows=slot_rows, chains=(chain,), line=line, ends=OneRange(slot="during"),
        condition=Condition(
            slot="state", inside=Marginal.of(column(filled, 1, [])),
            outside=Marginal.of(replace(column(rows, 1, []), place=np.ones(1, np.int64)), numbered=False),
        ),
    )  # fmt: skip
    slots_ = made(apart, rows, -(-rows // case["chunks"]))
    kept = slots_["state"].numbers == 0
    assert kept.sum() == filled
    spans = slots_["during"].numbers
    assert (spans[:, 1] >= case["least"]).all()
    assert meetings(spans[kept], slots_["a"].numbers[kept], slots_["b"].numbers[kept]) == 0
    counts = np.unique(slots_["a"].numbers[kept], return_counts=True)
    if whole:
        assert len(counts[0]) == chain.levels[0].marginal.distinct.sum()


@settings(deadline=None, max_examples=60)
@given(st.fixed_dictionaries(CASES))
def test_two_constraints_hold_at_once(case: dict) -> None:  # type: ignore[type-arg]
    rows, salt = case["rows"], case["salt"]
    found = [column(rows, case["values"], case["heavy"]), column(rows, case["others"], [])]
    heaviest = max(float(np.ceil(f.rows / f.distinct).max(initial=1.0)) / rows for f in found)
    slot_rows = max(1, int(0.999 / heaviest))
    chains = tuple(
        Chain(levels=(level(name, one, salt + at, varied=False),), salt=salt + 9 + at)
        for at, (name, one) in enumerate(zip("ab", found, strict=True))
    )
    line, _ = timeline(
        [0, 10_000], [0, 1], sorted(case["lengths"]), crowd=1, slots=-(-rows // slot_rows), least=1, salt=salt
    )
    placement = Placement(rows=rows, window=slot_rows, backward=False, salt=salt)
    spot = Spot(placement=placement, rows=rows, filled=rows, exact=True, salt=salt)
    apart = Apart(
        name="x", spot=spot, slot_rows=slot_rows, chains=chains, line=line, ends=OneRange(slot="during")
    )  # fmt: skip
    slots = made(apart, rows, -(-rows // case["chunks"]))
    for name in "ab":
        assert meetings(slots["during"].numbers, slots[name].numbers) == 0, name


def test_lengths_and_beginnings_are_those_asked_for() -> None:
    rows = 200_000
    found = column(rows, 200, [])
    places = [0, 1_000_000, 1_100_000, 2_000_000]
    lengths = [10.0, 20.0, 40.0, 400.0]
    line, longer = timeline(places, [0, 0.2, 0.6, 1], lengths, crowd=2100, slots=1, least=1, salt=1)
    spot = Spot(placement=Placement.of(rows, 0.0, 1), rows=rows, filled=rows, exact=True, salt=1)
    apart = Apart(
        name="x", spot=spot, slot_rows=rows, chains=(Chain(levels=(level("a", found, 5, varied=False),)),), line=line,
        ends=OneRange(slot="during"),
    )  # fmt: skip
    spans = made(apart, rows, 65_536)["during"].numbers
    assert longer == 1.0
    assert np.quantile(spans[:, 0], [0.2, 0.6]) == pytest.approx([1_000_000, 1_100_000], rel=0.01)
    assert spans[:, 1].mean() == pytest.approx((15 + 30 + 220) / 3, rel=0.1)  # of the short line's, some are cut


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 50), st.integers(1, 9)), min_size=1, max_size=8),
    st.sets(st.integers(0, 60)),
)
def test_rows_of_some_values_and_of_all_others(parts: list[tuple[int, int, int]], numbers: set[int]) -> None:
    width, rows, distinct = (np.array(x, np.int64) for x in zip(*parts, strict=True))
    found = Segments(
        place=np.cumsum(width) - width, width=width, rows=np.maximum(rows, distinct),
        distinct=np.minimum(distinct, width),
    )  # fmt: skip
    told, rest = split(found, numbers)
    assert told.total + rest.total == found.total
    every = {n for p, w in zip(rest.place.tolist(), rest.width.tolist(), strict=True) for n in range(p, p + w)}
    assert not every & numbers
    assert set(told.place.tolist()) <= numbers


def test_what_conditions_and_expressions_mean() -> None:
    for text, column_, values, others in (
        ("(status <> 'cancelled'::text)", "status", ("cancelled",), True),
        ("((kind)::character varying(10) = 'x y'::text)", "kind", ("x y",), False),
        ("((s)::text = ANY ((ARRAY['a'::varchar, 'it''s'::character varying])::text[]))", "s", ("a", "it's"), False),
        ("(state <> ALL (ARRAY[1, -2]))", "state", ("1", "-2"), True),
        ("(NOT gone)", "gone", ("f",), False),
        ("active", "active", ("t",), False),
        ("(ended IS NULL)", "ended", (), False),
        ("((\"Ended\" IS NOT NULL) AND (a > 3))", "Ended", (), True),
    ):  # fmt: skip
        found = exclusions.meant(text)
        assert found == exclusions.Meant(column=column_, values=values, others=others), text
    for text in ("(a < 3)", "((a = 1) OR (b = 2))", "(lower(a) = 'x'::text)", "(a = b)", "COALESCE(a, false)"):
        assert exclusions.meant(text) is None, text
