"""Real suites of real frameworks, unchanged, and what of them is captured."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from premortem import pg
from premortem.model import StatementKind
from tests.capture.conftest import APPS, Captures, index_columns

PYTHON = sys.executable
#: The suite's pytest is to know nothing of the pytest that runs us.
PLAIN = ("-p", "no:cacheprovider", "-p", "no:randomly", "--noconftest", "-c", os.devnull, "--rootdir", ".")
SHOP_TABLES = {"shop_customer", "shop_product", "shop_order", "shop_item"}


def test_django_and_its_runner(captures: Captures) -> None:
    """Django drops its database at the end, after migrations that dropped a table of their own."""
    ran = captures(PYTHON, "manage.py", "test", cwd=APPS / "django", options=["--pg", "15"])
    assert ran.status == 0, ran.err
    shop = {t.name for t in ran.schema("test_app").tables if t.name.startswith("shop_")}
    assert shop == SHOP_TABLES
    assert ("status", "created_at") in index_columns(ran.schema("test_app"), "shop_order")
    assert all(t.pages == 0 and not any(c.statistics for c in t.columns) for t in ran.schema("test_app").tables)

    items = ran.statement('FROM "shop_item"', '"order_id" = $1')
    assert items.kind is StatementKind.SELECT
    assert items.repeats is not None
    assert (items.repeats.count, items.repeats.within) == (12, "transaction")
    assert len({sample[0] for sample in items.samples}) >= 12
    assert items.database == "test_app"
    assert ran.statement("note LIKE").samples == (("1%",),)
    tricky = ran.statement('UPDATE "shop_product" SET "attributes"').samples
    assert '{"colour": "it\'s \\\\ \\"red\\"\\n"}' in tricky[0]
    texts = " ".join(q.text for q in ran.capture.statements)
    assert "django_migrations" not in texts
    assert "TRUNCATE" not in texts.upper()
    assert sum(count for _, count in ran.capture.left_out) > 100


def test_django_in_parallel_on_two_databases(captures: Captures) -> None:
    """Clones of a database have its schema, which is captured once."""
    ran = captures(
        PYTHON, "manage.py", "test", "--parallel", "2", cwd=APPS / "django", options=["--set", "REPORTS_URL={dsn}"],
        environment={"SERVER_SIDE": "1"},
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert "Destroying test database for alias 'reports'" in ran.err
    databases = {name for schema in ran.capture.schemas for name in schema.databases}
    assert {"test_app", "test_reports"} <= databases
    assert len(ran.capture.schemas) == 1
    assert {q.database for q in ran.capture.statements} & {"test_app_1", "test_app_2"}
    assert (ran.statement('FROM "shop_product"', '"title"', "LIKE").database or "").startswith("test_reports")


def test_sqlalchemy_and_alembic(captures: Captures) -> None:
    """Tables that live for one test, and migrations that are undone at once: the gate makes their DROP wait."""
    ran = captures(
        PYTHON, "-m", "pytest", "-q", *PLAIN, "test_accounts.py",
        cwd=APPS / "alembic",
        options=["--set", "SQLALCHEMY_URL=postgresql+psycopg://{user}:{password}@{host}:{port}/{database}",
                 "--set", "MIGRATED_URL=postgresql://{user}:{password}@{host}:{port}/postgres"],
    )  # fmt: skip
    assert ran.status == 0, ran.out + ran.err
    assert {t.name for t in ran.schema("app").tables} == {"authors", "books"}
    assert ("name",) in index_columns(ran.schema("app"), "authors")
    assert {t.name for t in ran.schema("postgres").tables} == {"accounts", "entries", "alembic_version"}
    assert ("account_id", "booked_at") in index_columns(ran.schema("postgres"), "entries")
    lazy = ran.statement("FROM books", "books.author_id")
    assert lazy.repeats is not None
    assert (lazy.repeats.count, lazy.repeats.within) == (15, "test")
    assert lazy.repeats.unit == "test_accounts.py::test_lazy"
    assert ran.statement("sum(books.price)").repeats is None


def test_alembic_alone(captures: Captures) -> None:
    """A command that only migrates is a capture too, of its schema."""
    ran = captures(PYTHON, "-m", "alembic", "upgrade", "head", cwd=APPS / "alembic")
    assert ran.status == 0, ran.err
    names = {t.name for t in ran.schema("app").tables}
    assert names == {"accounts", "entries", "alembic_version"}
    assert ("account_id", "booked_at") in index_columns(ran.schema("app"), "entries")
    assert ran.capture.statements == ()


def test_asyncpg_on_xdist_workers(captures: Captures) -> None:
    """Each worker's statements belong to its own tests, though its driver does not say who connects."""
    ran = captures(
        PYTHON, "-m", "pytest", "-q", "-n", "2", *PLAIN, "test_async.py", cwd=APPS / "xdist",
    )  # fmt: skip
    assert ran.status == 0, ran.out + ran.err
    assert [schema.databases for schema in ran.capture.schemas] == [("shop_gw0", "shop_gw1")]
    one = ran.statement("SELECT id, weight FROM parcels")
    assert one.executions == 48
    assert one.repeats is not None
    assert (one.repeats.count, one.repeats.within) == (12, "test")
    assert (one.repeats.unit or "").startswith("test_async.py::test_one_by_one")
    assert ran.statement("count(*)", "parcels").samples == (("10", "{p20,p21}"),)


