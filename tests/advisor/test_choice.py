"""Which index is chosen for a query, on a shop's real rows: every proposal here was built, and planned with."""

from __future__ import annotations

import pytest

from premortem import advisor

from .conftest import Shop

RARE = {"hot": ("SKU-0", "open"), "rare": ("SKU-3999", "returned"), "absent": ("nope", "open")}


def proposed(choice: advisor.Choice) -> list[str]:
    return [a.candidate.definition for a in choice.advice]


def test_two_equalities_give_a_composite_index_with_the_selective_column_first(shop: Shop) -> None:
    choice = shop.choose("SELECT * FROM order_items WHERE product_sku = $1 AND status = $2", **RARE)
    assert proposed(choice) == ["order_items (product_sku, status)"]
    advice = choice.advice[0]
    assert advice.name == "order_items_product_sku_status_idx"
    assert advice.sql[0].startswith(
        "CREATE INDEX CONCURRENTLY order_items_product_sku_status_idx ON public.order_items ("
    )
    assert advice.undo == ("DROP INDEX CONCURRENTLY IF EXISTS public.order_items_product_sku_status_idx;",)
    assert {e.parameters for e in advice.effects} == {"hot", "rare", "absent", "generic"}
    assert all(e.after_cost <= e.before_cost for e in advice.effects)


def test_a_rare_literal_gives_an_index_on_its_column(shop: Shop) -> None:
    choice = shop.choose("SELECT * FROM orders WHERE status = 'pending'")
    assert proposed(choice) == ["orders (status)"]


def test_equality_goes_before_the_sort_column_although_the_sort_alone_looks_cheap(shop: Shop) -> None:
    sets = {"hot": ("100",), "rare": ("7",), "absent": ("5000",)}
    choice = shop.choose("SELECT * FROM messages WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT 20", **sets)
    assert proposed(choice) == ["messages (tenant_id, created_at)"]


def test_mixed_directions_are_kept_in_the_index(shop: Shop) -> None:
    sql = "SELECT id FROM messages WHERE channel_id = $1 ORDER BY kind, created_at DESC NULLS LAST LIMIT 5"
    choice = shop.choose(sql, typical=("5",), absent=("99999",))
    assert proposed(choice)[0].startswith("messages (channel_id")


def test_an_expression_is_indexed_as_the_query_writes_it(shop: Shop) -> None:
    choice = shop.choose("SELECT * FROM orders WHERE lower(email) = $1", typical=("user77@example.com",))
    assert proposed(choice) == ["orders ((lower(email)))"]


def test_an_expression_that_is_not_immutable_is_declined_in_the_servers_words(shop: Shop) -> None:
    choice = shop.choose("SELECT * FROM orders WHERE date_trunc('day', paid_at) = $1", typical=("2026-02-01",))
    assert proposed(choice) == []
    assert any("IMMUTABLE" in d.reason for d in choice.declined)
    assert choice.says is not None
    assert "paid_at" in choice.says


def test_a_cast_to_date_of_a_plain_timestamp_is_indexed(shop: Shop) -> None:
    choice = shop.choose("SELECT * FROM orders WHERE placed::date = $1", typical=("2026-02-01",))
    assert proposed(choice) == ["orders ((placed::date))"]


def test_a_json_member_is_indexed_as_an_expression(shop: Shop) -> None:
    choice = shop.choose("SELECT * FROM orders WHERE doc ->> 'ref' = $1", typical=("r77",))
    assert proposed(choice) == ["orders (((doc ->> 'ref'::text)))"] or "doc ->> 'ref'" in proposed(choice)[0]


def test_containment_gets_a_gin_index_of_paths(shop: Shop) -> None:
    choice = shop.choose("SELECT * FROM orders WHERE doc @> $1", typical=('{"ref": "r77"}',))
    assert proposed(choice) == ["orders USING gin (doc jsonb_path_ops)"]


def test_array_overlap_gets_a_gin_index(shop: Shop) -> None:
    choice = shop.choose("SELECT * FROM orders WHERE tags && $1", typical=("{t77}",))
    assert proposed(choice) == ["orders USING gin (tags)"]


def test_an_infix_pattern_gets_trigrams(shop: Shop) -> None:
    choice = shop.choose("SELECT * FROM orders WHERE email ILIKE $1", typical=("%user4711@%",))
    assert proposed(choice) == ["orders USING gin (email gin_trgm_ops)"]


def test_ranges_points_and_networks_get_gist(shop: Shop) -> None:
    overlap = shop.choose("SELECT * FROM bookings WHERE during && $1", narrow=("[2026-02-01 00:00,2026-02-01 01:00)",))
    assert proposed(overlap) == ["bookings USING gist (during)"]
    nearest = shop.choose("SELECT * FROM bookings ORDER BY place <-> $1 LIMIT 5", typical=("(10,10)",))
    assert proposed(nearest) == ["bookings USING gist (place)"]
    network = shop.choose("SELECT * FROM bookings WHERE host && $1", narrow=("10.7.3.0/28",))
    assert proposed(network) == ["bookings USING gist (host inet_ops)"]


def test_every_arm_of_an_or_gets_its_index(shop: Shop) -> None:
    sql = "SELECT * FROM orders WHERE email = $1 OR name = $2"
    choice = shop.choose(sql, typical=("User77@example.com", "name 77"), absent=("x", "y"))
    assert sorted(proposed(choice)) == ["orders (email)", "orders (name)"]


