"""Takes the query out of what stands around it: EXPLAIN, PREPARE, DECLARE CURSOR, COPY (…), CREATE … AS, SELECT INTO.

Working on tokens keeps the query's text as its author wrote it, and works before placeholders are understood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from premortem.sqltext.lexer import Kind, Token

#: First words of statements that can be planned.
QUERIES = frozenset({"select", "insert", "update", "delete", "merge", "with", "values", "table"})
#: First words of everything else that PostgreSQL takes (`src/backend/parser/gram.y`, `stmt`).
UTILITIES = frozenset(
    """
    abort alter analyze analyse begin call checkpoint close cluster comment commit copy create deallocate declare
    discard do drop end execute explain fetch grant import listen load lock move notify prepare reassign refresh reindex
    release repack reset revoke rollback savepoint security set show start truncate unlisten vacuum
    """.split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """The tokens of the query inside a statement, the types that PREPARE declares, and what to leave out (offsets)."""

    code: tuple[Token, ...]
    left_out: tuple[int, int] | None = None
    types: tuple[str, ...] = ()


def unwrap(text: str, code: Sequence[Token]) -> Unwrapped | None:
    """Return the query of a statement, None where it has none that could be planned."""
    types: tuple[str, ...] = ()
    code = tuple(code)
    while code:
        word = _first_word(code)
        if word in QUERIES:
            return Unwrapped(code=code, left_out=_into(code), types=types)
        if word == "prepare":
            types = _declared_types(text, code)
        if word in UTILITIES:
            code = _inside(word, code)
            continue
        return Unwrapped(code=code, types=types)
    return None


def _first_word(code: Sequence[Token]) -> str:
    return next((t.word for t in code if t.text != "("), "")


def _inside(word: str, code: tuple[Token, ...]) -> tuple[Token, ...]:
    if word == "explain":
        return _after_explain(code)
    if word == "prepare":
        return () if _word(code, 1) == "transaction" else _after_word(code, "as")
    if word == "declare":
        return _after_word(code, "for")
    if word == "copy":
        return _parenthesized(code, 1) if _text(code, 1) == "(" else ()
    return _after_create(code) if word == "create" else ()


def _after_explain(code: tuple[Token, ...]) -> tuple[Token, ...]:
    index = 1
    if _text(code, 1) == "(" and _word(code, 2) not in QUERIES and _text(code, 2) != "(":
        index += len(_parenthesized(code, 1)) + 2
    while _word(code, index) in ("analyze", "analyse", "verbose"):
        index += 1
    return code[index:]


def _after_create(code: tuple[Token, ...]) -> tuple[Token, ...]:
    head = {t.word for t in code[1:6]}
    if "view" in head:
        return _without_tail(_after_word(code, "as"), ("check", "data"))
    if "table" in head:
        query = _after_word(code, "as")
        return _without_tail(query, ("data",)) if _first_word(query) in QUERIES | {"execute"} else ()
    return ()


def _without_tail(code: tuple[Token, ...], words: tuple[str, ...]) -> tuple[Token, ...]:
    """Leave out `WITH [NO] DATA` and `WITH [LOCAL | CASCADED] CHECK OPTION` at the end."""
    last = [t.word for t in code[-4:]]
    if not any(word in last[-2:] for word in words) or "with" not in last:
        return code
    return code[: len(code) - len(last) + last.index("with")]


def _after_word(code: tuple[Token, ...], word: str) -> tuple[Token, ...]:
    """Return what follows the first such word outside parentheses."""
    depth = 0
    for index, token in enumerate(code):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.word == word:
            return code[index + 1 :]
    return ()


def _parenthesized(code: tuple[Token, ...], start: int) -> tuple[Token, ...]:
    """Return what stands between the parenthesis at an index and its partner."""
    depth = 0
    for index in range(start, len(code)):
        depth += {"(": 1, ")": -1}.get(code[index].text, 0)
        if depth == 0:
            return code[start + 1 : index]
    return code[start + 1 :]


def _declared_types(text: str, code: tuple[Token, ...]) -> tuple[str, ...]:
    if _text(code, 2) != "(":
        return ()
    inside = _parenthesized(code, 2)
    types, start, depth = [], 0, 0
    for index, token in enumerate(inside):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.text == ",":
            types.append(inside[start:index])
            start = index + 1
    types.append(inside[start:])
    return tuple(text[t[0].start : t[-1].end] for t in types if t)


def _into(code: tuple[Token, ...]) -> tuple[int, int] | None:
    """Return where `INTO [TEMP] [TABLE] name` of a SELECT stands, which PREPARE does not take."""
    if _first_word(code) not in ("select", "with"):
        return None
    depth = 0
    for index, token in enumerate(code):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.word == "into":
            return token.start, code[_end_of_into(code, index) - 1].end
        if depth == 0 and token.word in ("from", "where", "insert", "update", "delete", "merge"):
            return None
    return None


def _end_of_into(code: tuple[Token, ...], index: int) -> int:
    index += 1
    while _word(code, index) in ("temp", "temporary", "local", "global", "unlogged", "table"):
        index += 1
    index += 1
    while _text(code, index) == "." and index + 1 < len(code):
        index += 2
    return min(index, len(code))


def _word(code: Sequence[Token], index: int) -> str:
    return code[index].word if index < len(code) else ""


def _text(code: Sequence[Token], index: int) -> str:
    return code[index].text if index < len(code) and code[index].kind is Kind.PUNCTUATION else ""
