"""The rule on columns that depend on each other: on plans that real servers execute, with their own profile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from premortem import catalog, check, pg, plans
from premortem.model import (
    ExtendedStatistics,
    Finding,
    Planned,
    Profile,
    Query,
    Site,
    StatementKind,
    TableActivity,
    Values,
)
from premortem.settings import Settings

RULE = "correlated-columns-without-statistics"
SCHEMA = """
CREATE SCHEMA "Geo";
CREATE TABLE "Geo".visits (id int PRIMARY KEY, city varchar(20), "Country" text, zip int, gone date,
    live bool, late bool, seen timestamptz);
INSERT INTO "Geo".visits SELECT g, 'city ' || g % 40, 'country ' || g % 20, g % 40,
    CASE WHEN g % 20 > 0 THEN date '2024-01-01' END, g % 20 = 0, g % 40 <> 8,
    timestamptz '2024-01-01' + g * interval '1 min'
    FROM generate_series(1, 60000) g;
CREATE INDEX visits_city ON "Geo".visits (city, "Country");
CREATE INDEX visits_open ON "Geo".visits (zip) WHERE "Country" = 'country 7';
CREATE TABLE pairs (a int, b int);
INSERT INTO pairs SELECT g % 1000, g / 60 % 1000 FROM generate_series(1, 60000) g;
CREATE TABLE parts (city text, zip int, year int) PARTITION BY LIST (year);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
INSERT INTO parts SELECT 'city ' || g % 50, g % 50, (g > 60000)::int + 1 FROM generate_series(1, 120000) g;
"""
ALONE = "SET max_parallel_workers_per_gather = 0; SET jit = off"
PARALLEL = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0"
NO_SCAN = f"{ALONE}; SET enable_seqscan = off; SET enable_indexscan = off"
V = 'SELECT * FROM "Geo".visits v WHERE'
PLACE = f"{V} city = 'city 7' AND \"Country\" = 'country 7' AND zip = 7"
#: Statement, settings, what the remedy names.
FIRES = {
    "scan": (PLACE, f"{ALONE}; SET enable_bitmapscan = off; SET enable_indexscan = off", "city, \"Country\", zip"),
    "index": (PLACE, f"{ALONE}; SET enable_bitmapscan = off; SET enable_seqscan = off", "zip"),
    "bitmap": (PLACE, f"{NO_SCAN}; DROP INDEX \"Geo\".visits_open", "zip"),
    "workers": (PLACE, f"{PARALLEL}; SET enable_bitmapscan = off; SET enable_indexscan = off", "zip"),
    "list": (f"{V} city IN ('city 7', 'city 9', 'city 27') AND zip IN (7, 9, 27)", NO_SCAN, "city, zip"),
    "or": (f"{V} (zip = 7 OR zip = 27) AND (city = 'city 7' OR city = 'city 27')", ALONE, "zip"),
    "null": (f"{V} gone IS NULL AND live AND \"Country\" = 'country 0'", ALONE, "gone"),
    "not": (f"{V} NOT late AND zip = 8", ALONE, "late, zip"),
    "groups": ("SELECT city, zip, count(*) FROM \"Geo\".visits GROUP BY city, zip", ALONE, "(ndistinct) ON city, zip"),
    "distinct": ("SELECT DISTINCT city, zip FROM \"Geo\".visits", f"{ALONE}; SET enable_hashagg = off", "(ndistinct)"),
    "worker groups": ("SELECT city, zip, count(*) FROM \"Geo\".visits GROUP BY 1, 2", PARALLEL, "(ndistinct)"),
    "many groups": ("SELECT a, b, count(*) FROM pairs GROUP BY a, b", ALONE, "(ndistinct) ON a, b"),
    "partitions": ("SELECT * FROM parts WHERE city = 'city 3' AND zip = 3", ALONE, "FROM public.parts_1"),
    "groups of partitions": ("SELECT city, zip FROM parts GROUP BY city, zip", ALONE, "FROM public.parts;"),
}  # fmt: skip
QUIET = {
    "one column": (f"{V} city = 'city 7'", ALONE),
    "independent": (f"{V} live AND id % 3 = 0", ALONE),
    "range too": (f"{PLACE} AND seen > '2024-01-02'", ALONE),
    "pattern too": (f"{PLACE} AND city LIKE '%7'", ALONE),
    "expression": (f"{V} lower(city) = 'city 7' AND zip % 40 = 7", ALONE),
    "not equal": (f"{V} city = 'city 7' AND zip <> 9", ALONE),
    "joined": (f"{V} city = 'city 7' AND zip = (SELECT a FROM pairs p WHERE p.b = v.zip LIMIT 1)", ALONE),
    "grouping sets": ("SELECT city, zip FROM \"Geo\".visits GROUP BY GROUPING SETS ((city, zip), (city))", ALONE),
    "union": ('SELECT city, zip FROM "Geo".visits UNION SELECT city, zip FROM "Geo".visits', ALONE),
    "grouped by one": ("SELECT city, count(*) FROM \"Geo\".visits GROUP BY city", ALONE),
    "grouped by an expression": ("SELECT lower(city), zip FROM \"Geo\".visits GROUP BY 1, 2", ALONE),
    "few of the rows are grouped": (
        "SELECT city, zip FROM \"Geo\".visits WHERE \"Country\" = 'country 7' GROUP BY 1, 2", ALONE),
    "groups left out": ("SELECT city, zip FROM \"Geo\".visits GROUP BY 1, 2 HAVING count(*) > 9000", ALONE),
    "some groups only": ("SELECT city, zip FROM \"Geo\".visits GROUP BY 1, 2 LIMIT 5", ALONE),
    "grouped before": (
        "SELECT DISTINCT city, zip FROM (SELECT city, zip, id % 7 FROM \"Geo\".visits GROUP BY 1, 2, 3) s", ALONE),
}  # fmt: skip


@pytest.fixture
def geo(database: str) -> Iterator[tuple[pg.Session, str]]:
    with pg.writer(database, purpose="test") as db:
        db.execute(SCHEMA)
        db.execute("VACUUM ANALYZE")
        yield db, database


def read(dsn: str) -> Profile:
    """The profile, as if the counters of what changed were up to date: sessions report them late."""
    with pg.session(dsn, purpose="test") as db:
        pulled = catalog.pull(db, values=Values.ALL)
    return replace(pulled, tables=tuple(replace(t, activity=TableActivity()) for t in pulled.tables))


def judged(
    db: pg.Session, statement: str, settings: str, profile: Profile | None, options: str = "ANALYZE, VERBOSE"
) -> tuple[Finding, ...]:
    with db.rolled_back():
        for part in settings.split(";"):
            db.execute(part)
        text = "\n".join(str(line) for line in db.values(f"EXPLAIN ({options}) {statement}"))
    (pasted,) = plans.read(text)
    query = Query(
        text=statement, original=statement, fingerprint="", site=Site(source="case"), kind=StatementKind.SELECT
    )
    planned = Planned(parameters=check.pasted_values("case"), plan=pasted.plan, json=pasted.json)
    return check.judge_plan(planned, query, profile=profile, settings=Settings()).findings


def names(found: tuple[Finding, ...]) -> set[str]:
    return {f.rule for f in found} & {RULE, "row-estimate-wrong"}


def test_what_it_types_cures_what_it_found(geo: tuple[pg.Session, str]) -> None:
    db, dsn = geo
    profile = read(dsn)
    for name, (statement, settings, said) in FIRES.items():
        found = judged(db, statement, settings, profile)
        assert names(found) == {RULE}, (name, found)
        (finding,) = [f for f in found if f.rule == RULE]
        assert finding.remedy is not None
        assert said in " ".join(finding.remedy.sql), (name, finding.remedy)
        for sql in finding.remedy.sql:
            db.execute(sql)
        assert not names(judged(db, statement, settings, read(dsn))), name
        assert not names(judged(db, statement, settings, None)), name  # the estimate itself is right now
        for sql in finding.remedy.undo:
            db.execute(sql)
    assert not any(t.statistics for t in read(dsn).tables)


def test_it_says_nothing_of_what_it_cannot_know(geo: tuple[pg.Session, str]) -> None:
    db, dsn = geo
    profile = read(dsn)
    for name, (statement, settings) in QUIET.items():
        for known in (profile, None):
            found = judged(db, statement, settings, known)
            assert RULE not in names(found), (name, found)


def test_without_a_profile_it_says_that_nobody_looked(geo: tuple[pg.Session, str]) -> None:
    db, _ = geo
    for name in ("scan", "bitmap", "groups", "workers", "worker groups", "many groups"):
        statement, settings, _said = FIRES[name]
        found = [f for f in judged(db, statement, settings, None, "ANALYZE") if f.rule == RULE]
        assert found, (name, db.values(f"EXPLAIN ANALYZE {statement}"))
        (finding,) = found
        assert "the table is in no profile" in finding.says, name
        assert finding.remedy is not None
        assert finding.remedy.sql[0].startswith("CREATE STATISTICS"), name


def test_statistics_that_are_there_are_known_filled_or_not(geo: tuple[pg.Session, str]) -> None:
    db, dsn = geo
    statement, settings, _ = FIRES["scan"]
    profile = read(dsn)
    there = ExtendedStatistics(
        schema="Geo", name="s", definition="", keys=("city", "Country", "zip"), kinds=("dependencies",)
    )
    assert RULE not in names(judged(db, statement, settings, _with(profile, there)))
    some = replace(there, keys=("city", "zip", "lower(city)"), expression_count=1)
    (finding,) = [f for f in judged(db, statement, settings, _with(profile, some)) if f.rule == RULE]
    assert "s tells the planner of some of these columns only" in finding.says
    other = replace(there, kinds=("ndistinct",))
    assert RULE in names(judged(db, statement, settings, _with(profile, other)))
    null, alone, _ = FIRES["null"]
    no_mcv = replace(there, keys=("gone", "live", "Country"))
    assert RULE in names(judged(db, null, alone, _with(profile, no_mcv)))


def test_columns_whose_own_statistics_are_old_are_not_called_dependent(geo: tuple[pg.Session, str]) -> None:
    db, dsn = geo
    db.execute("UPDATE \"Geo\".visits SET city = 'new', zip = 999 WHERE id % 5 = 0")
    profile = read(dsn)
    statement = f"{V} city = 'new' AND zip = 999"
    for known in (profile, _changed(profile)):
        assert names(judged(db, statement, ALONE, known)) == {"row-estimate-wrong"}


def test_a_partial_index_hides_a_condition_that_counts(geo: tuple[pg.Session, str]) -> None:
    db, dsn = geo
    statement = f"{V} zip = 7 AND \"Country\" = 'country 7'"
    settings = f'{ALONE}; SET enable_seqscan = off; DROP INDEX "Geo".visits_city'
    (finding,) = [f for f in judged(db, statement, settings, read(dsn)) if f.rule == RULE]
    assert "Country" in finding.says


def _with(profile: Profile, statistics: ExtendedStatistics) -> Profile:
    tables = tuple(replace(t, statistics=(statistics,)) if t.name == "visits" else t for t in profile.tables)
    return replace(profile, tables=tables)


def _changed(profile: Profile) -> Profile:
    tables = tuple(replace(t, activity=replace(t.activity, modified_since_analyze=50_000)) for t in profile.tables)
    return replace(profile, tables=tables)
