"""What one look at a query's plans says, on twins of a help desk: values, costs, and the candidates to try."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from premortem import catalog, check, pg, sources, twin, workload
from premortem.model import (
    Demand,
    IndexCandidate,
    IndexKey,
    Profile,
    Query,
    Question,
    RelationName,
    Site,
    Unreadable,
    Values,
    Workload,
)
from tests.conftest import MAJORS

DESK = (Path(__file__).parent / "desk.sql").read_text(encoding="utf-8")
TICKETS = RelationName(schema="public", name="tickets")


@dataclass(frozen=True, slots=True)
class Desk:
    """A twin of the help desk."""

    profile: Profile
    planner: workload.Planner
    opened: twin.Twin

    def outcome(self, sql: str) -> workload.Studied | Unreadable:
        (demand,) = self.demands(sql)
        return workload.study(demand, self.planner, self.profile)

    def study(self, sql: str) -> workload.Studied:
        found = self.outcome(sql)
        assert isinstance(found, workload.Studied), found
        return found

    def beside(self, filed: str, own: str, number: int = 0) -> workload.Studied:
        """The study of a file's query that production's counters know too."""
        (entry,) = sources.text(own, Site(source="pg_stat_statements", name="1"))
        assert isinstance(entry, Query)
        entry = replace(entry, calls=100.0, calls_per_second=1.0, mean_time=timedelta(milliseconds=1))
        known = replace(self.profile, workload=Workload(statements=(entry,)))
        queries = (*sources.with_calls(sources.text(filed, Site(source="q.sql", line=1)), known), entry)
        found = workload.study(workload.demands(queries, known).demands[number], self.planner, self.profile)
        assert isinstance(found, workload.Studied), found
        return found

    def demands(self, sql: str) -> tuple[Demand, ...]:
        found = workload.demands(sources.text(sql, Site(source="q.sql", line=1)), self.profile).demands
        return tuple(d for d in found if not d.query.site.source.startswith("foreign key"))


@pytest.fixture(scope="module", params=MAJORS, ids=[f"pg{major}" for major in MAJORS])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    server: pg.Server = request.getfixturevalue(f"server{request.param}")
    with pg.writer(server, purpose="test") as db:
        db.execute("DROP DATABASE IF EXISTS desk")
        db.execute("CREATE DATABASE desk")
    with pg.writer(server, purpose="test", database="desk") as db:
        db.execute(DESK)
        db.execute("CHECKPOINT")
        db.execute("VACUUM ANALYZE")
    with pg.session(server, purpose="test", database="desk") as db:
        profile = catalog.pull(db, values=Values.ALL)
    with twin.open(profile) as opened:
        planner = check.Planner(
            explain=opened.explain, parameter_types=opened.parameter_types, replanner=opened.replanner
        )
        yield Desk(profile, planner, opened)
    with pg.writer(server, purpose="test") as db:
        db.execute("DROP DATABASE desk WITH (FORCE)")


def definitions(studied: workload.Studied) -> list[str]:
    return [candidate.definition for group in studied.groups for candidate in group]


# --- values and their weights ---


def test_a_text_with_literals_is_planned_with_these(desk: Desk) -> None:
    found = desk.study("SELECT * FROM tickets WHERE status = 'waiting'")
    assert [s.name for s in found.demand.sets] == ["literal"]
    assert found.demand.shares == (1.0,)
    assert len(found.before.shown) == len(found.before.risk) == 1
    assert "tickets (status)" in definitions(found)


def test_a_placeholder_is_planned_with_at_most_four_sets_of_which_typical_ones_weigh_most(desk: Desk) -> None:
    found = desk.study("SELECT * FROM tickets WHERE account_id = $1 AND status = $2 ORDER BY opened DESC LIMIT $3")
    shares = dict(zip((s.name for s in found.demand.sets), found.demand.shares, strict=True))
    assert 2 <= len(shares) <= 4
    assert sum(shares.values()) == pytest.approx(1)
    assert "generic" not in shares
    assert max(shares, key=lambda n: shares[n]) == "typical"
    assert len(found.before.shown) == len(shares)


def test_a_hot_value_weighs_as_often_as_it_is_but_never_most(desk: Desk) -> None:
    skewed = desk.study("SELECT * FROM tickets WHERE status = $1")
    even = desk.study("SELECT * FROM comments WHERE author = $1")
    hot = [dict(zip((s.name for s in f.demand.sets), f.demand.shares, strict=True))["hot"] for f in (skewed, even)]
    assert hot[0] > 3 * hot[1]
    assert hot[0] < 0.5


def test_values_of_texts_that_differ_in_them_are_planned_and_weigh_as_often_as_they_are(desk: Desk) -> None:
    found = desk.study(
        "SELECT * FROM tickets WHERE account_id = 7; SELECT * FROM tickets WHERE account_id = 4000;"
        "SELECT * FROM tickets WHERE account_id = 4000"
    )
    assert [s.values for s in found.demand.sets] == [("7",), ("4000",)]
    assert found.demand.shares == pytest.approx((1 / 3, 2 / 3))
    assert "tickets (account_id)" in definitions(found)


def test_what_was_studied_is_what_the_search_is_told_when_it_asks_about_nothing(desk: Desk) -> None:
    """Else every index would seem to help, or to harm, by the difference."""
    studied = [desk.study(sql) for pair in PAIRS for sql in pair]
    stock = desk.opened.stock([s.demand for s in studied])
    answers = stock.ask([Question(demand=number) for number in range(len(studied))])
    for one, answer in zip(studied, answers, strict=True):
        assert answer.shown == pytest.approx(one.before.shown), one.demand.query.text
        assert answer.risk == pytest.approx(one.before.risk), one.demand.query.text
        assert answer.kept == one.before.kept


def test_the_lists_that_a_trigram_index_walks_through_are_at_risk(desk: Desk) -> None:
    """All subjects begin alike: what looks for that beginning reads of every row, whatever the planner counts."""
    trigrams = IndexCandidate(
        table=TICKETS, keys=(IndexKey(column="subject", opclass="gin_trgm_ops"),), method="gin", because="test"
    )
    whole, inside = (
        desk.demands(f"SELECT id FROM tickets WHERE subject {condition}")[0]
        for condition in ("= 'ticket 0cc175b9c0f1b6a831c399e269772661'", "LIKE '%0cc175b%'")
    )
    studied = [workload.study(one, desk.planner, desk.profile) for one in (whole, inside)]
    stock = desk.opened.stock([one.demand for one in studied if isinstance(one, workload.Studied)])
    assert stock.stock([trigrams]) == (None,)
    found = stock.ask([Question(demand=n, visible=frozenset({0})) for n in (0, 1)])
    assert [a.used for a in found] == [{0}, {0}]
    assert found[0].risk[0] > found[0].shown[0] + 400
    assert found[1].risk[0] < found[1].shown[0] + 40


# --- what is served already ---


def test_a_lookup_by_a_unique_key_is_looked_at_once_and_nothing_is_tried(desk: Desk) -> None:
    for sql in ("SELECT * FROM accounts WHERE id = $1", "SELECT * FROM accounts WHERE email = $1"):
        found = desk.study(sql)
        assert [s.name for s in found.demand.sets] == ["generic"]
        assert (found.groups, found.keys, found.visits) == ((), {}, {})
        assert len(found.before.kept) == 1


def test_an_insert_asks_nothing(desk: Desk) -> None:
    found = desk.study("INSERT INTO comments VALUES ($1, $2, $3, $4)")
    assert (found.groups, found.keys) == ((), {})


def test_what_an_index_serves_well_has_no_candidates_and_is_known_to_use_it(desk: Desk) -> None:
    found = desk.study("SELECT id FROM tickets WHERE priority = $1 AND id = $2")
    assert found.groups == ()
    assert found.before.kept <= {RelationName(schema="public", name=n) for n in ("tickets_priority", "tickets_pkey")}
    keyed = desk.study("SELECT min(id) FROM tickets WHERE priority = $1")
    assert keyed.groups == ()
    assert keyed.before.kept == {RelationName(schema="public", name="tickets_priority")}
    assert "priority" in keyed.keys[TICKETS]  # who replaces that index has to ask


def test_partitions_that_are_left_out_at_execution_are_not_taken_for_nothing(desk: Desk) -> None:
    found = desk.study("SELECT * FROM visits WHERE page = $1 AND at >= $2 AND at < $3")
    assert any(d.startswith("visits (page") for d in definitions(found))


# --- literals and placeholders ---

PAIRS = [
    ("SELECT * FROM tickets WHERE status = 'waiting'", "SELECT * FROM tickets WHERE status = $1"),
    (
        "SELECT * FROM tickets WHERE status = 'waiting' ORDER BY opened LIMIT 20",
        "SELECT * FROM tickets WHERE status = $1 ORDER BY opened LIMIT $2",
    ),
    (
        "SELECT * FROM tickets WHERE account_id = 4321 AND status = 'open'",
        "SELECT * FROM tickets WHERE account_id = $1 AND status = $2",
    ),
    (
        "SELECT id FROM tickets WHERE closed IS NULL AND account_id = 17",
        "SELECT id FROM tickets WHERE closed IS NULL AND account_id = $1",
    ),
    (
        "SELECT * FROM comments WHERE author = 250 ORDER BY id DESC LIMIT 10",
        "SELECT * FROM comments WHERE author = $1 ORDER BY id DESC LIMIT $2",
    ),
    ("SELECT * FROM tickets WHERE lower(subject) = 'ticket x'", "SELECT * FROM tickets WHERE lower(subject) = $1"),
    (
        "SELECT * FROM tickets WHERE account_id IN (11, 12, 13) ORDER BY opened DESC LIMIT 10",
        "SELECT * FROM tickets WHERE account_id IN ($1, $2, $3) ORDER BY opened DESC LIMIT $4",
    ),
    ('SELECT * FROM tickets WHERE doc @> \'{"ref": "r17"}\'', "SELECT * FROM tickets WHERE doc @> $1"),
    ("SELECT * FROM tickets WHERE doc ->> 'ref' = 'r17'", "SELECT * FROM tickets WHERE doc ->> 'ref' = $1"),
    ("SELECT * FROM tickets WHERE tags @> ARRAY['t5']", "SELECT * FROM tickets WHERE tags @> $1"),
    ("SELECT * FROM tickets WHERE subject LIKE 'ticket ab%'", "SELECT * FROM tickets WHERE subject LIKE $1"),
    (
        "SELECT * FROM tickets WHERE open_hours && tsrange('2026-02-01', '2026-02-02')",
        "SELECT * FROM tickets WHERE open_hours && tsrange($1, $2)",
    ),
    (
        "SELECT t.*, c.body FROM tickets t JOIN comments c ON c.ticket_id = t.id WHERE t.account_id = 4999",
        "SELECT t.*, c.body FROM tickets t JOIN comments c ON c.ticket_id = t.id WHERE t.account_id = $1",
    ),
    (
        "SELECT count(*) FROM visits WHERE page = 5 AND at >= '2026-02-03'",
        "SELECT count(*) FROM visits WHERE page = $1 AND at >= $2",
    ),
    ("DELETE FROM comments WHERE ticket_id = 77", "DELETE FROM comments WHERE ticket_id = $1"),
    (
        "UPDATE tickets SET priority = 1 WHERE account_id = 3 AND status = 'open'",
        "UPDATE tickets SET priority = $3 WHERE account_id = $1 AND status = $2",
    ),
]


@pytest.mark.parametrize(("literal", "placeholder"), PAIRS, ids=[p[1][:60] for p in PAIRS])
def test_literals_and_placeholders_have_the_same_candidates(desk: Desk, literal: str, placeholder: str) -> None:
    """But for predicates, that only a literal gives: a parameter may be any value."""
    one, other = desk.study(literal), desk.study(placeholder)
    whole = {c.definition for g in one.groups for c in g if c.predicate is None or "NULL" in c.predicate}
    assert whole
    assert whole <= set(definitions(other))
    assert one.keys.keys() == other.keys.keys()


def test_a_predicate_comes_of_a_literal_alone(desk: Desk) -> None:
    literal = desk.study("SELECT * FROM tickets WHERE urgent AND status = 'waiting' ORDER BY opened LIMIT 20")
    assert any(c.predicate for g in literal.groups for c in g)
    placeholder = desk.study("SELECT * FROM tickets WHERE status = $1 ORDER BY opened LIMIT 20")
    assert not any(c.predicate for g in placeholder.groups for c in g)


@pytest.mark.parametrize(
    ("filed", "own", "predicates"),
    [
        (
            "SELECT * FROM tickets WHERE status = 'waiting' ORDER BY opened LIMIT 20",
            "SELECT * FROM tickets WHERE status = $1 ORDER BY opened LIMIT $2",
            {"status = 'waiting'::text"},
        ),
        (
            "SELECT * FROM tickets WHERE priority = 4 AND urgent = true ORDER BY opened LIMIT 20",
            "SELECT * FROM tickets WHERE priority = $1 AND urgent = $2 ORDER BY opened LIMIT $3",
            {"urgent"},
        ),
        (
            "SELECT id FROM tickets WHERE doc ->> 'ref' = 'r17'",
            "SELECT id FROM tickets WHERE doc ->> $1 = $2",
            set(),
        ),
    ],
)
def test_a_files_constant_beside_productions_entry_has_the_candidates_that_it_has_alone(
    desk: Desk, filed: str, own: str, predicates: set[str]
) -> None:
    alone, beside = desk.study(filed), desk.beside(filed, own)
    assert {c.predicate for g in alone.groups for c in g} >= predicates
    assert set(definitions(beside)) == set(definitions(alone)) != set()


def test_an_entry_that_may_be_of_any_value_is_planned_with_some_and_the_files_value(desk: Desk) -> None:
    literal, any_value = (
        desk.beside(
            "SELECT * FROM tickets WHERE account_id = 17 ORDER BY opened LIMIT 20",
            "SELECT * FROM tickets WHERE account_id = $1 ORDER BY opened LIMIT $2",
            number,
        )
        for number in (0, 1)
    )
    assert [s.name for s in literal.demand.sets] == ["literal"]
    assert {"captured", "hot"} <= {s.name for s in any_value.demand.sets}
    assert any_value.demand.query.text.endswith("= $1 ORDER BY opened LIMIT 20")
    assert "tickets (account_id, opened)" in set(definitions(literal)) & set(definitions(any_value))


# --- what cannot be planned, and what no query says ---


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT * FROM pg_temp.scratch WHERE id = 1", "scratch"),
        ("SELECT * FROM other_shop.orders WHERE id = $1", "other_shop"),
        ("SELECT nobody FROM tickets", "nobody"),
        ("SELECT missing_function(id) FROM tickets", "missing_function"),
    ],
)
def test_what_cannot_be_planned_says_so_in_the_servers_words(desk: Desk, sql: str, says: str) -> None:
    found = desk.outcome(sql)
    assert isinstance(found, Unreadable)
    assert says in found.says
    assert found.original == sql


def test_what_foreign_keys_search_for_is_studied_like_any_query(desk: Desk) -> None:
    (query,) = sources.text("DELETE FROM accounts WHERE id = $1", Site(source="q.sql"))
    assert isinstance(query, Query)
    gathered = workload.demands([query], desk.profile)
    found = {d.query.site.source: workload.study(d, desk.planner, desk.profile) for d in gathered.demands}
    tickets = found["foreign key tickets_account_id_fkey of tickets"]
    comments = found["foreign key comments_ticket_id_fkey of comments"]  # a cascade of a cascade
    assert isinstance(tickets, workload.Studied)
    assert isinstance(comments, workload.Studied)
    assert "tickets (account_id)" in definitions(tickets)
    assert "comments (ticket_id)" in definitions(comments)


def test_values_that_a_capture_saw_are_planned_and_weigh_as_typical_ones(desk: Desk) -> None:
    (query,) = sources.text("SELECT * FROM tickets WHERE account_id = $1", Site(source="q.sql"))
    assert isinstance(query, Query)
    found = workload.study(replace(query, samples=(("4711",),)), desk.planner, desk.profile)
    assert isinstance(found, workload.Studied)
    shares = {s.name: (s.values, share) for s, share in zip(found.demand.sets, found.demand.shares, strict=True)}
    assert shares["captured"][0] == ("4711",)
    assert shares["captured"][1] == max(share for _, share in shares.values())


def test_a_literal_that_the_profile_has_a_pseudonym_for_is_said(desk: Desk) -> None:
    sql = "SELECT * FROM tickets WHERE subject = 'ticket 5'"
    assert desk.study(sql).unknown == ()
    hidden = _pseudonymous(desk.profile)
    (demand,) = desk.demands(sql)
    found = workload.study(demand, desk.planner, hidden)
    assert isinstance(found, workload.Studied)
    assert found.unknown == ("tickets.subject",)
    gathered = workload.Gathered(demands=(demand,))
    (gap,) = workload.missing(gathered, [found])
    assert "tickets.subject" in gap.says
    by_parameter = desk.demands("SELECT * FROM tickets WHERE subject = $1")
    assert workload.study(by_parameter[0], desk.planner, hidden).unknown == ()  # type: ignore[union-attr]


def _pseudonymous(profile: Profile) -> Profile:
    """Return the profile as if it held pseudonyms in place of all values."""
    tables = tuple(
        replace(
            t,
            columns=tuple(
                replace(c, statistics=tuple(replace(s, pseudonyms=True) for s in c.statistics)) for c in t.columns
            ),
        )
        for t in profile.tables
    )
    return replace(profile, tables=tables)
