"""How a statement is spelled, as against what it says: on one line, and the constants that stand in it.

A fingerprint is the same for all constants, and for tables whose names differ in digits only (libpg_query takes them
for partitions).  Two statements of one fingerprint say the same if both are the same too, whatever their white space,
comments, letter case and aliases are.
"""

from __future__ import annotations

import re

from premortem.sqltext.lexer import Kind, Token, tokens

_CONSTANTS = frozenset({Kind.STRING, Kind.NUMBER, Kind.PARAM})
_NUMBERED = re.compile(r'[^\W\d]\w*\d|"[^"]*\d')
#: Words that are values: a fingerprint leaves them out as it leaves out strings and numbers.
_VALUES = frozenset({"true", "false", "null"})


def one_line(text: str) -> str:
    """Return the statement on one line, without comments; what stands in quotes is left as it is.

    >>> one_line("select *  -- all\\n  from t\\n where a = 'x  y'")
    "select * from t where a = 'x  y'"
    """
    parts: list[str] = []
    before: Token | None = None
    for token in tokens(text):
        if token.kind is not Kind.COMMENT:
            parts += [_between(before, token), token.text]
            before = token
    return "".join(parts)


def without_strings(text: str) -> str:
    """Return a statement on one line with its strings hidden; in utility statements they may be anything.

    >>> without_strings("alter role bob password 'secret' -- why")
    "alter role bob password '…'"
    """
    parts: list[str] = []
    before: Token | None = None
    for token in tokens(text):
        if token.kind is not Kind.COMMENT:
            parts += [_between(before, token), "'…'" if token.kind in (Kind.STRING, Kind.BROKEN) else token.text]
            before = token
    return "".join(parts)


def _between(before: Token | None, token: Token) -> str:
    """Return what has to stand between two tokens; strings are one string where a line ends between them."""
    if before is None or before.touches(token):
        return ""
    return "\n" if before.kind is token.kind is Kind.STRING else " "


def constants(text: str) -> tuple[str, ...]:
    """Return the constants and placeholders of a statement in their order.

    >>> constants("select * from t where a = 'x' and b in (1, $2) and not c is true")
    ("'x'", '1', '$2', 'true')
    """
    return tuple(t.word or t.text for t in tokens(text) if t.kind in _CONSTANTS or t.word in _VALUES)


def numbered_names(text: str) -> tuple[str, ...]:
    """Return the names in a statement that have digits, in their order.

    >>> numbered_names('select "A1", b from t2 where c = 3')
    ('"A1"', 't2')
    """
    if not _NUMBERED.search(text):
        return ()
    names = (t.word or t.text for t in tokens(text) if t.kind in (Kind.WORD, Kind.QUOTED))
    return tuple(n for n in names if any(c.isdigit() for c in n))
