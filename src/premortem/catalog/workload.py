"""Reads the workload that pg_stat_statements saw: statements, calls and times, no parameter values."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import datetime, timedelta

from premortem import pg
from premortem.catalog.rows import StatementRow, WindowRow
from premortem.errors import PremortemError
from premortem.model import Gap, LeftOut, Query, Site, StatementKind, Values, Workload

QUERIES = pg.named_sql("premortem.catalog", "sql/workload.sql")
LIMIT = 5_000
_HEAD = r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*"
#: What can be planned, and what holds something that can: pg_stat_statements counts the executions of what SQL has
#: prepared under the text of PREPARE, and of a cursor its DECLARE; a REFRESH runs the query of the view that it names.
_VERB = re.compile(
    _HEAD + r"(select|insert|update|delete|merge|values|with|table|declare|prepare|"
    r"copy(?=\s*\()|refresh(?=\s+materialized\b)|"
    r"create(?=\s+(?:(?:global|local|temp|temporary|unlogged)\s+)*table\b.*?\bas\s*\(?\s*(?:select|with|values|table)\b))\b",
    re.IGNORECASE | re.DOTALL,
)
_WORD = re.compile(_HEAD + r"([a-z]+)", re.IGNORECASE | re.DOTALL)
#: First words of what is not kept; another one may be anything.
_WORDS = frozenset(
    "abort alter analyze begin call checkpoint close cluster comment commit copy create deallocate declare discard do "
    "drop end execute explain fetch grant listen load lock move notify prepare reassign refresh reindex release reset "
    "revoke rollback savepoint security set show start truncate unlisten vacuum".split()
)
_KINDS = {kind.value: kind for kind in StatementKind}
_PARAMETER = re.compile(r"\$(\d+)")
#: What may hold a value or a remark in a statement's text, beside what only looks like it.
_PIECE = re.compile(
    r"""(?P<name>--[ ]*name:[^\n]*(?:\n|\Z))|(?P<remark>--[^\n]*(?:\n|\Z)|/\*.*?\*/)|(?P<identifier>"(?:[^"]|"")*")
    |(?P<text>(?:\b[ebxn]|\bu&)?'(?:[^'\\]|''|\\.)*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)|(?P<parameter>\$\d+)
    |(?P<number>(?<![\w$.])\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w$]))""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_HIDDEN = "<insufficient privilege>"
_OURS = "/* premortem/"
_IN_LIST = ", ..."  # how PostgreSQL 18 shortens a list of values: IN ($1 /*, ... */)


def read(db: pg.Session, taken_at: datetime, values: Values) -> tuple[Workload, tuple[Gap, ...]]:
    """Return the workload of this database, and what could not be seen of it."""
    can = db.can("read workload")
    found = db.tuples(QUERIES["extension"])
    if not found:
        return Workload(), (_gap(can.says, can.cure),)
    schema, version = db.quoted(str(found[0][0])), str(found[0][1])
    try:
        rows = db.rows(_statements(version, schema, db.server_version), StatementRow, limit=LIMIT)
        window = _window(db, version, schema)
    except PremortemError as error:
        return Workload(), (_gap(error.message, can.cure),)
    gaps = () if can else (_gap(can.says, can.cure),)
    rows = tuple(row for row in rows if _OURS not in (row.text or ""))
    shown = rows if values is Values.ALL else tuple(replace(row, text=masked(row.text or "")) for row in rows)
    return workload(shown, window, taken_at), gaps


