"""What is known and wanted of a column, and what it is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from premortem.model import ColumnStatistics
from premortem.synthesis import distinct as distincts
from premortem.synthesis.domains import Domain
from premortem.synthesis.kinds import Kind
from premortem.synthesis.limits import Limits
from premortem.synthesis.segments import Segments

_TARGET = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is known and wanted of a column.

    `rows` are those that are not NULL, of `total`.  `pins` are values that must be there because other tables refer to
    them.  `shift` moves moments, in microseconds.  `distinct` is the number of values where it is known better than
    from the statistics, `reach` the share of the table's blocks that a sample of ANALYZE is from where equal values lie
    side by side, `at_least` how many values there are at least.  `limits` are what the schema says of the values,
    `wide` is the length of values that lie in the TOAST table, 0 where none do, `paths` the keys of documents that
    indexes and statements name.
    """

    kind: Kind
    statistics: ColumnStatistics | None
    rows: int
    total: int
    unique: bool = False
    target: int = _TARGET
    pins: tuple[str, ...] = ()
    shift: int = 0
    oids: Mapping[str, int] = field(default_factory=dict)
    salt: int = 0
    distinct: float | None = None
    reach: float = 1.0
    at_least: float = 1.0
    wide: int = 0
    limits: Limits = field(default_factory=Limits)
    paths: Mapping[tuple[str, ...], ColumnStatistics | None] = field(default_factory=dict)

    @property
    def _most_common(self) -> list[tuple[str, float]]:
        found = self.statistics
        if found is None or not found.most_common_values or not found.most_common_frequencies or self.unique:
            return []
        pairs = zip(found.most_common_values, found.most_common_frequencies, strict=False)
        return [(text, share * self.total) for text, share in pairs]

    @property
    def common(self) -> list[tuple[str, float]]:
        """The values that are told with their rows: the most common ones, and all where the histogram has all."""
        common = self._most_common
        if not self._told_wholly:
            return common
        left = max(self.rows - sum(rows for _, rows in common), 0.0)
        return common + [(text, left / len(self._histogram)) for text in self._histogram]

    @property
    def bounds(self) -> tuple[str, ...]:
        """The histogram's bounds, none where these are all the values that there are."""
        return () if self._told_wholly else self._histogram

    @property
    def _histogram(self) -> tuple[str, ...]:
        return (self.statistics.histogram_bounds or ()) if self.statistics else ()

    @property
    def _told_wholly(self) -> bool:
        values = len(set(self._histogram))
        return (
            not self.unique and 0 < len(self._histogram) == values and self.said < len(self._most_common) + values + 0.5
        )

    @property
    def said(self) -> float:
        """The number of distinct values that the statistics name."""
        if self.unique:
            return float(self.rows)
        if self.distinct is not None:
            return min(self.distinct, float(self.rows))
        stated = self.statistics.n_distinct if self.statistics else 0.0
        if stated == 0:
            return float(min(self.rows, 200))  # what the planner assumes (DEFAULT_NUM_DISTINCT)
        return max(1.0, min(max(stated if stated > 0 else -stated * self.total, self.at_least), self.rows))

    @property
    def sample(self) -> int:
        """How many of its rows ANALYZE sees."""
        return round(distincts.sample_size(self.total, self.target) * self.rows / max(self.total, 1))


@dataclass(frozen=True, kw_only=True)
class Basis:
    """A column's values and their spread; `number` finds a known value's number, None where it is none."""

    domain: Domain
    found: Segments
    number: Callable[[str], int | None] = lambda text: None
    numbered: bool = True
    holds: Callable[[str], bool] = lambda text: True
