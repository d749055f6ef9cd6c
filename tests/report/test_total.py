"""Every renderer takes every report, whatever its texts hold, and what it returns can be read back."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from premortem.model import (
    Accepted,
    Built,
    Change,
    Difference,
    Evidence,
    Executed,
    Finding,
    Gap,
    Planned,
    Proof,
    QueryReport,
    RelationName,
    Remedy,
    Repeats,
    Report,
    Severity,
    Site,
    Suppressed,
    Verdict,
)
from premortem.report import FORMATS, Look, render
from tests.report.reports import ADVICE, FACTS, HOT, PROVED, QUICK, RARE, partitioned, planned, query
from tests.report.test_html import parsed

TEXT = st.one_of(
    st.text(max_size=30),
    st.text(
        alphabet="`~<>|@#[]()*_\\\n\r\t\x00\x0b\x1b\x85\u2028\u202e\ud800\uffff:%,;&'\"{}$-=+!/é表🐘 ab", max_size=60
    ),
    st.sampled_from(["]]>", "<!--", "-->", "</script>", "::error::", "{% raw %}", "{{ x }}", "%0A", "```", ""]),
)
NUMBER = st.one_of(st.floats(min_value=0, max_value=1e12), st.sampled_from([0.0, 1e300]))
SITE = st.builds(Site, source=TEXT, line=st.none() | st.integers(-5, 10**9), name=st.none() | TEXT)
REMEDY = st.builds(
    Remedy,
    sql=st.lists(TEXT, max_size=2).map(tuple) | st.just(ADVICE.sql),
    undo=st.lists(TEXT, max_size=1).map(tuple),
    says=TEXT,
    proof=st.sampled_from(Proof),
    before_cost=st.none() | NUMBER,
    after_cost=st.none() | NUMBER,
    measured=TEXT,
)
FINDING = st.builds(
    Finding,
    rule=TEXT,
    severity=st.sampled_from(Severity),
    says=TEXT,
    key=TEXT,
    table=st.none() | st.builds(RelationName, schema=TEXT, name=TEXT),
    node=st.none() | st.just(()),
    parameters=st.none() | st.sampled_from(["hot", "rare", "absent"]),
    evidence=st.lists(st.builds(Evidence.plan, TEXT, NUMBER | TEXT, TEXT), max_size=1).map(tuple),
    remedy=st.none() | REMEDY,
    site=st.none() | SITE,
)
ADVICES = st.builds(
    lambda text, other: replace(
        ADVICE,
        name=text,
        notes=(other,),
        write_cost=text,
        declined=(replace(ADVICE.declined[0], reason=text),),
        effects=(replace(ADVICE.effects[0], parameters=other),),
        candidate=replace(ADVICE.candidate, predicate=other),
    ),
    TEXT,
    TEXT,
)
FINDINGS = st.lists(FINDING, max_size=3).map(tuple)


def told(filter_text: str) -> tuple[Planned, ...]:
    node = {"Node Type": filter_text or "Result", "Total Cost": 3.0, "Plan Rows": 2, "Filter": filter_text}
    return (planned("absent", {**node}, filter_text, filter_text),)


PLANNED = st.sampled_from([(), (HOT,), (HOT, RARE), partitioned(9).planned]) | TEXT.map(told)
ACCEPTED = st.builds(
    Accepted,
    fingerprint=TEXT,
    text=TEXT,
    site=SITE,
    shape=st.lists(TEXT, max_size=2).map(tuple),
    rows_read=NUMBER,
    cost=NUMBER,
)
EXECUTION = st.builds(
    lambda ran, text, ms: replace(ran, parameters=replace(ran.parameters, name=text, basis=text), first_ms=ms),
    st.sampled_from([e for r in (PROVED, QUICK) if r.executed for e in (*r.executed.before, *r.executed.after)]),
    TEXT,
    st.none() | NUMBER,
)
EXECUTED = st.builds(
    Executed,
    place=TEXT,
    before=st.lists(EXECUTION, max_size=2).map(tuple),
    built=st.lists(st.builds(Built, name=TEXT, seconds=NUMBER, size_bytes=st.integers(0, 2**40)), max_size=1).map(
        tuple
    ),
    after=st.lists(EXECUTION, max_size=2).map(tuple),
)
DIFFERENCE = st.builds(Difference, change=st.sampled_from(Change), says=TEXT, was=st.none() | ACCEPTED, before=PLANNED)
REPEATS = st.builds(Repeats, count=st.integers(0, 99), within=TEXT, unit=st.none() | TEXT, site=st.none() | SITE)
TAGS = st.lists(st.tuples(st.sampled_from(["route", "test"]) | TEXT, TEXT), max_size=2).map(tuple)
QUERY = st.builds(
    lambda text, tags, repeats: replace(query(text), tags=tags, repeats=repeats, executions=3),
    TEXT,
    TAGS,
    st.none() | REPEATS,
)
JUDGED = st.builds(
    QueryReport,
    query=st.none() | QUERY,
    site=SITE,
    also_at=st.lists(SITE, max_size=1).map(tuple),
    original=TEXT,
    verdict=st.sampled_from(Verdict),
    planned=PLANNED,
    findings=FINDINGS,
    suppressed=st.lists(st.builds(Suppressed, finding=FINDING, reason=TEXT), max_size=1).map(tuple),
    advice=st.sampled_from([(), (ADVICE,)]) | st.tuples(ADVICES),
    error=st.none() | TEXT,
    hint=st.none() | TEXT,
    difference=st.none() | DIFFERENCE,
    owners=st.lists(TEXT, max_size=2).map(tuple),
    executed=st.none() | EXECUTED,
)
REPORT = st.builds(
    Report,
    verdict=st.sampled_from(Verdict),
    queries=st.lists(JUDGED, max_size=2).map(tuple),
    facts=st.builds(lambda name: replace(FACTS, profile_name=name), TEXT),
    findings=FINDINGS,
    gaps=st.lists(st.builds(Gap, subject=TEXT, says=TEXT, effect=TEXT, cure=TEXT), max_size=1).map(tuple),
    unchanged=st.integers(0, 9),
    gone=st.lists(ACCEPTED, max_size=1).map(tuple),
    seconds=st.none() | NUMBER,
)
#: What must be true of a format's text beside that it exists.
READERS = {
    "html": parsed,
    "json": json.loads,
    "sarif": json.loads,
    "gitlab": json.loads,
    "junit": ElementTree.fromstring,
}


@pytest.mark.parametrize("form", sorted(FORMATS))
@settings(max_examples=40, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(told=REPORT, details=st.booleans())
def test_every_report_can_be_rendered_and_read(form: str, told: Report, details: bool) -> None:
    text = render(told, form, look=Look(details=details, root="/r", here="/r/x", limit=3_000))
    text.encode("utf-8", "strict")
    assert not set(text) & set("\x00\x0b\x1b\x85\u202e")
    if form in READERS:
        READERS[form](text)
    if form == "markdown":
        assert len(text) <= 3_000
