"""The whole way, as a user types it: a production, its profile, queries, a verdict, an exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from premortem import catalog, pg
from premortem.model import Workload
from tests.cli.conftest import Premortem, Production
from tests.signals import heed_interrupts

SKU = "select * from order_items where product_sku = $1 and status = $2"


def test_a_profile_is_pulled_and_shown(premortem: Premortem, production: Production, tmp_path: Path) -> None:
    pulled = premortem("profile", "pull", production.dsn, "-o", "mine.profile")
    assert pulled.returncode == 0, pulled.stderr
    assert "order" not in pulled.stderr
    assert "no rows" in pulled.stdout
    shown = premortem("profile", "show", "mine.profile")
    assert shown.returncode == 0, shown.stderr
    assert "order_items" in shown.stdout
    assert "300,000" in shown.stdout
    again = premortem("profile", "diff", "mine.profile", "mine.profile")
    assert again.returncode == 0, again.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine.profile"]


def test_explain_fails_the_incident(premortem: Premortem, production: Production) -> None:
    done = premortem("explain", "-p", production.profile, SKU)
    assert done.returncode == 1, done.stderr
    assert "CREATE INDEX CONCURRENTLY order_items_product_sku_status_idx" in done.stdout
    assert "◀ here" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_a_value_can_be_given(premortem: Premortem, production: Production) -> None:
    typed = ["--set", "sku=SKU-000001", "--set", "$2=pending", "-f", "json"]
    done = premortem("explain", "-p", production.profile, SKU.replace("$1", ":sku").replace("$2", ":st"), *typed)
    first = json.loads(done.stdout)["queries"][0]["plans"][0]
    assert (first["parameters"], first["values"]) == ("given", ["SKU-000001", "pending"])


@pytest.mark.parametrize("given", ["nothing", "other=1", "$9=1", "=1"])
def test_a_given_value_of_no_placeholder_is_refused(premortem: Premortem, production: Production, given: str) -> None:
    done = premortem("explain", "-p", production.profile, SKU, "--set", given)
    assert done.returncode == 2
    assert "--set" in done.stderr


def test_check_reads_standard_input_and_prints_json(premortem: Premortem, production: Production) -> None:
    done = premortem("check", "-p", production.profile, "--format", "json", "-", stdin=SKU)
    document = json.loads(done.stdout)
    assert (done.returncode, document["verdict"]) == (1, "fail")
    assert document["queries"][0]["site"].startswith("<stdin>")
    assert document["queries"][0]["findings"][0]["remedy"]["sql"]


def test_check_writes_markdown_to_a_file(premortem: Premortem, production: Production, tmp_path: Path) -> None:
    queries = tmp_path / "queries"
    (queries / "deep").mkdir(parents=True)
    (queries / "a.sql").write_text("-- name: by_id\nselect * from orders where id = %(id)s;\n")
    (queries / "deep" / "b.sql").write_text(f"{SKU};\n")
    done = premortem("check", "-p", production.profile, "queries", "-f", "markdown", "-o", "report.md")
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    report = (tmp_path / "report.md").read_text("utf-8")
    assert report.startswith("## ❌ premortem: 1 of 2 queries would hurt production")
    assert "`queries/deep/b.sql:1`" in report


def test_a_clean_change_passes(premortem: Premortem, production: Production) -> None:
    done = premortem("check", "-p", production.profile, "-", stdin="select * from orders where id = :id")
    assert done.returncode == 0, done.stdout
    assert "PASS" in done.stdout


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from nowhere", 'relation "nowhere" does not exist'),
        ("selekt 1", "syntax error"),
        ("select * from orders where id = {{ id }}", "{{"),
        ("select $1 + $2 from orders", "operator is not unique"),
        ("select * from other.nothing", 'relation "other.nothing" does not exist'),
    ],
)
def test_what_cannot_be_planned_is_could_not_tell(
    premortem: Premortem, production: Production, sql: str, said: str
) -> None:
    done = premortem("check", "-p", production.profile, "-", stdin=sql)
    assert done.returncode == 3, done.stdout
    assert said in " ".join(done.stdout.split())


def test_a_parameter_of_no_type_is_planned_as_text_or_told(premortem: Premortem, production: Production) -> None:
    done = premortem("check", "-p", production.profile, "-", stdin="select $1 from orders where id = 1")
    assert done.returncode in (0, 3), done.stderr


def test_two_schemas_with_one_table_name_are_told_apart(premortem: Premortem, production: Production) -> None:
    sql = "select * from other.orders where note = $1; select * from public.orders where status = 'pending'"
    done = premortem("check", "-p", production.profile, "-f", "json", "-", stdin=sql)
    first, second = json.loads(done.stdout)["queries"]
    assert (first["verdict"], second["verdict"]) == ("pass", "fail")
    assert second["findings"][0]["table"] == "public.orders"


def test_odd_names_come_through(premortem: Premortem, production: Production) -> None:
    sql = 'select * from "Überstunden ""x"" "" y" where "größe" = $1'
    done = premortem("check", "-p", production.profile, "-f", "json", "-", stdin=sql)
    (query,) = json.loads(done.stdout)["queries"]
    assert query["error"] is None
    assert query["findings"][0]["table"] == 'public."Überstunden ""x"" "" y"'
    assert '("größe")' in query["findings"][0]["remedy"]["sql"][0]


def test_the_changes_own_migration_is_judged(premortem: Premortem, production: Production, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "1_index.sql").write_text(
        "CREATE INDEX CONCURRENTLY items_sku ON order_items (product_sku, status);\n"
        "CREATE TABLE notes (id bigint PRIMARY KEY, order_id bigint REFERENCES orders, body text);\n"
    )
    (tmp_path / "premortem.toml").write_text("[tables.notes]\nrows = 5_000_000\n")
    sql = f"{SKU};\nselect * from notes where id = $1;"
    done = premortem("check", "-p", production.profile, "-m", "migrations", "-f", "json", "-", stdin=sql)
    document = json.loads(done.stdout)
    assert [q["verdict"] for q in document["queries"]] == ["pass", "pass"]
    assert any("5,000,000" in g["says"] for g in document["gaps"])
    assert [f["rule"] for f in document["findings"]] == ["foreign-key-without-index", "require-lock-timeout"]


def test_a_migration_that_fails_is_could_not_tell(premortem: Premortem, production: Production, tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_text("ALTER TABLE orders ADD COLUMN x nosuchtype;\n")
    done = premortem("check", "-p", production.profile, "-m", "bad.sql", "-", stdin="select 1")
    assert done.returncode == 3
    assert "nosuchtype" in done.stderr
    assert "bad.sql" in done.stderr


def test_a_long_file_is_judged(premortem: Premortem, production: Production, tmp_path: Path) -> None:
    lines = "\n".join(f"select id from orders where id = {n % 50};" for n in range(40_000))
    (tmp_path / "long.sql").write_text(lines)
    done = premortem("check", "-p", production.profile, "-f", "json", "long.sql", timeout=250)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert sum(1 + len(q["also_at"]) for q in document["queries"]) == 40_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "-p", "none.profile", "-"], "none.profile cannot be read"),
        (["check", "-p", "PROFILE"], "nothing to check"),
        (["check", "-p", "PROFILE", "missing.sql"], "missing.sql"),
        (["check", "-p", "PROFILE", "."], "no .sql files"),
        (["check", "-p", "PROFILE", "-", "-o", "no/such/report.md"], "no/such/report.md"),
        (["check", "-p", "PROFILE", "-", "-s", "none.toml"], "none.toml cannot be read"),
        (["check", "-p", "PROFILE", "-", "-m", "none"], "none"),
        (["check", "-p", "PROFILE", "latin1.sql"], "UTF-8"),
        (["check", "-p", "PROFILE", "-", "-s", "odd.toml"], "did you mean rules?"),
        (["rules", "seq-scan-discards-row"], "seq-scan-discards-rows"),
        (["profile", "pull", "", "-o", "x.profile"], "is the variable"),
    ],
)
def test_a_mistake_is_usage_and_named(
    premortem: Premortem, production: Production, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "latin1.sql").write_bytes("select 'ü'".encode("latin-1"))
    (tmp_path / "odd.toml").write_text("[rule]\n")
    typed = [str(production.profile) if a == "PROFILE" else a for a in arguments]
    if "latin1.sql" not in typed:
        (tmp_path / "latin1.sql").unlink()
    done = premortem(*typed, stdin="select 1")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_input_without_a_statement_is_a_mistake(premortem: Premortem, production: Production) -> None:
    done = premortem("check", "-p", production.profile, "-", stdin="-- nothing here\n")
    assert done.returncode == 2
    assert "no statement" in done.stderr


@pytest.mark.parametrize("cut", ["truncated", "edited", "foreign", "newer"])
def test_a_damaged_profile_is_told(premortem: Premortem, production: Production, tmp_path: Path, cut: str) -> None:
    whole = production.profile.read_bytes()
    damaged = {
        "truncated": whole[: len(whole) // 2],
        "edited": whole[:-3] + b"abc",
        "foreign": b"PGDMP" + whole,
        "newer": whole.replace(b" 1 ", b" 99 ", 1),
    }[cut]
    (tmp_path / "bad.profile").write_bytes(damaged)
    done = premortem("check", "-p", "bad.profile", "-", stdin="select 1")
    assert done.returncode == 3
    assert "bad.profile" in done.stderr
    assert "bug" not in done.stderr


def test_a_server_that_is_not_there_is_told_without_its_password(premortem: Premortem) -> None:
    done = premortem("profile", "pull", "postgresql://me:hunter2@127.0.0.1:1/shop", "-o", "x.profile")
    assert done.returncode == 3
    assert "hunter2" not in done.stderr + done.stdout
    assert "bug" not in done.stderr


def test_a_dsn_that_is_none_is_usage(premortem: Premortem) -> None:
    done = premortem("profile", "pull", "postgresql://[::1", "-o", "x.profile")
    assert done.returncode == 2
    assert "bug" not in done.stderr


def test_a_profile_is_no_text_for_standard_output(premortem: Premortem, production: Production) -> None:
    done = premortem("profile", "pull", production.dsn, "-o", "-")
    assert done.returncode == 2
    assert done.stdout == ""


def test_a_profile_without_a_workload_is_no_pass(premortem: Premortem, production: Production, tmp_path: Path) -> None:
    profile = catalog.read(production.profile)
    catalog.write(replace(profile, workload=Workload()), tmp_path / "bare.profile")
    done = premortem("check", "-p", "bare.profile", "--workload")
    assert done.returncode == 3
    assert "no workload" in done.stderr


def test_the_workload_is_judged(premortem: Premortem, production: Production) -> None:
    with pg.writer(production.dsn, purpose="test") as db:
        db.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        for _ in range(3):
            db.execute("select * from order_items where product_sku = 'SKU-000007' and status = 'packed'")
    assert premortem("profile", "pull", production.dsn, "-o", "busy.profile").returncode == 0
    done = premortem("check", "-p", "busy.profile", "--workload", "-f", "json")
    document = json.loads(done.stdout)
    failing = [q for q in document["queries"] if q["verdict"] == "fail" and "product_sku" in q["text"]]
    assert failing
    assert "pg_stat_statements" in failing[0]["site"]


def test_grants_are_sql_for_the_named_role(premortem: Premortem) -> None:
    done = premortem("profile", "grants", "--role", 'Mr "X"')
    assert done.returncode == 0
    assert '"Mr ""X"""' in done.stdout


