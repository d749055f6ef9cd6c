"""Unpacks logs whose lines are JSON objects or CSV rows: the messages that hold plans, as text."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

_JSON_LINE = re.compile(r'^\s*\{.*"message"\s*:\s*".*(?:plan:|Plan)', re.MULTILINE)
_CSV_ROW = re.compile(r',"duration: [\d.]+ ms  plan:', re.MULTILINE)
_DURATION = re.compile(r"duration: [\d.]+ ms  plan:")


def unpacked(text: str) -> str:
    """Return the messages of a jsonlog or csvlog, any other text as it is."""
    if _JSON_LINE.search(text):
        return "\n".join(_of_json_lines(text)) or text
    if _CSV_ROW.search(text):
        return "\n".join(_of_csv(text)) or text
    return text


def _of_json_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        message = entry.get("message") if isinstance(entry, dict) else None
        if isinstance(message, str) and _DURATION.match(message):
            yield message


def _of_csv(text: str) -> Iterator[str]:
    try:
        for row in csv.reader(io.StringIO(text, newline="")):
            yield from (field for field in row if _DURATION.match(field))
    except csv.Error:
        return
