"""A finding that somebody lives with: it needs a reason, and a stale comment is told."""

from __future__ import annotations

from datetime import date

import pytest

from premortem import sources
from premortem.check import allows
from premortem.model import Allow, Query, Severity, Site
from tests.check.values import finding

KNOWN = {"seq-scan-discards-rows", "deep-offset"}


def test_a_reason_suppresses_the_finding_and_is_kept() -> None:
    counted, suppressed = allows.apply(
        [finding(), finding("deep-offset")], [Allow(rule="deep-offset", reason="weekly export")], KNOWN
    )
    assert [f.rule for f in counted] == ["seq-scan-discards-rows"]
    assert [(s.finding.rule, s.reason) for s in suppressed] == [("deep-offset", "weekly export")]


def test_without_a_reason_the_finding_counts_and_the_comment_is_told() -> None:
    counted, suppressed = allows.apply([finding()], [Allow(rule="seq-scan-discards-rows", reason=" ")], KNOWN)
    assert [(f.rule, f.severity) for f in counted] == [
        ("seq-scan-discards-rows", Severity.ERROR),
        ("allow-without-reason", Severity.WARNING),
    ]
    assert suppressed == ()


def test_a_comment_that_allows_nothing_is_told() -> None:
    counted, _ = allows.apply([finding()], [Allow(rule="deep-offset", reason="old")], KNOWN)
    assert [f.rule for f in counted] == ["seq-scan-discards-rows", "unused-allow"]
    assert "no longer shows" in counted[1].says


def test_a_misspelt_rule_is_told_what_was_meant() -> None:
    counted, _ = allows.apply([], [Allow(rule="seq-scan-discards-row", reason="why")], KNOWN)
    assert "did you mean seq-scan-discards-rows?" in counted[0].says


@pytest.mark.parametrize(
    ("comment", "until", "mistake"),
    [
        ("allow x (why) until 2026-03-01", date(2026, 3, 1), ""),
        ("allow x, y (why (until 2027-01-01)) until 2026-03-01", date(2026, 3, 1), ""),
        ("allow x (until 2026-03-01)", None, ""),
        ("allow x (why) until soon", None, "'soon' is no date like 2026-03-01"),
        ("allow x (why) until 2026-3-1", None, "'2026-3-1' is no date like 2026-03-01"),
        ("allow x (why) until 2026-02-30", None, "there is no 2026-02-30 in the calendar"),
        ("alow x (why)", None, "it does not say allow RULE (reason)"),
        ("allow x until 2026-03-01 (why)", None, "'2026-03-01 (why)' is no date like 2026-03-01"),
    ],
)
def test_an_allow_comment_may_have_an_end(comment: str, until: date | None, mistake: str) -> None:
    for text in (f"select 1; -- premortem: {comment}", f"/* premortem: {comment} */ select 1"):
        (query,) = sources.text(text, Site(source="q.sql"))
        assert isinstance(query, Query)
        assert {(a.until, a.mistake) for a in query.allows} == {(until, mistake)}
