"""Pseudonyms change no plan: the same places of the statistics, asked by value and by pseudonym, cost the same."""

from __future__ import annotations

import pytest

from premortem import catalog, pg, plans, twin
from premortem.model import ParameterSet, Profile, Query, RelationName, Site, Values

# The same numbers each time, and no table larger than ANALYZE's sample, which is another each time.
SHOP = """
SELECT setseed(0.5);
CREATE TABLE customers (id bigint PRIMARY KEY, email text, country text, credit numeric(12,2), joined timestamptz);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int REFERENCES customers, status text, total numeric(10,2),
                     sku varchar(30), tags text[]);
CREATE TABLE items (order_id bigint REFERENCES orders, product_id int, token uuid, price float8);
INSERT INTO customers SELECT g, md5(g::text) || '@example.org', (ARRAY['de', 'fr', 'us'])[1 + g % 3],
    (random() ^ 3 * 100000)::numeric(12,2), timestamptz '2026-03-01Z' - g * interval '1 h'
    FROM generate_series(1, 3000) g;
INSERT INTO orders SELECT g, 1 + (random() ^ 3 * 2999)::int, CASE WHEN g % 200 = 0 THEN 'pending' ELSE 'done' END,
    (random() ^ 2 * 5000)::numeric(10,2), 'SKU-' || (random() ^ 2 * 500)::int, ARRAY['t' || g % 300, 'all']
    FROM generate_series(1, 30000) g;
INSERT INTO items SELECT 1 + (random() ^ 2 * 29999)::int, (random() ^ 4 * 999)::int, md5((g % 2000)::text)::uuid,
    random() FROM generate_series(1, 30000) g;
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (sku);
CREATE INDEX ON orders (total);
CREATE INDEX ON orders USING gin (tags);
CREATE INDEX ON items (order_id);
CREATE INDEX ON items (token);
CREATE INDEX ON customers (lower(email));
CREATE STATISTICS together ON customer_id, status FROM orders;
ANALYZE;
"""
QUERIES = [
    ("SELECT * FROM orders WHERE customer_id = $1", ("orders.customer_id",)),
    ("SELECT * FROM orders WHERE customer_id = $1 AND status = $2", ("orders.customer_id", "orders.status")),
    ("SELECT * FROM orders WHERE sku = $1", ("orders.sku",)),
    ("SELECT * FROM orders WHERE sku > $1 LIMIT 100", ("orders.sku",)),
    ("SELECT * FROM orders WHERE total > $1 ORDER BY total LIMIT 10", ("orders.total",)),
    ("SELECT * FROM orders WHERE id < $1", ("orders.id",)),
    ("SELECT * FROM orders WHERE tags && ARRAY[$1]::text[]", ("orders.tags",)),
    ("SELECT * FROM items WHERE token = $1 AND price < $2", ("items.token", "items.price")),
    ("SELECT * FROM items i JOIN orders o ON o.id = i.order_id WHERE i.product_id = $1", ("items.product_id",)),
    ("SELECT c.country, sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.credit > $1"
     " GROUP BY 1", ("customers.credit",)),
    ("SELECT count(*) FROM items a JOIN items b USING (product_id)", ()),
    ("SELECT * FROM items i JOIN orders o ON o.id = i.order_id ORDER BY o.id LIMIT 1000", ()),
]  # fmt: skip


def value(profile: Profile, name: str, place: float) -> str:
    """The value at a place of a column's statistics: its most common ones, then its histogram."""
    relation, _, column_name = name.partition(".")
    table = profile.table(RelationName(schema="public", name=relation))
    assert table is not None
    column = table.column(column_name)
    assert column is not None
    found = column.statistics[0]
    shown = found.most_common_elements or (*(found.most_common_values or ()), *(found.histogram_bounds or ()))
    return shown[int(place * (len(shown) - 1))]


def pulled(dsn: str, values: Values) -> Profile:
    with pg.session(dsn, purpose="test") as session:
        return catalog.pull(session, values=values)


def test_pseudonyms_give_the_same_plans_at_the_same_cost(database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute(SHOP)
    real, shown = pulled(database, Values.ALL), pulled(database, Values.LOW_CARDINALITY)
    assert value(real, "orders.status", 0) == value(shown, "orders.status", 0) == "done"
    assert value(real, "orders.sku", 0) != value(shown, "orders.sku", 0)
    with twin.open(real) as one, twin.open(shown) as other:
        for text, names in QUERIES:
            query = Query(text=text, original=text, fingerprint=text, site=Site(source="test"))
            for place in (0.0, 0.3, 0.7, 1.0):
                a, b = (
                    t.explain(query, ParameterSet(name="x", values=tuple(value(p, name, place) for name in names))).plan
                    for t, p in ((one, real), (other, shown))
                )
                assert plans.shape(a) == plans.shape(b), (text, place)
                # Inside a bucket of a histogram the planner interpolates, and there pseudonyms lie otherwise.
                assert a.total_cost == pytest.approx(b.total_cost, rel=0.05), (text, place)
