"""The report as one HTML file that needs nothing else: no server, no network, no script to be read.

Every plan is a tree to open and close, the plan before, now and with the index side by side.  The page asks nobody for
anything, and its content security policy holds it to that: what a query's text may hold stays text.  `page` has the
template, the styles and the script; the script only filters, folds and copies.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from premortem import words
from premortem.model import Report, Verdict
from premortem.report import cards, story
from premortem.report.look import Look

_LABELS = {Verdict.FAIL: "FAIL", Verdict.UNKNOWN: "COULD NOT TELL", Verdict.PASS: "PASS"}
#: So many queries, the worst, have a tree for every parameter set: a page of a hundred megabytes helps nobody.
_WHOLE = 200
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src {style}; script-src {script}"


def render(report: Report, *, look: Look) -> str:
    """Return the report as a page."""
    style, script = _page("page.css") + _widths(), _page("page.js")
    told, quiet = cards.split(report)
    page = _template().render(
        policy=_POLICY.format(style=_digest(style), script=_digest(script)),
        style=Markup(style),  # ours, not a report's
        script=Markup(script),
        verdict=report.verdict.value,
        label=_LABELS[report.verdict],
        headline=story.headline(report),
        source=story.source(report),
        compared=any(q.difference for q in report.queries),
        cards=[cards.card(q, number, whole=number <= _WHOLE) for number, q in enumerate(told, start=1)],
        places=[cards.place(place, found) for place, found in story.by_place(report.findings)],
        quiet=[cards.card(q, number, whole=look.details) for number, q in enumerate(quiet, start=len(told) + 1)],
        left=cards.left_out(report),
        gone=cards.gone(report),
        gaps=cards.gaps(report),
    )
    return page.lstrip()


def _page(name: str) -> str:
    return resources.files("premortem.report").joinpath("page", name).read_text("utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, finalize=_plain, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_page("page.html"))


def _plain(value: object) -> object:
    """Return a text of a report without characters that hide or steer; the page's own markup stays as it is."""
    return words.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _widths() -> str:
    """Return the styles of the bars: the policy allows no style beside those of the page, so none for each bar."""
    return "".join(f".w{n}{{width:{n}%}}" for n in range(101))


def _digest(text: str) -> str:
    """Return what the policy knows a style or a script by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
