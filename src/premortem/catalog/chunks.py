"""Reads what may wait for a lock, without waiting long and without holding one.

`pg_relation_size`, `pg_get_viewdef`, pageinspect and, on newer servers, `pg_get_expr` lock the relations that they
look at, so they queue behind an ALTER TABLE that runs or waits.  They are asked for many relations at a time with a
short lock timeout, in a savepoint that is rolled back so that production gets its locks back at once; a chunk that
would have to wait is halved until the relations in the way are known, and those are given up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from premortem import pg
from premortem.errors import ConnectionRefused, PrivilegeError, ServerError, ServerTimeout, StatementError

Row = TypeVar("Row")

CHUNK = 500
LOCK_TIMEOUT = "100ms"
_LOCK_NOT_AVAILABLE = "55P03"
_SET_LOCK_TIMEOUT = "SELECT pg_catalog.set_config('lock_timeout', %(value)s, true)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunked(Generic[Row]):
    """The rows that could be read, and the relations that could not, with the server's reason."""

    rows: tuple[Row, ...] = ()
    locked: tuple[int, ...] = ()
    refused: tuple[tuple[int, str], ...] = ()

    @property
    def missing(self) -> frozenset[int]:
        """Every relation that was given up."""
        return frozenset(self.locked) | {oid for oid, _ in self.refused}


def read(
    db: pg.Session, sql: str | pg.NamedSQL, cls: type[Row], oids: Sequence[int], size: int = CHUNK
) -> Chunked[Row]:
    """Return the rows of a query over relations, which it takes as `%(oids)s`."""
    parts = [_read(db, sql, cls, list(oids[at : at + size])) for at in range(0, len(oids), size)]
    return _joined(parts)


def _read(db: pg.Session, sql: str | pg.NamedSQL, cls: type[Row], oids: list[int]) -> Chunked[Row]:
    try:
        with db.rolled_back():
            db.execute(_SET_LOCK_TIMEOUT, value=LOCK_TIMEOUT)
            return Chunked(rows=db.rows(sql, cls, oids=oids))
    except (ServerError, StatementError) as error:
        if _concerns_everything(error):
            raise
        if len(oids) == 1:
            return _given_up(oids[0], error)
    middle = len(oids) // 2
    return _joined([_read(db, sql, cls, oids[:middle]), _read(db, sql, cls, oids[middle:])])


def _concerns_everything(error: ServerError | StatementError) -> bool:
    """Whether asking for fewer relations would not help."""
    if isinstance(error, ServerTimeout):
        return error.sqlstate != _LOCK_NOT_AVAILABLE
    return isinstance(error, (ConnectionRefused, PrivilegeError))


def _given_up(oid: int, error: ServerError | StatementError) -> Chunked[Row]:
    if error.sqlstate == _LOCK_NOT_AVAILABLE:
        return Chunked(locked=(oid,))
    return Chunked(refused=((oid, error.message),))


def _joined(parts: Sequence[Chunked[Row]]) -> Chunked[Row]:
    return Chunked(
        rows=tuple(row for part in parts for row in part.rows),
        locked=tuple(oid for part in parts for oid in part.locked),
        refused=tuple(pair for part in parts for pair in part.refused),
    )
