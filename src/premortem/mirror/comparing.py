"""How near a mirror is to production: their statistics column by column, and their plans node by node.  Pure.

What is compared was gathered in one way on both sides, by ANALYZE: a sample's errors are in both, so two databases
that are alike differ a little.  The limits leave room for that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from premortem import plans
from premortem.model import Column, ColumnStatistics, Plan, RelationName, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far a mirror may be from production.

    Of columns: the ratio of distinct values, the share of rows by which the frequency of a common value and the
    distribution may be off, and so on.  Of all: the share of columns that must be within these, of plans that must have
    production's shape, and the median and 95th percentile of the q-error of the nodes' rows.
    """

    distinct: float = 2.0
    frequency: float = 0.03
    distribution: float = 0.05
    correlation: float = 0.2
    nulls: float = 0.02
    width: float = 1.5
    fan_out: float = 2.0
    columns: float = 0.9
    shapes: float = 0.95
    median: float = 1.3
    tail: float = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A figure in production and in the mirror; None where there is none."""

    there: float | None
    here: float | None

    @property
    def ratio(self) -> float | None:
        """How many times one is the other (at least 1), None where one of them is unknown."""
        return None if self.there is None or self.here is None else q_error(self.there, self.here)

    @property
    def difference(self) -> float | None:
        """How far they are apart."""
        return None if self.there is None or self.here is None else abs(self.there - self.here)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnCompared:
    """One column in both places.

    `frequency` is the largest error of a common value's frequency, `distribution` the largest distance of the two
    cumulative distributions, None where values cannot be compared; `fan_out` are the rows of a key's value at the
    median, the 90th and the 99th percentile of rows, for columns of foreign keys.
    """

    relation: RelationName
    column: str
    distinct: Pair
    nulls: Pair
    width: Pair
    correlation: Pair
    frequency: float | None = None
    distribution: float | None = None
    fan_out: tuple[Pair, ...] = ()

    def beyond(self, limits: Limits) -> tuple[str, ...]:
        """Return the names of the figures that are further off than they may be."""
        checked = (
            ("distinct", self.distinct.ratio, limits.distinct),
            ("nulls", self.nulls.difference, limits.nulls),
            ("width", self.width.ratio, limits.width),
            ("correlation", self.correlation.difference, limits.correlation),
            ("frequency", self.frequency, limits.frequency),
            ("distribution", self.distribution, limits.distribution),
            ("fan-out", max((p.ratio or 1.0 for p in self.fan_out), default=None), limits.fan_out),
        )
        return tuple(name for name, value, most in checked if value is not None and value > most)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCompared:
    """One table in both places: rows and pages, and its columns."""

    relation: RelationName
    rows: Pair
    pages: Pair
    columns: tuple[ColumnCompared, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCompared:
    """One query with one set of values, planned in both places; `errors` are the q-errors of its nodes' rows."""

    query: str
    parameters: str
    same_shape: bool
    errors: tuple[float, ...]
    there: str
    here: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How much lies up to a bound of production's histogram: of its common values, of the mirror's, of its bounds."""

    common_there: float
    common_here: float
    bounds_here: float


def q_error(there: float, here: float) -> float:
    """Return how many times one number is the other, both taken as 1 at least, as the planner takes them.

    >>> q_error(10, 40), q_error(0, 0.5), q_error(40, 10)
    (4.0, 1.0, 4.0)
    """
    a, b = max(there, 1.0), max(here, 1.0)
    return max(a / b, b / a)


def distinct(found: ColumnStatistics, rows: float) -> float | None:
    """Return how many distinct values a column has, None where nobody knows."""
    if found.n_distinct == 0:
        return None
    return found.n_distinct if found.n_distinct > 0 else -found.n_distinct * rows


def column(
    there: Column, here: Column, tables: tuple[Table, Table], positions: Sequence[Position] | None, *, is_key: bool
) -> ColumnCompared | None:
    """Return one column in both places, None where production has no statistics of it.

    `positions` are those of production's bounds, None where values cannot be compared.
    """
    a, b = there.own_statistics, here.own_statistics
    if a is None:
        return None
    b = b or ColumnStatistics(null_fraction=1.0, average_width=0, n_distinct=0.0)
    rows = tables[0].rows, tables[1].rows
    share = rows[1] / rows[0] if rows[0] else 1.0
    wanted = _scaled(distinct(a, rows[0]), a, share)
    return ColumnCompared(
        relation=tables[0].relation, column=there.name, distinct=Pair(there=wanted, here=distinct(b, rows[1])),
        nulls=Pair(there=a.null_fraction, here=b.null_fraction),
        width=Pair(there=a.average_width, here=b.average_width),
        correlation=Pair(there=a.correlation, here=b.correlation),
        frequency=None if positions is None else frequency_error(a, b),
        distribution=None if positions is None else distance(a, b, positions),
        fan_out=tuple(_fan_out(a, b, rows, share)) if is_key else (),
    )  # fmt: skip


def _scaled(count: float | None, found: ColumnStatistics, share: float) -> float | None:
    """A share of the rows has that share of the distinct values only where their number grows with the rows."""
    return count if count is None or found.n_distinct > 0 else count * share


def frequency_error(there: ColumnStatistics, here: ColumnStatistics) -> float | None:
    """Return the largest error of a common value's frequency, None where production has no common values.

    A value that is common there and not listed here is at most as frequent here as the least that is listed.
    """
    a, b = _frequencies(there), _frequencies(here)
    if not a:
        return None
    unlisted_here, unlisted_there = _least(b), _least(a)
    return max(
        max(abs(f - b[v]) if v in b else max(f - unlisted_here, 0.0) for v, f in a.items()),
        max((max(f - unlisted_there, 0.0) for v, f in b.items() if v not in a), default=0.0),
    )


def _frequencies(found: ColumnStatistics) -> dict[str, float]:
    return dict(zip(found.most_common_values or (), found.most_common_frequencies or (), strict=False))


def _least(frequencies: dict[str, float]) -> float:
    return min(frequencies.values(), default=0.0)


def distance(there: ColumnStatistics, here: ColumnStatistics, positions: Sequence[Position]) -> float | None:
    """Return the largest distance of the cumulative distributions at production's bounds (Kolmogorov and Smirnov's).

    Between two bounds a histogram says nothing, so a distance of one bucket is none.
    """
    if len(positions) < 2:
        return None
    rest, rest_here = _rest(there), _rest(here)
    bucket = rest / (len(positions) - 1)
    apart = (
        abs(at.common_there + bucket * number - at.common_here - rest_here * at.bounds_here)
        for number, at in enumerate(positions)
    )
    return max(max(apart) - bucket, 0.0)


def _rest(found: ColumnStatistics) -> float:
    return max(1.0 - found.null_fraction - sum(found.most_common_frequencies or ()), 0.0)


def _fan_out(
    there: ColumnStatistics, here: ColumnStatistics, rows: tuple[float, float], share: float
) -> Iterator[Pair]:
    for quantile in (0.5, 0.9, 0.99):
        a, b = fan_out(there, rows[0], quantile), fan_out(here, rows[1], quantile)
        grows = there.n_distinct < 0
        yield Pair(there=a if a is None or grows else a * share, here=b)


def fan_out(found: ColumnStatistics, rows: float, quantile: float) -> float | None:
    """Return how many rows share their value with the row at that quantile, rows ordered by just that.

    >>> s = ColumnStatistics(null_fraction=0.0, average_width=8, n_distinct=11.0,
    ...                      most_common_values=("7",), most_common_frequencies=(0.5,))
    >>> fan_out(s, 1000, 0.4), fan_out(s, 1000, 0.9)
    (50.0, 500.0)
    """
    count = distinct(found, rows)
    if count is None or not rows:
        return None
    common = sorted(found.most_common_frequencies or (), reverse=True)
    rest = max(1.0 - found.null_fraction - sum(common), 0.0)
    others = max(count - len(common), 1.0)
    wanted = (1.0 - quantile) * (1.0 - found.null_fraction)  # this share of the rows has a higher fan-out
    for frequency in common:
        if frequency * others < rest:
            break  # the rest is the commoner
        wanted -= frequency
        if wanted < 0:
            return frequency * rows
    return rest * rows / others if rest else (common[-1] * rows if common else None)


def plan(query: str, parameters: str, there: Plan, here: Plan) -> PlanCompared:
    """Return one plan in both places; where the shapes differ only the outermost nodes are the same thing."""
    a, b = plans.shape(there), plans.shape(here)
    pairs: Iterable[tuple[float, float]]
    if a == b:
        pairs = [(x.rows, y.rows) for x, y in zip_longest(there.walk(), here.walk()) if x and y]
    else:
        pairs = [(there.root.rows, here.root.rows)]
    return PlanCompared(
        query=query, parameters=parameters, same_shape=a == b, errors=tuple(q_error(x, y) for x, y in pairs),
        there=a, here=b,
    )  # fmt: skip


def quantile(values: Iterable[float], share: float) -> float | None:
    """Return the value below which that share of the values lies, None of none.

    >>> quantile([4, 1, 3, 2], 0.5), quantile([], 0.5)
    (2, None)
    """
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None
