"""Real queries on a twin of a real shop: what fails, what passes, what cannot be told, and why."""

from __future__ import annotations

from typing import Any

import pytest

from premortem import rules
from premortem.model import Finding, Planned, Proof, Query, QueryReport, Severity, Verdict
from tests.check.conftest import Shop

SKU = "select * from order_items where product_sku = $1 and status = $2"


def only(reports: tuple[QueryReport, ...]) -> QueryReport:
    (report,) = reports
    return report


def rules_of(report: QueryReport, severity: Severity = Severity.ERROR) -> set[str]:
    return {f.rule for f in report.findings if f.severity is severity}


def test_the_incident_of_the_seed_is_stopped(shop: Shop) -> None:
    report = only(shop.judge(SKU))
    assert report.verdict is Verdict.FAIL
    finding = next(f for f in report.findings if f.rule == "seq-scan-discards-rows")
    assert finding.severity is Severity.ERROR
    assert finding.remedy is not None
    assert finding.remedy.sql == (
        "CREATE INDEX CONCURRENTLY order_items_product_sku_status_idx ON public.order_items (product_sku, status);",
    )
    assert finding.remedy.proof is Proof.LIKELY
    assert finding.remedy.before_cost is not None
    assert finding.remedy.after_cost is not None
    assert finding.remedy.after_cost < finding.remedy.before_cost / 10
    assert finding.parameters in {p.parameters.name for p in report.planned}
    assert report.planned[-1].parameters.name == "generic"


def test_a_rare_status_is_stopped_too(shop: Shop) -> None:
    report = only(shop.judge("select * from orders where status = 'pending'"))
    assert report.verdict is Verdict.FAIL
    assert [p.parameters.name for p in report.planned] == ["literal"]
    assert report.advice


def test_a_primary_key_lookup_passes(shop: Shop) -> None:
    report = only(shop.judge("select * from orders where id = $1"))
    assert report.verdict is Verdict.PASS
    assert not report.findings
    assert not report.advice


def test_a_small_table_passes(shop: Shop) -> None:
    report = only(shop.judge("select * from countries where name = $1"))
    assert report.verdict is Verdict.PASS
    assert not report.advice


def test_a_query_that_wants_most_of_the_table_passes(shop: Shop) -> None:
    report = only(shop.judge("select count(*), sum(quantity) from order_items"))
    assert report.verdict is Verdict.PASS
    assert not report.advice


def test_a_delete_is_stopped_for_what_its_foreign_keys_read(shop: Shop) -> None:
    report = only(shop.judge("delete from orders where id = $1"))
    assert report.verdict is Verdict.FAIL
    assert rules_of(report) == {"foreign-key-without-index"}
    finding = next(f for f in report.findings if f.severity is Severity.ERROR)
    assert finding.remedy is not None
    assert "ON public.order_items (order_id)" in finding.remedy.sql[0]
    assert any(sql in finding.remedy.sql for a in report.advice for sql in a.sql)


def test_a_delete_whose_children_are_indexed_passes(shop: Shop) -> None:
    assert only(shop.judge("delete from customers where id = $1")).verdict is Verdict.PASS


def test_an_update_of_another_column_runs_no_foreign_key(shop: Shop) -> None:
    assert only(shop.judge("update orders set status = 'paid' where id = $1")).verdict is Verdict.PASS


def test_an_unknown_table_is_could_not_tell_with_the_servers_message(shop: Shop) -> None:
    report = only(shop.judge("select * from nowhere where id = $1"))
    assert report.verdict is Verdict.UNKNOWN
    assert report.error is not None
    assert 'relation "nowhere" does not exist' in report.error


def test_what_cannot_be_parsed_is_could_not_tell(shop: Shop) -> None:
    assert only(shop.judge("selekt 1")).verdict is Verdict.UNKNOWN


def test_a_query_after_one_that_fails_is_still_judged(shop: Shop) -> None:
    first, second = shop.judge("select * from nowhere; select * from orders where id = $1")
    assert (first.verdict, second.verdict) == (Verdict.UNKNOWN, Verdict.PASS)


def test_a_utility_statement_is_skipped(shop: Shop) -> None:
    report = only(shop.judge("set work_mem = '4MB'"))
    assert report.verdict is Verdict.PASS
    assert not report.planned


def test_an_allowed_finding_does_not_count_and_is_kept(shop: Shop) -> None:
    report = only(shop.judge(f"-- premortem: allow seq-scan-discards-rows (yearly export)\n{SKU}"))
    assert [(s.finding.rule, s.reason) for s in report.suppressed] == [("seq-scan-discards-rows", "yearly export")]
    assert report.verdict is Verdict.PASS
    assert not report.advice


def test_the_same_statement_is_judged_once_and_every_place_is_told(shop: Shop) -> None:
    report = only(shop.judge(f"{SKU};\n\n{SKU};"))
    assert [s.line for s in (report.site, *report.also_at)] == [1, 3]


def test_a_comment_counts_for_its_own_statement_only(shop: Shop) -> None:
    reports = shop.judge(f"{SKU};\n-- premortem: allow seq-scan-discards-rows (export)\n{SKU};")
    assert [r.verdict for r in reports] == [Verdict.FAIL, Verdict.PASS]


def test_a_rule_that_is_off_does_not_count(shop: Shop) -> None:
    report = only(shop.judge(SKU, '[rules.seq-scan-discards-rows]\nseverity = "off"'))
    assert "seq-scan-discards-rows" not in {f.rule for f in report.findings}
    assert "switched off" in report.suppressed[0].reason


def test_a_severity_that_the_settings_choose_stays(shop: Shop) -> None:
    report = only(shop.judge(SKU, '[rules.seq-scan-discards-rows]\nseverity = "warning"'))
    assert "seq-scan-discards-rows" in rules_of(report, Severity.WARNING)
    assert report.verdict is Verdict.PASS


def test_a_bug_in_one_query_leaves_the_others_their_verdict(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    real = rules.find

    def broken(planned: Planned, query: Query, *others: Any) -> tuple[Finding, ...]:
        if "countries" in query.text:
            raise ZeroDivisionError("by zero")
        return real(planned, query, *others)

    monkeypatch.setattr(rules, "find", broken)
    first, second = shop.judge("select * from countries; select * from orders where id = $1")
    assert (first.verdict, second.verdict) == (Verdict.UNKNOWN, Verdict.PASS)
    assert first.error == "ZeroDivisionError: by zero; this is a bug in premortem"


def test_a_value_that_nobody_knows_is_no_reason_to_pass(shop: Shop) -> None:
    report = only(shop.judge("select * from order_items i where i = $1"))
    assert [p.parameters.name for p in report.planned] == ["generic"]
    assert any("NULL finds nothing" in g.says and "--set" in g.cure for g in report.gaps)
