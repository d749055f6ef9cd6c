"""The two seed incidents and one alert of every kind, as watching and diagnosis would make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from premortem.model import (
    Action,
    Alert,
    AlertChange,
    AlertKind,
    Cause,
    Confidence,
    Deploy,
    Diagnosis,
    Evidence,
    Gap,
    RelationName,
    Source,
    Statement,
    Suspect,
    Turn,
    Urgency,
    Window,
    alert_key,
)

AT = datetime(2026, 3, 24, 14, 37, 12, tzinfo=UTC)
ORDER_ITEMS = RelationName(schema="public", name="order_items")
ORDERS = RelationName(schema="public", name="orders")

PRODUCT_SKU = Statement(
    fingerprint="a3f1c09be2d47781",
    text="select id, order_id, quantity from order_items where product_sku = $1 and status = $2",
    database="shop",
    role="shop_app",
    tables=(ORDER_ITEMS,),
)
SIX_WEEKS_AGO = Deploy(
    service="order-api",
    revision="9f2b7c1d5e6a48b3c0d1e2f3a4b5c6d7e8f90a1b",
    at=datetime(2026, 2, 10, 9, 12, tzinfo=UTC),
    author="dana",
    url="https://git.example/shop/commit/9f2b7c1d",
)
MISSING_SKU = Diagnosis(
    cause=Cause.MISSING_INDEX,
    says=(
        "No index of order_items covers product_sku and status together: the query reads 2,100,000 rows to keep 12. "
        "It came with order-api 9f2b7c1d5e6a six weeks ago and grew slow with the table."
    ),
    confidence=0.93,
    table=ORDER_ITEMS,
    index="order_items_product_sku_status_idx",
    first_seen=datetime(2026, 2, 10, 9, 14, tzinfo=UTC),
    suspects=(
        Suspect(deploy=SIX_WEEKS_AGO, basis="the last deploy before the query was first seen", confidence=0.9),
        Suspect(
            deploy=replace(
                SIX_WEEKS_AGO, revision="v412", author="", url="", at=datetime(2026, 2, 9, 16, 0, tzinfo=UTC)
            ),
            basis="the one before",
            confidence=0.06,
        ),
    ),
    actions=(
        Action(
            says="create the index: about 47 s to build, 63 MB",
            sql=(
                "CREATE INDEX CONCURRENTLY order_items_product_sku_status_idx "
                "ON public.order_items (product_sku, status)",
            ),
            undo=("DROP INDEX CONCURRENTLY public.order_items_product_sku_status_idx",),
            proof="likely: planned on a twin of this server, cost 48,211 to 8.6 (5,606 times less)",
            takes=timedelta(seconds=47),
        ),
        Action(
            says="switch off what 9f2b7c1d of order-api brought; rolling it back takes with it all that was shipped "
            "in the 42 days since",
            proof="advice",
        ),
    ),
    evidence=(
        Evidence(name="connections of the pool", value="20 of 20 taken", source=Source.MEASURED),
        Evidence(name="rows of order_items", value=2_100_000.0, unit="rows", source=Source.STATISTICS),
    ),
    plan=(
        "Gather  (cost=1000.00..48211.20 rows=12 width=24)\n"
        "  Workers Planned: 2\n"
        "  ->  Parallel Seq Scan on order_items  (cost=0.00..47210.00 rows=5 width=24)\n"
        "        Filter: ((product_sku = $1) AND (status = $2))"
    ),
    plan_basis="on db-1 itself, generic plan",
    gaps=(
        Gap(
            subject="deploys of billing",
            says="none was ever recorded, so that billing can be no suspect",
            cure="premortem deploy record --service billing",
        ),
    ),
)
WINDOW = Window(
    ends_at=AT,
    length=timedelta(seconds=300),
    covered=timedelta(seconds=300),
    calls=1_494,
    total_ms=4_200_000,
    squares=1.2e10,
    instance_ms=5_915_000,
)


def alert(kind: AlertKind, subject: str, says: str, **others: object) -> Alert:
    given: dict[str, object] = {
        "instance": "db-1",
        "database": "shop",
        "urgency": Urgency.TICKET,
        "opened_at": AT,
        "changed_at": AT,
        **others,
    }
    key = alert_key(str(given["instance"]), str(given["database"]), kind, subject)
    return Alert(key=key, kind=kind, subject=subject, says=says, **given)  # type: ignore[arg-type]


FIRST_SEED = alert(
    AlertKind.SLOW,
    PRODUCT_SKU.fingerprint,
    "order_items by product_sku and status: 2.8 s mean over 5 min (limit 100 ms), 1,494 calls, "
    "71 % of the database's time, occupies 14 connections",
    urgency=Urgency.PAGE,
    value=2_811.2,
    limit=100.0,
    worst=2_811.2,
    statement=PRODUCT_SKU,
    window=WINDOW,
    services=("order-api",),
    owners=("@shop/orders",),
    diagnosis=MISSING_SKU,
)

PENDING = Statement(
    fingerprint="77d0e4b1c2a95f36",
    text="/*service='user-api',revision='a7c3dbe'*/ select * from orders where status = $1 order by id limit $2",
    database="users",
    role="user_api",
    tables=(ORDERS,),
    tags=(("revision", "a7c3dbe"), ("service", "user-api")),
)
AT_TWO = datetime(2025, 8, 1, 14, 5, 3, tzinfo=UTC)
SECOND_SEED = alert(
    AlertKind.RUNNING,
    PENDING.fingerprint,
    "orders by status: 9 executions have been running for up to 6.2 s (limit 5 s), none has ended yet",
    instance="users-db",
    database="users",
    opened_at=AT_TWO,
    changed_at=AT_TWO,
    urgency=Urgency.PAGE,
    value=6_200.0,
    limit=5_000.0,
    worst=6_200.0,
    provisional=True,
    statement=PENDING,
    services=("user-api",),
    evidence=(Evidence(name="connections", value="88 of 97 taken", source=Source.MEASURED),),
    diagnosis=Diagnosis(
        cause=Cause.MISSING_INDEX,
        says=(
            "No index of orders has status: each call reads 2,000,000 rows. The query came with user-api a7c3dbe, "
            "2 min before the first slow call."
        ),
        confidence=0.97,
        table=ORDERS,
        index="orders_status_id_idx",
        first_seen=AT_TWO - timedelta(minutes=2),
        suspects=(
            Suspect(
                deploy=Deploy(
                    service="user-api",
                    revision="a7c3dbe",
                    at=AT_TWO - timedelta(minutes=4),
                    author="sam",
                    url="https://git.example/users/commit/a7c3dbe",
                ),
                basis="the query's own comment names it",
                confidence=0.99,
            ),
        ),
        actions=(
            Action(
                says="create the index: about 1.2 s to build, 43 MB",
                sql=("CREATE INDEX CONCURRENTLY orders_status_id_idx ON public.orders (status, id)",),
                undo=("DROP INDEX CONCURRENTLY public.orders_status_id_idx",),
                proof="likely: planned on a twin of this server, cost 61,870 to 4.4 (14,061 times less)",
                takes=timedelta(seconds=1.2),
            ),
            Action(says="roll back a7c3dbe of user-api, 4 min ago", proof="advice"),
        ),
        plan="Limit\n  ->  Sort\n        Sort Key: id\n        ->  Seq Scan on orders\n"
        "              Filter: (status = $1)",
        plan_basis="on users-db itself, generic plan",
    ),
)

KINDS: Mapping[str, Alert] = {
    "slow-query": replace(FIRST_SEED, diagnosis=None, urgency=Urgency.TICKET),
    "running-query": replace(SECOND_SEED, diagnosis=None),
    "rising-query": alert(
        AlertKind.RISING,
        PRODUCT_SKU.fingerprint,
        "order_items by product_sku and status: the mean rose from 3.1 ms to 41 ms in 14 days at the same plan; at "
        "this pace it is over 100 ms in 5 days",
        value=41.0,
        limit=100.0,
        worst=41.0,
        statement=PRODUCT_SKU,
        diagnosis=Diagnosis(
            cause=Cause.GREW,
            says="Nothing was shipped: order_items grew from 150,000 to 2,100,000 rows, and the query reads all of it.",
            confidence=0.8,
            table=ORDER_ITEMS,
            nothing_shipped="no deploy of order-api since 10 Feb; the table grew",
        ),
    ),
    "new-heavy-query": alert(
        AlertKind.HEAVY,
        PENDING.fingerprint,
        "orders by status: first seen 20 min ago, 38 % of the database's time",
        value=38.0,
        limit=2.0,
        unit="%",
        worst=38.0,
        statement=PENDING,
    ),
    "plan-changed": alert(
        AlertKind.PLAN,
        PENDING.fingerprint,
        "orders by status: 4.1 ms became 620 ms with another plan: Index Scan became Seq Scan",
        value=620.0,
        limit=8.2,
        worst=620.0,
        statement=PENDING,
        diagnosis=Diagnosis(
            cause=Cause.STALE_STATISTICS,
            says="The statistics of orders are from before the import of 13:50: they know 9,000 of 2,000,000 rows.",
            confidence=0.85,
            table=ORDERS,
            actions=(Action(says="read the statistics anew", sql=("ANALYZE public.orders",)),),
        ),
    ),
    "index-vanished": alert(
        AlertKind.INDEX,
        "public.orders_status_idx",
        "index orders_status_idx of orders (status) is gone since 14:36 UTC, and the table is still there",
        urgency=Urgency.PAGE,
        unit="",
        diagnosis=Diagnosis(
            cause=Cause.INDEX_VANISHED,
            says="orders_status_idx was dropped between 14:35 and 14:36 UTC; 3 queries had used it.",
            confidence=1.0,
            table=ORDERS,
            index="orders_status_idx",
            actions=(
                Action(
                    says="make it again",
                    sql=("CREATE INDEX CONCURRENTLY orders_status_idx ON public.orders USING btree (status)",),
                    takes=timedelta(seconds=3),
                ),
            ),
        ),
    ),
    "pool-saturated": alert(
        AlertKind.POOL,
        "pgbouncer-1/shop/shop_app",
        "pool shop of shop_app at pgbouncer-1: 5 clients wait, the first for 1.3 s; 3 of 3 server connections taken, "
        "while the database uses 3 of 97",
        urgency=Urgency.PAGE,
        value=1.3,
        limit=1.0,
        unit="s",
        worst=1.3,
        evidence=(Evidence(name="clients that wait", value=5.0, source=Source.MEASURED),),
    ),
    "connections-saturated": alert(
        AlertKind.CONNECTIONS,
        "connections",
        "91 of 97 connections are taken (limit 80 %); order-api has 60 of them",
        database="",
        value=91.0,
        limit=77.6,
        unit="connections",
        worst=91.0,
    ),
    "long-transaction": alert(
        AlertKind.TRANSACTION,
        "etl",
        "a transaction of etl (nightly) has been open for 2 h 10 min (limit 5 min), process 4711",
        value=7_800.0,
        limit=300.0,
        unit="s",
        worst=7_800.0,
    ),
    "idle-in-transaction": alert(
        AlertKind.IDLE,
        "shop_app",
        "a session of shop_app (order-api) has been idle in transaction for 6 min 2 s (limit 5 min), process 812",
        value=362.0,
        limit=300.0,
        unit="s",
        worst=362.0,
    ),
    "blocked-sessions": alert(
        AlertKind.BLOCKED,
        "migrate",
        "7 sessions wait for process 932 of migrate, the first for 41 s: ALTER TABLE holds AccessExclusiveLock",
        urgency=Urgency.PAGE,
        value=41.0,
        limit=10.0,
        unit="s",
        worst=41.0,
        evidence=(
            Evidence(name="sessions that wait", value=7.0, source=Source.MEASURED),
            Evidence(name="pid that blocks", value="932", source=Source.MEASURED),
            Evidence(name="who blocks", value="migrate", source=Source.MEASURED),
        ),
    ),
    "instance-unreached": alert(
        AlertKind.UNREACHED,
        "db-1",
        "db-1 did not answer 3 polls in a row: connection refused",
        database="",
        urgency=Urgency.PAGE,
        value=3.0,
        limit=3.0,
        unit="polls",
        worst=3.0,
    ),
}

MANY = replace(
    FIRST_SEED,
    key=alert_key("db-1", "shop", AlertKind.SLOW, "table order_items"),
    subject="table order_items",
    says=f"7 statements on order_items are too slow; the worst: {FIRST_SEED.says}",
)
DOUBTFUL = replace(
    KINDS["slow-query"],
    window=replace(
        WINDOW,
        covered=timedelta(seconds=180),
        confidence=Confidence.LOW,
        doubts=("pg_stat_statements evicted entries in this window: calls may be missing",),
    ),
)


def change(turn: Turn, one: Alert, *, after: timedelta = timedelta(), **others: object) -> AlertChange:
    """Return a change of an alert some time after its opening."""
    turns = 1 + int(after.total_seconds())
    changed = replace(one, changed_at=one.opened_at + after, turns=turns, **others)  # type: ignore[arg-type]
    return AlertChange(turn=turn, alert=changed, at=one.opened_at + after)


def closed(one: Alert, after: timedelta = timedelta(minutes=42)) -> AlertChange:
    return change(Turn.CLOSED, one, after=after, closed_at=one.opened_at + after, value=one.limit * 0.1)


def cases() -> Mapping[str, AlertChange]:
    """Return what the golden messages are of, by name."""
    half_an_hour = timedelta(minutes=30)
    worse = replace(FIRST_SEED, value=6_120.0, worst=6_120.0)
    better = replace(FIRST_SEED, value=340.0)
    found = {
        "first-seed-opened": change(Turn.OPENED, FIRST_SEED),
        "first-seed-worse": change(Turn.WORSE, worse, after=half_an_hour),
        "first-seed-better": change(Turn.BETTER, better, after=half_an_hour),
        "first-seed-diagnosed": change(Turn.DIAGNOSED, FIRST_SEED, after=timedelta(seconds=9)),
        "first-seed-closed": closed(FIRST_SEED),
        "second-seed-opened": change(Turn.OPENED, SECOND_SEED),
        "second-seed-closed": closed(SECOND_SEED, timedelta(minutes=17)),
        "doubtful-opened": change(Turn.OPENED, DOUBTFUL),
        "many-opened": change(Turn.OPENED, MANY),
    }
    opened = {f"{name}-opened": change(Turn.OPENED, one) for name, one in KINDS.items()}
    return {**found, **opened, **{f"{name}-closed": closed(one) for name, one in KINDS.items()}}
