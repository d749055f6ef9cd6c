"""Index names: PostgreSQL's convention, in 63 bytes, free in the schema."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from premortem.advisor import names
from premortem.advisor.naming import free_name
from premortem.model import IndexCandidate, IndexKey, Profile, RelationKind, RelationName, ServerFacts, Table, Values

SERVER = ServerFacts(version_num=150_018, version="15.18", database="d", encoding="UTF8", collate="C", ctype="C")


def profile(*tables: Table) -> Profile:
    return Profile(taken_at=datetime(2026, 1, 1, tzinfo=UTC), server=SERVER, values=Values.ALL, tables=tables)


def made(*keys: IndexKey, predicate: str | None = None) -> IndexCandidate:
    return IndexCandidate(table=RelationName(schema="public", name="orders"), keys=keys, predicate=predicate)


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=6), st.integers(0, 12))
def test_a_name_fits_and_is_free(parts: list[str], taken: int) -> None:
    used: list[str] = []
    for _ in range(taken):
        used.append(free_name(tuple(parts), used))
    name = free_name(tuple(parts), used)
    assert len(name.encode()) <= 63
    assert name not in used


def test_keys_make_the_name_and_an_expression_gives_its_words() -> None:
    expression = IndexKey(expression="lower((email)::text)")
    assert names([made(IndexKey(column="status"), expression)], profile()) == ("orders_status_lower_email_idx",)


def test_a_predicate_sets_indexes_of_the_same_rows_key_apart() -> None:
    of_id = IndexKey(column="id")
    predicates = ("flagged", "shipped_at IS NULL", "status = 'failed'::text", "mode = ANY ('{AIR,RAIL}'::bpchar[])")
    assert names([made(of_id, predicate=p) for p in predicates], profile()) == (
        "orders_id_where_flagged_idx",
        "orders_id_where_shipped_at_null_idx",
        "orders_id_where_status_failed_idx",
        "orders_id_where_mode_air_rail_idx",
    )


def test_the_same_keys_twice_get_two_names() -> None:
    two = [made(IndexKey(column="a")), made(IndexKey(column="a"), predicate=None)]
    assert names(two, profile()) == ("orders_a_idx", "orders_a_idx1")


def test_a_relation_of_that_name_is_avoided() -> None:
    other = Table(schema="public", name="orders_a_idx", kind=RelationKind.TABLE)
    assert names([made(IndexKey(column="a"))], profile(other)) == ("orders_a_idx1",)
