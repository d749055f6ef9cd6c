"""PgBouncer whose clients wait while its database is idle, seen at its console."""

from __future__ import annotations

import threading
from datetime import timedelta

from premortem import pg, sampling
from tests.pg.test_pgbouncer import bouncer
from tests.sampling.conftest import until


def asking(pooled: str) -> threading.Thread:
    """Somebody who asks the database through the pooler, and takes as long as nobody lets them go on."""
    long = timedelta(minutes=5)

    def ask() -> None:
        with pg.session(pooled, purpose="shop", lock_timeout=long, statement_timeout=long) as db:
            db.value("SELECT pg_catalog.pg_advisory_xact_lock_shared(1)")

    found = threading.Thread(target=ask, daemon=True)
    found.start()
    return found


def test_clients_wait_and_the_database_does_not_know(database: str, server: pg.Server) -> None:
    name = database.split("dbname=")[1]
    with bouncer(server, "transaction") as pooled, pg.writer(database, purpose="x") as db:
        console = pooled.replace("dbname=postgres", "dbname=pgbouncer")
        with sampling.open(database, "db-1", poolers={"front": console}) as reader:
            assert reader.sample().pools == ()
            db.value("SELECT pg_advisory_lock(1)")
            front = pooled.replace("dbname=postgres", f"dbname={name}")
            waits = [asking(front) for _ in range(4)]
            some = timedelta(milliseconds=100)
            until(lambda: any(p.clients_waiting == 3 and p.longest_wait > some for p in reader.sample().pools))
            sample = reader.sample()
            (pool,) = [one for one in sample.pools if one.database == name]
            assert (pool.pooler, pool.user, pool.mode) == ("front", "premortem", "transaction")
            assert (pool.clients_active, pool.clients_waiting, pool.servers_active) == (1, 3, 1)
            assert (pool.size, pool.reserve, pool.most_server_connections) == (1, 0, None)
            assert pool.longest_wait > some
            assert sample.seats.active <= 3  # the one that is served, ourselves and no crowd
            assert sample.seats.taken < sample.seats.most / 2
            assert sample.gaps == ()
            db.value("SELECT pg_advisory_unlock(1)")
            for one in waits:
                one.join()


def test_a_console_that_is_not_there_is_a_gap_and_no_more(database: str) -> None:
    dead = "host=127.0.0.1 port=1 user=stats password=secret dbname=pgbouncer"
    with sampling.open(database, "db-1", poolers={"front": dead, "side": database}) as reader:
        sample = reader.sample()
    assert sample.seats is not None
    assert [gap.subject for gap in sample.gaps] == ["pooler front", "pooler side"]
    assert not any("secret" in gap.says for gap in sample.gaps)
    assert all(gap.cure for gap in sample.gaps)


def test_a_console_that_went_away_is_connected_to_again(database: str, server: pg.Server) -> None:
    with bouncer(server, "transaction") as pooled:
        console = pooled.replace("dbname=postgres", "dbname=pgbouncer")
        with sampling.open(database, "db-1", poolers={"front": console}) as reader:
            assert reader.sample().gaps == ()
            asking(pooled).join()
            reader._consoles[0]._line.close()
            assert [pool.database for pool in reader.sample().pools] == ["postgres"]
