"""Cuts a text into statements at their semicolons, with the comments and names that belong to each.

The cut is made on tokens and not by the parser, so one statement that cannot be read costs only itself.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from premortem.model import Allow
from premortem.sqltext.lexer import Kind, Token, tokens

#: `-- name: get-user^` (sqlc, aiosql, yesql), `-- :name get_user :one` (pugsql, HugSQL), `--! get_user` (Cornucopia),
#: `/* @name GetUser */` (PgTyped).
_NAME = re.compile(r"(?:--|/\*)\s*(?:name\s*:\s*|:name\s+|!\s*|@name\s+)(?P<name>[\w.-]+)", re.IGNORECASE)
_CORNUCOPIA = re.compile(r"--!\s*\w")
_DIRECTIVE = re.compile(r"premortem\s*:\s*(?P<rest>.*?)\s*(?:\*/)?\s*\Z", re.IGNORECASE | re.DOTALL)
_ALLOW = re.compile(
    r"allow\s+(?P<rules>[\w-]+(?:\s*,\s*[\w-]+)*)\s*(?:\((?P<reason>.*)\))?\s*(?:until\s+(?P<until>.*?))?\s*\Z",
    re.DOTALL,
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
#: psql commands that send what was typed so far, like a semicolon.
_SENDS = re.compile(r"\\(?:g|gx|gset|gexec|gdesc|watch|crosstabview|bind|parse)\b")


class Lines:
    """Line numbers of offsets in a text."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(m.end() for m in re.finditer(r"\r\n|\n|\r", text))]

    def at(self, offset: int) -> int:
        """Return the 1-based line of a character offset."""
        return bisect_right(self._starts, offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One statement of a text: `code` are its tokens without comments and semicolon, `start` and `end` its extent."""

    code: tuple[Token, ...]
    comments: tuple[Token, ...]
    name: str | None
    start: int
    end: int


def pieces(text: str, position: int = 0, name: str | None = None) -> Iterator[Piece]:
    """Yield the statements of a text from a position on, in order; comments alone are no statement."""
    cutter = _Cutter(text, name=name)
    for token in tokens(text, position):
        yield from cutter.take(token)
    yield from cutter.finish()


def allows(piece: Piece, lines: Lines) -> tuple[Allow, ...]:
    """Return the `premortem: allow RULE (reason) until DATE` of a statement's comments; no reason is an empty one."""
    return tuple(allow for comment in piece.comments for allow in _allows_of(comment, lines.at(comment.start)))


def _allows_of(comment: Token, line: int) -> Iterator[Allow]:
    directive = _DIRECTIVE.search(comment.text)
    if directive is None:
        return
    found = _ALLOW.match(directive["rest"])
    if found is None:
        yield Allow(rule=directive["rest"], reason="", line=line, mistake="it does not say allow RULE (reason)")
        return
    until, mistake = _until(found["until"])
    reason = (found["reason"] or "").strip()
    for rule in found["rules"].split(","):
        yield Allow(rule=rule.strip(), reason=reason, line=line, until=until, mistake=mistake)


def _until(said: str | None) -> tuple[date | None, str]:
    """Return the last day that a comment names, and what is wrong with what it names."""
    if said is None:
        return None, ""
    try:
        return (date.fromisoformat(said), "") if _DATE.match(said) else (None, f"{said!r} is no date like 2026-03-01")
    except ValueError:
        return None, f"there is no {said} in the calendar"


def name_in(comment: str) -> str | None:
    """Return the query name that a comment gives.

    >>> name_in("-- name: get-user^(id)"), name_in("-- :name all_users :many"), name_in("-- the name of it")
    ('get-user', 'all_users', None)
    """
    found = _NAME.match(comment)
    if found is None or (comment.startswith("/*!") and not _CORNUCOPIA.match(comment)):
        return None
    return found["name"].rstrip("-")


@dataclass(slots=True)
class _Cutter:
    """Gathers tokens until a statement is whole."""

    text: str
    code: list[Token] = field(default_factory=list)
    comments: list[Token] = field(default_factory=list)
    name: str | None = None
    nesting: _Nesting = field(default_factory=lambda: _Nesting())
    waiting: Piece | None = None

    def take(self, token: Token) -> Iterator[Piece]:
        if token.kind is Kind.COMMENT:
            yield from self._comment(token)
        elif token.kind is Kind.META and (not self.code or _SENDS.match(token.text)):
            self.code.append(token)
            yield from self._cut(token.end)
        elif token.text == ";" and token.kind is Kind.PUNCTUATION and not self.nesting.is_open:
            yield from self._cut(token.end)
        elif token.kind is not Kind.DATA:
            self.code.append(token)
            self.nesting.take(token)

    def _comment(self, token: Token) -> Iterator[Piece]:
        name = name_in(token.text)
        if name is not None and self._starts_line(token):
            yield from self._cut(token.start)
            self.name = name
        if self.waiting and "\n" not in self.text[self.waiting.end : token.start] and not self.code:
            last = self.waiting
            self.waiting = Piece(
                code=last.code, comments=(*last.comments, token), name=last.name, start=last.start, end=last.end
            )
        else:
            self.comments.append(token)

    def _starts_line(self, token: Token) -> bool:
        """Whether nothing stands before a token on its line; `a, -- name: the customer's` names no query."""
        line = self.text.rfind("\n", 0, token.start) + 1
        return not self.text[line : token.start].strip()

    def _cut(self, end: int) -> Iterator[Piece]:
        """End the statement here and hand out the one before, which may still have waited for a comment."""
        self.nesting = _Nesting()
        if not self.code:
            return
        if self.waiting:
            yield self.waiting
        start = _start(self.text, self.comments, self.code[0])
        last = max(self.code[-1].end, end) if self.text[end - 1 : end] == ";" else self.code[-1].end
        self.waiting = Piece(
            code=tuple(self.code), comments=tuple(self.comments), name=self.name, start=start, end=last
        )
        self.code, self.comments = [], []

    def finish(self) -> Iterator[Piece]:
        yield from self._cut(len(self.text))
        if self.waiting:
            yield self.waiting


@dataclass(slots=True)
class _Nesting:
    """Knows whether a semicolon stands inside a statement: a body in BEGIN ATOMIC … END, or a rule's actions."""

    words: list[str] = field(default_factory=list)
    blocks: int = 0
    parentheses: int = 0

    def take(self, token: Token) -> None:
        if len(self.words) < 5:
            self.words.append(token.word)
        if self.words[:1] != ["create"]:
            return
        if token.text in ("(", ")"):
            self.parentheses += 1 if token.text == "(" else -1
        elif token.word == "begin" or (token.word == "case" and self.blocks):
            self.blocks += 1
        elif token.word == "end" and self.blocks:
            self.blocks -= 1

    @property
    def is_open(self) -> bool:
        head = set(self.words[:4])
        if "create" not in head:
            return False
        if head & {"function", "procedure"}:
            return self.blocks > 0
        return "rule" in head and self.parentheses > 0


def _start(text: str, comments: list[Token], first: Token) -> int:
    """Return where the statement's own text starts: with its name, or the comment block that stands right above it."""
    start = first.start
    for comment in reversed(comments):
        if comment.start > start:
            continue
        between = text[comment.end : start]
        if between.count("\n") > 1 and name_in(comment.text) is None:
            break
        start = comment.start
    return start
