"""Which number of distinct values to believe, where ANALYZE saw a sample only.

ANALYZE estimates the number from how many values its sample held once (Haas and Stokes' Duj1, `compute_scalar_stats` in
src/backend/commands/analyze.c).  On skewed columns that is far too few.  So what is looked for here is the number for
which the estimator, given the column's own skew, would have said what it said.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from premortem.synthesis.segments import Segments


def sample_size(rows: int, target: int) -> int:
    """Return how many rows ANALYZE looks at: 300 for each item of the statistics target (`std_typanalyze`)."""
    return min(rows, 300 * target)


def estimated(found: Segments, sample: int, reach: float = 1.0) -> float:
    """Return what ANALYZE would make of such a column from a sample of so many of its rows.

    `reach` is the share of the table's blocks that the sample is from.  Where equal values lie side by side, values in
    the other blocks are never seen, and those in these more often.
    """
    rows = found.total
    if rows <= 0 or sample >= rows:
        return float(found.values)
    share = min(sample / rows / reach, 1.0)
    each = found.rows / np.maximum(found.distinct, 1)
    missed = np.power(1.0 - share, each)
    seen = reach * float((found.distinct * (1.0 - missed)).sum())
    once = reach * float((found.distinct * each * share * np.power(1.0 - share, np.maximum(each - 1.0, 0.0))).sum())
    once = min(once, sample)
    return sample * seen / max(sample - once + once * sample / rows, 1.0)


def believed(make: Callable[[float], Segments], said: float, most: float, sample: int, reach: float = 1.0) -> float:
    """Return the number of distinct values, from `said` to `most`, that would have been estimated as `said`."""
    if most <= said or sample <= 0:
        return min(said, most) if most > 0 else said
    if estimated(make(said), sample, reach) >= said * 0.97:
        return said
    low, high = said, most
    if estimated(make(high), sample, reach) <= said:
        return high
    for _ in range(24):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if estimated(make(middle), sample, reach) < said else (low, middle)
    return high
