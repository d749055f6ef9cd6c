"""Nothing is lost and nothing doubled, whatever is killed, cut or full, and whenever."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from premortem import pg, store
from premortem.errors import PremortemError, StoreError
from premortem.store import link
from tests.daemon.proxy import Proxy
from tests.store.committer import STATEMENTS, commit, opened
from tests.store.made import NOON, POLL

ROOT = Path(__file__).parents[2]
LONG = timedelta(days=30)


def holds(found: store.Store) -> int:
    """How many polls the store holds: each wholly and once, or this fails."""
    last = found.saved("db-1").checkpoint
    count = 0 if last is None else int(str(last)) + 1
    steps = found.history("db-1", "shop", None, since=NOON, until=NOON + LONG, step=timedelta(minutes=5))
    assert sum(step.calls for step in steps) == count * STATEMENTS
    assert sum(step.total_ms for step in steps) == count * STATEMENTS * 2.0
    assert [event.payload["number"] for event in found.events(kinds=["poll"])] == list(range(count))
    assert len(found.events(kinds=["alert.opened"])) == count
    assert len(found.pending("slack", 100_000)) == len(found.saved("db-1").alerts) == count
    return count


def killed_while_committing(where: str, first: int, after: float) -> int:
    """Start a process that commits, kill it after some time, and return the last poll that it had kept."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.committer", where, str(first)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(3)]
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    said += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    return max(int(one) for one in said if one.strip())


def replay(where: str, rounds: int) -> None:
    """Kill rounds of a committing process; each repeats the last poll of the one before, as nobody told it."""
    chance = random.Random(1)
    first = 0
    for _ in range(rounds):
        kept = killed_while_committing(where, first, chance.uniform(0, 0.15))
        with opened(where) as found:
            count = holds(found)
        assert count - 1 in (kept, kept + 1), "what was said to be kept is, and no more than one poll besides"
        first = count - 1
    assert first >= 2 * rounds


def test_a_process_killed_in_the_middle_of_a_commit(server18: pg.Server) -> None:
    with pg.writer(server18, purpose="test") as db:
        db.execute("CREATE DATABASE killed")
    replay(server18.dsn("killed"), 4)
    with pg.writer(server18, purpose="test") as db:
        db.execute("DROP DATABASE killed WITH (FORCE)")


def test_a_process_killed_with_its_own_server(reachable: Path) -> None:
    replay(str(reachable / "state"), 2)


def insist(found: store.Store, number: int, while_it_fails: Callable[[], None]) -> int:
    """Commit until it is kept, as the watcher does with what it holds in memory; how often it failed."""
    for failed in range(1800):
        try:
            commit(found, number)
        except StoreError:
            while_it_fails()
            time.sleep(0.05)
        else:
            return failed
    pytest.fail("the store never came back")


def test_a_server_that_crashes_between_commits() -> None:
    """A killed process of the server makes all of it start again; its settings would let it forget what it said."""
    installation = pg.exact_installation(15)
    if installation is None:
        pytest.skip("PostgreSQL 15 is not on this machine")
    with pg.start(installation) as server, store.open(server.dsn()) as found:
        for number in range(12):
            if number % 4 == 3:
                _wait_for(lambda: _crashes(server))
            insist(found, number, lambda: None)
        counts: list[int] = []
        _wait_for(lambda: _reads(found, counts))  # the last crash may be noticed only now
        assert counts == [12]


def _crashes(server: pg.Server) -> bool:
    """Kill a process of the server; False while it recovers from the last time."""
    try:
        with pg.writer(server, purpose="test") as db:
            pid = db.value("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
        if pid is None:
            return False
        os.kill(int(pid), signal.SIGKILL)
    except (PremortemError, ProcessLookupError):
        return False
    return True


def _reads(found: store.Store, counts: list[int]) -> bool:
    try:
        counts.append(holds(found))
    except StoreError:
        return False
    return True


def test_a_session_that_is_ended(opened: store.Store, database: str) -> None:
    failures = 0
    for number in range(6):
        with pg.writer(database, purpose="test") as db:
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'premortem/store'"
                " AND datname = current_database()"
            )
        failures += insist(opened, number, lambda: None)
    assert failures == 6, "each is told"
    assert holds(opened) == 6


@pytest.fixture
def cuttable(database: str) -> Iterator[tuple[Proxy, str]]:
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parameters = conninfo_to_dict(database)
    proxy = Proxy(Path(str(parameters["host"])) / f".s.PGSQL.{parameters['port']}")
    yield proxy, make_conninfo(database, host="127.0.0.1", port=proxy.port, sslmode="disable", gssencmode="disable")
    proxy.close()


