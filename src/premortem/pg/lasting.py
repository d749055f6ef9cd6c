"""A connection that stays open and is asked the same again and again: for watching, where a poll's cost is the promise.

It differs from a session in three ways.  What protects the server is set once for the connection, not for a
transaction, so a pooler in between is refused.  A question is one simple query, so one round trip whatever it holds.
And an answer is given as the bytes that came, because most of them are what they were a moment ago and need no parsing.
"""

from __future__ import annotations

import select
import time
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from premortem.errors import PremortemError, ServerTimeout, UnsupportedServer
from premortem.pg import dsn as dsns
from premortem.pg.border import speaking, statement_error
from premortem.pg.sessions import READABLE, connect, refuse_strangers, refuse_versions
from premortem.pg.tagging import tag_of, tagged

Row = tuple[bytes | None, ...]

# A poll is late after seconds: a network that went away must be known before the next one is due.
_ALIVE = {
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "2",
    "tcp_user_timeout": "10000",
}
#: How much longer than its own timeout a server may take to say so.
_GRACE = timedelta(seconds=5)
_SINGLE_BYTES = ("LATIN", "ISO_8859", "WIN", "KOI8")


class Lasting:
    """An open connection that may only read; `ask` sends one text and gives the answer to its last statement."""

    def __init__(self, connection: psycopg.Connection[Any], place: str, tag: str, patience: timedelta) -> None:
        self._connection = connection
        self._tag = tag
        self._patience = patience
        self.place = place

    def __repr__(self) -> str:
        return f"<Lasting on {self.place}>"

    @property
    def closed(self) -> bool:
        """Whether the connection is gone, by our hand or another's."""
        return self._connection.closed

    @property
    def version_num(self) -> int:
        """The server's version number, such as 180006."""
        return self._connection.info.server_version

    def ask(self, *statements: str) -> tuple[tuple[str, ...], tuple[Row, ...]]:
        """Run statements in one round trip; return the column names and the rows of the last of them, unparsed."""
        with speaking(self.place):
            result = self._exchanged("; ".join(tagged(one, self._tag) for one in statements).encode())
        return _names(result), _rows(result)

    def _exchanged(self, query: bytes) -> PGresult:
        """Send a text and return the last of the results; whoever does not answer in time is left.

        The server's own timeouts are no help when it is frozen, or its disk is: nobody would ever know.
        """
        wire = self._connection.pgconn
        deadline = time.monotonic() + self._patience.total_seconds()
        wire.send_query(query)
        while wire.flush():
            self._wait(select.POLLIN | select.POLLOUT, deadline)
            wire.consume_input()
        results = []
        while (result := self._next(deadline)) is not None:
            results.append(result)
        for result in results:
            if result.status in (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE):
                raise psycopg.errors.error_from_result(result)
        return results[-1]

    def _next(self, deadline: float) -> PGresult | None:
        wire = self._connection.pgconn
        while wire.is_busy():
            self._wait(select.POLLIN, deadline)
            wire.consume_input()
        return wire.get_result()

    def _wait(self, events: int, deadline: float) -> None:
        waiting = select.poll()
        waiting.register(self._connection.pgconn.socket, events)
        if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
            self.close()
            raise ServerTimeout(
                f"{self.place} has not answered for {self._patience.total_seconds():g} s",
                hint="is the server frozen, or its disk, or a firewall between?",
            )

    def close(self) -> None:
        """End the connection; it may be ended already."""
        self._connection.close()


def lasting(
    dsn: str,
    *,
    purpose: str,
    settings: Mapping[str, str] = MappingProxyType({}),
    database: str | None = None,
    statement_timeout: timedelta = timedelta(seconds=5),
    lock_timeout: timedelta = timedelta(seconds=1),
    connect_timeout: int = 5,
) -> Lasting:
    """Return an open read-only connection to a server itself, tagged, with these timeouts and settings."""
    parameters = dsns.read(dsn) | ({} if database is None else {"dbname": database})
    place = dsns.describe(dsns.compose(parameters))
    connection = connect({**_ALIVE, **parameters}, place, purpose, connect_timeout)
    wanted = {
        "default_transaction_read_only": "on",
        "statement_timeout": _milliseconds(statement_timeout),
        "lock_timeout": _milliseconds(lock_timeout),
        "idle_in_transaction_session_timeout": _milliseconds(max(statement_timeout * 2, timedelta(seconds=10))),
        "search_path": "",
        **READABLE,
        **settings,
    }
    try:
        connection.autocommit = True
        wanted["client_encoding"] = _encoding(connection)
        _make_ready(connection, place, tag_of(purpose), wanted)
    except (psycopg.Error, PremortemError):
        connection.close()
        raise
    return Lasting(connection, place, tag_of(purpose), statement_timeout + _GRACE)


def console(dsn: str, *, purpose: str, connect_timeout: int = 5) -> Lasting:
    """Return an open connection to PgBouncer's admin console, which knows SHOW and no SQL."""
    parameters = dsns.read(dsn)
    place = dsns.describe(dsns.compose(parameters))
    connection = connect({**_ALIVE, **parameters}, place, purpose, connect_timeout)
    connection.autocommit = True
    return Lasting(connection, place, "", _GRACE)


def _make_ready(connection: psycopg.Connection[Any], place: str, tag: str, settings: Mapping[str, str]) -> None:
    """Set everything for the connection, in one statement, once it is known to be a server's own."""
    _refuse_poolers(connection, place, tag)
    refuse_versions(connection.info.server_version, place)
    calls = ", ".join(["pg_catalog.set_config(%s, %s, false)"] * len(settings))
    values = [part for item in settings.items() for part in item]
    try:
        row = connection.execute(f"SELECT{tag} pg_catalog.version(), {calls}".encode(), values).fetchone()
    except psycopg.Error as error:
        raise statement_error(error, place) from error
    refuse_strangers(_text(row[0]) if row else "", place)


def _refuse_poolers(connection: psycopg.Connection[Any], place: str, tag: str) -> None:
    """Counters and sessions are a server's: behind a pooler the next question may reach another one."""
    try:
        row = connection.execute(f"SELECT{tag} pg_catalog.pg_backend_pid()".encode()).fetchone()
    except psycopg.Error as error:
        if "invalid command" in str(error) or "unsupported" in str(error):
            raise _pooler(f"{place} is a pooler's console, and no server") from error
        raise statement_error(error, place) from error
    if row and row[0] != connection.info.backend_pid:
        raise _pooler(f"{place} is a connection pooler, behind which the next question may reach another server")


def _pooler(says: str) -> UnsupportedServer:
    return UnsupportedServer(
        says, hint="give the server's own address; the pooler's console is another setting, [[instances.poolers]]"
    )


def _encoding(connection: psycopg.Connection[Any]) -> str:
    """The client encoding to ask for: none, unless every byte can be converted.

    Sessions of databases in other encodings are shown as they are, and where the server would have to convert what is
    not valid in its own it refuses the whole answer.
    """
    name = connection.info.parameter_status("server_encoding") or ""
    return "UTF8" if name == "UTF8" or name.startswith(_SINGLE_BYTES) else "SQL_ASCII"


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _names(result: PGresult) -> tuple[str, ...]:
    return tuple((result.fname(column) or b"").decode("utf-8", "replace") for column in range(result.nfields))


def _rows(result: PGresult) -> tuple[Row, ...]:
    columns = range(result.nfields)
    return tuple(tuple(result.get_value(row, column) for column in columns) for row in range(result.ntuples))


def _milliseconds(duration: timedelta) -> str:
    return f"{duration // timedelta(milliseconds=1)}ms"
