"""What the statistics say of an index key: a column, or an expression over columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from premortem.advisor.remembering import remembered
from premortem.advisor.storage import FIXED, alignment, base_type, length_by_looks, measure
from premortem.model import Column, ColumnStatistics, IndexKey, Table

__all__ = ["GENERIC_DISTINCT", "KeyStatistics", "base_type", "distinct", "key_statistics", "of_column", "unknown"]

GENERIC_DISTINCT = 200.0  # DEFAULT_NUM_DISTINCT
_UNKNOWN_WIDTH = 16
_FOLLOWS = 0.95  # a correlation from which rows with the same value are taken to stand together


@dataclass(frozen=True, slots=True)
class Width:
    """A part of a column's values: how many, how wide on average, and what is left when that is divided by eight."""

    share: float
    mean: float
    rest: int
    alignment: int


@dataclass(frozen=True, kw_only=True)
class KeyStatistics:
    """How wide a key is and how its values repeat, in the whole table.

    `distinct` is what ANALYZE found, which the planner believes; `kinds` what there is likely to be.
    """

    width: float
    alignment: int
    varies: bool
    null_share: float
    distinct: float
    common: tuple[float, ...]
    type: str
    rows: float
    pages: float = 0.0
    sample: float = 30_000.0
    statistics: ColumnStatistics | None = None

    @cached_property
    def widths(self) -> tuple[Width, ...]:
        """How wide the values are, grouped by what is left when their width is divided by eight."""
        if not self.varies:
            return (Width(1.0, self.width, int(self.width) % 8, self.alignment),)
        return _measured(self) or _around(self)

    @property
    def mean_width(self) -> float:
        """The average width of the values that are not NULL."""
        return sum(w.share * w.mean for w in self.widths)

    @cached_property
    def kinds(self) -> float:
        """How many distinct values there are.

        ANALYZE reads 300 pages for each point of its target and takes its rows from these, so that neighbours come
        together more often than chance would have it.  Where equal values are neighbours it thereby sees too many
        duplicates, and finds too few kinds.
        """
        return _unclustered(self.distinct, self.rows, self.pages, self.sample) if self._runs else self.distinct

    @property
    def _runs(self) -> bool:
        """Whether equal values stand together, each kind in one place, as far as the statistics tell."""
        found = self.statistics
        return found is not None and abs(found.correlation or 0.0) > _FOLLOWS and not found.most_common_values

    @property
    def sampled(self) -> float:
        """The share of the rows that `kinds` was estimated from: all where that was put right."""
        return 1.0 if self.counted else min(1.0, max(self.sample / max(self.rows, 1.0), 1e-9))

    @property
    def counted(self) -> bool:
        """Whether `kinds` is not what ANALYZE found, but what that was put right to."""
        return self.kinds != self.distinct

    def left(self, part: float) -> KeyStatistics:
        """Return the key without its NULLs, of whose other values only a part is left."""
        rest = max(1.0 - self.null_share, 1e-9)
        common = tuple(f / rest for f in self.common) if part == 1.0 else ()
        return replace(
            self, null_share=0.0, common=common, distinct=max(1.0, self.distinct * part), rows=self.rows * rest * part,
            pages=self.pages * rest * part, sample=self.sample * rest * part,
            statistics=self.statistics if part == 1.0 else None,
        )  # fmt: skip

    @property
    def known(self) -> ColumnStatistics | None:
        """The statistics, if their values are the true ones."""
        return None if self.statistics is None or self.statistics.pseudonyms else self.statistics


def _unclustered(found: float, rows: float, pages: float, sample: float) -> float:
    """Return how many runs of equal values a sample by pages was taken from, if it led to so many distinct ones.

    The estimator is Haas and Stokes' (`compute_scalar_stats` in analyze.c), given what such a sample would hold.
    """
    if pages <= sample or rows <= sample or found >= rows / 1.02:
        return found
    seen, taken = sample / pages, sample / rows
    low, high = 1.0, rows / pages
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if _estimated(middle, rows, seen, taken, sample) > found else (low, middle)
    return rows / low if low < rows / pages * 0.999 else found


def _estimated(run: float, rows: float, seen: float, taken: float, sample: float) -> float:
    """Return how many distinct values ANALYZE would find where each has `run` rows on one page."""
    of_page = min(1.0, taken / seen)
    kinds = rows / run
    found = kinds * seen * (1.0 - (1.0 - of_page) ** run)
    once = kinds * seen * run * of_page * (1.0 - of_page) ** (run - 1.0)
    return float(sample * found / (sample - once + once * taken))


