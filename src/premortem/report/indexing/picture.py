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

_HEIGHT = 9
#: Where less than this is left, what is left is seen on a logarithmic scale only.
_LOGARITHMIC = 0.05
_MARK = "◆"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Which sizes and relative costs a picture shows: from no byte to `widest`, from `lowest` to `highest`."""

    widest: int
    lowest: float
    highest: float
    logarithmic: bool = False

    def across(self, size_bytes: float) -> float:
        """Return how far to the right a size stands, 0 to 1."""
        return min(max(size_bytes / self.widest, 0.0), 1.0)

    def down(self, cost: float) -> float:
        """Return how far down a relative cost stands, 0 to 1."""
        if self.logarithmic:
            place = math.log(self.highest / max(cost, self.lowest)) / math.log(self.highest / self.lowest)
        else:
            place = (self.highest - cost) / (self.highest - self.lowest)
        return min(max(place, 0.0), 1.0)

    def cost(self, down: float) -> float:
        """Return the relative cost that stands so far down.

        >>> Scale(widest=1, lowest=0.001, highest=1.0, logarithmic=True).cost(2 / 3)
        0.01
        """
        if self.logarithmic:
            return float(f"{self.highest * (self.lowest / self.highest) ** down:.3g}")
        return self.highest - (self.highest - self.lowest) * down


def scale(points: Sequence[FrontierPoint]) -> Scale:
    """Return the scale of a frontier: from nothing where it saves much, else from the tenth below its lowest."""
    lowest = min((p.relative_cost for p in points), default=0.0)
    highest = max([1.0, *(p.relative_cost for p in points)])
    widest = max([1, *(p.size_bytes for p in points)])
    if 0 < lowest < _LOGARITHMIC:
        floor = 10.0 ** math.floor(math.log10(lowest))
        return Scale(widest=widest, lowest=max(floor, 1e-6), highest=highest, logarithmic=True)
    floor = 0.0 if lowest < 0.5 else math.floor(lowest * 10 - 0.001) / 10
    return Scale(widest=widest, lowest=floor, highest=highest)


def stepped(points: Sequence[FrontierPoint]) -> tuple[FrontierPoint, ...]:
    """Return the points by size, without those that cost no less than a smaller one."""
    found: list[FrontierPoint] = []
    for point in sorted(points, key=lambda p: (p.size_bytes, p.relative_cost)):
        if not found or point.relative_cost < found[-1].relative_cost:
            found.append(point)
    return tuple(found)


def chosen(points: Sequence[FrontierPoint]) -> FrontierPoint | None:
    """Return the point that is proposed, None where none is: it need not be one of the steps."""
    return next((p for p in points if p.chosen), None)


def drawn(points: Sequence[FrontierPoint], width: int) -> tuple[str, ...]:
    """Return the picture as lines of at most `width` characters; nothing where there is no way to go."""
    steps = stepped(points)
    if len(steps) < 2:
        return ()
    within, gutter = scale(points), 9
    columns = max(width - gutter - 1, 20)
    grid = _grid(steps, within, columns)
    mark = chosen(points)
    if mark is not None:
        grid[_row(mark, within)][math.ceil(within.across(mark.size_bytes) * (columns - 1) - 1e-9)] = _MARK
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
    return grid


def _best(steps: Sequence[FrontierPoint], size: float) -> FrontierPoint:
    fitting = [p for p in steps if p.size_bytes <= size + 0.5]
    return fitting[-1] if fitting else steps[0]


def _row(point: FrontierPoint, within: Scale) -> int:
    return round(within.down(point.relative_cost) * (_HEIGHT - 1))


def _cost_at(within: Scale, row: int) -> str:
    if row % 2:
        return ""
    return percentage(within.cost(row / (_HEIGHT - 1)))


def percentage(cost: float) -> str:
    """Return a relative cost as a label: with as many places as it needs.

    >>> percentage(1.0), percentage(0.25), percentage(0.0316), percentage(0.001)
    ('100 %', '25 %', '3.2 %', '0.1 %')
    """
    return f"{float(f'{cost * 100:.2g}'):g} %"


def _sizes(within: Scale, columns: int, gutter: int) -> str:
    """Return the line of sizes under the picture: none, a half, and the widest."""
    half, whole = words.size(within.widest / 2), words.size(within.widest)
    line = [" "] * (gutter + columns)
    for text, end in ((half, gutter + columns // 2 + len(half) // 2), (whole, gutter + columns)):
        line[end - len(text) : end] = text
    line[gutter - 1] = "0"
    return "".join(line).rstrip()
