"""The change's migrations, tables that production does not know, and what our server lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from premortem import catalog, pg, twin
from premortem.errors import InputError, StatementError
from premortem.model import Column, Extension, Profile, Values

from .conftest import LITERAL, query

ORDERS = (
    "create table orders (id int primary key, customer_id int not null, state text);\n"
    "insert into orders select i, i % 3000, 'open' from generate_series(1, 60000) i;\n"
    "alter table orders alter id set statistics 1000"  # ANALYZE reads every row, and finds all values equally common
)


def migration(text: str, path: str = "001.sql") -> twin.Migration:
    return twin.Migration(path=path, text=text)


def test_an_index_of_the_change_gets_its_estimated_size(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    profile = production(ORDERS)
    change = migration("create index concurrently orders_customer on orders (customer_id);")
    before, here = opened(profile), opened(profile, migrations=(change,))

    q = query("select * from orders where customer_id = 5")
    assert here.explain(q, LITERAL).plan.total_cost < before.explain(q, LITERAL).plan.total_cost / 5
    index = here.profile.table_of_index("public", "orders_customer").indexes[-1]  # type: ignore[union-attr]
    assert 30 < index.pages < 400


def test_a_new_table_is_assumed_and_said(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    profile = production(ORDERS)
    change = migration("create table refunds (id bigint primary key, order_id int references orders, note text);")
    here = opened(profile, migrations=(change,))
    said = opened(profile, migrations=(change,), assumptions={"refunds": twin.Assumption(rows=5e7)})

    assert here.explain(query("select * from refunds"), LITERAL).plan.root.rows == pytest.approx(1e6, rel=0.01)
    assert said.explain(query("select * from refunds"), LITERAL).plan.root.rows == pytest.approx(5e7, rel=0.01)
    assert [g.cure for g in here.gaps if g.subject == "table refunds"] == [
        'premortem.toml: [tables."refunds"] rows = …'
    ]


def test_a_renamed_table_keeps_its_statistics(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    change = migration("alter table orders rename to purchases; alter table purchases rename customer_id to buyer_id;")
    here = opened(production(ORDERS), migrations=(change,))

    assert here.explain(query("select * from purchases where buyer_id = 5"), LITERAL).plan.root.rows == pytest.approx(
        20, abs=3
    )


def test_what_production_already_has_is_skipped_and_said(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    change = migration("create table orders (id int);\ncreate index orders_state on orders (state);")
    here = opened(production(ORDERS), migrations=(change,))

    assert any("1 of its statements" in g.says for g in here.gaps)
    assert here.profile.table_of_index("public", "orders_state") is not None


def test_a_migration_that_fails_names_its_line(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    with pytest.raises(StatementError, match=r'002\.sql:3: .*column "nope" does not exist'):
        opened(production(ORDERS), migrations=(migration("select 1;\n\ncreate index on orders (nope);", "002.sql"),))


def test_the_way_back_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "2.down.sql").write_text("drop table b;")
    (tmp_path / "1.sql").write_text("-- +goose Up\ncreate table a (id int);\n-- +goose Down\ndrop table a;\n")
    (tmp_path / "2.up.sql").write_text("create table b (id int);")

    texts = [m.text for m in twin.read_migrations([tmp_path])]
    assert len(texts) == 2
    assert not any("drop" in t for t in texts)


def test_migrations_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.sql cannot be read"):
        twin.read_migrations([tmp_path / "missing.sql"])
    (tmp_path / "latin.sql").write_bytes(b"select '\xe9'")
    with pytest.raises(InputError, match=r"byte 8"):
        twin.read_migrations([tmp_path])


def test_a_type_of_a_missing_extension_gets_a_stand_in(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    profile = production("create table places (id int primary key, name text);\ninsert into places values (1, 'x')")
    (table,) = profile.tables
    shape = Column(name="shape", number=3, type="public.geometry(Point,4326)")
    here = opened(
        replace(
            profile,
            extensions=(*profile.extensions, Extension(name="postgis", version="3.4", schema="public")),
            tables=(replace(table, columns=(*table.columns, shape)),),
        )
    )

    assert {g.subject for g in here.gaps} >= {"extension postgis", "type public.geometry"}
    assert here.explain(query("select shape from places where id = 1"), LITERAL).plan.root.relation is not None


def test_production_in_a_locale_that_this_machine_lacks_is_still_planned(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    profile = production("create table t (name text);\ncreate index t_name on t (name);\ninsert into t values ('x')")
    there = replace(
        profile, server=replace(profile.server, collate="xx_XX.utf8", ctype="xx_XX.utf8", locale_provider="c")
    )
    here = opened(there)

    assert any(g.subject == "collation xx_XX.utf8" for g in here.gaps)
    condition = here.explain(query("select * from t where name like 'a%'"), LITERAL).plan.root.index_condition or ""
    assert ">=" not in condition  # not C, so a plain B-tree does not serve LIKE


def test_pseudonyms_are_not_made_pseudonyms_again(
    production: Callable[[str], Profile], database: str, opened: Callable[..., twin.Twin]
) -> None:
    production(ORDERS.replace("i % 3000", "(i % 3000) * (i % 2)"))
    with pg.session(database, purpose="test") as session:
        profile = catalog.pull(session, values=Values.LOW_CARDINALITY)
    column = profile.tables[0].column("customer_id")
    assert column is not None
    assert column.statistics[0].pseudonyms

    here = opened(profile, migrations=(migration("create index zz on orders (state);"),))
    assert here.profile.tables[0].column("customer_id") == column
    hot = (column.statistics[0].most_common_values or ())[0]
    planned = here.explain(query(f"select * from orders where customer_id = {hot}"), LITERAL)
    assert planned.plan.root.rows > 20_000


def test_a_migration_meets_productions_search_path(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    profile = production(f"{ORDERS};\ncreate schema premortem")
    here = opened(profile, migrations=(migration("create table refunds (id int);"),))
    assert {t.relation.sql for t in here.profile.tables} == {"public.orders", "public.refunds"}


def test_an_index_on_a_table_without_rows_is_no_obstacle(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    profile = production(
        f"{ORDERS};\ncreate table flags (k int);\ncreate table log (at date) partition by range (at);\n"
        "create table log_1 partition of log for values from ('2026-01-01') to ('2026-02-01');\n"
        "create table log_2 partition of log for values from ('2026-02-01') to ('2026-03-01');\n"
        "insert into log select '2026-01-05' from generate_series(1, 5000)"
    )
    change = migration("create index flags_k on flags (k);\ncreate index log_at on log (at);")
    here = opened(profile, migrations=(change,))
    assert here.explain(query("select * from log where at = '2026-02-03'"), LITERAL).plan.root.rows >= 0


def test_a_new_column_is_said(production: Callable[[str], Profile], opened: Callable[..., twin.Twin]) -> None:
    here = opened(production(ORDERS), migrations=(migration("alter table orders add column minutes int;"),))
    assert "statistics of orders.minutes" in {g.subject for g in here.gaps}
