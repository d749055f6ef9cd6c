"""Indexes that production does not have: seen by the planner, sized as they would be, gone afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from premortem import pg, twin
from premortem.errors import StatementError
from premortem.model import IndexCandidate, IndexKey, ParameterSet, Planned, Profile, RelationName

from .conftest import LITERAL, query

SHOP = (
    "create table items (id int primary key, sku text not null, status text not null, at timestamptz, doc jsonb);\n"
    "insert into items select i, 'S' || i % 20000, (array['new','sent'])[1 + (i % 2)], now(), '{\"a\": 1}'"
    " from generate_series(1, 60000) i;\n"
    "create index items_at on items (at);\n"
    "create table log (at date not null, kind int) partition by range (at);\n"
    "create table log_1 partition of log for values from ('2026-01-01') to ('2026-02-01');\n"
    "create table log_2 partition of log for values from ('2026-02-01') to ('2026-03-01');\n"
    "insert into log select '2026-01-01'::date + i % 59, i % 5000 from generate_series(1, 60000) i"
)


def candidate(table: str, *columns: str, method: str = "btree", **more: object) -> IndexCandidate:
    keys = tuple(IndexKey(column=c) for c in columns)
    return IndexCandidate(table=RelationName(schema="public", name=table), keys=keys, method=method, **more)  # type: ignore[arg-type]


def indexes(planned: Planned) -> set[str]:
    return {n.index for n in planned.plan.walk() if n.index}


@pytest.fixture
def shop(production: Callable[[str], Profile], opened: Callable[..., twin.Twin]) -> twin.Twin:
    return opened(production(SHOP))


def test_a_candidate_is_used_for_every_set_and_leaves_no_trace(shop: twin.Twin) -> None:
    q = query("select * from items where sku = $1 and status = $2")
    sets = (ParameterSet(name="hot", values=("S1", "new")), twin.GENERIC)
    before = [shop.explain(q, s).plan.total_cost for s in sets]

    with_index = shop.replanner(q, sets)([candidate("items", "sku", "status")])
    assert all(p.plan.total_cost < b / 10 for p, b in zip(with_index, before, strict=True))
    assert [indexes(p) for p in with_index] == [{"premortem_candidate_0"}] * 2
    assert [shop.explain(q, s).plan.total_cost for s in sets] == before


def test_the_planner_sees_the_candidate_as_it_sees_the_built_index(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin], database: str
) -> None:
    here = opened(production(SHOP))
    text = "select sku, status from items where sku = 'S7' and status = 'new'"
    (tried,) = here.replanner(query(text), (LITERAL,))([candidate("items", "sku", "status")])
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE INDEX built ON items (sku, status)")
        built = db.value(f"EXPLAIN (FORMAT JSON) {text}")[0]["Plan"]

    assert tried.plan.root.kind == built["Node Type"]
    assert tried.plan.total_cost == pytest.approx(built["Total Cost"], rel=0.05)


def test_an_index_can_be_hidden(shop: twin.Twin) -> None:
    q = query("select * from items where id = 5")
    hidden = RelationName(schema="public", name="items_pkey")

    assert indexes(shop.explain(q, LITERAL)) == {"items_pkey"}
    assert indexes(shop.replanner(q, (LITERAL,))([], [hidden])[0]) == set()
    assert indexes(shop.explain(q, LITERAL)) == {"items_pkey"}


def test_a_partitioned_table_gets_the_candidate_on_every_partition(shop: twin.Twin) -> None:
    q = query("select * from log where kind = 9")
    (tried,) = shop.replanner(q, (LITERAL,))([candidate("log", "kind")])

    assert len(indexes(tried)) == 2
    assert tried.plan.total_cost < shop.explain(q, LITERAL).plan.total_cost / 5


@pytest.mark.parametrize(
    ("text", "tried"),
    [
        ("select * from items where doc @> '{\"a\": 2}'", candidate("items", "doc", method="gin")),
        ("select * from items where id = 5", candidate("items", "id", method="hash")),
        ("select * from items where at < '2020-01-01'", candidate("items", "at", method="brin")),
        (
            "select * from items where sku = 'S1' and status = 'new'",
            candidate("items", "sku", predicate="status = 'new'"),
        ),
    ],
    ids=["gin", "hash", "brin", "partial"],
)
def test_every_access_method_can_be_tried(shop: twin.Twin, text: str, tried: IndexCandidate) -> None:
    without = [RelationName(schema="public", name=n) for n in ("items_pkey", "items_at")]
    (planned,) = shop.replanner(query(text), (LITERAL,))([tried], without)
    assert indexes(planned) == {"premortem_candidate_0"}


def test_an_expression_is_as_selective_as_its_column(shop: twin.Twin) -> None:
    tried = IndexCandidate(table=RelationName(schema="public", name="items"), keys=(IndexKey(expression="lower(sku)"),))
    (planned,) = shop.replanner(query("select * from items where lower(sku) = 's5'"), (LITERAL,))([tried])
    assert indexes(planned) == {"premortem_candidate_0"}
    assert planned.plan.root.rows == pytest.approx(3, abs=2)


def test_postgresql_refuses_a_candidate_in_its_own_words_and_goes_on(shop: twin.Twin) -> None:
    q = query("select * from items where id = 5")
    refused = IndexCandidate(
        table=RelationName(schema="public", name="items"), keys=(IndexKey(expression="(at)::date"),)
    )
    with pytest.raises(StatementError, match="IMMUTABLE"):
        shop.replanner(q, (LITERAL,))([refused])
    assert indexes(shop.explain(q, LITERAL)) == {"items_pkey"}


def test_a_query_that_cannot_be_planned_is_told_in_the_servers_words(shop: twin.Twin) -> None:
    with pytest.raises(StatementError, match='relation "nothing" does not exist'):
        shop.parameter_types(query("select * from nothing"))
    with pytest.raises(StatementError, match="could not determine data type of parameter"):
        shop.parameter_types(query("select * from items where $1 is null"))
    assert shop.parameter_types(query("select * from items where id = $1 and sku = $2")) == ("integer", "text")


def test_any_number_of_queries_can_be_asked_about(shop: twin.Twin) -> None:
    queries = [query(f"select * from items where id = $1 and sku <> 'S{n}'") for n in range(40)]
    for q in (*queries, *queries):
        assert shop.parameter_types(q) == ("integer",)
        assert indexes(shop.explain(q)) == {"items_pkey"}
    assert 0 < int(str(shop._explainer.db.value("SELECT count(*) FROM pg_catalog.pg_prepared_statements"))) <= 16


def test_an_operator_class_of_an_extension_that_production_lacks_can_be_tried(shop: twin.Twin) -> None:
    q = query("select * from items where sku ilike '%17%'")
    tried = IndexCandidate(
        table=RelationName(schema="public", name="items"),
        keys=(IndexKey(column="sku", opclass="gin_trgm_ops"),),
        method="gin",
    )
    before = shop.explain(q, LITERAL).plan
    with shop._explainer.db.rolled_back():
        shop._explainer.db.execute("SET LOCAL enable_seqscan = off")
        (planned,) = shop.replanner(q, (LITERAL,))([tried])
    assert indexes(planned) == {"premortem_candidate_0"}
    assert shop.explain(q, LITERAL).plan == before
    assert shop._explainer.db.value("SELECT count(*) FROM pg_catalog.pg_extension WHERE extname = 'pg_trgm'") == 0
