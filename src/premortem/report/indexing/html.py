"""The answer as one page that needs nothing else: the picture of the frontier, every index, every query it helps.

There is no script on it, and its policy holds it to that; light or dark is as the reader's system is set.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from premortem import words
from premortem.model import Explained, FrontierPoint, Gain, Indexing, Query, Recommendation, RelationName
from premortem.report import story
from premortem.report.indexing import chart, picture, sql, told
from premortem.report.look import Look

_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src {style}"
#: A page of a hundred megabytes helps nobody.
_QUERIES, _TEXTS, _DECLINED, _POINTS, _OPEN = 200, 500, 200, 200, 3
_LINES, _CHARACTERS = 60, 6_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What becomes of one query: a link to its text, and figures."""

    place: int | None
    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One index, proposed or asked about."""

    number: int
    title: str
    label: str
    definition: str
    facts: tuple[str, ...]
    tables: tuple[tuple[str, tuple[Row, ...]], ...]
    sql: str
    undo: str
    is_open: bool


@dataclass(slots=True)
class _Texts:
    """The queries whose texts stand on the page, by their numbers."""

    places: dict[tuple[str, str], int] = field(default_factory=dict)
    found: list[Query] = field(default_factory=list)

    def place(self, query: Query) -> int | None:
        key = (query.text, str(query.site))
        if key not in self.places and len(self.found) < _TEXTS:
            self.found.append(query)
            self.places[key] = len(self.found)
        return self.places.get(key)


def render(found: Indexing, look: Look) -> str:
    """Return the answer as a page."""
    style, texts = _style(), _Texts()
    cards = [_card(n, r, found, texts) for n, r in enumerate(found.recommendations, start=1)]
    asked = [_asked(n, a, found, texts) for n, a in enumerate(found.asked, start=1)]
    page = _template().render(
        policy=_POLICY.format(style=_digest(style)),
        style=Markup(style),  # ours, not a report's
        label=told.label(found),
        headline=told.headline(found),
        worth=_worth(found),
        source=f"{told.source(found)} {told.effort(found)}",
        asked=asked,
        cards=cards,
        indexes=[_summary(n, r, found) for n, r in enumerate(found.recommendations, start=1)],
        pictures=_pictures(found),
        points=[_point(p, found) for p in told.points(found, _POINTS)],
        drops=found.drops,
        kept=found.kept,
        declined=[
            (words.one_line(d.candidate.definition), story.sentence(d.reason)) for d in found.declined[:_DECLINED]
        ],
        hints=[story.sentence(h) for h in found.hints],
        lies=[story.sentence(lie) for lie in found.lies],
        script=sql.render(found, look) if found.recommendations or found.drops else "",
        queries=[(n, told.name(q), str(q.site), _text(q)) for n, q in enumerate(texts.found, start=1)],
        unseen=[*(f"{u.site}: {u.says}" for u in found.unreadable), *(story.gap_sentence(g) for g in found.gaps)],
        size=words.size,
        sentence=story.sentence,
    )
    return page.lstrip()


def _worth(found: Indexing) -> list[str]:
    """Return what the set buys, what that rests on and how sure it is; where there is none, what was looked at."""
    of_set = (told.buys(found), told.basis(found), told.certainty(found)) if found.recommendations else ()
    return [s for s in (*of_set, told.unfinished(found), story.sentence(found.workload)) if s]


def _summary(number: int, index: Recommendation, found: Indexing) -> tuple[int, str, tuple[str, ...]]:
    cells = (
        words.size(index.size_bytes),
        told.span(index.adds, found),
        told.share(index),
        told.kept(index.upkeep),
        words.duration(index.build_time),
        words.size(index.enters_at) if index.enters_at is not None else "",
    )
    return number, told.definition(index), cells


def _card(number: int, index: Recommendation, found: Indexing, texts: _Texts) -> Card:
    facts = (
        told.adding(index, found),
        told.losing(index, found), told.price(index), told.upkeep(index.upkeep), told.entering(index),
        told.replacing(index), *index.notes,
    )  # fmt: skip
    return Card(
        number=number,
        title=index.name,
        label=words.size(index.size_bytes),
        definition=told.definition(index),
        facts=tuple(story.sentence(f) for f in facts if f),
        tables=(("Queries that use it", _rows(told.helped(index), found, texts)),),
        sql="\n".join((*index.statements, *index.drop_statements)),
        undo="\n".join((*index.restore_statements, *index.undo_statements)),
        is_open=number <= _OPEN,
    )


def _asked(number: int, asked: Explained, found: Indexing, texts: _Texts) -> Card:
    size = [f"{words.size(asked.size_bytes)}, {told.upkeep(asked.upkeep)}"] if asked.size_bytes else []
    tables = (("With today's indexes", asked.alone), ("With the other proposed ones too", asked.beside))
    return Card(
        number=number,
        title=asked.name or told.definition(asked),
        label=told.STANDINGS[asked.standing],
        definition=told.definition(asked),
        facts=tuple(story.sentence(f) for f in (asked.says, *asked.reasons, *size)),
        tables=tuple((told.effect(title, len(gains), asked), _rows(gains, found, texts)) for title, gains in tables),
        sql="\n".join(asked.statements),
        undo="",
        is_open=True,
    )


def _rows(gains: Sequence[Gain], found: Indexing, texts: _Texts) -> tuple[Row, ...]:
    return tuple(
        Row(
            place=texts.place(g.query),
            name=told.name(g.query),
            cells=(
                told.span(g.before, found), told.span(g.after, found),
                words.change(g.before.total_seconds(), g.after.total_seconds()),
                words.number(g.before_cost), words.number(g.after_cost),
            ),
        )
        for g in gains[:_QUERIES]
    )  # fmt: skip


def _pictures(found: Indexing) -> list[Markup]:
    """Return the picture for a wide page and for a narrow one: scaled down, its figures could not be read."""
    every = [
        chart.svg(found, width=720, height=300, name="wide"),
        chart.svg(found, width=340, height=240, name="narrow"),
    ]
    return [one for one in every if one]


def _point(point: FrontierPoint, found: Indexing) -> tuple[str, ...]:
    return (
        "proposed" if point.chosen else "", words.size(point.size_bytes), picture.percentage(point.relative_cost),
        told.span(point.reads, found), told.a_day(point.upkeep), words.number(len(point.indexes)), told.changed(point),
    )  # fmt: skip


def _text(query: Query) -> str:
    return words.first_lines(query.text, lines=_LINES, characters=_CHARACTERS)


def _style() -> str:
    shared = resources.files("premortem.report").joinpath("page", "page.css").read_text("utf-8")
    return shared + resources.files("premortem.report.indexing").joinpath("page.css").read_text("utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, finalize=_plain, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(
        resources.files("premortem.report.indexing").joinpath("page.html").read_text("utf-8")
    )


def _plain(value: object) -> object:
    """Return a text without characters that hide or steer; the page's own markup stays as it is."""
    if isinstance(value, Markup):
        return value
    return words.plain(str(value)) if isinstance(value, str | RelationName) else value


def _digest(text: str) -> str:
    """Return what the policy knows the style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
