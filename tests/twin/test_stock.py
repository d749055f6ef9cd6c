"""Many candidates at once: what they do to a plan is what each does alone, whatever was asked before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from premortem import advisor, pg, twin
from premortem.model import (
    Answer,
    Demand,
    IndexCandidate,
    IndexKey,
    ParameterSet,
    Plan,
    Profile,
    Query,
    Question,
    RelationName,
    Site,
)
from premortem.twin import candidates as making

from .conftest import LITERAL, pulled, statements

SHOP = (
    "create table items (id int primary key, sku text not null, status text not null, at timestamptz, doc jsonb);\n"
    "insert into items select i, 'S' || i % 2000, case when i % 500 = 0 then 'new' else 'sent' end, now(), '{}'"
    " from generate_series(1, 20000) i;\n"
    "create index items_at on items (at);\n"
    "create table lines (item int not null references items, at date, amount int);\n"
    "insert into lines select 1 + i % 20000, '2026-01-01'::date + i % 90, i % 977 from generate_series(1, 40000) i;\n"
    "create table log (at date not null, kind int) partition by range (at);\n"
    "create table log_1 partition of log for values from ('2026-01-01') to ('2026-02-01');\n"
    "create table log_2 partition of log for values from ('2026-02-01') to ('2026-03-01') partition by list (kind);\n"
    "create table log_2a partition of log_2 default;\n"
    "insert into log select '2026-01-01'::date + i % 59, i % 500 from generate_series(1, 20000) i;\n"
    "create index log_1_kind on log_1 (kind);\n"
    "create index log_at on log (at);\n"
    "create schema one;\ncreate schema two;\n"
    "create table one.docs (id int, tenant int);\ncreate table two.docs (id int, tenant int);\n"
    "insert into one.docs select i, i % 10 from generate_series(1, 5000) i;\n"
    "insert into two.docs select i, i % 10 from generate_series(1, 50000) i;\n"
    "create index docs_id on one.docs (id);\ncreate index docs_id on two.docs (id);\n"
    "create table secrets (id int, tenant int);\n"
    "insert into secrets select i, i % 400 from generate_series(1, 20000) i;\n"
    "alter table secrets enable row level security;\n"
    "create policy own on secrets using (tenant = current_setting('app.tenant')::int)"
)


def named(text: str) -> RelationName:
    schema, _, name = text.rpartition(".")
    return RelationName(schema=schema or "public", name=name)


def candidate(table: str, *columns: str, **more: object) -> IndexCandidate:
    return IndexCandidate(table=named(table), keys=tuple(IndexKey(column=c) for c in columns), **more)  # type: ignore[arg-type]


def demand(text: str, *sets: ParameterSet, path: tuple[str, ...] | None = None) -> Demand:
    query = Query(
        text=text, original=text, fingerprint=text, site=Site(source="test"), parameter_count=text.count("$"),
        search_path=path,
    )  # fmt: skip
    chosen = sets or (LITERAL,)
    return Demand(query=query, sets=chosen, shares=(1 / len(chosen),) * len(chosen))


def values(*given: str) -> ParameterSet:
    return ParameterSet(name="given", values=given)


@contextmanager
def twin_of(server: pg.Server, script: Sequence[str], name: str) -> Iterator[twin.Twin]:
    with pg.writer(server, purpose="test") as db:
        db.execute(f"CREATE DATABASE {name}")
    with pg.writer(server.dsn(name), purpose="test") as db:
        for statement in script:
            db.execute(statement)
        db.execute("VACUUM ANALYZE")
    profile = pulled(server.dsn(name))
    with twin.briefly(profile, installation=server.installation) as opened:
        yield opened
    with pg.writer(server, purpose="test") as db:
        db.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="module", params=(15, 18), ids=("pg15", "pg18"))
def shop(request: pytest.FixtureRequest) -> Iterator[twin.Twin]:
    with twin_of(request.getfixturevalue(f"server{request.param}"), SHOP.split(";\n"), "stocked_shop") as opened:
        yield opened


def alone(
    opened: twin.Twin, one: Demand, tried: Sequence[IndexCandidate], hidden: Sequence[RelationName]
) -> list[Plan]:
    return [p.plan for p in opened.replanner(one.query, one.sets)(tried, hidden)]


def nodes(plan: Plan) -> list[tuple[object, ...]]:
    """A plan without the names of indexes, which depend on how they were made."""
    return [(n.kind, n.alias, n.index is None, n.total_cost, n.rows, n.index_condition, n.filter) for n in plan.walk()]


@pytest.mark.parametrize("major", [15, 18])
def test_every_kind_of_index_does_what_it_does_when_it_is_tried_alone(
    request: pytest.FixtureRequest, major: int
) -> None:
    server = request.getfixturevalue(f"server{major}")
    with twin_of(server, statements("objects.sql"), "stocked_objects") as opened:
        owned = [(t, i) for t in opened.profile.tables for i in t.indexes if i.parent is None and i.constraint is None]
        copies = [advisor.as_candidate(index, table.relation) for table, index in owned]
        real = [RelationName(schema=table.schema, name=index.name) for table, index in owned]
        demands = [demand(text) for text in statements("objects_queries.sql")]
        stock = opened.stock(demands)

        assert stock.stock(copies) == (None,) * len(copies)
        today = stock.ask([Question(demand=d) for d in range(len(demands))])
        assert [a.used for a in today] == [frozenset()] * len(demands)
        questions = [
            Question(demand=d, visible=frozenset({n}), hidden=frozenset({real[n]}))
            for d, answer in enumerate(today)
            for n in range(len(copies))
            if any(r == real[n] or _is_part(r, real[n], opened.profile) for r in answer.kept)
        ]
        assert {copies[n].method for q in questions for n in q.visible} == {
            "btree",
            "gin",
            "gist",
            "spgist",
            "brin",
            "hash",
        }
        answers = stock.ask(questions)
        for question, answer in zip(questions, answers, strict=True):
            (n,) = question.visible
            (planned,) = stock.plans(question)
            (there,) = alone(opened, demands[question.demand], [copies[n]], [real[n]])
            assert nodes(planned.plan) == nodes(there)
            assert answer.shown == (there.total_cost,)
            assert not any(r == real[n] for r in answer.kept)
        assert sum(bool(a.used) for a in answers) > 0.9 * len(answers)


def _is_part(index: RelationName, whole: RelationName, profile: Profile) -> bool:
    table = profile.table_of_index(index.schema, index.name)
    found = next((i for i in table.indexes if i.name == index.name), None) if table is not None else None
    if found is None or found.parent is None:
        return False
    return found.parent == whole or _is_part(found.parent, whole, profile)


def test_a_refusal_is_in_the_servers_words_and_spoils_nothing(shop: twin.Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "_AT_ONCE", 3)  # in several pieces
    stock = shop.stock([demand("select * from items where sku = 'S5'"), demand("select * from log where kind = 3")])
    said = stock.stock(
        [
            candidate("items", "status", "id"),
            IndexCandidate(table=named("items"), keys=(IndexKey(expression="(at)::date"),)),
            candidate("nowhere", "id"),
            candidate("items", "doc", method="btree", predicate="nonsense"),
            candidate("log", "kind", "at"),
            IndexCandidate(table=named("items"), keys=(IndexKey(column="sku", opclass="no_such_ops"),)),
            candidate("items", "sku"),
            candidate("log", "kind", unique=True),
        ]
    )
    assert [s is None for s in said] == [True, False, False, False, True, False, True, False]
    assert "IMMUTABLE" in str(said[1])
    assert "no table" in str(said[2])
    assert "partition" in str(said[7])
    by_sku, by_kind = stock.ask(
        [Question(demand=0, visible=frozenset({*range(8)})), Question(demand=1, visible=frozenset({4, 7}))]
    )
    assert by_sku.used == {6}
    assert by_kind.used == {4}
    assert stock.stock([candidate("items", "sku", "status")]) == (None,)
    assert stock.ask([Question(demand=0, visible=frozenset({8}))])[0].used == {8}


def test_partitions_own_indexes_stay_and_all_parts_of_a_hidden_index_go(shop: twin.Twin) -> None:
    by_kind, by_day = demand("select * from log where kind = 3"), demand("select * from log where at = '2026-02-07'")
    stock = shop.stock([by_kind, by_day])
    assert stock.stock([candidate("log", "kind")]) == (None,)
    before, after = stock.ask([Question(demand=0), Question(demand=0, visible=frozenset({0}))])
    own = named("log_1_kind")
    assert before.kept == {own}
    assert (after.used, after.kept) == ({0}, {own})
    assert after.shown == (alone(shop, by_kind, [candidate("log", "kind")], [])[0].total_cost,)

    seen, hidden = stock.ask([Question(demand=1), Question(demand=1, hidden=frozenset({named("log_at")}))])
    assert {r.name for r in seen.kept} == {"log_2a_at_idx"}
    assert hidden.kept == frozenset()
    part = Question(demand=1, hidden=frozenset({named("log_2a_at_idx")}))
    both = Question(demand=1, hidden=frozenset({named("log_at"), named("log_2a_at_idx")}))
    assert stock.ask([both, part, Question(demand=1)]) == (hidden, hidden, seen)


def test_indexes_of_one_name_and_tables_of_one_name_are_told_apart(shop: twin.Twin) -> None:
    text = "select * from docs where id = 7"
    stock = shop.stock(
        [demand(text, path=("one",)), demand(text, path=("two",)), demand("select * from two.docs d where id < 9")]
    )
    assert stock.stock([candidate("one.docs", "id", "tenant"), candidate("two.docs", "id", "tenant")]) == (None, None)
    one, two, three, again = stock.ask([Question(demand=n) for n in (0, 1, 2, 0)])
    assert (one.kept, two.kept, three.kept) == ({named("one.docs_id")}, {named("two.docs_id")}, {named("two.docs_id")})
    assert again == one
    shown, hidden = frozenset({0, 1}), frozenset({named("one.docs_id"), named("two.docs_id")})
    assert [a.used for a in stock.ask([Question(demand=n, visible=shown, hidden=hidden) for n in (0, 1, 2)])] == [
        {0},
        {1},
        {1},
    ]


def test_each_set_of_values_has_its_own_plan_and_the_generic_one_is_made_anew(shop: twin.Twin) -> None:
    text = "select * from items where status = $1 and id > $2"
    one = demand(text, values("new", "5"), values("sent", "5"), twin.GENERIC)
    stock = shop.stock([one])
    tried = [
        candidate("items", "status"),
        candidate("items", "status", "id"),
        candidate("items", "id", predicate="status = 'new'"),
    ]
    assert stock.stock(tried) == (None,) * 3
    for visible in ([], [0], [1], [2], [0, 1], [], [1], [0, 2]):
        (answer,) = stock.ask([Question(demand=0, visible=frozenset(visible))])
        there = alone(shop, one, [tried[n] for n in visible], [])
        assert answer.shown == tuple(p.total_cost for p in there), visible


def test_the_cost_at_risk_is_what_the_plan_costs_when_its_hopes_fail(shop: twin.Twin) -> None:
    demands = [
        demand("select * from items where status = 'new' order by id limit 1"),
        demand("select * from items i where exists (select from lines l where l.item = i.id and l.amount = 5)"),
        demand("select * from lines l join items i on i.id = l.item where l.amount = 5"),
        demand("select * from lines where amount = 5"),
    ]
    stock = shop.stock(demands)
    tried = [candidate("items", "status"), candidate("lines", "item"), candidate("lines", "amount")]
    assert stock.stock(tried) == (None,) * 3
    assert stock.ask([Question(demand=0)])[0].risk[0] > 10 * stock.ask([Question(demand=0)])[0].shown[0]
    for number, one in enumerate(demands):
        (answer,) = stock.ask([Question(demand=number)])
        (planned,) = stock.plans(Question(demand=number))
        costs = advisor.costs_of(planned.plan, shop.profile)
        assert (answer.shown, answer.risk) == ((costs.shown,), (costs.risk,)), one.query.text


def test_what_a_plan_reads_of_a_candidate_is_worked_out_from_its_size(shop: twin.Twin) -> None:
    one = demand("select sku from items where status = 'new' and sku > 'A' order by id limit 3")
    stock = shop.stock([one])
    assert stock.stock([candidate("items", "id", include=("status", "sku"))]) == (None,)
    with_it = Question(demand=0, visible=frozenset({0}), hidden=frozenset({named("items_pkey")}))
    (answer,) = stock.ask([with_it])
    (planned,) = stock.plans(with_it)
    scan = next(planned.plan.scans())
    assert answer.used == {0}
    assert answer.risk == (scan.total_cost,)  # it keeps one row of 500, which only who knows the index can tell


def test_a_question_that_the_server_refuses_costs_infinitely_much(shop: twin.Twin) -> None:
    stock = shop.stock(
        [
            demand("insert into items values ($1, 'S', 'new') on conflict (id) do nothing", values("1"), values("2")),
            demand("select * from items where id = 4"),
        ]
    )
    hidden = frozenset({named("items_pkey")})
    refused, read, good = stock.ask(
        [Question(demand=0, hidden=hidden), Question(demand=1, hidden=hidden), Question(demand=0)]
    )
    assert refused == Answer(shown=(math.inf,) * 2, risk=(math.inf,) * 2)
    assert read.kept == frozenset()
    assert all(map(math.isfinite, (*good.shown, *read.shown)))


def test_policies_settings_are_made_up_once_and_then_asked_quickly(shop: twin.Twin) -> None:
    one = demand("select * from secrets where id < 100")
    stock = shop.stock([one])
    assert stock.stock([candidate("secrets", "tenant"), candidate("secrets", "tenant", "id")]) == (None, None)
    answers = stock.ask([Question(demand=0, visible=frozenset({n})) for n in (0, 1)])
    assert [a.used for a in answers] == [{0}, {1}]
    assert stock.ask([Question(demand=0)])[0].shown == (shop.explain(one.query, LITERAL).plan.total_cost,)


def test_a_twin_plans_as_production_while_and_after_its_stock_is_asked(shop: twin.Twin) -> None:
    one = demand("select * from items where sku = 'S5'")
    before = shop.explain(one.query, LITERAL).plan
    for _ in range(2):  # a second stock takes the place of the first
        stock = shop.stock([one])
        assert stock.stock([candidate("items", "sku")]) == (None,)
        (answer,) = stock.ask([Question(demand=0, visible=frozenset({0}), hidden=frozenset({named("items_pkey")}))])
        assert answer.used == {0}
        assert shop.explain(one.query, LITERAL).plan == before
        assert stock.ask([Question(demand=0)])[0].shown == (before.total_cost,)


QUERIES = [
    demand("select * from items where sku = 'S5' and status = 'new'"),
    demand("select * from items i join lines l on l.item = i.id where l.amount = $1", values("5"), twin.GENERIC),
    demand("select item, sum(amount) from lines where at = '2026-01-05' group by item order by 2 desc limit 3"),
    demand("update lines set amount = 0 where item = 7"),
]
TRIED = [
    candidate("items", "sku"),
    candidate("items", "status", "sku"),
    candidate("lines", "amount"),
    candidate("lines", "item", include=("amount",)),
    candidate("lines", "at"),
    candidate("lines", "at", "item", include=("amount",)),
]
questions = st.builds(
    Question,
    demand=st.integers(0, len(QUERIES) - 1),
    visible=st.frozensets(st.integers(0, len(TRIED) - 1)),
    hidden=st.frozensets(st.sampled_from([named("items_pkey"), named("items_at")])),
)


@pytest.fixture(scope="module")
def told(shop: twin.Twin) -> Callable[[Question], Answer]:
    """The answers of a planner that has nothing else visible, and is asked everything by itself."""
    known: dict[Question, Answer] = {}

    def tell(question: Question) -> Answer:
        if question not in known:
            stock = shop.stock(QUERIES)
            assert stock.stock(TRIED) == (None,) * len(TRIED)
            (known[question],) = stock.ask([question])
        return known[question]

    return tell


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=st.lists(questions, min_size=1, max_size=8), spare=st.sampled_from([0, 40]))
def test_an_answer_does_not_depend_on_what_was_asked_before(
    shop: twin.Twin, told: Callable[[Question], Answer], asked: list[Question], spare: int
) -> None:
    wanted = tuple(told(q) for q in asked)
    stock = shop.stock(QUERIES)
    assert stock.stock(TRIED) == (None,) * len(TRIED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("premortem.twin.stock._SPARE", spare)
        assert stock.ask(asked) == wanted
        assert tuple(a for q in reversed(asked) for a in stock.ask([q])) == wanted[::-1]
