"""Which accepted query a query of today is: the same one, an edited one, or none.

    1  the same name in the lock: fingerprint, constants and search path
    2  the same fingerprint: another constant, or another search path
    3  the same call site by name: file and `-- name:`
    4  the same file, the same tables, the nearest text and line
    5  the same route, controller or test of a captured query, and a near text
    6  the same tables and a very near text, wherever it stands now

Each accepted query is taken once, by the nearest claim; what nobody claims is gone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from premortem import sqltext
from premortem.errors import StatementError
from premortem.model import Accepted, Query

#: How much of their words two texts share that are taken for one query: at one call site, and anywhere.
NEAR, VERY_NEAR = 0.5, 0.75
#: Tags that say where in a program a query is run; the rest say who ran it.
_PLACES = frozenset({"route", "controller", "action", "test", "job", "view", "template"})
#: A file with more candidates than this has no nearest one that anybody would recognize.
_MOST = 200
_WORD = re.compile(r"\w+|[^\w\s,()]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An accepted query and how a query of today was told to be it: the same, or edited."""

    name: str
    was: Accepted
    is_same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """The accepted queries that today's are, by the names that today's have in a lock, and those that nobody is."""

    found: Mapping[str, Match]
    gone: Mapping[str, Accepted]


@dataclass(frozen=True, kw_only=True)
class _Text:
    """A query's text as far as its nearness to others goes."""

    words: Counter[str]
    tables: frozenset[tuple[str | None, str]]

    @classmethod
    def of(cls, text: str) -> _Text:
        try:
            tables = frozenset((t.schema, t.name) for t in sqltext.tables(text))
        except StatementError:
            tables = frozenset()
        return cls(words=Counter(_WORD.findall(text.lower())), tables=tables)

    def near(self, other: _Text) -> float:
        """Return the share of their words that two texts have in common."""
        both = (self.words & other.words).total()
        return 2 * both / max(self.words.total() + other.words.total(), 1)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Claim:
    """A query of today for an accepted one; the least is the best."""

    step: int
    distance: float
    lines: float
    today: str
    name: str


def match(today: Mapping[str, Query], accepted: Mapping[str, Accepted]) -> Matches:
    """Return which of the accepted queries today's are, both by the names that they have in a lock."""
    found = {n: Match(name=n, was=accepted[n], is_same=True) for n in today if n in accepted}
    new = {n: q for n, q in today.items() if n not in found}
    left = {n: a for n, a in accepted.items() if n not in found}
    for claim in sorted(_claims(new, left)) if new and left else ():
        if claim.today in new and claim.name in left:
            query, was = new.pop(claim.today), left.pop(claim.name)
            found[claim.today] = Match(name=claim.name, was=was, is_same=_is_same(query, was))
    return Matches(found=found, gone=left)


def _is_same(query: Query, was: Accepted) -> bool:
    """Return whether a query is the accepted one although a constant differs.

    What a test suite sends has the test's constants in it, which nobody edited.
    """
    if not _is_alike(query, was) or query.search_path != was.search_path:
        return False
    return query.executions is not None and was.is_captured


def _is_alike(query: Query, was: Accepted) -> bool:
    """Return whether nothing but constants differs."""
    if query.fingerprint != was.fingerprint:
        return False
    return sqltext.numbered_names(query.text) == sqltext.numbered_names(was.text)


def _claims(new: Mapping[str, Query], left: Mapping[str, Accepted]) -> Iterator[_Claim]:
    places = _Places(left)
    old_texts: dict[str, _Text] = {}
    for today, query in new.items():
        text = _Text.of(query.text)
        for name in places.candidates(query, text):
            was = left[name]
            if name not in old_texts:
                old_texts[name] = _Text.of(was.text)
            step = _step(query, was, text, old_texts[name])
            if step is not None:
                near = text.near(old_texts[name])
                yield _Claim(step=step, distance=round(1 - near, 3), lines=_lines(query, was), today=today, name=name)


def _step(query: Query, was: Accepted, text: _Text, old: _Text) -> int | None:
    if _is_alike(query, was):
        return 2
    same_file = query.site.source == was.site.source
    if same_file and query.site.name and query.site.name == was.site.name:
        return 3
    near = text.near(old)
    same_tables = bool(text.tables) and text.tables == old.tables
    in_file = same_file and "." in query.site.source  # a capture, standard input and the workload are one place each
    if in_file and not (query.site.name and was.site.name) and (same_tables or near >= NEAR):
        return 4
    if near >= NEAR and _place(query.tags) & _place(was.tags):
        return 5
    return 6 if same_tables and near >= VERY_NEAR else None


def _lines(query: Query, was: Accepted) -> float:
    if query.site.source != was.site.source or query.site.line is None or was.site.line is None:
        return 1e9
    return abs(query.site.line - was.site.line)


def _place(tags: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset(tag for tag in tags if tag[0] in _PLACES)


class _Places:
    """Finds the accepted queries that may be one of today's, without comparing everything with everything."""

    def __init__(self, left: Mapping[str, Accepted]) -> None:
        self._by: dict[object, list[str]] = {}
        for name, was in left.items():
            for place in self._of_accepted(was):
                self._by.setdefault(place, []).append(name)
        self._tables: dict[object, list[str]] | None = None
        self._left = left

    @staticmethod
    def _of_accepted(was: Accepted) -> Iterator[object]:
        yield was.fingerprint
        yield ("file", was.site.source)
        yield ("name", was.site.source, was.site.name)
        yield from _place(was.tags)

    def candidates(self, query: Query, text: _Text) -> Iterator[str]:
        """Yield the names of accepted queries that share something with a query, each once."""
        site = query.site
        places = [query.fingerprint, ("name", site.source, site.name), *_place(query.tags), ("file", site.source)]
        seen: dict[str, None] = {}
        for place in places:
            seen.update(dict.fromkeys(self._by.get(place, ())[:_MOST]))
        seen.update(dict.fromkeys(self._alike(text)[:_MOST]))
        yield from seen

    def _alike(self, text: _Text) -> list[str]:
        if self._tables is None:
            self._tables = {}
            for name, was in self._left.items():
                self._tables.setdefault(_Text.of(was.text).tables, []).append(name)
        return self._tables.get(text.tables, []) if text.tables else []
