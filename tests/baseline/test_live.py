"""The lock as its user has it: adopted, compared with, edited against, regressed from."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from premortem import catalog, pg
from premortem.cli import entry
from premortem.errors import InputError, UsageError
from premortem.model import Profile, RelationName, Setting, Values

SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text NOT NULL, country text NOT NULL);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, status text NOT NULL,
    created_at timestamptz NOT NULL);
CREATE INDEX orders_customer_idx ON orders (customer_id);
CREATE INDEX orders_open_idx ON orders (created_at) WHERE status = 'open';
SELECT setseed(0.5);
INSERT INTO customers SELECT g, 'user' || g || '@example.org', 'C' || (g % 90 + 1) FROM generate_series(1, 5000) g;
INSERT INTO orders SELECT g, (random() * 4999)::int + 1,
    CASE WHEN random() < 0.001 THEN 'open' WHEN random() < 0.1 THEN 'paid' ELSE 'shipped' END,
    timestamptz '2026-01-01 00:00+00' + g * interval '10 seconds' FROM generate_series(1, 100000) g;
VACUUM (ANALYZE) customers, orders;
"""
OPEN = "-- name: open_orders\nselect * from orders where status = 'open' order by created_at limit 50;\n"
OLD = "-- name: legacy\nselect * from orders where created_at between $1 and $2 and status = $3;\n"
MINE = "-- name: of_customer\nselect o.* from orders o join customers c on c.id = o.customer_id where c.id = $1;\n"
ORDERS = RelationName(schema="public", name="orders")

Premortem: TypeAlias = Callable[..., int]


@pytest.fixture(scope="session")
def shop(server15: pg.Server) -> Profile:
    with pg.writer(server15, purpose="test") as db:
        db.execute("CREATE DATABASE shop_of_baseline")
    dsn = server15.dsn("shop_of_baseline")
    with pg.writer(dsn, purpose="test") as db:
        for statement in SHOP.split(";\n"):
            if statement.strip():
                db.execute(statement)
    with pg.session(dsn, purpose="test") as session:
        return catalog.pull(session, values=Values.ALL)


