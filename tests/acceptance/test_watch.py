"""The two post-mortems again, this time in production: from the first slow call to a message that names the cause.

Real servers, real load, the watcher as a process of its own.  The window is short here, so that the tests are; how long
it takes with five minutes is measured in bench/watch/acceptance.py.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from premortem import pg
from premortem.demo import shop
from premortem.pg.places import drop, give, runner
from tests.daemon.household import TOKEN, Watcher, folder, load, toml, watcher
from tests.daemon.sink import Got, Sink, sink
from tests.ports import free_port

SETTINGS = """
[watch]
poll_seconds = 2
diagnosis_seconds = 60
listen = "127.0.0.1:0"
deploy_token = {token}
{state}

[watch.limits]
mean_ms = 6
window_seconds = 16
close_after_seconds = 4
new_heavy_share = 1
{limits}

[[instances]]
name = "shop-1"
dsn = {{ env = "SHOP_DSN" }}
services = ["orders", "users"]
owners = ["team-orders"]
{pooler}

[[channels]]
name = "ops"
kind = "webhook"
url = {url}
"""
ITEMS_OF_PRODUCT = shop.STATEMENT.replace("$1", "%s").replace("$2", "%s")
PENDING = "SELECT * FROM orders WHERE status = %s ORDER BY created_at LIMIT 50"
_names = itertools.count(1)


@pytest.fixture
def told() -> Iterator[Sink]:
    with sink() as one:
        yield one


@pytest.fixture
def place() -> Iterator[Path]:
    with folder() as one:
        yield one


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Makes databases with pg_stat_statements on a server, which are dropped afterwards."""
    made: list[tuple[pg.Server, str]] = []

    def make(server: pg.Server) -> str:
        name = f"watched_{next(_names)}"
        with pg.writer(server, purpose="test") as db:
            db.execute(f"CREATE DATABASE {name}")
        with pg.writer(server, purpose="test", database=name) as db:
            db.execute("CREATE EXTENSION pg_stat_statements")
            db.execute("SELECT pg_stat_statements_reset()")
        made.append((server, name))
        return server.dsn(name)

    yield make
    for server, name in made:
        with pg.writer(server, purpose="test") as db:
            db.execute(f"DROP DATABASE {name} WITH (FORCE)")


def settings(told: Sink, *, state: str = 'state_directory = "state"', limits: str = "", pooler: str = "") -> str:
    return SETTINGS.format(token=toml(TOKEN), url=toml(told.url), state=state, limits=limits, pooler=pooler)


def begun(one: Watcher) -> None:
    """Start a watcher, and wait until it has looked twice: what comes from now on is new."""
    one.start()
    one.says("event=watch.begins")
    end = time.monotonic() + 90
    while (one.gauge("premortem_polls_total") or 0) < 2:
        assert time.monotonic() < end, one.log
        time.sleep(0.1)


def turns(got: list[Got], *turns: str, kind: str = "slow-query") -> list[dict[str, Any]]:
    return [
        one.content["data"]
        for one in got
        if one.content["type"].rpartition(".")[2] in turns and one.content["data"]["kind"] == kind
    ]


def opened(told: Sink, kind: str = "slow-query", seconds: float = 120) -> dict[str, Any]:
    """Return the first message about an alert of that kind."""
    got = told.wait(lambda got: bool(turns(got, "opened", "diagnosed", kind=kind)), seconds)
    found = turns(got, "opened", "diagnosed", kind=kind)
    assert found, [one.content["type"] for one in got]
    return found[0]


def ship(one: Watcher, revision: str, ago: timedelta) -> None:
    at = (datetime.now(UTC) - ago).isoformat()
    assert one.ask("POST", "/deploys", {"service": "orders", "revision": revision, "at": at})[0] == 201


