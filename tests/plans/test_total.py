"""Whatever is pasted is plans or one clear error, and whatever is a plan can be judged; nothing else is raised."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem import check, plans
from premortem.errors import InputError
from premortem.model import Planned, Query, Site
from premortem.plans import Pasted
from premortem.settings import Settings
from tests.plans.damages import HARMLESS, LOSSY

CASES = Path(__file__).parents[1] / "rules"
PLANS = [
    part.split("```")[0].strip() + "\n"
    for path in sorted(CASES.glob("*.md"))
    for part in path.read_text().split("```text fires\n")[1:]
]
AS_XML = (
    '<explain xmlns="http://www.postgresql.org/2009/explain">\n  <Query>\n    <Plan>\n      <Node-Type>Seq Scan'
    "</Node-Type>\n      <Relation-Name>t</Relation-Name>\n      <Plan-Rows>3</Plan-Rows>\n      <Filter>(a &lt; 3)"
    "</Filter>\n      <Actual-Rows>3</Actual-Rows>\n      <Actual-Loops>1</Actual-Loops>\n    </Plan>\n  </Query>\n"
    "</explain>\n"
)
AS_YAML = (
    '- Plan: \n    Node Type: "Seq Scan"\n    Relation Name: "t"\n    Plan Rows: 3\n    Filter: "(a < 3)"\n'
    "    Actual Rows: 3\n    Actual Loops: 1\n  Planning Time: 0.1\n  Triggers: \n"
)


def judged(pasted: Pasted) -> None:
    """Judge a plan with all rules; whatever comes of it, it is a report."""
    query = Query(text="", original="", fingerprint="", site=Site(source="test"))
    planned = Planned(parameters=check.pasted_values("test"), plan=pasted.plan, json=pasted.json)
    report = check.judge_plan(planned, query, profile=None, settings=Settings(), sound=pasted.sound)
    assert all(f.says and f.key for f in report.findings)
    json.dumps(pasted.json, allow_nan=False)


def read(text: str) -> tuple[Pasted, ...]:
    try:
        return plans.read(text)
    except InputError as error:
        return () if error.hint else plans.read(text)


FILLERS = ["", "\n", "(", "'", "<", ">", "-> ", "\t", "1e999", "1e30", "rows=", "- ", '"', "&x;"]


@given(st.sampled_from([AS_XML, AS_YAML, *PLANS]), st.data())
@settings(max_examples=150, deadline=None)
def test_a_plan_with_pieces_gone_is_plans_or_refused(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 60, len(text))))
    filler = data.draw(
        st.sampled_from(["", "\n", "(", "'", "<", ">", "-> ", "\t", " 1e999", "rows=", "- ", '"', "&x;"])
    )
    for pasted in read(text[:start] + filler + text[end:]):
        judged(pasted)


@given(st.sampled_from(PLANS), st.lists(st.sampled_from([*HARMLESS, *LOSSY]), min_size=1, max_size=3))
@settings(max_examples=80, deadline=None)
def test_a_plan_that_was_damaged_more_than_once_is_judged(text: str, names: list[str]) -> None:
    for name in names:
        text = {**HARMLESS, **LOSSY}[name](text)
    for pasted in read(text):
        judged(pasted)


@settings(deadline=None)
@given(st.text() | st.text(alphabet="<>/explain -:\n[]{}\"'PlanNodeType&;"))
def test_any_text_is_plans_or_refused(text: str) -> None:
    for pasted in read(text) + read("<explain>" + text) + read("- Plan:\n    Node Type: x\n    " + text):
        judged(pasted)


def test_xml_and_yaml_are_read() -> None:
    for text in (AS_XML, AS_YAML):
        (pasted,) = plans.read(text)
        root = pasted.plan.root
        assert (root.kind, root.rows, root.filter) == ("Seq Scan", 3, "(a < 3)")
        assert root.actual is not None


def test_all_plans_of_a_text_are_read_with_their_statements_and_lines() -> None:
    plan = PLANS[0]
    typed = "shop=> EXPLAIN ANALYZE\nshop-> select 1;\n QUERY PLAN\n----\n"
    text = f"{typed}{plan}(9 rows)\n\nshop=> select 2;\n?\n1\n\n{plan}"
    first, second = plans.read(text)
    assert first.statement == "EXPLAIN ANALYZE\nselect 1;"
    assert (first.line, second.line) == (5, len(text.splitlines()) - len(plan.splitlines()) + 1)
    two = plans.read(f"{AS_YAML}{AS_YAML}")
    assert [p.line for p in two] == [1, len(AS_YAML.splitlines()) + 1]
    assert len(plans.read(AS_XML + AS_XML)) == 2
    assert len(plans.read(json.dumps([{"Plan": {"Node Type": "Result"}}] * 3))) == 3


@pytest.mark.parametrize("form", ["text", "json"])
def test_logs_of_three_kinds_hold_the_same_plan(form: str) -> None:
    body = (
        PLANS[0]
        if form == "text"
        else json.dumps({"Query Text": "select 1", "Plan": {"Node Type": "Result"}}, indent=2)
    )
    body = f"Query Text: select 1\n{body}" if form == "text" else body
    message = f"duration: 12.345 ms  plan:\n{body}"
    jsonlog = json.dumps({"timestamp": "x", "error_severity": "LOG", "message": message}) + "\n"
    row = io.StringIO()
    csv.writer(row).writerow(["2026-01-02 03:04:05.678 UTC", "app", "shop", 42, "LOG", "00000", message, "", "psql"])
    indented = message.replace("\n", "\n\t")
    stderr = f"2026-01-02 03:04:05.678 UTC [42] LOG:  {indented}\n2026-01-02 03:04:06 UTC [42] LOG:  bye\n"
    for text in (jsonlog * 2, row.getvalue() * 2, stderr * 2):
        found = plans.read(text)
        assert len(found) == 2, text
        assert {p.statement for p in found} == {"select 1"}
        assert plans.lines(found[0].plan) == plans.lines(plans.read(message)[0].plan)


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + AS_XML,
        AS_XML[:200],
        AS_YAML.replace('"t"', "&a t") + "    X: *a\n",
        "- Plan: \n    Node Type: " + "[" * 5_000,
        "[" * 200_000 + '"Node Type"',
        '{"Plan": {"Node Type": "Seq Scan", "Relation Name": "t',
    ],
)
def test_what_is_cut_off_or_hostile_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(InputError) as refused:
        plans.read(text)
    assert refused.value.hint
    assert len(refused.value.message) < 400


def test_where_the_time_went_adds_up() -> None:
    for text in PLANS:
        plan = plans.parse(text)
        own, whole = plans.own_times(plan), plans.total_ms(plan)
        if own and plan.root.actual is not None and plan.root.actual.total_ms is not None:
            assert whole is not None
            assert sum(own.values()) <= 1.05 * plan.root.actual.total_ms + 1
