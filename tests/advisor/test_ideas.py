"""What one look at a query's plans suggests to the search for a whole workload; PostgreSQL takes all of it."""

from __future__ import annotations

from itertools import chain

import pytest

from premortem import advisor, catalog, pg, plans
from premortem.model import IndexCandidate, ParameterSet, Planned, RelationName, Values

from .conftest import Shop

ORDERS = RelationName(schema="public", name="orders")


def candidates(look: advisor.Look) -> tuple[IndexCandidate, ...]:
    return tuple(chain.from_iterable(look.groups))


def definitions(look: advisor.Look) -> list[str]:
    return [c.definition for c in candidates(look)]


def test_plain_and_covering_forms_are_both_offered_the_plain_one_first(shop: Shop) -> None:
    found = definitions(shop.looked("SELECT sum(total) FROM orders WHERE customer_id = $1", hot=("3",), rare=("5999",)))
    assert found[0] == "orders (customer_id)"
    assert "orders (customer_id) INCLUDE (total)" in found


def test_a_column_that_a_condition_is_on_stands_behind_the_keys_and_not_among_the_included(shop: Shop) -> None:
    sql = "SELECT total FROM orders WHERE customer_id = $1 AND placed > $2"
    found = definitions(shop.looked(sql, typical=("3", "2026-02-01")))
    assert "orders (customer_id, placed) INCLUDE (total)" in found
    assert "orders (placed) INCLUDE (customer_id, total)" not in found


def test_a_scan_of_a_whole_wide_table_may_be_one_of_a_narrow_index(shop: Shop) -> None:
    found = definitions(shop.looked("SELECT region, sum(total), min(placed) FROM orders GROUP BY region"))
    assert "orders (region) INCLUDE (total, placed)" in found


def test_no_covering_form_where_whole_rows_are_wanted(shop: Shop) -> None:
    look = shop.looked("SELECT * FROM orders WHERE customer_id = $1", typical=("3",))
    assert not any(c.include for c in candidates(look))
    table = shop.profile.table(ORDERS)
    assert table is not None
    assert look.asked[ORDERS].visits == frozenset(c.name for c in table.columns)


def test_equalities_are_interchangeable_and_offered_in_one_order(shop: Shop) -> None:
    look = shop.looked("SELECT * FROM order_items WHERE product_sku = $1 AND status = $2", typical=("SKU-9", "open"))
    (both,) = [c for c in candidates(look) if len(c.keys) == 2]
    assert both.interchangeable == 2
    ordered = shop.looked("SELECT * FROM messages WHERE tenant_id = $1 ORDER BY created_at LIMIT 5", hot=("7",))
    best = candidates(ordered)[0]
    assert (best.definition, best.interchangeable) == ("messages (tenant_id, created_at)", 1)


def test_what_is_asked_names_keys_and_columns(shop: Shop) -> None:
    look = shop.looked("SELECT total FROM orders WHERE customer_id = 3 AND lower(email) = 'x' ORDER BY placed")
    asked = look.asked[ORDERS]
    assert {"customer_id", "lower(email)", "placed"} <= asked.keys
    assert asked.visits == frozenset(("total", "customer_id", "email", "placed"))


