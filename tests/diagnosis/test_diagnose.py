"""The incidents, on real servers: the cause, the deploy that brought it, and what to type."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from premortem import catalog, diagnosis, pg
from premortem.diagnosis import Ledger, Offender, Sizes
from premortem.errors import ConnectionRefused
from premortem.model import (
    AlertKind,
    Backend,
    Baseline,
    Cause,
    Day,
    Deploy,
    Diagnosis,
    IndexSeen,
    Pool,
    Profile,
    RelationName,
    Seats,
    Values,
)
from tests.diagnosis import shop
from tests.diagnosis.shop import NOW

ITEMS = RelationName(schema="public", name="order_items")
ORDERS = RelationName(schema="public", name="orders")
SIX_WEEKS = timedelta(weeks=6)
PATIENT = 240.0  # seconds: what a busy machine needs for a twin is not what these are about


@pytest.fixture
def store(database: str) -> str:
    shop.load(database)
    return database


def diagnosed(database: str, offender: Offender, **known: object) -> Diagnosis:
    with diagnosis.connect(database) as live:
        given = {"seconds": PATIENT} | known
        return diagnosis.diagnose(offender, live=live, now=NOW, **given)  # type: ignore[arg-type]


def pulled(database: str) -> Profile:
    with pg.session(database, purpose="test") as db:
        return catalog.pull(db, values=Values.LOW_CARDINALITY)


def heals(database: str, found: Diagnosis) -> None:
    """Type what the diagnosis says first, and see that nothing is missing any more."""
    for sql in found.actions[0].sql:
        shop.run(database, sql)


def test_the_first_incident_a_composite_index_was_missing_for_six_weeks(store: str) -> None:
    """Shipped in a quiet month, and nobody shipped since; the table grew until it hurt."""
    ledger = Ledger(
        deploys=(
            Deploy(service="shop", revision="a7c3dbe", at=NOW - SIX_WEEKS - timedelta(minutes=4)),
            Deploy(service="shop", revision="fffffff", at=NOW - timedelta(weeks=2)),
        ),
        since=NOW - timedelta(weeks=30),
        sizes=(Sizes(at=NOW - timedelta(weeks=3), rows={ITEMS: 20_000.0}),),
    )
    offender = shop.offender(
        store, first_seen=NOW - SIX_WEEKS, seats=Seats(most=100, reserved=3, taken=97, active=60, idle_in_transaction=2)
    )
    found = diagnosed(store, offender, ledger=ledger)
    assert (found.cause, found.table) == (Cause.MISSING_INDEX, ITEMS)
    assert found.confidence >= 0.9
    assert found.actions[0].sql[0].startswith("CREATE INDEX CONCURRENTLY")
    assert "(product_sku, status)" in found.actions[0].sql[0]
    assert found.actions[0].undo[0].startswith("DROP INDEX CONCURRENTLY")
    assert found.actions[0].takes is not None
    assert found.suspects[0].deploy.revision == "a7c3dbe"
    assert "a7c3dbe of shop" in found.says
    assert "It occupies 1.87 of 97 connections" in found.says
    assert found.nothing_shipped.startswith("Nothing was shipped since")
    assert "order_items grew from 20,000 to 60,000 rows" in found.nothing_shipped
    assert "switch off what a7c3dbe of shop brought" in found.actions[1].says
    assert "Seq Scan on order_items" in found.plan
    assert found.plan_basis == "on the server itself, generic plan"
    assert found.took is not None
    heals(store, found)
    after = diagnosed(store, offender, ledger=ledger)
    assert after.cause is not Cause.MISSING_INDEX
    assert "Index" in after.plan


def test_the_second_incident_a_filter_on_a_status_that_was_shipped_minutes_ago(store: str) -> None:
    more = "INSERT INTO orders SELECT i, i % 5000, 'done', 1 FROM generate_series(30001, 150000) AS i"
    shop.run(store, more, shop.COUNTED, "ANALYZE orders")
    deploy = Deploy(service="api", revision="a7c3dbe", at=NOW - timedelta(minutes=6), url="https://ci/1")
    offender = shop.offender(store, shop.PENDING, first_seen=NOW - timedelta(minutes=5))
    found = diagnosed(store, offender, ledger=Ledger(deploys=(deploy,), services=("api",)))
    assert (found.cause, found.table) == (Cause.MISSING_INDEX, ORDERS)
    assert "status" in found.actions[0].sql[0]
    assert found.actions[1].says == "roll back a7c3dbe of api, 6 min ago (https://ci/1)"
    assert found.nothing_shipped == ""
    heals(store, found)
    assert diagnosed(store, offender).cause is not Cause.MISSING_INDEX


def test_an_index_vanished_that_the_plan_had_used(store: str) -> None:
    shop.run(store, "CREATE INDEX items_sku ON order_items (product_sku, status)")
    statement = shop.statement(store)
    with diagnosis.connect(store) as live:
        before = diagnosis.plan_shape(live, statement, NOW - timedelta(hours=1))
    definition = "CREATE INDEX items_sku ON public.order_items USING btree (product_sku, status)"
    shop.run(store, "DROP INDEX items_sku")
    gone = IndexSeen(
        database=shop.name_of(store),
        name=RelationName(schema="public", name="items_sku"),
        table=ITEMS,
        definition=definition,
    )
    deploy = Deploy(service="shop", revision="migrate1", at=NOW - timedelta(minutes=9))
    offender = shop.offender(
        store, kind=AlertKind.INDEX, gone=(gone,), plan_before=before, changed_at=NOW - timedelta(minutes=8)
    )
    found = diagnosed(store, offender, ledger=Ledger(deploys=(deploy,)))
    assert (found.cause, found.index, found.table) == (Cause.INDEX_VANISHED, "items_sku", ITEMS)
    assert found.confidence >= 0.95
    assert found.actions[0].sql == (
        "CREATE INDEX CONCURRENTLY items_sku ON public.order_items USING btree (product_sku, status);",
    )
    assert found.suspects[0].deploy.revision == "migrate1"
    assert "the index vanished 60 s after it" in found.suspects[0].basis or "1 min after it" in found.suspects[0].basis
    assert not any("order_items_product_sku_status_idx" in s for a in found.actions for s in a.sql)
    heals(store, found)
    assert diagnosed(store, offender).cause is not Cause.INDEX_VANISHED


def test_an_index_that_the_kept_profile_has_and_the_server_has_not(store: str) -> None:
    shop.run(store, "CREATE INDEX items_sku ON order_items (product_sku, status)")
    kept = pulled(store)
    shop.run(store, "DROP INDEX items_sku")
    found = diagnosed(store, shop.offender(store), profile=kept)
    assert (found.cause, found.index) == (Cause.INDEX_VANISHED, "items_sku")
    shop.run(store, "CREATE INDEX renamed ON order_items (product_sku, status)")
    assert diagnosed(store, shop.offender(store), profile=kept).cause is not Cause.INDEX_VANISHED


def test_who_dropped_an_index_is_who_shipped_before_it_got_slow(store: str) -> None:
    shop.run(store, "CREATE INDEX items_sku ON order_items (product_sku, status)")
    kept = pulled(store)
    shop.run(store, "DROP INDEX items_sku")
    ledger = Ledger(
        deploys=(
            Deploy(service="shop", revision="brought1", at=NOW - SIX_WEEKS),
            Deploy(service="shop", revision="dropped1", at=NOW - timedelta(minutes=4)),
        )
    )
    old = shop.offender(store, first_seen=NOW - SIX_WEEKS + timedelta(minutes=1), opened_at=NOW)
    found = diagnosed(store, old, profile=kept, ledger=ledger)
    assert found.cause is Cause.INDEX_VANISHED
    assert [one.deploy.revision for one in found.suspects] == ["dropped1"]
    assert found.suspects[0].basis == "it became slow without the index 4 min after it"


@pytest.mark.parametrize("kind", [AlertKind.BLOCKED, AlertKind.IDLE, AlertKind.POOL, AlertKind.CONNECTIONS])
def test_no_deploy_is_accused_of_what_is_no_statement(kind: AlertKind) -> None:
    shipped = Deploy(service="shop", revision="innocent", at=NOW - timedelta(minutes=1))
    offender = Offender(instance="db-1", database="shop", kind=kind, subject="812", first_seen=NOW)
    found = diagnosis.diagnose(offender, live=None, ledger=Ledger(deploys=(shipped,)), now=NOW)
    assert (found.suspects, found.first_seen) == ((), None)
    assert "innocent" not in found.says


def test_an_index_whose_concurrent_build_failed(store: str) -> None:
    shop.run(store, "UPDATE order_items SET product_sku = 'SKU-1', status = 'sent' WHERE id IN (1, 2)")
    with pytest.raises(Exception, match="could not create unique index"):
        shop.run(store, "CREATE UNIQUE INDEX CONCURRENTLY items_sku ON order_items (product_sku, status)")
    found = diagnosed(store, shop.offender(store))
    assert (found.cause, found.index) == (Cause.INDEX_INVALID, "items_sku")
    assert found.actions[0].sql == ("REINDEX INDEX CONCURRENTLY public.items_sku;",)


def test_statistics_that_are_older_than_the_rows(store: str) -> None:
    shop.run(
        store,
        "CREATE INDEX items_status ON order_items (product_sku, status)",
        "ALTER TABLE order_items SET (autovacuum_enabled = off)",
        "INSERT INTO order_items SELECT i, 1, 'SKU-9', 'lost', 1 FROM generate_series(100001, 220000) AS i",
        shop.COUNTED,
    )
    found = diagnosed(store, shop.offender(store))
    assert (found.cause, found.table) == (Cause.STALE_STATISTICS, ITEMS)
    assert "autovacuum is off" in found.says
    assert found.actions[0].sql == ("ANALYZE public.order_items;",)
    heals(store, found)
    assert diagnosed(store, shop.offender(store)).cause is not Cause.STALE_STATISTICS


def test_nothing_shipped_and_the_table_grew(store: str) -> None:
    """A query that has its index, and reads more of a table that has more."""
    text = "SELECT count(*) FROM order_items"
    ledger = Ledger(
        deploys=(Deploy(service="shop", revision="old", at=NOW - timedelta(days=200)),),
        since=NOW - timedelta(days=300),
        sizes=(Sizes(at=NOW - timedelta(days=40), rows={ITEMS: 10_000.0}),),
    )
    found = diagnosed(store, shop.offender(store, text, first_seen=NOW - timedelta(days=199)), ledger=ledger)
    assert found.cause in (Cause.GREW, Cause.QUERY)
    assert "order_items grew from 10,000 to 60,000 rows since 2026-10-13" in found.nothing_shipped


@pytest.fixture
def chain(store: str) -> Iterator[tuple[str, int, int]]:
    """A session that idles in a transaction, and one that waits for it."""
    done, ready = threading.Event(), threading.Event()
    pids: dict[str, int] = {}

    def hold() -> None:
        with contextlib.suppress(ConnectionRefused), pg.writer(store, purpose="test") as db, db.transaction():
            db.execute("UPDATE orders SET total = 1 WHERE id = 1")
            pids["holder"] = db.pid
            ready.set()
            done.wait(240)

    def wait() -> None:
        ready.wait(90)
        with pg.writer(store, purpose="test", lock_timeout=timedelta(minutes=4)) as db:
            pids["waiter"] = db.pid
            db.execute("UPDATE orders SET total = 2 WHERE id = 1")

    threads = [threading.Thread(target=hold), threading.Thread(target=wait)]
    for thread in threads:
        thread.start()
    with pg.writer(store, purpose="watching") as db:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0 AND datname = %(d)s"
        )
        while not (ready.is_set() and db.value(waiting, d=shop.name_of(store))):
            ready.wait(0.02)
    yield store, pids["holder"], pids["waiter"]
    done.set()
    for thread in threads:
        thread.join()


def test_sessions_that_wait_for_a_lock_have_nothing_wrong_with_their_plan(chain: tuple[str, int, int]) -> None:
    database, holder, waiter = chain
    sessions = (
        Backend(
            pid=holder,
            dbid=1,
            userid=1,
            application="billing",
            state="idle in transaction",
            state_change=NOW - timedelta(minutes=4),
        ),
        Backend(
            pid=waiter,
            dbid=1,
            userid=1,
            state="active",
            queryid=7,
            wait_type="Lock",
            wait="transactionid",
            blocked_by=(holder,),
        ),
    )
    offender = shop.offender(
        database,
        "UPDATE orders SET total = $1 WHERE id = $2",
        kind=AlertKind.RUNNING,
        backends=sessions,
        queryids=frozenset({7}),
    )
    found = diagnosed(database, offender)
    assert found.cause is Cause.LOCKED
    assert f"session {holder} (billing, idle in transaction for 4 min)" in found.says
    assert found.actions[0].sql == (f"SELECT pg_catalog.pg_terminate_backend({holder});",)
    shop.run(database, *found.actions[0].sql)
    end = time.monotonic() + 90
    with pg.writer(database, purpose="test") as db:
        while db.value("SELECT count(*) FROM pg_stat_activity WHERE pid = %(pid)s", pid=holder):
            assert time.monotonic() < end, "it was told to end, and did not"
            time.sleep(0.02)


def test_a_starved_pool_names_the_statement_that_holds_it_or_the_pool(store: str) -> None:
    pool = Pool(
        pooler="bouncer", database="shop", user="app", mode="transaction", clients_active=3, clients_waiting=5,
        servers_active=3, servers_idle=0, servers_used=0, longest_wait=timedelta(seconds=1.3), size=3,
    )  # fmt: skip
    idle = Offender(instance="db-1", database="shop", kind=AlertKind.POOL, pools=(pool,))
    found = diagnosis.diagnose(idle, live=None, now=NOW)
    assert found.cause is Cause.POOL
    assert "5 clients wait in PgBouncer bouncer for one of the 3 server connections" in found.says
    assert "raise default_pool_size" in found.actions[0].says
    most = (shop.statement(store), shop.window(calls=300))
    held = diagnosis.diagnose(replace(idle, heaviest=most), live=None, now=NOW)
    assert "2.8 of them are busy with the query on order_items" in held.says
    assert held.actions[0].command == f"premortem history {most[0].fingerprint}"
    assert not any("default_pool_size" in one.says for one in held.actions)
    busy = diagnosed(store, shop.offender(store, pools=(replace(pool, database=shop.name_of(store)),)))
    assert busy.cause is Cause.MISSING_INDEX
    assert "and 5 clients wait for it in PgBouncer bouncer" in busy.says
    fast = shop.offender(store, "SELECT id FROM orders WHERE id = $1", pools=(pool,), window=shop.window(mean_ms=300))
    assert diagnosed(store, fast).cause is not Cause.POOL  # a statement never waits for a pooler


def test_what_runs_more_often_than_ever(store: str) -> None:
    days = tuple(Day(day=(NOW - timedelta(days=n)).date(), calls=1_000, mean_ms=1.0) for n in range(9, 0, -1))
    offender = shop.offender(
        store,
        "SELECT id FROM orders WHERE id = $1",
        baseline=Baseline(median_ms=1.0, days=days),
        window=shop.window(calls=30_000, mean_ms=1.0),
    )
    found = diagnosed(store, offender)
    assert found.cause is Cause.TRAFFIC
    assert "100 times a second" in found.says


def test_without_a_server_the_kept_profile_answers(store: str) -> None:
    kept = pulled(store)
    found = diagnosis.diagnose(shop.offender(store), live=None, profile=kept, now=NOW, seconds=PATIENT)
    assert (found.cause, found.table) == (Cause.MISSING_INDEX, ITEMS)
    assert found.plan_basis.startswith("on a twin of the profile of")
    assert any(g.subject == "live server" for g in found.gaps)


def test_without_time_for_a_twin_the_live_plan_answers(store: str) -> None:
    found = diagnosed(store, shop.offender(store), seconds=0.0)
    assert (found.cause, found.table) == (Cause.MISSING_INDEX, ITEMS)
    assert found.confidence < 0.9
    assert any(g.subject == "twin" for g in found.gaps)
    assert "nobody tried it" in found.actions[0].says


def test_on_a_replica_the_index_is_made_on_the_primary(store: str) -> None:
    found = diagnosed(store, shop.offender(store, in_recovery=True))
    assert "on the primary" in found.actions[0].says


def test_what_a_concurrent_build_would_wait_for_is_said(store: str) -> None:
    old = Backend(
        pid=4711, dbid=1, userid=1, application="report", state="active", transaction_start=NOW - timedelta(hours=2)
    )
    found = diagnosed(store, shop.offender(store, backends=(old,)))
    assert "it first waits for session 4711 (report" in found.actions[0].says


def test_a_statement_on_partitions_is_told_by_its_table(database: str) -> None:
    shop.run(
        database,
        "CREATE TABLE events (id int, at date NOT NULL, kind text) PARTITION BY RANGE (at)",
        *(
            f"CREATE TABLE events_{n} PARTITION OF events FOR VALUES FROM ('2026-{n:02}-01') TO ('2026-{n + 1:02}-01')"
            for n in range(1, 7)
        ),
        "INSERT INTO events SELECT i, date '2026-01-01' + i % 180, 'k' || i % 5000 FROM generate_series(1, 90000) AS i",
        "ANALYZE events",
    )
    found = diagnosed(database, shop.offender(database, "SELECT * FROM events WHERE kind = $1"))
    assert (found.cause, found.table) == (Cause.MISSING_INDEX, RelationName(schema="public", name="events"))


def test_a_view_is_told_by_the_table_under_it(store: str) -> None:
    shop.run(store, "CREATE VIEW open_items AS SELECT * FROM order_items WHERE status <> 'done'")
    found = diagnosed(store, shop.offender(store, "SELECT * FROM open_items WHERE product_sku = $1"))
    assert (found.cause, found.table) == (Cause.MISSING_INDEX, ITEMS)


def test_no_value_of_a_row_is_in_a_diagnosis(store: str) -> None:
    shop.run(store, "UPDATE order_items SET product_sku = 'alice@example.com' WHERE id % 10 = 0", "ANALYZE order_items")
    found = diagnosed(store, shop.offender(store))
    assert "alice@example.com" not in repr(found)
    without = diagnosis.diagnose(shop.offender(store), live=None, profile=pulled(store), now=NOW, seconds=PATIENT)
    assert "alice@example.com" not in repr(replace(without, gaps=()))


def test_an_alert_about_an_index_needs_no_statement(store: str) -> None:
    name = RelationName(schema="public", name="items_sku")
    definition = "CREATE INDEX items_sku ON public.order_items USING btree (product_sku)"
    gone = IndexSeen(database=shop.name_of(store), name=name, table=ITEMS, definition=definition)
    offender = Offender(
        instance="db-1", database=shop.name_of(store), kind=AlertKind.INDEX, subject=name.sql, gone=(gone,),
        changed_at=NOW - timedelta(minutes=1),
    )  # fmt: skip
    found = diagnosed(store, offender)
    assert (found.cause, found.index, found.table) == (Cause.INDEX_VANISHED, "items_sku", ITEMS)
    assert found.confidence >= 0.9
    heals(store, found)
    shop.run(store, "UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'items_sku'::regclass")
    invalid = diagnosed(store, offender)
    assert (invalid.cause, invalid.index) == (Cause.INDEX_INVALID, "items_sku")


def test_a_transaction_of_a_service_is_told_by_its_oldest_session() -> None:
    def session(pid: int, application: str, minutes: int) -> Backend:
        since = NOW - timedelta(minutes=minutes)
        return Backend(
            pid=pid, dbid=1, userid=1, application=application, state="idle in transaction", state_change=since,
            transaction_start=since,
        )  # fmt: skip

    offender = Offender(
        instance="db-1", database="shop", kind=AlertKind.IDLE, subject="batch",
        backends=(session(1, "web", 90), session(2, "batch", 6), session(3, "batch", 12)),
    )  # fmt: skip
    found = diagnosis.diagnose(offender, live=None, now=NOW)
    assert found.cause is Cause.TRANSACTION
    assert found.says.startswith("Session 3 (batch, idle in transaction for 12 min)")
    assert found.actions[0].sql == ("SELECT pg_catalog.pg_terminate_backend(3);",)
    assert "idle_in_transaction_session_timeout" in found.actions[1].says


def test_connections_that_do_nothing_and_connections_that_work() -> None:
    idle = Seats(
        most=100, reserved=3, taken=90, active=4, idle_in_transaction=0, by_application=((("shop", "app", "web"), 80),)
    )
    offender = Offender(instance="db-1", database="shop", kind=AlertKind.CONNECTIONS, seats=idle)
    lazy = diagnosis.diagnose(offender, live=None, now=NOW)
    assert lazy.cause is Cause.CONNECTIONS
    assert "86 of 90 connections do nothing; 80 of them are web's" in lazy.says
    busy = diagnosis.diagnose(replace(offender, seats=replace(idle, active=80)), live=None, now=NOW)
    assert "80 of 90 connections work at once" in busy.says
    assert "more connections would make it slower" in busy.actions[0].says
