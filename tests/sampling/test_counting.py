"""Counters that lie, on real servers: what was thrown out, reset, lost in a crash, counted twice, or not at all."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta

import pytest

from premortem import pg, sampling
from premortem.errors import PremortemError
from premortem.model import Confidence
from tests.sampling.conftest import Running, Watch, cancel, push_out, runs, until

SEVEN = "SELECT count(*) FROM t WHERE seven = {}"


def calls(db: pg.Session, times: int) -> None:
    for n in range(times):
        db.tuples(SEVEN.format(n))


def test_what_moved_is_counted_and_nothing_else(small: pg.Server, watching: Watch) -> None:
    with pg.writer(small, purpose="x") as db:
        db.execute("SELECT pg_stat_statements_reset()")
        calls(db, 3)
        began = watching.poll().at
        assert watching.sample.since is None
        assert watching.deltas == ()
        calls(db, 5)
        db.tuples("SELECT max(n) FROM t")
        watching.poll()
        (seven,), (new,) = watching.of("seven ="), watching.of("max(n)")
        assert (seven.calls, seven.rows, seven.is_new, seven.confidence) == (5, 5, False, Confidence.HIGH)
        assert (new.calls, new.is_new) == (1, True)
        assert 0 < seven.total_ms < (watching.sample.at - began) / timedelta(milliseconds=1)
        assert seven.squares >= seven.total_ms**2 / 5 * 0.999
        watching.poll()
        assert watching.deltas == ()
        assert watching.window("seven =").calls == 5


def test_an_entry_that_was_thrown_out_and_came_back(small: pg.Server, watching: Watch) -> None:
    with pg.writer(small, purpose="x") as db:
        db.execute("SELECT pg_stat_statements_reset()")
        calls(db, 5)
        watching.poll()
        before = db.value("SELECT dealloc FROM pg_stat_statements_info")
        push_out(db, "%seven = $1%")
        assert db.value("SELECT dealloc FROM pg_stat_statements_info") > before
        calls(db, 9)
        watching.poll()
        (seven,) = watching.of("seven =")
        if small.version_num >= 170000:
            assert seven.calls == 9
            assert seven.confidence is Confidence.HIGH
        else:  # five tests may see it, and where they do not, nobody is told that it is sure
            assert seven.calls == 9 or (seven.calls == 4 and seven.confidence is Confidence.LOW)
            assert seven.doubts


def test_one_statement_is_reset(small: pg.Server, watching: Watch) -> None:
    with pg.writer(small, purpose="x") as db:
        db.execute("SELECT pg_stat_statements_reset()")
        calls(db, 40)
        watching.poll()
        reset_at = watching.sample.server.reset_at
        db.execute(
            "SELECT pg_stat_statements_reset(userid, dbid, queryid) FROM pg_stat_statements WHERE query LIKE %(a)s",
            a="%seven = $1%",
        )
        calls(db, 6)
        watching.poll()
        assert watching.sample.server.reset_at == reset_at
        (seven,) = watching.of("seven =")
        assert seven.calls == 6


def test_minimum_and_maximum_alone_are_reset(small: pg.Server, watching: Watch) -> None:
    if small.version_num < 170000:
        pytest.skip("there is no such reset before PostgreSQL 17")
    with pg.writer(small, purpose="x") as db:
        calls(db, 10)
        watching.poll()
        db.execute("SELECT pg_stat_statements_reset(0, 0, 0, true)")
        calls(db, 4)
        watching.poll()
        (seven,) = watching.of("seven =")
        assert (seven.calls, seven.doubts) == (4, ())


def test_everything_is_reset(small: pg.Server, watching: Watch) -> None:
    with pg.writer(small, purpose="x") as db:
        calls(db, 10)
        watching.poll()
        calls(db, 2)
        db.execute("SELECT pg_stat_statements_reset()")
        calls(db, 3)
        watching.poll()
        (seven,) = watching.of("seven =")
        assert seven.calls == 3
        assert "reset" in seven.doubts[0]
        assert seven.start > watching.rings.slots[0].end
        calls(db, 1)
        watching.poll()
        (seven,) = watching.of("seven =")
        assert (seven.calls, seven.doubts) == (1, ())


def test_a_crash_takes_the_counters(small: pg.Server, watching: Watch) -> None:
    with pg.writer(small, purpose="x") as witness, pg.writer(small, purpose="x") as db:
        calls(db, 30)
        watching.poll()
        started_at = watching.sample.server.started_at
        os.kill(db.pid, signal.SIGKILL)
        until(lambda: not _lives(witness))  # until it notices, the server answers as if nothing had happened
    until(lambda: _answers(small))
    with pg.writer(small, purpose="x") as db:
        calls(db, 4)
        watching.poll()
    assert watching.sample.server.started_at == started_at
    (seven,) = watching.of("seven =")
    assert seven.calls == 4
    assert "crash" in seven.doubts[0]


def _answers(server: pg.Server) -> bool:
    try:
        with pg.writer(server, purpose="x") as db:
            return _lives(db)
    except PremortemError:  # it recovers
        return False


def _lives(db: pg.Session) -> bool:
    try:
        return bool(db.value("SELECT true"))
    except PremortemError:
        return False


def test_a_restart_keeps_the_counters(small: pg.Server, watching: Watch) -> None:
    with pg.writer(small, purpose="x") as db:
        db.execute("SELECT pg_stat_statements_reset()")
        calls(db, 30)
        watching.poll()
        calls(db, 2)
    small.restart()
    with pg.writer(small, purpose="x") as db:
        calls(db, 4)
    watching.poll()  # the reader finds its connection gone, and another
    (seven,) = watching.of("seven =")
    assert (seven.calls, seven.doubts) == (6, ())


def test_a_watcher_that_restarts_counts_from_what_it_finds(small: pg.Server, watching: Watch) -> None:
    with pg.writer(small, purpose="x") as db:
        calls(db, 3)
        watching.poll()
        calls(db, 3)
        watching.poll()
        before = watching.window("seven =").calls
        with sampling.open(small.dsn(), "small") as reader:
            watching.reader = reader
            calls(db, 50)
            watching.poll()
            assert watching.sample.since is None
            assert watching.window("seven =").calls == before
            calls(db, 2)
            watching.poll()
            window = watching.window("seven =")
            assert window.calls == before + 2
            assert window.covered < watching.sample.at - watching.rings.slots[0].start


def test_what_runs_inside_a_function_is_not_the_databases_time_twice(small: pg.Server, watching: Watch) -> None:
    with pg.writer(small, purpose="x") as db:
        db.execute(
            "CREATE OR REPLACE FUNCTION slow() RETURNS void LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(0.2), 'inside' FROM t LIMIT 1; END $$"
        )
        watching.poll()
        db.tuples("SELECT slow()")
        db.tuples("SELECT slow()")
        watching.poll()
    (top,), (nested,) = watching.of("slow()"), watching.of("pg_sleep")
    assert (top.toplevel, nested.toplevel) == (True, False)
    window, inner = watching.window("SELECT slow()"), watching.window("pg_sleep")
    assert window.instance_ms < 1.5 * window.total_ms
    assert not inner.toplevel
    assert inner.calls == 2
    assert inner.share > 0.6
    assert window.share > 0.6


def test_an_execution_that_still_runs_is_in_no_counter(small: pg.Server, watching: Watch) -> None:
    with pg.writer(small, purpose="y") as db:
        db.execute("CREATE TABLE IF NOT EXISTS told (a boolean); TRUNCATE told")
        db.execute(  # a busy machine may take its time to look at it: it ends when it is told to
            "CREATE OR REPLACE FUNCTION until_told() RETURNS void LANGUAGE plpgsql AS "
            "$$ BEGIN WHILE NOT EXISTS (SELECT FROM told) LOOP PERFORM pg_sleep(0.02); END LOOP; END $$"
        )
        watching.poll()
        began = time.monotonic()
        running = Running(small.dsn(), "SELECT until_told(), 'in flight'", "SET pg_stat_statements.track = 'top'")
        until(lambda: runs(db, "in flight"))
        seen = time.monotonic()
        time.sleep(1.3)
        sample = watching.poll()
        assert watching.of("in flight") == []
        (backend,) = sample.backends
        assert (backend.application, backend.state) == ("shop", "active")
        assert backend.queryid is not None
        (window,) = [w for w in watching.windows().values() if w.running]
        assert window.calls == 0
        assert 1_300 < window.provisional_ms < (time.monotonic() - began) * 1_000
        assert 0 < window.busy <= 1.05
        least = (time.monotonic() - seen) * 1_000
        db.execute("INSERT INTO told VALUES (true)")
        assert running.join() is None
        watching.poll()
        window = watching.window("until_told()")
        assert (window.calls, window.running, window.uncounted) == (1, 0, 0)
        assert least < window.mean_ms < (time.monotonic() - began) * 1_000
        assert abs(window.provisional_ms) < 5  # it began and ended in the window: nothing is left to add or to take
        assert window.busy <= 1.05


def test_a_cancelled_execution_is_counted_by_nobody_else(small: pg.Server, watching: Watch) -> None:
    with pg.writer(small, purpose="y") as db:
        watching.poll()
        running = Running(small.dsn(), "SELECT pg_sleep(600), 'cut', seven FROM t LIMIT 1")
        until(lambda: runs(db, "'cut'"))
        time.sleep(1.2)
        watching.reader.glance()
        cancel(db, "'cut'")
        assert running.join() is not None
        sample = watching.poll()
        assert len(sample.glances) == 1
        assert watching.of("'cut'") == watching.of("pg_sleep") == []
        (window,) = [w for w in watching.windows().values() if w.uncounted]
        assert (window.calls, window.uncounted, window.running) == (0, 1, 0)
        assert window.uncounted_ms >= 1_000
        assert window.busy > 0
        assert "cancelled" in window.doubts[0]


def test_several_roles_entries_are_one_statement(small: pg.Server, watching: Watch) -> None:
    with pg.writer(small, purpose="x") as db:
        db.execute("DROP ROLE IF EXISTS other")
        db.execute("CREATE ROLE other; GRANT SELECT ON t TO other")
        watching.poll()
        db.tuples("SELECT min(seven) FROM t WHERE n > 1")
        db.execute("SET ROLE other")
        db.tuples("SELECT min(seven) FROM t WHERE n > 2")
        db.execute("RESET ROLE")
        watching.poll()
        assert len(watching.of("min(seven)")) == 2
        assert watching.window("min(seven)").calls == 2
        db.execute("REVOKE SELECT ON t FROM other; DROP ROLE other")


def test_our_own_statements_are_accused_of_nothing(small: pg.Server, watching: Watch) -> None:
    with pg.writer(small, purpose="x") as db:
        db.execute("DROP ROLE IF EXISTS eye")
        db.execute("CREATE ROLE eye LOGIN; GRANT pg_monitor TO eye")
        with sampling.open(small.dsn().replace("user=premortem", "user=eye"), "small") as reader:
            watching.reader = reader
            for _ in range(4):
                watching.poll()
                reader.glance()
                reader.texts([])
            texts = db.values("SELECT query FROM pg_stat_statements WHERE userid = 'eye'::regrole")
            assert sum("premortem/watch" in text for text in texts) >= 2  # the server did count them
            assert [watching.text(d.key) for d in watching.deltas] == []
            assert not [s for s in watching.windows() if "eye" in str(s)]
        db.execute("DROP ROLE eye")