def _measured(key: KeyStatistics) -> tuple[Width, ...]:
    """Return the widths of the values that the statistics hold, moved to the average of all that were sampled."""
    of = measure(key.type)
    found = key.known
    if of is None or found is None:
        return ()
    common = tuple(zip(found.most_common_values or (), found.most_common_frequencies or (), strict=False))
    bounds = found.histogram_bounds or ()
    rest = max(0.0, 1.0 - found.null_fraction - sum(f for _, f in common)) / max(1, len(bounds))
    sizes = [(of(value), share) for value, share in (*common, *((b, rest) for b in bounds)) if share > 0]
    total = sum(share for _, share in sizes)
    if total < 0.5 * (1.0 - found.null_fraction) or not sizes:
        return ()
    mean = sum(size * share for size, share in sizes) / total
    # The average in the statistics is cut off after the point.
    off = 0 if found.average_width <= mean < found.average_width + 1 else round(found.average_width + 0.5 - mean)
    constant = len({size for size, _ in sizes}) == 1
    return _grouped([(size + (0 if constant and abs(off) <= 1 else off), share / total) for size, share in sizes], key)


def _around(key: KeyStatistics) -> tuple[Width, ...]:
    """Return widths of every rest, around the average, which the statistics cut off after the point."""
    middle = int(key.width)
    if key.type == "character" and key.statistics is not None:
        return _grouped([(middle, 1.0)], key)
    if key.type == "numeric":  # three bytes and two for every group of digits
        below = max(3, middle - 1 + middle % 2)
        return _grouped([(below, 0.75), (below + 2, 0.25)] if middle % 2 else [(below, 0.25), (below + 2, 0.75)], key)
    return _grouped([(max(1, middle + step), 1 / 8) for step in range(-3, 5)], key)


def _grouped(sizes: Sequence[tuple[int, float]], key: KeyStatistics) -> tuple[Width, ...]:
    groups: dict[tuple[int, int], tuple[float, float]] = {}
    for size, share in sizes:
        place = (size % 8, alignment(size, key.type))
        had, mass = groups.get(place, (0.0, 0.0))
        groups[place] = (had + share, mass + share * size)
    return tuple(Width(share, mass / share, rest, align) for (rest, align), (share, mass) in groups.items())


def key_statistics(key: IndexKey | str, table: Table) -> KeyStatistics:
    """Return what is known of a key of an index on the table, assumed where nothing is."""
    from premortem.advisor.expressions import of_expression

    wanted = IndexKey(column=key) if isinstance(key, str) else key
    name, expression = wanted.column, wanted.expression or ""
    if name is not None:
        return remembered(table, "_of_columns", name, lambda: of_column(table, name))
    return remembered(table, "_of_expressions", expression, lambda: of_expression(table, expression))


def of_column(table: Table, name: str) -> KeyStatistics:
    """Return what is known of a column."""
    column = table.column(name)
    if column is None:
        return unknown(table, "text")
    return of_statistics(table, base_type(column.type), column)


def of_statistics(table: Table, type_name: str, column: Column) -> KeyStatistics:
    """Return what a column's statistics, or those of an index's expression, say of a key of that type."""
    statistics = column.own_statistics
    if statistics is None:
        return unknown(table, type_name)
    width, align = FIXED.get(type_name) or length_by_looks(type_name, statistics.average_width) or (0, 1)
    return KeyStatistics(
        width=float(width or statistics.average_width), alignment=align, varies=not width,
        null_share=statistics.null_fraction, distinct=distinct(statistics, table.rows),
        common=statistics.most_common_frequencies or (), type=type_name, rows=table.rows, pages=float(table.pages),
        sample=300.0 * _target(column, statistics), statistics=statistics,
    )  # fmt: skip


def _target(column: Column, statistics: ColumnStatistics) -> int:
    """Return the statistics target that ANALYZE had: as many bounds as it asks for, where there are enough kinds."""
    if column.statistics_target:
        return column.statistics_target
    bounds = len(statistics.histogram_bounds or ()) - 1
    found = max(bounds, len(statistics.most_common_frequencies or ()))
    many = statistics.n_distinct < 0 or statistics.n_distinct > 10 * found
    return found if found > 100 or (bounds > 0 and many) else 100


def unknown(table: Table, type_name: str, width: float = _UNKNOWN_WIDTH) -> KeyStatistics:
    """Return what is assumed of a key without statistics, as the planner assumes it."""
    fixed, align = FIXED.get(type_name, (0, 1))
    return KeyStatistics(
        width=float(fixed or width), alignment=align, varies=not fixed, null_share=0.0,
        distinct=max(1.0, min(GENERIC_DISTINCT, table.rows)), common=(), type=type_name, rows=table.rows,
        pages=float(table.pages),
    )  # fmt: skip


def distinct(statistics: ColumnStatistics, rows: float) -> float:
    """Return the number of distinct values in a table of so many rows."""
    found = statistics.n_distinct if statistics.n_distinct >= 0 else -statistics.n_distinct * rows
    return max(1.0, found or min(GENERIC_DISTINCT, rows))
