"""What is made from a profile, loaded into a real server: every constraint holds, and ANALYZE says what it said."""

from __future__ import annotations

import pytest

from premortem import catalog, pg
from premortem.model import Profile, Table, Values
from tests.synthesis.conftest import Production


@pytest.fixture(scope="session")
def mirrored(mirror: str) -> Profile:
    with pg.session(mirror, purpose="test") as db:
        return catalog.pull(db, values=Values.ALL)


def tables(production: Production, mirrored: Profile) -> list[tuple[Table, Table]]:
    found = []
    for table in production.profile.tables:
        other = mirrored.table(table.relation)
        assert other is not None
        found.append((table, other))
    return found


def test_every_key_and_every_reference_was_accepted(mirror: str) -> None:
    with pg.session(mirror, purpose="test") as db:
        assert db.value("SELECT count(*) FROM pg_constraint WHERE contype IN ('p', 'u', 'f') AND NOT convalidated") == 0
        assert db.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conparentid = 0") == 10


def test_as_many_rows(production: Production, mirrored: Profile) -> None:
    for table, other in tables(production, mirrored):
        if table.tuples >= 0 and not table.name.startswith("hashed_"):
            assert other.tuples == pytest.approx(table.tuples, abs=1), table.name


def distinct(table: Table, name: str) -> float:
    column = table.column(name)
    assert column is not None
    found = column.own_statistics
    assert found is not None
    return found.n_distinct if found.n_distinct >= 0 else -found.n_distinct * table.rows


@pytest.mark.parametrize(
    "place",
    [
        "tenants.id", "tenants.name", "tenants.plan", "users.email", "users.tenant_id", "users.mood", "users.token",
        "projects.id", "projects.starts", "projects.ends", "orders.user_id", "orders.total", "orders.created",
        "orders.state", "lines.order_id", "lines.line", "lines.sku", "lines.qty", "places.city", "places.country",
        "zoo.si", "zoo.bi", "zoo.d", "zoo.ts", "zoo.tz", "zoo.iv", "zoo.u", "zoo.ip", "zoo.mac", "hashed.v",
    ],
)  # fmt: skip
def test_as_many_distinct_values(production: Production, mirror: str, mirrored: Profile, place: str) -> None:
    name, _, column = place.partition(".")
    one, other = production.profile.find_table(name), mirrored.find_table(name)
    assert one is not None
    assert other is not None
    if place == "zoo.mac" and "pseudonyms" in mirror:
        pytest.skip("made-up hardware addresses leave no room for others between them")
    assert distinct(other, column) == pytest.approx(distinct(one, column), rel=0.2, abs=1.5)


#: Columns whose order in the heap follows from another's: a key's, or a parent that must be older.
TIED = {("users", "boss"), ("users", "tenant_id"), ("projects", "tenant_id"), ("members", "tenant_id")}


def test_nulls_widths_and_correlations(production: Production, mirrored: Profile) -> None:
    wrong = []
    for table, other in tables(production, mirrored):
        for column in table.columns:
            mine = other.column(column.name)
            if column.own_statistics is None or mine is None or table.rows < 1000 or table.name.startswith("hashed_"):
                continue
            there, here = column.own_statistics, mine.own_statistics
            assert here is not None, (table.name, column.name)
            if (table.name, column.name) in TIED:
                continue
            if abs(there.null_fraction - here.null_fraction) > 0.02:
                wrong.append((table.name, column.name, "nulls", there.null_fraction, here.null_fraction))
            if there.correlation is None or here.correlation is None or there.n_distinct in (1, 2):
                continue
            if abs(there.correlation - here.correlation) > 0.1:
                wrong.append((table.name, column.name, "correlation", there.correlation, here.correlation))
    assert wrong == []


def test_common_values_are_as_common(production: Production, mirror: str, mirrored: Profile) -> None:
    """Of pseudonymous profiles only the frequencies can be compared, in their order."""
    for table, other in tables(production, mirrored):
        for column in table.columns:
            mine, own = other.column(column.name), column.own_statistics
            there = (own.most_common_frequencies or ()) if own else ()
            if mine is None or table.rows < 1000 or not there or there[0] < 0.02:
                continue
            here = (mine.own_statistics.most_common_frequencies or ()) if mine.own_statistics else ()
            assert here, (table.name, column.name)
            assert here[0] == pytest.approx(there[0], abs=0.02), (table.name, column.name)


