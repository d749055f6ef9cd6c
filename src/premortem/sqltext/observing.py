"""A statement as a server saw it, and the text with `$n` that stands for it and for all that only differ in values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from premortem.errors import StatementError
from premortem.model import Allow
from premortem.sqltext import tree
from premortem.sqltext.facts import kind_of
from premortem.sqltext.freedom import Freedom, Observed, Parameterized, Slot
from premortem.sqltext.lexer import Kind, Token, tokens
from premortem.sqltext.literals import readable
from premortem.sqltext.pieces import Lines, allows, pieces
from premortem.sqltext.skeleton import Place, Reduced, Value
from premortem.sqltext.slots import slots
from premortem.sqltext.wrappers import unwrap

#: The protocol counts them with 16 bits.
_MOST_PARAMETERS = 65_535


def observed(found: Reduced) -> Observed:
    """Return what the parser says of a reduced statement; raises StatementError where it cannot be parsed."""
    if any((v.parameter or 0) > _MOST_PARAMETERS for p in found.places for v in p.values):
        raise StatementError(f"a statement has no more than {_MOST_PARAMETERS:,} parameters")
    sql = readable(found.text) if "$" in found.text else found.text
    statement = tree.one_statement(sql)
    if statement is None:
        raise StatementError("there is no statement")
    by_offset = _slots(statement) if sql == found.text else {}
    kinds = tuple(_slot(place, found.text, by_offset) for place in found.places)
    pairs = zip(found.places, kinds, strict=True)
    fixed = [v.text for place, slot in pairs if slot and slot.freedom is Freedom.FIXED for v in place.values]
    return Observed(
        reduced=found,
        fingerprint=tree.fingerprint(sql),
        kind=kind_of(statement),
        slots=kinds,
        variant=tuple(dict.fromkeys(fixed)),
    )


def _slots(statement: tree.Node) -> dict[int, Slot]:
    """Return the constants by offset; of a statement that is nested too deeply, none: they stay what they are."""
    try:
        return slots(statement)
    except RecursionError:
        return {}


_FIXED = Slot(offset=-1, freedom=Freedom.FIXED)


def _slot(place: Place, text: str, by_offset: dict[int, Slot]) -> Slot | None:
    if all(v.parameter is not None for v in place.values):
        return None
    offset = place.start if text.isascii() else len(text[: place.start].encode())
    return by_offset.get(offset, _FIXED)


def inner(sql: str) -> str | None:
    """Return the query inside a statement (of DECLARE, COPY, EXPLAIN, CREATE TABLE AS), None where it has none."""
    code = [t for t in tokens(sql) if t.kind is not Kind.COMMENT and t.text != ";"]
    found = unwrap(sql, code)
    if found is None or not found.code:
        return None
    first, last = found.code[0], found.code[-1]
    if found.left_out is None:
        return sql[first.start : last.end]
    return sql[first.start : found.left_out[0]] + sql[found.left_out[1] : last.end]


def separated(sql: str) -> tuple[str, ...]:
    """Return the statements of a text, each with its comments and without its semicolon."""
    return tuple(sql[piece.start : piece.end].strip().rstrip(";") for piece in pieces(sql))


def allowed(sql: str) -> tuple[Allow, ...]:
    """Return the `premortem: allow` comments of a statement."""
    lines = Lines(sql)
    return tuple(allow for piece in pieces(sql) for allow in allows(piece, lines))


def prepared(sql: str) -> tuple[str, tuple[Value, ...]] | None:
    """Return what `PREPARE name AS query; EXECUTE name (values)` runs, None for any other text.

    >>> prepared("prepare p(int) as select * from t where a = $1; execute p(7)")
    ('select * from t where a = $1', (Value(text='7', parameter=None),))
    """
    code = [t for t in tokens(sql) if t.kind is not Kind.COMMENT]
    cut = next((i for i, t in enumerate(code) if t.text == ";"), None)
    if cut is None or code[0].word != "prepare" or cut + 1 >= len(code) or code[cut + 1].word != "execute":
        return None
    query = inner(sql[: code[cut].start])
    return (query, tuple(_arguments(code[cut + 1 :]))) if query else None


def _arguments(code: Sequence[Token]) -> list[Value]:
    """Return the constants of `EXECUTE name (…)`, an empty text for whatever else is handed over."""
    start = next((i for i, t in enumerate(code) if t.text == "("), None)
    if start is None:
        return []
    found: list[list[Token]] = [[]]
    depth = 0
    for token in code[start:]:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 1 and token.text == ",":
            found.append([])
        elif depth and token is not code[start]:
            found[-1].append(token)
    return [Value(text="".join(t.text for t in part if t.text not in ("(", ")"))) for part in found]


# --- writing the text ---

_IN = re.compile(r"(?P<negated>\bnot )?\bin \(\Z", re.IGNORECASE)
_ARRAY = re.compile(r"\barray\[\Z", re.IGNORECASE)
_AFTER = re.compile(r"(?P<cast>(?:::[^()\[\],]+(?:\(\d+\))?(?:\[\])?)?) ?[)\]]")


def written(of: Observed, chosen: Sequence[bool], values: Sequence[Sequence[str]]) -> Parameterized:
    """Return the text in which the chosen places are parameters; the others hold the given constants.

    Parameters that the text had keep their numbers, unless a list of them became one.
    """
    keeps = not any(c and p.is_list and _has_parameter(p) for c, p in zip(chosen, of.reduced.places, strict=True))
    writer = _Writer(of=of, next=_largest(of) + 1 if keeps else 1, keeps=keeps)
    for index, is_chosen in enumerate(chosen):
        writer.take(index, values[index], is_chosen=is_chosen)
    return writer.done()


def _has_parameter(place: Place) -> bool:
    return any(v.parameter is not None for v in place.values)


def _largest(of: Observed) -> int:
    return max((v.parameter or 0 for p in of.reduced.places for v in p.values), default=0)


class _Writer:
    def __init__(self, *, of: Observed, next: int, keeps: bool) -> None:
        self.of, self.next, self.keeps = of, next, keeps
        self.parts: list[str] = []
        self.position = 0
        self.numbers: dict[int, int] = {}
        self.sources: dict[int, int] = {}

    def take(self, index: int, constants: Sequence[str], *, is_chosen: bool) -> None:
        """Write the place with that index."""
        place, slot = self.of.reduced.places[index], self.of.slots[index]
        text = self.of.reduced.text
        if place.is_list and is_chosen:
            self._list(index, place, slot)
        elif place.is_list:
            after = _AFTER.match(text, place.end)
            cast = after["cast"] if after else ""
            self._put(place.start, place.end, f"{cast}, ".join(self._constant(c, index) for c in constants))
        elif not is_chosen and slot is not None:
            self._put(place.start, place.end, constants[0])
        elif slot is None:
            self._put(place.start, place.end, f"${self._number(place.values[0].parameter or 0, index)}")
        else:
            cast = f"::{slot.cast}" if slot.cast else ""
            self._put(place.start, place.end, f"${self._new(index)}{cast}")

    def _constant(self, constant: str, index: int) -> str:
        return f"${self._number(int(constant[1:]), index)}" if re.fullmatch(r"\$[0-9]+", constant) else constant

    def _list(self, index: int, place: Place, slot: Slot | None) -> None:
        text = self.of.reduced.text
        before, after = text[self.position : place.start], _AFTER.match(text, place.end)
        cast = after["cast"] if after else ""
        end = after.end() if after else place.end
        in_, array = _IN.search(before), _ARRAY.search(before)
        cast = f"{cast}[]" if cast else f"::{slot.cast}[]" if array and slot and slot.cast else ""
        number = self._new(index)
        if in_:
            operator = "<> ALL" if in_["negated"] else "= ANY"
            self._put(self.position + in_.start(), end, f"{operator} (${number}{cast})")
        elif array:
            self._put(self.position + array.start(), end, f"${number}{cast}")

    def _put(self, start: int, end: int, text: str) -> None:
        before = self.of.reduced.text[self.position : start]
        glued = text.startswith("$") and (before[-1:].isalnum() or before[-1:] == "_")  # interval'1 day'
        self.parts += (before, " " if glued else "", text)
        self.position = end

    def _new(self, index: int) -> int:
        number, self.next = self.next, self.next + 1
        self.sources[number] = index
        return number

    def _number(self, parameter: int, index: int) -> int:
        """Return the number of a parameter that the text had."""
        if parameter not in self.numbers:
            number = parameter if self.keeps else self._new(index)
            self.numbers[parameter] = number
            self.sources[number] = -parameter
        return self.numbers[parameter]

    def done(self) -> Parameterized:
        text = "".join((*self.parts, self.of.reduced.text[self.position :]))
        count = max(self.sources, default=0)
        return Parameterized(text=readable(text), places=tuple(self.sources.get(n, -n) for n in range(1, count + 1)))


# --- values ---


def value(constant: str) -> str | None:
    r"""Return what a constant says, None for NULL.

    >>> value("'it''s'"), value("-5"), value("NULL"), value("$a$x$a$"), value(r"E'a\'b\n'")
    ("it's", '-5', None, 'x', "a'b\n")
    """
    first = constant[:1]
    if first == "'":
        return constant[1:-1].replace("''", "'")
    if first in "eE" and constant[1:2] == "'":
        return _ESCAPE.sub(_unescaped, constant[2:-1].replace("''", "'"))
    if first == "$":
        tag = constant[: constant.index("$", 1) + 1]
        return constant[len(tag) : -len(tag)]
    if constant[:3].upper() == "U&'":
        return _UNICODE.sub(_code_point, constant[3:-1].replace("''", "'"))
    if first in "bBxXnN" and constant[1:2] == "'":
        return constant[1:-1].replace("'", "", 1) if first in "xX" else constant[2:-1]
    lowered = constant.lower()
    return None if lowered == "null" else lowered if lowered in ("true", "false") else constant


_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_UNICODE = re.compile(r"\\(?:\\|([0-9A-Fa-f]{4})|\+([0-9A-Fa-f]{6}))")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _unescaped(found: re.Match[str]) -> str:
    octal, byte, short, long, letter = found.groups()
    if letter is not None:
        return _LETTERS.get(letter, letter)
    number = int(octal, 8) if octal else int(byte or short or long, 16)
    return chr(number) if number < 0x110000 else "\ufffd"


def _code_point(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    return chr(int(digits, 16)) if digits and int(digits, 16) < 0x110000 else "\\"


def array(values: Sequence[str | None]) -> str:
    """Return an array literal, NULL for None.

    >>> print(array(["a", 'b"c', None, "null"]))
    {a,"b\\"c",NULL,"null"}
    """
    return "{" + ",".join("NULL" if v is None else _member(v) for v in values) + "}"


_PLAIN_MEMBER = re.compile(r"[^\s{}\",\\]+\Z")


def _member(text: str) -> str:
    if _PLAIN_MEMBER.match(text) and text.lower() != "null":
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@lru_cache(maxsize=4096)
def looks_like_code(constant: str) -> bool:
    """Whether a text reads like a word of a program: `active`, `PENDING`, `order.paid`, `en-us`."""
    found = value(constant)
    return found is not None and re.fullmatch(r"[A-Za-z][A-Za-z_.:-]{0,39}", found) is not None
