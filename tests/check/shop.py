"""The shop of the tests: small enough to load in a few seconds, large enough to hurt."""

from __future__ import annotations

from premortem import pg

SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text NOT NULL, country text NOT NULL);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, status text NOT NULL,
    created_at timestamptz NOT NULL);
CREATE TABLE order_items (
    id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE, product_sku text NOT NULL,
    status text NOT NULL, quantity int NOT NULL, filler text NOT NULL);
CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL, tax numeric NOT NULL);
CREATE INDEX orders_customer_id_idx ON orders (customer_id);
SELECT setseed(0.5);
INSERT INTO countries SELECT 'C' || g, 'country ' || g, g FROM generate_series(1, 200) g;
INSERT INTO customers SELECT g, 'user' || g || '@example.org', 'C' || (g % 200 + 1) FROM generate_series(1, 20000) g;
INSERT INTO orders SELECT g, (random() * 19999)::int + 1,
    CASE WHEN random() < 0.001 THEN 'pending' WHEN random() < 0.1 THEN 'paid' ELSE 'shipped' END,
    timestamptz '2026-01-01 00:00+00' + g * interval '10 seconds' FROM generate_series(1, 100000) g;
INSERT INTO order_items SELECT g, (random() * 99999)::int + 1,
    'SKU-' || lpad((power(random(), 3) * 4999)::int::text, 6, '0'),
    (ARRAY['shipped', 'shipped', 'shipped', 'packed', 'pending', 'returned'])[1 + (random() * 5)::int],
    (random() * 9)::int + 1, repeat('x', 60) FROM generate_series(1, 300000) g;
VACUUM (ANALYZE) customers, orders, order_items, countries;
"""


def fill(db: pg.Session) -> None:
    """Create and fill the shop's tables."""
    for statement in SHOP.split(";\n"):
        if statement.strip():
            db.execute(statement)
