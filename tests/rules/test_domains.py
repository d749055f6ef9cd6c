"""A domain is the type under it, for rules and for the advisor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from premortem import catalog, pg, plans, rules
from premortem.advisor.reading import wants
from premortem.model import ParameterSet, Planned, Profile, Query, Site, Values

SCHEMA = """
CREATE DOMAIN number AS integer CHECK (VALUE > 0);
CREATE DOMAIN "Account No" AS number NOT NULL DEFAULT 1;
CREATE TABLE bill (id bigint PRIMARY KEY, account "Account No", code text);
INSERT INTO bill SELECT g, g, 'c' || g FROM generate_series(1, 12000) g;
"""


@pytest.fixture
def profile(database: str) -> Profile:
    with pg.writer(database, purpose="test") as db:
        db.execute(SCHEMA)
        db.execute("VACUUM ANALYZE")
    with pg.session(database, purpose="test") as session:
        return catalog.pull(session, values=Values.ALL)


def planned(database: str, sql: str) -> Planned:
    with pg.session(database, purpose="test", search_path="public") as db:
        plan = plans.parse_json(db.value(f"EXPLAIN (FORMAT JSON, VERBOSE) {sql}"))
    return Planned(parameters=ParameterSet(name="literal"), plan=plan)


def test_a_domain_over_a_domain_is_known_by_every_name(profile: Profile) -> None:
    assert {profile.domains[n] for n in ("number", "public.number", '"Account No"', 'public."Account No"')} == {
        "integer"
    }
    table = profile.find_table("bill")
    assert table is not None
    account = profile.with_base_types(table).column("account")
    assert account is not None
    assert account.type == "integer"
    assert profile.with_base_types(replace(table, columns=())) == replace(table, columns=())


def test_a_domain_hides_no_index_and_is_indexed_as_a_column(database: str, profile: Profile) -> None:
    sql = "SELECT * FROM bill WHERE account = 7"
    query = Query(text=sql, original=sql, fingerprint="f", site=Site(source="test"))
    made = planned(database, sql)
    assert {f.rule for f in rules.find(made, query, profile)} == {"seq-scan-discards-rows"}
    (want,) = wants([made], profile)
    assert [t.operand.column for t in want.terms] == ["account"]
