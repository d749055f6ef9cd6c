"""The frontier as a picture: what reads cost, against the bytes that indexes may take.

The best cost for a size is that of the largest set that fits, so the line is made of steps.  `scale` decides for the
terminal and for the page which part of the whole is drawn; `drawn` draws it with characters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from premortem import words
from premortem.model import FrontierPoint

_HEIGHT = 8
_MARK = "◆"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Which sizes and relative costs a picture shows: from no byte to `widest`, from `lowest` to `highest`."""

    widest: int
    lowest: float
    highest: float

    def across(self, size_bytes: float) -> float:
        """Return how far to the right a size stands, 0 to 1."""
        return min(max(size_bytes / self.widest, 0.0), 1.0)

    def down(self, cost: float) -> float:
        """Return how far down a relative cost stands, 0 to 1."""
        return min(max((self.highest - cost) / (self.highest - self.lowest), 0.0), 1.0)


def scale(points: Sequence[FrontierPoint]) -> Scale:
    """Return the scale of a frontier: from nothing where it saves much, else from the tenth below its lowest.

    >>> scale([_point(0, 1.0), _point(800, 0.96)])
    Scale(widest=800, lowest=0.9, highest=1.0)
    """
    lowest = min((p.relative_cost for p in points), default=0.0)
    floor = 0.0 if lowest < 0.5 else math.floor(lowest * 10 - 0.001) / 10
    highest = max([1.0, *(p.relative_cost for p in points)])
    return Scale(widest=max([1, *(p.size_bytes for p in points)]), lowest=floor, highest=highest)


def _point(size: int, cost: float) -> FrontierPoint:
    from datetime import timedelta

    return FrontierPoint(size_bytes=size, reads=timedelta(), upkeep=timedelta(), relative_cost=cost, indexes=())


def stepped(points: Sequence[FrontierPoint]) -> tuple[FrontierPoint, ...]:
    """Return the points by size, without those that cost no less than a smaller one."""
    found: list[FrontierPoint] = []
    for point in sorted(points, key=lambda p: (p.size_bytes, p.relative_cost)):
        if not found or point.relative_cost < found[-1].relative_cost or point.chosen:
            found.append(point)
    return tuple(found)


def drawn(points: Sequence[FrontierPoint], width: int) -> tuple[str, ...]:
    """Return the picture as lines of at most `width` characters; nothing where there is no way to go."""
    steps = stepped(points)
    if len(steps) < 2:
        return ()
    within, gutter = scale(steps), 7
    columns = max(width - gutter - 1, 20)
    grid = _grid(steps, within, columns)
    body = [f"{_cost_at(within, row):>{gutter - 2}} {'┤' if row % 2 == 0 else '│'}{''.join(grid[row]).rstrip()}"
            for row in range(_HEIGHT)]  # fmt: skip
    return (*body, f"{'':>{gutter - 2}} └{'─' * columns}", _sizes(within, columns, gutter))


def _grid(steps: Sequence[FrontierPoint], within: Scale, columns: int) -> list[list[str]]:
    grid = [[" "] * columns for _ in range(_HEIGHT)]
    rows = [_row(_best(steps, within.widest * x / (columns - 1)), within) for x in range(columns)]
    for x, row in enumerate(rows):
        before = rows[x - 1] if x else row
        if row == before:
            grid[row][x] = "─"
            continue
        upper, lower = sorted((before, row))
        for between in range(upper + 1, lower):
            grid[between][x] = "│"
        grid[upper][x], grid[lower][x] = ("╮", "╰") if row > before else ("╭", "╯")
    for point in steps:
        if point.chosen:
            grid[_row(point, within)][round(within.across(point.size_bytes) * (columns - 1))] = _MARK
    return grid


def _best(steps: Sequence[FrontierPoint], size: float) -> FrontierPoint:
    fitting = [p for p in steps if p.size_bytes <= size + 0.5]
    return fitting[-1] if fitting else steps[0]


def _row(point: FrontierPoint, within: Scale) -> int:
    return round(within.down(point.relative_cost) * (_HEIGHT - 1))


def _cost_at(within: Scale, row: int) -> str:
    if row % 2:
        return ""
    cost = within.highest - (within.highest - within.lowest) * row / (_HEIGHT - 1)
    return f"{cost * 100:.0f} %"


def _sizes(within: Scale, columns: int, gutter: int) -> str:
    """Return the line of sizes under the picture: none, a half, and the widest."""
    half, whole = words.size(within.widest / 2), words.size(within.widest)
    line = [" "] * (gutter + columns)
    for text, end in ((half, gutter + columns // 2 + len(half) // 2), (whole, gutter + columns)):
        line[end - len(text) : end] = text
    line[gutter - 1] = "0"
    return "".join(line).rstrip()
