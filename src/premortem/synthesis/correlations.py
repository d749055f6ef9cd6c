"""What a column's correlation with its place in the heap says, once ties are taken out of it."""

from __future__ import annotations

from premortem.model import ColumnStatistics, Table
from premortem.synthesis.asked import Asked, Basis
from premortem.synthesis.segments import THIN, Segments

#: A correlation below this is chance.
_NOTHING = 0.03


def is_thin(found: Segments) -> bool:
    """Whether many values have so few rows that chance would leave some without any."""
    thin = found.rows < THIN * found.distinct
    return int(found.distinct[thin].sum()) > 0.05 * found.values


def reach(table: Table, statistics: ColumnStatistics | None, target: int) -> float:
    """Return the share of the blocks that ANALYZE looks into, 1 where equal values do not lie side by side."""
    correlation = statistics.correlation if statistics else None
    if correlation is None or abs(correlation) < 0.99 or not table.pages:
        return 1.0
    return min(1.0, 300 * target / table.pages)


def correlation(asked: Asked, found: Basis) -> float:
    """Return the correlation of a column's rows with their places, without that of ties."""
    stated = asked.statistics.correlation if asked.statistics else None
    return _untied(stated or 0.0, found.found, asked.unique)


def _untied(correlation: float, found: Segments, unique: bool) -> float:
    """Return the correlation that is left when ties are taken out.

    Rows of one value stand in physical order, so that ties alone make a correlation of the sum of p squared.
    """
    total = found.total
    if unique or not total:
        return correlation if abs(correlation) > _NOTHING or total < 1000 else 0.0
    tied = float((found.rows.astype(float) ** 2 / found.distinct.clip(1)).sum()) / total**2
    if tied >= 1:
        return 0.0
    left = (correlation - tied) / (1 - tied)
    return 0.0 if abs(left) < _NOTHING else max(-1.0, min(1.0, left))
