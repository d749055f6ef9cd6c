"""From the bytes of an answer to values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from premortem.model import Backend, IndexSeen, RelationName, Seats, StatementKey
from premortem.sampling.moments import moment
from premortem.sampling.standing import Standing

_TIMES = ("started_at", "query_start", "transaction_start", "state_change")
_WORDS = ("application", "client", "kind", "state", "text", "wait_type", "wait")


def words(names: Sequence[str], row: Sequence[bytes | None]) -> dict[str, str | None]:
    """Return a row as text by column name; what is not UTF-8 (another database's encoding) is replaced."""
    return {name: None if value is None else text(value) for name, value in zip(names, row, strict=True)}


def table(answer: tuple[Sequence[str], Sequence[Sequence[bytes | None]]]) -> tuple[dict[str, str | None], ...]:
    """Return an answer's rows as text by column name."""
    names, rows = answer
    return tuple(words(names, row) for row in rows)


def only(answer: tuple[Sequence[str], Sequence[Sequence[bytes | None]]]) -> dict[str, str | None]:
    """Return the only row of an answer."""
    return table(answer)[0]


def text(value: bytes) -> str:
    """Return bytes that a server sent as text."""
    return value.decode("utf-8", "replace")


def number(value: str | None) -> int | None:
    """Return a number that may be null."""
    return None if value is None else int(value)


def backends(document: str | None) -> tuple[Backend, ...]:
    """Return the sessions of a JSON array."""
    return tuple(_backend(item) for item in json.loads(document or "null") or ())


def _backend(item: dict[str, Any]) -> Backend:
    values: dict[str, Any] = {name: None if item[name] is None else moment(item[name]) for name in _TIMES}
    values |= {name: item[name] or "" for name in _WORDS}
    values |= {name: item[name] for name in ("pid", "dbid", "userid", "queryid", "leader")}
    return Backend(**values, cut=bool(item["cut"]), blocked_by=tuple(item["blocked_by"] or ()))


def seats(document: str | None, of: Standing) -> Seats:
    """Return the connections that a JSON object counts."""
    counted = json.loads(document or "{}")
    by_application = tuple(
        ((database or "", role or "", application or ""), int(taken))
        for database, role, application, taken in counted.get("by_application") or ()
    )
    return Seats(
        most=of.most, reserved=of.reserved, taken=counted.get("taken", 0), active=counted.get("active", 0),
        idle_in_transaction=counted.get("idle_in_transaction", 0), by_application=by_application,
    )  # fmt: skip


def names(document: str | None) -> Mapping[int, str]:
    """Return names by number from a JSON object."""
    return MappingProxyType({int(oid): name for oid, name in (json.loads(document or "null") or {}).items()})


def entry_text(row: Mapping[str, str | None]) -> tuple[StatementKey, str]:
    """Return an entry's key and text."""
    key = StatementKey(
        dbid=int(row["dbid"] or 0), userid=int(row["userid"] or 0), toplevel=row["toplevel"] == "t",
        queryid=int(row["queryid"] or 0),
    )  # fmt: skip
    return key, row["text"] or ""


def index(row: Mapping[str, str | None], database: str) -> IndexSeen:
    """Return an index of a database."""
    return IndexSeen(
        database=database, definition=row["definition"] or "", valid=row["valid"] == "t", scans=number(row["scans"]),
        name=RelationName(schema=row["schema"] or "", name=row["name"] or ""),
        table=RelationName(schema=row["table_schema"] or "", name=row["table_name"] or ""),
    )  # fmt: skip
