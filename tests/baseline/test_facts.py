"""What changes a query's digest, and what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from premortem import baseline
from premortem.baseline import World
from premortem.model import (
    Allow,
    Column,
    ColumnStatistics,
    Constraint,
    ConstraintKind,
    Index,
    KeyColumn,
    ObjectKind,
    Profile,
    RelationKind,
    SchemaObject,
    ServerFacts,
    Setting,
    Table,
    TableActivity,
    Values,
)
from tests.baseline.values import query

SERVER = ServerFacts(version_num=150018, version="15.18", database="shop", encoding="UTF8", collate="C", ctype="C")
STATISTICS = ColumnStatistics(null_fraction=0.0, average_width=8, n_distinct=-1.0)
INDEX = Index(
    name="orders_pkey",
    definition="CREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)",
    method="btree",
    keys=(KeyColumn(column="id", expression=None, opclass="int8_ops", opclass_is_default=True),),
)


def table(name: str, schema: str = "public", **more: Any) -> Table:
    column = Column(name="id", number=1, type="bigint", statistics=(STATISTICS,))
    made = Table(schema=schema, name=name, kind=RelationKind.TABLE, columns=(column,), pages=100, tuples=1000.0)
    return replace(made, **more)


ORDERS, ITEMS = table("orders", indexes=(INDEX,)), table("order_items")
OPEN = table("open_orders", kind=RelationKind.VIEW, definition=" SELECT * FROM orders WHERE status = 'open'::text")
PROFILE = Profile(
    taken_at=datetime(2026, 4, 6, tzinfo=UTC), server=SERVER, values=Values.ALL, tables=(ORDERS, ITEMS, OPEN)
)


def facts(profile: Profile, sql: str = "select * from orders where id = $1", rules: str = "") -> str:
    return World(profile=profile, version="0.1", rules=rules).facts(query(sql))


def differing(profile: Profile, sql: str = "select * from orders where id = $1") -> frozenset[str]:
    return baseline.changed(facts(PROFILE, sql), facts(profile, sql))


def with_orders(**more: Any) -> Profile:
    return replace(PROFILE, tables=(replace(ORDERS, **more), ITEMS, OPEN))


def function(name: str, body: str) -> SchemaObject:
    definition = f"CREATE FUNCTION public.{name}() RETURNS bigint LANGUAGE sql AS $$ {body} $$"
    return SchemaObject(kind=ObjectKind.FUNCTION, schema="public", name=name, definition=definition)


@pytest.mark.parametrize(
    ("profile", "part"),
    [
        (with_orders(pages=101), "statistics"),
        (with_orders(columns=(replace(ORDERS.columns[0], statistics=()),)), "statistics"),
        (with_orders(indexes=(replace(INDEX, tuples=5.0),)), "statistics"),
        (with_orders(indexes=()), "schema"),
        (with_orders(indexes=(replace(INDEX, valid=False),)), "schema"),
        (with_orders(columns=(replace(ORDERS.columns[0], type="integer"),)), "schema"),
        (replace(PROFILE, settings=(Setting(name="work_mem", value="64"),)), "server"),
        (replace(PROFILE, server=replace(SERVER, version="15.19")), "server"),
        (replace(PROFILE, tables=(*PROFILE.tables, table("orders", schema="new"))), "schema"),
    ],
)
def test_what_a_plan_depends_on_changes_its_part(profile: Profile, part: str) -> None:
    assert part in differing(profile)
    assert differing(profile) <= {part, "statistics"}


@pytest.mark.parametrize(
    "profile",
    [
        replace(PROFILE, taken_at=datetime(2027, 1, 1, tzinfo=UTC)),
        replace(PROFILE, server=replace(SERVER, in_recovery=True, role="other")),
        replace(PROFILE, settings=(Setting(name="log_min_duration_statement", value="5"),)),
        with_orders(activity=TableActivity(inserts=5.0)),
        with_orders(indexes=(replace(INDEX, scans=7),)),
        replace(PROFILE, tables=(ORDERS, replace(ITEMS, pages=999), OPEN)),
        replace(PROFILE, tables=tuple(reversed(PROFILE.tables))),
        replace(PROFILE, objects=(function("unrelated", "select 1"),)),
    ],
)
def test_what_no_plan_of_it_depends_on_changes_nothing(profile: Profile) -> None:
    assert differing(profile) == frozenset()


def test_tables_under_a_view_count() -> None:
    assert differing(with_orders(pages=101), "select * from open_orders") == {"statistics"}
    other = replace(OPEN, definition=" SELECT * FROM orders")
    changed = replace(PROFILE, tables=(ORDERS, ITEMS, other))
    assert differing(changed, "select * from open_orders") == {"schema"}
    assert differing(changed) == frozenset()


def test_tables_under_a_function_count() -> None:
    profile = replace(PROFILE, objects=(function("recent", "select max(id) from orders"),))
    grown = replace(with_orders(pages=101), objects=profile.objects)
    rewritten = replace(profile, objects=(function("recent", "select min(id) from orders"),))
    sql = "select * from order_items where id = recent()"
    assert baseline.changed(facts(profile, sql), facts(grown, sql)) == {"statistics"}
    assert baseline.changed(facts(profile, sql), facts(rewritten, sql)) == {"schema"}


def test_partitions_count() -> None:
    child = table("orders_2026", parents=(ORDERS.relation,))
    with_child = replace(PROFILE, tables=(*PROFILE.tables, child))
    grown = replace(PROFILE, tables=(*PROFILE.tables, replace(child, pages=7)))
    sql = "select * from orders"
    assert baseline.changed(facts(with_child, sql), facts(grown, sql)) == {"statistics"}


def test_what_a_delete_makes_a_foreign_key_read_counts() -> None:
    key = Constraint(name="items_order", kind=ConstraintKind.FOREIGN_KEY, definition="", references=ORDERS.relation)
    linked = replace(PROFILE, tables=(ORDERS, replace(ITEMS, constraints=(key,)), OPEN))
    grown = replace(PROFILE, tables=(ORDERS, replace(ITEMS, constraints=(key,), pages=7), OPEN))
    delete, select = "delete from orders where id = $1", "select * from orders where id = $1"
    assert baseline.changed(facts(linked, delete), facts(grown, delete)) == {"statistics"}
    assert facts(linked, select) == facts(grown, select)
    reads = World(profile=linked, version="0.1").reads(query(delete))
    assert [t.name for t in reads] == ["order_items", "orders"]


def test_rules_text_and_comments_count() -> None:
    assert baseline.changed(facts(PROFILE), facts(PROFILE, rules="other")) == {"rules"}
    world = World(profile=PROFILE, version="0.1")
    one = query("select * from orders where id = $1")
    allowed = replace(one, allows=(Allow(rule="deep-offset", reason="so"),))
    assert baseline.changed(world.facts(one), world.facts(allowed)) == {"query"}
    assert baseline.changed(world.facts(one), World(profile=PROFILE, version="0.2").facts(one)) == {"premortem"}


def test_names_with_capitals_and_quotes_are_found() -> None:
    odd = replace(PROFILE, tables=(table('Über"x'),))
    grown = replace(PROFILE, tables=(replace(odd.tables[0], pages=7),))
    sql = 'select * from "Über""x"'
    assert baseline.changed(facts(odd, sql), facts(grown, sql)) == {"statistics"}
    escaped = 'select * from U&"\\00dcber""x"'
    assert baseline.changed(facts(odd, escaped), facts(grown, escaped)) == {"statistics"}


def test_a_cascade_is_followed_and_a_check_is_not() -> None:
    def referring(name: str, to: str, action: str) -> Table:
        target = replace(ORDERS.relation, name=to)
        key = Constraint(
            name=f"{name}_fk", kind=ConstraintKind.FOREIGN_KEY, definition="", references=target, on_delete=action
        )
        return table(name, constraints=(key,))

    tables = (ORDERS, referring("items", "orders", "cascade"), referring("parts", "items", "no action"))
    profile = replace(PROFILE, tables=(*tables, referring("screws", "parts", "no action")))
    reads = World(profile=profile, version="0.1").reads(query("delete from orders where id = $1"))
    assert {t.name for t in reads} == {"orders", "items", "parts"}
