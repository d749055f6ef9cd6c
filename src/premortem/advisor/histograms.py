"""How much of a column lies below a value, by the histogram of its statistics; None where that cannot be told.

Only numbers, dates and times are compared: the order of texts is their collation's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from premortem.advisor.columns import base_type
from premortem.model import Column

_NUMBERS = frozenset(("smallint", "integer", "bigint", "numeric", "real", "double precision", "oid"))
_TIMES = frozenset(("date", "timestamp without time zone", "timestamp with time zone"))
_TELLING = 10  # bounds


def share_below(column: Column, value: str) -> float | None:
    """Return the share of the histogram that is below a value."""
    bounds = _bounds(column)
    place = _ordinal(value, base_type(column.type))
    if bounds is None or place is None:
        return None
    steps = len(bounds) - 1
    after = bisect_right(bounds, place)
    if after in (0, len(bounds)):
        return 0.0 if after == 0 else 1.0
    low, high = bounds[after - 1], bounds[after]
    return (after - 1 + (place - low) / (high - low)) / steps


def share_less(one: Column, other: Column) -> float | None:
    """Return how often a value of one column is less than one of the other's, if they are independent."""
    mine, theirs = _bounds(one), _bounds(other)
    if mine is None or theirs is None:
        return None
    above = sum(len(theirs) - bisect_left(theirs, value) for value in mine)
    return above / (len(mine) * len(theirs))


def _bounds(column: Column) -> Sequence[float] | None:
    statistics = column.own_statistics
    bounds = (statistics.histogram_bounds if statistics else None) or ()
    return _ordinals(bounds, base_type(column.type)) if len(bounds) >= _TELLING else None


@lru_cache(maxsize=512)
def _ordinals(bounds: tuple[str, ...], type_name: str) -> tuple[float, ...] | None:
    found = tuple(place for text in bounds if (place := _ordinal(text, type_name)) is not None)
    return found if len(found) == len(bounds) else None


def _ordinal(text: str, type_name: str) -> float | None:
    """Return a value as a number that sorts as it does.

    >>> _ordinal("2.5", "numeric"), _ordinal("1970-01-02", "date"), _ordinal("x", "text")
    (2.5, 86400.0, None)
    """
    try:
        if type_name in _NUMBERS:
            return float(text)
        if type_name in _TIMES:
            found = datetime.fromisoformat(text)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except ValueError:  # infinity, BC: outside of what Python can say
        return None
    return None
