"""Candidates made of two: whatever either finds, the new one finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from premortem.model import IndexCandidate
from premortem.workload.search.merging import merged, serves
from tests.workload.ideal import candidate


@st.composite
def candidates(draw: st.DrawFn) -> IndexCandidate:
    columns = draw(st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True))
    include = draw(st.lists(st.integers(0, 7), max_size=3, unique=True))
    free = draw(st.integers(0, len(columns)))
    kept = [c for c in include if c not in columns]
    return candidate(draw(st.integers(0, 1)), *columns, include=kept, free=free)


@given(st.lists(candidates(), min_size=2, max_size=4))
def test_a_merged_index_does_the_work_of_two(some: list[IndexCandidate]) -> None:
    for made in merged(some):
        assert sum(serves(made, one) for one in some) >= 2, made.definition
        assert made.definition not in {c.definition for c in some}
        names = [k.column for k in made.keys] + list(made.include)
        assert len(names) == len(set(names))


@given(candidates(), candidates())
def test_what_serves_holds_all_that_it_serves_for(longer: IndexCandidate, shorter: IndexCandidate) -> None:
    assert serves(shorter, shorter)
    if serves(longer, shorter):
        held = [k.column for k in longer.keys] + list(longer.include)
        assert {k.column for k in shorter.keys} | {*shorter.include} <= {*held}
        assert {k.column for k in shorter.keys} <= {*held[: len(longer.keys)]}


def test_equalities_come_in_the_order_that_both_can_use() -> None:
    (made,) = merged([candidate(0, 1, free=1), candidate(0, 0, 1, 2, free=2)])
    assert [k.column for k in made.keys] == ["c1", "c0", "c2"]


def test_included_columns_are_put_together() -> None:
    found = merged([candidate(0, 0, include=(1,)), candidate(0, 0, include=(2,))])
    assert {c.include for c in found} == {("c1", "c2")}


def test_nothing_is_made_across_tables_or_of_different_rows() -> None:
    assert merged([candidate(0, 0, free=1), candidate(1, 0, 1, free=2)]) == ()
