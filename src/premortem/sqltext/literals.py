"""Makes a placeholder readable where pg_stat_statements, or a driver, put one in a literal's place.

`interval '1 day'` is normalised to `interval $1`, which no PostgreSQL parser takes; `$1::interval` says the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from premortem.sqltext.lexer import Kind, Token, tokens
from premortem.sqltext.placeholders import EXPECT_VALUE
from premortem.sqltext.skeleton import Reduced, reduced

_SUSPECT = re.compile(r"[\w)\"\]]\s+\$[0-9]|\bextract\s*\(\s*\$[0-9]", re.IGNORECASE)
_FIELDS = frozenset({"year", "month", "day", "hour", "minute", "second", "to"})
_TRIM = ("both", "leading", "trailing")
_ENDS = ("fetch", "first", "next", "default", "execute", "end", "do", "then", "collate", "limit")
_NO_TYPE = EXPECT_VALUE | {*_ENDS, *_TRIM}


def readable(sql: str) -> str:
    """Return the statement with typed placeholders written as casts.

    >>> readable("select extract($1 from x), interval $2, timestamp with time zone $3, a = $4 from t")
    'select pg_catalog.extract($1, x), $2::interval, $3::timestamp with time zone, a = $4 from t'
    """
    if not _SUSPECT.search(sql):
        return sql
    code = [t for t in tokens(sql) if t.kind is not Kind.COMMENT]
    edits = [edit for index, token in enumerate(code) if token.kind is Kind.PARAM for edit in _edits(sql, code, index)]
    for start, end, text in sorted(edits, reverse=True):
        sql = sql[:start] + text + sql[end:]
    return sql


def key_as_counted(found: Reduced) -> str:
    """Return the key that a statement has once placeholders are in all its literals' places, and readable."""
    key, _, same = found.key.partition("\x03")
    again = reduced(readable(re.sub("[\x01\x04]", "$1", key))).key.partition("\x03")[0]
    return f"{again}\x03{same}" if same else again


def _edits(sql: str, code: Sequence[Token], index: int) -> list[tuple[int, int, str]]:
    token = code[index]
    if index > 1 and code[index - 1].text == "(" and code[index - 2].word == "extract":
        following = code[index + 1] if index + 1 < len(code) else None
        if following is None or following.word != "from":
            return []
        name = code[index - 2]
        return [(name.start, name.end, "pg_catalog.extract"), (token.end, following.end, ",")]
    start = _type_start(code, index)
    if start is None:
        return []
    type_text = sql[code[start].start : code[index - 1].end]
    end = index + 1
    while code[start].word == "interval" and end < len(code) and code[end].word in _FIELDS:
        end += 1
    fields = sql[token.end : code[end - 1].end]
    return [(code[start].start, code[end - 1].end, f"{token.text}::{type_text}{fields}")]


def _type_start(code: Sequence[Token], index: int) -> int | None:
    """Return where the type name starts that stands right before a placeholder, None where none does."""
    last = index - 1
    if last >= 0 and code[last].text == ")":
        last = _before_lengths(code, last)
    if last < 0 or code[last].kind not in (Kind.WORD, Kind.QUOTED):
        return None
    if code[last].word == "zone":
        return _zoned(code, last)
    if code[last].word in _NO_TYPE:
        return None
    if code[last].word in ("precision", "varying"):
        return last - 1 if last else None
    while last > 1 and code[last - 1].text == ".":
        last -= 2
    return last


def _before_lengths(code: Sequence[Token], closing: int) -> int:
    """Return the index before `(10, 2)`, or -1 where the parentheses hold anything else."""
    index = closing - 1
    while index >= 0 and (code[index].kind is Kind.NUMBER or code[index].text == ","):
        index -= 1
    return index - 1 if index >= 0 and code[index].text == "(" and index < closing - 1 else -1


def _zoned(code: Sequence[Token], last: int) -> int | None:
    if last < 3 or code[last - 1].word != "time" or code[last - 2].word not in ("with", "without"):
        return None
    start = last - 3
    if code[start].text == ")":
        start = _before_lengths(code, start)
    return start if start >= 0 and code[start].word in ("time", "timestamp") else None
