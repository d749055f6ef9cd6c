"""The integer program finds the best set: held against trying every set there is."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.workload.search.parts import Solver
from premortem.workload.search.program import Program, solve

INDEXES = tuple(range(5))
SETS = st.frozensets(st.sampled_from(INDEXES), min_size=1, max_size=3)
FIGURES = st.integers(min_value=0, max_value=100).map(float)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Return a small program; every demand can do without indexes, at a cost that is not the least."""
    atoms = draw(st.lists(st.dictionaries(SETS, FIGURES, max_size=4), min_size=1, max_size=4))
    dearest = [max(a.values(), default=0.0) + draw(FIGURES) for a in atoms]
    return Program(
        atoms=[{frozenset(): most, **a} for a, most in zip(atoms, dearest, strict=True)],
        sizes={i: float(draw(st.integers(min_value=1, max_value=50))) * 1e6 for i in INDEXES},
        charges={i: draw(FIGURES) for i in INDEXES},
        tables={i: i % 2 for i in INDEXES},
        forbidden=draw(st.lists(SETS, max_size=2)),
        per_table=draw(st.one_of(st.none(), st.integers(min_value=0, max_value=3))),
        upkeep={i: draw(FIGURES) for i in INDEXES},
        most_upkeep=draw(st.one_of(st.none(), FIGURES)),
    )


def cost(program: Program, chosen: frozenset[int], price: float) -> float:
    reads = sum(min(c for used, c in atoms.items() if used <= chosen) for atoms in program.atoms)
    return reads + sum(program.charges[i] + price * program.sizes[i] for i in chosen)


def is_allowed(program: Program, chosen: frozenset[int], budget: float | None) -> bool:
    tables = [program.tables[i] for i in chosen]
    assert program.upkeep is not None
    return (
        (budget is None or sum(program.sizes[i] for i in chosen) <= budget)
        and not any(f <= chosen for f in program.forbidden)
        and (program.per_table is None or all(tables.count(t) <= program.per_table for t in tables))
        and (program.most_upkeep is None or sum(program.upkeep[i] for i in chosen) <= program.most_upkeep)
    )


@settings(max_examples=60, deadline=None)
@given(
    program=programs(),
    budget=st.one_of(st.none(), st.integers(min_value=0, max_value=200).map(lambda n: n * 1e6)),
    price=st.sampled_from([0.0, 1e-7, 1e-6]),
)
def test_no_set_within_the_limits_is_better(program: Program, budget: float | None, price: float) -> None:
    every = chain.from_iterable(combinations(INDEXES, n) for n in range(len(INDEXES) + 1))
    allowed = [frozenset(c) for c in every if is_allowed(program, frozenset(c), budget)]
    best = min(cost(program, c, price) for c in allowed)
    found = solve(program, budget=budget, price=price, seconds=10, gap=1e-6)
    assert found is not None
    assert is_allowed(program, found, budget)
    assert cost(program, found, price) <= best + 1e-3 + 1e-5 * abs(best)


@given(program=programs())
@settings(max_examples=20, deadline=None)
def test_a_set_to_begin_with_changes_nothing_but_the_time(program: Program) -> None:
    start = frozenset[int]()
    found = solve(program, start=start, seconds=10, gap=1e-6)
    other = solve(program, seconds=10, gap=1e-6)
    assert found is not None
    assert other is not None
    assert cost(program, found, 0.0) == pytest.approx(cost(program, other, 0.0), abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(program=programs(), others=programs(), price=st.sampled_from([0.0, 1e-6]))
def test_parts_are_solved_as_the_whole_would_be(program: Program, others: Program, price: float) -> None:
    """Two programs side by side, whose indexes have other numbers; solved twice, the second time from memory."""
    whole = beside(program, others)
    solver = Solver()
    found = solver.solve(whole, price=price, start=frozenset(), seconds=10)
    assert found is not None
    assert found == solver.solve(whole, price=price, start=frozenset(), seconds=10)
    best = solve(whole, price=price, seconds=10, gap=1e-6)
    assert best is not None
    assert is_allowed(whole, found, None)
    assert cost(whole, found, price) <= cost(whole, best, price) * 1.004 + 1e-3


def beside(one: Program, other: Program) -> Program:
    """Return two programs as one, the second one's indexes numbered on; an upkeep is limited for all together."""
    by = len(INDEXES)
    moved = [{frozenset(i + by for i in used): c for used, c in atoms.items()} for atoms in other.atoms]
    return Program(
        atoms=[*one.atoms, *moved],
        sizes={**one.sizes, **{i + by: s for i, s in other.sizes.items()}},
        charges={**one.charges, **{i + by: c for i, c in other.charges.items()}},
        tables={**one.tables, **{i + by: f"other {t}" for i, t in other.tables.items()}},
        forbidden=[*one.forbidden, *(frozenset(i + by for i in f) for f in other.forbidden)],
        per_table=one.per_table,
        upkeep=dict.fromkeys(range(2 * by), 0.0),
    )
