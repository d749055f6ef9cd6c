"""Where LIKE and regular expression patterns are anchored, which decides what kind of index can serve them."""

from __future__ import annotations

import re

from premortem.sqltext.conditions import Pattern, PatternKind

_REGEX_SPECIAL = frozenset("\\.^$|?*+()[]{}")


def like_pattern(value: str | None) -> Pattern:
    r"""Return what a LIKE pattern is; None stands for one that is not known when planning.

    >>> like_pattern("abc%").prefix, like_pattern("%ab%cde%").longest, like_pattern(r"a\%b").prefix
    ('abc', 'cde', 'a%b')
    """
    if value is None:
        return Pattern(kind=PatternKind.UNKNOWN)
    pieces = _like_pieces(value)
    longest = max(pieces, key=len)
    if len(pieces) == 1:
        return Pattern(kind=PatternKind.EXACT, prefix=pieces[0], longest=longest)
    if pieces[0]:
        return Pattern(kind=PatternKind.PREFIX, prefix=pieces[0], longest=longest)
    suffix = bool(pieces[-1]) and not any(pieces[:-1])
    return Pattern(kind=PatternKind.SUFFIX if suffix else PatternKind.INFIX, longest=longest)


def _like_pieces(value: str) -> list[str]:
    """Return the fixed texts between wildcards, the first and last ones empty where a wildcard stands there."""
    pieces, position = [""], 0
    while position < len(value):
        character = value[position]
        if character in "%_":
            pieces.append("")
        else:
            position += character == "\\"
            pieces[-1] += value[position : position + 1]
        position += 1
    return pieces


def regex_pattern(value: str | None) -> Pattern:
    """Return what a regular expression is: anchored at a fixed start, or not.

    >>> regex_pattern("^abc.*").prefix, regex_pattern("^abc?").prefix, regex_pattern("abc").kind.value
    ('abc', 'ab', 'infix')
    """
    if value is None:
        return Pattern(kind=PatternKind.UNKNOWN)
    longest = max(re.split(r"\\.|[\\.^$|?*+()\[\]{}]", value), key=len)
    if not value.startswith("^") or "|" in value:
        return Pattern(kind=PatternKind.INFIX, longest=longest)
    prefix = _regex_prefix(value[1:])
    if value == f"^{prefix}$":
        return Pattern(kind=PatternKind.EXACT, prefix=prefix, longest=prefix)
    return Pattern(kind=PatternKind.PREFIX if prefix else PatternKind.INFIX, prefix=prefix, longest=longest)


def _regex_prefix(value: str) -> str:
    """Return the characters that every match starts with."""
    end = next((i for i, c in enumerate(value) if c in _REGEX_SPECIAL), len(value))
    optional = end and value[end : end + 1] in ("?", "*", "{")
    return value[: end - 1] if optional else value[:end]
