"""The connection of a reader: opened when it is needed, opened again when it was lost, and what it leads to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from premortem import pg
from premortem.errors import ConnectionRefused, ServerError, StatementError
from premortem.sampling import asking, reading, standing
from premortem.sampling.standing import Standing

PURPOSE = "watch"
#: What the server's function needs for an entry with all its columns: measured 0.8 kB.  At PostgreSQL's default of 4 MB
#: 4,900 entries fit and 9,800 do not, and the server writes a temporary file at every poll.
_ENTRY_BYTES, _LEAST_MEMORY_MB, _MOST_MEMORY_MB = 1_000, 16, 256

_Answer = TypeVar("_Answer")


class Link:
    """A connection to an instance that outlives its connections."""

    def __init__(self, dsn: str, statement_timeout: timedelta) -> None:
        self._dsn = dsn
        self._timeout = statement_timeout
        self._line: pg.Lasting | None = None
        self._standing: Standing | None = None

    @property
    def standing(self) -> Standing:
        """What the server was found to be; connects if need be."""
        self._connected()
        assert self._standing is not None
        return self._standing

    def ask(self, question: Callable[[pg.Lasting], _Answer]) -> _Answer:
        """Return what a question brings; a connection that was lost since the last one is opened again, once."""
        is_new = self._line is None or self._line.closed
        line = self._connected()
        try:
            return question(line)
        except ConnectionRefused:
            self.close()
            if is_new:
                raise
        return question(self._connected())

    def refresh(self) -> None:
        """Ask again what the server is and what its names mean."""
        self.ask(self._stand)

    def beside(self, database: str, question: Callable[[pg.Lasting], _Answer]) -> _Answer:
        """Return what a question brings that is put to another database of the instance."""
        line = pg.lasting(self._dsn, purpose=PURPOSE, database=database, statement_timeout=self._timeout)
        try:
            return question(line)
        finally:
            line.close()

    def close(self) -> None:
        """End the connection; the next question opens one."""
        if self._line is not None:
            self._line.close()
        self._line = None

    def _connected(self) -> pg.Lasting:
        if self._line is not None and not self._line.closed:
            return self._line
        line = pg.lasting(self._dsn, purpose=PURPOSE, statement_timeout=self._timeout)
        try:
            self._stand(line)
        except (ServerError, StatementError):
            line.close()
            raise
        self._line = line
        return line

    def _stand(self, line: pg.Lasting) -> None:
        of = standing.read(reading.only(line.ask(asking.standing(line.version_num))))
        names = reading.only(line.ask(asking.names(line.version_num)))
        self._standing = replace(of, databases=reading.names(names["databases"]), roles=reading.names(names["roles"]))
        line.ask(asking.prepare(unseen=of.unseen, memory_mb=memory(of.most_entries or 0, _ENTRY_BYTES)))


def memory(entries: int, bytes_each: int) -> int:
    """Return the megabytes in which so many entries fit, within bounds."""
    return max(_LEAST_MEMORY_MB, min(_MOST_MEMORY_MB, entries * bytes_each // 1_000_000 + 1))
