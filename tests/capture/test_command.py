"""`premortem capture` as it is typed: what it says, what it exits with, and what it reads besides suites."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from premortem import capture, pg
from tests.capture.conftest import Captures
from tests.cli.conftest import Premortem, premortem
from tests.pg.test_pgbouncer import PROGRAM as BOUNCER
from tests.ports import free_port

__all__ = ["premortem"]
PYTHON = sys.executable
SUITE = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as db:
    db.execute("CREATE TABLE IF NOT EXISTS letters (id bigserial PRIMARY KEY, stamp text)")
    for number in range(5):
        db.execute("SELECT id FROM letters WHERE stamp = %s", (f"s{number}",))
print(os.environ["PGHOST"], os.environ.get("OTHER", ""))
raise SystemExit(int(os.environ.get("STATUS", "0")))
"""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "nothing to capture"),
        (("--",), "nothing to capture"),
        (("--log", "x", "--", "true"), "--log reads what is there"),
        (("--set", "NAME", "--", "true"), "--set NAME is no NAME=TEXT"),
        (("--user", "premortem", "--", "true"), "premortem's own"),
        (("-o", "none/c", "--", "true"), "there is no folder none"),
        (("--timeout", "0", "--", "true"), "no number of seconds"),
    ],
)
def test_a_wrong_command_line_is_2(premortem: Premortem, arguments: tuple[str, ...], says: str) -> None:
    done = premortem("capture", *arguments)
    assert done.returncode == 2
    assert says in done.stderr


def test_the_exit_code_is_the_suites_and_what_it_prints_too(captures: Captures) -> None:
    ran = captures(
        PYTHON, "-c", SUITE, environment={"STATUS": "3", "PGHOST": "nowhere", "PGSSLMODE": "verify-full"},
        options=["--set", "OTHER={user}@{host}/{database}", "--user", "us er", "--password", "p@ss/:",
                 "--database", "d b"],
    )  # fmt: skip
    assert ran.status == 3
    assert ran.out == "127.0.0.1 us er@127.0.0.1/d b\n"
    assert "1 distinct statements of 6 executed" in ran.err
    assert "the command failed (3)" in ran.err
    assert ran.capture.command == (PYTHON, "-c", SUITE)
    assert ran.statement("FROM letters").role == "us er"


def test_a_command_that_is_not_there_is_127_and_no_server_is_125(captures: Captures) -> None:
    assert captures("no-such-program-here").status == 127
    ran = captures("true", environment={"PREMORTEM_CACHE_DIR": "/dev/null/x"})
    assert ran.status == 125
    assert "PREMORTEM_CACHE_DIR" in ran.err
    assert not ran.path.exists()
    ran = captures("true", options=["--pg", "11"])
    assert ran.status == 125
    assert "PostgreSQL 11 is not on this machine" in ran.err


def test_a_suite_that_takes_too_long_is_124_and_kept(captures: Captures, tmp_path: Path) -> None:
    ran = captures(PYTHON, "-c", SUITE + "\n", options=["--timeout", "60"])
    assert (ran.status, ran.capture.timed_out) == (0, False)
    asked = tmp_path / "asked"
    slow = SUITE.replace(
        "raise SystemExit", f"import time; open({str(asked)!r}, 'w'); time.sleep(600); raise SystemExit"
    )
    for seconds in ("5", "20", "80"):  # a busy machine needs its time to get to where it hangs
        ran = captures(PYTHON, "-c", slow, options=["--timeout", seconds])
        assert (ran.status, ran.capture.timed_out) == (124, True)
        if asked.exists():
            break
    assert ran.statement("FROM letters").executions == 5


def test_logs_and_dumps_that_are_there(premortem: Premortem, tmp_path: Path) -> None:
    (tmp_path / "pg.log").write_text(
        "2026-01-02 03:04:05.678 UTC [7] app@shop LOG:  statement: SELECT * FROM letters WHERE stamp = 'x'\n"
        "2026-01-02 03:04:05.679 UTC [7] app@shop LOG:  execute <unnamed>: SELECT id FROM letters WHERE id = $1\n"
        "2026-01-02 03:04:05.679 UTC [7] app@shop DETAIL:  Parameters: $1 = '5'\n"
    )
    (tmp_path / "dump.csv").write_text("queryid,query,calls\n1,SELECT count(*) FROM letters WHERE stamp > $1,9\n")
    done = premortem("capture", "--log", "pg.log", "--log", "dump.csv", "-o", "c")
    assert done.returncode == 0, done.stderr
    found = capture.read(tmp_path / "c")
    assert sorted(q.executions or 0 for q in found.statements) == [1, 1, 9]
    assert found.exit_status is None
    assert premortem("capture", "--log", "none.log").returncode == 2
    (tmp_path / "noise").write_bytes(os.urandom(2000))
    done = premortem("capture", "--log", "noise")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.fixture
