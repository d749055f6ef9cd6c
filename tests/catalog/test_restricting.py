"""The part of a profile that one statement needs, pulled and cut out of a whole one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from premortem import catalog, pg, twin
from premortem.model import ConstraintKind, Profile, RelationName, Table, TableActivity, Values

SCHEMA = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TYPE unused AS ENUM ('x');
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE FUNCTION named_in_the_text(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION not_needed() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE customers (id int PRIMARY KEY, region int);
CREATE TABLE regions (id int PRIMARY KEY);
ALTER TABLE customers ADD FOREIGN KEY (region) REFERENCES regions;
CREATE TABLE orders (id int, at date NOT NULL, customer int REFERENCES customers, mood mood) PARTITION BY RANGE (at);
CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE orders_2 PARTITION OF orders FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
CREATE INDEX orders_customer ON orders (customer);
CREATE TRIGGER touched AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION touched();
CREATE VIEW happy AS SELECT * FROM orders WHERE mood = 'good';
CREATE TABLE elsewhere (id int PRIMARY KEY);
INSERT INTO regions SELECT generate_series(1, 10);
INSERT INTO customers SELECT i, 1 + i % 10 FROM generate_series(1, 1000) AS i;
INSERT INTO orders SELECT i, date '2026-01-01' + i % 360, 1 + i % 1000, 'good' FROM generate_series(1, 20000) AS i;
ANALYZE;
"""


def name(table: str) -> RelationName:
    return RelationName(schema="public", name=table)


def pulled(database: str, **how: object) -> Profile:
    with pg.session(database, purpose="test") as db:
        return catalog.pull(db, values=Values.ALL, **how)  # type: ignore[arg-type]


def still(table: Table) -> Table:
    """The table without counters, which move late, and rates, which depend on the second they were read in."""
    indexes = tuple(replace(i, scans=None, scans_per_second=None, last_used=None) for i in table.indexes)
    return replace(table, activity=TableActivity(), indexes=indexes)


@pytest.fixture
def shop(database: str) -> str:
    with pg.writer(database, purpose="test") as db:
        db.execute(SCHEMA)
    return database


def test_a_view_brings_what_it_reads_whole_partition_trees_and_both_ends_of_foreign_keys(shop: str) -> None:
    profile = pulled(shop, only=[name("happy")], texts=["SELECT named_in_the_text(id) FROM happy"])
    assert {t.name for t in profile.tables} == {"happy", "orders", "orders_1", "orders_2", "customers"}
    names = {o.name.partition("(")[0] for o in profile.objects}
    assert names >= {"mood", "touched", "named_in_the_text"}
    assert not names & {"unused", "not_needed"}
    customers = profile.table(name("customers"))
    assert customers is not None
    assert [c.kind for c in customers.constraints if c.kind is ConstraintKind.FOREIGN_KEY] == []


def test_what_is_kept_is_exactly_what_a_whole_pull_says_of_it(shop: str) -> None:
    whole = catalog.restricted(pulled(shop), [name("orders_1")])
    part = pulled(shop, only=[name("orders_1")])
    assert [still(t) for t in part.tables] == [still(t) for t in whole.tables]
    assert part.objects == whole.objects
    assert all(t.columns and t.rows for t in part.tables if t.name.startswith("orders_"))


def test_a_name_without_a_schema_is_every_table_of_that_name(shop: str) -> None:
    with pg.writer(shop, purpose="test") as db:
        db.execute("CREATE SCHEMA other; CREATE TABLE other.elsewhere (id int)")
    profile = pulled(shop, only=[RelationName(schema="", name="elsewhere")])
    assert {t.relation for t in profile.tables} == {name("elsewhere"), RelationName(schema="other", name="elsewhere")}


def test_a_relation_that_is_not_there_leaves_nothing(shop: str) -> None:
    assert pulled(shop, only=[name("gone")]).tables == ()


def test_a_brief_twin_of_it_plans_as_a_twin_of_the_whole_does(shop: str) -> None:
    from premortem import sources
    from premortem.model import Query, Site

    (query,) = sources.text("SELECT * FROM happy WHERE customer = $1", Site(source="test"))
    assert isinstance(query, Query)
    with twin.briefly(pulled(shop, only=[name("happy")])) as part, twin.briefly(pulled(shop)) as whole:
        assert not [g for g in part.gaps if g.subject.startswith(("table", "view", "constraint"))]
        assert part.explain(query).json == whole.explain(query).json
