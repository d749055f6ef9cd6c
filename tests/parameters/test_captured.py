"""What was captured is one more set, and fills in where statistics know nothing; it never stands in for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from premortem import parameters, sqltext
from premortem.model import ParameterSet, Profile, Query
from tests.parameters.test_choose import COMMON, NO_PLAN, profile, statistics


def choose(sql: str, of: Profile, samples: list[tuple[str | None, ...]], *types: str) -> dict[str, ParameterSet]:
    (query,) = sqltext.split(sql, "q")
    assert isinstance(query, Query)
    seen = replace(query, samples=tuple(samples))
    return {s.name: s for s in parameters.choose(seen, NO_PLAN, types, of)}


def test_the_sample_that_reads_most_is_one_more_set() -> None:
    of = profile("integer", statistics(**COMMON))
    without = choose("select * from t where c = $1", of, [], "integer")
    found = choose("select * from t where c = $1", of, [("4",), ("8",), ("9",), ("5",)], "integer")
    assert "captured" not in without
    assert {n: s for n, s in found.items() if n != "captured"} == without
    typical = {s.values for s in found.values() if s.name != "captured"}
    assert ("8",) in typical  # what another set has already is not planned twice
    assert "captured" not in found


def test_a_sample_that_statistics_do_not_know_is_the_most_frequent() -> None:
    of = profile("integer", statistics(**COMMON))
    found = choose("select * from t where c = $1", of, [("44",), ("45",)], "integer")
    assert found["captured"].values == ("44",)
    assert found["captured"].basis == "values seen in a test"


def test_values_that_the_placeholder_does_not_take_are_passed_over() -> None:
    of = profile("integer", statistics(**COMMON))
    found = choose("select * from t where c = $1", of, [("abc",), ("1.5e999x",), (None,)], "integer")
    assert found["captured"].values == (None,)


def test_a_test_s_clock_is_not_production_s() -> None:
    of = profile("date", statistics(histogram_bounds=("2026-01-01", "2026-02-01", "2026-03-01")))
    found = choose("select * from t where c > $1 and c = $2", of, [("1999-01-01", "2026-02-11")], "date", "date")
    assert found["captured"].values[1] == "2026-02-11"
    assert (found["captured"].values[0] or "") > "2026"


def test_where_statistics_know_nothing_samples_are_the_values() -> None:
    of = profile("public.gis", None)
    found = choose("select * from t where c = $1 limit $2", of, [("POINT(1 1)", "500")], "public.gis", "bigint")
    assert found["typical"].values == ("POINT(1 1)", "500")
    assert "tests" in found["typical"].basis


def test_a_prefix_search_is_judged_as_one() -> None:
    of = profile("text", statistics(histogram_bounds=("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc")))
    sql = "select * from t where c like $1"
    assert any((s.values[0] or "").startswith("%") for s in choose(sql, of, [], "text").values())
    prefix = choose(sql, of, [("ab%",), ("xyz%",)], "text")
    assert all(not (s.values[0] or "").startswith("%") for s in prefix.values())
    suffix = choose(sql, of, [("%ab",)], "text")
    assert all((s.values[0] or "").startswith("%") for s in suffix.values() if s.name != "captured")
    assert all(not (s.values[0] or "").endswith("%") for s in suffix.values())


#: What Django makes of `icontains`, `istartswith` and `iendswith`, and what others write.
CASELESS = (
    "upper(c::text) like upper($1)",
    "upper(c::text) like upper($1::text)",
    "lower(c) like lower(trim($1))",
    "c like coalesce($1, '')",
)


@pytest.mark.parametrize("condition", CASELESS)
def test_a_pattern_keeps_its_shape_inside_a_function(condition: str) -> None:
    of = profile("text", statistics(histogram_bounds=("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc")))
    infix, prefix, suffix = (
        {s.values[0] or "" for s in choose(f"select * from t where {condition}", of, [(seen,)], "text").values()}
        for seen in ("%foo%", "foo%", "%foo")
    )
    assert {(v[0], v[-1]) for v in infix} == {("%", "%")}
    assert {(v[0] == "%", v[-1]) for v in prefix} == {(False, "%")}
    assert {(v[0], v[-1] == "%") for v in suffix} == {("%", False)}


def test_a_part_of_a_pattern_stays_one() -> None:
    of = profile("text", statistics(histogram_bounds=("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc")))
    found = choose("select * from t where c like '%' || upper($1) || '%'", of, [("foo",)], "text")
    assert not any("%" in (s.values[0] or "") for s in found.values())
    exact = choose("select * from t where upper(c::text) = upper($1)", of, [("foo",)], "text")
    assert not any("%" in (s.values[0] or "") for s in exact.values())


def test_lists_are_as_long_as_captured_ones() -> None:
    many = tuple(str(n) for n in range(50))
    of = profile("integer", statistics(most_common_values=many, most_common_frequencies=(0.01,) * 50))
    found = choose(
        "select * from t where c = any($1)", of, [("{1,2}",), ("{1,2,3,4,5,6,7,8,9,10,11,12}",)], "integer[]"
    )
    assert len((found["hot"].values[0] or "").split(",")) == 12
