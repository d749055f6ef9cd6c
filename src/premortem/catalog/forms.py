"""The text forms of arrays and ranges, taken apart and put together with what they hold changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Change = Callable[[str], str]

#: One piece of an array's text form: a brace, a comma, a quoted or a bare element.
_PIECE = re.compile(r'[{},]|"(?:[^"\\]|\\.)*"|[^{},"]+', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PLAIN = re.compile(r'[^\s{},"\\]+\Z')
_BOUND = r'((?:"(?:[^"\\]|\\.|"")*"|[^",\\()\[\]]|\\.)*)'
_RANGE = re.compile(rf"([\[(]){_BOUND},{_BOUND}([\])])", re.DOTALL)


def each_of_array(text: str, change: Change) -> str:
    """Return an array's text form with every element changed; NULL stays.

    >>> each_of_array('{a,"b c",NULL,{"d\\\\"e"}}', str.upper)
    '{A,"B C",NULL,{"D\\\\"E"}}'
    """
    bounds, _, body = text.rpartition("=") if text.startswith("[") else ("", "", text)
    pieces = (piece if piece in "{}," else _element(piece, change) for piece in _PIECE.findall(body))
    return f"{bounds}={''.join(pieces)}" if bounds else "".join(pieces)


def elements(text: str) -> Iterator[str]:
    """Yield the elements of an array's text form, without NULLs.

    >>> list(elements('{a,"b c",NULL,{"d\\\\"e"}}'))
    ['a', 'b c', 'd"e']
    """
    body = text.rpartition("=")[2] if text.startswith("[") else text
    for piece in _PIECE.findall(body):
        if piece not in "{}," and piece != "NULL":
            yield _bare(piece)


def _bare(piece: str) -> str:
    return _ESCAPE.sub(r"\1", piece[1:-1]) if piece.startswith('"') else piece


def _element(piece: str, change: Change) -> str:
    return piece if piece == "NULL" else _written(change(_bare(piece)))


def _written(value: str) -> str:
    if _PLAIN.match(value) and value.upper() != "NULL":
        return value
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def each_of_range(text: str, change: Change) -> str:
    """Return a range's or multirange's text form with every bound changed; infinite bounds stay.

    >>> each_of_range('[1,"2 3")', lambda bound: bound + "0"), each_of_range("{[1,),(,4]}", lambda bound: bound + "0")
    ('[10,"2 30")', '{[10,),(,40]}')
    """
    return _RANGE.sub(lambda m: f"{m[1]}{_bound(m[2], change)},{_bound(m[3], change)}{m[4]}", text)


def bounds(text: str) -> Iterator[str]:
    """Yield the finite bounds of a range's or multirange's text form.

    >>> list(bounds("[1,)")), list(bounds("empty"))
    (['1'], [])
    """
    for match in _RANGE.finditer(text):
        yield from (_bare_bound(part) for part in (match[2], match[3]) if part)


def _bare_bound(part: str) -> str:
    inner = part[1:-1].replace('""', '"') if part.startswith('"') else part
    return _ESCAPE.sub(r"\1", inner)


def _bound(part: str, change: Change) -> str:
    if not part:
        return part
    value = change(_bare_bound(part))
    return value if re.fullmatch(r"[\w.:+-]+", value) else '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
