"""The promise: production's plans, every node's rows, width and cost, from statistics alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from premortem import pg, plans, twin
from premortem.model import Plan, Profile

from .conftest import LITERAL, plan_there, pulled, query, statements

#: Reads beyond the last or before the first histogram bound: production looks at the index for the true end, a twin has
#: no rows.
BEYOND_THE_HISTOGRAM = {
    "select * from base_log where at > '2026-02-01' order by at limit 5",
    "select count(*) from base_log where at < '2025-02-01'",
}


def figures(plan: Plan) -> list[tuple[object, ...]]:
    return [(n.kind, n.index, n.startup_cost, n.total_cost, n.rows, n.width) for n in plan.walk()]


def test_every_plan_of_a_schema_with_every_index_kind_is_productions(
    database: str, opened: Callable[..., twin.Twin]
) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE EXTENSION pageinspect")
        for statement in statements("objects.sql"):
            db.execute(statement)
        db.execute("VACUUM ANALYZE")
    there = {text: plan_there(database, text) for text in statements("objects_queries.sql")}
    here = opened(pulled(database))

    assert [g for g in here.gaps if "could not be created" in g.says] == []
    planned = {text: here.explain(query(text), LITERAL).plan for text in there}
    assert {t: plans.shape(p) for t, p in planned.items()} == {t: plans.shape(p) for t, p in there.items()}
    exact = there.keys() - BEYOND_THE_HISTOGRAM
    assert {t: figures(planned[t]) for t in exact} == {t: figures(there[t]) for t in exact}


def test_a_b_tree_has_productions_height_without_pageinspect(
    production: Callable[[str], Profile], database: str, opened: Callable[..., twin.Twin]
) -> None:
    profile = production(
        "create table t (id int, filler text);\ninsert into t select i, 'x' from generate_series(1, 150000) i;\n"
        "create index t_id on t (id)"
    )
    (index,) = profile.table_of_index("public", "t_id").indexes  # type: ignore[union-attr]
    text = "select filler from t where id = 77"

    assert index.level is not None or any("height" in g.says or "height" in g.subject for g in profile.gaps)
    assert figures(opened(profile).explain(query(text), LITERAL).plan) == figures(plan_there(database, text))


def test_a_table_of_several_segments_has_its_size(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    from dataclasses import replace

    profile = production("create table big (id int);\ninsert into big values (1)")
    (table,) = profile.tables
    pages = 300_000_000
    huge = replace(table, pages=pages, relation_pages=pages, tuples=6e10)
    here = opened(replace(profile, tables=(huge,)))

    root = here.explain(query("select count(*) from big"), LITERAL).plan.root
    scan = next(n for n in root.walk() if n.kind == "Seq Scan")
    assert scan.rows * 2.5 > 5.9e10  # a parallel plan divides the rows among its workers
    with pg.session(here.server, purpose="test", database="postgres") as db:
        assert db.value("SELECT pg_catalog.pg_relation_size('public.big') / 8192") == pages


def test_planner_settings_of_the_database_travel(
    production: Callable[[str], Profile], database: str, opened: Callable[..., twin.Twin]
) -> None:
    with pg.writer(database, purpose="test") as db:
        name = str(db.value("SELECT current_database()"))
        db.execute(f"ALTER DATABASE {name} SET random_page_cost = 1.07")
        db.execute(f"ALTER DATABASE {name} SET enable_hashjoin = off")
    production("create table a (id int);\ninsert into a select generate_series(1, 5000)")
    text = "select count(*) from a x join a y using (id)"
    there = plan_there(database, text)

    plan = opened(pulled(database)).explain(query(text), LITERAL).plan
    assert figures(plan) == figures(there)
    assert {n.kind for n in plan.walk()}.isdisjoint({"Hash Join"})


@pytest.mark.pg(">= 15")
def test_a_policy_is_planned_as_the_application_meets_it(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    profile = production(
        "create table notes (id int, tenant uuid, body text);\ncreate index notes_tenant on notes (tenant);\n"
        "insert into notes select i, ('00000000-0000-0000-0000-' || lpad((i % 300)::text, 12, '0'))::uuid, 'b'"
        " from generate_series(1, 30000) i;\nalter table notes enable row level security;\n"
        "create policy p on notes using (tenant = current_setting('app.tenant')::uuid)"
    )
    here = opened(profile)

    root = here.explain(query("select * from notes"), LITERAL).plan.root
    assert any("current_setting" in (n.index_condition or n.filter or "") for n in root.walk())
    assert any(g.subject == "row-level security" for g in here.gaps)


def test_an_index_that_a_failed_build_left_invalid_is_not_used(
    production: Callable[[str], Profile], database: str, opened: Callable[..., twin.Twin]
) -> None:
    script = (
        "create table t (id int, kind int);\ninsert into t select i, i % 1000 from generate_series(1, 30000) i;\n"
        "create index t_kind on t (kind)"
    )
    production(script)
    with pg.writer(database, purpose="test") as db:
        db.execute("UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 't_kind'::regclass")
    text = "select * from t where kind = 5"

    plan = opened(pulled(database)).explain(query(text), LITERAL).plan
    assert figures(plan) == figures(plan_there(database, text))
    assert plan.root.index is None