QUANTILES = """
SELECT percentile_disc(ARRAY[{quantiles}]) WITHIN GROUP (ORDER BY n)
FROM (SELECT count(*) AS n FROM public.{table} GROUP BY {column}) AS fan_out
"""


@pytest.mark.parametrize("key", ["orders user_id", "users tenant_id", "lines order_id", "members tenant_id"])
def test_references_fan_out_as_far(production: Production, mirror: str, key: str) -> None:
    table, column = key.split()
    few = column == "tenant_id"  # of 200, the 99th percentile is one or the other of the two largest
    sql = QUANTILES.format(table=table, column=column, quantiles="0.5, 0.9" if few else "0.5, 0.9, 0.99")
    name = f"synthesis_production_{production.profile.server.major}"
    with pg.session(production.server, purpose="test", database=name) as db:
        there = db.value(sql)
    with pg.session(mirror, purpose="test") as db:
        here = db.value(sql)
    assert here == [pytest.approx(quantile, rel=0.35, abs=1.5) for quantile in there]


def test_columns_of_extended_statistics_go_together(production: Production, mirrored: Profile) -> None:
    there = production.profile.find_table("places")
    here = mirrored.find_table("places")
    assert there is not None
    assert here is not None
    one, other = there.statistics[0], here.statistics[0]
    assert dict(other.dependencies or ())[(0, 1)] == pytest.approx(dict(one.dependencies or ())[(0, 1)], abs=0.05)
    assert dict(other.ndistinct or ())[(0, 1)] == pytest.approx(dict(one.ndistinct or ())[(0, 1)], rel=0.1)
    assert other.most_common_frequencies is not None
    assert one.most_common_frequencies is not None
    assert other.most_common_frequencies[0] == pytest.approx(one.most_common_frequencies[0], rel=0.2)


def test_nobody_is_his_own_boss(mirror: str) -> None:
    """A recursive query over the tree must come to an end."""
    sql = """WITH RECURSIVE up AS (
        SELECT id, boss, 0 AS depth FROM public.users
        UNION ALL SELECT up.id, u.boss, depth + 1 FROM up JOIN public.users u ON u.id = up.boss WHERE depth < 200)
        SELECT max(depth) FROM up"""
    with pg.session(mirror, purpose="test") as db:
        assert 2 < db.value(sql) < 100


def test_intervals_end_after_they_start(mirror: str) -> None:
    with pg.session(mirror, purpose="test") as db:
        assert db.value("SELECT count(*) FROM public.projects WHERE ends < starts") == 0


def test_elements_are_as_frequent(production: Production, mirrored: Profile) -> None:
    for name in ("ta", "ia", "vec"):
        one, other = production.profile.find_table("zoo"), mirrored.find_table("zoo")
        assert one is not None
        assert other is not None
        there, here = one.column(name), other.column(name)
        assert there is not None
        assert here is not None
        assert there.own_statistics is not None
        assert here.own_statistics is not None
        shares = there.own_statistics.most_common_element_frequencies
        mine = here.own_statistics.most_common_element_frequencies
        assert shares is not None
        assert mine is not None
        assert max(mine[:-3]) == pytest.approx(max(shares[:-3]), rel=0.1)


def test_rows_fall_into_the_partitions_that_hold_them(production: Production, mirror: str) -> None:
    with pg.session(mirror, purpose="test") as db:
        assert db.value("SELECT count(*) FROM public.hashed_0") > 1500
        counts = dict(db.tuples("SELECT tableoid::regclass::text, count(*) FROM public.events GROUP BY 1"))
    for table in ("events_1", "events_2_click", "events_2_rest"):
        found = production.profile.find_table(table)
        assert found is not None
        assert counts[f"public.{table}"] == found.tuples


def test_what_was_never_analyzed_is_filled_and_told(production: Production, mirror: str) -> None:
    from premortem import synthesis

    planned = synthesis.plan(production.profile)
    assert "table unseen" in [gap.subject for gap in planned.gaps]
    with pg.session(mirror, purpose="test") as db:
        assert db.value("SELECT count(*) FROM public.unseen") > 100
        assert db.value("SELECT count(*) FROM public.nothing") == 0


def test_long_values_lie_outside_of_the_table(production: Production, mirrored: Profile) -> None:
    one, other = production.profile.find_table("letters"), mirrored.find_table("letters")
    assert one is not None
    assert other is not None
    assert one.toast_bytes > 1_000_000
    assert other.toast_bytes == pytest.approx(one.toast_bytes, rel=0.2)
    assert other.pages == pytest.approx(one.pages, rel=0.2)
