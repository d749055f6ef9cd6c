"""A shop small enough for a test and large enough for a sequential scan to hurt, and the two incidents in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from premortem import pg, watch
from premortem.diagnosis import Offender
from premortem.model import AlertKind, Statement, Window

NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
ITEMS = "SELECT id, quantity FROM order_items WHERE product_sku = $1 AND status = $2"
PENDING = "SELECT id, customer_id FROM orders WHERE status = $1"

#: Else what a session wrote is counted up to a second later, and after an ANALYZE as if it had come after it.
COUNTED = "SELECT pg_catalog.pg_stat_force_next_flush()"

SCHEMA = """
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL, total numeric(10, 2));
CREATE TABLE order_items (
    id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders, product_sku text NOT NULL, status text NOT NULL,
    quantity int NOT NULL
);
INSERT INTO orders
    SELECT i, i % 5000, CASE WHEN i % 1000 = 0 THEN 'pending' ELSE 'done' END, i % 100
    FROM generate_series(1, {orders}) AS i;
INSERT INTO order_items
    SELECT i, 1 + i % {orders}, 'SKU-' || i % 2000, (ARRAY['pending', 'packed', 'sent', 'done'])[1 + i % 4], 1
    FROM generate_series(1, {items}) AS i;
"""


def load(database: str, items: int = 60_000, orders: int = 30_000) -> None:
    run(database, SCHEMA.format(items=items, orders=orders), COUNTED, "ANALYZE orders", "ANALYZE order_items")


def run(database: str, *statements: str) -> None:
    with pg.writer(database, purpose="test") as db:
        for statement in statements:
            db.execute(statement)


def name_of(database: str) -> str:
    with pg.writer(database, purpose="test") as db:
        return str(db.value("SELECT current_database()"))


def statement(database: str, text: str = ITEMS, role: str = "") -> Statement:
    return watch.identify(text, name_of(database), role)


def window(calls: int = 200, mean_ms: float = 2800.0, share: float = 0.7) -> Window:
    total = calls * mean_ms
    return Window(
        ends_at=NOW, length=timedelta(minutes=5), covered=timedelta(minutes=5), calls=calls, total_ms=total,
        squares=calls * mean_ms**2, instance_ms=total / share,
    )  # fmt: skip


def offender(database: str, text: str = ITEMS, **more: object) -> Offender:
    known: dict[str, object] = {"kind": AlertKind.SLOW, "statement": statement(database, text), "window": window()}
    return Offender(instance="db-1", database=name_of(database), **(known | more))  # type: ignore[arg-type]
