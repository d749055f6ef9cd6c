"""Which accepted query a query of today is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from premortem import baseline
from premortem.baseline import Matches
from premortem.model import Accepted, Query
from tests.baseline.values import accepted, query

ORDERS = "select id, total, note from orders where customer_id = $1 and status = 'open' order by created_at limit 20"
ITEMS = "select * from order_items where product_sku = $1 and status = $2"


def matched(today: list[Query], before: list[Accepted]) -> Matches:
    return baseline.match(
        {baseline.key(q): q for q in today},
        {baseline.key(query(a.text)): a for a in before},
    )


def only(today: Query, before: list[Accepted]) -> baseline.Match | None:
    return next(iter(matched([today], before).found.values()), None)


@pytest.mark.parametrize(
    "spelled",
    [
        "SELECT id, total, note FROM orders WHERE customer_id = $1 AND status = 'open' ORDER BY created_at LIMIT 20",
        ORDERS.replace(" from ", "\n  from -- the table\n "),
        ORDERS.replace("order by", "/* sorted */ order by"),
    ],
)
def test_spelling_is_no_edit(spelled: str) -> None:
    found = only(query(spelled, source="other.sql"), [accepted(ORDERS)])
    assert found is not None
    assert found.is_same


@pytest.mark.parametrize(
    "edited",
    [
        ORDERS.replace("'open'", "'closed'"),
        ORDERS.replace("20", "2000"),
        ORDERS.replace("'open'", "$2"),
        ORDERS.replace(" and status = 'open'", ""),
        ORDERS.replace("id, total, note", "*"),
    ],
)
def test_an_edit_at_its_place_is_told(edited: str) -> None:
    found = only(query(edited), [accepted(ITEMS, line=1), accepted(ORDERS, line=9)])
    assert found is not None
    assert not found.is_same
    assert found.was.text == ORDERS


def test_a_named_query_may_become_another_altogether() -> None:
    before = [accepted(ITEMS, name="mine"), accepted(ORDERS, name="yours")]
    found = only(query("select count(*) from customers", name="mine"), before)
    assert found is not None
    assert found.was.text == ITEMS


def test_a_query_that_moved_and_was_edited_is_found_by_its_text() -> None:
    found = only(query(ORDERS.replace("note", "memo"), source="moved.sql"), [accepted(ITEMS), accepted(ORDERS)])
    assert found is not None
    assert found.was.text == ORDERS


def test_another_query_of_the_same_tables_elsewhere_is_new() -> None:
    assert only(query("select max(created_at) from orders", source="b.sql"), [accepted(ORDERS)]) is None


def test_each_accepted_query_is_taken_once_and_by_the_nearest() -> None:
    near, far = query(ORDERS.replace("20", "21"), line=9), query(ORDERS.replace("id, total", "total"), line=200)
    found = matched([far, near], [accepted(ORDERS, line=10)])
    assert list(found.found) == [baseline.key(near)]
    assert found.gone == {}


def test_lines_decide_between_equals() -> None:
    one, other = accepted(ORDERS.replace("20", "1"), line=10), accepted(ORDERS.replace("20", "2"), line=90)
    found = only(query(ORDERS.replace("20", "3"), line=88), [one, other])
    assert found is not None
    assert found.was.site.line == 90


def test_what_nobody_asks_is_gone() -> None:
    found = matched([query(ORDERS)], [accepted(ORDERS), accepted("select count(*) from customers", source="c.sql")])
    assert [a.text for a in found.gone.values()] == ["select count(*) from customers"]


def test_a_captured_query_is_matched_by_its_route() -> None:
    tags = (("route", "/cart"), ("framework", "django"))
    before = replace(accepted(ORDERS, source="tests/a.py"), tags=tags, is_captured=True)
    edited = replace(
        query(ORDERS.replace("status = 'open'", "status <> $2"), source="tests/b.py"), tags=tags, executions=3
    )
    found = only(edited, [before])
    assert found is not None
    assert not found.is_same
    assert only(replace(edited, tags=(("route", "/other"),), text="select id, total from orders"), [before]) is None


def test_the_constants_that_a_test_sends_are_no_edit() -> None:
    before = replace(accepted(ORDERS), is_captured=True)
    found = only(replace(query(ORDERS.replace("'open'", "'other'")), executions=1), [before])
    assert found is not None
    assert found.is_same


def test_another_search_path_is_another_query() -> None:
    elsewhere = replace(query(ORDERS), search_path=("tenant",))
    assert baseline.key(elsewhere) != baseline.key(query(ORDERS))
    found = only(elsewhere, [accepted(ORDERS)])
    assert found is not None
    assert not found.is_same


def test_five_thousand_queries_are_matched_in_a_moment() -> None:
    today = {
        f"t{n}": query(f"select c{n}, d{n} from t{n % 50} where a{n} = $1", source=f"f{n % 20}.sql") for n in range(600)
    }
    before = {f"b{n}": accepted(f"select c{n}, e{n} from t{n % 50} where a{n} = $1") for n in range(600)}
    assert len(baseline.match(today, before).found) == 600


def test_tables_whose_names_differ_in_digits_are_others() -> None:
    one, other = query("select * from orders_2025 where id = $1"), query("select * from orders_2026 where id = $1")
    assert one.fingerprint == other.fingerprint  # libpg_query takes them for partitions of one
    assert baseline.key(one) != baseline.key(other)
    captured = replace(accepted(one.text), is_captured=True)
    found = only(replace(other, executions=1), [captured])
    assert found is None or not found.is_same


def test_a_capture_is_no_place() -> None:
    other = "select max(created_at), min(created_at) from orders where status = $1 group by note"
    before = replace(accepted(ORDERS, source="capture", line=None), is_captured=True)
    assert only(replace(query(other, source="capture"), executions=1), [before]) is None
    edited = ORDERS.replace(" limit 20", "").replace("status", "state")
    found = only(replace(query(edited, source="capture"), executions=1), [before])
    assert found is not None
    assert not found.is_same