def masked(text: str) -> str:
    """Return a statement without remarks (other than its name), and without values if it was kept with them.

    pg_stat_statements puts `$n` in place of values, but keeps a text as it came when its entry was thrown out before
    the statement ended; and what a program writes into comments can be anything.

    >>> masked("/*user=7*/ SELECT a -- why\\n FROM t WHERE b = 'Bob' AND c = 12")
    'SELECT a FROM t WHERE b = $1 AND c = $2'
    >>> masked("-- name: one\\nSELECT 'x' || $1 LIMIT 5")
    '-- name: one\\nSELECT $2 || $1 LIMIT 5'
    """
    last = max((int(n) for n in _PARAMETER.findall(text)), default=0)
    numbers_too = not last
    counter = itertools.count(last + 1)

    def change(match: re.Match[str]) -> str:
        if match["remark"] is not None:
            return match["remark"] if _IN_LIST in match["remark"] else ""
        value = match["text"] is not None or (match["number"] is not None and numbers_too)
        return f"${next(counter)}" if value else match[0]

    return re.sub(r" {2,}", " ", _PIECE.sub(change, text)).strip()


def _statements(version: str, schema: str, server_version: int) -> str:
    name = "statements" if _numbers(version) >= (1, 8) else "statements before 1.8"
    return QUERIES[name].pick(server_version).replace("{schema}", schema)


def _window(db: pg.Session, version: str, schema: str) -> WindowRow:
    if _numbers(version) < (1, 9):
        return WindowRow(since=None, deallocations=None)
    rows = db.rows(QUERIES["window"].pick(db.server_version).replace("{schema}", schema), WindowRow)
    return rows[0] if rows else WindowRow(since=None, deallocations=None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def workload(rows: tuple[StatementRow, ...], window: WindowRow, taken_at: datetime) -> Workload:
    """Return the plannable statements with their rates; utility statements may hold passwords and stay behind."""
    length = None if window.since is None else taken_at - window.since
    kept = [(row, _query(row, length)) for row in rows]
    return Workload(
        since=window.since, window=length, deallocations=window.deallocations,
        statements=tuple(query for _, query in kept if query is not None),
        left_out=_left_out([row for row, query in kept if query is None]),
    )  # fmt: skip


def _left_out(rows: list[StatementRow]) -> tuple[LeftOut, ...]:
    """Return what is not kept by kind, what took most time first."""
    kinds: dict[str, list[StatementRow]] = {}
    for row in rows:
        kinds.setdefault(_kind_left_out(row.text or ""), []).append(row)
    found = (
        LeftOut(
            kind=kind, entries=len(of), calls=sum(r.calls for r in of),
            time=timedelta(milliseconds=sum(r.total_ms for r in of)),
        )
        for kind, of in kinds.items()
    )  # fmt: skip
    return tuple(sorted(found, key=lambda one: (-one.time, one.kind)))


def _kind_left_out(text: str) -> str:
    if text.strip() in ("", _HIDDEN):
        return "hidden"
    word = _WORD.match(text)
    return word[1].lower() if word and word[1].lower() in _WORDS else "other"


def _query(row: StatementRow, window: timedelta | None) -> Query | None:
    text = (row.text or "").strip()
    verb = _VERB.match(text)
    if verb is None or text == _HIDDEN or not row.calls:
        return None
    seconds = None if window is None else window.total_seconds()
    is_cursor = verb[1].lower() == "declare"  # its rows and its time are FETCH's
    return Query(
        text=text.removesuffix(";"), original=text, fingerprint=str(row.id),
        site=Site(source="pg_stat_statements", name=str(row.id)), kind=_kind(verb[1]),
        parameter_count=max((int(n) for n in _PARAMETER.findall(text)), default=0), calls=row.calls,
        calls_per_second=row.calls / seconds if seconds else None,
        mean_time=None if is_cursor else timedelta(milliseconds=row.total_ms / row.calls),
        rows_per_call=None if is_cursor else row.rows / row.calls,
    )  # fmt: skip


def _kind(verb: str) -> StatementKind:
    return _KINDS.get(verb.lower(), StatementKind.SELECT)


def _gap(says: str, cure: str | None) -> Gap:
    sentence = says[:1].upper() + says[1:].rstrip(".") + "."
    return Gap(
        subject="workload", says=f"pg_stat_statements was not read whole: {sentence}", cure=cure or "",
        effect="Call rates of queries and the profile's own workload are missing or partial.",
    )  # fmt: skip
