"""The schema is seen whatever a suite does with its databases, and the suite notices nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from premortem import pg
from premortem.capture.server import Recorder, Wanted, recording
from premortem.capture.watching import Seen, Watcher, chosen
from premortem.capture.watching.look import Digest
from premortem.model import Profile

TABLES = 25
CREATE = [f"CREATE TABLE t{n} (id bigserial PRIMARY KEY, a int, b text CHECK (b <> ''))" for n in range(TABLES)]
CREATE += [f"CREATE INDEX ON t{n} (a, b)" for n in range(TABLES)]
DROP = [f"DROP TABLE t{n}" for n in range(TABLES)]


@pytest.fixture(scope="module", params=[15, 18])
def recorder(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    if pg.exact_installation(request.param) is None:
        missing = f"PostgreSQL {request.param} is not on this machine"
        if request.config.getoption("--require-pg"):
            pytest.fail(missing)
        pytest.skip(missing)
    with recording(Wanted(major=request.param)) as started:
        yield started


class Watched:
    """A server with its watcher, and what the watcher has seen so far."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.run("DROP DATABASE app WITH (FORCE)", "CREATE DATABASE app", database="postgres")
        recorder.flush()
        begins = recorder.log.stat().st_size
        self.watcher = Watcher(recorder.server, recorder.log, recorder.form, begins=begins)

    def connect(self, database: str = "app", **given: object) -> psycopg.Connection[tuple[object, ...]]:
        dsn = psycopg.conninfo.make_conninfo(self.recorder.target.dsn, dbname=database, **given)
        return psycopg.connect(dsn, autocommit=True)

    def run(self, *statements: str, database: str = "app", **given: object) -> None:
        with self.connect(database, **given) as db:
            for statement in statements:
                db.execute(statement)  # type: ignore[call-overload]

    def schemas(self) -> dict[str, Profile]:
        self.recorder.flush()
        self.watcher.stop()
        return {name: profile for names, profile in self.watcher.schemas for name in names}


@pytest.fixture
def watched(recorder: Recorder) -> Iterator[Watched]:
    one = Watched(recorder)
    one.watcher.start()
    try:
        yield one
    finally:
        one.watcher.stop()


def test_a_database_that_is_dropped_at_once(watched: Watched) -> None:
    watched.run("CREATE DATABASE suite")
    watched.run(*CREATE, database="suite")
    watched.run("DROP DATABASE suite")
    found = watched.schemas()["suite"]
    assert len(found.tables) == TABLES
    assert all(len(table.indexes) == 2 for table in found.tables)


def test_tables_that_are_dropped_at_once_and_again_and_again(watched: Watched) -> None:
    for _ in range(4):
        watched.run(*CREATE, *DROP)
    found = watched.schemas()["app"]
    assert len(found.tables) == TABLES
    assert all(len(table.indexes) == 2 for table in found.tables)


def test_a_schema_that_is_dropped_in_the_transaction_after(watched: Watched) -> None:
    with watched.connect() as db:
        with db.transaction():
            for statement in ("CREATE SCHEMA tenant", "CREATE TABLE tenant.t (a int PRIMARY KEY)", *CREATE):
                db.execute(statement)  # type: ignore[call-overload]
        with db.transaction():
            db.execute("DROP SCHEMA tenant CASCADE")
            db.execute("DROP SCHEMA public CASCADE")
    watched.run("CREATE SCHEMA public")
    found = watched.schemas()["app"]
    assert {table.schema for table in found.tables} == {"tenant", "public"}
    assert len(found.tables) == TABLES + 1


def test_a_transaction_that_commits_late(watched: Watched) -> None:
    with watched.connect() as db, db.transaction():
        db.execute("CREATE TABLE late (a int)")
        time.sleep(0.5)
    watched.run("CREATE DATABASE other")
    watched.run("DROP DATABASE other")
    assert [table.name for table in watched.schemas()["app"].tables] == ["late"]


def test_ddl_that_no_log_shows(watched: Watched) -> None:
    watched.run("DO $$ BEGIN EXECUTE 'CRE' || 'ATE TABLE hidden (a int)'; END $$")
    assert [table.name for table in watched.schemas()["app"].tables] == ["hidden"]


def test_copies_of_a_database_have_its_schema(watched: Watched) -> None:
    watched.run("CREATE DATABASE original")
    watched.run(*CREATE, database="original")
    watched.run('CREATE DATABASE "copy 1" TEMPLATE original', 'CREATE DATABASE "Copy2" WITH TEMPLATE "original"')
    watched.run('DROP DATABASE "copy 1"', 'DROP DATABASE "Copy2" WITH (FORCE)', "DROP DATABASE original")
    found = watched.schemas()
    assert set(found) == {"original", "copy 1", "Copy2"}
    assert found["original"] is found["copy 1"]


