"""What a log says was cancelled, which is counted nowhere else: pg_stat_statements counts what came to its end.

With a statement_timeout, the worst query of a server is one that its counters do not hold at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from premortem.capture.logs.entry import FAILURES, Entry, moment
from premortem.capture.logs.forms import LogForm, records

#: query_canceled, lock_not_available; and the server's own words, which a log without states has.
_STATES = ("57014", "55P03")
_WORDS = re.compile(r"canceling statement due to (?P<why>.+)|canceling \w+ .*|terminating connection due to conflict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """A statement that a server cancelled: as it was sent, with its values; `why` is the server's reason."""

    text: str
    at: datetime | None
    pid: int | None = None
    database: str = ""
    role: str = ""
    application: str = ""
    why: str = ""


def cancellations(lines: Iterable[bytes], *, form: LogForm, prefix: str | None = None) -> Iterator[Cancellation]:
    """Yield the statements that a server's log says were cancelled."""
    for entry in records(lines, form=form, prefix=prefix):
        if entry.severity in FAILURES and entry.statement and _is_cancelled(entry):
            yield _cancellation(entry, entry.statement)


def _is_cancelled(entry: Entry) -> bool:
    if entry.sqlstate and entry.sqlstate != "00000":
        return entry.sqlstate in _STATES
    return bool(_WORDS.match(entry.message))


def _cancellation(entry: Entry, text: str) -> Cancellation:
    found = _WORDS.match(entry.message)
    return Cancellation(
        text=text,
        at=moment(entry.at),
        pid=process(entry.session),
        database=entry.database or "",
        role=entry.role or "",
        application=entry.application or "",
        why=(found["why"] if found else None) or entry.message,
    )


def process(session: str) -> int | None:
    """Return the process of a session's name in a log: `%p`, or `%c`, whose second part is the process in hexadecimal.

    >>> process("4711"), process("69213f0a.1267"), process("")
    (4711, 4711, None)
    """
    _, dot, hexadecimal = session.partition(".")
    try:
        return int(hexadecimal, 16) if dot else int(session)
    except ValueError:
        return None
