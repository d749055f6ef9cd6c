"""What a case cannot show: units of work that tell nothing, and hints for those who use a framework."""

from __future__ import annotations

from dataclasses import replace

import pytest

from premortem.model import Query, Repeats
from premortem.rules import Limits, find
from tests.rules import cases

CASE = next(c for c in cases.cases() if c.name == "query_repeated_per_row")
RECORDING = cases.load(CASE, 18)


def says(query: Query) -> list[str]:
    plan = cases.plans.parse_json(RECORDING.plans["fires"][0])
    planned = cases.Planned(parameters=cases.ParameterSet(name="literal"), plan=plan)
    found = [f for f in find(planned, query, RECORDING.before, Limits()) if f.rule == CASE.rule]
    return [f"{f.says}: {f.remedy.says if f.remedy else ''}" for f in found]


def query(repeats: Repeats | None, **facts: object) -> Query:
    (one,) = cases.queries(CASE, "fires")
    return replace(one, repeats=repeats, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "repeats",
    [None, Repeats(count=9, within="test", unit="t"), Repeats(count=500, within="session")],
    ids=["none", "few", "requests of a session"],
)
def test_it_is_quiet(repeats: Repeats | None) -> None:
    assert says(query(repeats)) == []


@pytest.mark.parametrize("within", ["test", "transaction", "request"])
def test_it_fires_in_a_unit_of_work(within: str) -> None:
    (said,) = says(query(Repeats(count=10, within=within)))
    assert f"10 times in one {within}" in said


def test_the_hint_speaks_the_framework_s_words() -> None:
    tags = (("db_driver", "django.db.backends.postgresql"),)
    (said,) = says(query(Repeats(count=10, within="test"), tags=tags))
    assert "prefetch_related()" in said