def test_a_role_without_privileges_is_gated_too_and_sees_nothing(watched: Watched) -> None:
    watched.run("CREATE ROLE plain LOGIN PASSWORD 'x'", "GRANT ALL ON SCHEMA public TO plain")
    with watched.connect(user="plain", password="x") as db:
        notices: list[object] = []
        db.add_notice_handler(notices.append)
        db.execute("CREATE TABLE mine (a int)")
        db.execute("DROP TABLE mine")
        assert notices == []
    found = watched.schemas()["app"]
    watched.run("DROP OWNED BY plain CASCADE", "DROP ROLE plain")
    assert [table.name for table in found.tables] == ["mine"]


def test_the_suites_own_dumps_show_nothing_of_ours(watched: Watched) -> None:
    server = watched.recorder.server
    if not (server.installation.bin_directory / "pg_dump").is_file():
        pytest.skip("this PostgreSQL came without pg_dump")
    watched.run("CREATE TABLE t (a int)")
    assert "premortem" not in server.run("pg_dump", "--schema-only", "--no-owner", "--no-acl", "app")
    with watched.connect() as db:
        seen = db.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$'").fetchall()
    assert seen == [("public",)]


def test_dropping_waits_for_nobody_where_nothing_changed(watched: Watched) -> None:
    """A database per test is common: a copy that nobody alters is not looked at, so nobody is in the way."""
    watched.run("CREATE DATABASE model")
    watched.run(*CREATE, database="model")
    time.sleep(1)
    watched.run("CREATE DATABASE one TEMPLATE model")
    # Of ours, that is: the client's own may take a while to go.
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'one' AND application_name LIKE 'premortem/%'"
    with watched.connect("one") as db:
        db.execute("INSERT INTO t1 (a) VALUES (1)")
    with watched.connect() as db:
        assert db.execute(sessions).fetchone() == (0,)
    watched.run("DROP DATABASE one", "DROP DATABASE model")
    assert set(watched.schemas()) == {"model", "one"}


def test_writers_and_migrations_that_lock_are_never_the_victim(watched: Watched) -> None:
    """While schemas change without pause, nobody's statement fails: not by a deadlock, nor by a lock timeout."""
    failures: list[BaseException] = []

    def repeated(work: Callable[[psycopg.Connection[tuple[object, ...]], int], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                with watched.connect() as db:
                    for number in range(15):
                        work(db, number)
            except BaseException as error:  # noqa: BLE001
                failures.append(error)

        return run

    def alters(db: psycopg.Connection[tuple[object, ...]], number: int) -> None:
        with db.transaction():
            for table in range(5):
                db.execute(f"ALTER TABLE t{table} ADD COLUMN c{number} int")  # type: ignore[call-overload]

    def truncates(db: psycopg.Connection[tuple[object, ...]], number: int) -> None:
        db.execute("TRUNCATE t10, t11, t12")
        db.execute("INSERT INTO t10 (a) VALUES (1)")
        db.execute("REINDEX TABLE t13")

    watched.run(*CREATE)
    with _threads(repeated(alters), repeated(truncates)):
        pass
    assert failures == []
    columns = {column.name for table in watched.schemas()["app"].tables for column in table.columns}
    assert "c14" in columns


@contextmanager
def _threads(*runs: Callable[[], None]) -> Iterator[None]:
    threads = [threading.Thread(target=run) for run in runs]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def state(name: str, relations: int) -> Digest:
    return Digest(digest=name, relations=relations, parts=relations * 5)


@pytest.mark.parametrize(
    ("states", "entries", "wanted"),
    [
        ([("full", 9)], {}, "full"),
        ([("empty", 0)], {}, None),
        ([("first", 9), ("last", 8)], {"first": 300}, "last"),  # a migration that drops a table, after one with data
        ([("full", 9), ("empty", 0)], {}, "full"),  # drop_all
        ([("a", 3), ("full", 9), ("half", 4), ("empty", 0)], {"a": 50, "full": 10}, "full"),  # torn down bit by bit
        ([("head", 20), ("older", 19)], {"head": 5000, "older": 20}, "head"),  # migrations tried backwards at the end
    ],
)
def test_the_state_that_a_suite_is_about(
    states: list[tuple[str, int]], entries: dict[str, int], wanted: str | None
) -> None:
    found = chosen(Seen(states=[state(*one) for one in states], entries=entries))
    assert (found and found.digest) == wanted
