"""The schema that a branch's tests built, on production's figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from premortem import pg, twin
from premortem.errors import ProfileError
from premortem.model import Profile, RelationName

from .conftest import LITERAL, pulled, query

PRODUCTION = """\
create table customers (id int primary key, email text);
create table orders (id int primary key, customer_id int not null references customers, state text, placed date);
create index orders_placed on orders (placed);
create index made_by_hand on orders (state, placed);
create table events (at date not null, kind text) partition by range (at);
create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
create table other_team (id int);
insert into customers select i, 'u' || i from generate_series(1, 20000) i;
insert into orders select i, 1 + i % 20000, 'open', date '2026-01-01' + i % 300 from generate_series(1, 60000) i;
insert into events select date '2025-01-01' + i % 700, 'k' || i % 50 from generate_series(1, 50000) i\
"""
#: What the branch's migrations lead to: a column, an index, a type and a table more.
BRANCH = """\
create table customers (id bigint primary key, email text);
create table orders (id int primary key, customer_id int not null references customers, state varchar(20), placed date,
  channel text);
create index orders_placed on orders (placed);
create index orders_state_channel on orders (state, channel);
create table events (at date not null, kind text, source text) partition by range (at);
create table events_default partition of events default;
create index events_kind on events (kind);
create table refunds (id int primary key, order_id int not null references orders, note text);
insert into orders select i, i, 'x', null, 'web' from generate_series(1, 0) i\
"""


@pytest.fixture
def branch(server: pg.Server) -> Iterator[Profile]:
    name = "branch_schema"
    with pg.writer(server, purpose="test") as db:
        db.execute(f"CREATE DATABASE {name}")
    with pg.writer(server, purpose="test", database=name) as db:
        for statement in BRANCH.split(";\n"):
            db.execute(statement)
    yield pulled(server.dsn(name))
    with pg.writer(server, purpose="test") as db:
        db.execute(f"DROP DATABASE {name}")


@pytest.fixture
def here(production: Callable[[str], Profile], branch: Profile, opened: Callable[..., twin.Twin]) -> twin.Twin:
    return opened(production(PRODUCTION), branch=branch)


def test_what_both_have_keeps_productions_figures_and_the_rest_is_new(here: twin.Twin) -> None:
    def rows(sql: str) -> float:
        return here.explain(query(sql), LITERAL).plan.root.rows

    assert rows("select * from orders") == pytest.approx(60_000, rel=0.01)
    assert rows("select * from orders where placed = '2026-02-01'") == pytest.approx(200, rel=0.3)
    assert rows("select * from orders where state = 'open'") == pytest.approx(60_000, rel=0.01)  # text became varchar
    assert rows("select * from customers where id = 7") == 1  # int became bigint
    assert rows("select * from events where at = '2026-01-05'") == pytest.approx(71, rel=0.5)


def test_an_index_of_the_branch_is_used_at_productions_size(here: twin.Twin) -> None:
    plan = here.explain(query("select * from orders where state = 'rare' and channel = 'web'"), LITERAL).plan
    assert any(n.index == "orders_state_channel" for n in plan.walk())
    index = next(i for i in _table(here, "orders").indexes if i.name == "orders_state_channel")
    assert 50 < index.pages < 400


def test_partitions_of_production_take_the_branchs_columns_and_indexes(here: twin.Twin) -> None:
    plan = here.explain(query("select source from events where kind = 'k1' and at > '2025-01-01'"), LITERAL).plan
    assert {n.relation.name for n in plan.scans()} == {"events_2025", "events_2026"}
    assert {n.index for n in plan.walk() if n.index} == {"events_2025_events_kind", "events_2026_events_kind"}
    assert here.profile.table(RelationName(schema="public", name="events_default")) is None


def test_a_key_into_a_large_table_has_as_many_values_as_that(here: twin.Twin) -> None:
    plan = here.explain(query("select * from refunds where order_id = 5"), LITERAL).plan
    assert plan.root.rows == pytest.approx(1e6 / 60_000, rel=0.2)


def test_what_only_production_has_stays_and_is_said(here: twin.Twin) -> None:
    assert _table(here, "other_team")
    assert any(i.name == "made_by_hand" for i in _table(here, "orders").indexes)
    assert [g.says for g in here.gaps if "only production" in g.subject] == [
        "The captured schema lacks made_by_hand of orders."
    ]
    assert any("orders.channel" in g.subject for g in here.gaps)
    assert not [g for g in here.gaps if "could not be created" in g.says]


def test_what_the_branch_changes_is_told_and_what_only_production_has_is_not(
    production: Callable[[str], Profile], branch: Profile
) -> None:
    before = production(PRODUCTION)
    assert sorted(twin.differences(before, branch)) == [
        "customers.id is bigint",
        "new column events.source",
        "new column orders.channel",
        "new index events_kind of events",
        "new index orders_state_channel of orders",
        "new table refunds",
        "orders.state is character varying(20)",
    ]
    assert twin.differences(before, before) == ()


def test_another_applications_schema_is_refused(
    production: Callable[[str], Profile], branch: Profile, opened: Callable[..., twin.Twin]
) -> None:
    with pytest.raises(ProfileError, match="no table in common"):
        opened(production("create table nothing_alike (id int)"), branch=branch)


def _table(here: twin.Twin, name: str):  # type: ignore[no-untyped-def]
    table = here.profile.table(RelationName(schema="public", name=name))
    assert table is not None
    return table
