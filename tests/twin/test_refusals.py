"""A query that the twin refuses comes with what to type next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from premortem import twin
from premortem.errors import StatementError
from premortem.model import Profile, Query
from tests.twin.conftest import query

SCRIPT = """
CREATE SCHEMA sales;
CREATE TABLE sales.bills (id int PRIMARY KEY, status text);
CREATE TABLE orders (id int PRIMARY KEY, status text, at timestamptz)
"""
Production = Callable[[str], Profile]
Open = Callable[..., twin.Twin]


def refused(opened: twin.Twin, asked: Query) -> str:
    with pytest.raises(StatementError) as caught:
        opened.parameter_types(asked)
    return caught.value.hint or ""


def test_what_to_type_next(production: Production, opened: Open) -> None:
    shop = opened(production(SCRIPT))
    assert "--migrations" in refused(shop, query("select * from invoices"))
    assert "the profile has sales.bills: write the schema" in refused(shop, query("select * from bills"))
    assert "did you mean orders?" in refused(shop, query("select * from ordres"))
    missing = refused(shop, query("select stauts from orders"))
    assert missing.startswith('Perhaps you meant to reference the column "orders.status"; ')
    assert "--migrations" in missing
    assert "extension" in refused(shop, query("select st_area(status) from orders"))
    assert "--migrations" in refused(shop, query("select * from nosuch.orders"))


def test_a_table_that_the_twin_lacks_is_not_looked_for_elsewhere(production: Production, opened: Open) -> None:
    profile = production(SCRIPT)
    lost = [replace(t, name="lost", columns=(replace(t.columns[0], type="nosuch"),)) for t in profile.tables[:1]]
    shop = opened(replace(profile, tables=(*profile.tables, *lost)))
    assert "the report's gaps say why" in refused(shop, query(f"select * from {lost[0].relation.sql}"))


def test_a_placeholder_without_a_type_is_named_as_its_author_named_it(production: Production, opened: Open) -> None:
    shop = opened(production(SCRIPT))
    assert "such as $1::integer" in refused(shop, query("select * from orders where $1 is null"))
    named = replace(query("select * from orders where $1 is null"), parameter_names=("since",), parameter_count=1)
    assert "such as :since::integer" in refused(shop, named)
    assert "::integer" in refused(shop, query("select $1 + $2"))


def test_an_optional_filter_has_the_type_of_its_column(production: Production, opened: Open) -> None:
    shop = opened(production(SCRIPT))
    text = "select * from orders where ($1 is null or status = $1) and ($2 IS NOT NULL and at > $2)"
    optional = replace(query(text), parameter_count=2)
    assert shop.parameter_types(optional) == ("text", "timestamp with time zone")
    assert "Seq Scan" in {node.kind for node in shop.explain(optional).plan.walk()}
