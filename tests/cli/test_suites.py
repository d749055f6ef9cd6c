"""`premortem check -- COMMAND`: a suite runs, and what it asked is judged on the schema that it built."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Premortem, Production

#: What a suite's own migrations build: production's tables, an index and a table more; then what its tests ask.
SUITE = """
import os, sys
import psycopg
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as db:
    db.execute("create table customers (id bigint primary key, email text, country text)")
    db.execute("create table order_items (id int primary key, order_id int, product_sku text, status text)")
    db.execute("alter table order_items add channel text")
    db.execute("create index items_sku on order_items (product_sku, status)")
    db.execute("create table refunds (id int primary key, note text)")
    for value in "ABCDE":
        db.execute("select * from order_items where product_sku = %s and status = %s", [value, "new"])
    if "slow" in sys.argv:
        db.execute("select * from order_items where order_id = %s", [7])
    db.execute("select * from refunds where id = 7")
    if "fail" in sys.argv:
        raise SystemExit(5)
print("output of the suite")
"""


@pytest.fixture
def suite(tmp_path: Path) -> list[str]:
    (tmp_path / "suite.py").write_text(SUITE)
    return ["--", sys.executable, str(tmp_path / "suite.py")]


def test_the_branchs_index_cures_and_production_decides(
    premortem: Premortem, production: Production, suite: list[str]
) -> None:
    done = premortem("check", "-p", production.profile, "-f", "json", *suite)
    report = json.loads(done.stdout)  # the suite's own output is not in the way
    assert "output of the suite" in done.stderr
    assert done.returncode == 0, done.stdout
    (items,) = [q for q in report["queries"] if "order_items" in q["text"]]
    assert items["captured"]["executions"] == 5
    assert "$1" in items["text"]
    assert any("items_sku" in json.dumps(p) for p in items["plans"])
    assert [q["verdict"] for q in report["queries"] if "refunds" in q["text"]] == ["pass"]

    alone = premortem("check", "-p", production.profile, "-f", "json", "-", stdin=items["text"] + ";")
    assert alone.returncode == 1  # without the branch's index


def test_a_query_that_hurts_fails_the_check(premortem: Premortem, production: Production, suite: list[str]) -> None:
    done = premortem("check", "-p", production.profile, "-f", "json", *suite, "slow")
    assert done.returncode == 1, done.stdout
    failed = [q for q in json.loads(done.stdout)["queries"] if q["verdict"] == "fail"]
    assert [f["table"] for q in failed for f in q["findings"] if f["severity"] == "error"] == ["public.order_items"]


def test_a_suite_that_fails_is_no_pass(premortem: Premortem, production: Production, suite: list[str]) -> None:
    done = premortem("check", "-p", production.profile, "-f", "json", *suite, "fail")
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"]) == (3, "unknown")
    assert any("exit code 5" in g["says"] for g in report["gaps"])


@pytest.mark.parametrize(
    ("command", "timeout", "says"),
    [
        (["true"], "60", "asked the database nothing"),
        (["sh", "-c", "exit 4"], "60", "failed (exit code 4), and no statement was seen"),
        (["sleep", "600"], "2", "longer than --timeout allows"),
        (["no-such-command"], "60", "no-such-command cannot be run"),
    ],
)
def test_a_suite_that_asks_nothing_could_not_tell(
    premortem: Premortem, production: Production, command: list[str], timeout: str, says: str
) -> None:
    done = premortem("check", "-p", production.profile, "--timeout", timeout, "--", *command)
    assert done.returncode == 3
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_values_of_a_log_are_in_no_report(premortem: Premortem, production: Production, tmp_path: Path) -> None:
    """A log may be production's, and the values in it rows of production."""
    (tmp_path / "postgres.log").write_text(
        "2026-11-22 10:00:00.000 UTC [77] app@shop LOG:  statement: "
        "select * from customers where email = 'secret.person@example.org' and id = 31337\n"
    )
    taken = premortem("capture", "--log", "postgres.log", "-o", "log.capture")
    assert taken.returncode == 0, taken.stderr
    for form in ("terminal", "markdown", "json", "html"):
        done = premortem("check", "-p", production.profile, "-f", form, "log.capture")
        assert done.returncode == 0, done.stderr
        assert "customers" in done.stdout or form in ("terminal", "markdown")
        assert "secret" not in done.stdout
        assert "31337" not in done.stdout
