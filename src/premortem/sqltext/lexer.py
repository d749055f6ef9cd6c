"""Tokens of SQL as people keep it in files: PostgreSQL's lexical rules, and what drivers, psql and templates add.

libpg_query's scanner stops at the first thing that is not PostgreSQL (an apostrophe in a psql command, a string that
never ends) and loses the rest of the file with it.  This one never fails: what PostgreSQL could not read becomes a
token of its own, and reading goes on at the next statement.  On valid SQL the two agree, which a test holds
(rules: PostgreSQL 18 manual, section 4.1 "Lexical Structure", and `src/backend/parser/scan.l`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from itertools import pairwise
from typing import NamedTuple


class Kind(Enum):
    """What a token is."""

    SPACE = auto()
    COMMENT = auto()
    WORD = auto()
    QUOTED = auto()
    STRING = auto()
    NUMBER = auto()
    PARAM = auto()
    OPERATOR = auto()
    PUNCTUATION = auto()
    META = auto()
    TEMPLATE = auto()
    BROKEN = auto()
    DATA = auto()


class Token(NamedTuple):
    """A piece of text with its place (character offsets); white space is what lies between tokens."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The lower-case text of a word, empty for any other token."""
        return self.text.lower() if self.kind is Kind.WORD else ""

    def touches(self, following: Token) -> bool:
        """Whether the other token follows without white space."""
        return self.end == following.start


_IDENTIFIER = r"[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*+"
_DIGITS = r"[0-9](?:_?[0-9])*+"

_TOKEN = re.compile(
    rf"""
      (?P<space>[ \t\n\r\f\v]++)
    | (?P<line>--[^\n\r]*+)
    | (?P<block>/\*)
    | (?P<template>\{{\{{[^}}]{{0,4000}}\}}\}}?|\{{%.{{0,4000}}?%\}}|\{{\#.{{0,4000}}?\#\}}
        |[$\#:]?[$\#]?\{{[^{{}}\n]*+\}}|<%=.{{0,4000}}?%>)
    | (?P<escape>[eE]'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+')
    | (?P<bits>[bBxX]'[^']*+')
    | (?P<string>(?:[nN]|[uU]&)?'[^']*+(?:''[^']*+)*+')
    | (?P<quoted>(?:[uU]&)?"[^"]*+(?:""[^"]*+)*+")
    | (?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*+)?\$)
    | (?P<param>\$[0-9]++)
    | (?P<number>0[xX](?:_?[0-9A-Fa-f])++|0[oO](?:_?[0-7])++|0[bB](?:_?[01])++
        |(?:{_DIGITS}(?:\.(?!\.)(?:{_DIGITS})?+)?+|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?+)
    | (?P<word>{_IDENTIFIER})
    | (?P<punctuation>::|:=|\.\.|=>(?![~!@\#^&|`?+\-*/%<>=])|[,()\[\].;:])
    | (?P<operator>(?:(?!--|/\*)[~!@\#^&|`?+\-*/%<>=])++)
    | (?P<meta>\\[A-Za-z?!][^\n]*+)
    | (?P<open>['"])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_KINDS = {
    "space": Kind.SPACE,
    "line": Kind.COMMENT,
    "template": Kind.TEMPLATE,
    "escape": Kind.STRING,
    "bits": Kind.STRING,
    "string": Kind.STRING,
    "quoted": Kind.QUOTED,
    "param": Kind.PARAM,
    "number": Kind.NUMBER,
    "word": Kind.WORD,
    "punctuation": Kind.PUNCTUATION,
    "operator": Kind.OPERATOR,
    "meta": Kind.META,
    "other": Kind.PUNCTUATION,
}
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_NEXT_STATEMENT = re.compile(r";(?=[ \t]*(?:\r?\n|\Z))|\n(?=[ \t]*--[ \t]*!?:?name\b)", re.IGNORECASE)
_END_OF_DATA = re.compile(r"^\\\.[ \t]*\r?$", re.MULTILINE)
#: A multi-character operator may end in + or - only if it has one of these (manual, 4.1.3 "Operators").
_UNUSUAL = frozenset("~!@#%^&|`?")


def tokens(text: str, position: int = 0) -> Iterator[Token]:
    """Yield the tokens of a text from a position on, whatever it is; what lies between is white space.

    >>> [t.text for t in tokens("select a->>'k' from t -- why")]
    ['select', 'a', '->>', "'k'", 'from', 't', '-- why']
    """
    copying = _CopyWatch()
    while position < len(text):
        token = _token_at(text, position)
        position = token.end
        if token.kind is not Kind.SPACE:
            yield token
        if copying.starts_data(token):
            data = _data_at(text, position)
            yield data
            position = data.end


class _CopyWatch:
    """Notices `COPY … FROM STDIN;`, after which psql reads data and not SQL."""

    def __init__(self) -> None:
        self._words: list[str] = []

    def starts_data(self, token: Token) -> bool:
        """Return whether the token ends such a statement."""
        if token.kind is Kind.PUNCTUATION and token.text == ";":
            words, self._words = self._words, []
            return bool(words) and words[0] == "copy" and ("from", "stdin") in pairwise(words)
        if token.kind is Kind.WORD and (not self._words or self._words[0] == "copy"):
            self._words.append(token.word)
        return False


def _data_at(text: str, position: int) -> Token:
    end = _END_OF_DATA.search(text, position)
    stop = end.end() if end else len(text)
    return Token(Kind.DATA, text[position:stop], position, stop)


def _token_at(text: str, position: int) -> Token:
    match = _TOKEN.match(text, position)
    assert match is not None, "the last alternative takes any character"
    group, end = str(match.lastgroup), match.end()
    if group == "block":
        return _block_comment(text, position)
    if group == "dollar":
        return _dollar_quoted(text, position, match.group())
    if group == "open":
        return _broken(text, position)
    if group == "operator":
        end = _operator_end(text, position, end)
    return Token(_KINDS[group], text[position:end], position, end)


def _operator_end(text: str, start: int, end: int) -> int:
    if not _UNUSUAL.isdisjoint(text[start:end]):
        return end
    while end - start > 1 and text[end - 1] in "+-":
        end -= 1
    return end


def _block_comment(text: str, start: int) -> Token:
    depth = 0
    for edge in _BLOCK_EDGE.finditer(text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return Token(Kind.COMMENT, text[start : edge.end()], start, edge.end())
    return _broken(text, start)


def _dollar_quoted(text: str, start: int, tag: str) -> Token:
    end = text.find(tag, start + len(tag))
    if end < 0:
        return _broken(text, start)
    return Token(Kind.STRING, text[start : end + len(tag)], start, end + len(tag))


def _broken(text: str, start: int) -> Token:
    """Return what is left of a statement whose string, name or comment never ends."""
    found = _NEXT_STATEMENT.search(text, start)
    end = found.start() if found else len(text)
    end = max(end, start + 1)
    return Token(Kind.BROKEN, text[start:end], start, end)
