"""`premortem check -m`: migrations are judged on production's schema, whatever schema a suite has left."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Premortem, Production

#: The schema after the change: a type changed, a column and an index more, a table renamed.
SUITE = """
import os
import psycopg
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as db:
    db.execute("create table customers (id bigint primary key, email text not null, country text not null)")
    db.execute("create table orders (id bigint primary key, customer_id bigint not null references customers,"
               " status text not null, created_at timestamptz not null)")
    db.execute("create index orders_customer_id_idx on orders (customer_id)")
    db.execute("create table order_items (id bigint primary key, order_id bigint not null references orders,"
               " product_sku text not null, status text not null, quantity bigint not null, filler text not null,"
               " channel text)")
    db.execute("create index items_sku on order_items (product_sku)")
    db.execute("create table lands (code text primary key, name text not null, tax numeric not null)")
    db.execute("select * from order_items where product_sku = %s", ["x"])
    db.execute("select * from lands")
    db.execute("select quantity, channel from order_items where id = 7")
"""
CHANGE = """\
ALTER TABLE order_items ALTER COLUMN quantity TYPE bigint;
ALTER TABLE order_items ADD COLUMN channel text;
CREATE INDEX items_sku ON order_items (product_sku);
ALTER TABLE countries RENAME TO lands;
"""
ABOUT = "the change's migrations"


@pytest.fixture
def captured(premortem: Premortem, tmp_path: Path) -> str:
    (tmp_path / "suite.py").write_text(SUITE)
    (tmp_path / "change.sql").write_text(CHANGE)
    done = premortem("capture", "-o", "branch.capture", "--", sys.executable, "suite.py")
    assert done.returncode == 0, done.stderr
    return "branch.capture"


def gaps(report: dict[str, Any], about: str) -> list[str]:
    return [g["says"] for g in report["gaps"] if about in g["subject"]]


def test_a_captured_schema_does_not_hide_what_migrations_do(
    premortem: Premortem, production: Production, captured: str
) -> None:
    done = premortem("check", "-p", production.profile, "-f", "json", "-m", "change.sql", captured)
    report = json.loads(done.stdout)
    found = {(f["location"]["line"], f["rule"]) for f in report["findings"]}
    assert {(1, "changing-column-type"), (3, "require-concurrent-index-creation"), (4, "renaming-table")} <= found
    assert gaps(report, "change.sql") == gaps(report, ABOUT) == []  # nothing that production already has, nothing left
    rows = {q["text"]: q["plans"][0]["estimated_rows"] for q in report["queries"] if q["plans"]}
    assert rows["select * from lands"] == 200  # the renamed table's figures
    assert len(rows) == 3, report["queries"]

    some = premortem("check", "-p", production.profile, "-f", "json", "-m", "-", captured, stdin=CHANGE[:59])
    assert gaps(json.loads(some.stdout), ABOUT) == [
        "They do not lead from production to the captured schema, which also has: "
        "new column order_items.channel; new index items_sku of order_items; new table lands."
    ]


def test_migrations_that_nobody_named_are_said_to_be_unjudged(
    premortem: Premortem, production: Production, captured: str
) -> None:
    done = premortem("check", "-p", production.profile, "-f", "json", captured)
    (says,) = gaps(json.loads(done.stdout), ABOUT)
    assert says.startswith("They were not judged: the captured schema differs from production's (")
    assert "order_items.quantity is bigint" in says


NOTHING = "-- nothing\n\n"


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ("", 2, "set -o pipefail"),
        ("\n \n", 2, "set -o pipefail"),
        (NOTHING, 2, "no statement in the migrations"),
        ("--\n-- Alter field status on order\n--\n-- (no-op)\n", 0, "PASS"),
        ("BEGIN;\n\nCOMMIT;\n", 0, "PASS"),
        ("BEGIN;\n--\n-- Raw Python operation\n--\n-- THIS OPERATION CANNOT BE WRITTEN AS SQL\nCOMMIT;\n", 0,
         "cannot be written as SQL (line 5)"),
    ],
)  # fmt: skip
def test_nothing_is_not_a_migration(
    premortem: Premortem, production: Production, given: str, code: int, says: str
) -> None:
    done = premortem("check", "-p", production.profile, "-m", "-", stdin=given)
    assert (done.returncode, says in " ".join((done.stdout + done.stderr).split())) == (code, True), done


def test_a_file_of_comments_beside_queries_is_said(
    premortem: Premortem, production: Production, tmp_path: Path
) -> None:
    (tmp_path / "empty.sql").write_text(NOTHING)
    done = premortem("check", "-p", production.profile, "-f", "json", "-m", "empty.sql", "-", stdin="select 1")
    assert done.returncode == 0, done.stderr
    assert gaps(json.loads(done.stdout), "empty.sql") == ["It holds no statement."]
