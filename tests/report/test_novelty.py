"""What is new about a query: which plans are compared, what an edit did, who ran it."""

from __future__ import annotations

from dataclasses import replace

from premortem.model import Change, Difference
from premortem.report import novelty
from tests.report.reports import ACCEPTED, EDITED, FINDING, INCIDENT, NEW, QUIET, REGRESSED, REPORTS, planned, probe


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


def test_who_ran_it() -> None:
    assert novelty.seen(REGRESSED) == (
        "Ran 312 times in the captured run by route cart/<int:pk>, framework django:5.2 and test "
        "tests/test_cart.py::test_total. Up to 57 times within one test (tests/test_cart.py::test_total), "
        "from app/cart.py:57."
    )
    assert novelty.seen(INCIDENT) == ""