@dataclass(frozen=True)
class Project:
    """A folder with queries, a profile and a lock, and premortem run in it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def queries(self, text: str, name: str = "orders.sql") -> None:
        (self.folder / "queries").mkdir(exist_ok=True)
        (self.folder / "queries" / name).write_text(text)

    def produces(self, profile: Profile) -> None:
        catalog.write(profile, self.folder / "prod.profile")

    @property
    def lock(self) -> str:
        return (self.folder / "premortem.lock").read_text()

    def run(self, *typed: str) -> int:
        arguments = [*typed, "-p", "prod.profile", "queries", "-q"]
        return entry.run(entry.parsed(arguments))

    def check(self, *typed: str) -> dict[str, Any]:
        """Return the JSON report of a check, with its exit code."""
        code = self.run("check", "-f", "json", "-o", "report.json", *typed)
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return {**report, "code": code, "by": {q["site"].partition("(")[2][:-1]: q for q in report["queries"]}}

    def git(self, *arguments: str) -> None:
        names = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *names, *arguments], cwd=self.folder, check=True, capture_output=True)

    def commits(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "work")

    def adopt(self, *typed: str) -> str:
        assert self.run("adopt", *typed) == 0
        return self.capsys.readouterr().out


@pytest.fixture
def project(
    tmp_path: Path, shop: Profile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    monkeypatch.chdir(tmp_path)
    made = Project(tmp_path, capsys)
    made.produces(shop)
    made.queries(OPEN + OLD + MINE)
    return made


def rules(judged: dict[str, Any]) -> dict[str, str]:
    return {f["rule"]: f["severity"] for f in judged["findings"]}


def grown(profile: Profile, factor: float) -> Profile:
    """The same production with many more orders, its statistics as they were."""

    def larger(pages: int) -> int:
        return round(pages * factor)

    def table_of(table: Any) -> Any:
        if table.relation != ORDERS:
            return table
        indexes = tuple(
            replace(i, pages=larger(i.pages), relation_pages=larger(i.relation_pages), tuples=i.tuples * factor)
            for i in table.indexes
        )
        sizes = {name: larger(getattr(table, name)) for name in ("pages", "relation_pages", "all_visible")}
        return replace(table, tuples=table.tuples * factor, indexes=indexes, **sizes)

    return replace(profile, tables=tuple(map(table_of, profile.tables)))


def without_index(profile: Profile, name: str) -> Profile:
    tables = tuple(replace(t, indexes=tuple(i for i in t.indexes if i.name != name)) for t in profile.tables)
    return replace(profile, tables=tables)


def test_what_was_adopted_passes_and_is_not_planned_again(project: Project, shop: Profile) -> None:
    assert project.check()["code"] == 1
    said = project.adopt()
    assert "3 queries, 3 added" in said
    assert "1 finding accepted in 1 query" in said or "findings accepted" in said
    again = project.check()
    assert (again["code"], again["unchanged"], again["queries"]) == (0, 3, [])
    before = project.lock
    assert project.check("--update-lock")["code"] == 0
    assert project.lock == before
    project.adopt()
    assert project.lock == before


def test_no_value_of_the_statistics_gets_into_the_lock(project: Project, shop: Profile) -> None:
    project.adopt()
    statistics = [s for t in shop.tables for c in t.columns for s in c.statistics]
    values = {v for s in statistics for v in (*(s.most_common_values or ()), *(s.histogram_bounds or ()))}
    texts = {v for v in values if re.fullmatch(r"[A-Za-z][^ ]*|\d{4}-.*", v)}
    assert len(texts) > 100
    assert [v for v in texts if v in project.lock] == ["open"]  # which the query says


def test_a_daily_profile_changes_nothing(project: Project, shop: Profile) -> None:
    project.adopt()
    before = project.lock
    project.produces(grown(shop, 1.03))
    report = project.check("--update-lock")
    assert report["code"] == 0
    assert report["unchanged"] == 0
    assert {q["difference"]["change"] for q in report["queries"]} == {"unchanged"}
    assert project.lock == before


def test_an_edit_that_leaves_a_partial_index_is_told(project: Project) -> None:
    project.adopt()
    project.queries(OPEN.replace("where status = 'open' ", "") + OLD + MINE)
    report = project.check()
    assert report["code"] == 1
    edited = report["by"]["open_orders"]
    assert edited["difference"]["change"] == "edited"
    says = edited["difference"]["says"]
    assert "it no longer uses orders_open_idx, because the condition status = 'open' is gone" in says
    assert "times more" in says
    assert edited["difference"]["before"]
    assert report["unchanged"] == 2
    project.queries(OPEN.replace("'open'", "$1") + OLD + MINE)
    says = project.check()["by"]["open_orders"]["difference"]["says"]
    assert "orders_open_idx for some values only, because it asks for status = $1" in says


def test_a_harmless_edit_passes_and_is_recorded(project: Project) -> None:
    project.adopt()
    project.queries(OPEN + OLD + MINE.replace("o.*", "o.id, o.status"))
    report = project.check("--update-lock")
    assert report["code"] == 0
    assert report["by"]["of_customer"]["difference"]["change"] == "edited"
    assert "select o.id, o.status from" in project.lock
    assert "select o.* from" not in project.lock
    assert project.check()["unchanged"] == 3


def test_what_fails_is_not_recorded_but_by_adopting_it(project: Project) -> None:
    project.queries(OPEN + MINE)
    project.adopt()
    project.queries(OPEN + MINE + OLD)
    for _ in range(2):
        report = project.check("--update-lock")
        assert report["code"] == 1
        assert report["by"]["legacy"]["difference"]["change"] == "new"
        assert "legacy" not in project.lock
    project.adopt("--reason", "until the new report", "--until", "2999-01-31")
    assert 'reason = "until the new report", until = 2999-01-31' in project.lock
    assert project.check()["code"] == 0


def test_an_acceptance_ends(project: Project) -> None:
    project.adopt("--until", "2999-01-31")
    path = project.folder / "premortem.lock"
    path.write_text(project.lock.replace("until = 2999-01-31", "until = 2026-01-31"))
    report = project.check()
    assert report["code"] == 1
    says = [f["says"] for f in report["by"]["legacy"]["findings"]]
    assert any("it was accepted until 2026-01-31 (adopted" in s for s in says)
    with pytest.raises(UsageError, match="is over already"):
        project.adopt("--until", "2026-01-31")
    project.adopt()
    assert project.check()["code"] == 0


def test_a_worse_severity_is_new_where_something_changed(project: Project, shop: Profile) -> None:
    project.adopt()
    path = project.folder / "premortem.lock"
    path.write_text(project.lock.replace('severity = "error"', 'severity = "warning"'))
    assert project.check()["code"] == 0  # nothing that its plan depends on changed
    project.produces(grown(shop, 2))
    report = project.check()
    assert report["code"] == 1
    assert "it was accepted as a warning" in json.dumps(report["by"]["legacy"]["findings"])


def test_growth_is_named(project: Project, shop: Profile) -> None:
    project.queries(MINE + "-- name: small\nselect * from orders where created_at < $1 and status = $2;\n")
    project.produces(grown(shop, 0.02))
    project.adopt()
    assert project.check()["code"] == 0
    project.produces(shop)
    report = project.check()
    assert report["code"] == 1
    found = report["by"]["small"]
    assert found["difference"]["change"] == "regressed"
    assert "orders grew from 2,000 to 100,000 rows" in found["difference"]["says"]
    assert found["difference"]["was"]["estimated_cost"] < 100


def test_an_index_that_is_gone_is_named(project: Project, shop: Profile) -> None:
    project.adopt()
    project.produces(without_index(shop, "orders_customer_idx"))
    report = project.check()
    assert report["code"] == 1
    found = report["by"]["of_customer"]
    assert found["difference"]["change"] == "regressed"
    assert "index orders_customer_idx is gone" in found["difference"]["says"]


def test_a_setting_is_named(project: Project, shop: Profile) -> None:
    project.adopt()
    settings = tuple(s for s in shop.settings if s.name not in ("enable_indexscan", "enable_bitmapscan"))
    off = [Setting(name=n, value="off", source="configuration file") for n in ("enable_indexscan", "enable_bitmapscan")]
    project.produces(replace(shop, settings=(*settings, *off)))
    says = project.check()["by"]["of_customer"]["difference"]["says"]
    assert "enable_indexscan was the default and is off" in says


def test_a_migration_that_takes_an_index_away_fails(project: Project) -> None:
    project.adopt()
    (project.folder / "drop.sql").write_text("DROP INDEX orders_customer_idx;\n")
    report = project.check("-m", "drop.sql")
    assert report["code"] == 1
    found = report["by"]["of_customer"]
    assert found["difference"]["change"] == "regressed"
    assert found["verdict"] == "fail"
    assert "orders_customer_idx" in json.dumps(found["difference"]["before"])  # as production plans it
    (project.folder / "drop.sql").write_text("ALTER TABLE customers ADD note text;\n")
    report = project.check("-m", "drop.sql")
    assert (report["code"], report["unchanged"]) == (0, 2)


def test_a_run_of_migrations_alone_calls_nothing_gone(project: Project) -> None:
    project.adopt()
    (project.folder / "new.sql").write_text("ALTER TABLE customers ADD note text;\n")
    typed = ["check", "-p", "prod.profile", "-q", "-f", "json", "-o", "report.json", "-m", "new.sql"]
    assert entry.run(entry.parsed(typed)) == 0
    assert json.loads((project.folder / "report.json").read_text())["gone"] == []


def test_a_query_that_cannot_be_planned_any_more_is_no_pass(project: Project) -> None:
    project.adopt()
    (project.folder / "drop.sql").write_text("ALTER TABLE orders DROP customer_id;\n")
    found = project.check("-m", "drop.sql")["by"]["of_customer"]
    assert found["verdict"] == "unknown"
    assert "could be planned when it was accepted" in found["difference"]["says"]


def test_rules_that_changed_count(project: Project) -> None:
    project.adopt()
    (project.folder / "premortem.toml").write_text("[[budgets]]\nrows_read = 10\n")
    report = project.check()
    assert report["code"] == 1
    assert rules(report["by"]["open_orders"]) == {"over-budget": "error"}
    assert report["by"]["open_orders"]["difference"]["says"] == "a budget was set or lowered"
    assert project.run("check") == 1
    assert "Same query, new finding: a budget was set or lowered" in " ".join(project.capsys.readouterr().out.split())


def test_what_is_gone_is_told_and_forgotten(project: Project) -> None:
    project.adopt()
    project.queries(OPEN + MINE)
    report = project.check()
    assert report["code"] == 0
    assert [g["site"] for g in report["gone"]] == ["queries/orders.sql:4 (legacy)"]
    assert "legacy" in project.lock
    assert "forgot" not in project.capsys.readouterr().err
    typed = ["check", "-p", "prod.profile", "queries", "--update-lock"]
    assert entry.run(entry.parsed(typed)) == 0
    assert "forgot 1 query that this run did not meet any more: queries/orders.sql:4" in project.capsys.readouterr().err
    assert "legacy" not in project.lock
    project.queries(OPEN + MINE + OLD)
    assert project.check()["code"] == 1


def test_queries_of_other_files_are_not_forgotten(project: Project) -> None:
    project.queries(OPEN, "other.sql")
    project.queries(MINE + OLD)
    project.adopt()
    arguments = ["check", "-p", "prod.profile", "-q", "queries/orders.sql", "--update-lock"]
    assert entry.run(entry.parsed(arguments)) == 0
    assert "open_orders" in project.lock


def test_an_accepted_finding_that_is_cured_is_told(project: Project) -> None:
    project.adopt()
    (project.folder / "new.sql").write_text("CREATE INDEX orders_both ON orders (status, created_at);\n")
    report = project.check("-m", "new.sql")
    assert report["code"] == 0
    told = [f for f in report["findings"] if f["rule"] == "unused-acceptance"]
    assert told
    assert told[0]["location"]["source"] == "premortem.lock"
    assert project.lock.splitlines()[told[0]["location"]["line"] - 1].startswith("[query.")


@pytest.mark.parametrize(
    ("lock", "error"),
    [("<<<<<<< HEAD\n", InputError), ("format = 9\n", InputError), (b"\xff", InputError), (None, UsageError)],
)
def test_a_lock_that_cannot_be_read_stops(project: Project, lock: str | bytes | None, error: type[Exception]) -> None:
    path = project.folder / "mine.lock"
    if lock is not None:
        path.write_bytes(lock if isinstance(lock, bytes) else lock.encode())
    with pytest.raises(error, match=r"mine\.lock"):
        project.check("--lock", "mine.lock")


def test_without_the_lock_everything_counts(project: Project) -> None:
    project.adopt()
    report = project.check("--no-lock")
    assert report["code"] == 1
    assert all("difference" not in q or q["difference"] is None for q in report["queries"])


def test_only_what_the_branch_edits_is_judged(project: Project) -> None:
    project.git("init", "-q", "-b", "main")
    project.queries("select * from nowhere;\n", "broken.sql")
    project.commits()
    project.git("checkout", "-q", "-b", "mine")
    report = project.check("--changed-since", "main")
    assert (report["code"], report["unchanged"], report["queries"]) == (0, 4, [])
    project.queries(
        OPEN.replace("'open'", "$1") + OLD.upper().replace("LEGACY", "legacy") + "-- name: new\nselect 1;\n"
    )
    project.queries(MINE, "moved.sql")
    report = project.check("--changed-since", "main")
    assert report["code"] == 1
    changes = {name: q["difference"]["change"] for name, q in report["by"].items()}
    assert changes == {"open_orders": "edited", "new": "new"}
    assert report["by"]["open_orders"]["difference"]["before"]


def test_what_the_branch_adds_to_the_lock_is_new_all_the_same(project: Project) -> None:
    project.git("init", "-q", "-b", "main")
    project.queries(MINE)
    project.adopt()
    project.commits()
    project.git("checkout", "-q", "-b", "mine")
    project.queries(MINE + OLD)
    project.adopt("--reason", "agreed")
    project.commits()
    assert project.check()["queries"] == []
    report = project.check("--changed-since", "main")
    assert report["code"] == 0
    assert report["by"]["legacy"]["difference"]["change"] == "new"
    assert {s["reason"] for s in report["by"]["legacy"]["suppressed"]} == {"agreed"}


def test_what_the_branch_accepts_although_it_got_worse_is_accepted(project: Project, shop: Profile) -> None:
    project.git("init", "-q", "-b", "main")
    project.queries(OPEN + MINE)
    project.adopt()
    project.commits()
    project.git("checkout", "-q", "-b", "mine")
    project.queries(OPEN.replace("where status = 'open' ", "") + MINE)
    (project.folder / "premortem.toml").write_text('[rules]\nsort-without-index = "off"\n')
    branch = ("--changed-since", "main")
    report = project.check(*branch)
    assert report["code"] == 1
    assert rules(report["by"]["open_orders"]) == {"plan-got-worse": "error"}
    project.adopt("--reason", "agreed")
    project.commits()
    report = project.check(*branch)
    assert (report["code"], report["by"]["open_orders"]["difference"]["change"]) == (0, "edited")
    told = {s["finding"]["rule"]: s["reason"] for s in report["by"]["open_orders"]["suppressed"]}
    assert "the lock accepts this query at a cost of" in told["plan-got-worse"]
    project.produces(grown(shop, 20))
    report = project.check(*branch)
    assert "plan-got-worse" in rules(report["by"]["open_orders"])  # more than what was accepted


def test_a_select_list_that_got_longer_keeps_what_was_accepted(project: Project) -> None:
    project.queries(OLD.replace("*", "id, status") + MINE)
    project.adopt("--reason", "old report", "--until", "2999-01-31")
    project.queries(OLD.replace("*", "id, customer_id, status") + MINE)
    report = project.check("--update-lock")
    assert report["code"] == 0
    edited = report["by"]["legacy"]
    assert edited["difference"]["change"] == "edited"
    assert "the plan is the same, and so is what was accepted of it" in edited["difference"]["says"]
    assert "seq-scan-discards-rows" in {s["finding"]["rule"] for s in edited["suppressed"]}
    assert "select id, customer_id, status from" in project.lock
    assert 'reason = "old report", until = 2999-01-31' in project.lock
    assert "recorded" not in project.lock


def test_a_select_list_without_a_column_that_goes_keeps_what_was_accepted(project: Project) -> None:
    """The old text cannot be planned on the branch's schema; the lock has its plan."""
    project.queries(OLD.replace("*", "id, customer_id, status") + MINE)
    project.adopt()
    project.queries(OLD.replace("*", "id, status"))
    (project.folder / "drop.sql").write_text("ALTER TABLE orders DROP customer_id;\n")
    edited = project.check("-m", "drop.sql")["by"]["legacy"]
    assert (edited["verdict"], edited["difference"]["change"]) == ("pass", "edited")
    assert "cannot be planned any more" in edited["difference"]["says"]


