"""The case for a chosen set: figures that add up, a reason for whatever is left, and an answer on any index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.errors import UsageError
from premortem.model import (
    Drop,
    DropKind,
    Index,
    IndexCandidate,
    Indexing,
    KeyColumn,
    Profile,
    RelationName,
    Standing,
    Upkeep,
)
from premortem.workload import Chosen, Limits, Terms, explain, meant, select, why, without_dropped
from premortem.workload.telling.explaining import enters_at
from tests.workload.ideal import Ideal, candidate, profile, weighed
from tests.workload.test_selection import CANDIDATES, worlds

MB = 1 << 20


def free(_: IndexCandidate) -> Upkeep:
    return Upkeep()


def case(world: Ideal, *, budget: int | None = None, calls: float | None = None) -> tuple[Chosen, Indexing]:
    world.known.clear()  # a search begins with a world that has no candidates
    studied = world.studied() if calls is None else tuple(weighed(s, calls) for s in world.studied())
    chosen = select(studied, world, Limits(budget=budget))
    return chosen, explain(chosen, studied, free, Terms(budget=budget))


def seconds(times: Sequence[timedelta]) -> float:
    return sum(t.total_seconds() for t in times)


# figures that add up --------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(world=worlds(), budget=st.one_of(st.none(), st.integers(min_value=0, max_value=400_000_000)))
def test_what_the_indexes_add_is_what_the_set_saves(world: Ideal, budget: int | None) -> None:
    chosen, found = case(world, budget=budget)
    saved = (found.before - found.after).total_seconds()
    # An index that helps only beside a later one adds nothing yet, so that nothing is counted twice.
    assert seconds([r.adds for r in found.recommendations]) == pytest.approx(saved, abs=1e-3)
    assert found.relative_cost == pytest.approx(found.after / found.before, abs=1e-3)
    assert {r.candidate.definition for r in found.recommendations} == {
        chosen.candidates[i].definition for i in chosen.visible
    }
    assert all(0 <= r.share <= 1 and r.saves <= found.before for r in found.recommendations)
    assert all(r.gains and all(0 <= g.share <= 1 for g in r.gains) for r in found.recommendations)
    assert len({r.name for r in found.recommendations}) == len(found.recommendations)
    assert found.slower == ()


@settings(max_examples=20, deadline=None)
@given(world=worlds(), budget=st.one_of(st.none(), st.integers(min_value=1, max_value=400_000_000)))
def test_the_frontier_has_the_chosen_set_once(world: Ideal, budget: int | None) -> None:
    chosen, found = case(world, budget=budget)
    (own,) = (p for p in found.frontier if p.chosen)
    assert own.size_bytes == sum(chosen.sizes[i] for i in chosen.visible)
    assert own.reads.total_seconds() == pytest.approx(found.after.total_seconds(), abs=1e-3)
    assert [p.size_bytes for p in found.frontier] == sorted(p.size_bytes for p in found.frontier)
    held: set[str] = set()
    for point in found.frontier:
        held = (held | {*point.added}) - {*point.removed}
        assert held == {*point.indexes}


@settings(max_examples=20, deadline=None)
@given(world=worlds())
def test_whatever_is_left_has_a_reason(world: Ideal) -> None:
    _, found = case(world, budget=60 * MB)
    proposed = {r.candidate.definition for r in found.recommendations}
    for one in found.declined:
        assert one.candidate.definition not in proposed
        assert one.reason
        assert "\n" not in one.reason


def test_times_are_measured_as_far_as_somebody_did() -> None:
    world = Ideal(candidates=CANDIDATES, ways=[[(frozenset(), 9e4), (frozenset({0}), 10.0)]] * 2)
    first, second = world.studied()
    timed = replace(first, demand=replace(first.demand, calls_per_day=1e4, mean=timedelta(seconds=1)))
    studied = (timed, weighed(second, 1e4))
    chosen = select(studied, world, Limits())
    found = explain(chosen, studied, free, Terms())
    assert found.is_counted
    assert 0 < found.measured < 1
    assert found.before >= timedelta(seconds=1e4)
    _, uncounted = case(world)
    assert (uncounted.is_counted, uncounted.measured) == (False, 0.0)


# why not --------------------------------------------------------------------------------------------------------------


def reason_of(found: Indexing, wanted: IndexCandidate) -> str:
    return next(d.reason for d in found.declined if d.candidate.definition == wanted.definition)


def test_who_allows_no_byte_is_told_of_none() -> None:
    world = Ideal(candidates=[candidate(0, 0)], ways=[[(frozenset(), 9e4), (frozenset({0}), 10.0)]])
    _, found = case(world, budget=0)
    assert (found.recommendations, found.frontier, found.declined) == ((), (), ())


def test_what_does_not_fit_says_when_it_would() -> None:
    small, large = candidate(0, 0), candidate(1, 7)
    world = Ideal(
        candidates=[small, large],
        ways=[[(frozenset(), 9e4), (frozenset({0}), 10.0)], [(frozenset(), 8e4), (frozenset({1}), 10.0)]],
    )
    _, free_of_limits = case(world)
    assert len(free_of_limits.recommendations) == 2
    sizes = {r.candidate.definition: r.size_bytes for r in free_of_limits.recommendations}
    _, tight = case(world, budget=sizes[large.definition])
    assert [r.candidate for r in tight.recommendations] == [small]
    assert "does not fit beside better ones" in reason_of(tight, large)
    _, tighter = case(world, budget=sizes[small.definition])
    assert "does not fit: it takes" in reason_of(tighter, large)


def test_a_longer_index_covers_and_a_refused_one_says_who_refused() -> None:
    short, longer, odd = candidate(0, 0), candidate(0, 0, 1), candidate(1, 5)
    world = Ideal(
        candidates=[short, longer, odd],
        ways=[
            [(frozenset(), 9e4), (frozenset({0}), 100.0), (frozenset({1}), 101.0)],
            [(frozenset(), 9e4), (frozenset({1}), 10.0)],
            [(frozenset(), 9e4), (frozenset({2}), 10.0)],
        ],
        refuses=frozenset({2}),
    )
    _, found = case(world)
    assert [r.candidate for r in found.recommendations] == [longer]
    assert reason_of(found, short) == f"already covered by {longer.definition}"
    assert reason_of(found, odd) == "PostgreSQL refuses it: refused"


def test_what_costs_more_to_keep_than_it_saves_says_both() -> None:
    world = Ideal(candidates=[candidate(0, 0)], ways=[[(frozenset(), 9e4), (frozenset({0}), 10.0)]])
    studied = world.studied()
    chosen = select(studied, world, Limits(), upkeep=lambda _: 5_000.0)
    found = explain(chosen, studied, free, Terms())
    assert found.recommendations == ()
    assert "would cost 5.0 s/day to keep and saves 720 ms" in found.declined[0].reason


def test_an_index_that_slows_a_query_down_names_it() -> None:
    # The planner takes what costs less in sum; of two sets of values, one gets worse by it.
    world = Ideal(candidates=[candidate(0, 0)], ways=[[(frozenset(), 9e4), (frozenset({0}), 9e4 * 1.5)]])

    class Lying(Ideal):
        def answer(self, demand: int, visible: set[str]):  # type: ignore[no-untyped-def]
            used = frozenset({0}) if visible else frozenset[int]()
            cost = 9e4 * 1.5 if used else 9e4
            return replace(super().answer(demand, set()), shown=(cost,), risk=(cost,), used=used)

    lying = Lying(candidates=world.candidates, ways=world.ways)
    chosen, found = case(lying)
    assert found.recommendations == ()
    asked = why(meant("t0 (c0)", lying.profile), chosen, found, free, Terms())
    assert asked.standing is Standing.DECLINED
    assert "makes ideal slower" in asked.says


# about one index ------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(world=worlds(), wanted=st.sampled_from(CANDIDATES))
def test_any_index_has_an_answer(world: Ideal, wanted: IndexCandidate) -> None:
    chosen, found = case(world, budget=200 * MB)
    asked = why(meant(wanted.definition, world.profile), chosen, found, free, Terms(budget=200 * MB))
    proposed = {r.candidate.definition for r in found.recommendations}
    expected = Standing.RECOMMENDED if wanted.definition in proposed else Standing.DECLINED
    assert asked.standing is expected
    assert asked.says
    assert asked.size_bytes > 0
    readers = {g.query.fingerprint for g in asked.alone}
    for demand, ways in enumerate(world.ways):
        better = world.cost(demand, {wanted.definition}) < ways[0][1]
        assert not better or str(demand) in readers


def test_an_index_that_nobody_could_read_says_so() -> None:
    world = Ideal(candidates=[candidate(0, 0)], ways=[[(frozenset(), 9e4), (frozenset({0}), 10.0)]])
    chosen, found = case(world)
    asked = why(meant("t2(c1)", world.profile), chosen, found, free, Terms())
    assert asked.says == "no query of this workload that an index could help reads t2"
    useless = why(meant("t0(c5)", world.profile), chosen, found, free, Terms())
    assert useless.says == "the planner would use it for no query of this workload"


def test_a_proposed_name_is_known_once_there_are_names() -> None:
    world = Ideal(candidates=[candidate(0, 0)], ways=[[(frozenset(), 9e4), (frozenset({0}), 10.0)]])
    chosen, found = case(world)
    (name,) = (r.name for r in found.recommendations)
    assert why(meant(name, world.profile), chosen, found, free, Terms()).standing is Standing.RECOMMENDED
    with pytest.raises(UsageError, match="there is no index t0_c0_idy"):
        why(meant("t0_c0_idy", world.profile), chosen, found, free, Terms())


def with_index(of: Profile, name: str, *columns: str, unique: bool = False) -> Profile:
    keys = tuple(
        KeyColumn(column=c, expression=None, opclass="pg_catalog.text_ops", opclass_is_default=True) for c in columns
    )
    made = Index(
        name=name, definition=f"CREATE INDEX {name} ON public.t0 USING btree ({', '.join(columns)})", method="btree",
        keys=keys, unique=unique, pages=100, relation_pages=100, tuples=1e6,
    )  # fmt: skip
    first, *others = of.tables
    return replace(of, tables=(replace(first, indexes=(*first.indexes, made)), *others))


def test_a_definition_that_is_there_already_is_that_index() -> None:
    known = with_index(profile(), "t0_c0_idx", "c0")
    assert meant("t0(c0)", known).existing == RelationName(schema="public", name="t0_c0_idx")
    assert meant("create index on public.t0 using btree (c0)", known).existing is not None
    assert meant("T0_C0_IDX", known).existing is not None
    assert meant('public."t0_c0_idx"', known).existing is not None
    assert meant("t0(c0, c1)", known).existing is None
    assert meant("t0(c0) INCLUDE (c1)", known).existing is None
    assert meant("t0(c0 DESC)", known).existing is not None  # it is read backwards just as well
    assert meant("t0(c0) WHERE c1 = 'x'", known).existing is None
    assert meant("CREATE UNIQUE INDEX ON t0 (c0)", known).existing is None


def test_what_a_wider_index_replaces_is_dropped_once_it_is_there() -> None:
    wider = candidate(0, 0, 1)
    world = Ideal(
        candidates=[wider], ways=[[(frozenset(), 9e4), (frozenset({0}), 10.0)]],
        profile=with_index(profile(), "t0_c0_idx", "c0"),
    )  # fmt: skip
    _, found = case(world)
    (index,) = found.recommendations
    old = RelationName(schema="public", name="t0_c0_idx")
    assert index.replaces == (old,)
    assert index.drop_statements == ("DROP INDEX CONCURRENTLY public.t0_c0_idx;",)
    assert index.restore_statements[0].startswith("CREATE INDEX CONCURRENTLY t0_c0_idx ON")
    drop = Drop(index=old, table=wider.table, kind=DropKind.REPLACED, size_bytes=1, says="", proof="", upkeep=Upkeep())
    told = without_dropped(found, (drop,), world.profile)
    assert told.recommendations[0].drop_statements == ()
    assert told.drops == (drop,)


def test_an_index_enters_with_the_smallest_set_that_has_it() -> None:
    world = Ideal(
        candidates=[candidate(0, 0), candidate(1, 7)],
        ways=[[(frozenset(), 9e4), (frozenset({0}), 10.0)], [(frozenset(), 8e4), (frozenset({1}), 10.0)]],
    )
    chosen, found = case(world)
    for index in found.recommendations:
        number = chosen.candidates.index(index.candidate)
        assert index.enters_at == min(s.bytes for s in chosen.steps if number in s.visible)
    assert enters_at(chosen, frozenset({999})) is None
