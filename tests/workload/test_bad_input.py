"""A workload of everything that is odd, advised on end to end; what is recommended is then built on the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from premortem import catalog, pg
from premortem.cli import main
from premortem.model import Values
from tests.conftest import MAJORS

HERE = Path(__file__).parent
COLUMNS = ", ".join(f"c{number} int" for number in range(1, 1600))


@dataclass(frozen=True, slots=True)
class Odd:
    """A database of odd tables, its profile, and what the command made of a workload."""

    server: pg.Server
    profile: Path
    advice: dict[str, Any] = field(default_factory=dict)

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run the command and return its exit code and the JSON that it wrote."""
        out = self.profile.with_suffix(".json")
        out.unlink(missing_ok=True)
        code = main(["advise", "-p", str(self.profile), *arguments, "-f", "json", "-q", "-j", "1", "-o", str(out)])
        return code, json.loads(out.read_text("utf-8")) if out.exists() else {}

    @property
    def definitions(self) -> list[str]:
        return [r["index"]["definition"] for r in self.advice["recommendations"]]

    def said_of(self, query: str) -> str:
        (found,) = [u["says"] for u in self.advice["unreadable"] if f"({query})" in u["site"]]
        return str(found)


@pytest.fixture(scope="module", params=MAJORS, ids=[f"pg{major}" for major in MAJORS])
def odd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Odd]:
    server: pg.Server = request.getfixturevalue(f"server{request.param}")
    with pg.writer(server, purpose="test") as db:
        db.execute("DROP DATABASE IF EXISTS odd")
        db.execute("CREATE DATABASE odd")
    with pg.writer(server, purpose="test", database="odd") as db:
        db.execute(f"CREATE TABLE wide (id int, {COLUMNS})")
        db.execute((HERE / "odd.sql").read_text("utf-8"))
        db.execute("CHECKPOINT")
        db.execute("VACUUM ANALYZE")
        db.execute("INSERT INTO never_analyzed SELECT i, i % 3000, repeat('n', 40) FROM generate_series(1, 30000) AS i")
    profile = tmp_path_factory.mktemp("odd") / "odd.profile"
    with pg.session(server, purpose="test", database="odd") as db:
        catalog.write(catalog.pull(db, values=Values.ALL), profile)
    made = Odd(server, profile)
    code, advice = made.run(str(HERE / "odd_queries.sql"))
    assert code == 0
    made.advice.update(advice)
    yield made
    with pg.writer(server, purpose="test") as db:
        db.execute("DROP DATABASE odd WITH (FORCE)")


def test_every_statement_that_is_recommended_is_accepted_by_the_real_server_and_so_is_its_undo(odd: Odd) -> None:
    statements = [s for r in odd.advice["recommendations"] for s in (*r["statements"], *reversed(r["undo_statements"]))]
    assert len(statements) > 15
    with pg.writer(odd.server, purpose="test", database="odd") as db:
        for statement in statements:
            db.execute(statement)


@pytest.mark.parametrize(
    "start",
    [
        "wide (c900",
        "unlogged (k",
        "parts (k",
        '"Mixed Case" (',
        "kept (k",
        "kinds ((doc ->> 'a'::text))",
        "plain (k",
        "plain USING gin (note gin_trgm_ops)",
    ],
)
def test_what_an_index_can_serve_gets_one(odd: Odd, start: str) -> None:
    assert any(d.startswith(start) for d in odd.definitions), odd.definitions


def test_a_table_without_statistics_is_named(odd: Odd) -> None:
    """The planner's guess may well be right, but it is one."""
    assert any("never_analyzed" in hint and "ANALYZE" in hint for hint in odd.advice["hints"])


def test_an_entry_that_may_be_too_large_for_a_page_is_not_proposed_as_a_btree(odd: Odd) -> None:
    """An entry of a B-tree has 2,704 bytes at most, and CREATE INDEX fails on the first longer one."""
    assert not [d for d in odd.definitions if d.startswith("long_texts (body")]


def test_what_is_not_immutable_is_not_proposed_and_what_to_write_instead_is_said(odd: Odd) -> None:
    assert not [d for d in odd.definitions if "date_trunc" in d or "shifting" in d or "random" in d]
    assert any("date_trunc" in hint for hint in odd.advice["hints"])


def test_types_without_a_btree_class_get_none(odd: Odd) -> None:
    assert not [d for d in odd.definitions if d.startswith(("kinds (doc)", "kinds (place", "kinds (markup)"))]


def test_an_extension_that_production_lacks_is_created_first_and_said(odd: Odd) -> None:
    (trigram,) = [r for r in odd.advice["recommendations"] if "gin_trgm_ops" in r["index"]["definition"]]
    assert trigram["statements"][0] == "CREATE EXTENSION IF NOT EXISTS pg_trgm;"
    assert any("pg_trgm" in text for text in (*odd.advice["hints"], *trigram["notes"]))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("foreign_table", "foreign"),
        ("temporary_table", "session_scratch"),
        ("another_database", "other_shop"),
        ("aborted", "end of input"),
        ("not_sql", "syntax error"),
        ("cut_off", "never ends"),
    ],
)
def test_what_cannot_be_judged_is_listed_with_the_reason(odd: Odd, query: str, says: str) -> None:
    assert says in odd.said_of(query)


def test_what_is_no_query_is_counted_where_it_reads(odd: Odd) -> None:
    subjects = {gap["subject"] for gap in odd.advice["gaps"]}
    assert {"reads from cursors", "procedures and code blocks", "copies of whole tables"} <= subjects
    assert "queries that cannot be read" in subjects
    assert "queries that cannot be planned" in subjects


def test_a_budget_smaller_than_any_index_leaves_none_and_tells_what_would_fit(odd: Odd) -> None:
    code, advice = odd.run(str(HERE / "odd_queries.sql"), "--budget", "4kB")
    assert code == 0
    assert advice["recommendations"] == []
    assert len(advice["frontier"]) > 1
    assert any("4 kB" in one["reason"] for one in advice["declined"])


@pytest.mark.parametrize(
    ("sql", "code"),
    [("BEGIN; COMMIT;", 2), ("selec 1; select 'x", 3), ("select * from nowhere", 3), ("", 2), ("select 1", 0)],
)
def test_a_workload_with_nothing_to_plan_is_no_answer(
    odd: Odd, sql: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "q.sql"
    file.write_text(sql, "utf-8")
    found, advice = odd.run(str(file))
    assert found == code
    assert not advice.get("recommendations")
    assert code == 0 or capsys.readouterr().err.startswith("premortem: ")
