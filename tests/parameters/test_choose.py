"""Choices from statistics made up for the purpose: what a real table seldom has."""

# ruff: noqa: E501 - in a table, an example is a line

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem import parameters, sqltext
from premortem.model import (
    Column,
    ColumnStatistics,
    Node,
    ObjectKind,
    ParameterSet,
    Plan,
    Profile,
    Query,
    RelationKind,
    SchemaObject,
    ServerFacts,
    Table,
    Values,
)
from premortem.parameters import typed

NO_PLAN = Plan(root=Node(kind="Result"))
SERVER = ServerFacts(version_num=150018, version="15.18", database="d", encoding="UTF8", collate="C", ctype="C")


def statistics(**facts: Any) -> ColumnStatistics:
    return ColumnStatistics(**{"null_fraction": 0.0, "average_width": 4, "n_distinct": 10.0, **facts})


def profile(type_name: str, known: ColumnStatistics | None, *objects: SchemaObject) -> Profile:
    column = Column(name="c", number=1, type=type_name, statistics=(known,) if known else ())
    table = Table(
        schema="public", name="t", kind=RelationKind.TABLE, columns=(column,), tuples=1e6, pages=1, relation_pages=1
    )
    return Profile(
        taken_at=datetime(2026, 3, 1, tzinfo=UTC), server=SERVER, values=Values.ALL, tables=(table,), objects=objects
    )


def choose(sql: str, of: Profile, *types: str) -> dict[str, ParameterSet]:
    (query,) = sqltext.split(sql, "q")
    assert isinstance(query, Query)
    return {s.name: s for s in parameters.choose(query, NO_PLAN, types, of)}


def values(sql: str, of: Profile, *types: str) -> dict[str, tuple[str | None, ...]]:
    return {name: found.values for name, found in choose(sql, of, *types).items()}


COMMON = {"most_common_values": ("7", "8", "9"), "most_common_frequencies": (0.5, 0.2, 0.1)}


@pytest.mark.parametrize(
    ("column", "parameter", "known", "expected"),
    [
        ("integer", "integer", COMMON, {"hot": "7", "typical": "8", "rare": "9", "absent": "10"}),
        ("smallint", "smallint", {"most_common_values": ("32767", "1"), "most_common_frequencies": (0.6, 0.4)}, {"hot": "32767", "rare": "1", "absent": "-327"}),
        ("integer", "bigint", {"histogram_bounds": ("1", "5", "9")}, {"typical": "5", "absent": "10"}),
        ("integer", "numeric", COMMON, {"hot": "7", "typical": "8", "rare": "9", "absent": "10"}),
        ("numeric", "integer", {"histogram_bounds": ("1.5", "2.5", "3.5")}, {"typical": "2", "absent": "4"}),
        ("boolean", "boolean", {"most_common_values": ("t", "f"), "most_common_frequencies": (0.9, 0.1)}, {"hot": "t", "rare": "f"}),
        ("boolean", "boolean", {"most_common_values": ("t",), "most_common_frequencies": (1.0,)}, {"hot": "t", "absent": "f"}),
        ("text", "text", {"most_common_values": ("a b",), "most_common_frequencies": (1.0,)}, {"hot": "a b", "absent": "a b~"}),
        ("date", "date", {"histogram_bounds": ("2024-01-01", "2024-06-01", "infinity")}, {"typical": "2024-06-01", "absent": "2024-06-02"}),
        ("timestamp with time zone", "date", {"histogram_bounds": ("2024-01-01 10:00:00+02", "2024-06-01 00:00:00+02")}, {"typical": "2024-06-01", "absent": "2024-06-02"}),
        ("uuid", "uuid", {"histogram_bounds": ("ffffffff-ffff-4fff-8fff-ffffffffffff",)}, {"typical": "ffffffff-ffff-4fff-8fff-ffffffffffff", "absent": "eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee"}),
        ("jsonb", "jsonb", None, {"typical": "{}"}),
        ("public.gis", "public.gis", None, {"typical": None}),
        ("hstore", "hstore", None, {"typical": "a=>1"}),
        ("text", "integer", {"histogram_bounds": ("x", "y")}, {"typical": "1"}),
    ],
)  # fmt: skip
def test_equality(column: str, parameter: str, known: dict[str, Any] | None, expected: dict[str, str | None]) -> None:
    of = profile(column, statistics(**known) if known else None)
    found = values("select * from t where c = $1", of, parameter)
    assert {name: v[0] for name, v in found.items()} == expected


def test_enums_have_their_labels() -> None:
    mood = SchemaObject(
        kind=ObjectKind.ENUM,
        schema="public",
        name="mood",
        definition="CREATE TYPE public.mood AS ENUM ('it''s', 'ok', 'x');",
    )
    known = statistics(most_common_values=("ok", "it's"), most_common_frequencies=(0.9, 0.1))
    found = values("select * from t where c = $1", profile("public.mood", known, mood), "public.mood")
    assert found == {"hot": ("ok",), "rare": ("it's",), "absent": ("x",)}
    free = values("select $1", profile("text", None, mood), "public.mood")
    assert free == {"typical": ("it's",)}


def test_domains_are_their_base_type() -> None:
    domain = SchemaObject(
        kind=ObjectKind.DOMAIN, schema="public", name="positive", definition="CREATE DOMAIN public.positive AS integer NOT NULL CHECK (VALUE > 0);"
    )  # fmt: skip
    of = profile("public.positive", statistics(histogram_bounds=("1", "50", "99")), domain)
    assert values("select * from t where c > $1", of, "public.positive")["wide"] == ("50",)


