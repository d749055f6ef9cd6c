"""An index as text: what CREATE INDEX says comes back as it was, and what is no index is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem import sqltext
from premortem.errors import StatementError
from premortem.model import IndexCandidate, IndexKey, RelationName

NAMES = st.sampled_from(["a", "order", "Größe", 'x"y', "created_at", "sel ect"])
KEYS = st.builds(
    IndexKey,
    column=NAMES,
    collation=st.sampled_from([None, '"C"', 'pg_catalog."de-x-icu"']),
    opclass=st.sampled_from([None, "text_pattern_ops"]),
    descending=st.booleans(),
    nulls_first=st.sampled_from([None, True, False]),
)
EXPRESSIONS = st.builds(
    IndexKey,
    expression=st.sampled_from(["lower(a)", "data ->> 'k'", "a || b", "(a + b) * 2"]),
    descending=st.booleans(),
)
INDEXES = st.builds(
    IndexCandidate,
    table=st.builds(RelationName, schema=st.sampled_from(["public", "Other"]), name=NAMES),
    keys=st.lists(st.one_of(KEYS, EXPRESSIONS), min_size=1, max_size=4).map(tuple),
    method=st.sampled_from(["btree", "gin", "brin"]),
    include=st.lists(NAMES, max_size=2, unique=True).map(tuple),
    predicate=st.sampled_from([None, "a = 'it''s'", "deleted_at IS NULL", "n > 3 AND b"]),
    unique=st.booleans(),
)


@given(index=INDEXES)
def test_what_is_written_is_read(index: IndexCandidate) -> None:
    name, found = sqltext.index(index.create_sql("some name"))
    assert name == "some name"
    assert found.create_sql("x") == sqltext.index(found.create_sql("x"))[1].create_sql("x")
    assert (found.table, found.method, found.include, found.unique) == (
        index.table, index.method, index.include, index.unique,
    )  # fmt: skip
    assert [k.column for k in found.keys] == [k.column for k in index.keys]
    assert [k.sql for k in found.keys if k.column] == [k.sql for k in index.keys if k.column]
    assert (found.predicate is None) == (index.predicate is None)


@pytest.mark.parametrize(
    ("typed", "definition"),
    [
        ("t(a)", "t (a)"),
        ("  T ( A , b desc nulls last )", "t (a, b DESC NULLS LAST)"),
        ("t using gin (doc jsonb_path_ops)", "t USING gin (doc jsonb_path_ops)"),
        ("create unique index if not exists i on only s.t (lower(a)) where b is not null;",
         "s.t ((lower(a))) WHERE b IS NOT NULL"),
        ("t((a->>'x')) include (b)", "t ((a ->> 'x')) INCLUDE (b)"),
    ],
)  # fmt: skip
def test_what_people_type(typed: str, definition: str) -> None:
    found = sqltext.index(typed)[1]
    assert found.definition.removeprefix('"".') == definition


@pytest.mark.parametrize(
    "typed", ["", "t", "t(", "t()", "select 1", "create table t (a int)", "t(a); drop table t", "\0"]
)
def test_what_is_no_index(typed: str) -> None:
    with pytest.raises(StatementError):
        sqltext.index(typed)
