"""A reading session reads, disturbs nobody, and goes on after a refusal; a writing one writes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta

import pytest

from premortem import pg
from premortem.errors import (
    ConnectionRefused,
    PremortemError,
    PrivilegeError,
    ServerError,
    ServerTimeout,
    StatementError,
)
from premortem.pg.named import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    number: int
    word: str


def test_rows_are_values(database: str) -> None:
    with pg.session(database, purpose="test") as db:
        pairs = db.rows("SELECT n AS number, 'w' || n AS word FROM pg_catalog.generate_series(1, %(to)s) n", Pair, to=2)
        assert pairs == (Pair(number=1, word="w1"), Pair(number=2, word="w2"))
        assert db.values("SELECT * FROM (VALUES (1, 2), (3, 4)) v") == (1, 3)
        assert db.tuples("SELECT 1, NULL") == ((1, None),)
        assert db.value("SELECT 1 WHERE false") is None


def test_percent_signs(database: str) -> None:
    with pg.session(database, purpose="test") as db:
        assert db.value("SELECT 'ab' LIKE 'a%' AND 7 % 4 = 3")
        assert db.value("SELECT 'ab' LIKE %(p)s AND 'ab' LIKE 'a%%'", p="a%")


def test_composed_sql_and_quoting(database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        odd = 'we"ird Täble'
        db.execute(pg.SQL("CREATE TABLE {} (a text)").format(pg.Identifier("public", odd)))
        db.execute(f"INSERT INTO {db.quoted('public', odd)} VALUES (" + db.literal("it's") + ")")
        assert db.values(f"SELECT a FROM {db.quoted(odd)}") == ("it's",)


def test_named_sql_takes_the_body_of_the_version(database: str) -> None:
    which = parse("-- name: which\nSELECT 'old'\n-- version: 16\nSELECT 'new'\n")["which"]
    with pg.session(database, purpose="test") as db:
        assert db.value(which) == ("new" if db.server_version >= 160000 else "old")


def test_reads_only_and_one_snapshot(database: str) -> None:
    with pg.writer(database, purpose="test") as other:
        other.execute("CREATE TABLE t (a int)")
        with pg.session(database, purpose="test") as db:
            assert db.value("SELECT pg_catalog.count(*) FROM public.t") == 0
            other.execute("INSERT INTO t VALUES (1)")
            assert db.value("SELECT pg_catalog.count(*) FROM public.t") == 0
            with pytest.raises(ServerError, match="read-only transaction"):
                db.execute("INSERT INTO public.t VALUES (2)")
        assert other.value("SELECT count(*) FROM t") == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("statement_timeout", "30s"),
        ("lock_timeout", "2s"),
        ("search_path", ""),
        ("jit", "off"),
        ("application_name", "premortem/purpose"),
        ("transaction_read_only", "on"),
        ("pg_stat_statements.track", "none"),
        ("transaction_isolation", "repeatable read"),
        ("client_encoding", "UTF8"),
        ("IntervalStyle", "postgres"),
    ],
)
def test_is_set_up(database: str, setting: str, value: str) -> None:
    with pg.session(database, purpose="purpose") as db:
        assert db.value(f"SHOW {setting}") == value


def test_role_settings_do_not_change_how_values_read(database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("ALTER ROLE premortem SET DateStyle = 'German'; ALTER ROLE premortem SET bytea_output = 'escape'")
    try:
        with pg.session(database, purpose="test") as db:
            assert db.value("SELECT ('2026-03-01'::date)::text || '\\x00ff'::bytea::text") == "2026-03-01\\x00ff"
    finally:
        with pg.writer(database, purpose="test") as db:
            db.execute("ALTER ROLE premortem RESET ALL")


def test_is_not_seen_by_pg_stat_statements(database: str) -> None:
    with pg.session(database, purpose="unseen") as db:
        db.value("SELECT 'a very particular statement'::text, pg_catalog.version()")
        with pytest.raises(StatementError):
            db.value("SELECT 1/0")
    with pg.writer(database, purpose="test") as db:
        seen = db.values("SELECT query FROM pg_stat_statements WHERE query LIKE '%premortem/unseen%'")
        assert seen == ()


def test_goes_on_after_each_kind_of_refusal(database: str) -> None:
    with pg.session(database, purpose="test") as db:
        db.value("SELECT 1")
        for wrong in ("SELECT * FROM nix", "SELEC", "SELECT 1/0", "CREATE TABLE public.x ()", "SELECT 'x'::int"):
            with pytest.raises(PremortemError):
                db.execute(wrong)
            assert db.value("SHOW transaction_isolation") == "repeatable read"
            assert db.value("SHOW statement_timeout") == "30s"


def test_errors_in_a_statement_carry_state_and_position(database: str) -> None:
    with pg.session(database, purpose="test") as db:
        with pytest.raises(StatementError, match='relation "nix" does not exist') as caught:
            db.value("SELECT * FROM nix")
        assert (caught.value.sqlstate, caught.value.position) == ("42P01", 15)
        with pytest.raises(StatementError, match="syntax error") as caught:
            db.value("SELEC 1")
        assert (caught.value.sqlstate, caught.value.position) == ("42601", 1)
        with pytest.raises(StatementError) as caught:
            db.value("SELECT 1::no_such_type")
        assert caught.value.position == 11
    with pg.writer(database, purpose="test") as db:
        with pytest.raises(StatementError) as caught:
            db.value("SELECT * FROM nix")
        assert caught.value.position == 15
        assert caught.value.__cause__ is not None


def test_statement_timeout(database: str) -> None:
    with pg.session(database, purpose="test", statement_timeout=timedelta(milliseconds=50)) as db:
        with pytest.raises(ServerTimeout, match="statement timeout") as caught:
            db.value("SELECT pg_catalog.pg_sleep(60)")
        assert caught.value.sqlstate == "57014"
        assert db.value("SELECT 1") == 1


def test_lock_timeout(database: str) -> None:
    with pg.writer(database, purpose="test") as other:
        other.execute("CREATE TABLE t (a int)")
        with (
            other.transaction(),
            pg.session(database, purpose="test", lock_timeout=timedelta(milliseconds=50)) as db,
        ):
            other.execute("LOCK TABLE t")
            with pytest.raises(ServerTimeout, match="lock timeout") as caught:
                db.value("SELECT * FROM public.t")
            assert caught.value.sqlstate == "55P03"
            assert db.value("SELECT 1") == 1


def test_a_killed_backend(database: str) -> None:
    with pg.session(database, purpose="test") as db, pg.writer(database, purpose="test") as other:
        other.value("SELECT pg_terminate_backend(%(pid)s, 90000)", pid=db.pid)
        with pytest.raises(ConnectionRefused, match="was lost"):
            db.value("SELECT 1")


def test_nested_transactions(database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE TABLE t (a int)")
        with db.transaction():
            db.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(StatementError), db.transaction():
                db.execute("INSERT INTO t VALUES (1/0)")
            with db.rolled_back():
                db.execute("INSERT INTO t VALUES (2)")
                assert db.values("SELECT a FROM t ORDER BY a") == (1, 2)
            db.execute("INSERT INTO t VALUES (3)")
        with pytest.raises(StatementError), db.transaction():
            db.execute("DELETE FROM t; SELECT 1/0")
        assert db.values("SELECT a FROM t ORDER BY a") == (1, 3)


def test_rolled_back_in_a_reading_session(database: str) -> None:
    with pg.session(database, purpose="test") as db:
        with pytest.raises(StatementError), db.rolled_back():
            db.value("SELECT 1/0")
        with db.rolled_back():
            db.execute("SET LOCAL enable_seqscan = off")
        assert db.value("SHOW enable_seqscan") == "on"


def test_copies_in(database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE TABLE t (a int, b text)")
        assert db.copy_in("COPY t FROM STDIN", [(1, "x\ty"), (2, None)]) == 2
        assert db.copy_in("COPY t FROM STDIN", ["3\tz\n4\t", "\\N\n"]) == 2
        assert db.tuples("SELECT * FROM t ORDER BY a") == ((1, "x\ty"), (2, None), (3, "z"), (4, None))
        with pytest.raises(StatementError):
            db.copy_in("COPY t FROM STDIN", ["not a number\tz\n"])
        assert db.value("SELECT 1") == 1


def test_several_statements_and_row_count(database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 5)")
        assert db.execute("DELETE FROM t WHERE a > %(least)s", least=3) == 2
        assert db.values("VACUUM t") == ()


def test_bytes_of_no_encoding(server: pg.Server) -> None:
    with pg.writer(server, purpose="test") as db:
        db.execute("CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII'")
    try:
        with pg.session(server, purpose="test", database="ascii") as db:
            assert db.value(r"SELECT E'caf\303\251 \377'::pg_catalog.text") == "café \\xff"
            assert db.value(r"SELECT ARRAY[E'\377']::pg_catalog.text[]") == ["\\xff"]
            assert db.value("SELECT %(a)s::pg_catalog.text", a="é") == "é"
        with pg.writer(server, purpose="test", database="ascii") as db:
            db.execute(f"CREATE TABLE {db.quoted('Tä')} AS SELECT {db.literal('ö')}::text AS a")
            assert db.values(pg.SQL("SELECT a FROM {}").format(pg.Identifier("Tä"))) == ("ö",)
            assert db.copy_in('COPY "Tä" FROM STDIN', [("ü",)]) == 1
            assert db.values('SELECT a FROM "Tä" ORDER BY a') == ("ö", "ü")
    finally:
        with pg.writer(server, purpose="test") as db:
            db.execute("DROP DATABASE ascii")


def test_another_thread_is_not_held_up(database: str) -> None:
    """A reading session takes no lock that a writer would wait for, except on what it reads."""
    with pg.session(database, purpose="test") as db:
        db.tuples("SELECT * FROM pg_catalog.pg_class")

        def write() -> None:
            with pg.writer(database, purpose="test", lock_timeout=timedelta(seconds=1)) as other:
                other.execute("CREATE TABLE t (a int); CREATE INDEX ON t (a); ANALYZE t; DROP TABLE t")
                done.append(True)

        done: list[bool] = []
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert done


def test_several_statements_are_one_message_and_one_transaction(database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE TABLE told (a int, b json)")
        texts = db.replies(
            "INSERT INTO told VALUES (1, '[1]'); SELECT b, a FROM told; SET work_mem = '9MB'; SHOW work_mem"
        )
        assert texts == ("[1]", "9MB")
        assert db.replies("SELECT NULL; SELECT 'ä' WHERE false; SELECT 'ö%'") == ("", "ö%")
        with pytest.raises(StatementError, match="division by zero"):
            db.replies("INSERT INTO told VALUES (2); SET work_mem = '11MB'; SELECT 1 / 0")
        assert db.replies("SELECT count(*) FROM told; SHOW work_mem") == ("1", "9MB")


def test_a_low_role_is_told_what_it_lacks(database: str, server: pg.Server) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE TABLE secret (a int); CREATE TABLE locked (a int) ; GRANT SELECT ON locked TO PUBLIC")
        db.execute("ALTER TABLE locked ENABLE ROW LEVEL SECURITY; CREATE EXTENSION pageinspect")
        db.execute("CREATE ROLE low LOGIN")
    try:
        low = database.replace("user=premortem", "user=low")
        with pg.session(low, purpose="test") as db:
            with pytest.raises(PrivilegeError, match="permission denied for table secret"):
                db.value("SELECT * FROM public.secret")
            no = {name: db.can(name) for name in ("be superuser", "read statistics", "read workload", "inspect pages")}
            assert not any(no.values())
            assert "hides 2 tables" in no["read statistics"].says
            assert no["read workload"].cure == 'GRANT pg_read_all_stats TO "low"'
            assert db.value("SHOW pg_stat_statements.track") == "top"
        assert "permission denied to set parameter" not in server.log_tail(50)
        _grant(database)
        with pg.session(low, purpose="test") as db:
            assert db.can("read workload")
            assert db.can("read statistics").says == "premortem.column_statistics() shows all column statistics"
    finally:
        with pg.writer(database, purpose="test") as db:
            db.execute("DROP OWNED BY low; DROP ROLE low")


def _grant(database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute(
            "GRANT pg_read_all_stats TO low; CREATE SCHEMA premortem; GRANT USAGE ON SCHEMA premortem TO low;"
            "CREATE FUNCTION premortem.column_statistics() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )


def test_a_superuser_can(database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        assert not db.can("inspect pages")
        db.execute("CREATE EXTENSION pageinspect")
    with pg.session(database, purpose="test") as db:
        for name in ("be superuser", "read statistics", "read workload", "inspect pages"):
            assert db.can(name), db.can(name)
        assert "hypopg" in db.can("hypothetical indexes").says


@pytest.mark.pg(">= 15")
def test_a_role_that_was_granted_it_stays_unseen(database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute('CREATE ROLE low LOGIN; GRANT SET ON PARAMETER "pg_stat_statements.track" TO low')
    try:
        with pg.session(database.replace("user=premortem", "user=low"), purpose="test") as db:
            assert db.value("SHOW pg_stat_statements.track") == "none"
    finally:
        with pg.writer(database, purpose="test") as db:
            db.execute("DROP OWNED BY low; DROP ROLE low")
