"""The rules never fail, whatever the plan, and say each thing once under a key that values do not change."""

from __future__ import annotations

import importlib
from dataclasses import fields, replace
from typing import Any

import pytest

from premortem import catalog, pg, plans, rules, sources
from premortem.model import Finding, ParameterSet, Planned, Profile, Query, Site, Values
from tests.plans.test_live import HERE, STATEMENTS, WAYS

BIG = 500.0


def lowest(rule: rules.Rule) -> dict[str, object]:
    """Thresholds that let even the plans of small tables be talked about."""
    module = importlib.import_module(f"premortem.rules.{rule.name.replace('-', '_')}")
    asked = {f.name: 0 for f in fields(module.Limits) if f.name.startswith("min_")}
    return asked | {f.name: 0.9 for f in fields(module.Limits) if f.name == "max_kept"}


LOW = rules.limits({r.name: lowest(r) for r in rules.RULES})


@pytest.fixture
def profile(database: str) -> Profile:
    """The schema of the plans' tests, its tables said to be larger than they are."""
    with pg.writer(database, purpose="test") as db:
        db.execute((HERE / "schema.sql").read_text())
        db.execute("VACUUM ANALYZE")
    with pg.session(database, purpose="test") as session:
        pulled = catalog.pull(session, values=Values.ALL)
    return replace(pulled, tables=tuple(replace(t, tuples=t.tuples * BIG, pages=t.pages * 50) for t in pulled.tables))


def query_of(text: str) -> Query:
    (query,) = sources.text(text, Site(source="test"))
    assert isinstance(query, Query)
    return query


@pytest.mark.parametrize("options", [", VERBOSE", ""])
def test_rules_take_any_plan(database: str, profile: Profile, options: str) -> None:
    fired: set[str] = set()
    with pg.writer(database, purpose="test") as db:
        for settings in WAYS.values():
            for name, value in settings.items():
                db.execute(f"SET {name} = '{value}'")
            for statement in STATEMENTS:
                with db.rolled_back():
                    plan = plans.parse_json(db.value(f"EXPLAIN (FORMAT JSON{options}) {statement}"))
                planned = Planned(parameters=ParameterSet(name="literal"), plan=plan)
                found = rules.find(planned, query_of(statement), profile, LOW)
                assert len({f.key for f in found}) == len(found)
                assert all(f.says and f.evidence and f.table is not None for f in found)
                fired |= {f.rule for f in found}
            db.execute("RESET ALL")
    assert len(fired) >= 12, fired


def keys(db: pg.Session, text: str, profile: Profile, calls: float | None = None) -> dict[str, Finding]:
    plan = plans.parse_json(db.value(f"EXPLAIN (FORMAT JSON, VERBOSE) {text}"))
    query = replace(query_of(text), calls_per_second=calls)
    found = rules.find(Planned(parameters=ParameterSet(name="literal"), plan=plan), query, profile)
    return {f.key: f for f in found}


def test_a_key_does_not_depend_on_values_or_aliases(database: str, profile: Profile) -> None:
    with pg.session(database, purpose="test", search_path="public") as db:
        one = keys(db, "SELECT * FROM item WHERE name = 'x' AND note = '3'", profile)
        two = keys(db, "SELECT i.id FROM item i WHERE i.note = '1' AND i.name = 'name 4'", profile)
    assert set(one) == set(two) == {"seq-scan-discards-rows:public.item:name,note"}


def test_partitions_are_one_table(database: str, profile: Profile) -> None:
    with pg.session(database, purpose="test", search_path="public") as db:
        found = keys(db, "SELECT * FROM event WHERE account + 0 = 7", profile)
    assert "expression-hides-index:public.event:account" in found
    says = found["expression-hides-index:public.event:account"].says
    assert f"{round(6000 * BIG * 50):,} rows of event" in says


def test_a_busy_query_is_judged_on_a_smaller_table(database: str, profile: Profile) -> None:
    tables = tuple(replace(t, tuples=t.tuples / BIG, pages=t.pages // 50) for t in profile.tables)
    small = replace(profile, tables=tables)
    text = "SELECT * FROM item WHERE name = 'x'"
    with pg.session(database, purpose="test", search_path="public") as db:
        assert not keys(db, text, small)
        assert not keys(db, text, small, calls=2)
        assert keys(db, text, small, calls=40)


def of_foreign_keys(profile: Profile) -> list[Finding]:
    return [f for f in rules.find_schema(profile) if f.rule == "foreign-key-without-index"]


def test_a_schema_is_judged_without_any_query(profile: Profile) -> None:
    without = tuple(
        replace(t, indexes=tuple(i for i in t.indexes if i.columns[:1] != ("item_id",))) for t in profile.tables
    )
    assert not of_foreign_keys(profile)
    (finding,) = of_foreign_keys(replace(profile, tables=without))
    assert finding.key == "foreign-key-without-index:public.child:item_id"


@pytest.mark.parametrize(
    ("change", "served"),
    [
        ({}, True),
        ({"valid": False}, False),
        ({"predicate": "id > 3"}, False),
        ({"predicate": "(item_id IS NOT NULL)"}, True),
        ({"predicate": "((item_id IS NOT NULL) AND (id > 3))"}, False),
        ({"method": "brin"}, False),
    ],
)
def test_only_a_full_valid_index_serves_a_foreign_key(profile: Profile, change: dict[str, Any], served: bool) -> None:
    tables = tuple(
        replace(t, indexes=tuple(replace(i, **change) if i.columns == ("item_id",) else i for i in t.indexes))
        for t in profile.tables
    )
    assert (not of_foreign_keys(replace(profile, tables=tables))) is served


@pytest.mark.parametrize("text", ["", "UPDATE item SET name = 'cut off", "\x00"])
def test_a_plan_is_judged_although_its_text_is_missing_or_cut_off(database: str, profile: Profile, text: str) -> None:
    with pg.session(database, purpose="test", search_path="public") as db:
        plan = plans.parse_json(db.value("EXPLAIN (FORMAT JSON, VERBOSE) UPDATE item SET id = 7 WHERE name = 'x'"))
    planned = Planned(parameters=ParameterSet(name="literal"), plan=plan)
    found = rules.find(planned, replace(query_of("SELECT 1"), text=text), profile, LOW)
    assert "seq-scan-discards-rows" in {f.rule for f in found}
