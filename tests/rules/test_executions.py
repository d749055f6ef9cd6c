"""The rules on executed plans: on the pasted plans of their cases, and on plans that real servers execute here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest

from premortem import check, pg, plans, rules
from premortem.model import Finding, Planned, Query, Site
from premortem.settings import Settings
from tests.rules import cases
from tests.rules.executions import SCENARIOS, SCHEMA

EXECUTED = [c for c in cases.cases() if c.judges_executions]
#: What our test servers cannot show: they log no page images, and their cache holds all of a small table.
PASTED_ONLY = {"wal-mostly-full-pages", "reads-from-disk"}
NO_JIT = {"jit-takes-longer-than-it-saves"}  # the embedded server has no LLVM


def found(text: str, limits: rules.Limits) -> tuple[Finding, ...]:
    (pasted,) = plans.read(text)
    query = Query(text="", original=text, fingerprint="", site=Site(source="case"))
    planned = Planned(parameters=check.pasted_values("case"), plan=pasted.plan, json=pasted.json)
    return check.judge_plan(planned, query, profile=None, settings=Settings(limits=limits)).findings


def told(case: cases.Case, step: str) -> Iterator[str]:
    for text in case.blocks[step]:
        for finding in found(text, case.limits):
            if finding.rule == case.rule:
                yield from cases.as_written(finding)


@pytest.mark.parametrize("case", EXECUTED, ids=lambda c: c.name)
def test_a_pasted_plan_is_judged_as_the_case_says(case: cases.Case) -> None:
    assert list(told(case, "fires")) == case.only("finding").splitlines()
    assert list(told(case, "quiet")) == []


def test_a_rule_on_executions_is_silent_on_estimates() -> None:
    for case in EXECUTED:
        plan = plans.parse(case.only("fires"))
        text = "\n".join(
            line for line in case.only("fires").splitlines() if "Time:" not in line and "Trigger" not in line
        )
        estimated = plans.parse(text.replace("(actual ", "(ignored "))
        assert estimated.root.actual is None
        assert plan.root.actual is not None
        judged = found(text.replace("(actual ", "(ignored "), case.limits)
        assert not [f for f in judged if f.rule == case.rule], case.name


def test_a_real_execution_shows_what_each_rule_looks_for(server: pg.Server, database: str) -> None:
    skipped = PASTED_ONLY | (NO_JIT if server.version_num // 10_000 == 18 else set())
    with pg.writer(database, purpose="test") as db:
        db.execute("SET synchronous_commit = on")  # pages are all-visible once the commit is in the log, not before
        db.execute(SCHEMA)
        db.execute("VACUUM ANALYZE")
        for rule in sorted(set(SCENARIOS) - skipped, key=lambda r: r != "index-only-scan-visits-heap"):
            scenario = SCENARIOS[rule]
            limits = rules.limits({rule: tomllib.loads(scenario.limits)})
            for settings, statement, fires in (
                (scenario.quiet_settings, scenario.quiet, False),
                (scenario.settings, scenario.statement, True),
            ):
                for _ in range(30 if "min_ms" in scenario.limits else 1):  # a busy machine adds time where it likes
                    text = executed(db, settings, f"EXPLAIN ({scenario.options}) {statement}")
                    judged = found(text, limits)
                    if (rule in {f.rule for f in judged}) == fires:
                        break
                assert (rule in {f.rule for f in judged}) == fires, f"{rule}\n{text}"
                assert all(f.says and f.evidence for f in judged)


def executed(db: pg.Session, settings: str, statement: str) -> str:
    with db.rolled_back():
        for part in settings.split(";"):
            if part.strip():
                db.execute(part)
        return "\n".join(str(line) for line in db.values(statement))
