"""One record of a server log, whatever form the log has."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple


class Entry(NamedTuple):
    """What a log says at once, with its details; a tuple and no dataclass, for millions of them are made.

    `statement` is the text that an error belongs to, `context` the functions that were running, innermost first.
    """

    line: int
    severity: str
    message: str
    detail: str | None = None
    context: str | None = None
    statement: str | None = None
    sqlstate: str | None = None
    at: str | None = None
    session: str = ""
    client: str | None = None
    transaction: str | None = None
    database: str | None = None
    role: str | None = None
    application: str | None = None


#: The severities that say something about a statement; others are noise here.
FAILURES = frozenset({"ERROR", "FATAL", "PANIC"})

_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[ T](?P<time>\d\d:\d\d:\d\d(?:[.,]\d+)?)\s*"
    r"(?P<zone>Z|[A-Za-z]{1,5}|[+-]\d\d(?::?\d\d)?)?\Z"
)


@lru_cache(maxsize=256)
def moment(text: str | None) -> datetime | None:
    """Return a log's time, None where it has none; names of zones other than UTC and GMT are taken for local time.

    >>> moment("2026-11-22 03:15:27.538 UTC").isoformat(), moment("1732245327.538").year, moment("yesterday")
    ('2026-11-22T03:15:27.538000+00:00', 2024, None)
    """
    if not text:
        return None
    found = _MOMENT.match(text)
    try:
        if found is None:
            return datetime.fromtimestamp(float(text), UTC)
        when = datetime.fromisoformat(f"{found['day']}T{found['time'].replace(',', '.')}")
        return when.replace(tzinfo=_zone(found["zone"])) if _zone(found["zone"]) else when.astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def _zone(name: str | None) -> timezone | None:
    if name in ("Z", "UTC", "GMT"):
        return UTC
    if name is None or name[0] not in "+-":
        return None
    hours, minutes = int(name[1:3]), int(name[3:].strip(":") or 0)
    return timezone((1 if name[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


def text_of(line: bytes) -> str:
    """Return a line as text; bytes that are no UTF-8 (a LATIN1 database's) become replacement characters."""
    return line.decode("utf-8", "replace")
