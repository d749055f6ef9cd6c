"""Reads jsonlog (PostgreSQL 15 and later), and the same records as CloudNativePG wraps them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from premortem.capture.logs.entry import Entry, text_of

#: What a line must have in it to tell of a statement: all else is thrown away before it is parsed.
_TELLING = (b'"statement: ', b'"duration: ', b'"execute ', b'"ERROR"', b'"FATAL"', b'"PANIC"', b'"disconnection: ')
#: Steps before an execution, which is logged by itself: half of what log_min_duration_statement writes.
_STEP = re.compile(rb'"message":"duration: [\d.]+ ms  (?:parse|bind) ')


def entries(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Yield the records that may tell of statements; a line that is no JSON (the last one, cut off) is skipped."""
    for number, line in enumerate(lines, start=1):
        if any(word in line for word in _TELLING) and not _STEP.search(line):
            found = _record(line)
            if found is not None:
                yield _entry(number, found)


def _record(line: bytes) -> Mapping[str, object] | None:
    try:
        found = json.loads(text_of(line))
    except ValueError:
        return None
    if isinstance(found, dict) and isinstance(found.get("record"), dict):
        found = found["record"]
    return found if isinstance(found, dict) and isinstance(found.get("message"), str) else None


def _entry(line: int, record: Mapping[str, object]) -> Entry:
    get = record.get
    return Entry(
        line,
        str(get("error_severity") or ""),
        str(get("message")),
        _text(get("detail")),
        _text(get("context")),
        _text(get("statement") or get("query")),
        _text(get("state_code") or get("sql_state_code")),
        _text(get("timestamp") or get("log_time")),
        str(get("session_id") or get("pid") or get("process_id") or ""),
        _client(record),
        _transaction(_text(get("vxid") or get("virtual_transaction_id"))),
        _text(get("dbname") or get("database_name")),
        _text(get("user") or get("user_name")),
        _text(get("application_name")),
    )


def _text(value: object) -> str | None:
    return str(value) if value not in (None, "") else None


def _client(record: Mapping[str, object]) -> str | None:
    host, port = _text(record.get("remote_host")), record.get("remote_port")
    return f"{host}:{port}" if host and port else host or _text(record.get("connection_from"))


def _transaction(vxid: str | None) -> str | None:
    """Return a virtual transaction id, None for `3/0`, which is none."""
    return None if vxid is None or vxid.endswith("/0") else vxid
