"""Makes the server's databases wait with a DROP until the watcher has looked.

`create_all` and `drop_all` can follow each other within a millisecond, and no log is read that fast.  An event trigger
asks through the log and waits for an advisory lock of the watcher's.  It is in template1, so in every database that the
suite makes from it, and it belongs to the extension plpgsql, so no dump of the suite's own shows it.
"""

from __future__ import annotations

from premortem import pg

QUERIES = pg.named_sql("premortem.capture.watching", "sql/gate.sql")


def install(server: pg.Server) -> None:
    """Put the gate into the one database that there is, and into the template of those that will be."""
    for name in ("postgres", "template1"):
        with pg.writer(server, purpose="capture", database=name) as db:
            db.execute(QUERIES["gate"])


def answer(db: pg.Session, pid: int, number: int) -> None:
    """Let the backend that asked go on; the session must live as long as it may take the backend to see it."""
    db.execute("SELECT pg_catalog.pg_advisory_lock(%(pid)s, %(number)s)", pid=pid, number=number)