@pytest.mark.parametrize(
    "text",
    [
        OLD.replace("and status = $3", "and customer_id + 0 = $3"),
        OLD.replace(";", " order by status, id;"),
    ],
)
def test_another_plan_or_another_finding_is_not_covered(project: Project, text: str) -> None:
    project.adopt()
    project.queries(OPEN + text + MINE)
    report = project.check()
    assert report["by"]["legacy"]["difference"]["change"] == "edited"
    assert report["by"]["legacy"]["verdict"] == "fail", report["by"]["legacy"]
    assert "what was accepted" not in report["by"]["legacy"]["difference"]["says"]


def test_a_migration_that_has_nothing_to_do_with_it_makes_nothing_new(project: Project) -> None:
    project.adopt()
    path = project.folder / "premortem.lock"
    path.write_text(re.sub(r"accepted = .*\n", "", project.lock))
    (project.folder / "new.sql").write_text("ALTER TABLE orders ADD note text;\n")
    report = project.check("-m", "new.sql")
    assert {q["verdict"] for q in report["queries"]} == {"pass"}
    assert report["by"]["legacy"]["difference"]["change"] == "unchanged"
    assert any("nothing that matters changed" in s["reason"] for s in report["by"]["legacy"]["suppressed"])


def test_what_cannot_be_planned_is_no_pass_until_a_person_accepts_it(project: Project, shop: Profile) -> None:
    """A table that only the tests make must not keep an old code base from adopting the gate."""
    project.produces(shop)
    project.queries(f"{OPEN}-- name: scratch\nselect * from scratch where id = $1;\n")
    assert project.run("check") == 3
    assert project.run("adopt") == 0
    assert "could-not-tell" in project.lock

    assert project.check()["verdict"] == "pass"
    (project.folder / "premortem.toml").write_text("[rules.deep-offset]\nmin_rows = 7\n")  # everything is judged again
    report = project.check()
    assert report["verdict"] == "pass"
    assert [s["finding"]["rule"] for s in report["by"]["scratch"]["suppressed"]] == ["could-not-tell"]
    assert project.run("check", "--no-lock") == 3

    project.queries(f"{OPEN}-- name: scratch\nselect * from scratch where ident = $1;\n")
    assert project.run("check") == 3  # another query that cannot be planned
