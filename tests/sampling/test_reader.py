"""Readers on real servers: every version of the extension, little rights, hostile texts, and servers that go away."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from premortem import pg, sampling
from premortem.errors import (
    ConnectionRefused,
    PremortemError,
    ServerError,
    ServerTimeout,
    StatementError,
    UnsupportedServer,
)
from premortem.model import Gap, RelationName, Sample
from premortem.watch.deltas import LastFacts, deltas
from premortem.watch.identity import identify
from tests.daemon.proxy import Proxy
from tests.pg.test_pgbouncer import bouncer
from tests.sampling.conftest import Running, Watch, cancel, runs, started, until

ITEMS = RelationName(schema="public", name="items")
VERSIONS = {15: ("1.8", "1.9", "1.10"), 18: ("1.8", "1.9", "1.10", "1.11", "1.12")}


def subjects(sample: Sample) -> set[str]:
    return {gap.subject for gap in sample.gaps}


def gap(sample: Sample, subject: str) -> Gap:
    (found,) = [one for one in sample.gaps if one.subject == subject]
    return found


@pytest.mark.parametrize("version", VERSIONS[18])
def test_every_version_of_the_extension(server: pg.Server, database: str, version: str) -> None:
    if version not in VERSIONS[server.version_num // 10_000]:
        pytest.skip("another PostgreSQL's")
    with pg.writer(database, purpose="x") as db:
        db.execute("DROP EXTENSION pg_stat_statements")
        db.execute(f"CREATE EXTENSION pg_stat_statements VERSION '{version}'")
        db.execute("SET pg_stat_statements.track = 'all'")
        body = "BEGIN RETURN 1 + (SELECT 41); END"
        db.execute(f"CREATE FUNCTION inner_one() RETURNS int LANGUAGE plpgsql AS '{body}'")
        with sampling.open(database, "db-1") as reader:
            watch = Watch(reader)
            db.tuples("SELECT 'twice', 41 + 1")
            watch.poll()
            for _ in range(4):
                db.tuples("SELECT 'twice', 41 + 1")
            db.tuples("SELECT inner_one()")
            sample = watch.poll()
            (twice,) = watch.of("SELECT $1, $2 + $3")
            assert (twice.calls, twice.rows) == (4, 4)
            facts = sample.server
            assert facts.extension == tuple(map(int, version.split(".")))
            assert facts.entries > 2
            assert facts.most_entries == 5000
            assert (facts.reset_at is None) == (version == "1.8")
            assert ("nested statements" in subjects(sample)) == (version == "1.8")
            if version != "1.8":
                assert {d.toplevel for d in watch.deltas} == {True, False}
            since = {moved.now.since is not None for moved in sample.moved}
            assert since == {version in ("1.11", "1.12")}


def test_an_extension_that_is_made_and_updated_under_us(server: pg.Server, database: str) -> None:
    with pg.writer(database, purpose="x") as db:
        db.execute("DROP EXTENSION pg_stat_statements")
        with sampling.open(database, "db-1") as reader:
            watch = Watch(reader)
            assert "lacks the extension" in gap(watch.poll(), "pg_stat_statements").says
            assert watch.sample.server.extension is None
            db.tuples("SELECT 'before anybody looked', 2, 3, 4")
            db.execute("CREATE EXTENSION pg_stat_statements VERSION '1.8'")
            assert watch.poll().since is None  # what is there now, was not made since we looked
            assert watch.sample.server.extension == (1, 8)
            db.execute("ALTER EXTENSION pg_stat_statements UPDATE")
            watch.poll()
            db.tuples("SELECT 'before anybody looked', 2, 3, 4")
            watch.poll()
            assert watch.sample.server.extension > (1, 8)
            (delta,) = watch.of("SELECT $1, $2, $3, $4")
            assert delta.calls == 1
            assert watch.sample.gaps == ()


def test_a_server_that_has_not_loaded_the_extension() -> None:
    with started(18, shared_preload_libraries="") as server, sampling.open(server.dsn(), "bare") as reader:
        running = Running(server.dsn(), "SELECT pg_sleep(600), 'seen nevertheless'")
        with pg.writer(server, purpose="x") as db:
            until(lambda: runs(db, "seen nevertheless"))
            sample = reader.sample()
            cancel(db, "seen nevertheless")
        assert "has not loaded" in gap(sample, "pg_stat_statements").says
        assert "shared_preload_libraries" in gap(sample, "pg_stat_statements").cure
        assert [backend.application for backend in sample.backends] == ["shop"]
        assert reader.sample().since is None
        assert reader.texts([]) == {}
        running.join()


@pytest.fixture
def eye(server: pg.Server, database: str) -> Iterator[str]:
    """The connection string of a role that has nothing but a login."""
    with pg.writer(database, purpose="x") as db:
        db.execute("DROP ROLE IF EXISTS eye")
        db.execute("CREATE ROLE eye LOGIN")
        yield database.replace("user=premortem", "user=eye")
        db.execute("DROP OWNED BY eye")
        db.execute("DROP ROLE eye")


def test_a_role_without_rights_is_told_what_to_grant(database: str, eye: str) -> None:
    with sampling.open(eye, "db-1") as reader, pg.writer(database, purpose="x") as db:
        reader.sample()
        db.tuples("SELECT 'of somebody else', 2, 3")
        sample = reader.sample()
        found = gap(sample, "other roles' statements")
        assert found.cure == "GRANT pg_monitor TO eye"
        assert {sample.roles[moved.key.userid] for moved in sample.moved} <= {"eye"}
        assert sample.seats.taken >= 2
        db.execute("GRANT pg_monitor TO eye")
        reader._refresh()  # every ten minutes by itself
        granted = reader.sample()
        assert granted.gaps == ()
        assert granted.since is None  # entries that were invisible are not new
        db.tuples("SELECT 'of somebody else', 2, 3")
        assert [moved.now.calls for moved in reader.sample().moved if moved.key.userid == 10] == [2]


def test_a_schema_that_may_not_be_used_is_a_gap(database: str, eye: str) -> None:
    with pg.writer(database, purpose="x") as db:
        db.execute("DROP EXTENSION pg_stat_statements")
        db.execute('CREATE SCHEMA "Odd one"')
        db.execute('CREATE EXTENSION pg_stat_statements SCHEMA "Odd one"')
        db.execute("GRANT pg_monitor TO eye")
        with sampling.open(eye, "db-1") as reader:
            sample = reader.sample()
            assert 'GRANT USAGE ON SCHEMA "Odd one" TO eye' in gap(sample, "pg_stat_statements").cure
            assert sample.seats is not None
        db.execute('GRANT USAGE ON SCHEMA "Odd one" TO eye')
        with sampling.open(eye, "db-1") as reader:
            reader.sample()
            assert reader.sample().since is not None


def test_it_may_only_read_and_not_for_long(database: str) -> None:
    with sampling.open(database, "db-1", statement_timeout=timedelta(seconds=1)) as reader:
        link = reader._link
        with pytest.raises(PremortemError, match="read-only transaction"):
            link.ask(lambda line: line.ask("CREATE TABLE mine (a int)"))
        with pytest.raises(ServerTimeout):
            link.ask(lambda line: line.ask("SELECT pg_catalog.pg_sleep(5)"))
        shown = {
            name: link.ask(lambda line, name=name: line.ask(f"SHOW {name}"))[1][0][0].decode()
            for name in ("lock_timeout", "work_mem", "jit", "search_path", "pg_stat_statements.track")
        }
        assert shown == {
            "lock_timeout": "1s", "work_mem": "16MB", "jit": "off", "search_path": "",
            "pg_stat_statements.track": "none",
        }  # fmt: skip
        assert reader.sample().seats is not None  # and goes on


def test_a_poll_is_one_statement_of_one_round_trip(server: pg.Server, database: str, eye: str) -> None:
    with pg.writer(database, purpose="x") as db, sampling.open(eye, "db-1") as reader:
        db.execute("GRANT pg_monitor TO eye")
        reader.sample()
        asked = "SELECT sum(calls) FROM pg_stat_statements WHERE userid = 'eye'::regrole"
        before = db.value(asked)
        for _ in range(10):
            reader.sample()
        assert db.value(asked) - before == 10


def test_texts_that_are_meant_to_hurt(database: str) -> None:
    hostile = {
        "markup": "SELECT '<script>alert(1)</script>' AS \"<b onclick='x'>\", 1",
        "escapes": 'SELECT 2 AS "\x1b[31mred\x1b[0m\u202e", 2, 2',
        "long": f"SELECT {'+'.join(str(n) for n in range(200_000))}",
        "endless": f"SELECT 3, 3, 3, {','.join(['1'] * 1600)} /* {'x' * 1_000_000} */",
    }
    with pg.writer(database, purpose="x") as db, sampling.open(database, "db-1") as reader:
        watch = Watch(reader)
        watch.poll()
        for text in hostile.values():
            with contextlib.suppress(StatementError, ServerError):  # the long one is too deep for the server
                db.tuples(text)
        watch.poll()
        texts = list(reader.texts([delta.key for delta in watch.deltas]).values())
        assert any("<b onclick" in text for text in texts)
        assert all(len(text) <= 100_000 for text in texts)
        statements = [watch.statements[delta.key] for delta in watch.deltas]
        assert len(statements) >= 3
        assert any("longer than 100,000 characters" in found.unreadable for found in statements)
        assert not any("<script>" in found.text for found in statements)
        assert sum(window.calls for window in watch.windows().values()) == len(statements)


def test_texts_in_an_encoding_of_another_database(server: pg.Server, database: str) -> None:
    with pg.writer(server, purpose="x") as admin:
        admin.execute("DROP DATABASE IF EXISTS old WITH (FORCE)")
        admin.execute("CREATE DATABASE old TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        with sampling.open(database, "db-1") as reader:
            reader.sample()
            dsn = server.dsn("old")
            running = Running(dsn, "SELECT pg_sleep(4), 'é' AS \"Grüße\"")
            until(lambda: runs(admin, "pg_sleep(4)"))
            sample = reader.sample()
            (backend,) = sample.backends
            assert "pg_sleep(4)" in backend.text
            assert running.join() is None
            (moved,) = [one for one in reader.sample().moved if sample.databases[one.key.dbid] == "old"]
            assert "pg_sleep" in reader.texts([moved.key])[moved.key]
        admin.execute("DROP DATABASE old WITH (FORCE)")


def test_who_waits_for_whom_and_what_holds_a_transaction_open(database: str) -> None:
    with pg.writer(database, purpose="x") as db, sampling.open(database, "db-1") as reader:
        db.execute("CREATE TABLE items (id int PRIMARY KEY); INSERT INTO items VALUES (1)")
        db.execute("SET application_name = 'importer'; BEGIN; UPDATE items SET id = 2")
        waiting = Running(database, "UPDATE items SET id = 3 WHERE id = 1")
        with pg.writer(database, purpose="y") as other:
            until(lambda: bool(other.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")))
        sample = reader.sample()
        holder, waiter = sorted(sample.backends, key=lambda backend: backend.application)
        assert (holder.application, holder.state, holder.blocked_by) == ("importer", "idle in transaction", ())
        assert (waiter.application, waiter.wait_type, waiter.blocked_by) == ("shop", "Lock", (holder.pid,))
        assert holder.transaction_start is not None
        assert sample.seats.idle_in_transaction >= 1
        assert (("importer", 1)) in {(app, n) for (_, _, app), n in sample.seats.by_application}
        assert reader.glance().backends[0].pid in (holder.pid, waiter.pid)
        db.execute("ROLLBACK")
        waiting.join()


def test_a_text_that_does_not_fit_is_told_to_be_cut(database: str) -> None:
    with pg.writer(database, purpose="x") as db, sampling.open(database, "db-1") as reader:
        running = [Running(database, f"SELECT pg_sleep(600), '{'ü' * size}', 'end'") for size in (5, 600)]
        begun = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%' AND state = 'active'"
        until(lambda: db.value(begun) == 2)
        for backends in (reader.sample().backends, reader.glance().backends):
            assert {("end" in backend.text, backend.cut) for backend in backends} == {(False, True), (True, False)}
        cancel(db, "SELECT pg_sleep(600)")
        for one in running:
            one.join()


def test_indexes_of_one_and_of_another_database(server: pg.Server, database: str) -> None:
    with pg.writer(database, purpose="x") as db:
        db.execute("CREATE TABLE items (id int PRIMARY KEY, sku text, gone int)")
        db.execute('CREATE INDEX "Odd" ON items (sku) WHERE id > 5')
        name = db.value("SELECT current_database()")
        with sampling.open(server.dsn(), "db-1", databases=(name,)) as reader:
            assert reader.databases == (name,)
            found = {one.name.name: one for one in reader.sample(indexes=True).indexes}
        assert found.keys() == {"items_pkey", "Odd"}
        assert found["Odd"].definition == 'CREATE INDEX "Odd" ON public.items USING btree (sku) WHERE (id > 5)'
        assert (found["Odd"].table, found["Odd"].valid, found["Odd"].database) == (ITEMS, True, name)
        db.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.\"Odd\"'::regclass")
        with sampling.open(database, "db-1") as reader:
            assert [one.valid for one in reader.indexes(name) if one.name.name == "Odd"] == [False]


def test_a_pooler_is_refused_with_the_reason(server: pg.Server) -> None:
    with bouncer(server, "session") as dsn, pytest.raises(UnsupportedServer, match="connection pooler") as caught:
        sampling.open(dsn, "db-1")
    assert "server's own address" in caught.value.hint


def test_a_server_without_a_free_connection(small: pg.Server) -> None:
    with pg.writer(small, purpose="x") as db:
        db.execute("DROP ROLE IF EXISTS eye")
        db.execute("CREATE ROLE eye LOGIN CONNECTION LIMIT 1; GRANT pg_monitor TO eye")
        dsn = small.dsn().replace("user=premortem", "user=eye")
        with sampling.open(dsn, "db-1") as reader:
            reader.sample()
            with pytest.raises(ServerError) as caught:
                sampling.open(dsn, "db-1")
            assert "too many connections" in caught.value.message
            assert "limit" in caught.value.hint
            assert reader.sample().seats.most == 20  # who is connected already goes on
        db.execute("DROP ROLE eye")


def test_a_network_that_is_cut_and_comes_back(small: pg.Server) -> None:
    socket = f"{small.dsn().split()[0].removeprefix('host=')}/.s.PGSQL.{small.port}"
    proxy = Proxy(socket)
    dsn = f"host=127.0.0.1 port={proxy.port} user=premortem dbname=postgres"
    try:
        with sampling.open(dsn, "db-1") as reader, pg.writer(small, purpose="x") as db:
            reader.sample()
            db.tuples("SELECT 'while it was cut', 2, 3")
            proxy.cut()
            with pytest.raises(ConnectionRefused):
                reader.sample()
            with pytest.raises(ConnectionRefused):
                reader.glance()
            proxy.mend()
            sample = reader.sample()
            assert sample.since is not None  # counters went on, and so do we
            assert sample.moved
    finally:
        proxy.close()


def test_a_standby_says_so_and_once_promoted_begins_anew() -> None:
    if pg.exact_installation(15) is None:
        pytest.skip("PostgreSQL 15 is not on this machine")
    with started(15, wal_level="replica", max_wal_senders=2) as primary, sampling.open(primary.dsn(), "db-1") as reader:
        reader.sample()
        first = reader.sample()
        copy = primary.data_directory.parent / "standby"
        primary.run("pg_basebackup", "-D", str(copy), "-d", primary.dsn(), "-X", "stream", "-c", "fast", "-R")
        with (
            pg.start(pg.exact_installation(15), data_directory=copy) as standby,
            sampling.open(standby.dsn(), "db-1") as other,
        ):
            other.sample()
            sample = other.sample()
            assert sample.server.in_recovery
            assert sample.server.identity == first.server.identity
            assert other.texts([moved.key for moved in sample.moved]) is not None
            assert deltas(replace(sample, since=first.at), LastFacts.of(first)) == ()
            standby.run("pg_ctl", "promote", "-w", "-D", str(copy))
            assert not other.sample().server.in_recovery


def test_ten_thousand_entries_of_four_kilobytes_spill_nothing(pytestconfig: pytest.Config) -> None:
    with started(18, **{"pg_stat_statements.max": 12_000}) as server, pg.writer(server, purpose="x") as db:
        db.execute(f"CREATE TABLE wide ({', '.join(f'c{n} int' for n in range(100))})")
        pad = "x" * 4_000
        with sampling.open(server.dsn(), "db-1") as reader:
            reader.sample()
            for n in range(100):
                db.execute("; ".join(f"SELECT c{n} /* {pad} */, c{m} FROM wide WHERE c{n} = 1" for m in range(100)))
            sample = reader.sample()
            assert len(sample.moved) >= 10_000
            texts = reader.texts([moved.key for moved in sample.moved], most=1_000)
            assert len(texts) == 1_000
            assert max(map(len, texts.values())) > 4_000
            assert reader.sample().moved == ()
        until(lambda: db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'premortem/w%'") == 0)
        time.sleep(0.1)
        assert db.tuples("SELECT temp_files, temp_bytes FROM pg_stat_database WHERE datname = 'postgres'") == ((0, 0),)
        assert all(identify(text, "postgres").tables for text in list(texts.values())[:50])


def test_what_fails_beside_the_counters_loses_no_counters(server: pg.Server, database: str) -> None:
    with sampling.open(database, "db-1", databases=("nowhere",)) as reader, pg.writer(database, purpose="x") as db:
        reader.sample()
        db.tuples("SELECT 'counted', 2, 3, 4, 5")
        sample = reader.sample(indexes=True)
        assert sample.indexes is None
        assert "nowhere" in gap(sample, "indexes").says
        keys = [moved.key for moved in sample.moved]
        assert keys
        db.execute("CREATE SCHEMA elsewhere; ALTER EXTENSION pg_stat_statements SET SCHEMA elsewhere")
        assert reader.texts(keys) == {}
        again = reader.sample()
        assert "texts of new statements" in gap(again, "texts of statements").says
        assert again.since == sample.at
        assert set(reader.texts(keys)) == set(keys)


def test_a_database_that_knows_no_encoding(server: pg.Server) -> None:
    with pg.writer(server, purpose="x") as admin:
        for name, encoding in (("bytes", "SQL_ASCII"), ("latin", "LATIN1")):
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
        with pg.writer(server, purpose="x", database="bytes") as db:
            db.execute("CREATE EXTENSION pg_stat_statements")
        with sampling.open(server.dsn("bytes"), "db-1") as reader:
            reader.sample()
            running = Running(server.dsn("latin"), "SELECT pg_sleep(4), 'é' AS \"Grüße\"")
            until(lambda: runs(admin, "pg_sleep(4)"))
            assert ["pg_sleep(4)" in backend.text for backend in reader.sample().backends] == [True]
            running.join()
            assert reader.texts([moved.key for moved in reader.sample().moved])
        for name in ("bytes", "latin"):
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_server_that_is_frozen_is_left_and_found_again() -> None:
    with started(18) as server, sampling.open(server.dsn(), "db-1") as reader:
        reader.sample()
        pid = int(reader._link.ask(lambda line: line.ask("SELECT pg_catalog.pg_backend_pid()"))[1][0][0])
        reader._link._line._patience = timedelta(seconds=0.5)
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(ServerTimeout, match="has not answered"):
                reader.sample()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert reader.sample().since is not None
