"""A column that the change adds has no statistics: what the planner assumes of it is no fact, and no reason to pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from premortem import twin
from premortem.model import Proof, QueryReport, Severity, Source, Verdict
from tests.check.conftest import Shop

CHANGE = (
    "ALTER TABLE order_items ADD COLUMN updated_by text DEFAULT '';"
    "ALTER TABLE order_items ADD COLUMN deleted_at timestamptz;"
)


@pytest.fixture
def changed(shop: Shop) -> Iterator[Shop]:
    """The shop after the change."""
    with twin.open(shop.profile, migrations=(twin.Migration(path="001.sql", text=CHANGE),)) as opened:
        yield replace(shop, twin=opened)


def judged(shop: Shop, where: str) -> QueryReport:
    (report,) = shop.judge(f"select * from order_items where {where}")
    return report


def test_an_assumed_share_of_a_new_column_is_no_reason_to_pass(changed: Shop) -> None:
    for where in ("updated_by = $1", "updated_by = 'ann'", "updated_by in ('ann', 'bob')"):
        report = judged(changed, where)
        assert report.verdict is Verdict.FAIL, where
        (finding,) = [f for f in report.findings if f.rule == "seq-scan-discards-rows"]
        assert finding.severity is Severity.ERROR
        assert "to keep an assumed " in finding.says
        assert {e.name: e.source for e in finding.evidence}["rows kept"] is Source.ASSUMED
        assert finding.remedy is not None
        assert finding.remedy.proof is Proof.LIKELY
        assert [a.candidate.definition for a in report.advice] == ["order_items (updated_by)"]


def test_all_rows_of_a_new_column_are_null_at_first(changed: Shop) -> None:
    report = judged(changed, "deleted_at is null")
    assert not report.advice
    assert report.verdict is Verdict.PASS


def test_a_share_that_statistics_know_is_not_called_an_assumption(shop: Shop) -> None:
    report = judged(shop, "product_sku = $1 and status = $2")
    (finding,) = [f for f in report.findings if f.rule == "seq-scan-discards-rows"]
    assert "assumed" not in finding.says
    assert {e.name: e.source for e in finding.evidence}["rows kept"] is Source.PLAN
