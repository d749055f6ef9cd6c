"""What a team decided: severities for a path, budgets, allowances that end, owners."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from premortem import settings
from premortem.check import budgets, policy
from premortem.check.speed import learned, of_workload
from premortem.errors import StatementError
from premortem.model import (
    Allow,
    Finding,
    Gap,
    Planned,
    Query,
    QueryReport,
    Severity,
    Site,
    Source,
    Verdict,
)
from premortem.settings import Settings, Speed
from tests.check.conftest import Shop
from tests.check.values import finding, name, node, planned, profile, table

TODAY = date(2026, 3, 1)
PROFILE = profile(table("items"), table("orders"))
#: Reads all 2,000,000 rows of items, and 10 of orders by its key.
PLANS = (
    planned("typical", node("Seq Scan", 45_000, "items")),
    planned("hot", node("Nested Loop", 60_000, None, node("Seq Scan", 50_000, "items"))),
)
QUERY = Query(
    text="select 1", original="select 1", fingerprint="f1", site=Site(source="queries/a.sql", line=3, name="a")
)


def report(
    *findings: Finding,
    plans: tuple[Planned, ...] = PLANS,
    site: Site = QUERY.site,
    allows: tuple[Allow, ...] = (),
    **more: object,
) -> QueryReport:
    query = replace(QUERY, site=site, allows=allows, **more)  # type: ignore[arg-type]
    found = QueryReport(query=query, site=site, original="", verdict=Verdict.PASS, planned=plans, findings=findings)
    return replace(found, verdict=policy.verdict(findings))


def applied(judged: QueryReport, text: str = "", speed: Speed | None = None) -> QueryReport:
    chosen = replace(settings.parse(text, "premortem.toml", here="/app", today=TODAY), speed=speed)
    return policy.apply(judged, chosen, profile=PROFILE)


def counted(judged: QueryReport) -> list[tuple[str, str]]:
    return [(f.rule, f.severity.value) for f in judged.findings]


def test_without_settings_what_was_found_counts() -> None:
    judged = applied(report(finding(), finding("deep-offset", Severity.WARNING)))
    assert counted(judged) == [("seq-scan-discards-rows", "error"), ("deep-offset", "warning")]
    assert judged.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("match", "source", "holds"),
    [
        ("queries/reports/**", "queries/reports/x/a.sql", True),
        ("queries/reports", "queries/reports/a.sql", True),
        ("queries/reports/", "queries/reports/a.sql", True),
        ("queries/*.sql", "queries/reports/a.sql", False),
        ("*.sql", "queries/reports/a.sql", True),
        ("reports", "queries/reports/a.sql", True),
        ("queries/reports/**", "./queries/x/../reports/a.sql", True),
        ("queries/reports/**", "/app/queries/reports/a.sql", True),
        ("queries/reports/**", "/elsewhere/queries/reports/a.sql", False),
        ("queries/{reports,exports}/*.sql", "queries/exports/a b.sql", True),
        ("Queries/**", "queries/a.sql", False),
        ("queries/[r]eports/a.sql", "queries/reports/a.sql", True),
        ("**", "<stdin>", True),
    ],
)
def test_a_path_has_its_own_settings(match: str, source: str, holds: bool) -> None:
    judged = applied(report(finding(), site=Site(source=source)), f"[[paths]]\nmatch = '{match}'\nat_most = 'warn'")
    assert judged.verdict is (Verdict.PASS if holds else Verdict.FAIL)
    assert counted(judged) == [("seq-scan-discards-rows", "warning" if holds else "error")]


def test_at_most_lowers_and_never_raises() -> None:
    found = report(finding(), finding("deep-offset", Severity.INFO))
    text = "[[paths]]\nmatch = '**'\nat_most = 'warn'\n"
    assert counted(applied(found, text)) == [("seq-scan-discards-rows", "warning"), ("deep-offset", "info")]
    silent = applied(found, text + "[[paths]]\nmatch = '*.sql'\nat_most = 'off'")
    assert silent.findings == ()
    assert {s.reason for s in silent.suppressed} == {"switched off for this path in the settings"}
    assert silent.verdict is Verdict.PASS
    again = applied(found, text + "[[paths]]\nmatch = '*.sql'\nat_most = 'fail'")
    assert again.verdict is Verdict.FAIL


def test_the_last_path_that_matches_decides() -> None:
    text = """
        rules.deep-offset = "off"
        [[paths]]
        match = "queries/**"
        rules.deep-offset = "warn"
        rules.seq-scan-discards-rows = { severity = "off", min_rows = 7 }
        [[paths]]
        match = "queries/a.sql"
        rules.seq-scan-discards-rows = { max_kept = 0.5 }
        [[paths]]
        match = "other"
        rules.deep-offset = "error"
    """
    here = settings.parse(text, "x").at("queries/a.sql")
    assert here.severities == {"deep-offset": Severity.WARNING}
    assert here.off == {"seq-scan-discards-rows"}
    assert here.limits.changed == {"seq-scan-discards-rows": {"min_rows": 7, "max_kept": 0.5}}


def test_the_severity_of_what_is_said_of_comments_can_be_set() -> None:
    stale = report(allows=(Allow(rule="deep-offset", reason="why"),))
    assert counted(applied(stale)) == [("unused-allow", "warning")]
    assert applied(stale, 'rules.unused-allow = "fail"').verdict is Verdict.FAIL
    assert applied(stale, 'rules.unused-allow = "off"').findings == ()


def test_a_comment_for_a_rule_that_is_off_is_not_called_unused() -> None:
    judged = applied(
        report(finding(), allows=(Allow(rule="seq-scan-discards-rows", reason="why"),)),
        'rules.seq-scan-discards-rows = "off"',
    )
    assert judged.findings == ()


def test_an_allowance_ends() -> None:
    allow = Allow(rule="seq-scan-discards-rows", reason="until the index is there", until=TODAY)
    judged = applied(report(finding(), allows=(allow,)))
    assert judged.verdict is Verdict.PASS
    assert judged.suppressed[0].reason == "until the index is there (until 2026-03-01)"
    over = applied(report(finding(), allows=(replace(allow, until=TODAY - timedelta(days=1)),)))
    assert over.verdict is Verdict.FAIL
    assert over.findings[0].severity is Severity.ERROR
    assert "allowed until 2026-02-28 (until the index is there), which is over" in over.findings[0].says
    assert over.findings[0].key == finding().key


def test_without_a_day_no_allowance_has_an_end() -> None:
    allow = Allow(rule="seq-scan-discards-rows", reason="why", until=date(9999, 12, 30))
    judged = policy.apply(report(finding(), allows=(allow,)), Settings(), profile=PROFILE)
    assert judged.verdict is Verdict.FAIL


def test_a_comment_that_cannot_be_understood_does_not_count() -> None:
    allow = Allow(rule="seq-scan-discards-rows", reason="why", mistake="'soon' is no date like 2026-03-01")
    judged = applied(report(finding(), allows=(allow,)))
    assert counted(judged) == [("seq-scan-discards-rows", "error"), ("unreadable-allow", "warning")]
    assert "'soon' is no date" in judged.findings[1].says


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("rows_read = 2_000_000", None),
        ("rows_read = 1_999_999", 2_000_000),
        ("query = 'a'\nrows_read = 10", 2_000_000),
        ("query = ['b', 'f1']\nrows_read = 10", 2_000_000),
        ("query = 'b'\nrows_read = 10", None),
        ("path = 'queries/**'\nrows_read = 10", 2_000_000),
        ("path = 'other/**'\nrows_read = 10", None),
        ("path = 'queries/**'\nquery = 'b'\nrows_read = 10", None),
        ("table = 'items'\nrows_read = 10", 2_000_000),
        ("table = 'public.it*'\nrows_read = 10", 2_000_000),
        ("table = 'orders'\nrows_read = 10", None),
        ("table = 'sales.items'\nrows_read = 10", None),
    ],
)
def test_rows_read_have_a_budget(text: str, rows: float | None) -> None:
    judged = applied(report(), f"[[budgets]]\n{text}")
    values = [e.value for f in judged.findings for e in f.evidence if e.name == "rows_read"]
    assert values == ([] if rows is None else [rows])
    assert judged.verdict is (Verdict.PASS if rows is None else Verdict.FAIL)


def test_the_last_budget_that_names_a_measure_decides() -> None:
    text = "[[budgets]]\nrows_read = 10\ncost = 70_000\n[[budgets]]\nquery = 'a'\nrows_read = 3_000_000\n"
    assert applied(report(), text).findings == ()
    judged = applied(report(), text + "[[budgets]]\npath = 'queries'\ncost = 59_000")
    assert [f.says for f in judged.findings] == ["costs 60,000, and its budget is 59,000 (budgets[3])"]
    assert judged.findings[0].parameters == "hot"
    assert judged.findings[0].key == "over-budget:cost"
    assert {e.source for e in judged.findings[0].evidence} == {Source.PLAN, Source.SETTINGS}


def test_a_budget_can_be_allowed_graded_and_switched_off() -> None:
    text = "[[budgets]]\ncost = 1\n"
    allowed = applied(report(allows=(Allow(rule="over-budget", reason="once a year"),)), text)
    assert (allowed.verdict, allowed.suppressed[0].reason) == (Verdict.PASS, "once a year")
    assert applied(report(), 'rules.over-budget = "warn"\n' + text).verdict is Verdict.PASS
    assert applied(report(), 'rules.over-budget = "off"\n' + text).findings == ()


SPEED = Speed(low=0.001, median=0.01, high=0.05, statements=20)


@pytest.mark.parametrize(
    ("ms", "severity"), [(700, None), (600, None), (599, "warning"), (60, "warning"), (59, "error")]
)
def test_a_predicted_time_fails_only_where_its_low_end_does(ms: float, severity: str | None) -> None:
    judged = applied(report(), f"[[budgets]]\nms = {ms}", SPEED)
    assert [f.severity.value for f in judged.findings] == ([] if severity is None else [severity])
    if severity:
        assert "is predicted to take 600.0 ms (60.0 to 3,000.0)" in judged.findings[0].says
        assert any("over 20 statements" in str(e.value) for e in judged.findings[0].evidence)


def test_a_measured_time_needs_no_prediction() -> None:
    judged = applied(report(mean_time=timedelta(milliseconds=350)), "[[budgets]]\nms = 200")
    assert "takes 350.0 ms on average in production" in judged.findings[0].says
    assert judged.findings[0].evidence[0].source is Source.WORKLOAD
    assert applied(report(mean_time=timedelta(milliseconds=150)), "[[budgets]]\nms = 200").findings == ()


def test_a_speed_is_learned_or_it_is_said_why_not() -> None:
    found = learned([(n / 100 * 1000, 1000.0) for n in range(10, 20)])
    assert isinstance(found, Speed)
    assert found.low < found.median < found.high
    assert found.median == pytest.approx(0.145)
    few = learned([(1.0, 1000.0)] * 9 + [(1.0, 5.0)] * 50)
    assert isinstance(few, Gap)
    assert "only 9 statements" in few.says
    wide = learned([(10.0**n, 1000.0) for n in range(10)])
    assert isinstance(wide, Gap)
    assert "predicts nothing" in wide.says


def test_statements_on_what_is_gone_teach_nothing() -> None:
    def cost(query: Query) -> float:
        if query.fingerprint == "gone":
            raise StatementError('relation "gone" does not exist')
        return 1_000.0

    timed = [replace(QUERY, fingerprint=f"q{n}", mean_time=timedelta(milliseconds=10)) for n in range(12)]
    found = of_workload([*timed, replace(timed[0], fingerprint="gone")], cost)
    assert isinstance(found, Speed)
    assert found.statements == 12


OWNERS = """
[[owners]]
path = "queries/**"
owners = "@acme/backend"
[[owners]]
path = "queries/a.sql"
owners = ["@kim", "Payments team"]
[[owners]]
table = ["items", "orders"]
owners = "@acme/shop"
[[owners]]
table = "public.items"
owners = ["@acme/items", "@kim"]
"""


def test_owners_are_those_of_the_file_and_of_the_tables() -> None:
    assert applied(report(), OWNERS).owners == ("@kim", "Payments team", "@acme/items")
    elsewhere = Site(source="queries/b.sql")
    assert applied(report(site=elsewhere), OWNERS).owners == ("@acme/backend", "@acme/items", "@kim")
    unplanned = replace(report(plans=()), error="no such table", verdict=Verdict.UNKNOWN)
    judged = applied(unplanned, OWNERS)
    assert (judged.owners, judged.verdict) == (("@kim", "Payments team"), Verdict.UNKNOWN)


def test_the_schemas_findings_obey_the_settings_of_their_file() -> None:
    found = [finding("foreign-key-without-index"), replace(finding(), site=Site(source="db/old/1.sql", line=2))]
    chosen = settings.parse(
        'rules.foreign-key-without-index = "off"\n[[paths]]\nmatch = "db/old"\nat_most = "info"', "x"
    )
    assert [(f.rule, f.severity) for f in policy.of_schema(found, chosen)] == [
        ("seq-scan-discards-rows", Severity.INFO)
    ]


def test_rows_of_partitions_are_rows_of_their_table() -> None:
    assert budgets.rows_read(PLANS[0].plan, PROFILE) == {name("items"): 2_000_000}


SKU = "select * from order_items where product_sku = $1 and status = $2"


def test_a_real_query_over_budget_is_told_what_the_index_brings(shop: Shop) -> None:
    (judged,) = shop.judge(SKU, "[[budgets]]\ntable = 'order_items'\nrows_read = 50_000\n")
    found = next(f for f in judged.findings if f.rule == "over-budget")
    assert found.remedy is not None
    assert found.remedy.says.startswith(f"with {judged.advice[0].name} it keeps to its budget: rows read ")


def test_the_same_text_is_judged_apart_where_the_paths_settings_differ(shop: Shop) -> None:
    from premortem import sources

    queries = tuple(
        q for path in ("hot/a.sql", "cold/b.sql", "cold/c.sql") for q in sources.text(SKU, Site(source=path, line=1))
    )
    chosen = settings.parse(
        "[[paths]]\nmatch = 'cold'\nrules.seq-scan-discards-rows.min_rows = 1e9\nrules.missing-index = 'off'", "x"
    )
    hot, cold = shop.judge_all(queries, chosen)
    assert "seq-scan-discards-rows" in {f.rule for f in hot.findings}
    assert "seq-scan-discards-rows" not in {f.rule for f in cold.findings}
    assert [s.source for s in cold.also_at] == ["cold/c.sql"]


def test_a_setting_about_no_table_is_told() -> None:
    text = '[tables.nope]\nrows = 5\n[[budgets]]\ntable = "orderz"\ncost = 5\n[[budgets]]\ntable = "orders"\ncost = 5\n'
    (gap,) = policy.unmatched(settings.parse(text, "premortem.toml"), PROFILE)
    assert gap.says.startswith("They name nope, orderz, which")
