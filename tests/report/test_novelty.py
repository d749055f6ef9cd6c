"""What is new about a query: which plans are compared, what an edit did, who ran it."""

from __future__ import annotations

from dataclasses import replace

from premortem import words
from premortem.model import CAPTURED, Change, Difference, Effect, Evidence, Severity, Site, Verdict
from premortem.report import Look, novelty, remarks, story
from tests.report.reports import (
    ACCEPTED,
    ALLOWED,
    EDITED,
    FINDING,
    HOT,
    INCIDENT,
    NEW,
    QUIET,
    REGRESSED,
    REPORTS,
    planned,
    probe,
    report,
)


def test_the_finding_s_parameter_set_is_compared_else_the_one_that_got_worst() -> None:
    rare = novelty.compared(EDITED, "rare")
    worst = novelty.compared(EDITED)
    assert rare is not None
    assert worst is not None
    assert (rare.parameters, rare.before.total_cost) == ("rare", 8.6)
    assert (worst.parameters, worst.before.total_cost) == ("rare", 8.6)
    hot = novelty.compared(EDITED, "hot")
    assert hot is not None
    assert (hot.parameters, hot.before.total_cost) == ("hot", 1_204.5)


def test_an_edit_that_changed_the_parameters_compares_the_dearest() -> None:
    before = (planned("literal", probe(3.0, 1)),)
    odd = replace(INCIDENT, difference=Difference(change=Change.EDITED, was=ACCEPTED, before=before))
    pair = novelty.compared(odd)
    assert pair is not None
    assert (pair.before.total_cost, pair.after.total_cost) == (3.0, 43_210.0)


def test_an_edit_is_told_by_clauses_whatever_the_line_breaks() -> None:
    assert novelty.edit(EDITED) == (
        " from order_items",
        " where product_sku = $1",
        "-and status = 'open'",
        "+and status = $2",
    )
    assert novelty.edit(REGRESSED) == novelty.edit(NEW) == ()


def test_what_a_finding_says_is_not_said_twice() -> None:
    says = "order_items grew, and the cost with it"
    worse = Difference(change=Change.REGRESSED, says=says, was=ACCEPTED)
    assert novelty.sentence(replace(INCIDENT, difference=worse)) == f"Same query, worse plan: {says}."
    told = replace(INCIDENT, difference=worse, findings=(replace(FINDING, says=says),))
    assert novelty.sentence(told) == "Same query, worse plan."
    assert novelty.costs(told) == ""


def test_a_new_finding_in_a_plan_that_is_no_worse_is_not_called_a_worse_plan() -> None:
    difference = Difference(
        change=Change.REGRESSED,
        says="a budget was set or lowered",
        was=replace(ACCEPTED, cost=90_000.0),
        evidence=(Evidence.plan("cost now", 90_000.0),),
        is_worse=False,
    )
    judged = replace(INCIDENT, difference=difference)
    assert novelty.sentence(judged) == "Same query, new finding: a budget was set or lowered."
    assert novelty.costs(judged) == ""  # the lock has the cost without early stops, and so is today's to be
    gone = replace(judged, planned=(), error="column gone does not exist")
    assert novelty.sentence(gone).startswith("Same query, no plan: ")


def test_nothing_is_said_of_what_is_unchanged_or_was_not_compared() -> None:
    same = replace(QUIET, difference=Difference(change=Change.UNCHANGED, was=ACCEPTED))
    for judged in (same, QUIET):
        assert novelty.sentence(judged) == ""
        assert novelty.outline(judged) == ()
    assert not novelty.is_changed(same)
    assert novelty.is_changed(QUIET)


def test_counts() -> None:
    assert novelty.counts(REPORTS["changes"]) == "1 new, 1 edited, 1 regressed, 4,990 unchanged, 1 gone"
    assert novelty.counts(REPORTS["incident"]) == ""
    assert story.headline(REPORTS["changes"]).startswith("2 of 4,993 queries would hurt")  # as many as are counted


def test_who_ran_it() -> None:
    assert novelty.seen(REGRESSED) == (
        "Ran 312 times in the captured run by route cart/<int:pk>, framework django:5.2 and test "
        "tests/test_cart.py::test_total. Up to 57 times within one test (tests/test_cart.py::test_total), "
        "from app/cart.py:57."
    )
    assert novelty.seen(INCIDENT) == ""


def test_what_was_accepted_as_it_is_makes_one_sentence_that_hides_no_warning() -> None:
    unchanged = replace(
        ALLOWED, verdict=Verdict.PASS, findings=(), difference=Difference(change=Change.UNCHANGED, was=ACCEPTED)
    )
    told = report(unchanged, unchanged=22)
    accepted = words.plural(len(unchanged.suppressed), "finding")
    assert story.headline(told) == f"23 queries unchanged, {accepted} accepted or allowed"
    warned = replace(told, findings=(replace(FINDING, severity=Severity.WARNING),))
    assert "1 warning" in story.headline(warned)
    assert "unchanged" not in story.headline(report(unchanged, NEW)).partition("(")[0]


def test_a_quiet_query_shows_how_its_text_begins() -> None:
    said = story.quiet(
        replace(NEW, difference=Difference(change=Change.NEW, says="nothing like it was accepted before"))
    )
    assert said == f"New query. {NEW.original}"


def test_what_is_new_about_a_query_is_said_once_for_all_its_findings() -> None:
    two = replace(EDITED, findings=(FINDING, replace(FINDING, rule="sort-without-index", key="other")))
    first, second = remarks.of_query(two, Look(width=80, colour=False))
    assert any("Edited query" in s for s in remarks.details(first))
    assert not any("Edited query" in s for s in remarks.details(second))


def test_the_finding_of_repeats_says_alone_how_often_it_ran() -> None:
    found = replace(FINDING, rule="query-repeated-per-row")
    assert "Up to" in novelty.seen(REGRESSED)
    assert "Up to" not in novelty.seen(replace(REGRESSED, findings=(found,)))


def test_the_place_of_a_captured_statement_is_no_file() -> None:
    site = Site(source=CAPTURED, line=168)
    assert str(site) == "statement 168 of the capture"
    assert remarks.path(site, Look(width=80, colour=False)) is None


def test_a_cost_that_the_plan_shown_does_not_have_says_when_it_is_paid() -> None:
    worst = Effect(
        parameters="hot", before=HOT.plan, after=HOT.plan, before_cost=4.67, after_cost=1.1, before_worst=1167.0,
        after_worst=1.17,
    )  # fmt: skip
    (advice,) = INCIDENT.advice
    (remedy,) = (f.remedy for f in INCIDENT.findings if f.remedy)
    finding = replace(INCIDENT.findings[0], remedy=replace(remedy, before_cost=1167.0, after_cost=1.17))
    judged = replace(INCIDENT, advice=(replace(advice, effects=(worst,)),), findings=(finding,))
    assert story.gain(finding, judged).startswith("Estimated cost when no row stops it early 1,167 → 1.17")
