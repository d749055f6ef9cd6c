"""Takes off what stands around a plan where people copy it from: psql's frame, logs, quotes, fences.

Indentation is what makes the tree, so only what is the same on every line is taken off.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

_RULER = re.compile(r"\s*[-+|=\u2500-\u257f]{3,}\s*\Z")
_FOOTER = re.compile(r"\s*(?:\(\d+ rows?\)|\d+ rows?|Time: .*)\s*\Z")
_HEADER = re.compile(r'[\s|"│]*QUERY PLAN[\s|"│]*\Z')
_FENCE = re.compile(r"\s*(?:```|~~~)\w*\s*\Z")
_BAR = re.compile(r"^\s*[|│]|\s*[|│]\s*$")
_NEWLINE_MARK = re.compile(r"\s*[+↵]\s*\Z")
Says: TypeAlias = Callable[[str], bool]
_ARROW = re.compile(r"(\s*)(?:->|→|⟶|=>)\s+")


def unframed(text: str) -> list[str]:
    """Return the lines of a pasted plan without what a terminal, a log or a web page put around them."""
    lines = [line.expandtabs(8).rstrip() for line in text.replace("\ufeff", "").replace("\xa0", " ").splitlines()]
    kept = [line for line in lines if line and not _is_frame(line)]
    for take_off in (_without_quotation, _without_bars, _without_quotes):
        kept = take_off(kept)
    return [_ARROW.sub(r"\1->  ", line, count=1) if _ARROW.match(line) else line for line in kept if line.strip()]


def _is_frame(line: str) -> bool:
    return any(pattern.match(line) for pattern in (_RULER, _FOOTER, _HEADER, _FENCE))


def _without_quotation(lines: list[str]) -> list[str]:
    """Take off the `> ` of e-mail and Markdown."""
    return [re.sub(r"^\s*> ?", "", line) for line in lines] if _all(lines, lambda line: line[:1] == ">") else lines


def _without_bars(lines: list[str]) -> list[str]:
    """Take off psql's border 2, and the `+` that marks a value's line end."""
    if _all(lines, lambda line: line.lstrip()[:1] in "|│"):
        lines = [_BAR.sub("", line).rstrip() for line in lines]
    elif _most(lines, lambda line: line.endswith(("|", "│"))):
        lines = [line.rstrip("|│ ") for line in lines]
    return [_NEWLINE_MARK.sub("", line) for line in lines] if _most(lines, lambda line: line[-1:] in "+↵") else lines


def _without_quotes(lines: list[str]) -> list[str]:
    """Take off the quotes of spreadsheet and pgAdmin copies."""
    if not _all(lines, lambda line: len(line.strip()) > 1 and line.strip()[0] == line.strip()[-1] == '"'):
        return lines
    return [line.strip()[1:-1].replace('""', '"') for line in lines]


def _all(lines: list[str], says: Says) -> bool:
    return bool(lines) and all(says(line) for line in lines)


def _most(lines: list[str], says: Says) -> bool:
    return sum(map(says, lines)) * 2 > len(lines)
