"""`premortem advise` on a production of each major: its own workload, the script run for real, why and why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from premortem import catalog, pg
from premortem.cli import main
from premortem.cli.commands import advise
from premortem.model import Values
from tests.check.shop import fill
from tests.report.indexing.samples import EVERYTHING, NOTHING

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "reference" / "indexing.schema.json").read_text("utf-8"))
BY_SKU = "SELECT * FROM order_items WHERE product_sku = %s AND status = %s"
PENDING = "SELECT id FROM orders WHERE status = 'pending' ORDER BY created_at LIMIT 10"
#: What the shop lacks: partitions, and texts that are looked for in odd ways.
MORE = """
CREATE TABLE events (id bigint NOT NULL, at timestamptz NOT NULL, kind text NOT NULL, visitor int NOT NULL)
    PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO events
    SELECT g, timestamptz '2026-01-01' + g * interval '40 seconds', 'k' || g % 7, g * 7919::bigint % 20000
    FROM generate_series(1, 120000) g;
CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL, about text NOT NULL);
INSERT INTO people SELECT g, 'User' || g || '@example.org', md5(g::text) || md5((g * 7)::text) || repeat('y', 80)
    FROM generate_series(1, 60000) g;
"""
ODD = """
SELECT * FROM events WHERE visitor = 77;
SELECT id FROM people WHERE lower(email) = 'user7@example.org';
SELECT id FROM people WHERE about LIKE '%c4ca4238%';
"""
OF_CUSTOMER = "SELECT count(*) FROM orders WHERE customer_id = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """A profile with a workload, and a copy of the database that a script may be run on."""

    server: pg.Server
    profile: Path
    copy: str

    def indexes(self) -> set[str]:
        with pg.session(self.copy, purpose="test") as db:
            found = db.tuples(
                "SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid AND indrelid >= 16384 ORDER BY 1"
            )
        return {str(name).removeprefix("public.") for (name,) in found}

    def psql(self, script: str) -> subprocess.CompletedProcess[str]:
        program = self.server.installation.bin_directory / "psql"
        return subprocess.run(
            [program, "-X", "-q", "-f", "-", self.copy], input=script, capture_output=True, text=True, check=False,
            env=os.environ | {"PGOPTIONS": "-c client_min_messages=warning -c statement_timeout=100ms"},
        )  # fmt: skip


@pytest.fixture(scope="module", params=(15, 18), ids=("pg15", "pg18"))
def production(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    server: pg.Server = request.getfixturevalue(f"server{request.param}")
    name, copy = f"advised_{request.param}", f"advised_copy_{request.param}"
    with pg.writer(server, purpose="test") as db:
        db.execute(f"CREATE DATABASE {name}")
    with pg.writer(server, purpose="test", database=name) as db:
        db.execute("CREATE EXTENSION pg_stat_statements")
        fill(db)
        db.execute("CREATE INDEX order_items_product_sku_idx ON order_items (product_sku)")
        db.execute("CREATE INDEX orders_customer_id_again_idx ON orders (customer_id)")
        for statement in MORE.split(";\n"):
            db.execute(statement) if statement.strip() else None
        db.execute("VACUUM (ANALYZE) order_items, events, people")
    with pg.writer(server, purpose="test") as db:
        db.execute(f"CREATE DATABASE {copy} TEMPLATE {name}")
        db.execute(f"ALTER DATABASE {copy} SET premortem.role = 'staging'")
    with pg.writer(server, purpose="test", database=name) as db:
        db.execute("SELECT pg_stat_statements_reset()")
        for number in range(12):
            db.execute(BY_SKU.replace("%s", "'SKU-%06d'", 1).replace("%s", "'packed'") % (number * 7))
            db.execute(PENDING)
            db.execute(OF_CUSTOMER % (number * 11))
    file = tmp_path_factory.mktemp("advise") / "prod.profile"
    with pg.session(server.dsn(name), purpose="test") as session:
        catalog.write(catalog.pull(session, values=Values.ALL), file)
    yield Production(server=server, profile=file, copy=server.dsn(copy))
    with pg.writer(server, purpose="test") as db:
        for one in (copy, name):
            db.execute(f"DROP DATABASE {one} WITH (FORCE)")


#: What no version decides is tried on one.
once = pytest.mark.parametrize("production", [15], indirect=True, ids=["pg15"])


def told(production: Production, folder: Path, *options: str) -> tuple[int, Any]:
    """Advise with options, and return the exit code and the JSON, which obeys its contract."""
    file = folder / "advice.json"
    file.unlink(missing_ok=True)
    code = main(["advise", "-p", str(production.profile), "-q", "-j", "1", "-f", "json", "-o", str(file), *options])
    if not file.exists():
        return code, None
    document = json.loads(file.read_text("utf-8"))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return code, document


def test_productions_own_workload_and_the_script_that_follows(production: Production, tmp_path: Path) -> None:
    code, found = told(production, tmp_path, "--budget", "100MB", "--drop")
    assert code == 0
    definitions = {r["index"]["definition"]: r for r in found["recommendations"]}
    sku = next(r for d, r in definitions.items() if d.startswith("order_items (product_sku, status"))
    assert any(d.startswith(("orders (created_at", "orders (status")) for d in definitions)
    assert not any("customer_id" in d for d in definitions)
    summary = found["summary"]
    assert summary["is_counted"]
    assert summary["measured_share"] == pytest.approx(1.0)
    assert summary["reads_after_ms"] < 0.5 * summary["reads_before_ms"]
    assert sum(r["adds_ms"] for r in found["recommendations"]) == pytest.approx(
        summary["reads_before_ms"] - summary["reads_after_ms"], rel=0.01
    )
    assert sum(r["size_bytes"] for r in found["recommendations"]) == summary["size_bytes"] <= 100 << 20
    assert [p["chosen"] for p in found["frontier"]].count(True) == 1
    helped = [found["queries"][g["query"]]["text"] for g in sku["helps"]]
    assert any("product_sku" in text for text in helped)
    # Of two alike one goes, and what the new index begins like goes once it is there.
    dropped = {d["index"] for d in found["drops"]}
    assert len(dropped & {"public.orders_customer_id_idx", "public.orders_customer_id_again_idx"}) == 1
    assert "public.order_items_product_sku_idx" in dropped | set(sku["replaces"])
    assert "queries get" not in json.dumps(found["slower"])

    before = production.indexes()
    script = tmp_path / "indexes.sql"
    options = ["--budget", "100MB", "--drop", "-f", "sql", "-o", str(script)]
    assert main(["advise", "-p", str(production.profile), "-q", "-j", "1", *options]) == 0
    done = production.psql(script.read_text("utf-8"))
    assert done.returncode == 0, done.stderr
    after = production.indexes()
    assert {r["name"] for r in found["recommendations"]} <= after
    assert not {n.removeprefix("public.") for n in dropped} & after
    undo = script.read_text("utf-8").split("-- To undo it all:\n")[1]
    done = production.psql("\\set ON_ERROR_STOP on\nSET statement_timeout = 0;\n" + undo.replace("-- ", ""))
    assert done.returncode == 0, done.stderr
    assert production.indexes() == before


def test_why_and_why_not(production: Production, tmp_path: Path) -> None:
    code, found = told(
        production, tmp_path,
        "--explain", "order_items(status)",
        "--explain", "CREATE INDEX whatever ON order_items (product_sku, status)",
        "--explain", "orders_pkey",
        "--explain", "order_items (order_id, product_sku) WHERE quantity > 5",
        "--explain", "orders (to_char(created_at, 'YYYY'))",
    )  # fmt: skip
    assert code == 0
    status, sku, key, unread, changing = found["asked"]
    assert status["standing"] == "declined"
    assert status["readers"] >= 1
    assert sku["standing"] in ("recommended", "declined")
    assert sku["alone"]
    assert sku["alone"][0]["cost_after"] < sku["alone"][0]["cost_before"]
    assert key["standing"] == "exists"
    assert (unread["standing"], unread["alone"], unread["beside"]) == ("declined", [], [])
    assert changing["standing"] == "refused"
    assert "IMMUTABLE" in changing["says"]


@once
@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        ("order_item(status)", "no table order_item", "order_items"),
        ("order_items(statsu)", "no column statsu", "status"),
        ("order_items(status) WHERE quantiti > 5", "no column quantiti", "quantity"),
        ("order_items(lower(stauts))", "no column stauts", "status"),
        ("order_items(status", "is no index: syntax error", "write table(column, …)"),
        ("select 1", "is no index", "write table(column, …)"),
        ("order_items", "is a table, not an index", "order_items(column, …)"),
        ("orders_pkye", "there is no index orders_pkye", "orders_pkey"),
    ],
)
def test_what_nobody_can_mean(
    production: Production, tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: str, message: str, hint: str
) -> None:
    code, found = told(production, tmp_path, "--explain", typed)
    assert (code, found) == (2, None)
    told_ = capsys.readouterr().err
    assert message in told_
    assert hint in told_


@once
def test_queries_of_a_file_count_once_where_production_never_ran_them(production: Production, tmp_path: Path) -> None:
    queries = tmp_path / "q.sql"
    queries.write_text("SELECT * FROM order_items WHERE order_id = 7;\nselec nonsense;\nSELECT * FROM nowhere;\n")
    code, found = told(production, tmp_path, str(queries))
    assert code == 0
    assert not found["summary"]["is_counted"]
    assert found["summary"]["measured_share"] == 0
    assert [r["index"]["keys"] for r in found["recommendations"]] == [["order_id"]]
    assert {u["site"].rpartition("/")[2] for u in found["unreadable"]} == {"q.sql:2", "q.sql:3"}


def test_every_kind_of_statement_runs(production: Production, tmp_path: Path) -> None:
    """A partitioned table is indexed part by part, an expression is analyzed, an extension comes first."""
    queries, script = tmp_path / "q.sql", tmp_path / "indexes.sql"
    queries.write_text(ODD)
    code, found = told(production, tmp_path, str(queries))
    assert code == 0
    statements = "\n".join(s for r in found["recommendations"] for s in r["statements"])
    for wanted in ("ON ONLY public.events", "ATTACH PARTITION", "lower(email)", "ANALYZE public.people;",
                   "CREATE EXTENSION IF NOT EXISTS pg_trgm;", "gin_trgm_ops"):  # fmt: skip
        assert wanted in statements, wanted
    assert any("pg_trgm" in n for r in found["recommendations"] for n in r["notes"])
    before = production.indexes()
    assert main(["advise", "-p", str(production.profile), "-q", "-j", "1", str(queries), "-f", "sql",
                 "-o", str(script)]) == 0  # fmt: skip
    done = production.psql(script.read_text("utf-8"))
    assert done.returncode == 0, done.stderr
    assert {r["name"] for r in found["recommendations"]} <= production.indexes()
    undo = script.read_text("utf-8").split("-- To undo it all:\n")[1].replace("-- ", "")
    done = production.psql(f"\\set ON_ERROR_STOP on\nSET statement_timeout = 0;\n{undo}")
    assert done.returncode == 0, done.stderr
    assert production.indexes() == before


@once
def test_a_budget_that_nothing_fits(production: Production, tmp_path: Path) -> None:
    code, found = told(production, tmp_path, "--budget", "8kB")
    assert code == 0
    assert found["recommendations"] == []
    assert any("does not fit" in d["reason"] for d in found["declined"])
    assert len(found["frontier"]) > 1


@once
def test_nothing_that_can_be_planned_is_no_answer(
    production: Production, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queries = tmp_path / "q.sql"
    queries.write_text("SELECT * FROM nowhere;")
    assert told(production, tmp_path, str(queries)) == (3, None)
    assert "none of 1 query could be planned" in capsys.readouterr().err
    queries.write_text("BEGIN;")
    assert told(production, tmp_path, str(queries)) == (2, None)


@once
@pytest.mark.parametrize("options", [("--budget", "12"), ("--budget", "a lot"), ("--min-share", "2"), ("--time", "0")])
def test_options_that_say_nothing(production: Production, options: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["advise", "-p", str(production.profile), *options])
    assert ended.value.code == 2


@once
def test_replicas_that_are_none_are_refused_first(
    production: Production, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ("--replica-profile", str(production.profile))
    assert told(production, tmp_path, *own) == (2, None)
    assert "add --drop" in capsys.readouterr().err
    assert told(production, tmp_path, "--drop", *own) == (2, None)
    assert "the same profile is given twice" in capsys.readouterr().err


@once
def test_time_that_is_up_before_anything_is_found(production: Production, tmp_path: Path) -> None:
    code, found = told(production, tmp_path, "--time", "0.01")
    assert (code, found["recommendations"], found["effort"]["finished"]) == (3, [], False)
    assert found["summary"]["reads_after_ms"] == found["summary"]["reads_before_ms"]


@pytest.mark.parametrize(
    ("finished", "out_of_time", "found_any", "code"),
    [(True, False, False, 0), (True, True, False, 0), (False, False, True, 130), (False, True, True, 0),
     (False, True, False, 3)],
)  # fmt: skip
def test_the_exit_code_says_whether_it_could_tell(
    finished: bool, out_of_time: bool, found_any: bool, code: int
) -> None:
    found = replace(EVERYTHING if found_any else NOTHING, effort=replace(EVERYTHING.effort, finished=finished))
    assert advise._exit_code(found, out_of_time=out_of_time) == code


def test_executed_on_a_copy(production: Production, tmp_path: Path) -> None:
    before = production.indexes()
    code, found = told(production, tmp_path, "--mirror", production.copy)
    assert code == 0
    assert found["summary"]["certainty"] == "executed", found["gaps"]
    assert any("built on the mirror" in n for r in found["recommendations"] for n in r["notes"])
    assert production.indexes() == before


def test_without_the_solver_it_says_so_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    assert main(["advise", "-p", str(tmp_path / "none.profile")]) == 2
    assert "pip install 'premortem[advise]'" in capsys.readouterr().err
