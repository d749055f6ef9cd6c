"""When one index does another's work: a partial order, and a promise that travels along it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.model import Column, Index, IndexCandidate, IndexKey, KeyColumn, RelationKind, RelationName, Table
from premortem.rules.coverage import does_the_work, is_same, keeps_promise, leads_to_one_row, shape_of

keys = st.lists(
    st.builds(
        KeyColumn,
        column=st.sampled_from("abc"),
        expression=st.none(),
        opclass=st.sampled_from(["pg_catalog.int4_ops", "pg_catalog.int8_ops"]),
        opclass_is_default=st.booleans(),
        collation=st.sampled_from([None, 'pg_catalog."C"']),
        descending=st.booleans(),
        nulls_first=st.booleans(),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda key: key.column,
).map(tuple)
indexes = st.builds(
    Index,
    name=st.just("i"),
    definition=st.just(""),
    method=st.sampled_from(["btree", "gin", "gist", "brin", "hash"]),
    keys=keys,
    include=st.sampled_from([(), ("d",), ("d", "a")]),
    predicate=st.sampled_from([None, "(a IS NULL)", "(status = 'A'::text)", "(status = 'a'::text)"]),
    unique=st.booleans(),
    nulls_not_distinct=st.booleans(),
    immediate=st.booleans(),
    metapage=st.sampled_from([(), (("pages_per_range", 16.0),), (("pages_per_range", 128.0),)]),
)
NAME = RelationName(schema="public", name="t")


def btree(*columns: str, **more: object) -> Index:
    found = tuple(
        KeyColumn(column=c, expression=None, opclass="pg_catalog.int4_ops", opclass_is_default=True) for c in columns
    )
    return Index(name="_".join(columns), definition="", method="btree", keys=found, **more)  # type: ignore[arg-type]


def table(*not_null: str) -> Table:
    columns = tuple(
        Column(name=c, number=n, type="integer", not_null=c in not_null) for n, c in enumerate("abcd", start=1)
    )
    return Table(schema="public", name="t", kind=RelationKind.TABLE, columns=columns)


@settings(deadline=None)  # the first predicate loads the parser
@given(indexes)
def test_every_index_does_its_own_work(one: Index) -> None:
    assert does_the_work(shape_of(one), shape_of(one))
    assert is_same(shape_of(one), shape_of(one))


@settings(deadline=None)
@given(indexes, indexes, indexes)
def test_doing_the_work_is_transitive(a: Index, b: Index, c: Index) -> None:
    if does_the_work(shape_of(a), shape_of(b)) and does_the_work(shape_of(b), shape_of(c)):
        assert does_the_work(shape_of(a), shape_of(c))


@settings(deadline=None)
@given(indexes, st.permutations("abc"))
def test_more_keys_at_the_end_and_more_columns_do_no_harm(one: Index, order: list[str]) -> None:
    more = tuple(
        KeyColumn(column=c, expression=None, opclass="pg_catalog.int4_ops", opclass_is_default=True)
        for c in order
        if c not in one.columns
    )
    longer = replace(one, keys=(*one.keys, *more), include=(*one.include, "e"))
    if one.method != "hash":
        assert does_the_work(shape_of(longer), shape_of(one))
        assert not is_same(shape_of(longer), shape_of(one))


@settings(deadline=None)
@given(indexes)
def test_an_index_read_backwards_is_the_same(one: Index) -> None:
    turned = tuple(replace(k, descending=not k.descending, nulls_first=not k.nulls_first) for k in one.keys)
    assert is_same(shape_of(one), shape_of(replace(one, keys=turned)))


@settings(deadline=None)
@given(indexes, indexes)
def test_other_rows_are_another_index(a: Index, b: Index) -> None:
    if a.predicate != b.predicate:
        assert not does_the_work(shape_of(a), shape_of(b))


@settings(deadline=None)
@given(indexes, indexes)
def test_a_promise_is_kept_by_a_subset_of_the_columns(a: Index, b: Index) -> None:
    if keeps_promise(a, b, table()):
        assert a.unique
        assert set(a.columns) <= set(b.columns)
        assert a.predicate in (None, b.predicate)


def test_a_candidate_and_the_index_that_it_becomes_have_one_shape() -> None:
    candidate = IndexCandidate(
        table=NAME,
        keys=(IndexKey(column="a"), IndexKey(column="b", descending=True)),
        include=("d",),
        predicate="c IS NULL",
    )
    key_a, key_b = btree("a", "b").keys
    built = replace(
        btree("a", "b", include=("d",), predicate="(c IS NULL)"),
        keys=(key_a, replace(key_b, descending=True, nulls_first=True)),
    )
    assert shape_of(candidate) == shape_of(built)


def test_a_btree_does_what_a_hash_index_does_and_not_the_other_way_round() -> None:
    hashed = replace(btree("a"), method="hash")
    assert does_the_work(shape_of(btree("a", "b")), shape_of(hashed))
    assert not does_the_work(shape_of(btree("b", "a")), shape_of(hashed))
    assert not does_the_work(shape_of(hashed), shape_of(btree("a")))


def test_nulls_and_deferral_break_a_promise() -> None:
    one, wider = btree("a", unique=True), btree("a", "b", unique=True)
    assert keeps_promise(one, wider, table())
    assert not keeps_promise(one, replace(wider, nulls_not_distinct=True), table())
    assert keeps_promise(one, replace(wider, nulls_not_distinct=True), table("a"))
    assert not keeps_promise(replace(one, immediate=False), wider, table())
    assert not keeps_promise(replace(one, valid=False), wider, table())
    assert not keeps_promise(wider, one, table())


def test_keys_behind_a_unique_one_find_no_more_unless_it_may_be_null() -> None:
    one, wider = btree("a", unique=True), btree("a", "b")
    assert leads_to_one_row(one, wider, table("a"))
    assert not leads_to_one_row(one, wider, table())
    assert not leads_to_one_row(one, replace(wider, include=("d",)), table("a"))
    assert not leads_to_one_row(one, btree("b", "a"), table("a"))