def test_a_join_gets_an_index_on_its_inner_side(shop: Shop) -> None:
    sql = "SELECT * FROM orders AS o JOIN order_items AS i ON i.order_id = o.id WHERE o.id = $1"
    assert proposed(shop.choose(sql, typical=("77",))) == ["order_items (order_id)"]


def test_both_sides_of_a_join_get_an_index_where_one_alone_is_not_enough(shop: Shop) -> None:
    sql = "SELECT * FROM orders AS o JOIN order_items AS i ON i.order_id = o.id WHERE o.email = $1"
    choice = shop.choose(sql, typical=("User77@example.com",), absent=("nobody",))
    assert sorted(proposed(choice)) == ["order_items (order_id)", "orders (email)"]


def test_no_sort_order_after_is_null_so_the_predicate_takes_it(shop: Shop) -> None:
    sql = (
        "SELECT id FROM orders WHERE region = $1 AND deleted_at IS NULL AND NOT archived ORDER BY placed DESC LIMIT 10"
    )
    choice = shop.choose(sql, typical=("1",), absent=("77",))
    assert not any("deleted_at, placed" in d for d in proposed(choice))


def test_a_wide_range_leaves_an_aggregate_alone(shop: Shop) -> None:
    choice = shop.choose("SELECT count(*), sum(total) FROM orders WHERE placed > $1", wide=("2026-01-02",))
    assert proposed(choice) == []
    assert choice.says


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM orders WHERE id = 7",
        "SELECT * FROM tenants WHERE name = 'tenant 7'",
        "SELECT status, count(*) FROM orders GROUP BY status",
        "SELECT * FROM orders WHERE status = 'done'",
        "SELECT * FROM orders",
        "SELECT * FROM orders ORDER BY total OFFSET 50000 LIMIT 10",
        "SELECT * FROM order_items AS i JOIN orders AS o ON o.id = i.order_id",
        "SELECT * FROM messages WHERE created_at > '2026-02-24'",
        "SELECT * FROM orders WHERE email = lower(name)",
        "SELECT * FROM orders LIMIT 10",
    ],
)
def test_what_needs_no_index_is_left_alone(shop: Shop, sql: str) -> None:
    choice = shop.choose(sql)
    assert proposed(choice) == []
    assert choice.says


def test_a_value_that_nobody_has_does_not_argue_for_an_index(shop: Shop) -> None:
    choice = shop.choose("SELECT * FROM messages WHERE kind = $1", hot=("text",), typical=("file",), absent=("nope",))
    assert proposed(choice) == []


def test_an_index_that_the_new_one_starts_with_is_replaced(shop: Shop) -> None:
    choice = shop.choose(
        "SELECT * FROM covered WHERE account_id = $1 AND at > $2", hot=("3", "2026-02-11"), absent=("99", "2026-02-01")
    )
    assert proposed(choice) == ["covered (account_id, at)"]
    assert choice.advice[0].replaces == ("public.covered_account",)
    assert choice.advice[0].sql[-1] == "DROP INDEX CONCURRENTLY IF EXISTS public.covered_account;"


def test_columns_are_included_where_visiting_the_table_is_what_costs(shop: Shop) -> None:
    choice = shop.choose("SELECT sum(amount) FROM covered WHERE account_id = $1", hot=("3",), typical=("9",))
    assert proposed(choice) == ["covered (account_id) INCLUDE (amount)"]


def test_a_partitioned_table_is_indexed_partition_by_partition(shop: Shop) -> None:
    choice = shop.choose("SELECT * FROM events WHERE device_id = $1", typical=("77",), absent=("9999",))
    assert proposed(choice) == ["events (device_id)"]
    sql = choice.advice[0].sql
    assert sql[0] == "CREATE INDEX events_device_id_idx ON ONLY public.events (device_id);"
    assert "CREATE INDEX CONCURRENTLY events_2026_01_device_id_idx ON public.events_2026_01 (device_id);" in sql
    assert sql[-1] == "ALTER INDEX public.events_device_id_idx ATTACH PARTITION public.events_2026_02_device_id_idx;"
    assert choice.advice[0].undo == ("DROP INDEX IF EXISTS public.events_device_id_idx;",)


def test_statements_of_a_partitioned_table_run(shop: Shop) -> None:
    from premortem import pg

    choice = shop.choose("SELECT * FROM events WHERE device_id = $1", typical=("77",))
    with pg.writer(shop.server, purpose="test", database="shop") as db:
        for statement in choice.advice[0].sql:
            db.execute(statement)
        valid = db.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'public.events_device_id_idx'::regclass")
        for statement in choice.advice[0].undo:
            db.execute(statement)
    assert valid is True


def test_min_and_max_get_an_index_that_ends_in_their_column(shop: Shop) -> None:
    choice = shop.choose(
        "SELECT max(created_at) FROM messages WHERE channel_id = $1", typical=("5",), absent=("99999",)
    )
    assert proposed(choice)[0].startswith("messages (channel_id")


def test_deletes_and_updates_are_served_too(shop: Shop) -> None:
    choice = shop.choose("UPDATE order_items SET quantity = 0 WHERE order_id = $1", typical=("77",))
    assert proposed(choice) == ["order_items (order_id)"]


def test_declined_candidates_say_what_they_would_cost(shop: Shop) -> None:
    choice = shop.choose("SELECT * FROM order_items WHERE product_sku = $1 AND status = $2", **RARE)
    assert 1 <= len(choice.declined) <= 6
    assert any("against" in d.reason for d in choice.declined)
