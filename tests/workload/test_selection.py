"""The search: within its limits, never worse than before, a frontier that falls, and the best so far when stopped."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.model import Answer, IndexCandidate, IndexKey, Question
from premortem.workload import Chosen, Limits, promising, select
from premortem.workload.search.knowledge import Knowledge
from premortem.workload.search.merging import covers
from tests.workload.ideal import Ideal, Way, candidate, relation, weighed

CANDIDATES = [
    candidate(0, 0), candidate(0, 1, 2), candidate(0, 3, include=(4,)), candidate(1, 0), candidate(1, 5, 6),
    candidate(1, 2), candidate(2, 7), candidate(2, 0, 1),
]  # fmt: skip
PLACES = range(len(CANDIDATES))


@st.composite
def worlds(draw: st.DrawFn) -> Ideal:
    """Return a world of some demands, each with a few ways, of which the one without an index is the dearest."""
    ways: list[list[Way]] = []
    for _ in range(draw(st.integers(min_value=1, max_value=5))):
        before = float(draw(st.integers(min_value=2_000, max_value=100_000)))
        sets = draw(st.lists(st.frozensets(st.sampled_from(PLACES), min_size=1, max_size=3), max_size=4, unique=True))
        costs = [before * draw(st.integers(min_value=1, max_value=100)) / 100 for _ in sets]
        ways.append([(frozenset(), before), *zip(sets, costs, strict=True)])
    return Ideal(candidates=list(CANDIDATES), ways=ways)


def definitions(chosen: Chosen) -> set[str]:
    return {chosen.candidates[i].definition for i in chosen.visible}


def reads(world: Ideal, chosen: set[str]) -> float:
    return sum(world.cost(d, chosen) for d in range(len(world.ways)))


def after(chosen: Chosen) -> float:
    return sum(a.shown[0] for a in chosen.after)


@settings(max_examples=40, deadline=None)
@given(world=worlds(), budget=st.one_of(st.none(), st.integers(min_value=0, max_value=400_000_000)))
def test_what_is_chosen_is_what_was_planned_and_fits(world: Ideal, budget: int | None) -> None:
    chosen = select(world.studied(), world, Limits(budget=budget))
    assert after(chosen) == pytest.approx(reads(world, definitions(chosen)))
    assert budget is None or sum(chosen.sizes[i] for i in chosen.visible) <= budget
    assert after(chosen) <= reads(world, set())
    assert all(any(i in a.used for a in chosen.after) for i in chosen.visible)
    sizes, costs = [s.bytes for s in chosen.steps], [s.reads for s in chosen.steps]
    assert sizes == sorted(sizes)
    assert sizes[0] == 0
    assert all(a > b for a, b in itertools.pairwise(costs))


@settings(max_examples=30, deadline=None)
@given(world=worlds())
def test_without_limits_no_set_is_much_better(world: Ideal) -> None:
    """Every set is tried: where an index need not earn anything, what is chosen is within a percent of the best."""
    chosen = select(world.studied(), world, Limits(frontier=False, min_share=1e-6, storage=0.0))
    every = itertools.chain.from_iterable(itertools.combinations(CANDIDATES, n) for n in range(len(CANDIDATES) + 1))
    best = min(reads(world, {c.definition for c in some}) for some in every)
    assert after(chosen) <= best * 1.01 + 1.0


@settings(max_examples=30, deadline=None)
@given(world=worlds(), refuses=st.frozensets(st.sampled_from(PLACES), max_size=3))
def test_what_the_server_refuses_is_never_chosen(world: Ideal, refuses: frozenset[int]) -> None:
    chosen = select(world.studied(), replace(world, refuses=refuses), Limits())
    assert not definitions(chosen) & {CANDIDATES[i].definition for i in refuses}


@settings(max_examples=40, deadline=None)
@given(world=worlds(), sets=st.lists(st.frozensets(st.sampled_from(PLACES)), min_size=2, max_size=8))
def test_what_is_inferred_is_what_would_be_answered(world: Ideal, sets: Sequence[frozenset[int]]) -> None:
    knowledge = Knowledge.of(world.studied(), world, 0.05)
    numbers = knowledge.stock(CANDIDATES)
    for places in sets:
        visible = frozenset(numbers[CANDIDATES[i].definition] for i in places)
        for demand, answer in enumerate(knowledge.answers(visible)):
            assert answer.shown[0] == world.cost(demand, {CANDIDATES[i].definition for i in places})


def test_most_of_what_is_needed_is_inferred() -> None:
    ways: list[list[Way]] = [[(frozenset(), 1e5), (frozenset({n}), 10.0)] for n in PLACES]
    world = Ideal(candidates=list(CANDIDATES), ways=ways)
    chosen = select(world.studied(), world, Limits())
    assert len(chosen.visible) == len(CANDIDATES)
    assert chosen.effort.asked == len(world.asked) < chosen.effort.inferred


def test_one_index_for_two_queries_is_made_and_tried() -> None:
    """(c1) and (c0, c1, c2), whose first two are equalities: (c1, c0, c2) does for both."""
    short, long = candidate(0, 1, free=1), candidate(0, 0, 1, 2, free=2)
    both = candidate(0, 1, 0, 2)
    world = Ideal(
        candidates=[short, long, both],
        ways=[
            [(frozenset(), 1e5), (frozenset({0}), 100.0), (frozenset({2}), 101.0)],
            [(frozenset(), 1e5), (frozenset({1}), 100.0), (frozenset({2}), 100.0)],
        ],
    )
    studied = tuple(replace(s, groups=((c,),)) for s, c in zip(world.studied(), (short, long), strict=True))
    assert definitions(select(studied, world, Limits())) == {both.definition}


def test_a_query_that_would_get_slower_vetoes() -> None:
    """The planner takes the second index for the first query too, whose other values it makes dearer."""
    ways: list[list[Way]] = [
        [(frozenset(), 1e5), (frozenset({0}), 100.0)],
        [(frozenset(), 1e5), (frozenset({1}), 50.0)],
    ]
    world = _Tempting(candidates=[candidate(0, 0), candidate(0, 1)], ways=ways)
    chosen = select(world.studied(), world, Limits())
    assert definitions(chosen) == {CANDIDATES[0].definition}
    assert chosen.after[0].risk == (100.0,)


@dataclass(slots=True)
class _Tempting(Ideal):
    """Where the second index is there, the first demand's plan reads it, and gambles."""

    def answer(self, demand: int, visible: set[str]) -> Answer:
        told = Ideal.answer(self, demand, visible)
        second = self.candidates[1].definition
        if demand == 0 and second in visible:
            number = next(n for n, c in enumerate(self.known) if c.definition == second)
            return Answer(shown=(90.0,), risk=(9e5,), used=frozenset({number}))
        return told


