"""`diagnose` on servers under real load: what hurts is found in a second, and told without anybody's values."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from premortem import diagnosis, pg
from premortem.diagnosis import Ledger, Wanted
from premortem.model import AlertKind, Cause, Deploy, Now, Verdict
from premortem.report import Look
from premortem.report import now as report
from premortem.settings import Settings, Watching, WatchLimits
from tests.diagnosis import shop, traffic

ITEMS = "SELECT id, quantity FROM order_items WHERE product_sku = %(sku)s AND status = %(status)s"
VALUES = {"sku": "SKU-7", "status": "pending"}
EAGER = WatchLimits(mean_ms=1.0, running_seconds=0.4, idle_seconds=0.2, transaction_seconds=0.2)


def wanted(limits: WatchLimits = EAGER, **more: object) -> Wanted:
    settings = Settings(watching=Watching(limits=limits))
    return Wanted(seconds=0.6, budget=120.0, settings=settings, **more)  # type: ignore[arg-type]


def looked(dsn: str, how: Wanted | None = None) -> Now:
    with diagnosis.opened(dsn, "db-1") as reader:
        return diagnosis.look(reader, dsn, how or wanted())


@pytest.fixture
def store(database: str) -> str:
    shop.load(database)
    return database


def test_the_statement_under_load_is_the_worst_and_its_index_is_what_to_type(store: str) -> None:
    with traffic.running(store, traffic.asking(ITEMS, **VALUES), traffic.asking(ITEMS, **VALUES)):
        found = looked(store)
    worst = found.hurts[0]
    assert (worst.kind, found.verdict) == (AlertKind.SLOW, Verdict.FAIL)
    assert worst.statement is not None
    assert worst.statement.text == ITEMS.replace("%(sku)s", "$1").replace("%(status)s", "$2")
    assert worst.busy > 0.3
    assert worst.why is not None
    assert worst.why.cause is Cause.MISSING_INDEX
    assert "(product_sku, status)" in worst.why.actions[0].sql[0]
    assert worst.texts == ()
    assert "SKU-7" not in report.render(found, "json", look=Look())


@pytest.mark.pg(">= 17")
def test_without_a_store_the_counters_know_since_when_and_the_deploy_before_that_is_accused(store: str) -> None:
    with pg.writer(store, purpose="test") as db:
        now = db.value("SELECT now()")
    deploys = (Deploy(service="shop", revision="a7c3dbe", at=now - timedelta(minutes=2)),)
    with traffic.running(store, traffic.asking(ITEMS, **VALUES)):
        found = looked(store, wanted(ledger=Ledger(deploys=deploys)))
    why = found.hurts[0].why
    assert why is not None
    assert why.first_seen is not None
    assert abs(why.first_seen - now) < timedelta(minutes=5)
    assert [s.deploy.revision for s in why.suspects] == ["a7c3dbe"]


def test_who_blocks_whom_with_the_blockers_last_statement_but_not_its_values(store: str) -> None:
    update = "UPDATE orders SET status = 'alice@example.com' WHERE id = 1"
    with traffic.running(store, traffic.holding(update), application="billing"):
        traffic.until(store, "state = 'idle in transaction'")
        with traffic.running(store, traffic.once(update), traffic.once(update)):
            traffic.until(store, "wait_event_type = 'Lock' AND now() - query_start > interval '1.2 s'")
            found = looked(store)
    blocked = next(h for h in found.hurts if h.kind is AlertKind.BLOCKED)
    assert blocked.sessions == 2
    assert "(billing, idle in transaction" in blocked.says
    assert "its last statement: UPDATE orders SET status = $1 WHERE id = $2" in blocked.says
    assert blocked.why is not None
    assert blocked.why.cause is Cause.LOCKED
    assert blocked.why.actions[0].sql == (f"SELECT pg_catalog.pg_terminate_backend({blocked.subject});",)
    for form in report.FORMATS:
        assert "alice@example.com" not in report.render(found, form, look=Look())


def test_a_transaction_that_was_left_open(store: str) -> None:
    with traffic.running(store, traffic.holding("SELECT 1"), application="batch"):
        traffic.until(store, "state = 'idle in transaction'")
        found = looked(store)
    idle = next(h for h in found.hurts if h.kind is AlertKind.IDLE)
    assert "(batch, idle in transaction" in idle.says
    assert idle.why is not None
    assert idle.why.cause is Cause.TRANSACTION


def test_without_the_extension_sessions_tell(store: str) -> None:
    shop.run(store, "DROP EXTENSION pg_stat_statements")
    slow = (
        "SELECT count(*), 'alice@example.com' FROM order_items WHERE product_sku = 'SKU-1' AND pg_sleep(0.001) IS NULL"
    )
    with traffic.running(store, traffic.once("SELECT pg_sleep(30)"), traffic.once(slow)):
        traffic.until(
            store, "state = 'active' AND now() - query_start > interval '0.5 s' AND query LIKE '%order_items%'"
        )
        found = looked(store)
        shown = looked(store, wanted(show_values=True))
    assert {h.kind for h in found.hurts} == {AlertKind.RUNNING}
    assert any("pg_stat_statements" in g.subject + g.says for g in found.gaps)
    assert found.verdict is Verdict.FAIL
    assert "alice" not in report.render(found, "terminal", look=Look())
    assert "alice@example.com" in report.render(shown, "terminal", look=Look(width=500))


def test_a_quiet_server_hurts_nobody(store: str) -> None:
    found = looked(store, wanted(WatchLimits()))
    assert (found.hurts, found.verdict) == ((), Verdict.PASS)
    assert "NOTHING HURTS" in report.render(found, "terminal", look=Look())


def test_pg_monitor_is_enough_and_less_is_could_not_tell(store: str) -> None:
    shop.run(
        store, "DROP ROLE IF EXISTS monitor", "DROP ROLE IF EXISTS nobody",
        "CREATE ROLE monitor LOGIN IN ROLE pg_monitor", "CREATE ROLE nobody LOGIN",
    )  # fmt: skip
    with traffic.running(store, traffic.asking(ITEMS, **VALUES)):
        seen = looked(f"{store} user=monitor")
    unseen = looked(f"{store} user=nobody", wanted(WatchLimits()))
    shop.run(store, "DROP ROLE monitor", "DROP ROLE nobody")
    assert seen.hurts[0].why is not None
    assert seen.hurts[0].why.cause is Cause.MISSING_INDEX
    assert unseen.verdict is Verdict.UNKNOWN
    assert any("pg_monitor" in g.cure or "pg_read_all_stats" in g.cure for g in unseen.gaps)


def test_what_there_was_no_time_for_is_said(store: str) -> None:
    with traffic.running(store, traffic.asking(ITEMS, **VALUES)):
        found = looked(store, replace(wanted(), budget=0.0))
    assert found.hurts[0].why is None
    assert any(g.subject == "causes" for g in found.gaps)


def test_the_worst_cause_has_time_of_its_own(store: str) -> None:
    with traffic.running(store, traffic.asking(ITEMS, **VALUES)):
        found = looked(store, replace(wanted(), budget=0.0, worst=120.0))
    assert found.hurts[0].why is not None
    assert found.hurts[0].why.cause is Cause.MISSING_INDEX


def test_a_hostile_statement_steers_no_terminal_and_no_page(store: str) -> None:
    evil = (
        "SELECT pg_sleep(30) AS \"\x1b[2J<img src=x onerror=alert(1)>\", '\N{RIGHT-TO-LEFT OVERRIDE}::stop-commands::x'"
    )
    with traffic.running(store, traffic.once(evil), application="\x1b]0;evil\x07@channel"):
        traffic.until(store, "state = 'active' AND now() - query_start > interval '0.5 s' AND query LIKE '%pg_sleep%'")
        found = looked(store, wanted(show_values=True))
    assert found.hurts
    for form in report.FORMATS:
        shown = report.render(found, form, look=Look())
        assert "\x1b" not in shown
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in shown
