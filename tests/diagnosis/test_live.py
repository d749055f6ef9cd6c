"""The plan on the live server: what can be planned is, what cannot gives its reason, and nothing stays behind."""

from __future__ import annotations

import pytest

from premortem import diagnosis, pg
from premortem.diagnosis import live as asking
from premortem.diagnosis.reading import readable
from premortem.errors import PremortemError, PrivilegeError, ServerTimeout, StatementError
from premortem.model import Gap, Query, RelationName, Statement
from tests.diagnosis import shop

PATIENT = 240.0  # seconds: what a busy machine needs for a twin is not what these are about


@pytest.fixture
def store(database: str) -> str:
    shop.load(database, items=20_000, orders=10_000)
    return database


def query(text: str) -> Query:
    found = readable(Statement(fingerprint="x", text=text, database="x"))
    assert isinstance(found, Query), found
    return found


@pytest.mark.parametrize(
    "text",
    [
        shop.ITEMS,
        "SELECT * FROM orders WHERE id IN ($1 /*, ... */)",
        "SELECT * FROM orders WHERE total > 12.5 AND status = 'pending' LIMIT $1",
        "UPDATE orders SET status = $1 WHERE id = $2",
        "DELETE FROM orders WHERE status = $1",
        "INSERT INTO orders VALUES ($1, $2, $3, $4)",
        "SELECT id FROM orders WHERE status = $1 FOR UPDATE SKIP LOCKED",
        "WITH gone AS (DELETE FROM order_items WHERE id = $1 RETURNING *) SELECT * FROM gone",
        "SELECT now() - interval $1",
        "SELECT 1",
    ],
)
def test_statements_as_pg_stat_statements_keeps_them_are_planned(store: str, text: str) -> None:
    with diagnosis.connect(store) as live:
        plan = asking.explain(live, query(text), "public")
        assert plan.text
        assert plan.plan.root.kind
        assert live.value("SELECT count(*) FROM pg_catalog.pg_prepared_statements") == 0
        assert live.value("SELECT count(*) FROM public.orders") == 10_000


def test_a_plan_holds_no_value_that_the_text_was_kept_with(store: str) -> None:
    with diagnosis.connect(store) as live:
        plan = asking.explain(live, query("SELECT * FROM orders WHERE status = 'Bob Smith'"), "public")
    assert "Smith" not in plan.text


def test_a_type_that_the_server_cannot_tell_is_asked_of_the_twin(store: str) -> None:
    text = "SELECT id FROM order_items WHERE ($1 IS NULL OR product_sku = $1) AND status = $2"
    with diagnosis.connect(store) as live:
        with pytest.raises(StatementError) as refused:
            asking.explain(live, query(text), "public")
        assert asking.is_indeterminate(refused.value)
        assert live.value("SELECT count(*) FROM pg_catalog.pg_prepared_statements") == 0
        plan = asking.explain(live, query(text), "public", ("text", "text"))
        assert "order_items" in plan.text
        told = diagnosis.diagnose(shop.offender(store, text), live=live, now=shop.NOW, seconds=PATIENT)
    assert told.plan_basis.startswith("on the server itself")


def test_a_role_that_may_not_read_the_table_gets_the_twins_plan_and_is_told_what_to_grant(store: str) -> None:
    more = "INSERT INTO order_items SELECT i, 1, 'SKU-' || i % 2000, 'sent', 1 FROM generate_series(20001, 80000) AS i"
    shop.run(store, more, shop.COUNTED, "ANALYZE order_items")
    shop.run(store, "DROP ROLE IF EXISTS watcher", "CREATE ROLE watcher LOGIN IN ROLE pg_monitor")
    with diagnosis.connect(f"{store} user=watcher") as live:
        with pytest.raises(PrivilegeError):
            asking.explain(live, query(shop.ITEMS), "public")
        told = diagnosis.diagnose(shop.offender(store), live=live, now=shop.NOW, seconds=PATIENT)
    assert told.table == RelationName(schema="public", name="order_items")
    gap = next(g for g in told.gaps if g.subject == "live plan")
    assert "GRANT SELECT" in gap.cure
    assert "twin" in told.plan_basis
    shop.run(store, "DROP ROLE watcher")


