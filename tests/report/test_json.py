"""The JSON contract: what is printed obeys the schema, and the schema names everything that is printed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from premortem.model import Change, Proof, Severity, Source, StatementKind, Verdict
from premortem.report import Look, render
from premortem.report.json import document
from tests.report.reports import GAP, HOT, INCIDENT, REPORTS, report

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "docs" / "reference" / "report.schema.json").read_text("utf-8")
)


def printed(name: str) -> Any:
    return json.loads(render(REPORTS[name], "json", look=Look()))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_every_report_obeys_the_schema(name: str) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(printed(name))


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_the_schema_names_every_field(name: str) -> None:
    assert set(undocumented(printed(name), SCHEMA, "$")) == set()


def undocumented(value: Any, schema: Any, path: str) -> Iterator[str]:
    """Yield the paths of fields that the schema does not know; a plan node is PostgreSQL's, not ours."""
    schema = resolved(schema)
    if isinstance(value, list):
        for item in value:
            yield from undocumented(item, schema.get("items", {}), f"{path}[]")
    if not isinstance(value, dict) or path.endswith(".plan"):
        return
    for key, inner in value.items():
        if key not in schema.get("properties", {}):
            yield f"{path}.{key}"
        else:
            yield from undocumented(inner, schema["properties"][key], f"{path}.{key}")


def resolved(schema: Any) -> Any:
    for option in schema.get("anyOf", []):
        if "$ref" in option:
            schema = option
    return SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def values(place: str) -> set[str | None]:
    schema = SCHEMA["$defs"]
    for step in place.split("/"):
        schema = schema[step]
    return set(schema["enum"])


def test_the_schema_knows_every_word_of_the_model() -> None:
    assert values("finding/properties/severity") == set(Severity)
    assert values("evidence/properties/source") == set(Source)
    assert values("remedy/properties/proof") == set(Proof)
    assert values("difference/properties/change") == set(Change)
    assert values("query/properties/verdict") == set(Verdict)
    assert values("query/properties/kind") == {*StatementKind, None}


def test_every_field_is_always_there() -> None:
    for name, definition in SCHEMA["$defs"].items():
        if "properties" in definition:
            assert set(definition["required"]) == set(definition["properties"]), name


def test_what_is_new_is_told() -> None:
    document = printed("changes")
    assert document["unchanged"] == 4_990
    assert {k: document["summary"][k] for k in ("new", "edited", "regressed", "unchanged", "gone")} == {
        "new": 1,
        "edited": 1,
        "regressed": 1,
        "unchanged": 4_990,
        "gone": 1,
    }
    edited, regressed, new = document["queries"]
    assert [p["parameters"] for p in edited["difference"]["before"]] == ["hot", "rare"]
    assert edited["difference"]["was"]["tables"] == [{"table": "public.order_items", "rows": 40_000.0}]
    assert regressed["captured"]["repeats"]["count"] == 57
    assert new["captured"] is None
    assert document["findings"][0]["location"] == {"source": "db/migrations/0042_status.sql", "line": 7, "name": None}


def test_what_the_issue_promises_is_there() -> None:
    document = printed("incident")
    assert document["verdict"] == "fail"
    query = document["queries"][0]
    assert {"fingerprint", "text", "site", "verdict", "plans", "findings"} <= query.keys()
    assert {"parameters", "estimated_cost", "estimated_rows", "plan"} <= query["plans"][0].keys()
    finding = query["findings"][0]
    assert {"rule", "severity", "table", "says", "evidence", "remedy"} <= finding.keys()
    assert finding["table"] == "public.order_items"
    assert {"sql", "undo", "proof", "before_cost", "after_cost"} <= finding["remedy"].keys()


def test_a_figure_that_is_not_finite_is_null() -> None:
    endless = replace(HOT.plan.root, total_cost=math.inf)
    odd = replace(INCIDENT, planned=(replace(HOT, plan=replace(HOT.plan, root=endless)),))
    document = json.loads(render(report(odd), "json", look=Look()), parse_constant=pytest.fail)
    assert document["queries"][0]["plans"][0]["estimated_cost"] is None


def test_a_long_report_has_a_line_for_each_query() -> None:
    told = report(*[replace(INCIDENT, original=f"select {n}\n") for n in range(150)], gaps=(GAP,))
    text = render(told, "json", look=Look())
    assert json.loads(text) == document(told)
    assert sum('"original"' in line for line in text.splitlines()) == 150


def test_the_text_is_ascii() -> None:
    assert render(REPORTS["hostile"], "json", look=Look()).isascii()
