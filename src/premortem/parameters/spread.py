"""What statistics know of a column's values: the common ones, the order of the rest, and what is not among them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from premortem.model import Column, ColumnStatistics, Profile
from premortem.parameters import typed


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The values of one column or expression; `name` is how people call it, `type` its plain type."""

    name: str
    type: str
    statistics: ColumnStatistics | None
    profile: Profile

    @property
    def common(self) -> tuple[str, ...]:
        """The most common values, most common first."""
        return (self.statistics.most_common_values or ()) if self.statistics else ()

    @property
    def bounds(self) -> tuple[str, ...]:
        """The histogram's bounds, in order."""
        return (self.statistics.histogram_bounds or ()) if self.statistics else ()

    @property
    def is_known(self) -> bool:
        """Whether statistics have any value."""
        return bool(self.common or self.bounds)

    @cached_property
    def ordinary(self) -> tuple[str, ...]:
        """Values that are not common: each stands for about one row, from the middle of the histogram outwards."""
        common = frozenset(self.common)
        middle = len(self.bounds) // 2
        order = sorted(range(len(self.bounds)), key=lambda i: (abs(i - middle), i))
        return tuple(dict.fromkeys(self.bounds[i] for i in order if self.bounds[i] not in common))

    @cached_property
    def _weighted(self) -> tuple[tuple[Decimal, str, float], ...]:
        """Every known value with its place and its share of the rows, in order; empty for types without a line."""
        statistics = self.statistics
        if statistics is None:
            return ()
        shares = statistics.most_common_frequencies or ()
        left = max(0.0, 1.0 - statistics.null_fraction - sum(shares)) / max(1, len(self.bounds) - 1)
        values = [(v, s) for v, s in zip(self.common, shares, strict=False)]
        values += [(v, left if i else 0.0) for i, v in enumerate(self.bounds)]  # a bound ends its bin
        placed = ((typed.position(v, self.type), v, s) for v, s in values)
        return tuple(sorted((p, v, s) for p, v, s in placed if p is not None))

    def at(self, quantile: float) -> str | None:
        """Return the value below which that share of the rows lies, None where that is not known."""
        if not self._weighted:
            return self._in_order(quantile)
        total = sum(s for _, _, s in self._weighted)
        seen = 0.0
        for index, (_, value, share) in enumerate(self._weighted):
            seen += share
            if seen >= quantile * total - 1e-12:
                return self._between(index, (seen - quantile * total) / share if share else 0.0) or value
        return self._weighted[-1][1]

    def _between(self, index: int, back: float) -> str | None:
        """Return a value between this one and the one before, that share of the way back."""
        if index == 0 or self._weighted[index][1] in self.common:
            return None
        before, here = self._weighted[index - 1][0], self._weighted[index][0]
        between = here - (here - before) * Decimal(str(round(back, 6)))
        return typed.at_position(typed.rounded(between, self._weighted[index][1], self.type), self.type)

    def _in_order(self, quantile: float) -> str | None:
        values = self.bounds or tuple(sorted(self.common))
        return values[min(len(values) - 1, int(quantile * len(values)))] if values else None

    def beyond(self, *, below: bool = False, steps: int = 1) -> str | None:
        """Return a value past the largest (or smallest) one known, None where the type has none."""
        if self._weighted:
            edge = self._weighted[0 if below else -1][0]
            step = max(Decimal(1), abs(self._weighted[-1][0] - self._weighted[0][0]) / 100)
            step = max(step, Decimal(86_400)) if self.type in typed.MOMENTS else step
            return typed.at_position(edge - step * steps if below else edge + step * steps, self.type)
        values = self.bounds or tuple(sorted(self.common))
        if not values or self.type not in typed.TEXTS:
            return None
        return "" if below else values[-1] + "~" * steps

    @property
    def absent(self) -> str | None:
        """A value that is not there, None where every value of the type is known to be."""
        known = frozenset(self.common) | frozenset(self.bounds)
        if self.type == "boolean":
            return next((v for v in ("t", "f") if v not in known), None)
        names = typed.labels(self.type, self.profile)
        if names:
            return next((v for v in names if v not in known), None)
        if self.type == "uuid":
            return next(v for v in _UUIDS if v not in known)
        return self.beyond() or self.beyond(below=True)

    def rarest(self) -> str | None:
        """Return the value with the fewest rows that is there."""
        return next(iter(self.ordinary), self.common[-1] if self.common else None)


_UUIDS = tuple(f"{d * 8}-{d * 4}-4{d * 3}-8{d * 3}-{d * 12}" for d in "fedcba9876543210")


def spread_of(name: str, column: Column, profile: Profile, statistics: ColumnStatistics | None = None) -> Spread:
    """Return a column's spread; `statistics` stand in for its own."""
    known = statistics or column.own_statistics
    return Spread(name=name, type=typed.plain(column.type, profile), statistics=known, profile=profile)


def part_of_moments(name: str, part: str, statistics: ColumnStatistics, profile: Profile) -> Spread:
    """Return the spread of `extract(part from column)`, from the column's values."""
    values = (*(statistics.most_common_values or ()), *(statistics.histogram_bounds or ()))
    parts = [p for v in values if (p := typed.part(v, part)) is not None]
    derived = ColumnStatistics(
        null_fraction=statistics.null_fraction,
        average_width=8,
        n_distinct=len(set(parts)),
        most_common_values=tuple(str(p) for p, _ in Counter(parts).most_common(100)),
        most_common_frequencies=tuple(n / len(parts) for _, n in Counter(parts).most_common(100)),
    )
    return Spread(name=name, type="numeric", statistics=derived, profile=profile)
