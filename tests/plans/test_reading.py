# ruff: noqa: E501  (queries have long lines)
"""What is read off a plan, held against real servers: the cost when nothing stops early, and the rows read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from premortem import catalog, pg, plans
from premortem.model import Node, Plan, Profile, Values

SCHEMA = """
CREATE TABLE job (id int PRIMARY KEY, state text, tenant int, place int, flag boolean, pad text);
INSERT INTO job SELECT g, CASE WHEN g % 40 = 0 THEN 'failed' ELSE 'done' END, g % 50, (g * 7919) % 20011, g % 10 > 0,
       repeat('x', 300) FROM generate_series(1, 20000) g;
CREATE INDEX job_place_idx ON job (place);
CREATE INDEX job_tenant_place_idx ON job (tenant, place);
CREATE INDEX job_id_state_idx ON job (id, state);
CREATE TABLE step (id int PRIMARY KEY, job_id int, kind text, pad text);
INSERT INTO step SELECT g, g % 20000, 'k' || g % 30, repeat('y', 100) FROM generate_series(1, 30000) g;
CREATE INDEX step_job_idx ON step (job_id);
CREATE TABLE note (job_id int, kind text);
INSERT INTO note SELECT g % 300, 'k' || g % 30 FROM generate_series(1, 5000) g;
CREATE TABLE bulk (id int PRIMARY KEY, at int, pad text);
INSERT INTO bulk SELECT g, CASE WHEN g > 2000 THEN 5000 ELSE g END, repeat('z', 50) FROM generate_series(1, 20000) g;
CREATE INDEX bulk_at_idx ON bulk (at);
"""


@pytest.fixture
def db(database: str) -> Iterator[pg.Session]:
    with pg.writer(database, purpose="test") as db:
        db.execute("SET max_parallel_workers_per_gather = 0")
        db.execute("SET jit = off")
        db.execute(SCHEMA)
        db.execute("VACUUM ANALYZE")
        yield db


@pytest.fixture
def profile(db: pg.Session, database: str) -> Profile:
    with pg.session(database, purpose="test") as session:
        return catalog.pull(session, values=Values.ALL)


def explain(db: pg.Session, query: str, options: str = "") -> Plan:
    return plans.parse_json(db.value(f"EXPLAIN (FORMAT JSON, VERBOSE{options}) {query}"))


def scan(plan: Plan, *kinds: str) -> Node:
    return next(plan.scans(*kinds))


GAMBLES = {
    "limit": "SELECT * FROM job WHERE state = 'failed' ORDER BY place LIMIT 3",
    "limit in a subquery": "SELECT * FROM (SELECT * FROM job WHERE state = 'failed' ORDER BY place LIMIT 3) j ORDER BY id",
    "limit over a join": "SELECT * FROM job j JOIN step s ON s.job_id = j.id AND s.kind = 'k3' ORDER BY j.place LIMIT 3",
    "min": "SELECT min(place) FROM job WHERE state = 'failed'",
    "exists, once": "SELECT 1 WHERE EXISTS (SELECT 1 FROM note WHERE kind = 'k3')",
    "exists, alone": "SELECT EXISTS (SELECT 1 FROM job WHERE state = 'failed')",
    "limit without order": "SELECT * FROM job WHERE state = 'failed' LIMIT 1",
    "ties": "SELECT * FROM bulk ORDER BY at DESC, id DESC LIMIT 5",
}


def test_a_bet_on_stopping_early_costs_much_when_it_is_lost(db: pg.Session, profile: Profile) -> None:
    for case, query in GAMBLES.items():
        plan = explain(db, query)
        assert plans.worst_cost(plan, profile) >= 10 * plan.total_cost, (
            case,
            [line.label for line in plans.lines(plan)],
        )


def test_a_bet_on_an_index_that_is_gone_through_is_one_too(db: pg.Session, profile: Profile) -> None:
    """The condition is about the index's second column; which plan is chosen is VACUUM's luck, so no other is left."""
    db.execute("SET enable_seqscan = off")
    plan = explain(db, GAMBLES["exists, alone"])
    assert scan(plan).index == "job_id_state_idx"
    assert plans.worst_cost(plan, profile) >= 10 * plan.total_cost


SURE = {
    "covered": "SELECT * FROM job WHERE tenant = 7 ORDER BY place LIMIT 3",
    "filter that keeps nearly all": "SELECT * FROM job WHERE flag ORDER BY place LIMIT 3",
    "no filter": "SELECT * FROM job ORDER BY place LIMIT 3",
    "no limit": "SELECT * FROM job WHERE state = 'failed' ORDER BY place",
    "top-N": "SELECT * FROM job WHERE state = 'failed' ORDER BY pad LIMIT 3",
    "aggregate": "SELECT count(*) FROM job WHERE state = 'failed' LIMIT 1",
    "look-up of a parent": "SELECT * FROM step s JOIN job j ON j.id = s.job_id LIMIT 5",
    "exists by index": "SELECT EXISTS (SELECT 1 FROM job WHERE id = 5)",
    "even groups": "SELECT * FROM job ORDER BY tenant, id LIMIT 3",
}


def test_a_plan_that_cannot_lose_costs_what_it_says(db: pg.Session, profile: Profile) -> None:
    for case, query in SURE.items():
        plan = explain(db, query)
        assert plans.worst_cost(plan, profile) <= 3 * plan.total_cost, (
            case,
            [line.label for line in plans.lines(plan)],
        )


def test_the_full_cost_is_that_of_the_plan_without_its_limit(db: pg.Session, profile: Profile) -> None:
    db.execute("SET enable_sort = off; SET enable_bitmapscan = off; SET enable_seqscan = off")
    query = "SELECT * FROM job WHERE state = 'failed' ORDER BY place"
    whole = explain(db, query)
    assert plans.worst_cost(explain(db, f"{query} LIMIT 3"), profile) == pytest.approx(whole.total_cost)


def test_a_semi_join_that_scans_its_inner_side_costs_that_for_every_outer_row(db: pg.Session, profile: Profile) -> None:
    db.execute(
        "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_hashagg = off"
    )
    db.execute("SET enable_sort = off")
    plan = explain(db, "SELECT * FROM job j WHERE id < 30 AND EXISTS (SELECT 1 FROM note n WHERE n.job_id = j.id)")
    join = next(n for n in plan.walk() if n.join_type == "Semi")
    outer, inner = join.inputs
    full = outer.total_cost + outer.rows * inner.total_cost
    assert plans.worst_cost(plan, profile) == pytest.approx(max(full, plan.total_cost), rel=0.05)


READS = {
    "filter": "SELECT * FROM job WHERE tenant = 7 AND pad = 'y'",
    "range in heap order": "SELECT * FROM job WHERE id BETWEEN 100 AND 9000 AND pad = 'y'",
    "range out of heap order": "SELECT * FROM job WHERE place BETWEEN 100 AND 2000 AND pad = 'y'",
    "second column": "SELECT * FROM job WHERE tenant = 3 AND place > 5000 AND pad = 'y'",
    "list": "SELECT * FROM job WHERE tenant IN (3, 4, 5) AND pad = 'y'",
    "whole index": "SELECT * FROM job WHERE pad = 'y' ORDER BY place",
    "index only": "SELECT id FROM job WHERE id < 9000 AND state LIKE '%x'",
    "no filter": "SELECT * FROM job WHERE tenant = 7",
}


@pytest.mark.parametrize("way", ["index", "bitmap", "whole"])
def test_rows_read_are_those_that_the_scan_really_looks_at(db: pg.Session, profile: Profile, way: str) -> None:
    db.execute(
        f"SET enable_bitmapscan = {'on' if way == 'bitmap' else 'off'}; SET enable_sort = {'on' if way == 'whole' else 'off'}"
    )
    db.execute(
        f"SET enable_seqscan = {'on' if way == 'whole' else 'off'}; SET enable_indexscan = {'off' if way != 'index' else 'on'}"
    )
    db.execute(f"SET enable_indexonlyscan = {'on' if way == 'index' else 'off'}")
    table, prices = profile.find_table("job"), plans.Prices.of_profile(profile)
    for case, query in READS.items():
        estimated, measured = scan(explain(db, query)), scan(explain(db, query, ", ANALYZE"))
        assert estimated.kind == measured.kind, case
        read = plans.rows_read(estimated, table, prices=prices)
        assert read == pytest.approx(plans.rows_read(measured, table), rel=0.25), case


def test_rows_read_of_an_inner_index_scan_allow_for_its_cache(db: pg.Session, profile: Profile) -> None:
    db.execute(
        "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_memoize = off; SET enable_bitmapscan = off"
    )
    query = "SELECT * FROM note n JOIN job j ON j.tenant = n.job_id AND j.pad = n.kind"
    estimated, measured = (next(explain(db, query, o).scans("Index Scan")) for o in ("", ", ANALYZE"))
    read = plans.rows_read(estimated, profile.find_table("job"), loops=5000, prices=plans.Prices.of_profile(profile))
    assert measured.actual is not None
    assert (
        200 <= read <= 800
    )  # 400 rows of each of the 50 tenants; the measured mean counts the other 250 note keys too


def test_shapes_tell_plans_apart_and_leave_costs_out(db: pg.Session) -> None:
    one, two = (explain(db, f"SELECT * FROM job WHERE id = {n}") for n in (3, 4))
    other = explain(db, "SELECT * FROM job WHERE tenant = 3")
    assert plans.shape(one) == plans.shape(two)
    assert plans.shape(one).startswith("Index Scan on public.job using job_")
    assert plans.shape(other) != plans.shape(one)
    twice = explain(db, "SELECT * FROM job a, job b WHERE a.id = b.tenant")
    assert "public.job#2" in plans.shape(twice)


def test_an_index_whose_first_column_is_not_asked_for_is_read_whole(db: pg.Session, profile: Profile) -> None:
    db.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    table = profile.find_table("job")
    for query in (
        "SELECT id FROM job WHERE state = 'nowhere'",
        "SELECT * FROM job WHERE state = 'nowhere' AND pad = 'y'",
    ):
        plan = explain(db, query)
        assert scan(plan).index == "job_id_state_idx"
        assert plans.rows_read(scan(plan), table) == 20_000
    assert plans.rows_read(scan(explain(db, "SELECT id FROM job WHERE id = 3 AND state = 'done'")), table) == 1


@pytest.mark.pg(">= 18")
def test_an_index_that_is_skipped_through_is_not_read_whole(db: pg.Session, profile: Profile) -> None:
    db.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; DROP INDEX job_place_idx")
    plan = explain(db, "SELECT * FROM job WHERE place = 77")
    assert scan(plan).index == "job_tenant_place_idx"
    assert plans.rows_read(scan(plan), profile.find_table("job")) < 100
