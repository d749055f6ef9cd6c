"""What a comment keeps where it may not be as long as it would be: whole parts, of the most important first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from premortem import words

#: So many sections are told in full before the others get more than a line.
_FIRST = 3
#: The lines of what is told briefly take at most this share, so that the first can be told in full.
_BRIEF_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a comment in several lengths, the shortest first; `noun` is what it is one of."""

    texts: tuple[str, ...]
    noun: str


def fitted(sections: Sequence[Section], room: int) -> tuple[list[str], str]:
    """Return the sections in the lengths that there is room for, and what was left out; empty where nothing was."""
    if sum(len(s.texts[-1]) + 1 for s in sections) <= room:
        return [s.texts[-1] for s in sections], ""
    room -= 300  # for the sentence that says what was left out
    levels = _brief(sections, room)
    left = room - sum(_length(s, level) for s, level in zip(sections, levels, strict=False))
    for place, level in _wishes(sections, len(levels)):
        more = _length(sections[place], level) - _length(sections[place], levels[place])
        if more <= left and level > levels[place]:
            levels[place], left = level, left - more
    texts = [s.texts[level] for s, level in zip(sections, levels, strict=False)]
    return texts, _said(sections, levels)


def _length(section: Section, level: int) -> int:
    return len(section.texts[level]) + 1


def _brief(sections: Sequence[Section], room: int) -> list[int]:
    """Return the lowest level for as many sections as their share of the room allows, and for one at least."""
    levels: list[int] = []
    taken = 0
    for section in sections:
        taken += _length(section, 0)
        if taken > room * _BRIEF_SHARE and (levels or taken > room):
            break
        levels.append(0)
    return levels


def _wishes(sections: Sequence[Section], count: int) -> Iterator[tuple[int, int]]:
    """Yield which section is to be told at which length, in the order in which room is given."""
    for place in range(min(_FIRST, count)):
        yield from ((place, level) for level in range(1, len(sections[place].texts)))
    for level in range(1, max((len(s.texts) for s in sections), default=1)):
        yield from ((place, level) for place in range(count) if level < len(sections[place].texts))


def _said(sections: Sequence[Section], levels: Sequence[int]) -> str:
    pairs = list(zip(sections, levels, strict=False))
    short = sum(0 < level < len(s.texts) - 1 for s, level in pairs)
    brief = sum(level == 0 for _, level in pairs)
    parts = [f"{words.plural(short, 'part')} without some or all of the evidence"] if short else []
    parts += [f"{words.plural(brief, 'part')} as one line"] if brief else []
    left = len(sections) - len(levels)
    queries = sum(s.noun == "query" for s in sections[len(levels) :])
    parts += [f"{words.plural(queries, 'more query', 'more queries')} left out"] if queries else []
    parts += [f"{words.plural(left - queries, 'other part')} left out"] if left > queries else []
    return words.listing(parts)
