"""The line that a period's ends lie on: where spans begin, how long they are, and how both become columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from premortem.model import Column, ColumnStatistics, Table
from premortem.synthesis import basis as bases
from premortem.synthesis import correlations, joint, values
from premortem.synthesis.apart import Ends, OneRange, TwoEnds
from premortem.synthesis.asked import Basis
from premortem.synthesis.domains import Domain, Line
from premortem.synthesis.exclusions import Period
from premortem.synthesis.kinds import Family, Kind
from premortem.synthesis.ranges import Ranges
from premortem.synthesis.segments import Segments
from premortem.synthesis.streams import Floats
from premortem.synthesis.timeline import WHOLE

if TYPE_CHECKING:
    from premortem.synthesis.planning import Planner

#: A line of every whole number: a place is its own number.
_EVERY = np.array([2**61], np.int64)
_NONE = np.zeros(1, np.int64)
_MICROSECONDS = 1_000_000
#: A line with fewer places than this is of finer ones, or its rows would find no room.
_COARSE = 200
_HOUR = 3600 * _MICROSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Places of lower bounds at shares of the rows, and lengths in order, in units of the line.

    `least` is the shortest length, `domains` and `ends` say which columns it becomes and how.  `endless` is the share
    of rows without an upper end, `empty` that of empty ranges, `correlation` that of the rows with their places.
    """

    places: tuple[int, ...]
    shares: tuple[float, ...]
    lengths: tuple[float, ...]
    domains: dict[str, Domain]
    ends: Ends
    first: int
    beyond: int
    least: int = 1
    endless: float = 0.0
    empty: float = 0.0
    correlation: float = 0.0


def axis(planner: Planner, table: Table, period: Period, *, temporal: bool) -> Axis | None:
    """Return the line of a period, None where its columns are on none."""
    columns = [c for name in period.columns if (c := table.column(name)) is not None]
    if len(columns) != len(period.columns):
        return None
    if len(columns) == 1:
        return _of_range(planner, table, columns[0], temporal=temporal)
    return _of_ends(planner, table, columns[0], columns[1], period)


# --- a column of ranges ---


