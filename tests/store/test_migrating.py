"""The schema is brought up to date once, as a whole, and never by an older premortem."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from premortem import pg, store
from premortem.errors import StoreError
from premortem.store import migrating
from premortem.store.migrating import Migration
from tests.store.made import NOON, change, delta, statements


def newest(database: str) -> int:
    with pg.writer(database, purpose="test") as db:
        return int(db.value("SELECT max(number) FROM premortem.migration"))


def test_numbers_follow_each_other() -> None:
    numbers = [step.number for step in migrating.migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_data_of_an_old_schema_is_there_after_later_steps(database: str) -> None:
    known = migrating.migrations()
    with store.open(database) as old:
        old.commit("db-1", at=NOON, checkpoint=1, changes=[change()], deltas=[delta(1, NOON)], statements=statements(1))
    later = Migration(
        number=known[-1].number + 1, name="later", sql="ALTER TABLE premortem.instance ADD COLUMN more text"
    )
    with pg.writer(database, purpose="test") as db:
        assert migrating.migrate(db, "here", [*known, later]) == later.number
        assert migrating.migrate(db, "here", [*known, later]) == later.number
        assert db.tuples("SELECT name, more FROM premortem.instance") == (("db-1", None),)
        db.execute("DELETE FROM premortem.migration WHERE number = %(number)s", number=later.number)
    with store.open(database) as new:
        assert new.saved("db-1").checkpoint == 1
        assert len(new.alerts()) == 1


def test_a_newer_premortems_schema_is_refused(database: str) -> None:
    with store.open(database) as found:
        found.commit("db-1", at=NOON)
    with pg.writer(database, purpose="test") as db:
        db.execute("INSERT INTO premortem.migration (number, name) VALUES (999, 'future')")
    with pytest.raises(StoreError, match="newer premortem") as caught, store.open(database):
        pass
    assert caught.value.hint is not None
    assert "upgrade" in caught.value.hint
    assert newest(database) == 999


def test_a_step_that_fails_leaves_nothing_of_itself(database: str) -> None:
    known = migrating.migrations()
    number = known[-1].number + 1
    bad = Migration(number=number, name="bad", sql="CREATE TABLE premortem.half (); SELECT 1 / 0")
    with pg.writer(database, purpose="test") as db:
        with pytest.raises(StoreError, match=rf"schema {number} \(bad\): division by zero"):
            migrating.migrate(db, "here", [*known, bad])
        assert db.value("SELECT to_regclass('premortem.half')") is None
    assert newest(database) == number - 1
    with store.open(database) as found:
        found.commit("db-1", at=NOON)


def test_many_at_once_migrate_once(database: str) -> None:
    failures: list[BaseException] = []

    def begin() -> None:
        try:
            with store.open(database) as found:
                found.saved("db-1")
        except BaseException as error:  # noqa: BLE001  # a thread's error has to fail the test
            failures.append(error)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert newest(database) == migrating.migrations()[-1].number


def test_a_role_that_may_only_use_its_schema(database: str) -> None:
    """A database administrator makes the schema; the watcher's role may make none."""
    with pg.writer(database, purpose="test") as db:
        db.execute("DROP ROLE IF EXISTS keeper")
        db.execute("CREATE ROLE keeper LOGIN")
    dsn = f"{database} user=keeper"
    try:
        with pytest.raises(StoreError, match="may not create the schema") as caught, store.open(dsn):
            pass
        assert caught.value.hint == "as its owner: CREATE SCHEMA premortem AUTHORIZATION that_role"
        with pg.writer(database, purpose="test") as db:
            db.execute("CREATE SCHEMA premortem AUTHORIZATION keeper")
        with store.open(dsn) as found:
            found.commit("db-1", at=NOON, deltas=[delta(1, NOON)], statements=statements(1))
            found.maintain(NOON)
    finally:
        with pg.writer(database, purpose="test") as db:
            db.execute("DROP OWNED BY keeper; DROP ROLE keeper")


def test_a_database_that_cannot_keep_every_text_is_refused(server15: pg.Server) -> None:
    with pg.writer(server15, purpose="test") as db:
        db.execute("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    with pytest.raises(StoreError, match="encoding LATIN1"), store.open(server15.dsn("latin")):
        pass
    with pg.writer(server15, purpose="test") as db:
        db.execute("DROP DATABASE latin")


def test_a_standby_is_refused(tmp_path: Path) -> None:
    with pg.start(pg.exact_installation(15), keep=True) as primary:
        data = primary.data_directory
    try:
        (data / "standby.signal").touch()
        with (
            pg.start(pg.exact_installation(15), data_directory=data) as standby,
            pytest.raises(StoreError, match="is a standby"),
            store.open(standby.dsn()),
        ):
            pass
    finally:
        import shutil

        shutil.rmtree(data)


def test_the_watched_server_does_not_count_our_statements(database: str) -> None:
    """The store may be on the very server that is watched."""
    with pg.writer(database, purpose="test") as db:
        db.execute("SELECT pg_stat_statements_reset()")
        with store.open(database) as found:
            found.commit("db-1", at=NOON, deltas=[delta(1, NOON)], statements=statements(1), checkpoint=1)
        asked = (
            "SELECT query FROM pg_stat_statements WHERE query LIKE '%premortem.%' AND query NOT LIKE '/* premortem/%'"
        )
        ours = db.values(asked)
    assert [text for text in ours if "CREATE" not in text] == []
