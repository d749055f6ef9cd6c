"""JUnit: its readers find the failures, and the common schema takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import pytest
import xmlschema

from premortem.model import Report
from premortem.report import Look, render
from tests.report.reports import INCIDENT, QUIET, REGRESSED, REPORTS, SKIPPED, UNKNOWN, report


def cases_of(told: Report) -> dict[tuple[str, str], junitparser.TestCase]:
    suites = junitparser.JUnitXml.fromstring(render(told, "junit", look=Look()).encode())
    return {(case.classname, case.name): case for suite in suites for case in suite}


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_the_common_schema_takes_every_report(name: str, official: Callable[[str], Path]) -> None:
    """It has no `file` of a case, which GitLab reads; readers ignore attributes that they do not know."""
    root = ElementTree.fromstring(render(REPORTS[name], "junit", look=Look()))
    for case in root.iter("testcase"):
        case.attrib.pop("file", None)
    xmlschema.XMLSchema(str(official("junit"))).validate(root)


def test_every_query_is_a_case_and_has_one_outcome() -> None:
    cases = cases_of(report(INCIDENT, QUIET, UNKNOWN, SKIPPED))
    results = {name: [type(r).__name__ for r in case.result] for (_, name), case in cases.items()}
    assert results == {
        "line 3 (by_sku)": ["Failure"],
        "line 1": [],
        "line 2": ["Error"],
        "line 1 [2]": ["Skipped"],
    }


def test_a_failure_says_what_to_type() -> None:
    (failure,) = cases_of(report(INCIDENT))["queries/items.sql", "line 3 (by_sku)"].result
    assert failure.message == "reads 2,000,000 rows of order_items to keep 12"
    assert failure.type == "seq-scan-discards-rows"
    assert "CREATE INDEX CONCURRENTLY" in failure.text


def test_counts_are_those_of_the_cases() -> None:
    root = ElementTree.fromstring(render(report(INCIDENT, QUIET, UNKNOWN, SKIPPED), "junit", look=Look()))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "1", "1")
    assert sum(int(suite.get("skipped", 0)) for suite in root) == 1
    assert sum(int(suite.get("tests", 0)) for suite in root) == 4


def test_no_two_cases_have_the_same_name() -> None:
    same = [replace(INCIDENT, original=f"select {n}") for n in range(5)]
    assert len(cases_of(report(*same))) == 5


def test_a_warning_passes_and_is_told() -> None:
    (case,) = cases_of(REPORTS["schema"]).keys() - cases_of(report(QUIET)).keys()
    told = cases_of(REPORTS["schema"])[case]
    assert told.is_passed
    assert "foreign-key-without-index" in (told.system_out or "")


def test_nothing_at_all_is_a_report_too() -> None:
    assert cases_of(report()) == {}


def test_a_captured_query_is_named_by_its_test_and_text() -> None:
    """Its line is the test's, or a number that is another in the next run."""
    runs = [replace(REGRESSED, site=replace(REGRESSED.site, line=line)) for line in (1, 2)]
    first, second = ([name for _, name in cases_of(report(run))] for run in runs)
    assert first == second
    assert first[0].startswith("test_total select * from order_items")