def _of_range(planner: Planner, table: Table, column: Column, *, temporal: bool) -> Axis | None:
    asked = planner.asked(table, column)
    kind, element = asked.kind, asked.kind.element
    if element is None or not element.is_line or kind.family not in (Family.RANGE, Family.MULTIRANGE):
        return None
    found = asked.statistics
    bounds = [b for text in ((found.range_bounds_histogram or ()) if found else ()) if (b := values.bounds(text))]
    scale = values.decimals([end for _, low, high, _ in bounds for end in (low, high) if end])
    shift = bases.shifted(element, asked.shift)
    lows = _places(element, [low for _, low, _, _ in bounds if low], scale, shift)
    highs = _places(element, [high for _, _, high, _ in bounds if high], scale, shift)
    lengths = _lengths(element, found, scale)
    if len(lows) < 2:
        lows, lengths = _made_up(element, asked.rows)
        highs = []
    unit, offset = _unit(element, [*lows, *highs])
    lengths = lengths or _differences(lows, highs)
    line = _line(element, scale, unit, offset, asked.salt)
    inclusive = bool(bounds) and all(right == "]" for *_, right in bounds) and element.family is not Family.DATE
    return Axis(
        places=tuple((p - offset) // unit for p in lows), shares=tuple(np.linspace(0, 1, len(lows)).tolist()),
        lengths=tuple(max(length / unit, 1.0) for length in lengths),
        domains={column.name: Ranges(line=line, inclusive=inclusive, multiple=kind.family is Family.MULTIRANGE)},
        ends=OneRange(slot=column.name), first=-((offset - element.least) // unit),
        beyond=(element.most - offset) // unit,
        least=2 if inclusive and temporal else 1,
        endless=sum(not high for _, _, high, _ in bounds) / max(len(bounds), 1),
        empty=0.0 if temporal or found is None else found.range_empty_fraction or 0.0,
    )  # fmt: skip


def _places(kind: Kind, texts: Sequence[str], scale: int, shift: int) -> list[int]:
    return sorted(p + shift for text in texts if (p := values.place(kind, text, scale)) is not None)


def _lengths(kind: Kind, found: ColumnStatistics | None, scale: int) -> list[float]:
    """Return the histogram of lengths in what the type counts in; PostgreSQL has them in days or seconds."""
    told = [float(text) for text in ((found.range_length_histogram or ()) if found else ())]
    each = _MICROSECONDS if kind.family is Family.TIMESTAMP else 10**scale
    return sorted(length * each for length in told if math.isfinite(length))


def _differences(lows: Sequence[int], highs: Sequence[int]) -> list[float]:
    if len(highs) < 2:
        return [max(float(lows[-1] - lows[0]) / 100, 1.0)]
    at = np.linspace(0, 1, max(len(lows), len(highs)))
    low = np.interp(at, np.linspace(0, 1, len(lows)), lows)
    high = np.interp(at, np.linspace(0, 1, len(highs)), highs)
    return sorted(np.maximum(high - low, 0.0).tolist())


def _made_up(kind: Kind, rows: int) -> tuple[list[int], list[float]]:
    """Return a line of which nothing is known: days, or hours, one after the other."""
    each = _HOUR if kind.family is Family.TIMESTAMP else 1
    first = {Family.TIMESTAMP: 800_000_000_000_000, Family.DATE: 8_000}.get(kind.family, 1)
    return [first, first + each * max(2 * rows, 2)], [float(each)]


def _unit(kind: Kind, places: Sequence[int]) -> tuple[int, int]:
    """Return the largest unit of which all places are whole multiples, beside an offset, and the offset."""
    first = min(places)
    unit = math.gcd(*(p - first for p in places)) or 1
    if len(places) < 8 or max(places) - first < _COARSE * unit:
        unit = math.gcd(unit, _MICROSECONDS if kind.family is Family.TIMESTAMP else 1)
    return unit, first % unit


def _line(kind: Kind, scale: int, unit: int, offset: int, salt: int) -> Line:
    return Line(
        kind=kind, scale=scale, unit=unit, offset=offset, salt=salt, place=_NONE, width=_EVERY, distinct=_EVERY
    )  # fmt: skip


# --- two columns ---


def _of_ends(planner: Planner, table: Table, low: Column, high: Column, period: Period) -> Axis | None:
    asked, ending = planner.asked(table, low), planner.asked(table, high)
    one, other = planner.basis(table, low.name, whole=True), planner.basis(table, high.name, whole=True)
    if one is None or other is None or asked.kind.name != ending.kind.name:
        return None
    start, end = one.domain, other.domain
    if not isinstance(start, Line) or not isinstance(end, Line) or start.scale != end.scale:
        return None
    unit = math.gcd(start.unit, end.unit, abs(start.offset - end.offset))
    shares, places = _quantiles(one.found, start, unit)
    at = np.linspace(0.0, 1.0, 401)
    ended = _quantiles(other.found, end, unit, offset=start.offset)
    lengths = np.interp(at, *ended) - np.interp(at, shares, places)
    strictly = (low.name, high.name, True) in joint.compared(table.constraints)
    lengths += period.inclusive + (end.unit - start.unit) / (2 * unit)  # a bucket is without its upper bound
    least = 2 if period.inclusive and strictly else 1
    line = _line(start.kind, start.scale, unit, start.offset, asked.salt)
    lowest, highest = bases.ends(asked, start.scale)
    return Axis(
        places=tuple(places), shares=tuple(shares), lengths=tuple(_plausible(lengths, least)),
        domains={low.name: line, high.name: line},
        ends=TwoEnds(low=low.name, high=high.name, inclusive=period.inclusive), least=least,
        first=-((start.offset - lowest) // unit), beyond=(highest - start.offset) // unit,
        endless=_null_fraction(high), correlation=correlations.correlation(asked, one),
    )  # fmt: skip


def _null_fraction(column: Column) -> float:
    found = column.own_statistics
    return found.null_fraction if found and not column.not_null else 0.0


def _quantiles(found: Segments, line: Line, unit: int, offset: int | None = None) -> tuple[list[float], list[int]]:
    """Return shares of the rows, and the places at them, in units from an offset on."""
    offset = line.offset if offset is None else offset
    ends = np.cumsum(found.rows)
    shares: list[float] = []
    places: list[int] = []
    for at in range(len(found)):
        begin, end = (int(ends[at] - found.rows[at]) / found.total, int(ends[at]) / found.total)
        first, last = int(found.place[at]), int(found.place[at] + found.width[at] - 1)
        shares += [begin + (1.0 / WHOLE if at else 0.0), end]
        places += [(p * line.unit + line.offset - offset) // unit for p in (first, last)]
    return shares, places


def _plausible(lengths: Floats, least: int) -> list[float]:
    """Return the differences of two distributions as lengths, whose mean is that of the differences.

    Where the ends grow with the beginnings, which a constraint sees to, the n-th end belongs to the n-th beginning;
    what chance made negative is as short as can be.
    """
    found = np.sort(np.maximum(lengths, float(least)))
    mean = max(float(lengths.mean()), float(least))
    return [max(length * (mean / float(found.mean())), float(least)) for length in found.tolist()]


def basis_of(domain: Domain, rows: int) -> Basis:
    """Return the basis of a column whose values a line gives."""
    one = np.ones(1, np.int64)
    found = Segments(place=_NONE, width=one, rows=one * max(rows, 1), distinct=one)
    return Basis(domain=domain, found=found, numbered=False)
