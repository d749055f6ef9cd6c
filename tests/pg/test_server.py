"""A server of our own starts, obeys its settings, and leaves nothing behind when it is stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from premortem import pg
from premortem.errors import ConnectionRefused, InstallationError, PrivilegeError, ServerError, ServerTimeout
from premortem.pg import embedded, places, postmaster


def ask(server: pg.Server, sql: str) -> object:
    with pg.writer(server, purpose="test") as db:
        return db.value(sql)


def test_is_utf8_and_c_and_disposable(server: pg.Server) -> None:
    with pg.session(server, purpose="test") as db:
        assert db.server_version == server.version_num
        assert db.tuples(
            "SELECT datcollate, datctype, pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database"
            " WHERE datname = 'postgres'"
        ) == (("C", "C", "UTF8"),)
        shown = {name: db.value(f"SHOW {name}") for name in ("fsync", "data_checksums", "listen_addresses", "timezone")}
    assert shown == {"fsync": "off", "data_checksums": "off", "listen_addresses": "", "timezone": "UTC"}


def test_socket_is_private(server18: pg.Server) -> None:
    folder = Path(str(ask(server18, "SHOW unix_socket_directories")))
    assert folder.stat().st_mode & 0o077 == 0
    assert server18.data_directory.stat().st_mode & 0o077 == 0


def test_settings_apply_and_alter_system_wins() -> None:
    with pg.start(settings={"work_mem": "7MB", "jit": False, "cluster_name": r"it's a \ test"}) as server:
        assert ask(server, "SHOW work_mem") == "7MB"
        assert ask(server, "SHOW jit") == "off"
        assert ask(server, "SHOW cluster_name") == r"it's a \ test"
        ask(server, "ALTER SYSTEM SET work_mem = '9MB'")
        before = server.pid
        server.restart()
        assert server.pid != before
        assert ask(server, "SHOW work_mem") == "9MB"


def test_stop_leaves_nothing(cache: Path) -> None:
    server = pg.start()
    sockets = Path(str(ask(server, "SHOW unix_socket_directories")))
    pid = server.pid
    server.stop()
    server.stop()
    assert not server.running
    assert not Path("/proc", str(pid)).exists()
    assert not sockets.exists()
    assert [path.name for path in (cache / "clusters").iterdir()] == [".lock"]


def test_an_exception_leaves_nothing(cache: Path) -> None:
    with pytest.raises(ZeroDivisionError), pg.start() as server:
        1 / 0  # noqa: B018
    assert not server.running
    assert [path.name for path in (cache / "clusters").iterdir()] == [".lock"]


def test_many_at_once_on_an_empty_cache(cache: Path) -> None:
    seen: list[object] = []

    def one(number: int) -> None:
        with pg.start() as server:
            ask(server, f"CREATE DATABASE own{number}")
            barrier.wait(timeout=240)
            seen.append(ask(server, "SELECT string_agg(datname, ',') FROM pg_database WHERE datname LIKE 'own%'"))

    barrier = threading.Barrier(3)
    threads = [threading.Thread(target=one, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, seen)) == ["own0", "own1", "own2"]
    assert len([path for path in (cache / "templates").iterdir() if path.is_dir()]) == 1


def test_data_directory_made_by_us_goes_unless_kept(cache: Path) -> None:
    mine = cache / "mine"
    with pg.start(data_directory=mine):
        assert (mine / "PG_VERSION").is_file()
    assert not mine.exists()
    with pg.start(data_directory=mine, keep=True) as server:
        ask(server, "CREATE DATABASE kept")
    with pg.start(data_directory=mine) as server:
        assert ask(server, "SELECT 1 FROM pg_database WHERE datname = 'kept'") == 1
    assert (mine / "PG_VERSION").is_file()


def test_keep_without_a_place(cache: Path) -> None:
    with pg.start(keep=True) as server:
        assert server.data_directory.parent == cache / "kept"
    assert (server.data_directory / "PG_VERSION").is_file()


def test_template_is_copied_with_its_holes(cache: Path) -> None:
    source = cache / "source"
    with pg.start(data_directory=source, keep=True) as server:
        ask(server, "CREATE TABLE big (a int)")
        file = source / str(ask(server, "SELECT pg_relation_filepath('big')"))
    os.truncate(file, 8192 * 131072)
    with pg.start(template=source) as server:
        assert ask(server, "SELECT pg_relation_size('big')") == 8192 * 131072
        copy = server.data_directory / file.relative_to(source)
        assert copy.stat().st_blocks * 512 < 1024**2
    assert (source / "PG_VERSION").is_file()


def test_a_second_server_on_a_data_directory_is_refused(cache: Path) -> None:
    with pg.start(data_directory=cache / "one") as server:
        with pytest.raises(InstallationError, match=r"lock file.*postmaster\.pid") as caught:
            pg.start(data_directory=cache / "one")
        assert caught.value.hint == "another server runs in that data directory: stop it first"
        assert ask(server, "SELECT 1") == 1


def test_a_data_directory_of_another_major_is_refused(cache: Path, server15: pg.Server) -> None:
    with pg.start(server15.installation, data_directory=cache / "old", keep=True):
        pass
    with pytest.raises(InstallationError, match="incompatible") as caught:
        pg.start(pg.installation(18), data_directory=cache / "old")
    assert "version that made it" in str(caught.value.hint)
    assert (cache / "old" / "PG_VERSION").is_file()


def test_a_folder_with_other_things_is_refused(cache: Path) -> None:
    (cache / "letters").mkdir()
    (cache / "letters" / "to-mother").write_text("Dear mother")
    with pytest.raises(InstallationError, match="neither empty nor"):
        pg.start(data_directory=cache / "letters")
    assert (cache / "letters" / "to-mother").read_text() == "Dear mother"


def test_a_bad_setting_shows_the_log(cache: Path) -> None:
    with pytest.raises(InstallationError, match="unrecognized configuration parameter") as caught:
        pg.start(settings={"no_such_thing": 1})
    assert "Its log ends with" in caught.value.message
    assert caught.value.hint == "leave out that setting: this PostgreSQL does not know it"
    assert [path.name for path in (cache / "clusters").iterdir()] == [".lock"]


def test_a_missing_locale_says_what_to_install() -> None:
    with pytest.raises(InstallationError, match="locale") as caught:
        pg.start(locale=pg.Locale(collate="tlh_KLINGON.utf8"))
    assert "install that locale" in str(caught.value.hint)


def test_locale_and_encoding(server15: pg.Server) -> None:
    with pg.start(server15.installation, locale=pg.Locale(encoding="LATIN1")) as server:
        assert ask(server, "SHOW server_encoding") == "LATIN1"
        assert ask(server, "SELECT U&'\\00e9'::text") == "é"
    with pg.start(pg.installation(18), locale=pg.Locale(provider="builtin", locale="C.UTF-8")) as server:
        assert ask(server, "SELECT datlocprovider::text || datlocale FROM pg_database WHERE oid = 5") == "bC.UTF-8"


def test_tcp_wants_the_password() -> None:
    with pg.start(tcp=True) as server:
        with pg.session(server.tcp_dsn(), purpose="test") as db:
            assert db.value("SELECT pg_catalog.host(pg_catalog.inet_server_addr())") == "127.0.0.1"
        without = " ".join(part for part in server.tcp_dsn().split() if not part.startswith("password"))
        with pytest.raises(PrivilegeError), pg.session(without, purpose="test"):
            pass


def test_tcp_is_off_unless_asked(server18: pg.Server) -> None:
    with pytest.raises(ServerError, match="does not listen"):
        server18.tcp_dsn()


def test_runs_programs(server: pg.Server) -> None:
    assert server.run("psql", "-Atc", "SELECT 'é'") == "é\n"
    assert server.run("psql", "-At", stdin="SELECT 2;") == "2\n"
    assert "PostgreSQL database dump" in server.run("pg_dump", "--schema-only")
    with pytest.raises(ServerError, match="nix"):
        server.run("psql", "-v", "ON_ERROR_STOP=1", "-c", "SELECT * FROM nix")
    with pytest.raises(ServerTimeout):
        server.run("psql", "-c", "SELECT pg_sleep(30)", timeout=0.2)
    with pytest.raises(InstallationError, match="no program"):
        server.run("pg_nonsense")


def test_a_killed_postmaster_is_noticed_and_can_be_started_again(cache: Path) -> None:
    with pg.start() as server:
        ask(server, "CREATE DATABASE before")
        os.kill(server.pid, 9)
        assert server._keeper is not None
        assert server._keeper.wait(90) is not None
        with pytest.raises(ConnectionRefused):
            ask(server, "SELECT 1")
        assert not server.running
        server.restart()
        assert ask(server, "SELECT 1") == 1
    assert [path.name for path in (cache / "clusters").iterdir()] == [".lock"]


def test_a_stale_lock_file_with_a_reused_process_id(cache: Path) -> None:
    place = cache / "one"
    with pg.start(data_directory=place, keep=True):
        pass
    other = subprocess.Popen(["sleep", "600"], **places.drop(places.runner()))
    try:
        lines = [str(other.pid), str(place), "1", "5432", "", "", "", "ready   "]
        (place / "postmaster.pid").write_text("\n".join(lines) + "\n")
        places.give(place / "postmaster.pid", places.runner())
        assert postmaster.postmaster_of(place, places.runner()) is None
        with pg.start(data_directory=place) as server:
            assert ask(server, "SELECT 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_long_temporary_folder(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = cache / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with pg.start() as server:
        assert ask(server, "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has programs that its servers' user cannot reach")
def test_programs_in_a_closed_folder_are_copied_once(cache: Path) -> None:
    found = next(embedded.bin_directories())
    closed = cache / "closed"
    closed.mkdir(mode=0o700)
    package, install = found.parents[1], found.parent
    shutil.copytree(install, closed / package.name / install.name, symlinks=True)
    if (libraries := package.with_name(package.name + ".libs")).is_dir():
        shutil.copytree(libraries, closed / libraries.name)
    moved = closed / package.name / install.name / "bin"
    one = pg.Installation(version_num=180006, version="18.6", origin="embedded", bin_directory=moved)
    for _ in range(2):
        with pg.start(one) as server:
            assert server.installation.bin_directory.is_relative_to(cache / "programs")
            assert server.run("psql", "-Atc", "SELECT 1") == "1\n"
    assert len(list((cache / "programs").iterdir())) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder that root may enter and its servers' user may not")
def test_a_closed_cache_folder_says_what_to_do(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = cache / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setenv("PREMORTEM_CACHE_DIR", str(closed / "in"))
    with pytest.raises(InstallationError, match="cannot enter") as caught:
        pg.start()
    assert "PREMORTEM_CACHE_DIR" in str(caught.value.hint)


def mounted(place: Path, megabytes: int) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "none", str(place)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("megabytes", [12, 60], ids=["initdb", "copy"])
def test_a_full_disk(cache: Path, monkeypatch: pytest.MonkeyPatch, megabytes: int) -> None:
    small = cache / "small"
    small.mkdir()
    if not mounted(small, megabytes):
        pytest.skip("this container may not mount")
    try:
        monkeypatch.setenv("PREMORTEM_CACHE_DIR", str(small))
        with pytest.raises(InstallationError, match="No space left on device") as caught:
            pg.start()
        assert "free some disk space" in str(caught.value.hint)
        assert [path.name for path in (small / "clusters").iterdir()] == [".lock"]
        assert not [path for path in (small / "templates").iterdir() if path.name.startswith(".")]
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_fills_up_later(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = cache / "small"
    small.mkdir()
    if not mounted(small, 110):
        pytest.skip("this container may not mount")
    try:
        monkeypatch.setenv("PREMORTEM_CACHE_DIR", str(small))
        with pg.start() as server, pg.writer(server, purpose="test") as db:
            with pytest.raises(ServerError, match="No space left on device") as caught:
                db.execute("CREATE UNLOGGED TABLE t AS SELECT repeat('x', 5000) FROM generate_series(1, 1000000)")
            assert caught.value.sqlstate == "53100"
            assert db.value("SELECT 1") == 1
        assert [path.name for path in (small / "clusters").iterdir()] == [".lock"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_somebody_elses_cache_folder(cache: Path) -> None:
    (cache / "clusters").mkdir()
    (cache / "clusters" / ".lock").mkdir()  # cannot be opened, also by root
    with pytest.raises(InstallationError, match="could not be set up") as caught:
        pg.start()
    assert "PREMORTEM_CACHE_DIR" in str(caught.value.hint)


def test_reads_from_a_standby(cache: Path, server: pg.Server) -> None:
    copy = places.owned_directory(cache / "standby", places.runner())
    server.run("pg_basebackup", "-R", "-D", str(copy), "--checkpoint=fast")
    same = {"max_connections": 50}  # a standby may not have fewer
    with (
        pg.start(server.installation, data_directory=copy, settings=same) as standby,
        pg.session(standby, purpose="test") as db,
    ):
        assert db.value("SELECT pg_catalog.pg_is_in_recovery()")
        with pytest.raises(ServerError), db.rolled_back():
            db.execute("CREATE TABLE public.t (a int)")
        assert db.value("SELECT 1") == 1


def test_a_compact_cluster_is_small_and_leaves_nothing_behind() -> None:
    with pg.start(compact=True) as server, pg.writer(server, purpose="test") as db:
        assert db.value("SHOW wal_segment_size") == "1MB"
        db.execute("CREATE TABLE t AS SELECT generate_series(1, 100000) AS id")
        data = server.data_directory
        assert db.value("SELECT count(*) FROM t") == 100000
    assert not data.exists()


def test_a_compact_cluster_stays_on_disk_where_memory_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("premortem.pg.server.ROOM_IN_MEMORY", 1 << 60)
    with pg.start(compact=True) as server:
        assert pg.cache_directory() in server.data_directory.parents
