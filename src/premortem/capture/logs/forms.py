"""Tells the forms of logs and dumps apart by their first lines, and reads each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import chain, islice

from premortem.capture.executed import Executed
from premortem.capture.logs import csvlog, dumps, jsonlog, stderr, wrapping
from premortem.capture.logs.entry import Entry, text_of
from premortem.capture.logs.messages import executions
from premortem.capture.logs.prefix import ANY_HEAD, ATTACHED
from premortem.errors import InputError

#: Lines and bytes to look at: a log may begin in the middle of a long statement.
_MOST_LINES, _MOST_BYTES = 5_000, 4 << 20


class LogForm(StrEnum):
    """What a log or dump is written in."""

    JSONLOG = "jsonlog"
    CSVLOG = "csvlog"
    STDERR = "stderr"
    SYSLOG = "syslog"
    WRAPPED = "json with text inside"
    STATEMENTS_CSV = "pg_stat_statements, CSV"
    STATEMENTS_JSON = "pg_stat_statements, JSON"


def read(lines: Iterable[bytes], *, form: str | None = None, prefix: str | None = None) -> Iterator[Executed]:
    """Yield what a log or a dump says was executed, in bounded memory.

    `form` is a `LogForm`, found out where it is None; `prefix` is the server's `log_line_prefix`, found out as well.
    Raises InputError, naming the line, for a text that is none of them.
    """
    iterator = iter(lines)
    if form is None:
        head = list(_head(iterator))
        form, iterator = sniff(head), chain(head, iterator)
    chosen = LogForm(form)
    dump = _DUMPS.get(chosen)
    return dump(iterator) if dump else executions(records(iterator, form=chosen, prefix=prefix))


def _head(lines: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for line in islice(lines, _MOST_LINES):
        yield line
        size += len(line)
        if size > _MOST_BYTES:
            return


def sniff(head: Iterable[bytes]) -> LogForm:
    """Return what some first lines are written in; an empty text is an empty log."""
    first, number = None, 0
    for number, line in enumerate(head, start=1):
        stripped = line.strip(b"\0\r\n\t \xef\xbb\xbf")
        if not stripped:
            continue
        first = first or (number, stripped)
        found = _form_of(stripped)
        if found is not None:
            return found
    if first is None:
        return LogForm.STDERR
    shown = text_of(first[1][:60])
    raise InputError(
        f"neither line {first[0]} nor any after it is of a PostgreSQL log or a dump of pg_stat_statements: {shown}",
        hint="premortem reads jsonlog, csvlog and text logs with English messages (lc_messages = C), and "
        "pg_stat_statements as CSV with a header or as JSON",
    )


_ARRAY = re.compile(rb"\[\s*(?:\{|\Z)")  # and not a prefix such as `[%p]`


def _form_of(line: bytes) -> LogForm | None:
    if line[:1] == b"{" or _ARRAY.match(line):
        return _json_form(line)
    if csvlog.START.match(line):
        return LogForm.CSVLOG
    columns = {c.strip().strip(b'"').lower() for c in line[:4_000].split(b",")}
    if {b"query", b"calls"} <= columns:
        return LogForm.STATEMENTS_CSV
    if wrapping.SYSLOG.match(line):
        return LogForm.SYSLOG
    return LogForm.STDERR if ANY_HEAD.match(text_of(line)) else None


def _json_form(line: bytes) -> LogForm | None:
    if line[:1] == b"[":
        return LogForm.STATEMENTS_JSON if line[1:].strip() in (b"", b"{") or b'"query"' in line else None
    try:
        found = json.loads(text_of(line))
    except ValueError:
        return LogForm.JSONLOG if b'"error_severity"' in line else None
    if "error_severity" in found or isinstance(found.get("record"), dict):
        return LogForm.JSONLOG
    if "query" in found and "calls" in found:
        return LogForm.STATEMENTS_JSON
    return LogForm.WRAPPED if any(isinstance(found.get(k), str) for k in ("log", "textPayload", "message")) else None


def records(lines: Iterable[bytes], *, form: LogForm, prefix: str | None = None) -> Iterator[Entry]:
    """Yield what a server's log says, record by record; none for a dump, which has no records."""
    reader = _RECORDS.get(form)
    return iter(()) if reader is None else reader(iter(lines), prefix)


_Records = Callable[[Iterator[bytes], str | None], Iterator[Entry]]
_RECORDS: dict[LogForm, _Records] = {
    LogForm.JSONLOG: lambda lines, prefix: jsonlog.entries(lines),
    LogForm.CSVLOG: lambda lines, prefix: csvlog.entries(lines),
    LogForm.STDERR: lambda lines, prefix: stderr.entries(lines, prefix=prefix),
    LogForm.SYSLOG: lambda lines, prefix: stderr.entries(wrapping.of_syslog(lines), prefix=_pid(prefix)),
    LogForm.WRAPPED: lambda lines, prefix: stderr.entries(wrapping.of_json_text(lines), prefix=prefix),
}


def whole(piece: bytes, form: LogForm) -> int:
    """Return how much of a piece of a log are records that are surely whole: all but the last one.

    A server that is seen writing may still have to add the statement to its error.
    """
    end = len(piece)
    while (start := piece.rfind(b"\n", 0, max(0, end - 1)) + 1) < end:
        if _begins(piece[start:end], form):
            return start
        end = start
    return 0


def _begins(line: bytes, form: LogForm) -> bool:
    """Whether a line is the first of a record."""
    if form is LogForm.CSVLOG:
        return csvlog.START.match(line) is not None
    if form not in (LogForm.STDERR, LogForm.SYSLOG):
        return True
    found = ANY_HEAD.match(text_of(line))
    return found is not None and not line.startswith(b"\t") and found["severity"] not in ATTACHED


def _pid(prefix: str | None) -> str | None:
    return None if prefix is None else f"[%p] {prefix}"


_DUMPS: dict[LogForm, Callable[[Iterator[bytes]], Iterator[Executed]]] = {
    LogForm.STATEMENTS_CSV: dumps.of_csv,
    LogForm.STATEMENTS_JSON: dumps.of_json,
}
