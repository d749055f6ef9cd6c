"""What a statement is, whatever its server calls it: fingerprint, tables, tags, and a text that holds no values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from premortem import sqltext
from premortem.errors import StatementError
from premortem.model import Backend, Query, RelationName, Statement, StatementKey, StatementKind

HIDDEN = "<insufficient privilege>"
_OURS = re.compile(r"\s*(?:[A-Za-z]+\s*)?/\* premortem/")
_PREPARES = re.compile(r"\s*(?:/\*.*?\*/\s*)*prepare\s", re.IGNORECASE | re.DOTALL)
_QUOTES = " at or near "  # what follows is the text itself, which may be somebody's value
#: A reader cuts texts at this many characters; what was cut cannot be parsed.
LONGEST = 100_000


def identify(text: str | None, database: str, role: str = "", *, queryid: int | None = None) -> Statement:
    """Return what an entry's or a session's text says; values and comments do not come through.

    >>> found = identify("/*service='shop'*/ SELECT * FROM orders WHERE id = 5 AND note = 'x'", "shop")
    >>> found.text, [table.name for table in found.tables], found.tags
    ('SELECT * FROM orders WHERE id = $1 AND note = $2', ['orders'], (('service', 'shop'),))
    """
    found = _readable(text or "")
    if isinstance(found, str):
        return _unreadable(found, database, role, queryid, is_ours(text or ""))
    return replace(found, database=database, role=role)


def identify_session(
    backend: Backend, database: str, role: str = "", *, known: Mapping[StatementKey, Statement]
) -> Statement:
    """Return what a session runs: by its entry where that is known, else by its text, which may be cut off."""
    if backend.queryid is not None and backend.dbid is not None and backend.userid is not None:
        for toplevel in (True, False):
            key = StatementKey(
                dbid=backend.dbid, userid=backend.userid, toplevel=toplevel, queryid=backend.queryid
            )  # fmt: skip
            if key in known:
                return _with_tags(known[key], backend.text)
    if not backend.cut:
        return identify(backend.text, database, role, queryid=backend.queryid)
    # What is left of it may well be a statement, and another one.
    unread = _unreadable("the server shows only its beginning", database, role, backend.queryid, is_ours(backend.text))
    return _with_tags(unread, backend.text)


def _with_tags(known: Statement, text: str) -> Statement:
    """Return a statement with a session's tags where its entry has none: an entry keeps the text of its first caller,
    and since PostgreSQL 18 without the comments before it.
    """
    return known if known.tags or "/*" not in text else replace(known, tags=_tags(text))


def _tags(text: str) -> tuple[tuple[str, str], ...]:
    return sqltext.lasting_tags(sqltext.tags(sqltext.reduced(text).comments))


def is_ours(text: str) -> bool:
    """Whether a statement is one of premortem's, which tags them."""
    return _OURS.match(text) is not None


def unnamed(queryid: int | None) -> str:
    """Return the fingerprint of a statement whose text cannot be read: good on its server and major version."""
    return f"queryid-{(queryid or 0) & 0xFFFF_FFFF_FFFF_FFFF:016x}"


@lru_cache(maxsize=2_000)
def _readable(text: str) -> Statement | str:
    """Return what a text says, or why it cannot be read; sessions show the same texts again and again."""
    if not text:
        return "the server does not hold its text any more"
    if text == HIDDEN:
        return "the role may not see other roles' statements"
    if len(text) >= LONGEST:
        return f"its text is longer than {LONGEST:,} characters"
    try:
        return _statement(text)
    except StatementError as error:
        return f"its text cannot be parsed: {error.message.partition(_QUOTES)[0]}"


def _statement(text: str) -> Statement:
    text = _executed(text)
    facts = sqltext.statement_facts(text)
    utility = facts.kind is StatementKind.UTILITY
    return Statement(
        fingerprint=sqltext.fingerprint(text), database="", utility=utility, ours=is_ours(text),
        text=sqltext.without_strings(text) if utility else sqltext.normalized(text),
        tables=tuple(
            RelationName(schema=t.schema or "", name=t.name) for t in dict.fromkeys((*facts.reads, *facts.writes))
        ),
        tags=_tags(text),
    )  # fmt: skip


def _executed(text: str) -> str:
    """Return the statement inside of a PREPARE: under that text PostgreSQL counts its executions, and never PREPARE.

    >>> _executed("PREPARE p AS SELECT * FROM orders WHERE id = $1"), _executed("PREPARE TRANSACTION 'x'")
    ('SELECT * FROM orders WHERE id = $1', "PREPARE TRANSACTION 'x'")
    """
    if not _PREPARES.match(text):
        return text
    found = [one for one in sqltext.split(text, "") if isinstance(one, Query)]
    return found[0].text if len(found) == 1 else text


def _unreadable(says: str, database: str, role: str, queryid: int | None, ours: bool) -> Statement:
    return Statement(
        fingerprint=unnamed(queryid), text="", database=database, role=role, unreadable=says, ours=ours
    )  # fmt: skip
