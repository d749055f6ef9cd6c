"""A mirror has everything that production has, but for its rows, of which it has as many."""

from __future__ import annotations

from dataclasses import replace

import pytest

from premortem import pg
from premortem.errors import StatementError
from premortem.mirror import Options, Place
from premortem.model import Column, Extension, Index, KeyColumn, Profile, RelationName, Table
from tests.mirror.conftest import built, pulled, value, values

ORDERS = RelationName(schema="sales", name="orders")
CONTENTS = "SELECT pg_catalog.sum(pg_catalog.hashtextextended(t::text, 0)) FROM {} t"


def changed(profile: Profile, relation: RelationName, **fields: object) -> Profile:
    """The profile with one table changed."""
    tables = tuple(replace(t, **fields) if t.relation == relation else t for t in profile.tables)  # type: ignore[arg-type]
    return replace(profile, tables=tables)


def test_whole(shop: Profile, empty: Place) -> None:
    found = built(empty, shop)
    assert found.rows == found.loaded == 33_000
    assert not found.refused
    assert [g for g in found.gaps if "sales" in g.subject] == []
    counts = {"customers": 3000, "orders": 20_000, "events": 10_000, "nothing": 0, "open": None, "per_country": 4}
    for name, count in counts.items():
        assert count is None or value(empty, f"SELECT count(*) FROM sales.{name}") == count, name
    assert value(empty, "SELECT count(*) FROM sales.events_january") == pytest.approx(5580, abs=150)
    assert values(empty, "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid") == ()
    assert values(empty, "SELECT conname::text FROM pg_constraint WHERE NOT convalidated") == ()
    made = {(t.schema, i.name) for t in shop.tables for i in t.indexes}
    with pg.writer(empty.dsn, purpose="test") as db:
        here = set(db.tuples("SELECT schemaname::text, indexname::text FROM pg_indexes WHERE schemaname = 'sales'"))
        here |= set(db.tuples("SELECT 'sales', relname::text FROM pg_class WHERE relkind = 'I'"))
    assert here == made


def test_what_comes_after_the_rows(shop: Profile, empty: Place) -> None:
    built(empty, shop)
    disabled = "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'D'"
    assert values(empty, disabled) == ("asleep",)
    with pytest.raises(StatementError, match="no row may come in"):
        value(empty, "INSERT INTO sales.orders (customer_id, status, total, placed) VALUES (1, 'new', 1, now())")
    inserted = "INSERT INTO sales.customers (country) VALUES ('de') RETURNING number"  # a used number would be refused
    highest = value(empty, "SELECT max(number) FROM sales.customers")
    assert value(empty, inserted) == int(str(highest)) + 1
    value(empty, "ALTER TABLE sales.orders DISABLE TRIGGER refuse")
    with pytest.raises(StatementError, match="total"):
        value(empty, "INSERT INTO sales.orders (customer_id, status, total, placed) VALUES (1, 'new', -1, now())")
    assert value(empty, "SELECT bool_and(doubled = total * 2) FROM sales.orders") is True
    assert value(empty, "SELECT attstattarget FROM pg_attribute WHERE attrelid = 'sales.orders'::regclass "
                        "AND attname = 'note'") == 50  # fmt: skip
    assert value(empty, "SELECT count(*) FROM pg_statistic_ext_data") == 1
    assert value(empty, "SELECT count(*) FROM sales.open") == value(
        empty, "SELECT count(*) FROM sales.orders WHERE status = 'new'"
    )


def test_indexes_come_in_the_order_of_production(shop18: Profile, empty18: Place) -> None:
    """The planner breaks ties between them by it."""
    built(empty18, shop18, workers=2)
    orders = shop18.table(ORDERS)
    assert orders is not None
    order = values(empty18, "SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
                            "WHERE i.indrelid = 'sales.orders'::regclass ORDER BY c.oid")  # fmt: skip
    assert order == tuple(i.name for i in orders.indexes)


def test_same_rows_whoever_loads(shop18: Profile, empty18: Place, other18: Place) -> None:
    built(empty18, shop18, Options(seed=7))
    built(other18, shop18, Options(seed=7), workers=2)
    for name in ("customers", "orders", "events"):
        contents = CONTENTS.format(f"sales.{name}")
        assert value(empty18, contents) == value(other18, contents), name


def test_another_seed_other_rows(shop18: Profile, empty18: Place, other18: Place) -> None:
    built(empty18, shop18, Options(seed=1))
    built(other18, shop18, Options(seed=2))
    contents = CONTENTS.format("sales.orders")
    assert value(empty18, contents) != value(other18, contents)


