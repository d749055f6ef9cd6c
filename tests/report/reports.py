"""Reports to render: the seed's incident, one that could not be judged, a clean one, and a hostile one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from premortem.model import (
    Accepted,
    AcceptedFinding,
    Advice,
    Allow,
    Built,
    Change,
    Declined,
    Difference,
    Effect,
    Evidence,
    Executed,
    Execution,
    Facts,
    Finding,
    Gap,
    IndexCandidate,
    IndexKey,
    Json,
    ParameterSet,
    Planned,
    Proof,
    Query,
    QueryReport,
    RelationName,
    Remedy,
    Repeats,
    Report,
    Severity,
    Site,
    StatementKind,
    Suppressed,
    Verdict,
)
from premortem.plans import parse_json

ITEMS = RelationName(schema="public", name="order_items")
TEXT = "select * from order_items where product_sku = $1 and status = $2"
FACTS = Facts(
    profile_name="prod.profile",
    profile_taken_at=datetime(2026, 4, 6, 3, 15, tzinfo=UTC),
    production_version="15.18",
    twin_version="15.18",
    twin_is_exact=True,
    premortem_version="0.1.0",
)
GAP = Gap(
    subject="B-tree heights",
    says="pageinspect is not installed, so they were estimated from sizes",
    effect="nested loops may look up to 5 % too cheap",
    cure="CREATE EXTENSION pageinspect;",
)


def scan(cost: float, rows: float) -> dict[str, Json]:
    return {
        "Node Type": "Seq Scan",
        "Relation Name": "order_items",
        "Schema": "public",
        "Alias": "order_items",
        "Startup Cost": 0.0,
        "Total Cost": cost,
        "Plan Rows": rows,
        "Plan Width": 60,
        "Filter": "((order_items.product_sku = 'SKU-000042'::text) AND (order_items.status = 'pending'::text))",
    }


def probe(cost: float, rows: float) -> dict[str, Json]:
    return {
        "Node Type": "Index Scan",
        "Index Name": "order_items_product_sku_status_idx",
        "Relation Name": "order_items",
        "Schema": "public",
        "Alias": "order_items",
        "Startup Cost": 0.43,
        "Total Cost": cost,
        "Plan Rows": rows,
        "Plan Width": 60,
        "Index Cond": "((order_items.product_sku = 'SKU-000042'::text) AND (order_items.status = 'pending'::text))",
    }


def planned(name: str, node: dict[str, Json], basis: str = "", *values: str) -> Planned:
    parameters = ParameterSet(name=name, basis=basis, values=values)
    return Planned(parameters=parameters, plan=parse_json([{"Plan": node}]), json=node)


HOT = planned("hot", scan(43_210.0, 1_900), "most common values of order_items.product_sku", "SKU-000042", "pending")
RARE = planned("rare", scan(43_210.0, 12), "a value of order_items.product_sku with few rows", "SKU-099999", "refunded")
CANDIDATE = IndexCandidate(
    table=ITEMS, keys=(IndexKey(column="product_sku"), IndexKey(column="status")), because="two equalities"
)


def effect(name: str, before: float, after: float) -> Effect:
    return Effect(
        parameters=name,
        before=parse_json([{"Plan": scan(before, 12)}]),
        after=parse_json([{"Plan": probe(after, 12)}]),
        before_cost=before,
        after_cost=after,
        before_worst=before,
        after_worst=after,
    )


ADVICE = Advice(
    candidate=CANDIDATE,
    name="order_items_product_sku_status_idx",
    effects=(effect("hot", 43_210.0, 1_204.5), effect("rare", 43_210.0, 8.57)),
    size_bytes=14_400_000,
    build_seconds=2.4,
    write_cost="about 12 more index entries per second (12 inserts/s)",
    declined=(
        Declined(
            candidate=IndexCandidate(table=ITEMS, keys=(IndexKey(column="status"),)),
            reason="reads 400,000 rows for the hot values",
        ),
    ),
    notes=("The generic plan uses it too",),
)
FINDING = Finding(
    rule="seq-scan-discards-rows",
    severity=Severity.ERROR,
    says="reads 2,000,000 rows of order_items to keep 12",
    key="seq-scan-discards-rows:public.order_items:product_sku,status",
    table=ITEMS,
    node=(),
    parameters="rare",
    evidence=(
        Evidence.stat("rows read", 2_000_000.0, "rows"),
        Evidence.plan("rows kept", 12.0, "rows"),
        Evidence.plan("parameter sets that show it", "hot, rare"),
    ),
    remedy=Remedy(sql=ADVICE.sql, undo=ADVICE.undo, proof=Proof.LIKELY, before_cost=43_210.0, after_cost=8.57),
)


def query(text: str = TEXT, source: str = "queries/items.sql", line: int = 3, name: str | None = "by_sku") -> Query:
    return Query(
        text=text,
        original=text,
        fingerprint="a1b2c3",
        site=Site(source=source, line=line, name=name),
        parameter_count=2,
        calls_per_second=35.0,
    )


INCIDENT = QueryReport(
    query=query(),
    site=query().site,
    also_at=(Site(source="queries/more.sql", line=9),),
    original=TEXT,
    verdict=Verdict.FAIL,
    planned=(HOT, RARE),
    findings=(FINDING,),
    advice=(ADVICE,),
)
QUIET = replace(
    INCIDENT,
    query=query("select 1", "queries/one.sql", 1, None),
    site=Site(source="queries/one.sql", line=1),
    also_at=(),
    original="select 1",
    verdict=Verdict.PASS,
    planned=(planned("literal", {"Node Type": "Result", "Total Cost": 0.01, "Plan Rows": 1}),),
    findings=(),
    advice=(),
)
UNKNOWN = QueryReport(
    query=None,
    site=Site(source="queries/jinja.sql", line=2),
    original="select * from {{ ref('orders') }}",
    verdict=Verdict.UNKNOWN,
    error='syntax error at or near "{"',
    hint="render the template first",
)
ALLOWED = replace(
    INCIDENT,
    also_at=(),
    verdict=Verdict.PASS,
    findings=(
        Finding(rule="deep-offset", severity=Severity.WARNING, says="skips 100,000 rows before the first", key="o"),
    ),
    suppressed=(Suppressed(finding=FINDING, reason="weekly export"),),
    advice=(),
    query=replace(query(), allows=(Allow(rule="seq-scan-discards-rows", reason="weekly export", line=2),)),
)
SKIPPED = replace(
    QUIET, query=replace(query("set role x"), kind=StatementKind.UTILITY), planned=(), original="set role x"
)


def report(*queries: QueryReport, gaps: tuple[Gap, ...] = (), **other: object) -> Report:
    verdict = Verdict.worst(tuple(q.verdict for q in queries))
    made = Report(verdict=verdict, queries=queries, facts=FACTS, gaps=gaps, seconds=1.25)
    return replace(made, **other)  # type: ignore[arg-type]


EVIL = "select '\x1b]0;owned\x07\x1b[31m' as \"```</details><script>alert(1)</script>@octocat #1\", '\u202egnp' -- |x|"


def hostile() -> Report:
    finding = replace(FINDING, says=f"reads {EVIL}", rule="seq-scan-discards-rows")
    odd = replace(
        INCIDENT,
        original=EVIL,
        site=Site(source="q\x1b[2J`.sql", line=1, name="<b>"),
        findings=(finding,),
        planned=(planned("hot", scan(1e6, 1) | {"Filter": EVIL}, EVIL), RARE),
        error=EVIL,
    )
    return report(odd, gaps=(replace(GAP, says=EVIL),), facts=replace(FACTS, profile_name=EVIL))


UNINDEXED = Finding(
    rule="foreign-key-without-index",
    severity=Severity.WARNING,
    says="a DELETE from orders would read the 5,000,000 rows of notes for every row: no index starts with (order_id)",
    key="foreign-key-without-index:public.notes:order_id",
    table=RelationName(schema="public", name="notes"),
)
ACCEPTED = Accepted(
    fingerprint="a1b2c3",
    text="select * from order_items where product_sku = $1 and status = 'open'",
    site=Site(source="queries/items.sql", line=3, name="by_sku"),
    shape=("Index Scan using order_items_open_idx on public.order_items",),
    rows_read=12.0,
    cost=8.6,
    tables=((ITEMS, 40_000.0),),
    indexes=(RelationName(schema="public", name="order_items_open_idx"),),
    findings=(AcceptedFinding(key="deep-offset:x", reason="adopted 2026-01-12", until=date(2026, 6, 30)),),
)
EDITED = replace(
    INCIDENT,
    original="select * from order_items\nwhere product_sku = $1\n  and status = $2",
    difference=Difference(
        change=Change.EDITED,
        says="no longer uses order_items_open_idx, because the condition status = 'open' is gone",
        was=ACCEPTED,
        before=(replace(HOT, plan=parse_json([{"Plan": probe(1_204.5, 1_900)}])), planned("rare", probe(8.6, 12))),
    ),
    owners=("@shop/orders", "the night shift"),
)
REGRESSED = replace(
    INCIDENT,
    site=Site(source="app/cart.py", line=57),
    query=replace(
        query(),
        executions=312,
        samples=(("SKU-1", "pending"),),
        tags=(("framework", "django:5.2"), ("test", "tests/test_cart.py::test_total"), ("route", "cart/<int:pk>")),
        role="app",
        database="test_shop",
        repeats=Repeats(
            count=57,
            within="test",
            unit="tests/test_cart.py::test_total",
            site=Site(source="app/cart.py", line=57),
        ),
    ),
    difference=Difference(
        change=Change.REGRESSED,
        says="order_items grew from 40,000 to 2,000,000 rows, and the plan no longer uses order_items_open_idx",
        was=replace(ACCEPTED, text=TEXT),
    ),
)
NEW = replace(QUIET, difference=Difference(change=Change.NEW))
LOCKING = Finding(
    rule="index-not-concurrently",
    severity=Severity.ERROR,
    says="CREATE INDEX locks order_items (2,000,000 rows) against writes for about 4 s",
    key="index-not-concurrently:public.order_items:status",
    table=ITEMS,
    site=Site(source="db/migrations/0042_status.sql", line=7),
    remedy=Remedy(sql=("CREATE INDEX CONCURRENTLY order_items_status_idx ON public.order_items (status);",)),
)
STALE = Finding(
    rule="unused-allow",
    severity=Severity.WARNING,
    says="an accepted finding, deep-offset, no longer fires",
    key="unused-allow:deep-offset:x",
    site=Site(source="premortem.lock", line=12),
)


def partitioned(count: int) -> QueryReport:
    """A query over a table of many partitions, all alike but for one that is dearest."""
    scans = [
        scan(100.0 + (900 if n == 3 else 0), 5) | {"Relation Name": f"events_{n:03}", "Alias": f"events_{n:03}"}
        for n in range(count)
    ]
    append: dict[str, Json] = {"Node Type": "Append", "Total Cost": 100.0 * count + 900, "Plan Rows": 5.0 * count}
    only = planned("hot", {**append, "Plans": [{**s, "Parent Relationship": "Member"} for s in scans]})
    finding = replace(FINDING, node=(count - 1,), parameters="hot", remedy=None, key="partitioned")
    return replace(INCIDENT, planned=(only,), findings=(finding,), advice=(), also_at=())


def execution(name: str, node: dict[str, Json], ms: float, blocks: int, *values: str) -> Execution:
    ran = {**node, "Actual Startup Time": 0.02, "Actual Total Time": ms, "Actual Rows": 12, "Actual Loops": 1}
    told: dict[str, Json] = {**ran, "Shared Hit Blocks": blocks, "Shared Read Blocks": 0}
    plan = parse_json([{"Plan": told, "Execution Time": ms}])
    return Execution(
        parameters=ParameterSet(name=name, values=values, basis="a row of the mirror"),
        limit_ms=30_000.0,
        plan=plan,
        json=told,
        first_ms=ms * 1.5,
        first_read=blocks // 2,
        again_ms=(ms, ms * 1.1, ms * 0.9),
    )


PROVED = replace(
    INCIDENT,
    findings=(
        replace(
            FINDING,
            remedy=Remedy(
                sql=ADVICE.sql,
                undo=ADVICE.undo,
                proof=Proof.PROVED,
                before_cost=43_210.0,
                after_cost=8.57,
                measured="Executed on the mirror with the sampled values: 340 ms, 21,000 blocks → 0.4 ms, 5 blocks.",
            ),
        ),
    ),
    executed=Executed(
        place="database mirror on staging.example.com as ci",
        before=(
            execution("sampled", scan(43_210.0, 12), 340.0, 21_000, "SKU-004211", "shipped"),
            Execution(parameters=HOT.parameters, limit_ms=30_000.0),
        ),
        built=(Built(name="order_items_product_sku_status_idx", seconds=47.0, size_bytes=15_100_000),),
        after=(
            execution("sampled", probe(8.57, 12), 0.4, 5, "SKU-004211", "shipped"),
            execution("hot", probe(1_204.5, 1_900), 12.0, 1_800, "SKU-000042", "pending"),
        ),
    ),
)
QUICK = replace(
    NEW,
    executed=Executed(
        place="database mirror on staging.example.com as ci",
        before=(execution("literal", probe(8.57, 1), 0.2, 4),),
    ),
)

REPORTS: dict[str, Report] = {
    "executed": report(PROVED, QUICK),
    "changes": report(
        EDITED,
        REGRESSED,
        NEW,
        findings=(LOCKING, STALE),
        unchanged=4_990,
        gone=(replace(ACCEPTED, text="select 2"),),
    ),
    "partitions": report(partitioned(60)),
    "schema": report(QUIET, findings=(UNINDEXED,)),
    "incident": report(INCIDENT, QUIET, gaps=(GAP,)),
    "unknown": report(UNKNOWN, QUIET),
    "clean": report(QUIET, SKIPPED),
    "allowed": report(ALLOWED),
    "hostile": hostile(),
}
