"""The queries that foreign keys run: the same that PostgreSQL runs."""

from __future__ import annotations

import pytest

from premortem import sqltext
from premortem.model import Constraint, Profile, RelationKind
from premortem.triggers import Change, changes, hidden
from tests.check.values import SITE, column, foreign_key, name, node, planned, profile, table


def shop(key: Constraint, child_type: str = "bigint", **child: RelationKind) -> Profile:
    parent = table("orders", column("id"), column("tenant", 2))
    items = table("items", column("order_id", 1, child_type), column("tenant", 2), foreign_keys=(key,), **child)
    return profile(parent, items)


DELETE = Change(relation=name("orders"), operation="delete", rows=5)
UPDATE = Change(relation=name("orders"), operation="update", rows=5, columns=frozenset({"id"}))


@pytest.mark.parametrize(
    ("change", "action", "text"),
    [
        (DELETE, "no action", "SELECT 1 FROM ONLY public.items x WHERE $1 = x.order_id FOR KEY SHARE OF x"),
        (DELETE, "restrict", "SELECT 1 FROM ONLY public.items x WHERE $1 = x.order_id FOR KEY SHARE OF x"),
        (DELETE, "cascade", "DELETE FROM ONLY public.items x WHERE $1 = x.order_id"),
        (DELETE, "set null", "UPDATE ONLY public.items x SET order_id = NULL WHERE $1 = x.order_id"),
        (UPDATE, "cascade", "UPDATE ONLY public.items x SET order_id = $1 WHERE $2 = x.order_id"),
        (UPDATE, "set default", "UPDATE ONLY public.items x SET order_id = DEFAULT WHERE $1 = x.order_id"),
    ],
)
def test_the_text_is_that_of_the_trigger(change: Change, action: str, text: str) -> None:
    key = foreign_key("items_order_id_fkey", ("order_id",), "orders", on_delete=action, on_update=action)
    (found,) = hidden(change, shop(key), SITE)
    assert found.query.text == text
    assert found.query.parameter_count == text.count("$")
    assert found.rows == 5


def test_every_column_of_a_composite_key_is_matched() -> None:
    key = foreign_key("k", ("tenant", "order_id"), "orders", ("tenant", "id"))
    (found,) = hidden(DELETE, shop(key), SITE)
    assert "WHERE $1 = x.tenant AND $2 = x.order_id" in found.query.text


def test_a_key_of_another_type_is_cast_as_the_trigger_casts_it() -> None:
    (found,) = hidden(DELETE, shop(foreign_key("k", ("order_id",), "orders"), "integer"), SITE)
    assert "$1::bigint = x.order_id" in found.query.text


def test_a_partitioned_child_is_searched_with_its_partitions() -> None:
    found = hidden(DELETE, shop(foreign_key("k", ("order_id",), "orders"), kind=RelationKind.PARTITIONED_TABLE), SITE)
    assert "FROM public.items x" in found[0].query.text


def test_a_partition_of_the_parent_runs_the_parents_triggers() -> None:
    base = shop(foreign_key("k", ("order_id",), "orders"))
    part = table("orders_2026", column("id"), parents=(name("orders"),))
    change = Change(relation=name("orders_2026"), operation="delete", rows=1)
    assert len(hidden(change, profile(*base.tables, part), SITE)) == 1


def test_an_update_of_other_columns_runs_nothing() -> None:
    change = Change(relation=name("orders"), operation="update", rows=5, columns=frozenset({"tenant"}))
    assert hidden(change, shop(foreign_key("k", ("order_id",), "orders")), SITE) == ()


def test_the_copies_of_a_constraint_on_partitions_are_not_counted_again() -> None:
    key = foreign_key("k", ("order_id",), "orders", inherited_from="parent_key")
    assert hidden(DELETE, shop(key), SITE) == ()


def test_changes_are_read_from_the_plan() -> None:
    scan = node("Index Scan", 8, "orders")
    plan = planned("hot", node("ModifyTable", 8, "orders", scan, Operation="Delete")).plan
    (change,) = changes(plan, sqltext.statement_facts("delete from orders"))
    assert (change.relation, change.operation, change.rows) == (name("orders"), "delete", 10)


def test_a_select_changes_nothing() -> None:
    assert changes(planned("hot", node("Seq Scan", 8, "orders")).plan, sqltext.statement_facts("select 1")) == ()
