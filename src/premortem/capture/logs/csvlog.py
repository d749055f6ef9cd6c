"""Reads csvlog: later versions only added columns at the end, so places are the same from 12 to 18."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator

from premortem.capture.logs.entry import Entry, text_of

#: log_time, user, database, pid, client, session, line: nothing inside a statement looks like all of it.
START = re.compile(
    rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [A-Za-z0-9+-]+,"
    rb'(?:"(?:[^"]|"")*")?,(?:"(?:[^"]|"")*")?,\d+,(?:"(?:[^"]|"")*")?,[0-9a-f]+\.[0-9a-f]+,\d+,'
)
_FEWEST = 23
#: A record of more bytes than this was never closed.
_LONGEST = 64 << 20

csv.field_size_limit(max(csv.field_size_limit(), _LONGEST))


def entries(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Yield the records; a damaged one (a log that starts or ends in the middle) is skipped."""
    for number, record in _records(lines):
        try:
            row = next(csv.reader([text_of(record).replace("\0", "")], strict=True), [])
        except csv.Error:
            continue
        if len(row) >= _FEWEST:
            yield _entry(number, row)


def _records(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield records with the number of their first line: lines are gathered until their quotes are even."""
    gathered: list[bytes] = []
    first, is_open, size = 1, False, 0
    for number, line in enumerate(lines, start=1):
        if gathered and is_open and (size > _LONGEST or START.match(line)):
            gathered, is_open, size = [], False, 0  # what was open is damaged: go on with what starts here
        if not gathered:
            first = number
        gathered.append(line)
        size += len(line)
        is_open ^= bool(line.count(b'"') % 2)
        if not is_open:
            yield first, b"".join(gathered)
            gathered, size = [], 0


def _entry(line: int, row: list[str]) -> Entry:
    vxid = row[9]
    return Entry(
        line,
        row[11],
        row[13],
        row[14] or None,
        row[18] or None,
        row[19] or None,
        row[12] or None,
        row[0],
        row[5],
        row[4] or None,
        None if not vxid or vxid.endswith("/0") else vxid,
        row[2] or None,
        row[1] or None,
        row[22] or None,
    )