def test_a_table_that_is_locked_is_not_waited_for(store: str) -> None:
    with pg.writer(store, purpose="test") as other, other.transaction():
        other.execute("LOCK TABLE order_items IN ACCESS EXCLUSIVE MODE")
        with diagnosis.connect(store) as live:
            with pytest.raises(ServerTimeout):
                asking.explain(live, query(shop.ITEMS), "public")
            told = diagnosis.diagnose(shop.offender(store), live=live, now=shop.NOW, seconds=PATIENT)
    assert any(g.subject == "live plan" for g in told.gaps)
    assert told.says


def test_a_function_that_planning_would_run_for_minutes_is_stopped(store: str) -> None:
    shop.run(
        store, "CREATE FUNCTION slow() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1 FROM pg_catalog.pg_sleep(60)'"
    )
    with diagnosis.connect(store, seconds=0.5) as live:
        with pytest.raises(ServerTimeout):
            asking.explain(live, query("SELECT * FROM orders WHERE id = slow() + $1"), "public")
        assert live.value("SELECT 1") == 1


@pytest.mark.parametrize(
    "text",
    [
        "", "<insufficient privilege>", "SELECT 1; DROP TABLE orders", "SELECT * FROM orders WHERE note = 'cut off he",
        "VACUUM orders", "\x1b[2J<script>alert(1)</script>", "(" * 5_000, "SELECT " + "1+" * 60_000 + "1",
        "SELECT /* \N{RIGHT-TO-LEFT OVERRIDE} */ FROM", "COMMIT", "CALL f($1)",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_never_sent_to_the_server(database: str, text: str) -> None:
    shop.run(database, "CREATE TABLE orders AS SELECT 1 AS id")
    statement = Statement(fingerprint="x", text=text, database="x")
    assert isinstance(readable(statement), Gap)
    with diagnosis.connect(database) as live:
        told = diagnosis.diagnose(
            diagnosis.Offender(instance="db-1", database="x", statement=statement), live=live, now=shop.NOW
        )
        with pytest.raises(StatementError):
            diagnosis.plan_shape(live, statement, shop.NOW)
        assert live.value("SELECT count(*) FROM public.orders") == 1
    assert told.gaps
    assert told.confidence <= 0.2


def test_names_are_found_along_the_search_path_of_the_role_that_runs_the_statement(store: str) -> None:
    database = shop.name_of(store)
    shop.run(
        store,
        "CREATE SCHEMA tenant; CREATE TABLE tenant.order_items (LIKE public.order_items)",
        "DROP ROLE IF EXISTS app", "CREATE ROLE app LOGIN", "GRANT USAGE ON SCHEMA tenant TO app",
        f'ALTER ROLE app IN DATABASE {database} SET search_path = tenant, "$user", public',
    )  # fmt: skip
    with diagnosis.connect(store) as live:
        path = asking.search_path(live, "app")
        assert path == "tenant, app, public"
        wanted = (RelationName(schema="", name="order_items"), RelationName(schema="", name="nowhere"))
        assert asking.resolved(live, wanted, path) == (RelationName(schema="tenant", name="order_items"),)
        assert asking.search_path(live, "") == "public"
    shop.run(store, "DROP SCHEMA tenant CASCADE", "DROP OWNED BY app", "DROP ROLE app")


def test_the_shape_of_a_plan_changes_with_the_index_and_not_with_the_figures(store: str) -> None:
    statement = shop.statement(store)
    with diagnosis.connect(store) as live:
        before = diagnosis.plan_shape(live, statement, shop.NOW)
    shop.run(store, "INSERT INTO order_items SELECT i, 1, 'x', 'y', 1 FROM generate_series(30000, 30500) i; ANALYZE")
    with diagnosis.connect(store) as live:
        grown = diagnosis.plan_shape(live, statement, shop.NOW)
    shop.run(store, "CREATE INDEX found ON order_items (product_sku)")
    with diagnosis.connect(store) as live:
        after = diagnosis.plan_shape(live, statement, shop.NOW)
    assert before.shape == grown.shape != after.shape
    assert [i.name for i in after.indexes] == ["found"]


def test_a_server_that_is_gone_is_a_reason_and_not_a_crash(store: str) -> None:
    with diagnosis.connect(store) as live:
        shop.run(store, f"SELECT pg_terminate_backend({live.pid})")
        told = diagnosis.diagnose(shop.offender(store), live=live, now=shop.NOW, seconds=PATIENT)
    assert any(g.subject == "live server" for g in told.gaps)
    error = PremortemError("every connection slot is taken", hint="try later")
    refused = diagnosis.diagnose(shop.offender(store), live=error, now=shop.NOW)
    assert [g.cure for g in refused.gaps if g.subject == "live server"] == ["try later"]
