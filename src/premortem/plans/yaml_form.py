"""Reads EXPLAIN's YAML form into PostgreSQL's JSON vocabulary.

PostgreSQL quotes every text and writes numbers, `true` and `false` bare.  YAML itself would take more for something
else than text (`no`, `1_000`, `12:30:00`, dates), so the values are made here from the parser's events and not by its
constructors.  Anchors and aliases, which can make a small text a huge value, come in no plan and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from premortem.errors import InputError
from premortem.model import Json
from premortem.plans.hints import HINT

_START = re.compile(r"\s*(?P<dash>- )?(?P<name>Query Text|Plan):(?: |\Z)")
_KEY = re.compile(r"\s*[A-Z][\w/ -]*:(?: |\Z)")
_LOOK = re.compile(r"^\W*(?:- )?Plan: *\n\W*Node Type: ", re.MULTILINE)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\Z", re.IGNORECASE)
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None, "": None}
_DEEPEST = 2_000


def looks_like(text: str) -> bool:
    """Whether a text holds a plan in YAML form."""
    return bool(_LOOK.search(text))


def values(lines: Sequence[str]) -> Iterator[tuple[int, Json]]:
    """Yield the documents that lines hold in YAML form, each with the line (from 0) on which it starts.

    Raises InputError where one cannot be read.
    """
    at = 0
    while at < len(lines):
        if not _START.match(lines[at]):
            at += 1
            continue
        end = _end(lines, at)
        yield at, _document("\n".join(lines[at:end]))
        at = end


def _end(lines: Sequence[str], start: int) -> int:
    """Return the line after a document's last: the next document, or the first line that can be none of its own."""
    margin, listed, planned = _column(lines[start]), False, False
    for at in range(start, len(lines)):
        begins = _START.match(lines[at]) if _column(lines[at]) <= margin else None
        if at == start:
            listed = bool(begins and begins["dash"])
        elif (begins and (begins["dash"] or (planned and begins["name"]))) or (
            lines[at].strip() and not _belongs(lines[at], margin, listed=listed)
        ):
            return at
        planned = planned or bool(begins and begins["name"] == "Plan")
    return len(lines)


def _belongs(line: str, margin: int, *, listed: bool) -> bool:
    column = _column(line)
    return column > margin or (column == margin and not listed and bool(_KEY.match(line)))


def _column(line: str) -> int:
    return len(line) - len(line.lstrip())


def _document(text: str) -> Json:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Builder().built(yaml.parse(text, Loader=loader))
    except (yaml.YAMLError, ValueError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"this YAML plan cannot be read: {said}", hint=HINT) from None


class _Builder:
    """Builds the value of a document from a parser's events."""

    def __init__(self) -> None:
        self._open: list[tuple[list[Json] | dict[str, Json], str | None]] = []
        self._root: Json = None

    def built(self, events: Iterator[Any]) -> Json:
        """Return the value; ValueError where the events are those of no plan."""
        for event in events:
            self._take(type(event).__name__, event)
        return self._root

    def _take(self, kind: str, event: Any) -> None:
        if kind == "AliasEvent" or getattr(event, "anchor", None):
            raise ValueError("it has anchors")
        if kind == "ScalarEvent":
            self._add(event.value, plain=not event.style)
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            if len(self._open) > _DEEPEST:
                raise ValueError("it is nested too deeply")
            self._enter({} if kind.startswith("M") else [])
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._open.pop()

    def _enter(self, value: list[Json] | dict[str, Json]) -> None:
        self._put(value)
        self._open.append((value, None))

    def _add(self, text: str, *, plain: bool) -> None:
        if self._open and isinstance(self._open[-1][0], dict) and self._open[-1][1] is None:
            self._open[-1] = (self._open[-1][0], text)
            return
        self._put(_typed(text) if plain else text)

    def _put(self, value: Json) -> None:
        if not self._open:
            self._root = value
            return
        holder, key = self._open[-1]
        if isinstance(holder, list):
            holder.append(value)
        else:
            holder[key or ""] = value
            self._open[-1] = (holder, None)


def _typed(text: str) -> Json:
    if _NUMBER.match(text):
        return float(text)
    return _WORDS.get(text, text)