def theirs(server: pg.Server) -> Iterator[str]:
    """A database on a server that is somebody else's."""
    with pg.writer(server, purpose="test") as db:
        db.execute("CREATE DATABASE theirs")
    with pg.writer(server, purpose="test", database="theirs") as db:
        db.execute("CREATE EXTENSION pg_stat_statements")
    yield server.dsn("theirs")
    with pg.writer(server, purpose="test") as db:
        db.execute("DROP DATABASE theirs WITH (FORCE)")


def test_a_server_that_the_suite_uses_already(captures: Captures, theirs: str) -> None:
    """Only what the suite did is counted, and nothing is set, reset or left behind there."""
    with pg.writer(theirs, purpose="test") as db:
        db.execute("CREATE TABLE letters (id bigserial PRIMARY KEY, stamp text)")
        db.execute("SELECT stamp FROM letters WHERE id = 77")
        before = db.values("SELECT name || '=' || setting FROM pg_settings WHERE source <> 'session' ORDER BY 1")
    ran = captures(PYTHON, "-c", SUITE.replace('os.environ["DATABASE_URL"]', repr(theirs)).replace("['PGHOST']", ""),
                   options=["--dsn", theirs], environment={"PGHOST": "x"})  # fmt: skip
    assert ran.status == 0, ran.err
    assert [q.executions for q in ran.capture.statements] == [5]
    assert [table.name for table in ran.schema("theirs").tables if table.schema == "public"][:1] == ["letters"]
    with pg.writer(theirs, purpose="test") as db:
        after = db.values("SELECT name || '=' || setting FROM pg_settings WHERE source <> 'session' ORDER BY 1")
    assert after == before


@pytest.mark.skipif(BOUNCER is None, reason="PgBouncer is not on this machine")
def test_through_pgbouncer(captures: Captures, tmp_path: Path) -> None:
    """A suite that puts a pooler of its own in between is captured all the same."""
    script = tmp_path / "pooled.py"
    script.write_text(POOLED.replace("BOUNCER", repr(BOUNCER)).replace("FREE_PORT", str(free_port())))
    ran = captures(PYTHON, script)
    assert ran.status == 0, ran.err
    assert ran.statement("FROM letters").executions == 5
    assert [table.name for table in ran.schema("app").tables] == ["letters"]


POOLED = '''
import os, pathlib, pwd, subprocess, tempfile, time
home = pathlib.Path(tempfile.mkdtemp())
home.chmod(0o755)
port = FREE_PORT
e = os.environ
(home / "users").write_text('"%s" "%s"\\n' % (e["PGUSER"], e["PGPASSWORD"]))
(home / "ini").write_text(f"""[databases]
* = host={e["PGHOST"]} port={e["PGPORT"]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {home}/users
pool_mode = transaction
""")
drop = {"user": "postgres"} if os.geteuid() == 0 else {}
pooler = subprocess.Popen([BOUNCER, "-q", str(home / "ini")], **drop)
try:
    import psycopg
    for _ in range(1800):
        try:
            db = psycopg.connect(host="127.0.0.1", port=port, dbname=e["PGDATABASE"], autocommit=True,
                                 prepare_threshold=None)
            break
        except psycopg.OperationalError:
            time.sleep(0.05)
    db.execute("CREATE TABLE letters (id bigserial PRIMARY KEY, stamp text)")
    for number in range(5):
        with psycopg.connect(host="127.0.0.1", port=port, dbname=e["PGDATABASE"], prepare_threshold=None) as one:
            one.execute("SELECT id FROM letters WHERE stamp = %s", (f"s{number}",))
finally:
    pooler.terminate(); pooler.wait()
'''
