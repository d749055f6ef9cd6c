"""A statement without its values: fast enough to be done for each of millions, so without the parser.

`reduced` takes comments and constants out of a text, and shortens what only repeats: of `IN (1, 2, 3)` and `ARRAY[…]`
one element stays, of `VALUES (…), (…)` one row.  Texts that were the same but for that have the same `key`; only the
first of them need be parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n\r]*+|/\*)
    | (?P<quoted>(?:[uU]&)?"[^"]*+(?:""[^"]*+)*+")
    | (?P<string>(?<![\w$])[eE]'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'
        |(?:(?<![\w$])(?:[bBxXnN]|[uU]&))?'[^']*+(?:''[^']*+)*+')
    | (?P<dollar>(?<![\w$])\$(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*+)?\$)
    | (?P<param>(?<![\w$])\$[0-9]++)
    | (?P<number>(?<![\w$."\]])
        (?:0[xX][0-9A-Fa-f_]++|(?:[0-9][0-9_]*+(?:\.(?!\.)[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+)(?!\w))
    | (?P<word>(?<![\w$"])(?:null|true|false)(?![\w$"]))
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_EDGE = re.compile(r"/\*|\*/")
_SPACE = re.compile(r"\s+")
#: What may stand before a sign that belongs to the number after it, or before a NULL that is a value.
_BEFORE_VALUE = re.compile(
    r"(?:[(,=<>\[*/%+|-]|\b(?:in|like|ilike|between|and|or|when|then|else|limit|offset|select|return|values|not|by|set))\s*\Z",
    re.IGNORECASE,
)
_BEFORE_WORD = re.compile(r"(?:[(,=<>\[]|\b(?:then|else|select|values))\s*\Z", re.IGNORECASE)
#: Stand-ins for a constant and a parameter in a key.
_C, _P = "\x01", "\x02"
_ELEMENT = rf"[{_C}{_P}](?:::[\w.]+(?: (?:precision|varying|with(?:out)? time zone))?(?:\(\d+\))?(?:\[\])?)?"
_LIST = re.compile(
    rf"(?P<head>\bin \(|\barray\[)(?P<one>{_ELEMENT})(?P<more>(?: ?, ?{_ELEMENT})*)(?P<close> ?[)\]])", re.IGNORECASE
)
_ROWS = re.compile(
    r"(?P<head>\bvalues ?)(?P<row>\((?:[^()]++|\((?:[^()]++|\([^()]*+\))*+\))*+\))(?P<more>(?: ?, ?(?P=row))+)",
    re.IGNORECASE,
)


#: Rows of a VALUES that is joined with: its plan depends on their number, though not on the last of them.
_ROWS_KEPT = 20


@dataclass(frozen=True, slots=True)
class Value:
    """A constant as it is written, or the number of a parameter."""

    text: str = ""
    parameter: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where values stand in a reduced text: from `start` to `end`, several where a list or rows were shortened.

    `is_list` is for a list of any length.  `values` are those of the list, or of the first row.
    """

    start: int
    end: int
    values: tuple[Value, ...]
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Reduced:
    """A statement without comments, with one element of each list and one of each run of equal rows.

    `key` is the same for texts that differ in values, lengths of lists and white space only.
    """

    text: str
    key: str
    places: tuple[Place, ...]
    comments: tuple[str, ...]
    rows: int = 1


def reduced(sql: str) -> Reduced:
    """Return a statement without what differs from execution to execution.

    >>> found = reduced("select * from t where a = -5 and b in ('x', 'y') /* why */")
    >>> found.text, [[v.text for v in p.values] for p in found.places], found.comments
    ("select * from t where a = -5 and b in ('x')", [['-5'], ["'x'", "'y'"]], ('/* why */',))
    """
    pattern, values, comments = _patterned(sql)
    return _shortened(pattern, values, comments)


def _patterned(sql: str) -> tuple[str, list[Value], tuple[str, ...]]:
    """Return the text with stand-ins for values, white space made even."""
    parts: list[str] = []
    values: list[Value] = []
    comments: list[str] = []
    position = scanned = 0
    while True:
        found = _TOKEN.search(sql, scanned)
        if found is None:
            rest = _even(sql[position:])
            parts.append(rest.lstrip(" ") if parts and parts[-1] == " " else rest)
            break
        kind, start, end = found.lastgroup, found.start(), found.end()
        if kind == "quoted" and _PLAIN_NAME.match(sql, start, end):
            scanned = end  # a part of the code: nothing in it is touched when white space is made even
            continue
        before = _even(sql[position:start])
        if parts and parts[-1] == " ":
            before = before.lstrip(" ")
        if kind == "comment":
            end = _comment_end(sql, start, end)
            comments.append(sql[start:end])
            parts += (before.rstrip(" "), " ")
        elif kind == "quoted":
            parts += (before, found.group().replace(_C, "").replace(_P, ""))
        elif kind == "param":
            parts += (before, _P)
            values.append(Value(parameter=int(found.group()[1:])))
        else:
            end = _dollar_end(sql, found) if kind == "dollar" else end
            text = sql[start:end]
            if kind == "number":
                before, text = _with_sign(parts, before, text)
            if kind == "word" and not _BEFORE_WORD.search(_tail(parts) + before):
                parts += (before, text)
            else:
                parts += (before, _C)
                values.append(Value(text=text))
        position = scanned = end
    return "".join(parts).strip(" ;"), values, tuple(comments)


_PLAIN_NAME = re.compile(r"[^\s,\x01\x02]*\Z")


def _even(text: str) -> str:
    """Return code without the control characters that stand for values, each run of white space one space."""
    text = text.replace(_C, "").replace(_P, "") if _C in text or _P in text else text
    text = _SPACE.sub(" ", text)
    return text.replace(" ,", ",").replace(", ", ",").replace(",", ", ") if "," in text else text


