"""A text that is too long for a comment, cut where nothing stands open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r" {0,3}(?P<ticks>`{3,}|~{3,})(?P<rest>[^\n]*)")
_OPENS, _CLOSES = re.compile(r"<details\b", re.IGNORECASE), re.compile(r"</details>", re.IGNORECASE)


def length(text: str) -> int:
    """Return how long a text is in UTF-16, which is never less than what a forge counts.

    >>> length("a"), length("😀")
    (1, 2)
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fitted(text: str, most: int) -> str:
    """Return the text, or as much of its beginning as `most` allows, whole sections first, with a note of the rest.

    It is cut before a heading where one is near, else at an end of line; what stands open there is closed.
    """
    if length(text) <= most:
        return text
    room = most - length(_note(length(text)))
    best = _best(list(_cuts(text)), room)
    kept = text[: best.at].rstrip() + best.closing if best else _hard(text, room)
    return kept + _note(length(text) - length(kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    at: int
    closing: str
    length: int
    is_section: bool = False


def _note(left: int) -> str:
    return f"\n\n… {left:,} more characters do not fit here; the whole report is with the job's files.\n"


def _best(cuts: list[_Cut], room: int) -> _Cut | None:
    """Return the last cut that fits: between sections if that loses little, then where nothing is open, then any."""
    fit = [c for c in cuts if c.length + len(c.closing) <= room]
    for share, good in ((0.7, [c for c in fit if c.is_section]), (0.5, [c for c in fit if not c.closing]), (0.0, fit)):
        if good and good[-1].length >= share * room:
            return good[-1]
    return None


def _cuts(text: str) -> Iterator[_Cut]:
    """Yield every line's end at which the text can be cut, with what has to be closed there."""
    fence, depth, at, counted = "", 0, 0, 0
    for line in text.splitlines(keepends=True):
        is_section = line.startswith(("## ", "### ")) and not fence and depth == 0
        if at:
            closing = f"\n{fence}" if fence else ""
            closing += "\n\n</details>" * depth
            yield _Cut(at=at, closing=closing, length=counted, is_section=is_section)
        at += len(line)
        counted += length(line)
        fence = _fence_after(fence, line)
        if not fence:
            depth = max(depth + len(_OPENS.findall(line)) - len(_CLOSES.findall(line)), 0)


def _fence_after(fence: str, line: str) -> str:
    """Return the fence that stands open after a line, empty where none does."""
    found = _FENCE.match(line)
    if found is None:
        return fence
    if not fence:
        return found["ticks"]
    ends = found["ticks"].startswith(fence) and not found["rest"].strip()
    return "" if ends else fence


def _hard(text: str, room: int) -> str:
    """Return the beginning of a text that has no line end in time."""
    kept = text[: max(room, 0)]
    while length(kept) > room:
        kept = kept[: -max((length(kept) - room) // 2, 1)]
    return kept
