"""Reading sessions work through PgBouncer in transaction mode, and leave nothing behind in its connections."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from premortem import pg
from premortem.errors import ServerError, StatementError, UnsupportedServer
from premortem.pg.places import drop, give, runner
from tests.ports import free_port

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")


@contextlib.contextmanager
def bouncer(server: pg.Server, mode: str) -> Iterator[str]:
    home = Path(tempfile.mkdtemp(prefix="pmbouncer-", dir="/tmp"))
    port = free_port()
    (home / "users").write_text('"premortem" ""\n')
    target = " ".join(part for part in server.dsn().split() if part.startswith(("host", "port")))
    (home / "ini").write_text(
        f"[databases]\n* = {target}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {home}/users\npool_mode = {mode}\ndefault_pool_size = 1\n"
        f"logfile = {home}/log\nstats_users = premortem\n"
    )
    for path in (home, *home.iterdir()):
        give(path, runner())
    process = subprocess.Popen([str(PROGRAM), "-q", str(home / "ini")], **drop(runner()))
    try:
        _wait(port)
        yield f"host=127.0.0.1 port={port} user=premortem dbname=postgres"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(home)


def _wait(port: int) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        with socket.socket() as probe:
            probe.settimeout(5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("pgbouncer did not start")


@pytest.fixture(autouse=True)
def _there(pytestconfig: pytest.Config) -> None:
    if PROGRAM is None:
        (pytest.fail if pytestconfig.getoption("--require-pg") else pytest.skip)("pgbouncer is not on this machine")


def test_reads_through_transaction_mode(server: pg.Server) -> None:
    with bouncer(server, "transaction") as dsn:
        for _ in range(3):
            with pg.session(dsn, purpose="pooled") as db:
                assert db.server_version == server.version_num
                assert db.value("SELECT %(a)s::pg_catalog.int4 + 1", a=1) == 2
                with pytest.raises(StatementError):
                    db.value("SELECT 1/0")
                assert db.value("SHOW search_path") == ""
                assert db.value("SHOW statement_timeout") == "30s"
                with db.rolled_back():
                    assert db.value("SELECT 3") == 3
                assert db.pid == db.value("SELECT pg_catalog.pg_backend_pid()")


def test_leaves_the_pooled_connection_as_it_was(server18: pg.Server) -> None:
    with bouncer(server18, "transaction") as dsn:
        with pg.session(dsn, purpose="pooled") as db:
            pid = db.pid
        settings = ("statement_timeout", "search_path", "transaction_read_only")
        shown = server18.run("psql", dsn, "-Atc", "; ".join(f"SHOW {name}" for name in settings))
        assert shown.split("\n")[:3] == ["0", '"$user", public', "off"]
        assert server18.run("psql", dsn, "-Atc", "SELECT pg_backend_pid()").strip() == str(pid)


def test_options_that_it_rejects_are_left_out(server18: pg.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c geqo=off")
    with bouncer(server18, "transaction") as dsn, pg.session(dsn, purpose="pooled") as db:
        assert db.value("SELECT 1") == 1
    with pg.session(server18, purpose="direct") as db:
        assert db.value("SHOW geqo") == "off"


def test_statement_mode_is_refused(server18: pg.Server) -> None:
    with (
        bouncer(server18, "statement") as dsn,
        pytest.raises(UnsupportedServer, match="statement mode"),
        pg.session(dsn, purpose="pooled"),
    ):
        pass


def test_writing_through_it_is_refused(server18: pg.Server) -> None:
    with (
        bouncer(server18, "transaction") as dsn,
        pytest.raises(UnsupportedServer, match="connection pooler"),
        pg.writer(dsn, purpose="pooled"),
    ):
        pass


def test_a_missing_database_behind_it(server18: pg.Server) -> None:
    with (
        bouncer(server18, "transaction") as dsn,
        pytest.raises(ServerError, match="nix"),
        pg.session(dsn, purpose="pooled", database="nix"),
    ):
        pass
