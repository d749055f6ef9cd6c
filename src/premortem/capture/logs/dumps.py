"""Reads dumps of pg_stat_statements: CSV with a header, or JSON rows, of any version of the extension."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping

from premortem.capture.executed import Executed
from premortem.capture.logs.entry import text_of
from premortem.errors import InputError

_LONGEST = 64 << 20


def of_csv(lines: Iterable[bytes]) -> Iterator[Executed]:
    """Yield the rows of `\\copy (select …) to 'file' csv header`."""
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST))
    reader = csv.DictReader(text_of(line).replace("\0", "") for line in lines)
    try:
        for row in reader:
            yield _executed({k: v for k, v in row.items() if k is not None}, reader.line_num)
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} is no CSV: {error}") from error


def of_json(lines: Iterable[bytes]) -> Iterator[Executed]:
    """Yield the rows of `json_agg(row)`, or of one object a line."""
    iterator = iter(lines)
    first = b""
    for first in iterator:
        if first.strip():
            break
    if first.lstrip().startswith(b"["):
        yield from _of_array(b"".join((first, *iterator)))
        return
    for number, line in enumerate((first, *iterator), start=1):
        if line.strip():
            yield _executed(_object(line, number), number)


def _of_array(text: bytes) -> Iterator[Executed]:
    try:
        rows = json.loads(text_of(text))
    except ValueError as error:
        raise InputError(f"the dump is no JSON: {error}") from error
    for number, row in enumerate(rows, start=1):
        if isinstance(row, dict):
            yield _executed(row, number)


def _object(line: bytes, number: int) -> Mapping[str, object]:
    try:
        found = json.loads(text_of(line))
    except ValueError as error:
        raise InputError(f"line {number} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"line {number} is no row of pg_stat_statements")
    return found


def _executed(row: Mapping[str, object], line: int) -> Executed:
    text = row.get("query")
    if text is None:
        raise InputError(f"line {line} has no column `query`", hint="dump pg_stat_statements with all its columns")
    return Executed(
        text=str(text),
        session="pg_stat_statements",
        database=_text(row, "datname", "database"),
        role=_text(row, "rolname", "usename", "role"),
        nested=str(row.get("toplevel", "t")).lower() in ("f", "false"),
        calls=_calls(row.get("calls")),
        line=line,
    )


def _text(row: Mapping[str, object], *names: str) -> str | None:
    return next((str(row[n]) for n in names if row.get(n) not in (None, "")), None)


def _calls(value: object) -> int:
    try:
        return max(int(float(str(value))), 1)
    except ValueError:
        return 1