def test_the_query_that_was_shipped_six_weeks_before_it_hurt(
    place: Path, told: Sink, fresh: Any, server15: pg.Server, server18: pg.Server
) -> None:
    production, state = fresh(server15), fresh(server18)
    with pg.writer(production, purpose="test") as db:
        shop.load(db, 4_000)
    values = itertools.cycle([(f"SKU-{number:06}", "pending") for number in range(1, 40)])
    text = settings(told, state=f"store = {toml(state)}")
    with watcher(place, text, SHOP_DSN=production) as one:
        begun(one)
        with load(production, ITEMS_OF_PRODUCT, lambda n: next(values)) as running:
            one.says("event=daemon.begins")
            time.sleep(5)
            end = time.monotonic() + 90
            while running.calls <= 10 and time.monotonic() < end:
                time.sleep(0.1)
        assert running.calls > 10
        assert one.stop() == 0
    assert told.accepted() == []  # on little data it is quick, and nobody is told

    weeks_pass(state)
    with pg.writer(production, purpose="test") as db:
        db.execute(shop.queries["items"], items=250_000)
        db.execute("ANALYZE")

    with watcher(place, text, SHOP_DSN=production) as one:
        begun(one)
        for revision, ago in (("0ld", timedelta(days=60)), ("5eed123", timedelta(days=42, hours=3))):
            ship(one, revision, ago)
        for revision, ago in (("after", timedelta(days=20)), ("newest", timedelta(hours=1))):
            ship(one, revision, ago)
        with load(production, ITEMS_OF_PRODUCT, lambda n: next(values)) as running:
            alert = opened(told)
        took = told.accepted()[0].at - (running.first or 0)
    print(f"delivered {took:.1f} s after the first slow call")

    diagnosis = alert["diagnosis"]
    assert alert["urgency"] == "page"
    assert alert["stage"] == "opened"
    assert alert["statement"]["tables"] == ["order_items"]
    assert (diagnosis["cause"], diagnosis["table"]) == ("missing-index", "order_items")
    assert "(product_sku, status)" in diagnosis["actions"][0]["sql"][0]
    assert diagnosis["introduced_by"][0]["revision"] == "5eed123"
    assert "5eed123" in alert["title"]
    assert "newest" not in alert["title"] + alert["why"]


def weeks_pass(state: str) -> None:
    """Let everything that the store knows have happened six weeks earlier."""
    with pg.writer(state, purpose="test") as db:
        db.execute("UPDATE premortem.subject SET first_seen = first_seen - interval '42 days'")
        db.execute("UPDATE premortem.instance SET watched_since = watched_since - interval '90 days'")
        db.execute("UPDATE premortem.checkpoint SET state = NULL")
        assert db.value("SELECT count(*) FROM premortem.subject WHERE appeared") > 0


def test_the_deploy_that_hurts_at_once_and_the_index_that_ends_it(
    place: Path, told: Sink, fresh: Any, server18: pg.Server
) -> None:
    production = fresh(server18)
    with pg.writer(production, purpose="test") as db:
        db.execute(shop.queries["schema"])
        db.execute(shop.queries["orders"], items=1_200_000)
        db.execute("CREATE INDEX orders_customer_id_idx ON orders (customer_id)")
        db.execute("VACUUM ANALYZE")
    with (
        watcher(place, settings(told), SHOP_DSN=production) as one,
        load(production, "SELECT * FROM orders WHERE id = %s", lambda n: (n,), application="users"),
    ):
        begun(one)
        ship(one, "before", timedelta(days=3))
        ship(one, "a7c3dbe", timedelta(seconds=1))
        with load(production, PENDING, lambda n: ("pending",)) as running:
            alert = opened(told)
            print(f"delivered {told.accepted()[0].at - (running.first or 0):.1f} s after the first slow call")
            diagnosis = alert["diagnosis"]
            assert diagnosis["table"] == "orders"
            assert diagnosis["introduced_by"][0]["revision"] == "a7c3dbe"
            (sql,) = diagnosis["actions"][0]["sql"]
            assert "ON public.orders (status" in sql
            with pg.writer(production, purpose="test") as db:
                db.execute(sql)
            got = told.wait(lambda got: bool(turns(got, "closed")), 120)
        (closed,) = turns(got, "closed")
        assert closed["key"] == alert["key"]
        assert closed["opened_at"] == alert["opened_at"]
        assert len({one.content["id"] for one in got}) == len(got)
        assert one.stop() == 0


