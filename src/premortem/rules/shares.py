"""What production's statistics of a column say of how many rows a condition keeps.

For telling whether an estimate is wrong because columns depend on each other: if it were only that, each condition
alone would be estimated rightly, and all of them together keep no more than the strictest of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from premortem.model import Column, ColumnStatistics, Table
from premortem.sqltext import Comparison, ComparisonKind, Operand, OperandKind, base_type

#: Types whose values have one text form, so that one that is not among the common values is known to be rare.
_ONE_FORM = frozenset({"text", "character varying", "integer", "bigint", "smallint", "boolean", "uuid"})
_MEMBER = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^{},"]+)')
_UNESCAPED = re.compile(r"\\(.)")
_TRUTH = {"is true": "t", "is false": "f", "is not true": "f", "is not false": "t", "not": "f"}


class Share(NamedTuple):
    """The least and the most of a table's rows that a condition keeps, as far as statistics tell."""

    least: float
    most: float


def distinct_of(table: Table, column: str) -> float | None:
    """Return how many different values statistics give a column, None where there are none."""
    statistics = _statistics(table.column(column))
    return None if statistics is None else _distinct(statistics, table.rows)


def share_of(alternatives: Sequence[Comparison], table: Table) -> Share | None:
    """Return what comparisons of a column with fixed values keep, of which one must hold; None without statistics."""
    column = table.column(alternatives[0].left.column.column) if alternatives[0].left.column else None
    statistics = _statistics(column)
    if column is None or statistics is None:
        return None
    parts = [p for c in alternatives for p in _of_comparison(c, column, statistics, table.rows)]
    return Share(min(sum(p.least for p in parts), 1.0), min(sum(p.most for p in parts), 1.0))


def _of_comparison(
    comparison: Comparison, column: Column, statistics: ColumnStatistics, rows: float
) -> Iterator[Share]:
    nulls = statistics.null_fraction
    if comparison.kind is ComparisonKind.IS_NULL:
        yield Share(nulls, nulls)
    elif comparison.kind is ComparisonKind.IS_NOT_NULL:
        yield Share(1 - nulls, 1 - nulls)
    else:
        yield from (_of_value(value, column, statistics, rows) for value in _values(comparison))


def most_times(shares: Sequence[Share]) -> float:
    """Return how many times more rows than expected there can be, if each share alone is right.

    >>> round(most_times([Share(0.05, 0.05), Share(0.05, 0.05)]))
    20
    """
    expected = math.prod(max(s.least, 1e-9) for s in shares)
    return min(s.most for s in shares) / expected


def _statistics(column: Column | None) -> ColumnStatistics | None:
    found = column.statistics if column is not None else ()
    return next((s for s in sorted(found, key=lambda s: s.inherited)), None)


def _distinct(statistics: ColumnStatistics, rows: float) -> float:
    n = statistics.n_distinct
    return max(n if n > 0 else -n * rows, 1.0)


def _values(comparison: Comparison) -> list[str | None]:
    """Return the values that a column is compared with, None for one that is not known."""
    if comparison.kind is ComparisonKind.BOOLEAN:
        return [_TRUTH.get(comparison.operator, "t")]
    right = comparison.right
    if comparison.kind is ComparisonKind.ANY_EQUALITY and right is not None:
        return _elements(right)
    return [_constant(right)]


def _elements(right: Operand) -> list[str | None]:
    if right.elements:
        return [_constant(e) for e in right.elements]
    if right.constant is None or not right.constant.startswith("{"):
        return [None]
    return [m["plain"] if m["plain"] else _UNESCAPED.sub(r"\1", m["quoted"]) for m in _MEMBER.finditer(right.constant)]


def _constant(operand: Operand | None) -> str | None:
    return operand.constant if operand is not None and operand.kind is OperandKind.CONSTANT else None


def _of_value(value: str | None, column: Column, statistics: ColumnStatistics, rows: float) -> Share:
    common = dict(
        zip(statistics.most_common_values or (), statistics.most_common_frequencies or (), strict=False),
    )
    if value in common and not statistics.pseudonyms:
        return Share(common[value], common[value])
    frequencies = statistics.most_common_frequencies or ()
    distinct = _distinct(statistics, rows)
    left = max(1 - sum(frequencies) - statistics.null_fraction, 0.0)
    rare = left / max(distinct - len(frequencies), 1.0)
    if value is not None and base_type(column.type) in _ONE_FORM and not statistics.pseudonyms:
        return Share(rare, rare)
    least = min(rare, 1 / distinct) if rare else 1 / distinct
    return Share(least, max((*frequencies, 1 / distinct)))
