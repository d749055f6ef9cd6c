"""A pull-request comment: it fits, it says the worst first, and no text in it can break out of its place."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from premortem.model import Severity, Verdict
from premortem.report import Look, render
from tests.report.reports import EVIL, FINDING, INCIDENT, QUIET, REPORTS, UNKNOWN, query, report

LOOK = Look()
HTML = MarkdownIt("commonmark", {"html": True}).enable("table")


def text_of(*queries: object) -> str:
    return render(report(*queries), "markdown", look=LOOK)  # type: ignore[arg-type]


def many(count: int, long: int) -> list[object]:
    told = [
        replace(INCIDENT, query=query(), original=f"select {n} " + "-- x\n" * long, planned=INCIDENT.planned)
        for n in range(count)
    ]
    return [QUIET, UNKNOWN, *told]


@pytest.mark.parametrize(("count", "long"), [(1, 5), (40, 300), (500, 5), (3000, 1)])
def test_a_comment_fits(count: int, long: int) -> None:
    text = text_of(*many(count, long))
    assert len(text) <= LOOK.limit
    assert ("Cut to fit" in text) == (count > 1)


def test_what_does_not_fit_is_counted() -> None:
    text = text_of(*many(3000, 1))
    shown = len(re.findall(r"^(?:###|-) ❌", text, re.MULTILINE))
    left = re.search(r"([\d,]+) more queries left out", text)
    assert left is not None
    assert shown + int(left[1].replace(",", "")) == 3001
    assert "❔" not in text.splitlines()[2]


def test_the_first_failure_keeps_its_evidence_however_many_there_are() -> None:
    first = text_of(*many(3000, 1)).partition("### ")[2].partition("### ")[0]
    assert "EXPLAIN now" in first
    assert "Cost for every parameter set" in first


@pytest.mark.parametrize("limit", [2_000, 5_000, 20_000, 65_000, 999_000])
def test_nothing_is_cut_in_the_middle(limit: int) -> None:
    text = render(report(*many(300, 40)), "markdown", look=replace(LOOK, limit=limit))  # type: ignore[arg-type]
    assert len(text) <= limit
    assert text.count("<details>") == text.count("</details>")
    assert len(re.findall(r"^```", text, re.MULTILINE)) % 2 == 0
    assert (LOOK.whole in text) == (limit < 100_000)


def test_a_cut_comment_says_where_the_whole_report_is() -> None:
    look = replace(LOOK, whole="the whole report is in premortem.html")
    text = render(report(*many(300, 40)), "markdown", look=look)  # type: ignore[arg-type]
    assert "; the whole report is in premortem.html." in text


def test_failures_come_before_doubts_and_doubts_before_warnings() -> None:
    warned = replace(
        QUIET, findings=(replace(FINDING, severity=Severity.WARNING, remedy=None, parameters=None, node=None),)
    )
    text = text_of(warned, UNKNOWN, INCIDENT)
    assert [line[4] for line in text.splitlines() if line.startswith("### ")] == ["❌", "❔", "✅"]


def test_a_quiet_query_is_not_mentioned() -> None:
    assert "queries/one.sql" not in text_of(QUIET, INCIDENT)


@given(st.text(alphabet="`~<>|@#[]()*_\\\n\x1b\u202e ab/detils=\"'$", max_size=60))
def test_no_text_breaks_out(text: str) -> None:
    finding = replace(FINDING, says=text, rule="x")
    odd = replace(INCIDENT, original=text, findings=(finding,), site=replace(INCIDENT.site, name=text))
    rendered = HTML.render(text_of(odd))
    assert rendered.count("<details>") == rendered.count("</details>") == 4
    assert rendered.count("<pre>") == 4
    assert "<script" not in rendered
    assert "\x1b" not in rendered


def test_the_hostile_report_mentions_nobody_and_runs_nothing() -> None:
    rendered = HTML.render(render(REPORTS["hostile"], "markdown", look=LOOK))
    outside = re.sub(r"<(code|pre).*?</\1>", "", rendered, flags=re.DOTALL)
    assert "@octocat" not in outside
    assert "<script" not in rendered
    assert EVIL not in rendered


def test_the_verdict_is_the_first_line() -> None:
    for verdict, sign in ((Verdict.FAIL, "❌"), (Verdict.UNKNOWN, "❔"), (Verdict.PASS, "✅")):
        text = render(replace(report(QUIET), verdict=verdict), "markdown", look=LOOK)
        assert text.startswith(f"## {sign} premortem: ")
