"""Annotations at lines: GitHub's commands, GitLab's issues, and plain lines for editors."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from urllib.parse import unquote

import pytest

from premortem.model import Report, Severity, Site
from premortem.report import FORMATS, Look, github, render
from tests.report.reports import ALLOWED, EVIL, FINDING, INCIDENT, QUIET, REPORTS, UNKNOWN, query, report

COMMAND = re.compile(r"::(error|warning|notice) ([^\n]*?)::([^\n]*)")


def commands(told: Report, look: Look | None = None) -> tuple[list[tuple[str, dict[str, str], str]], str]:
    """Read commands as the runner does, and the last line."""
    *lines, last = render(told, "github", look=look or Look()).splitlines()
    found = [COMMAND.fullmatch(line) for line in lines]
    assert all(found)
    parts = [(m[1], dict(p.split("=", 1) for p in m[2].split(",")), unquote(m[3])) for m in found if m]
    return [(level, {k: unquote(v) for k, v in p.items()}, text) for level, p, text in parts], last


def with_findings(count: int, severity: Severity) -> Report:
    finding = replace(FINDING, severity=severity)
    return report(*[replace(INCIDENT, query=query(line=n), findings=(finding,)) for n in range(count)])


def test_a_finding_stands_at_its_line() -> None:
    look = Look(root="/r", here="/r/api")
    ((level, place, text), *_), last = commands(REPORTS["incident"], look)
    assert level == "error"
    assert place == {
        "file": "api/queries/items.sql",
        "line": "3",
        "title": "premortem: seq-scan-discards-rows",
    }
    assert text.startswith("reads 2,000,000 rows of order_items to keep 12\n")
    assert "CREATE INDEX CONCURRENTLY" in text
    assert last == "premortem: 1 of 2 queries would hurt production"


@pytest.mark.parametrize("severity", list(Severity))
def test_no_more_than_github_shows(severity: Severity) -> None:
    found, last = commands(with_findings(25, severity))
    assert len(found) == github.MOST
    assert "15 more findings not shown here" in last


def test_the_worst_come_first() -> None:
    mild = replace(INCIDENT, findings=(replace(FINDING, severity=Severity.WARNING),))
    found, _ = commands(report(QUIET, mild, UNKNOWN, INCIDENT))
    assert [level for level, *_ in found] == ["error", "error", "warning"]
    assert "seq-scan" in found[0][1]["title"]


def test_a_query_gives_no_commands() -> None:
    order = "::stop-commands::x\n::error file=a::b ##[add-mask]secret"
    odd = replace(
        INCIDENT,
        original=order,
        error=order,
        findings=(replace(FINDING, says=order, rule="::debug::"),),
        site=Site(source="a,line=9::error::.sql", line=1, name=order),
    )
    told = report(odd, replace(UNKNOWN, original=order))
    lines = render(told, "github", look=Look()).splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::error", "::error", "premortem:"]
    found, _ = commands(told)
    assert found[0][1]["file"] == "a,line=9::error::.sql"
    for form in ("terminal", "text"):
        for colour in (False, True):
            shown = render(told, form, look=Look(colour=colour, width=200))
            plain = re.sub(r"\x1b\[[\d;]*m", "", shown)
            assert not re.search(r"^\s*::[\w-]+.*::", plain, re.MULTILINE)
            assert "##[" not in plain


def test_text_comes_back_as_it_was() -> None:
    said = "keeps 5%0A of 100 %, a:b,c"
    ((_, place, text), *_), _ = commands(report(replace(INCIDENT, findings=(replace(FINDING, says=said, rule=said),))))
    assert text.splitlines()[0] == said
    assert place["title"] == f"premortem: {said}"


def issues(told: Report) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(render(told, "gitlab", look=Look()))
    return found


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_gitlab_gets_what_it_asks_for(name: str) -> None:
    for issue in issues(REPORTS[name]):
        assert {"description", "check_name", "fingerprint", "severity", "location"} <= issue.keys()
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        location = issue["location"]
        assert isinstance(location, dict)
        assert location["lines"]["begin"] >= 1
        assert location["path"]
        assert not location["path"].startswith(("./", "/"))


def test_gitlabs_fingerprints_are_unique_and_stay_when_lines_move() -> None:
    same = [replace(INCIDENT, site=Site(source="queries/items.sql", line=n)) for n in (3, 9, 12)]
    marks = [i["fingerprint"] for i in issues(report(*same))]
    assert len(set(marks)) == 3
    assert [i["fingerprint"] for i in issues(report(same[2]))] == marks[:1]


def test_what_is_allowed_is_no_annotation() -> None:
    for form in ("github", "gitlab", "text"):
        assert "seq-scan-discards-rows" not in render(report(ALLOWED), form, look=Look())


def test_a_line_for_each_finding_that_editors_can_jump_to() -> None:
    lines = render(report(INCIDENT, QUIET, UNKNOWN), "text", look=Look()).splitlines()
    assert [re.match(r"([^:]+):(\d+): (error|warning|info) ([\w-]+): ", line)[4] for line in lines] == [  # type: ignore[index]
        "seq-scan-discards-rows",
        "could-not-tell",
    ]
    assert render(report(QUIET), "text", look=Look()) == ""


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"json"}))
def test_nothing_hostile_gets_through(form: str) -> None:
    text = render(REPORTS["hostile"], form, look=Look())
    assert not any(character in text for character in "\x1b\x07\u202e")
    assert EVIL not in text
