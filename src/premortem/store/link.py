"""The one session that a store works on: opened when it is needed, and again when it was lost.

One session and one lock suffice: a commit takes milliseconds, and a lease is a lock of the very session that commits,
so a watcher that lost its lease cannot commit either.

A store that is down must not hold up those who can do without it for a while: whoever waits too long for the session
gets an error, as does for a moment everybody after an attempt to connect failed; and a session whose server says
nothing at all is broken by those who wait for it.  Too long is not a matter of how many there are: two hundred who are
served one after the other wait for seconds, and each gets its turn.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from premortem import pg
from premortem.errors import PremortemError, StoreError, UsageError
from premortem.store import migrating
from premortem.store.places import Place
from premortem.store.queries import QUERIES
from premortem.store.turns import Turns

OLDEST = 140_000  # date_bin, and lz4 is not asked for
_PURPOSE = "store"
#: How long one may have the session before those who wait do without it, and how long they wait at all.
_TURN_SECONDS, _WAIT_SECONDS = 10.0, 30.0
#: Above statement_timeout: until then the server itself ends what takes long.
_SILENT_SECONDS = 75.0
#: After an attempt to connect failed, the next is made after so many times the time that it took, within bounds.
_PAUSE, _SHORTEST_PAUSE, _LONGEST_PAUSE = 3.0, 0.5, 20.0


class Link:
    """A connection to the store that heals: what fails is a StoreError, and the next use tries anew."""

    def __init__(self, place: Place) -> None:
        self.place = place
        #: Another one with every session, and while there is none: what holds for a session is over with it.
        self.number = 0
        self._turns = Turns()
        self._closed = False
        self._session: pg.Session | None = None
        self._newest: pg.Session | None = None  # also one that is not ready yet
        self._open = contextlib.ExitStack()
        self._silent_at: float | None = None
        self._refused: tuple[float, StoreError] | None = None

    @contextlib.contextmanager
    def session(self, *, silent_seconds: float = _SILENT_SECONDS) -> Iterator[pg.Session]:
        """Give the session to one thread; raises StoreError for whatever the server or the network says.

        `silent_seconds` is how long it may be in use before those who wait for it take its server for dead.
        """
        self._take()
        try:
            self._silent_at = time.monotonic() + silent_seconds
            try:
                yield self._session or self._connect()
            except (StoreError, UsageError):
                raise
            except PremortemError as error:
                raise self._failed(error) from error
            finally:
                self._silent_at = None
                if self._session is not None and self._session.lost:
                    self._drop()
        finally:
            self._turns.give()

    def _take(self) -> None:
        if self._closed:
            raise StoreError(f"the state in {self.place.says} is closed: premortem is ending")
        if self._turns.take(_TURN_SECONDS, _WAIT_SECONDS):
            return
        silent_at, session = self._silent_at, self._newest
        if silent_at is not None and session is not None and time.monotonic() > silent_at:
            session.abandon()
        raise StoreError(f"the state in {self.place.says} is busy, or its server does not answer")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[pg.Session]:
        """Give the session for one transaction."""
        with self.session() as db, db.transaction():
            yield db

    def close(self) -> None:
        """End the session before anybody else gets it, and whatever server was started for it."""
        self._closed = True
        self._turns.take(next=True)
        try:
            self._drop()
        finally:
            try:
                self.place.close()
            finally:
                self._turns.give()

    def _connect(self) -> pg.Session:
        """Return a new session; where the last attempt failed a moment ago, raise its error again."""
        began = time.monotonic()
        if self._refused is not None and began < self._refused[0]:
            raise StoreError(self._refused[1].message, hint=self._refused[1].hint)
        try:
            db = self._connected()
        except PremortemError as error:
            took = time.monotonic() - began
            pause = min(max(_PAUSE * took, _SHORTEST_PAUSE), _LONGEST_PAUSE)
            self._refused = time.monotonic() + pause, self._failed(error)
            raise
        self._refused, self._session = None, db
        self.number += 1
        return db

    def _connected(self) -> pg.Session:
        dsn = self.place.dsn()
        with contextlib.ExitStack() as undo:
            db = undo.enter_context(pg.writer(dsn, purpose=_PURPOSE, lock_timeout=migrating.PATIENCE))
            self._newest = db
            refuse(db, self.place.says)
            db.execute(QUERIES["set up the session"])
            migrating.migrate(db, self.place.says)
            self._open = undo.pop_all()
        return db

    def _drop(self) -> None:
        self._session = None
        self.number += 1
        with contextlib.suppress(PremortemError):  # it is gone already, which is why it is dropped
            self._open.close()

    def _failed(self, error: PremortemError) -> StoreError:
        if isinstance(error, StoreError):
            return error
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
