"""The one session that a store works on: opened when it is needed, and again when it was lost.

One session and one lock suffice: a commit takes milliseconds, and a lease is a lock of the very session that commits,
so a watcher that lost its lease cannot commit either.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from premortem import pg
from premortem.errors import PremortemError, StoreError, UsageError
from premortem.store import migrating
from premortem.store.places import Place
from premortem.store.queries import QUERIES

OLDEST = 140_000  # date_bin, and lz4 is not asked for
_PURPOSE = "store"


class Link:
    """A connection to the store that heals: what fails is a StoreError, and the next use tries anew."""

    def __init__(self, place: Place) -> None:
        self.place = place
        #: Another one with every session, and while there is none: what holds for a session is over with it.
        self.number = 0
        self._lock = threading.RLock()
        self._session: pg.Session | None = None
        self._open = contextlib.ExitStack()

    @contextlib.contextmanager
    def session(self) -> Iterator[pg.Session]:
        """Give the session to one thread; raises StoreError for whatever the server or the network says."""
        with self._lock:
            try:
                db = self._session or self._connect()
                yield db
            except (StoreError, UsageError):
                raise
            except PremortemError as error:
                raise self._failed(error) from error
            finally:
                if self._session is not None and self._session.lost:
                    self._drop()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[pg.Session]:
        """Give the session for one transaction."""
        with self.session() as db, db.transaction():
            yield db

    def close(self) -> None:
        """End the session, and whatever server was started for it."""
        with self._lock:
            try:
                self._drop()
            finally:
                self.place.close()

    def _connect(self) -> pg.Session:
        dsn = self.place.dsn()
        with contextlib.ExitStack() as undo:
            db = undo.enter_context(pg.writer(dsn, purpose=_PURPOSE, lock_timeout=migrating.PATIENCE))
            refuse(db, self.place.says)
            db.execute(QUERIES["set up the session"])
            migrating.migrate(db, self.place.says)
            self._open = undo.pop_all()
        self._session = db
        self.number += 1
        return db

    def _drop(self) -> None:
        self._session = None
        self.number += 1
        with contextlib.suppress(PremortemError):  # it is gone already, which is why it is dropped
            self._open.close()

    def _failed(self, error: PremortemError) -> StoreError:
        says = error.message.removeprefix(f"{self.place.says}: ")
        return StoreError(f"the state in {self.place.says} cannot be used: {says}", hint=error.hint)


def refuse(db: pg.Session, says: str) -> None:
    """Raise StoreError unless the server can keep state."""
    if db.server_version < OLDEST:
        raise StoreError(f"{says} is PostgreSQL {db.server_version // 10_000}, and state needs 14 or newer")
    encoding = db.value("SELECT pg_catalog.current_setting('server_encoding')")
    if encoding != "UTF8":
        raise StoreError(
            f"{says} has the encoding {encoding}, which cannot keep every query's text",
            hint="CREATE DATABASE premortem ENCODING 'UTF8' TEMPLATE template0, and name that one",
        )
    if db.value("SELECT pg_catalog.pg_is_in_recovery()"):
        raise StoreError(f"{says} is a standby, which cannot be written", hint="name the primary")