@pytest.mark.parametrize("most", [0, 1, 2])
def test_no_table_gets_more_than_it_may_have(most: int) -> None:
    ways: list[list[Way]] = [[(frozenset(), 1e5), (frozenset({n}), 10.0)] for n in PLACES]
    chosen = select(Ideal(candidates=list(CANDIDATES), ways=ways).studied(), Ideal(list(CANDIDATES), ways),
                    Limits(per_table=most))  # fmt: skip
    tables = [chosen.candidates[i].table for i in chosen.visible]
    assert max(map(tables.count, tables), default=0) == most


def test_writing_an_index_may_cost_more_than_it_saves() -> None:
    ways: list[list[Way]] = [[(frozenset(), 1e5), (frozenset({0}), 10.0)], [(frozenset(), 1e5), (frozenset({3}), 10.0)]]
    world = Ideal(candidates=list(CANDIDATES), ways=ways)
    studied = tuple(weighed(s, 1000.0) for s in world.studied())
    dear = CANDIDATES[3].definition
    chosen = select(studied, world, Limits(), upkeep=lambda c: 1e9 if c.definition == dear else 1.0)
    assert definitions(chosen) == {CANDIDATES[0].definition}
    world = replace(world, known=[])
    chosen = select(studied, world, Limits(upkeep=1.5), upkeep=lambda c: 1.0)
    assert len(chosen.visible) == 1


@pytest.mark.parametrize("questions", [0, 1, 2])
def test_when_it_is_stopped_it_returns_the_best_so_far(questions: int) -> None:
    ways: list[list[Way]] = [[(frozenset(), 1e5), (frozenset({n}), 10.0)] for n in PLACES]
    world = _Stopping(candidates=list(CANDIDATES), ways=ways, left=questions)
    chosen = select(world.studied(), world, Limits())
    assert not chosen.effort.finished
    assert after(chosen) == pytest.approx(reads(world, definitions(chosen)))