def test_the_doctor_finds_a_server(premortem: Premortem) -> None:
    done = premortem("doctor")
    assert done.returncode == 0, done.stdout
    assert "PostgreSQL 1" in done.stdout


def test_two_runs_at_once_agree(premortem: Premortem, production: Production) -> None:
    def run(_: int) -> str:
        return premortem("check", "-p", production.profile, "-f", "json", "-", stdin=SKU).stdout

    with ThreadPoolExecutor(2) as pool:
        first, second = (json.loads(text) for text in pool.map(run, range(2)))
    assert first["queries"] == second["queries"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_check_leaves_no_server(production: Production, number: signal.Signals) -> None:
    endless = "".join(f"select * from order_items where quantity = {n};\n" for n in range(20_000))
    typed = [sys.executable, "-m", "premortem", "check", "-p", str(production.profile), "-"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(typed, preexec_fn=heed_interrupts, **pipes)
    try:
        assert process.stdin is not None
        process.stdin.write(endless.encode())
        process.stdin.close()
        process.stdin = None
        servers = waited_for_servers(process.pid)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + number
    assert b"Traceback" not in errors
    assert not [pid for pid in servers if is_running(pid)]


def waited_for_servers(parent: int) -> list[int]:
    """The postmasters that the process started, once there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [pid for pid in descendants(parent) if "postgres" in command_of(pid)]
        if found:
            time.sleep(1.0)
            return found
        time.sleep(0.05)
    pytest.fail("no server was started")


def descendants(parent: int) -> list[int]:
    children = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent_of(pid) == parent]
    return [*children, *(d for c in children for d in descendants(c))]


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    except (OSError, IndexError):
        return 0


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def is_running(pid: int) -> bool:
    return "postgres" in command_of(pid)


def test_one_check_writes_every_format(premortem: Premortem, production: Production, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text(f"{SKU};\nselect * from no_such_table;\n")
    forms = ("markdown", "html", "json", "sarif", "junit", "gitlab", "text")
    saved = [part for form in forms for part in ("--save", f"{form}=out.{form}")]
    done = premortem("check", "-p", production.profile, "q.sql", "--save", "github=/dev/stderr", *saved)
    assert done.returncode == 1, done.stderr
    assert "CREATE INDEX CONCURRENTLY order_items_product_sku_status_idx" in done.stdout
    assert done.stderr.startswith("::error file=q.sql,line=1,title=premortem%3A seq-scan-discards-rows::")
    for form in forms:
        text = (tmp_path / f"out.{form}").read_text("utf-8")
        assert "seq-scan-discards-rows" in text
        assert "no_such_table" in text


def test_the_schema_is_judged_as_it_is_and_as_a_change_makes_it(
    premortem: Premortem, production: Production, tmp_path: Path
) -> None:
    (tmp_path / "1.sql").write_text("CREATE INDEX again ON order_items (product_sku); CREATE TABLE heap (id int);\n")
    asked = ("check", "-p", str(production.profile), "-f", "json", "-q")
    whole = premortem(*asked, "--schema")
    change = premortem(*asked, "-m", "1.sql")
    both = premortem(*asked, "-m", "1.sql", "--schema")
    told = [{f["key"] for f in json.loads(r.stdout)["findings"]} for r in (whole, change, both)]
    assert (whole.returncode, both.returncode) == (0, change.returncode), whole.stderr
    heap, old = "table-without-primary-key:public.heap:primary key", 'public."Überstunden ""x"" "" y":primary key'
    assert any(old in key for key in told[0])
    assert heap not in told[0]
    assert heap in told[1]
    assert not any(old in key for key in told[1])
    assert told[0] | told[1] <= told[2]
