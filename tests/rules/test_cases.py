"""Every rule does what its case says: on recorded plans at once, and on real servers."""

from __future__ import annotations

import pytest

from premortem import pg
from premortem.rules import RULES
from tests.rules import cases

CASES = cases.cases()
PLANNED = [c for c in CASES if not c.judges_executions]
MAJORS = (15, 18)


def assert_told(case: cases.Case, recording: cases.Recording) -> None:
    found = list(cases.findings(case, recording))
    lines = [line for told in found if told.step == "fires" for line in told.lines]
    assert lines == case.only("finding").splitlines()
    for told in found:
        if told.step != "fires":
            assert told.lines == [], told.step


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("case", PLANNED, ids=lambda c: c.name)
def test_recorded_plans_are_judged_as_the_case_says(case: cases.Case, major: int) -> None:
    assert_told(case, cases.load(case, major))


@pytest.mark.parametrize("case", PLANNED, ids=lambda c: c.name)
def test_a_real_server_is_judged_as_the_case_says(
    case: cases.Case, server: pg.Server, database: str, pytestconfig: pytest.Config
) -> None:
    recording = cases.record(case, database)
    if pytestconfig.getoption("--record", False):
        cases.write(case, server.version_num // 10_000, recording)
    assert_told(case, recording)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_every_rule_has_a_case_with_all_that_belongs_to_one(rule: cases.rules.Rule) -> None:
    case = next((c for c in CASES if c.rule == rule.name), None)
    assert case is not None
    assert case.only("schema") or case.judges_executions
    assert case.only("fires")
    assert case.only("finding")
    assert case.only("quiet")
    assert case.only("remedy") or not (rule.curable_by_index or case.judges_schema)
    assert set(case.blocks) <= set(cases.BLOCKS)


def test_every_case_has_a_rule() -> None:
    assert {c.rule for c in CASES} == {r.name for r in RULES}