def test_a_query_that_never_comes_to_its_end(place: Path, told: Sink, fresh: Any, server18: pg.Server) -> None:
    """What only runs, and what statement_timeout cancels, is in no counter, and is told all the same."""
    production = fresh(server18)
    with pg.writer(production, purpose="test") as db:
        shop.load(db, 4_000)
    limits = "running_seconds = 1"
    slow = "SELECT pg_sleep(%s), count(*) FROM order_items WHERE product_sku = 'SKU-000001'"
    with watcher(place, settings(told, limits=limits), SHOP_DSN=production) as one:
        begun(one)
        with load(f"{production} options='-c statement_timeout=4s'", slow, lambda n: (60,)) as running:
            alert = opened(told, "running-query")
        assert running.calls == running.failures
        assert alert["database"] in production
        assert "order_items" in alert["statement"]["tables"]
        assert "60" not in alert["statement"]["text"]
        with pg.writer(production, purpose="test") as db:
            assert (
                db.value(
                    "SELECT count(*) FROM pg_stat_statements WHERE query LIKE 'SELECT pg_sleep%%order_items%%'",
                )
                == 0
            )


PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")


@contextlib.contextmanager
def bouncer(server: pg.Server, place: Path) -> Iterator[int]:
    """A PgBouncer with two server connections, and a console for its superuser."""
    port = free_port()
    home = place / "pgbouncer"
    home.mkdir()
    target = " ".join(part for part in server.dsn().split() if part.startswith(("host", "port")))
    (home / "users").write_text(f'"{server.superuser}" ""\n')
    (home / "ini").write_text(
        f"[databases]\n* = {target}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {home}/users\npool_mode = session\ndefault_pool_size = 2\n"
        f"admin_users = {server.superuser}\nlogfile = {home}/log\n"
    )
    for path in (home, *home.iterdir()):
        give(path, runner())
    process = subprocess.Popen([str(PGBOUNCER), "-q", str(home / "ini")], **drop(runner()))
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def test_a_pool_that_starves_before_an_idle_database(
    place: Path, told: Sink, fresh: Any, server18: pg.Server, pytestconfig: pytest.Config
) -> None:
    """Clients wait for a connection; max_connections and every statement of the server look fine."""
    if PGBOUNCER is None:
        (pytest.fail if pytestconfig.getoption("--require-pg") else pytest.skip)("pgbouncer is not on this machine")
    production = fresh(server18)
    name = production.rpartition("dbname=")[2].split()[0]
    with bouncer(server18, place) as port:
        console = f"host=127.0.0.1 port={port} user={server18.superuser} dbname=pgbouncer"
        pooler = f"poolers = [{{ name = 'bouncer', dsn = {toml(console)} }}]"
        with watcher(place, settings(told, pooler=pooler), SHOP_DSN=production) as one, contextlib.ExitStack() as held:
            begun(one)
            through = f"host=127.0.0.1 port={port} user={server18.superuser} dbname={name}"
            for _ in range(2):  # two clients sit on both connections, and do nothing
                held.enter_context(psycopg.connect(through, autocommit=True)).execute("SELECT 1")
            waiting = [threading.Thread(target=_knock, args=(through,), daemon=True) for _ in range(4)]
            for thread in waiting:
                thread.start()
            alert = opened(told, "pool-saturated")
            assert alert["instance"] == "shop-1"
            assert "bouncer" in str(alert["says"]) + alert["subject"]
            waits = one.gauge("premortem_pool_waiting", instance="shop-1", pooler="bouncer")
            assert waits == 4
            held.close()
            got = told.wait(lambda got: bool(turns(got, "closed", kind="pool-saturated")), 120)
            assert turns(got, "closed", kind="pool-saturated")


def _knock(dsn: str) -> None:
    with contextlib.suppress(psycopg.Error), psycopg.connect(dsn, connect_timeout=240, autocommit=True) as db:
        db.execute("SELECT 1")
