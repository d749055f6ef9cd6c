"""How much of a table a condition keeps, as far as the column statistics tell."""

from __future__ import annotations

from dataclasses import replace

from premortem import sqltext
from premortem.advisor.columns import distinct, key_statistics
from premortem.advisor.conditions import terms
from premortem.advisor.histograms import share_below, share_less
from premortem.advisor.wants import Term, Use
from premortem.model import Column, ColumnStatistics, Table

_RANGE_SHARE = 1 / 3  # DEFAULT_INEQ_SEL
_MATCH_SHARE = 0.005  # DEFAULT_MATCH_SEL
_NEARLY_ALL = {Use.UNEQUAL: 1.0 - _MATCH_SHARE, Use.NOT_NULL: 1.0 - _MATCH_SHARE}


def share_of_predicate(predicate: str, table: Table) -> float:
    """Return the share of the table's rows that an index predicate keeps."""
    share = 1.0
    for term in terms(sqltext.condition(predicate), None, table):
        share *= share_of(term, table)
    return max(share, 1e-9)


def share_of(term: Term, table: Table) -> float:
    """Return the share of the rows that one condition keeps, as the planner would guess it."""
    column = table.column(term.operand.column) if term.operand.column else None
    statistics = column.own_statistics if column else None
    if column is None or statistics is None:
        return _blind(term, table)
    if column.type.startswith("character("):
        term, statistics = _unpadded(term), _unpadded_statistics(statistics)
    return min(1.0, _known(term, table, column, statistics))


def _unpadded(term: Term) -> Term:
    """Return a condition on a `character(n)` column with the value as it compares: blanks at the end do not count."""
    value = term.value.rstrip(" ") if term.value is not None else None
    return replace(term, value=value, values=tuple(v.rstrip(" ") for v in term.values))


def _unpadded_statistics(statistics: ColumnStatistics) -> ColumnStatistics:
    common = statistics.most_common_values
    return replace(statistics, most_common_values=tuple(v.rstrip(" ") for v in common)) if common else statistics


def _blind(term: Term, table: Table) -> float:
    if term.use in (Use.EQUAL, Use.JOIN):
        return 1.0 / key_statistics(term.operand.key, table).distinct
    if term.use is Use.ROW:
        return _of_row(term, table)
    return {Use.RANGE: _RANGE_SHARE, Use.NULL: 0.005, Use.TRUE: 0.5, Use.FALSE: 0.5, **_NEARLY_ALL}.get(term.use, 0.1)


def _known(term: Term, table: Table, column: Column, statistics: ColumnStatistics) -> float:
    nulls = statistics.null_fraction
    match term.use:
        case Use.NULL:
            return nulls
        case Use.NOT_NULL:
            return 1.0 - nulls
        case Use.TRUE:
            return _of_value("t", table, statistics)
        case Use.FALSE:
            return _of_value("f", table, statistics)
        case Use.EQUAL | Use.JOIN:
            return _of_value(term.value, table, statistics)
        case Use.SOME:
            return sum(_of_value(v, table, statistics) for v in term.values or (None,))
        case Use.UNEQUAL if term.values:
            return max(1.0 - nulls - sum(_of_value(v, table, statistics) for v in term.values), 0.0)
        case Use.UNEQUAL:
            return max(1.0 - nulls - _of_value(term.value, table, statistics), 0.0)
        case Use.RANGE:
            return _of_range(term, column) * (1.0 - nulls)
    return _MATCH_SHARE


def _of_range(term: Term, column: Column) -> float:
    """Return the share of the values on the wanted side of a known bound."""
    below = share_below(column, term.value) if term.value is not None and not term.row else None
    if below is None:
        return _RANGE_SHARE
    return below if term.operator.startswith("<") else 1.0 - below


def _of_row(term: Term, table: Table) -> float:
    """Return the share of the rows in which one column is less than another, as if the two were independent."""
    one, other = (table.column(name) for name in term.operand.columns)
    less = share_less(one, other) if one is not None and other is not None else None
    if term.operator in ("=", "<>") or less is None:
        return {"=": _MATCH_SHARE, "<>": 1.0 - _MATCH_SHARE}.get(term.operator, _RANGE_SHARE)
    return less if term.operator.startswith("<") else 1.0 - less


def _of_value(value: str | None, table: Table, statistics: ColumnStatistics) -> float:
    """Return the share of rows with that value; an unknown one gets an average share of what is not common."""
    common = statistics.most_common_values or ()
    frequencies = statistics.most_common_frequencies or ()
    kinds = distinct(statistics, table.rows)
    if value is not None and value in common:
        return frequencies[common.index(value)]
    if value is None or len(common) < len(frequencies):
        return (1.0 - statistics.null_fraction) / kinds
    rest = max(0.0, 1.0 - statistics.null_fraction - sum(frequencies))
    return rest / max(1.0, kinds - len(frequencies))


def is_closed(statistics: ColumnStatistics) -> bool:
    """Whether the most common values are all the values there are."""
    known = sum(statistics.most_common_frequencies or ()) + statistics.null_fraction
    return bool(statistics.most_common_values) and known >= 0.999