def test_pages_that_index_only_scans_find_visible(shop18: Profile, empty18: Place) -> None:
    orders = shop18.table(ORDERS)
    assert orders is not None
    some = changed(shop18, ORDERS, all_visible=orders.relation_pages // 2)
    built(empty18, some)
    visible = "SELECT relallvisible::float8 / relpages FROM pg_class WHERE oid = 'sales.{}'::regclass"
    assert value(empty18, visible.format("orders")) == pytest.approx(0.5, abs=0.1)
    assert value(empty18, visible.format("customers")) == pytest.approx(1.0, abs=0.05)
    assert value(empty18, "SELECT count(*) FROM sales.orders") == 20_000


def test_only_some_tables(shop18: Profile, empty18: Place) -> None:
    found = built(empty18, shop18, Options(tables=(ORDERS,)))
    assert found.rows == 20_000
    assert value(empty18, "SELECT count(*) FROM sales.customers") == 0
    key = next(g for g in found.gaps if "orders_customer_id_fkey" in g.subject)
    assert "no rows in this mirror" in key.says
    assert values(empty18, "SELECT conname::text FROM pg_constraint WHERE NOT convalidated") == (
        "orders_customer_id_fkey",
    )


def test_types_that_the_target_lacks(shop18: Profile, empty18: Place) -> None:
    orders = shop18.table(ORDERS)
    assert orders is not None
    shape = Column(name="shape", number=99, type="gis.geometry(Point,4326)")
    index = Index(
        name="orders_shape", method="gist", definition="CREATE INDEX orders_shape ON sales.orders USING gist (shape)",
        keys=(KeyColumn(column="shape", expression=None, opclass="gist_geometry_ops_2d", opclass_is_default=True),),
    )  # fmt: skip
    strange = changed(shop18, ORDERS, columns=(*orders.columns, shape), indexes=(*orders.indexes, index))
    strange = replace(strange, extensions=(*strange.extensions, Extension(name="postgis", version="3", schema="gis")))
    found = built(empty18, strange)
    said = {g.subject: g.says for g in found.gaps}
    assert "its columns are text there" in said["type gis.geometry"]
    assert {"extension postgis", "index sales.orders_shape"} <= said.keys()
    assert found.rows == 33_000


def test_a_collation_and_an_access_method_that_the_target_lacks(shop18: Profile, empty18: Place) -> None:
    orders = shop18.table(ORDERS)
    assert orders is not None
    columns = tuple(replace(c, collation='nowhere."xx-x-icu"') if c.name == "note" else c for c in orders.columns)
    found = built(empty18, changed(shop18, ORDERS, columns=columns, access_method="columnar"))
    said = next(g.says for g in found.gaps if g.subject == "table sales.orders")
    assert "note" in said
    assert "columnar" in said
    assert found.rows == 33_000


def test_rows_that_do_not_fulfil_a_constraint(shop18: Profile, empty18: Place) -> None:
    orders = shop18.table(ORDERS)
    assert orders is not None
    constraints = tuple(
        replace(c, definition="CHECK ((total < (0)::numeric))") if c.name == "orders_total_check" else c
        for c in orders.constraints
    )
    found = built(empty18, changed(shop18, ORDERS, constraints=constraints))
    assert "NOT VALID" in next(g.says for g in found.gaps if "orders_total_check" in g.subject)
    assert values(empty18, "SELECT conname::text FROM pg_constraint WHERE NOT convalidated") == ("orders_total_check",)


@pytest.mark.parametrize("tuples", [-1.0, 0.0])
def test_tables_without_statistics(shop18: Profile, empty18: Place, tuples: float) -> None:
    columns = tuple(replace(c, statistics=()) for c in _orders(shop18).columns)
    bare = changed(shop18, ORDERS, tuples=tuples, columns=columns, pages=0, relation_pages=0)
    found = built(empty18, bare)
    assert value(empty18, "SELECT count(*) FROM sales.customers") == 3000
    assert value(empty18, "SELECT count(*) FROM sales.orders") == found.rows - 13_000


def _orders(profile: Profile) -> Table:
    orders = profile.table(ORDERS)
    assert orders is not None
    return orders


def test_names_that_need_quotes(server18: pg.Server, empty18: Place) -> None:
    strange = pulled(
        server18,
        'CREATE SCHEMA "Odd ""one";\n'
        'CREATE TABLE "Odd ""one"."a %s b" ("select" serial PRIMARY KEY, "Größe %" text, "x\'y" int UNIQUE);\n'
        'INSERT INTO "Odd ""one"."a %s b" ("Größe %", "x\'y") SELECT i::text, i FROM generate_series(1, 500) i;\n'
        "VACUUM ANALYZE;\n",
    )
    found = built(empty18, strange)
    assert found.rows == 500
    assert [g for g in found.gaps if "Odd" in g.subject] == []
    assert value(empty18, 'INSERT INTO "Odd ""one"."a %s b" ("Größe %") VALUES (\'x\') RETURNING "select"') == 501


def test_a_domain_that_no_value_fulfils(server18: pg.Server, empty18: Place) -> None:
    """Values that were made up, or are pseudonyms, seldom fulfil an expression."""
    production = pulled(
        server18,
        "CREATE DOMAIN code AS text NOT NULL CONSTRAINT odd CHECK (VALUE ~ '^[A-Z]+$') CHECK (length(VALUE) < 100);\n"
        "CREATE UNLOGGED TABLE t (id int PRIMARY KEY, c code, d code);\n"
        "INSERT INTO t SELECT i, 'A', 'B' FROM generate_series(1, 300) i;\n"
        "VACUUM ANALYZE;\n",
    )
    (t,) = production.tables
    columns = tuple(
        replace(c, statistics=tuple(replace(s, most_common_values=("a1", ), most_common_frequencies=(1.0,))
                                    for s in c.statistics)) if c.name == "c" else c
        for c in t.columns
    )  # fmt: skip
    found = built(empty18, changed(production, t.relation, columns=columns))
    assert found.rows == 300
    assert not found.refused
    said = {g.subject: g.says for g in found.gaps}
    assert "NOT VALID" in said["check odd of domain public.code"]
    assert "ordinary table" in said["table t"]
    with pytest.raises(StatementError, match="odd"):
        value(empty18, "SELECT 'a1'::code")
    assert value(empty18, "SELECT convalidated FROM pg_constraint WHERE conname = 'code_check'") is True
