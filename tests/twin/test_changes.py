"""The change's migrations, tables that production does not know, and what our server lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from premortem import twin
from premortem.errors import InputError, StatementError
from premortem.model import Column, Extension, Profile

from .conftest import LITERAL, query

ORDERS = (
    "create table orders (id int primary key, customer_id int not null, state text);\n"
    "insert into orders select i, i % 3000, 'open' from generate_series(1, 60000) i"
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