def test_of_two_readings_of_a_table_the_one_that_needs_fewest_columns_says_what_an_index_must_hold(shop: Shop) -> None:
    inner = "SELECT b.customer_id FROM orders b WHERE b.region = 1 AND b.total > 999"
    sql = f"SELECT a.* FROM orders a WHERE a.customer_id IN ({inner})"
    assert shop.looked(sql).asked[ORDERS].visits == frozenset(("customer_id", "region", "total"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT customer_id, sum(total) AS s FROM orders GROUP BY customer_id ORDER BY s DESC LIMIT 5",
        "SELECT customer_id FROM orders GROUP BY customer_id HAVING sum(total) > 9000 AND count(*) > 3",
        "SELECT customer_id, count(*) FROM orders GROUP BY 1 ORDER BY count(*) DESC, max(placed) LIMIT 3",
        "SELECT * FROM (SELECT o.*, row_number() OVER (PARTITION BY customer_id ORDER BY placed) AS n FROM orders o) x"
        " WHERE n = 1 ORDER BY n, total",
        "SELECT o.id FROM orders o JOIN (SELECT order_id, sum(quantity) AS q FROM order_items GROUP BY 1) i"
        " ON i.order_id = o.id AND i.q = o.region WHERE o.total > 900",
        "SELECT max(s) FROM (SELECT sum(total) AS s FROM orders GROUP BY customer_id) t",
        "SELECT unnest(tags) AS tag, count(*) FROM orders GROUP BY 1 ORDER BY 2 DESC",
        "SELECT * FROM orders o WHERE o = (SELECT p FROM orders p WHERE p.id = 3)",
        "SELECT id FROM orders WHERE ctid = '(0,1)' OR xmin = '5'",
        "SELECT * FROM orders WHERE random() < 0.001 ORDER BY random() LIMIT 5",
        "SELECT * FROM orders WHERE placed > now() - interval '1 day' AND now() - paid_at < interval '2 days'",
        "SELECT * FROM orders WHERE to_char(placed, 'YYYY-MM') = '2026-02' AND concat(name, email) = 'x'",
        "SELECT * FROM orders WHERE date_trunc('day', paid_at) = '2026-02-01' AND paid_at::date = '2026-02-01'",
        "SELECT * FROM orders WHERE stage::text = 'paid' AND placed::text LIKE '2026%'",
        "SELECT * FROM bookings WHERE place ~= '(1,1)' AND during = '[2026-01-01,2026-01-02)'",
        "SELECT place::text, count(*) FROM bookings GROUP BY place::text",
        "SELECT DISTINCT customer_id, region FROM orders ORDER BY region DESC, customer_id",
        "SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM order_items i WHERE order_id = orders.id AND quantity > 5)",
        "SELECT o.id FROM orders o WHERE (SELECT count(*) FROM order_items i WHERE i.order_id = o.id) > 4",
    ],
)
def test_postgresql_takes_whatever_is_suggested(shop: Shop, sql: str) -> None:
    refused = {c.definition: says for c in candidates(shop.looked(sql)) if (says := shop.refusal(c)) is not None}
    assert not refused


def test_nothing_of_an_aggregate_is_a_key_but_its_group_is(shop: Shop) -> None:
    sql = "SELECT lower(name), sum(total) FROM orders GROUP BY 1 HAVING sum(total) > 5 ORDER BY lower(name), sum(total)"
    found = " ".join(definitions(shop.looked(sql)))
    assert "lower(name" in found
    assert "sum(" not in found


def test_two_columns_of_a_row_compared_are_a_predicate_without_any_value(shop: Shop) -> None:
    sql = "SELECT id FROM orders WHERE placed > deleted_at AND customer_id = $1"
    found = definitions(shop.looked(sql, typical=("3",)))
    assert "orders (customer_id) WHERE placed > deleted_at" in found


def test_a_rare_constant_is_a_predicate_and_an_ordinary_one_may_be_somebodys_value(shop: Shop) -> None:
    rare = definitions(shop.looked("SELECT * FROM orders WHERE status = 'pending' ORDER BY placed LIMIT 5"))
    assert "orders (placed) WHERE status = 'pending'::text" in rare
    usual = definitions(shop.looked("SELECT * FROM orders WHERE tags = '{a}' AND name = 'name 7'"))
    assert not any("WHERE" in d for d in usual)
    ranged = definitions(shop.looked("SELECT id FROM orders WHERE total > 999 ORDER BY placed LIMIT 5"))
    assert not any("WHERE" in d for d in ranged)


def test_a_parameter_is_never_a_predicate(shop: Shop) -> None:
    sql = "SELECT * FROM orders WHERE status = $1 AND deleted_at IS NULL ORDER BY placed LIMIT 5"
    found = definitions(shop.looked(sql, rare=("pending",), hot=("done",)))
    assert "orders (status, placed) WHERE deleted_at IS NULL" in found
    assert not any("status =" in d for d in found)


def test_what_cannot_be_indexed_as_it_is_written_is_said_with_a_way_out(shop: Shop) -> None:
    look = shop.looked("SELECT * FROM orders WHERE paid_at::date = $1", typical=("2026-02-01",))
    assert not any("paid_at" in d for d in definitions(look))
    (hint,) = look.hints
    assert hint.startswith("on orders: ")
    assert "compare paid_at with a range" in hint


def test_an_existing_index_is_not_suggested_in_any_order_of_its_interchangeable_keys(shop: Shop) -> None:
    found = definitions(shop.looked("SELECT * FROM covered WHERE account_id = $1", typical=("3",)))
    assert found == []