def test_a_network_that_is_cut(cuttable: tuple[Proxy, str]) -> None:
    proxy, dsn = cuttable
    with store.open(dsn) as found:
        for number in range(8):
            if number % 2:
                proxy.cut()
                with pytest.raises(StoreError):
                    found.saved("db-1")
            assert (insist(found, number, proxy.mend) > 0) == bool(number % 2)
        assert holds(found) == 8


def test_an_answer_that_is_lost(cuttable: tuple[Proxy, str]) -> None:
    """The commit is kept and nobody says so: the watcher brings it again, with the next poll."""
    proxy, dsn = cuttable
    with store.open(dsn) as found, store.open(dsn) as other:
        commit(found, 0)
        commit(other, 1)  # stands for the commit whose answer was lost: kept, but not known to `found`
        proxy.cut()
        proxy.mend()
        insist(found, 1, lambda: None)
        insist(found, 2, lambda: None)
        assert holds(found) == 3


def test_a_lease_goes_with_its_connection(cuttable: tuple[Proxy, str], database: str) -> None:
    """A watcher that was cut off cannot write what another has taken over."""
    proxy, dsn = cuttable
    with store.open(dsn) as cut_off, store.open(database) as other:
        assert cut_off.lease("db-1", NOON)
        assert cut_off.lease("db-1", NOON)
        assert not other.lease("db-1", NOON)
        assert other.lease("db-2", NOON)
        commit(cut_off, 0)
        proxy.cut()
        _wait_for(lambda: other.lease("db-1", NOON))
        commit(other, 1)
        proxy.mend()
        with pytest.raises(StoreError):
            commit(cut_off, 1)
        with pytest.raises(StoreError, match="another watcher has db-1"):
            commit(cut_off, 1)
        assert not cut_off.lease("db-1", NOON)
        other.release("db-1")
        commit(cut_off, 2)
        assert holds(cut_off) == 3


def _wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def small_disk(reachable: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    place = reachable / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "none", place], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_disk_that_is_full(small_disk: Path) -> None:
    filler = small_disk / "filler"
    with store.open(directory=small_disk / "state") as found:
        commit(found, 0)
        _fill(filler)
        number, failed = 1, 0
        while not failed:
            try:
                commit(found, number)
                found.commit("db-2", at=NOON + number * POLL, checkpoint=random.Random(number).randbytes(400_000).hex())
            except StoreError:
                failed = number
            number += 1
            assert number < 500
        filler.unlink()
        insist(found, failed, lambda: None)
        insist(found, failed + 1, lambda: None)
        assert holds(found) == failed + 2


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def test_a_server_that_says_nothing_does_not_hold_up_everybody(
    opened: store.Store, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is stopped, as by a disk that hangs: no time-out of the server or the network sees that."""
    monkeypatch.setattr(link, "_TURN_SECONDS", 0.2)
    monkeypatch.setattr(link.Link.session.__wrapped__, "__kwdefaults__", {"silent_seconds": 3.0})
    commit(opened, 0)
    with pg.writer(database, purpose="test") as db:
        (stopped,) = db.values(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'premortem/store'"
            " AND datname = current_database()"
        )
    outcomes: list[str] = []

    def hang() -> None:
        try:
            commit(opened, 1)
        except StoreError as error:
            outcomes.append(error.message)

    os.kill(int(stopped), signal.SIGSTOP)
    try:
        thread = threading.Thread(target=hang)
        thread.start()
        busy = 0
        while thread.is_alive():
            with contextlib.suppress(StoreError):
                opened.saved("db-1")
            busy += 1
            assert busy < 200
        assert "was lost" in outcomes[0]
        insist(opened, 1, lambda: None)
    finally:
        os.kill(int(stopped), signal.SIGCONT)
    assert holds(opened) == 2


def test_a_network_that_swallows_everything_costs_one_attempt(
    cuttable: tuple[Proxy, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred workers do not wait for one time-out each."""
    proxy, dsn = cuttable
    attempts = 0
    with store.open(f"{dsn} connect_timeout=2") as found:
        commit(found, 0)
        connect = link.Link._connected

        def counted(self: link.Link) -> pg.Session:
            nonlocal attempts
            attempts += 1
            return connect(self)

        monkeypatch.setattr(link.Link, "_connected", counted)
        proxy.cut()
        proxy.mend()
        proxy.silent = True
        for _ in range(50):
            with pytest.raises(StoreError):
                found.saved("db-1")
        assert attempts == 1
        proxy.mend()
        monkeypatch.setattr(found._link, "_refused", None)
        assert holds(found) == 1
