"""SARIF: it obeys the official schema, GitHub's limits, and says where a finding stands from the repository's root."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from premortem.model import Report, Severity, Site
from premortem.report import Look, render, sarif
from tests.report.reports import ALLOWED, FINDING, INCIDENT, QUIET, REPORTS, UNKNOWN, query, report

LOOK = Look()


def run_of(told: Report, look: Look = LOOK) -> Any:
    (run,) = json.loads(render(told, "sarif", look=look))["runs"]
    return run


@pytest.fixture(scope="session")
def schema(official: Callable[[str], Path]) -> Any:
    return json.loads(official("sarif").read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_every_report_obeys_the_official_schema(name: str, schema: Any) -> None:
    checker = jsonschema.Draft4Validator(schema, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)
    checker.validate(json.loads(render(REPORTS[name], "sarif", look=LOOK)))


def test_the_schema_would_refuse_something(schema: Any) -> None:
    document = json.loads(render(REPORTS["incident"], "sarif", look=LOOK))
    document["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(schema).validate(document)


def test_a_result_points_to_its_rule_and_the_rule_explains_itself() -> None:
    run = run_of(REPORTS["incident"])
    (result,) = run["results"]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"] == FINDING.rule
    assert "**Do:**" in rule["help"]["markdown"]
    assert rule["defaultConfiguration"]["level"] == result["level"] == "error"


def test_places_are_those_of_the_repository() -> None:
    look = Look(root="/home/ci/shop", here="/home/ci/shop/services/orders")
    elsewhere = replace(INCIDENT, also_at=(Site(source="/home/ci/shop/lib/a b.sql", line=4), Site(source="/opt/x.sql")))
    (result,) = run_of(report(elsewhere), look)["results"]
    places = [p["physicalLocation"] for p in (*result["locations"], *result["relatedLocations"])]
    assert [p["artifactLocation"]["uri"] for p in places] == [
        "services/orders/queries/items.sql",
        "lib/a%20b.sql",
        "file:///opt/x.sql",
    ]
    assert places[0]["region"] == {"startLine": 3}
    assert "uriBaseId" not in places[2]["artifactLocation"]


def test_what_has_no_file_has_a_location_all_the_same() -> None:
    odd = replace(INCIDENT, site=Site(source="pg_stat_statements", name="-77"), also_at=())
    (result,) = run_of(report(odd))["results"]
    (place,) = result["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "pg_stat_statements"
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "pg_stat_statements (-77)"


def test_a_finding_of_a_migration_stands_in_the_migration() -> None:
    found = {r["ruleId"]: r["locations"][0]["physicalLocation"] for r in run_of(REPORTS["changes"])["results"]}
    assert found["index-not-concurrently"]["artifactLocation"]["uri"] == "db/migrations/0042_status.sql"
    assert found["index-not-concurrently"]["region"]["startLine"] == 7


def test_what_is_allowed_is_suppressed_and_fails_nobody() -> None:
    allowed = next(r for r in run_of(report(ALLOWED))["results"] if r["ruleId"] == FINDING.rule)
    assert allowed["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "weekly export"},
    ]
    assert allowed["level"] == "note"
    assert all(r["suppressions"] == [] for r in run_of(REPORTS["incident"])["results"])


def test_could_not_tell_is_a_result_and_no_success() -> None:
    run = run_of(report(UNKNOWN, QUIET))
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    assert [r["ruleId"] for r in run["results"]] == ["could-not-tell"]


def test_a_fingerprint_stays_when_lines_move_and_no_two_are_equal() -> None:
    moved = replace(INCIDENT, site=Site(source="queries/items.sql", line=99))
    marks = [r["partialFingerprints"][sarif.FINGERPRINT] for r in run_of(report(INCIDENT, moved))["results"]]
    assert len(set(marks)) == 2
    assert [r["partialFingerprints"][sarif.FINGERPRINT] for r in run_of(report(moved))["results"]] == marks[:1]


def test_no_more_than_github_shows_the_worst_first() -> None:
    mild = replace(FINDING, severity=Severity.INFO)
    many = [
        replace(
            INCIDENT, query=query(line=n), findings=(mild, replace(FINDING, key=str(n))) if n % 10 == 0 else (mild,)
        )
        for n in range(6_000)
    ]
    many[0] = replace(many[0], also_at=tuple(Site(source=f"f{n}.sql", line=1) for n in range(2_000)))
    run = run_of(report(*many))
    assert len(run["results"]) == sarif.MOST_RESULTS
    assert sum(r["level"] == "error" for r in run["results"]) == 600
    assert max(len(r.get("relatedLocations", ())) for r in run["results"]) == sarif.MOST_PLACES
    told = run["invocations"][0]["toolExecutionNotifications"]
    assert told[-1]["message"]["text"].startswith("1,600 more findings not in this file")
