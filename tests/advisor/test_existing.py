"""When an index makes another one superfluous: a partial order, like the prefixes that it rests on."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from premortem.advisor.existing import covers, invalid_index, replaced, same_index
from premortem.model import Index, IndexCandidate, IndexKey, KeyColumn, RelationKind, RelationName, Table

NAME = RelationName(schema="public", name="t")
keys = st.lists(
    st.builds(
        IndexKey,
        column=st.sampled_from("abc"),
        descending=st.booleans(),
        opclass=st.sampled_from([None, "text_pattern_ops"]),
        collation=st.sampled_from([None, '"C"']),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda k: k.column,
).map(tuple)
candidates = st.builds(
    IndexCandidate,
    table=st.just(NAME),
    keys=keys,
    predicate=st.sampled_from([None, "a IS NULL"]),
    include=st.sampled_from([(), ("d",)]),
)


def existing(candidate: IndexCandidate, **more: bool) -> Index:
    found = tuple(
        KeyColumn(
            column=k.column, expression=k.expression,
            opclass=k.opclass or "text_ops", opclass_is_default=k.opclass is None,
            collation=f"pg_catalog.{k.collation}" if k.collation else None, descending=k.descending,
            nulls_first=k.descending if k.nulls_first is None else k.nulls_first,
        )
        for k in candidate.keys
    )  # fmt: skip
    return Index(
        name="i", definition="", method=candidate.method, keys=found, include=candidate.include,
        predicate=candidate.predicate, **more,
    )  # fmt: skip


def table(*indexes: Index) -> Table:
    return Table(schema="public", name="t", kind=RelationKind.TABLE, indexes=indexes)


def made(*columns: str) -> IndexCandidate:
    return IndexCandidate(table=NAME, keys=tuple(IndexKey(column=c) for c in columns))


@given(candidates)
def test_an_index_covers_itself(candidate: IndexCandidate) -> None:
    assert covers(existing(candidate), candidate)


@given(candidates, candidates, candidates)
def test_cover_is_transitive(a: IndexCandidate, b: IndexCandidate, c: IndexCandidate) -> None:
    if covers(existing(a), b) and covers(existing(b), c):
        assert covers(existing(a), c)


@given(candidates, candidates)
def test_two_that_cover_each_other_hold_the_same_keys(a: IndexCandidate, b: IndexCandidate) -> None:
    if covers(existing(a), b) and covers(existing(b), a):
        assert [k.column for k in a.keys] == [k.column for k in b.keys]


@given(candidates, candidates)
def test_what_replaces_an_index_covers_all_it_did(a: IndexCandidate, b: IndexCandidate) -> None:
    if replaced(a, table(existing(b))) and a.predicate == b.predicate and not b.include:
        assert covers(existing(a), b)


def test_an_index_read_backwards_is_the_same_index() -> None:
    backwards = IndexCandidate(table=NAME, keys=(IndexKey(column="a", descending=True),))
    assert same_index(backwards, table(existing(made("a")))) is not None


def test_mixed_directions_are_another_index() -> None:
    mixed = IndexCandidate(table=NAME, keys=(IndexKey(column="a"), IndexKey(column="b", descending=True)))
    assert same_index(mixed, table(existing(made("a", "b")))) is None


def test_unique_and_constraint_indexes_are_never_replaced() -> None:
    assert replaced(made("a", "b"), table(existing(made("a"), unique=True))) == ()
    assert replaced(made("a", "b"), table(existing(made("a"), primary=True))) == ()


def test_an_invalid_index_is_no_duplicate_but_is_named() -> None:
    broken = table(existing(made("a"), valid=False))
    assert same_index(made("a"), broken) is None
    assert invalid_index(made("a"), broken) is not None


def test_a_partial_index_replaces_no_full_one() -> None:
    partial = IndexCandidate(table=NAME, keys=(IndexKey(column="a"),), predicate="b IS NULL")
    assert replaced(partial, table(existing(made("a")))) == ()


def test_an_invalid_index_goes_with_the_one_that_starts_like_it() -> None:
    broken = table(existing(made("a"), valid=False))
    assert [i.name for i in replaced(made("a", "b"), broken)] == ["i"]


def test_keys_that_a_query_fixes_are_there_in_whatever_order() -> None:
    other_order = table(existing(made("b", "a", "c")))
    free = replace(made("a", "b"), interchangeable=2)
    assert same_index(free, other_order) is not None
    assert same_index(made("a", "b"), other_order) is None
    then_ordered = replace(made("a", "b", "c"), interchangeable=2)
    assert same_index(then_ordered, other_order) is not None
    assert same_index(replace(made("a", "b", "d"), interchangeable=2), other_order) is None
    assert same_index(replace(made("a", "c", "b"), interchangeable=2), other_order) is None


@given(candidates, st.integers(0, 3), st.randoms())
def test_a_permutation_of_interchangeable_keys_brings_nothing(of: IndexCandidate, free: int, chance: Random) -> None:
    free = min(free, len(of.keys))
    shuffled = chance.sample(of.keys[:free], free)
    assert same_index(replace(of, keys=(*shuffled, *of.keys[free:]), interchangeable=free), table(existing(of)))


def test_values_of_a_predicate_are_compared_letter_by_letter() -> None:
    named = IndexCandidate(table=NAME, keys=(IndexKey(column="a"),), predicate="b = 'In Work'")
    other = replace(named, predicate="(b = 'in work'::text)")
    assert same_index(named, table(existing(replace(named, predicate="(b = 'In Work'::text)")))) is not None
    assert same_index(named, table(existing(other))) is None
    assert replaced(named, table(existing(other))) == ()
