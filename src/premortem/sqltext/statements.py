"""From the text of a file to the statements in it, each ready to be planned, skipped or reported as unreadable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from premortem.errors import StatementError
from premortem.model import Allow, Query, Site, StatementKind, Unreadable
from premortem.sqltext import tree
from premortem.sqltext.facts import kind_of
from premortem.sqltext.lexer import Kind, Token, tokens
from premortem.sqltext.literals import readable
from premortem.sqltext.pieces import Lines, Piece, allows, pieces
from premortem.sqltext.placeholders import Problem, rewrite
from premortem.sqltext.wrappers import unwrap

#: psql commands that change what is shown and nothing that is sent.
_DISPLAY = frozenset(
    "a C conninfo copyright d echo encoding errverbose f h H help l o p pset q qecho r restrict s t T timing "
    "unrestrict warn x z".split()
)
_SETS_VARIABLE = re.compile(r"\\(?:set|prompt|getenv)\s+(?:'[^']*'\s+|-\S+\s+)*(?P<name>\w+)")
_TEMPLATE_IN_STRING = re.compile(
    r"\{\{\s*[A-Za-z_][\w.]*\s*(?:\([^{}]*\)|\|[^{}]*|\[[^{}]*\])?\s*\}\}|\{%.*?%\}|[$#]\{\s*[A-Za-z_][\w.]*\s*\}",
    re.DOTALL,
)
_TRUNCATED = "syntax error at end of input"


def split(text: str, source: str, first_line: int = 1, name: str | None = None) -> tuple[Query | Unreadable, ...]:
    """Return the statements of a text in order; utility statements are kept, for the record."""
    reader = _Reader(text=text, source=source, first_line=first_line, name=name, lines=Lines(text))
    return tuple(reader.all())


@dataclass(slots=True)
class _Reader:
    text: str
    source: str
    first_line: int
    name: str | None
    lines: Lines
    variables: set[str] = field(default_factory=set)

    def all(self) -> Iterator[Query | Unreadable]:
        """Yield every statement; after a string that swallowed statements, reading goes on at the first of them."""
        position: int | None = 0
        name = None
        while position is not None:
            start, position = position, None
            for piece in pieces(self.text, start, name):
                found = self.read(piece)
                runaway = _runaway(piece) if isinstance(found, Unreadable) else None
                if runaway is None:
                    yield found
                    continue
                position, name = runaway.end, piece.name
                cut = replace(piece, end=runaway.end)
                yield self._unreadable(cut, _broken(runaway))
                break

    def read(self, piece: Piece) -> Query | Unreadable:
        if piece.code[0].kind is Kind.META:
            return self._meta(piece)
        flaw = _flaw(piece)
        if flaw is not None:
            return self._unreadable(piece, flaw)
        inside = unwrap(self.text, piece.code)
        if inside is None:
            return self._utility(piece)
        rewritten = rewrite(self.text, inside.code, self.variables, inside.left_out)
        if rewritten.problem:
            return self._unreadable(piece, rewritten.problem)
        sql = _typed(readable(rewritten.text), inside.types)
        return self._query(piece, sql, rewritten.names, inside.code[0].start)

    def _query(self, piece: Piece, sql: str, names: tuple[str | None, ...], start: int) -> Query | Unreadable:
        try:
            kind = kind_of(tree.one_statement(sql))
            fingerprint = tree.fingerprint(sql)
        except StatementError as error:
            return self._refused(piece, sql, start, error)
        return Query(
            text=sql,
            original=self.text[piece.start : piece.end].strip(),
            fingerprint=fingerprint,
            site=self._site(piece, piece.code[0].start),
            kind=kind,
            parameter_count=len(names),
            parameter_names=names,
            allows=self._allows(piece),
        )

    def _allows(self, piece: Piece) -> tuple[Allow, ...]:
        found = allows(piece, self.lines)
        return tuple(replace(a, line=(a.line or 1) + self.first_line - 1) for a in found)

    def _refused(self, piece: Piece, sql: str, start: int, error: StatementError) -> Unreadable:
        offset = start
        if error.position is not None:
            offset = self._offset_of_line(start, sql[: error.position].count("\n"))
        hint = "the text seems to be cut off" if error.message == _TRUNCATED else None
        return self._unreadable(piece, Problem(offset=offset, says=error.message, hint=hint))

    def _offset_of_line(self, start: int, lines: int) -> int:
        for _ in range(lines):
            found = self.text.find("\n", start)
            start = found + 1 if found >= 0 else start
        return start

    def _utility(self, piece: Piece) -> Query:
        original = self.text[piece.start : piece.end].strip()
        text = self.text[piece.code[0].start : piece.code[-1].end]
        return Query(
            text=text,
            original=original,
            fingerprint=_fingerprint_or_nothing(text),
            site=self._site(piece, piece.code[0].start),
            kind=StatementKind.UTILITY,
            allows=self._allows(piece),
        )

    def _meta(self, piece: Piece) -> Query | Unreadable:
        token = piece.code[0]
        command = re.match(r"\\[A-Za-z!?]+", token.text)
        word = command.group() if command else token.text
        variable = _SETS_VARIABLE.match(token.text)
        if variable:
            self.variables.add(variable["name"])
        if word.strip("\\") in _DISPLAY:
            return self._utility(piece)
        return self._unreadable(
            piece,
            Problem(
                offset=token.start,
                says=f"`{word}` is a psql command: premortem reads SQL and does not run psql",
                hint="hand in the SQL that psql would send",
            ),
        )

    def _unreadable(self, piece: Piece, problem: Problem) -> Unreadable:
        return Unreadable(
            original=self.text[piece.start : piece.end].strip(),
            site=self._site(piece, problem.offset),
            says=problem.says,
            hint=problem.hint,
        )

    def _site(self, piece: Piece, offset: int) -> Site:
        line = self.lines.at(offset) + self.first_line - 1
        return Site(source=self.source, line=line, name=piece.name or self.name)


def _flaw(piece: Piece) -> Problem | None:
    """Return what in a statement is no SQL at all: template text, psql commands, strings that never end."""
    return next(_flaws(piece), None)


def _flaws(piece: Piece) -> Iterator[Problem]:
    for token in piece.code:
        if token.kind is Kind.TEMPLATE:
            yield _template(token, token.text)
        elif token.kind is Kind.BROKEN:
            yield _broken(token)
        elif token.kind is Kind.META:
            yield _psql(token)
        elif token.kind is Kind.STRING and (found := _TEMPLATE_IN_STRING.search(token.text)):
            yield _template(token, found.group())


_SWALLOWED = re.compile(
    r";[ \t]*(?:--[^\n]*)?\r?\n"
    r"(?=\s*(?:--|/\*|(?:select|insert|update|delete|with|merge|create|alter|begin|commit)\b))",
    re.IGNORECASE,
)


def _runaway(piece: Piece) -> Token | None:
    """Return the start of a string that swallowed the end of its statement and the next, up to that end."""
    for token in piece.code:
        if token.kind in (Kind.STRING, Kind.QUOTED) and not token.text.startswith("$"):
            found = _SWALLOWED.search(token.text)
            if found:
                end = token.start + found.start() + 1
                return Token(Kind.BROKEN, token.text[: found.start() + 1].lstrip("eEbBxXnNuU&"), token.start, end)
    return None


def _template(token: Token, shown: str) -> Problem:
    shown = shown if len(shown) <= 60 else f"{shown[:57]}…"
    return Problem(
        offset=token.start,
        says=f"`{shown}` is template text: what it becomes is not known here",
        hint="hand in the rendered SQL (dbt compile, for example), or use a placeholder",
    )


def _broken(token: Token) -> Problem:
    what = {"'": "a string", '"': "a quoted name", "/": "a comment", "$": "a dollar-quoted string"}
    return Problem(offset=token.start, says=f"{what.get(token.text[0], 'a token')} starts here and never ends")


def _psql(token: Token) -> Problem:
    command = re.match(r"\\[A-Za-z!?]+", token.text)
    return Problem(
        offset=token.start,
        says=f"`{command.group() if command else token.text}` is a psql command and no SQL",
        hint="end the statement with a semicolon instead",
    )


def _typed(sql: str, types: tuple[str, ...]) -> str:
    """Return the query with the types that PREPARE declared, as casts."""
    known = {f"${i}": name for i, name in enumerate(types, start=1) if name.lower() != "unknown"}
    if not known:
        return sql
    found = [t for t in tokens(sql) if t.kind is Kind.PARAM and t.text in known]
    for token in reversed(found):
        sql = f"{sql[: token.start]}({token.text}::{known[token.text]}){sql[token.end :]}"
    return sql


def _fingerprint_or_nothing(text: str) -> str:
    """Return a utility statement's fingerprint, empty where it cannot be parsed (it is not planned anyway)."""
    try:
        return tree.fingerprint(text)
    except StatementError:
        return ""
