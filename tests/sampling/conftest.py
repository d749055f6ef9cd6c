"""Servers that may be made to forget, to crash and to stop, and what a watcher makes of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

import pytest

from premortem import pg, sampling, watch
from premortem.errors import PremortemError
from premortem.model import Sample, Statement, StatementKey, Window
from premortem.watch.deltas import Delta, LastFacts, deltas
from premortem.watch.identity import identify
from premortem.watch.rings import Rings, advance, windows

FEW = 100  # the least that pg_stat_statements.max may be
SETTINGS: dict[str, str | int | float | bool] = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.max": FEW,
    "pg_stat_statements.track": "all",
    "max_connections": 20,
    "autovacuum": False,
    "synchronous_commit": "on",  # for the crash
}


def started(major: int, **settings: str | int | float | bool) -> pg.Server:
    installation = pg.exact_installation(major)
    if installation is None:
        pytest.skip(f"PostgreSQL {major} is not on this machine")
    server = pg.start(installation, settings=SETTINGS | settings)
    with pg.writer(server, purpose="test") as db:
        db.execute("CREATE EXTENSION pg_stat_statements")
        db.execute("CREATE TABLE t AS SELECT n, n % 7 AS seven FROM generate_series(1, 1000) n")
    return server


@pytest.fixture(scope="module", params=(15, 18), ids=("pg15", "pg18"))
def small(request: pytest.FixtureRequest) -> Iterator[pg.Server]:
    """A server whose pg_stat_statements holds only a few entries."""
    with started(request.param) as server:
        yield server


class Watch:
    """Samples, deltas and windows of one server, as the daemon makes them."""

    def __init__(self, reader: sampling.Reader) -> None:
        self.reader = reader
        self.last: LastFacts | None = None
        self.rings = Rings()
        self.statements: dict[StatementKey, Statement] = {}
        self.sample: Sample | None = None
        self.deltas: tuple[Delta, ...] = ()

    def poll(self) -> Sample:
        sample = self.reader.sample()
        self.deltas = deltas(sample, self.last)
        unseen = [delta.key for delta in self.deltas if delta.key not in self.statements]
        for key, text in self.reader.texts(unseen).items():
            self.statements[key] = identify(
                text, sample.databases[key.dbid], sample.roles[key.userid], queryid=key.queryid
            )
        self.rings = advance(self.rings, sample, self.deltas, self.statements)
        self.last, self.sample = LastFacts.of(sample), sample
        return sample

    def of(self, part: str) -> list[Delta]:
        """The deltas of this poll whose statement's text has that part."""
        return [delta for delta in self.deltas if part in self.text(delta.key)]

    def text(self, key: StatementKey) -> str:
        return self.statements[key].text if key in self.statements else ""

    def window(self, part: str, seconds: float = 300) -> Window:
        assert self.sample is not None
        fingerprints = {s.fingerprint for s in self.statements.values() if part in s.text}
        found = windows(self.rings, self.sample.at, timedelta(seconds=seconds))
        those = [window for subject, window in found.items() if subject.fingerprint in fingerprints]
        assert len(those) == 1, f"{len(those)} windows of {part}: {found}"
        return those[0]

    def windows(self, seconds: float = 300) -> Mapping[object, Window]:
        assert self.sample is not None
        return windows(self.rings, self.sample.at, timedelta(seconds=seconds))


@pytest.fixture
def watching(small: pg.Server) -> Iterator[Watch]:
    with sampling.open(small.dsn(), "small") as reader:
        yield Watch(reader)


def push_out(db: pg.Session, part: str) -> None:
    """Run new statements until the entry of one is thrown out; the oldest and least used are the first to go."""
    for n in range(3_000):
        db.tuples(f"SELECT {', '.join(['n'] * (n % 60 + 1))} FROM t WHERE {' AND '.join(['n = 1'] * (n // 60 + 1))}")
        if n % 100 == 99 and not db.value("SELECT count(*) FROM pg_stat_statements WHERE query LIKE %(a)s", a=part):
            return
    raise AssertionError("it never went")


class Running:
    """A statement that runs in a thread of its own; `failed` is how it ended, where it did badly."""

    def __init__(self, dsn: str, sql: str, *before: str) -> None:
        self.failed: PremortemError | None = None
        self._dsn, self._statements = dsn, (*before, sql)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with pg.writer(self._dsn, purpose="x") as db:
                db.execute("SET application_name = 'shop'")
                for statement in self._statements:
                    db.tuples(statement)
        except PremortemError as error:
            self.failed = error

    def join(self) -> PremortemError | None:
        self._thread.join(90)
        assert not self._thread.is_alive()
        return self.failed


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    """Wait for something that will be."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def runs(db: pg.Session, part: str) -> bool:
    """Whether some other session runs a statement that has that part."""
    return bool(
        db.value(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() "
            "AND query LIKE %(part)s", part=f"%{part}%",
        )
    )  # fmt: skip


def cancel(db: pg.Session, part: str) -> None:
    """End what `runs` finds."""
    db.values(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() "
        "AND query LIKE %(part)s", part=f"%{part}%",
    )  # fmt: skip


__all__ = ["Running", "Watch", "cancel", "push_out", "runs", "started", "until", "watch"]
