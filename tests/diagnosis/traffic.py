"""Applications that really run: threads with sessions of their own, until the block ends."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from premortem import pg
from premortem.errors import PremortemError

Work = Callable[[pg.Session, threading.Event], None]


@contextlib.contextmanager
def running(database: str, *works: Work, application: str = "shop") -> Iterator[None]:
    """Let each work on in a session of its own; what still runs in the end is ended by the server."""
    done = threading.Event()
    pids: list[int] = []

    def run(work: Work) -> None:
        with contextlib.suppress(PremortemError), pg.writer(database, purpose="test") as db:
            db.execute(f"SET application_name = {db.literal(application)}")
            pids.append(db.pid)
            work(db, done)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        while len(pids) < len(works):
            done.wait(0.01)
        yield
    finally:
        done.set()
        with pg.writer(database, purpose="test") as db:
            for pid in pids:
                db.execute("SELECT pg_terminate_backend(%(pid)s)", pid=pid)
        for thread in threads:
            thread.join()


def asking(sql: str, **values: object) -> Work:
    """The same statement again and again."""

    def work(db: pg.Session, done: threading.Event) -> None:
        while not done.is_set():
            db.tuples(sql, **values)

    return work


def holding(sql: str) -> Work:
    """A transaction that does something and is left open."""

    def work(db: pg.Session, done: threading.Event) -> None:
        with db.transaction():
            db.execute(sql)
            done.wait(60)

    return work


def once(sql: str) -> Work:
    """One statement, which may take its time."""

    def work(db: pg.Session, done: threading.Event) -> None:
        db.tuples(sql)
        done.wait(60)

    return work


def until(database: str, condition: str) -> None:
    """Wait until a condition on the server's sessions holds."""
    with pg.writer(database, purpose="test") as db:
        pause = threading.Event()
        while not db.value(
            f"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND {condition})"
        ):
            pause.wait(0.02)
