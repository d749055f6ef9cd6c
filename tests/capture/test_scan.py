"""What of a log the watcher reacts to, however the log is cut into pieces."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from premortem.capture.watching.scan import Created, Ddl, Dropping, Event, Gate, Missing, Scan

STATEMENTS: tuple[tuple[str, str, tuple[Event, ...]], ...] = (
    ("app", "BEGIN", ()),
    ("app", 'CREATE TABLE "ä"\n(a int)', (Ddl(database="app"),)),
    ("app", "/* tag */ alter\ttable t add b int", (Ddl(database="app"),)),
    ("app", "SELECT created_at, dropped FROM alternatives", ()),
    ('Od"d', "DROP TABLE IF EXISTS t", (Ddl(database='Od"d'),)),
    ("app", "drop database if exists Test_App", (Dropping(database="test_app"),)),
    ("app", 'DROP DATABASE "Te""st"', (Dropping(database='Te"st'),)),
    ("app", 'DROP DATABASE "a b" WITH (FORCE);', (Dropping(database="a b"),)),
    ("app", 'CREATE DATABASE "copy" WITH TEMPLATE "orig"', (Created(database="copy", template="orig"),)),
    ("app", "create database c2 encoding 'utf8' template = o2", (Created(database="c2", template="o2"),)),
    ("app", 'extension "uuid-ossp" is not available', (Missing(extension="uuid-ossp"),)),
    ("app", 'CREATE DATABASE "plain"', (Created(database="plain", template="template1"),)),
)


def jsonlog(database: str, message: str) -> bytes:
    entry = {"timestamp": "2026-01-02 03:04:05.678 UTC", "user": "app", "dbname": database, "pid": 7}
    return json.dumps(entry | {"message": message}, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def csvlog(database: str, message: str) -> bytes:
    text = io.StringIO()
    row = ["2026-01-02 03:04:05.678 UTC", "app", database, "7", "127.0.0.1:1", "s", "1", "idle", message, "", ""]
    quoted = [word if number in (0, 3) else '"' + word.replace('"', '""') + '"' for number, word in enumerate(row)]
    text.write(",".join(quoted) + "\n")
    assert next(csv.reader(io.StringIO(text.getvalue()))) == row
    return text.getvalue().encode()


FORMS = {"jsonlog": jsonlog, "csvlog": csvlog}


@given(st.sampled_from(sorted(FORMS)), st.lists(st.sampled_from(STATEMENTS), max_size=12), st.data())
def test_events_do_not_depend_on_how_the_log_is_cut(
    form: str, statements: list[tuple[str, str, tuple[Event, ...]]], data: st.DataObject
) -> None:
    log = b"".join(FORMS[form](database, f"statement: {text}") for database, text, _ in statements)
    scan, found, place = Scan(form), [], 0
    while place < len(log):
        length = data.draw(st.integers(1, max(1, len(log) - place)))
        found += scan.events(log[place : place + length])
        place += length
    assert found == [event for _, _, events in statements for event in events]


def test_a_gate_is_asked_for_by_its_backend() -> None:
    for form, line in FORMS.items():
        assert list(Scan(form).events(line("app", "premortem gate 4711 99"))) == [
            Gate(database="app", pid=4711, number=99)
        ]
