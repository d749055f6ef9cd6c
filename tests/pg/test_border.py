"""Every way of not getting a connection ends in a sentence of ours, with what to do and without the password."""

from __future__ import annotations

import socket
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from premortem import pg
from premortem.errors import (
    ConnectionRefused,
    PremortemError,
    PrivilegeError,
    ServerError,
    ServerTimeout,
    UnsupportedServer,
    UsageError,
)
from premortem.pg.sessions import refuse_strangers, refuse_versions


def refusal(dsn: str, **more: int) -> PremortemError:
    with pytest.raises(PremortemError) as caught, pg.session(dsn, purpose="test", **more):  # type: ignore[arg-type]
        pass
    assert "hunter2" not in caught.value.message
    assert "hunter2" not in "".join(traceback.format_exception(caught.value, chain=True)).replace(dsn, "")
    return caught.value


@pytest.mark.parametrize(
    "dsn",
    [
        "nonsense",
        "postgres:/u:hunter2@h/db",
        "host=h password=hunter2 nonsense",
        "postgresql://u:se@hunter2@h/db",
        "postgresql://u:hunter2@h:port/db",
        "postgresql://u:pa/hunter2@h/db",
        "postgresql://u:%zzhunter2@h/db",
    ],
)
def test_an_unreadable_string(dsn: str) -> None:
    error = refusal(dsn)
    assert isinstance(error, UsageError)
    assert error.hint
    assert pg.describe(dsn) == "an unreadable connection string"


def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        error = refusal(f"host=127.0.0.1 port={probe.getsockname()[1]} password=hunter2 user=u dbname=d")
    assert type(error) is ConnectionRefused
    assert "is a server running there" in str(error.hint)


def test_no_socket_there() -> None:
    assert "with its socket in that folder" in str(refusal("host=/nonexistent password=hunter2").hint)


def test_no_such_host() -> None:
    error = refusal("postgresql://u:hunter2@no-such-host.invalid/db")
    assert type(error) is ConnectionRefused
    assert "check the host's name" in str(error.hint)


def test_no_such_database_or_role(server: pg.Server) -> None:
    error = refusal(server.dsn("nix"))
    assert 'database "nix" does not exist' in error.message
    assert error.hint == "check the names of the database and the role"
    assert 'role "nix" does not exist' in refusal(server.dsn().replace("user=premortem", "user=nix")).message


def test_wrong_password() -> None:
    with pg.start(tcp=True) as server:
        dsn = f"{server.tcp_dsn()} password=hunter2"
        assert isinstance(refusal(dsn), PrivilegeError)
        assert "PGPASSWORD" in str(refusal(dsn).hint)


def test_ssl_is_required(server15: pg.Server) -> None:
    with pg.start(server15.installation, tcp=True) as server:
        rules = server.data_directory / "pg_hba.conf"
        rules.write_text("local all all trust\nhostssl all all 127.0.0.1/32 trust\n")
        server.restart()
        error = refusal(f"{server.tcp_dsn()} sslmode=disable")
        assert "sslmode=require" in str(error.hint)
        error = refusal(f"{server.tcp_dsn()} sslmode=require")
        assert "the server has no SSL" in str(error.hint)


def test_too_many_connections(server18: pg.Server) -> None:
    with pg.writer(server18, purpose="test") as db:
        db.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 0")
    try:
        error = refusal(server18.dsn().replace("user=premortem", "user=few"))
        assert type(error) is ServerError
        assert "limit is reached" in str(error.hint)
    finally:
        with pg.writer(server18, purpose="test") as db:
            db.execute("DROP ROLE few")


@pytest.fixture
def babbler() -> Iterator[int]:
    """Something that listens, and answers as a web server does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(1024)
                    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_not_a_database(babbler: int) -> None:
    error = refusal(f"host=127.0.0.1 port={babbler} password=hunter2")
    assert isinstance(error, (UnsupportedServer, ConnectionRefused))
    assert "is that port really PostgreSQL's" in str(error.hint)


def test_somebody_listens_but_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = refusal(f"host=127.0.0.1 port={listener.getsockname()[1]} password=hunter2", connect_timeout=2)
    assert type(error) is ServerTimeout


@pytest.mark.parametrize(
    ("number", "words"),
    [(110022, "is PostgreSQL 11.22, and premortem needs 12"), (90624, "9.6, and"), (990001, "99.1, and this")],
)
def test_other_versions(number: int, words: str) -> None:
    with pytest.raises(UnsupportedServer, match=words):
        refuse_versions(number, "here")


@pytest.mark.parametrize("number", [120000, 150018, 180006])
def test_known_versions(number: int) -> None:
    refuse_versions(number, "here")


@pytest.mark.parametrize(
    "version",
    [
        "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017, Redshift 1.0.77467",
        "CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27 01:53:43, go1.19.10)",
        "PostgreSQL 15.12-YB-2025.1.0.0-b0 on x86_64-pc-linux-gnu, compiled by clang version 17.0.6, 64-bit",
        "PostgreSQL 12.12 (Greenplum Database 7.1.0 build commit:123) on x86_64-pc-linux-gnu, compiled by gcc",
    ],
)
def test_other_kinds(version: str) -> None:
    with pytest.raises(UnsupportedServer, match="is not PostgreSQL"):
        refuse_strangers(version, "here")


def test_descriptions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER"):
        monkeypatch.delenv(name, raising=False)
    several = "postgresql://u:hunter2@h1,h2:6432/d?sslpassword=hunter2"
    assert pg.describe(several) == "database d on h1:5432, h2:6432 as u"
    assert pg.describe("host=/run/sock user=u dbname=d password=hunter2") == "database d on /run/sock as u"
    assert pg.describe("postgresql://u@[::1]:5433/d") == "database d on [::1]:5433 as u"
    monkeypatch.setenv("PGHOST", "db.example.com")
    assert "on db.example.com:5432" in pg.describe("dbname=d user=u")


def test_a_role_that_may_not_connect_is_told_what_to_grant(server: pg.Server) -> None:
    with pg.writer(server, purpose="test") as db:
        db.execute("CREATE DATABASE closed")
        try:
            db.execute("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
            db.execute("CREATE ROLE outsider LOGIN")
            error = refusal(server.dsn("closed").replace("user=premortem", "user=outsider"))
        finally:
            db.execute("DROP DATABASE closed")
            db.execute("DROP ROLE IF EXISTS outsider")
    assert isinstance(error, PrivilegeError)
    assert "GRANT CONNECT" in (error.hint or "")


def test_a_port_that_is_none() -> None:
    error = refusal("host=127.0.0.1 port=99999 dbname=x user=u")
    assert "65535" in (error.hint or "")
