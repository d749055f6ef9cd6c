"""The report as JUnit XML, which every CI shows as test results: one case for each query, one for each other place.

`failure` is a finding that fails the gate, `error` a query that could not be judged, `skipped` a statement without a
plan; warnings stand in the output of a case that passes.  There is one `failure` at most, for readers that show the
first only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from premortem import words
from premortem.model import QueryReport, Report, Severity
from premortem.report import remarks, story
from premortem.report.look import Look
from premortem.report.remarks import Remark

_MOST_CHARACTERS = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case; `outcome` is `failure`, `error`, `skipped`, or nothing where it passed."""

    suite: str
    name: str
    path: str | None
    outcome: str = ""
    message: str = ""
    kind: str = ""
    body: str = ""
    output: str = ""


def render(report: Report, *, look: Look) -> str:
    """Return the report as JUnit XML."""
    cases = list(_distinct([*_queries(report, look), *_others(report, look)]))
    root = Element("testsuites", {"name": "premortem", **_counts(cases), "time": _seconds(report.seconds)})
    del root.attrib["skipped"]  # the common schema has it for a suite only
    for number, suite in enumerate(dict.fromkeys([c.suite for c in cases] or ["premortem"])):
        _suite(root, suite, [c for c in cases if c.suite == suite], report, first=number == 0)
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(root: Element, name: str, cases: list[Case], report: Report, *, first: bool) -> None:
    seconds = report.seconds if first else 0.0
    element = SubElement(root, "testsuite", {"name": name, **_counts(cases), "time": _seconds(seconds)})
    for case in cases:
        _case(element, case)
    if first:
        SubElement(element, "system-out").text = _text("\n".join(_said(report)))


def _counts(cases: Iterable[Case]) -> dict[str, str]:
    outcomes = [c.outcome for c in cases]
    return {
        "tests": str(len(outcomes)),
        "failures": str(outcomes.count("failure")),
        "errors": str(outcomes.count("error")),
        "skipped": str(outcomes.count("skipped")),
    }


def _seconds(seconds: float | None) -> str:
    return f"{max(seconds or 0.0, 0.0):.3f}"


def _case(suite: Element, case: Case) -> None:
    file = {"file": _text(case.path)} if case.path else {}
    element = SubElement(suite, "testcase", {"classname": case.suite, "name": case.name, **file, "time": "0"})
    if case.outcome:
        kind = {} if case.outcome == "skipped" else {"type": _text(case.kind)}
        SubElement(element, case.outcome, {"message": _text(case.message), **kind}).text = _text(case.body) or None
    if case.output:
        SubElement(element, "system-out").text = _text(case.output)


def _said(report: Report) -> Iterator[str]:
    yield story.headline(report)
    yield from (story.gap_sentence(g) for g in story.gaps(report))
    yield story.source(report)


def _queries(report: Report, look: Look) -> Iterator[Case]:
    for judged in report.queries:
        path = remarks.path(judged.site, look)
        case = Case(suite=_named(path or judged.site.source), name=_name(judged), path=path)
        yield _outcome(case, judged, look)


def _name(judged: QueryReport) -> str:
    site = judged.site
    query = judged.query
    if query is not None and query.executions is not None:
        return _captured_name(judged, dict(query.tags).get("test", site.name or ""))
    line = f"line {site.line}" if site.line is not None else ""
    told = " ".join(p for p in (line, f"({site.name})" if site.name else "") if p)
    return _named(told or words.shortened(words.one_line(judged.original), 80))


def _captured_name(judged: QueryReport, test: str) -> str:
    """Return a name that stays from run to run: what a test ran stands at no line of its own."""
    start = words.shortened(words.one_line(judged.original), 80)
    return _named(" ".join(s for s in (test.rpartition("::")[2], start) if s))


def _named(text: str) -> str:
    return words.shortened(words.one_line(text), 200) or "statement"


def _outcome(case: Case, judged: QueryReport, look: Look) -> Case:
    if story.is_skipped(judged):
        return replace(case, outcome="skipped", message="a statement of this kind has no plan")
    said = list(remarks.of_query(judged, look))
    body = "\n\n".join([*map(_told, said), *_about(judged)])
    if judged.error is not None:
        return replace(case, outcome="error", message=said[0].says, kind=said[0].rule, body=body)
    if failing := [r for r in said if r.severity is Severity.ERROR]:
        return replace(case, outcome="failure", message=failing[0].says, kind=failing[0].rule, body=body)
    return replace(case, output=body if said else "")


def _told(remark: Remark) -> str:
    head = f"{remark.severity.value} {words.one_line(remark.rule)}: {remark.says}"
    return "\n".join([head, *(f"  {line}" for d in remarks.details(remark) for line in d.splitlines())])


def _about(judged: QueryReport) -> Iterator[str]:
    yield words.first_lines(judged.original, lines=60, characters=_MOST_CHARACTERS)
    yield from (f"allowed: {s.finding.rule} ({words.one_line(s.reason)})" for s in judged.suppressed)


def _others(report: Report, look: Look) -> Iterator[Case]:
    """Yield a case for each place that a finding about no single query stands at."""
    for place, found in story.by_place(report.findings):
        lead = found[0]
        path = remarks.path(lead.site, look)
        body = "\n\n".join(_told(r) for r in remarks.of_findings(found, look))
        case = Case(suite=_named(path or "schema"), name=_named(place), path=path)
        if lead.severity is Severity.ERROR:
            yield replace(case, outcome="failure", message=lead.says, kind=lead.rule, body=body)
        else:
            yield replace(case, output=body)


def _distinct(cases: Iterable[Case]) -> Iterator[Case]:
    """Yield the cases with names of which no two of a suite are equal: GitLab takes equal ones for one."""
    met: dict[tuple[str, str], int] = {}
    for case in cases:
        key = (case.suite, case.name)
        met[key] = met.get(key, 0) + 1
        yield case if met[key] == 1 else replace(case, name=f"{case.name} [{met[key]}]")


def _text(text: str) -> str:
    """Return the text without what XML refuses: `plain` shows control characters as escapes."""
    return words.plain(text)