def test_drivers(captures: Captures) -> None:
    """Prepared on the server, pipelined, cursors, COPY, functions, literals: each is one statement with its values."""
    ran = captures(PYTHON, APPS / "drivers.py")
    assert ran.status == 0, ran.err
    assert ran.statement("SELECT max(value)").executions == 25
    assert ran.statement("INSERT INTO readings").executions == 40
    assert any(None in sample for sample in ran.statement("SELECT max(value)").samples)
    assert ran.statement("ORDER BY value").kind is StatementKind.SELECT
    assert ran.statement("SELECT note FROM readings").text.startswith("SELECT note")
    nested = ran.statement("ORDER BY taken DESC")
    assert nested.executions == 1
    tenant = ran.statement("SELECT top FROM limits")
    assert tenant.executions == 1001
    assert tenant.search_path == ("tenant_7",)
    assert ("controller", "readings") in tenant.tags
    assert not [q for q in ran.capture.statements if "nothing" in q.text]


NODE = shutil.which("node")


@pytest.fixture(scope="session")
def node_modules(pytestconfig: pytest.Config) -> Path:
    """Knex and node-postgres, installed once and kept."""
    problem = "node and npm are not on this machine; type: sudo apt-get install nodejs npm"
    home = pg.cache_directory() / "tests" / "node"
    if NODE and shutil.which("npm") and not (home / "node_modules" / "knex").is_dir():
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(APPS / "node" / "package.json", home)
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
        problem = f"npm install failed: {done.stderr[-300:]}; type: npm --prefix {home} install"
    if not (NODE and (home / "node_modules" / "knex").is_dir()):
        if pytestconfig.getoption("--require-pg"):
            pytest.fail(problem)
        pytest.skip(problem)
    return home / "node_modules"


def test_node_with_knex(captures: Captures, node_modules: Path) -> None:
    app = APPS / "node"
    ran = captures(
        "sh", "-c", 'cp -R "$APP/." . && ln -s "$MODULES" node_modules && node --test tickets.test.js',
        environment={"APP": str(app), "MODULES": str(node_modules)},
    )  # fmt: skip
    assert ran.status == 0, ran.out + ran.err
    names = {t.name for t in ran.schema("app").tables}
    assert names == {"venues", "tickets", "knex_migrations", "knex_migrations_lock"}
    assert ("city",) in index_columns(ran.schema("app"), "venues")
    assert ran.statement("inner join", "venues").samples == (("Ulm", "5"),)
    assert ran.statement('"id" = $1').executions == 12
    assert not [q for q in ran.capture.statements if "knex_migrations" in q.text]
