"""Alerts of real servers, 15 and 18: what somebody does to a table, and what the one on call is told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from premortem import pg, sampling, watch
from premortem.errors import PremortemError
from premortem.model import AlertChange, AlertKind, RelationName, Statement, StatementKey, Turn
from premortem.settings import Watching, WatchLimits

#: Seconds, where production has minutes: the rules are the same.
QUICK = Watching(
    poll_seconds=0.2,
    limits=WatchLimits(
        window_seconds=2,
        mean_ms=20,
        running_seconds=0.6,
        close_after_seconds=0.5,
        blocked_seconds=0.3,
        idle_seconds=0.5,
    ),
)


class Eye:
    """Looks at a server until something is told; after each look, another watcher goes on."""

    def __init__(self, reader: sampling.Reader) -> None:
        self.reader = reader
        self.state = watch.fresh("db-1")
        self.statements: dict[StatementKey, Statement] = {}
        self.changes: list[AlertChange] = []

    def look(self) -> None:
        sample = self.reader.sample(indexes=True)
        unseen = [moved.key for moved in sample.moved if moved.key not in self.statements]
        for key, text in self.reader.texts(unseen).items():
            database, role = sample.databases[key.dbid], sample.roles[key.userid]
            self.statements[key] = watch.identify(text, database, role, queryid=key.queryid)
        told = watch.Told(statements=self.statements)
        stepped = watch.step(self.state, sample, told, QUICK, datetime.now(UTC))
        self.state = watch.decode(json.loads(json.dumps(watch.encode(stepped.state))))
        self.changes += stepped.changes

    def until(self, kind: AlertKind, turn: Turn, table: str = "") -> AlertChange:
        """Look until that is told, and return it."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            for change in self.changes:
                if (change.alert.kind, change.turn) == (kind, turn) and table in change.alert.says:
                    return change
            time.sleep(0.2)
            self.look()
        raise AssertionError(f"no {kind} was {turn}: {[(c.alert.kind, c.turn, c.alert.says) for c in self.changes]}")


@contextmanager
def doing(database: str, *statements: str, again: bool = False) -> Iterator[None]:
    """Have the shop run statements in a session of its own meanwhile; it goes away with whatever it holds."""
    stop = threading.Event()

    def run() -> None:
        with contextlib.suppress(PremortemError), pg.writer(database, purpose="load") as db:
            db.execute("SET application_name = 'shop-web'")
            for statement in statements:
                db.tuples(statement)
            while not stop.wait(0.01):
                if again:
                    db.tuples(statements[-1])

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(90)


@pytest.fixture
def shop(database: str) -> str:
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE TABLE order_items (id int PRIMARY KEY, product_sku int, status text)")
        db.execute("INSERT INTO order_items SELECT n, n % 1000, 'open' FROM generate_series(1, 60000) n")
        db.execute("CREATE INDEX order_items_product_sku_idx ON order_items (product_sku)")
    return database


BY_SKU = "SELECT count(*), pg_sleep(0.03) FROM order_items WHERE product_sku = 7"


def test_an_index_goes_and_its_query_is_slow_until_it_is_back(shop: str) -> None:
    with sampling.open(shop, "db-1") as reader, pg.writer(shop, purpose="x") as db:
        eye = Eye(reader)
        with doing(shop, BY_SKU, again=True):
            slow = eye.until(AlertKind.SLOW, Turn.OPENED, "order_items by product_sku")
            assert slow.alert.statement is not None
            assert slow.alert.statement.tables == (RelationName(schema="", name="order_items"),)
            assert "7" not in slow.alert.statement.text
            db.execute("DROP INDEX order_items_product_sku_idx")
            gone = eye.until(AlertKind.INDEX, Turn.OPENED)
            assert gone.alert.subject == "public.order_items_product_sku_idx"
            assert gone.alert.says.endswith(
                "it was: CREATE INDEX order_items_product_sku_idx ON public.order_items USING btree (product_sku)"
            )
            db.execute("CREATE INDEX CONCURRENTLY again ON order_items (product_sku)")
            eye.until(AlertKind.INDEX, Turn.CLOSED)
        closed = eye.until(AlertKind.SLOW, Turn.CLOSED, "order_items by product_sku")
        assert closed.alert.opened_at == slow.alert.opened_at


def test_one_that_runs_one_that_idles_and_those_who_wait_are_told_apart(shop: str) -> None:
    with sampling.open(shop, "db-1") as reader, contextlib.ExitStack() as waiting, contextlib.ExitStack() as holding:
        eye = Eye(reader)
        eye.look()
        holding.enter_context(doing(shop, "BEGIN", "UPDATE order_items SET status = 'paid' WHERE id = 1"))
        idle = eye.until(AlertKind.IDLE, Turn.OPENED)
        assert "shop-web is idle in transaction" in idle.alert.says
        for _ in range(2):
            waiting.enter_context(doing(shop, "UPDATE order_items SET status = 'x' WHERE id = 1"))
        blocked = eye.until(AlertKind.BLOCKED, Turn.OPENED)
        assert "of shop-web, idle in transaction" in blocked.alert.says
        # Who blocks others is told as that.
        eye.until(AlertKind.IDLE, Turn.CLOSED)
        assert AlertKind.RUNNING not in {change.alert.kind for change in eye.changes}
        waiting.enter_context(doing(shop, "SELECT pg_sleep(600), status FROM order_items WHERE id = 5"))
        running = eye.until(AlertKind.RUNNING, Turn.OPENED)
        assert running.alert.provisional
        assert running.alert.statement is not None
        assert "id = $" in running.alert.statement.text
        with pg.writer(shop, purpose="x") as db:
            db.values("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'")
        holding.close()
        closed = eye.until(AlertKind.BLOCKED, Turn.CLOSED)
        assert closed.alert.key == blocked.alert.key