def _tail(parts: list[str]) -> str:
    return "".join(parts[-2:])[-40:]


def _with_sign(parts: list[str], before: str, text: str) -> tuple[str, str]:
    """Return a number with the minus before it where that is its sign."""
    head = before.rstrip(" ")
    if head.endswith("-") and _BEFORE_VALUE.search(_tail(parts) + head[:-1]):
        return head[:-1], f"-{text}"
    return before, text


def _comment_end(sql: str, start: int, end: int) -> int:
    if sql[start] == "-":
        return end
    depth = 0
    for edge in _EDGE.finditer(sql, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)


def _dollar_end(sql: str, found: re.Match[str]) -> int:
    end = sql.find(found.group(), found.end())
    return len(sql) if end < 0 else end + len(found.group())


def _shortened(pattern: str, values: list[Value], comments: tuple[str, ...]) -> Reduced:
    """Put values back where one of each is enough."""
    shape = _shape(pattern) if len(pattern) <= _CACHED else _shape.__wrapped__(pattern)
    parts: list[str] = []
    places: list[Place] = []
    length = 0
    for piece, number, count, is_list in shape.pieces:
        parts.append(piece)
        length += len(piece)
        if number is None:
            continue
        first = values[number]
        text = first.text if first.parameter is None else f"${first.parameter}"
        parts.append(text)
        places.append(Place(length, length + len(text), tuple(values[number : number + count]), is_list))
        length += len(text)
    return Reduced("".join(parts), shape.key + _same_again(places), tuple(places), comments, shape.rows)


def _same_again(places: Iterable[Place]) -> str:
    """Return which parameters outside lists are the same one: their numbers depend on the lengths of lists before."""
    numbers = [v.parameter for p in places if not p.is_list for v in p.values if v.parameter is not None]
    order = {number: index for index, number in enumerate(dict.fromkeys(numbers))}
    return "\x03" + ",".join(str(order[n]) for n in numbers) if len(order) < len(numbers) else ""


@dataclass(frozen=True, slots=True)
class _Shape:
    """A pattern with lists and rows shortened: texts, each with the number of the value after it and how many."""

    pieces: tuple[tuple[str, int | None, int, bool], ...]
    key: str
    rows: int


_CACHED = 20_000
#: The members of `IN ((1), (2))`, as Django writes it for some keys.
_IN_PARENTHESES = re.compile(rf"(?<=\bin \()\([{_C}{_P}]\)(?: ?, ?\([{_C}{_P}]\))*+(?= ?\))", re.IGNORECASE)


@lru_cache(maxsize=4096)
def _shape(pattern: str) -> _Shape:
    pattern_, skipped, rows = _one_row(_IN_PARENTHESES.sub(lambda m: re.sub(r"[()]", "", m[0]), pattern))
    pieces = tuple(_pieces(pattern_, skipped))
    key = "".join(text + ("" if number is None else "\x04" if is_list else _C) for text, number, _, is_list in pieces)
    return _Shape(pieces, key, rows)


def _one_row(pattern: str) -> tuple[str, dict[int, int], int]:
    """Return the pattern with one row of each run of equal ones, and what values that leaves out after which."""
    skipped: dict[int, int] = {}
    most, parts, position, kept = 1, [], 0, 0
    for found in _ROWS.finditer(pattern):
        keep = pattern[position : found.start("more")]
        if pattern[: found.start()].endswith("("):  # FROM (VALUES …): how many there are decides about joins
            keep = pattern[position : _some_rows(found)]
        parts.append(keep)
        kept += _count(keep)
        left_out = _count(pattern[position + len(keep) : found.end()])
        skipped[kept] = skipped.get(kept, 0) + left_out
        most = max(most, 1 + _count(found["more"]) // max(1, _count(found["row"])))
        position = found.end()
    return "".join((*parts, pattern[position:])), skipped, most


def _some_rows(found: re.Match[str]) -> int:
    """Return where the twentieth row ends."""
    row, length = found["row"], 0
    for _ in range(_ROWS_KEPT - 1):
        at = found["more"].find(row, length)
        length = at + len(row) if at >= 0 else length
    return found.start("more") + length


def _count(text: str) -> int:
    return text.count(_C) + text.count(_P)


_MARK = re.compile(rf"{_LIST.pattern}|(?P<mark>[{_C}{_P}])", re.IGNORECASE)


def _pieces(pattern: str, skipped: dict[int, int]) -> Iterator[tuple[str, int | None, int, bool]]:
    """Yield texts with the values after them; after so many kept values, as many are left out as `skipped` says."""
    text, position, kept, left_out = "", 0, 0, 0
    for found in _MARK.finditer(pattern):
        one = found["one"]
        if one is not None and _is_alike(found):
            count = 1 + _count(found["more"])
            yield text + pattern[position : found.start("one")], kept + left_out, count, True
            text, position = one[1:], found.end("close") - 1  # a comment before the bracket leaves a blank
            kept += count
            left_out += skipped.get(kept, 0)
            continue
        for mark in _SINGLE.finditer(pattern, found.start(), found.end()):
            yield text + pattern[position : mark.start()], kept + left_out, 1, False
            text, position = "", mark.end()
            kept += 1
            left_out += skipped.get(kept, 0)
    yield text + pattern[position:], None, 0, False


_SINGLE = re.compile(f"[{_C}{_P}]")


def _is_alike(found: re.Match[str]) -> bool:
    """Whether all elements of a list have the same cast."""
    cast = found["one"][1:]
    return all(element.strip(" ")[1:] == cast for element in found["more"].split(",")[1:])