def test_both_classes_of_a_document_and_both_trees_of_a_range_are_offered(shop: Shop) -> None:
    found = definitions(shop.looked("SELECT id FROM orders WHERE doc @> $1", typical=('{"ref": "r77"}',)))
    assert found[:2] == ["orders USING gin (doc jsonb_path_ops)", "orders USING gin (doc)"]
    found = definitions(shop.looked("SELECT id FROM bookings WHERE during && $1", one=("[2026-02-01,2026-02-02)",)))
    assert found[:2] == ["bookings USING gist (during)", "bookings USING spgist (during)"]


def test_a_join_is_offered_an_index_on_either_side_and_after_the_own_condition(shop: Shop) -> None:
    sql = "SELECT o.id, i.id FROM orders o JOIN order_items i ON order_id = o.id WHERE product_sku = $1 AND o.name = $2"
    found = definitions(shop.looked(sql, typical=("SKU-7", "name 7")))
    assert {"order_items (order_id)", "order_items (product_sku)", "orders (name)"} <= set(found)
    assert any(
        d.startswith(("order_items (product_sku, order_id)", "order_items (order_id, product_sku)")) for d in found
    )


def test_a_table_of_as_many_columns_as_there_may_be_is_looked_at_like_any_other(database: str) -> None:
    columns = ", ".join(f"c{n} int" for n in range(1, 1600))
    with pg.writer(database, purpose="test") as db:
        db.execute(f"CREATE TABLE wide (id int PRIMARY KEY, {columns})")
        db.execute("INSERT INTO wide (id, c1, c2, c3) SELECT i, i % 300, i % 7, i FROM generate_series(1, 20000) AS i")
        db.execute("VACUUM ANALYZE wide")
    with pg.session(database, purpose="test") as db:
        profile = catalog.pull(db, values=Values.ALL)
        plan = plans.parse_json(
            db.value(
                "EXPLAIN (FORMAT JSON, VERBOSE) SELECT * FROM public.wide WHERE c1 = 5 AND c2 + c1599 > 3 ORDER BY c3"
            )
        )
    look = advisor.looked((Planned(parameters=ParameterSet(name="literal"), plan=plan),), profile)
    found = definitions(look)
    assert found[0] == "wide (c1, c3)"
    assert not any(c.include for c in candidates(look))
    assert "wide (c1, (c2 + c1599))" in found


def test_where_no_index_finds_rows_a_narrow_one_may_be_read_in_the_tables_place(shop: Shop) -> None:
    assert definitions(shop.looked("SELECT sum(total) FROM orders WHERE region + 0 <> 3")) == ["orders (total, region)"]
    assert not any("USING" not in d for d in definitions(shop.looked("SELECT id FROM orders WHERE tags @> '{t7}'")))
    assert definitions(shop.looked("SELECT note, doc, name, email, tags FROM orders")) == []


def test_rare_rows_alone_are_offered_beside_an_index_of_their_column(shop: Shop) -> None:
    found = definitions(shop.looked("SELECT id FROM orders WHERE archived"))
    assert {"orders (archived)", "orders (id) WHERE archived"} <= set(found)


def test_a_filter_on_the_side_that_an_outer_join_may_miss_is_no_condition_on_its_rows(shop: Shop) -> None:
    sql = "SELECT o.id FROM orders o LEFT JOIN order_items i ON i.order_id = o.id AND i.quantity = 9 WHERE {} IS NULL"
    found = definitions(shop.looked(sql.format("i.status || i.product_sku")))
    assert not any("IS NULL" in d or "||" in d for d in found)
    assert any(d.startswith("order_items (order_id") for d in found)
    assert any("deleted_at IS NULL" in d for d in definitions(shop.looked(sql.format("o.deleted_at"))))


def test_a_subquery_that_runs_for_every_row_counts_as_often_as_it_runs(shop: Shop) -> None:
    sql = "SELECT id FROM orders o WHERE placed = (SELECT max(placed) FROM orders p WHERE p.name = o.name)"
    assert "orders (name, placed)" in definitions(shop.looked(sql))


def test_a_value_in_an_array_column_is_said_to_be_nothing_that_an_index_serves(shop: Shop) -> None:
    look = shop.looked("SELECT id FROM orders WHERE $1 = ANY(tags)", typical=("t77",))
    assert any("tags @> ARRAY[value]" in hint for hint in look.hints)