@dataclass(slots=True)
class _Stopping(Ideal):
    """Somebody presses Ctrl-C after so many batches of questions, once."""

    left: int = 0
    pressed: bool = False

    def ask(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        self.left -= 1
        if self.left < 0 and not self.pressed:
            self.pressed = True
            raise KeyboardInterrupt
        return Ideal.ask(self, questions)


def test_when_time_is_up_it_has_something_that_fits() -> None:
    ways: list[list[Way]] = [[(frozenset(), 1e5), (frozenset({n}), 10.0)] for n in PLACES]
    world = Ideal(candidates=list(CANDIDATES), ways=ways)
    chosen = select(world.studied(), world, Limits(budget=60_000_000), remaining=lambda: 8.0 - len(world.asked) / 2)
    assert not chosen.effort.finished
    assert 0 < sum(chosen.sizes[i] for i in chosen.visible) <= 60_000_000


def test_many_that_harm_do_not_keep_one_that_helps_from_being_found() -> None:
    """Each of a dozen indexes makes one query's plan a gamble; the one that helps the other query harms nobody."""
    tempting = [candidate(0, n % 8, (n + 3) % 8, include=((n + 5) % 8,)) for n in range(12)]
    good = candidate(1, 0)
    ways: list[list[Way]] = [
        [(frozenset(), 1e5), *((frozenset({n}), 50.0 + n) for n in range(12))],
        [(frozenset(), 1e5), (frozenset({12}), 100.0)],
    ]
    world = _Gambling(candidates=[*tempting, good], ways=ways)
    chosen = select(world.studied(), world, Limits())
    assert definitions(chosen) == {good.definition}


@dataclass(slots=True)
class _Gambling(Ideal):
    """Whatever the first demand's plan reads, one of its parameter sets may get much slower."""

    def answer(self, demand: int, visible: set[str]) -> Answer:
        told = Ideal.answer(self, demand, visible)
        return replace(told, risk=(9e5,)) if demand == 0 and told.used else told


def test_an_index_that_is_not_read_may_change_the_estimates() -> None:
    """An expression has statistics as long as its index is there: an answer with it says nothing of one without."""
    spoken = IndexCandidate(table=relation(0), keys=(IndexKey(expression="lower(c0)"),))
    ways: list[list[Way]] = [[(frozenset(), 1e5), (frozenset({0}), 100.0), (frozenset({1}), 1e6)]]
    world = _Listening(candidates=[candidate(0, 0), spoken], ways=ways)
    (studied,) = world.studied()
    keys = {relation(0): frozenset({"c0", "lower(c0)"})}
    knowledge = Knowledge.of([replace(studied, keys=keys)], world, 0.05)
    numbers = knowledge.stock(world.candidates)
    plain, said = (numbers[c.definition] for c in world.candidates)
    with_it = knowledge.answer(0, frozenset({plain, said}))
    assert with_it.used == {plain}
    assert with_it.shown == (700.0,)
    assert knowledge.answer(0, frozenset({plain})).shown == (100.0,)


@dataclass(slots=True)
class _Listening(Ideal):
    """With the expression's statistics the planner knows better what the other index costs."""

    def answer(self, demand: int, visible: set[str]) -> Answer:
        told = Ideal.answer(self, demand, visible)
        return replace(told, shown=(700.0,), risk=(700.0,)) if self.candidates[1].definition in visible else told


@settings(max_examples=30, deadline=None)
@given(world=worlds())
def test_no_index_is_chosen_beside_one_that_begins_with_it(world: Ideal) -> None:
    shorter = candidate(0, 1)
    ways = [[*ways, (frozenset({len(CANDIDATES)}), ways[0][1] / 1000)] for ways in world.ways]
    chosen = select(replace(world, candidates=[*CANDIDATES, shorter], ways=ways).studied(),
                    replace(world, candidates=[*CANDIDATES, shorter], ways=ways), Limits())  # fmt: skip
    some = [chosen.candidates[i] for i in chosen.visible]
    assert not any(a is not b and covers(a, b) for a in some for b in some)


def test_what_is_promising_is_of_the_heavy_queries_and_fits_the_budget() -> None:
    """Of two queries with two ways each, one takes a hundredth of the other's time; what is too large is left out."""
    heavy = [(frozenset(), 1e6), (frozenset({0}), 9e5), (frozenset({3}), 8e5), (frozenset({1}), 9.9e5)]
    light = [(frozenset(), 1e4), (frozenset({6}), 1e3)]
    world = Ideal(candidates=list(CANDIDATES), ways=[heavy, light])
    chosen = select(world.studied(), world, Limits())
    names = [(demand, {chosen.candidates[i].definition for i in used}) for demand, used in promising(chosen, None)]
    assert sorted(names, key=str) == sorted([(0, {CANDIDATES[i].definition}) for i in (0, 3)], key=str)
    largest = max(sum(chosen.sizes[i] for i in used) for _, used in promising(chosen, None))
    smaller = promising(chosen, largest - 1)
    assert all(sum(chosen.sizes[i] for i in used) < largest for _, used in smaller)
    assert len(smaller) < 2
    assert promising(chosen, 0) == ()