def test_lists_are_arrays_and_quoted() -> None:
    known = statistics(most_common_values=("a,b", 'c"d', "null", ""), most_common_frequencies=(0.4, 0.3, 0.2, 0.1))
    found = values("select * from t where c = any($1)", profile("text", known), "text[]")
    assert found["hot"] == ('{"a,b","c\\"d","null",""}',)


def test_patterns_keep_what_looks_like_a_wildcard() -> None:
    known = statistics(histogram_bounds=("50%_off", "60%_off", "70%_off"))
    found = values("select * from t where c like $1", profile("text", known), "text")
    assert found["rare"] == ("%60\\%\\_off%",)


def test_nobody_knows_how_a_pattern_begins_so_both_ways_are_tried() -> None:
    pages = ("https://example.com/item/4711", "https://example.com/item/5822", "https://example.com/user/6933")
    of = profile("text", statistics(histogram_bounds=pages))
    like = {n: str(v[0]) for n, v in values("select * from t where c like $1", of, "text").items()}
    regex = {n: str(v[0]) for n, v in values("select * from t where c ~ $1", of, "text").items()}
    assert {n for n, v in like.items() if v.startswith("%")} == {"hot", "rare"} < like.keys()
    assert {n for n, v in regex.items() if not v.startswith("^")} == {"hot", "rare"} < regex.keys()
    assert len(like["rare"]) > len(like["hot"])


def test_windows_of_a_column_with_few_values() -> None:
    known = statistics(most_common_values=("1", "2"), most_common_frequencies=(0.999, 0.001))
    for name, (low, high) in values(
        "select * from t where c >= $1 and c < $2", profile("integer", known), "integer", "integer"
    ).items():
        assert int(str(low)) < int(str(high)), name


def test_a_null_only_column_is_assumed() -> None:
    found = choose("select * from t where c = $1", profile("integer", statistics(null_fraction=1.0)), "integer")
    assert [(s.values, s.basis) for s in found.values()] == [(("1",), "assumed: $1")]


def test_more_placeholders_than_types() -> None:
    assert values("select * from t where c = $1 and c = $2", profile("integer", None), "integer")


def test_most_sets_is_six() -> None:
    sql = "select * from t where c = $1 and c > $2 and ($3::int is null or c < $3) and c like $4"
    assert len(values(sql, profile("integer", statistics(**COMMON)), "integer", "integer", "integer", "text")) <= 6


TYPES = ["integer", "text", "numeric(10,2)", "date", "timestamp with time zone", "boolean", "uuid", "jsonb", "text[]", "tsvector", "x.unknown"]  # fmt: skip
CONDITIONS = ["c = $1", "c > $1", "c < $1", "c like $1", "c = any($1)", "$1 = any(c)", "c @> $1", "c ? $1", "c ~ $1", "c between $1 and $2"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    column=st.sampled_from(TYPES),
    parameter=st.sampled_from([*TYPES, "integer[]", "text[]"]),
    condition=st.sampled_from(CONDITIONS),
    common=st.lists(
        st.text(max_size=8) | st.sampled_from(["1", "2024-01-01", "t", "{a}", '{"a": 1}']), max_size=4, unique=True
    ),
    bounds=st.lists(st.text(max_size=8) | st.integers().map(str), max_size=4),
)
def test_never_fails_whatever_statistics_say(
    column: str, parameter: str, condition: str, common: list[str], bounds: list[str]
) -> None:
    known = statistics(
        most_common_values=tuple(common) or None,
        most_common_frequencies=tuple(0.5 / (i + 1) for i in range(len(common))) or None,
        histogram_bounds=tuple(bounds) or None,
        most_common_elements=tuple(common) or None,
    )
    found = choose(f"select * from t where {condition}", profile(column, known), parameter, parameter)
    assert 1 <= len(found) <= 6
    assert len({s.values for s in found.values()}) == len(found)


@pytest.mark.parametrize(
    ("value", "type_name", "fits"),
    [
        ("12.7", "integer", "13"),
        ("99999999999", "integer", None),
        ("x", "integer", None),
        ("2024-01-01 10:00:00+00", "date", "2024-01-01"),
        ("infinity", "date", "infinity"),
        ("t", "boolean", "t"),
        ("2", "boolean", None),
        ("not json", "jsonb", None),
        ("NaN", "numeric", None),
        ("abc", "character varying(2)", "abc"),
    ],
)
def test_values_fit_a_type_or_are_refused(value: str, type_name: str, fits: str | None) -> None:
    assert typed.fitted(value, type_name, profile("text", None)) == fits


def test_a_set_says_how_common_its_values_are() -> None:
    of = profile("integer", statistics(**COMMON))
    found = choose("SELECT * FROM t WHERE c = $1", of, "integer")
    assert {name: one.frequency for name, one in found.items()} == {
        "hot": 0.5, "typical": 0.2, "rare": 0.1, "absent": None,
    }  # fmt: skip
    twice = choose("SELECT * FROM t WHERE c = $1 AND c = $2", of, "integer", "integer")
    assert twice["hot"].frequency == pytest.approx(0.5 * 0.2)  # each placeholder gets another value
    ranges = choose("SELECT * FROM t WHERE c > $1", of, "integer")
    assert {one.frequency for one in ranges.values()} == {None}
