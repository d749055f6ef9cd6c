"""A query that takes PostgreSQL long to plan is judged with what there was time for, and the report says so."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from premortem import check, sources
from premortem.check.judgement import Judgement, judge
from premortem.check.patience import Patience
from premortem.model import Query, Severity, Site
from premortem.settings import Settings
from tests.check.conftest import Shop

SKU = "select * from order_items where product_sku = $1 and status = $2"


def ticking(seconds: float) -> Callable[[], float]:
    """A clock on which every look takes that long."""
    ticks = itertools.count(0.0, seconds)
    return lambda: next(ticks)


def judged(shop: Shop, patience: Patience) -> Judgement:
    (query,) = sources.text(SKU, Site(source="q.sql", line=1))
    assert isinstance(query, Query)
    planner = check.Planner(
        explain=shop.twin.explain, parameter_types=shop.twin.parameter_types, replanner=shop.twin.replanner
    )
    return judge(query, planner=planner, profile=shop.twin.profile, settings=Settings(), patience=patience)


def test_time_that_is_over_leaves_the_generic_plan_and_its_finding_an_error(shop: Shop) -> None:
    outcome = judged(shop, Patience(clock=ticking(61)))
    assert [p.parameters.name for p in outcome.planned] == ["generic"]
    assert {f.severity for f in outcome.findings if f.rule == "seq-scan-discards-rows"} == {Severity.ERROR}
    assert not outcome.advice
    assert not any(f.remedy and f.remedy.sql for f in outcome.findings)
    assert "parameter set hot" in {g.subject for g in outcome.gaps}
    assert any(g.subject == "indexes" and "60 s" in g.says for g in outcome.gaps)


def test_time_that_ends_while_indexes_are_tried_keeps_the_parameter_sets(shop: Shop) -> None:
    whole = judged(shop, Patience())
    outcome = judged(shop, Patience(clock=ticking(1), seconds=len(whole.planned)))
    assert outcome.planned == whole.planned
    assert whole.advice
    assert not outcome.advice
    assert [g.subject for g in outcome.gaps if g.subject == "indexes"] == ["indexes"]
