"""The frontier as SVG: steps of cost against bytes, every point with what came and went, the proposed one marked.

Positions are attributes, and all that is style is in the page's one style sheet: its policy allows no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from premortem import words
from premortem.model import FrontierPoint, Indexing
from premortem.report.indexing import picture, told

_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 14.0, 14.0, 34.0
_MARK = 6.0
#: More points than so many are a line, and the marks on it a smear.
_MOST_MARKS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """The drawing's size, and the scale within it."""

    width: float
    height: float
    scale: picture.Scale

    def x(self, size_bytes: float) -> float:
        return _LEFT + self.scale.across(size_bytes) * (self.width - _LEFT - _RIGHT)

    def y(self, cost: float) -> float:
        return _TOP + self.scale.down(cost) * (self.height - _TOP - _BOTTOM)


def svg(found: Indexing, *, width: int, height: int, name: str) -> Markup:
    """Return the picture, nothing where the frontier is a single point; `name` tells it apart on the page."""
    steps = picture.stepped(found.frontier)
    if len(steps) < 2:
        return Markup()
    frame = _Frame(width=width, height=height, scale=picture.scale(found.frontier))
    parts = [*_axes(frame, width), _line(steps, frame), *_budget(found, frame), *_marks(steps, found, frame)]
    title = "What reads cost with the best set of indexes of each size"
    return Markup(
        '<svg class="frontier {name}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        ' aria-labelledby="{name}-title"><title id="{name}-title">{title}</title>{parts}</svg>'
    ).format(name=name, width=width, height=height, title=title, parts=Markup("").join(parts))


def _axes(frame: _Frame, width: int) -> Iterator[Markup]:
    """Yield the lines of five costs, and the sizes below."""
    for down in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _TOP + down * (frame.height - _TOP - _BOTTOM)
        label = picture.percentage(frame.scale.cost(down))
        yield Markup('<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(_LEFT, y, frame.width - _RIGHT, y)
        yield Markup('<text class="axis" x="{}" y="{}" text-anchor="end">{}</text>').format(_LEFT - 8, y + 4, label)
    marks = (0.0, 0.25, 0.5, 0.75, 1.0) if width > 500 else (0.0, 0.5, 1.0)
    for across in marks:
        x = _LEFT + across * (frame.width - _LEFT - _RIGHT)
        label = words.size(frame.scale.widest * across) if across else "0"
        anchor = "end" if across == 1.0 else "middle"
        yield Markup('<text class="axis" x="{}" y="{}" text-anchor="{}">{}</text>').format(
            x, frame.height - 12, anchor, label
        )


def _line(steps: Sequence[FrontierPoint], frame: _Frame) -> Markup:
    path = [f"M{frame.x(steps[0].size_bytes):.1f} {frame.y(steps[0].relative_cost):.1f}"]
    for step in steps[1:]:
        path.append(f"H{frame.x(step.size_bytes):.1f}V{frame.y(step.relative_cost):.1f}")
    path.append(f"H{frame.width - _RIGHT:.1f}")
    return Markup('<path class="steps" d="{}"/>').format("".join(path))


def _budget(found: Indexing, frame: _Frame) -> Iterator[Markup]:
    """Yield the line of the budget, where it is within the picture."""
    budget = found.budget_bytes
    if budget is None or budget >= frame.scale.widest:
        return
    x = frame.x(budget)
    yield Markup('<line class="budget" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(x, _TOP, x, frame.height - _BOTTOM)
    yield Markup('<text class="axis" x="{}" y="{}">budget</text>').format(x + 5, frame.height - _BOTTOM - 6)


def _marks(steps: Sequence[FrontierPoint], found: Indexing, frame: _Frame) -> Iterator[Markup]:
    """Yield a circle for every step, where there are not too many, and the mark of the proposed set."""
    for step in steps if len(steps) <= _MOST_MARKS else ():
        x, y = frame.x(step.size_bytes), frame.y(step.relative_cost)
        yield Markup('<circle class="point" cx="{}" cy="{}" r="3.5"><title>{}</title></circle>').format(
            f"{x:.1f}", f"{y:.1f}", summary(step, found)
        )
    chosen = picture.chosen(found.frontier)
    if chosen is not None:
        x, y = frame.x(chosen.size_bytes), frame.y(chosen.relative_cost)
        corners = ((x, y - _MARK), (x + _MARK, y), (x, y + _MARK), (x - _MARK, y))
        points = " ".join(f"{across:.1f},{down:.1f}" for across, down in corners)
        yield Markup('<polygon class="chosen" points="{}"><title>{}</title></polygon>').format(
            points, summary(chosen, found)
        )


def summary(point: FrontierPoint, found: Indexing) -> str:
    """Return a point in one line, for whoever points at it."""
    indexes = words.plural(len(point.indexes), "index", "indexes")
    proposed = ", proposed" if point.chosen else ""
    cost = picture.percentage(point.relative_cost)
    return f"{words.size(point.size_bytes)}, {indexes}: {cost}, {told.span(point.reads, found)}{proposed}"
