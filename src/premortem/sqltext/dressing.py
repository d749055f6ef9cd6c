"""Dresses EXPLAIN's own words up as SQL, so that the parser can read what EXPLAIN prints, and undresses them again.

EXPLAIN prints SQL but for a few words that only it has: `hashed SubPlan 1`, `(InitPlan 1).col1`, `EXISTS(SubPlan 1)`,
`alternatives: … or …`, `PARTIAL sum(x)` (`src/backend/utils/adt/ruleutils.c`, get_rule_expr).  They become quoted names
that start with a mark.
"""

from __future__ import annotations

import re

from premortem.sqltext.lexer import Kind, Token, tokens

#: Where a dressed-up name starts; no column of a user's is called so.
MARK = "?"
_SUBPLANS = frozenset({"subplan", "initplan"})
_QUANTIFIABLE = {"any": "any", "all": "all", "exists": "exists"}
_SUBPLAN_NAME = re.compile(r'"\?((?:hashed |alternatives )?(?:SubPlan|InitPlan)[^"]*)"')
_QUANTIFIER_NAME = re.compile(r'"\?(any|all|exists)"')


def dressed(expression: str) -> str:
    """Return an expression of EXPLAIN's as SQL.

    >>> dressed("(hashed SubPlan 1).col1")
    '( "?hashed SubPlan 1" ) . col1'
    """
    pieces: list[str] = []
    rest = list(tokens(expression))
    position = 0
    while position < len(rest):
        text, used = _dress(rest, position)
        pieces.append(text)
        position += used
    return " ".join(pieces)


def undressed(sql: str) -> str:
    """Return SQL text with EXPLAIN's words as EXPLAIN prints them."""
    plain = _SUBPLAN_NAME.sub(lambda m: m.group(1).removeprefix("InitPlan $0") or "$0", sql)
    return _QUANTIFIER_NAME.sub(lambda m: m.group(1).upper(), plain)


def _dress(rest: list[Token], position: int) -> tuple[str, int]:
    """Return the text to put for the token at a position, and how many tokens it stands for."""
    token = rest[position]
    ahead = [t.word for t in rest[position : position + 3]] + ["", "", ""]
    if token.word in _SUBPLANS and position + 1 < len(rest) and rest[position + 1].kind in (Kind.NUMBER, Kind.WORD):
        return _marked(f"{token.text} {rest[position + 1].text}"), 2
    if token.text == "$0":  # an InitPlan's output up to PostgreSQL 16; the parser takes $0 for a wildcard
        return _marked("InitPlan $0"), 1
    if token.word == "hashed" and ahead[1] in _SUBPLANS and position + 2 < len(rest):
        return _marked(f"hashed {rest[position + 1].text} {rest[position + 2].text}"), 3
    if token.word == "rescan" and _opens_subplan(rest, position + 1):
        return "", 1
    if token.word == "alternatives" and _text(rest, position + 1) == ":":
        return _alternatives(rest, position)
    if token.word in _QUANTIFIABLE and _text(rest, position + 1) == "(" and not _after_operator(rest, position):
        return _marked(_QUANTIFIABLE[token.word]), 1
    if token.word == "partial" and position + 1 < len(rest) and rest[position + 1].kind in (Kind.WORD, Kind.QUOTED):
        return "", 1
    return token.text, 1


def _marked(name: str) -> str:
    return f'"{MARK}{name}"'


def _text(rest: list[Token], position: int) -> str:
    return rest[position].text if 0 <= position < len(rest) else ""


def _opens_subplan(rest: list[Token], position: int) -> bool:
    nearby = [t.word for t in rest[position : position + 3]]
    return any(word in _SUBPLANS for word in nearby)


def _after_operator(rest: list[Token], position: int) -> bool:
    if position == 0:
        return False
    before = rest[position - 1]
    return before.kind is Kind.OPERATOR or before.word in ("like", "ilike") or before.text == ")"


def _alternatives(rest: list[Token], position: int) -> tuple[str, int]:
    end = position
    while end < len(rest) and rest[end].text != ")":
        end += 1
    words = " ".join(t.text for t in rest[position + 2 : end])
    return _marked(f"alternatives {words}"), end - position
