"""Keys that may be too long for a B-tree: PostgreSQL refuses a row whose index entry would pass a third of a page.

An index over such a column builds as long as nobody has a long value, and then every INSERT of one fails.  What the
statistics say of it is indirect: a value beyond a kilobyte is left out of the samples (`WIDTH_THRESHOLD`), one that is
stored out of line counts as its pointer.  So a column is suspected by the longest value that was seen, by an average
well above the usual or above what the samples explain, or by a table that keeps values out of line.
"""

from __future__ import annotations

import math
import re

from premortem.advisor.columns import base_type
from premortem.advisor.samples import sampled_values
from premortem.advisor.storage import text_bytes
from premortem.advisor.wants import Operand
from premortem.model import Column, ColumnStatistics, IndexCandidate, Table

BTREE_LIMIT = 2704  # BTMaxItemSize of an 8 kB page
_SUSPECT = 1000  # a sampled value that long is the longest that ANALYZE keeps
_SUSPECT_AVERAGE = 400
_LONG = 400
_ABOVE_USUAL = 1.5  # times the median length: some values are much longer
_HEADER = 4
_TELLING = 50  # sampled values
_ERRORS = 3  # standard errors of their average length
_OUT_OF_LINE = 100.0  # bytes a row in the TOAST table
_UNLIMITED = frozenset(("text", "character varying", "character", "bytea", "jsonb", "json", "xml", "bit varying"))
#: Types that are stored as they are written.
_AS_WRITTEN = frozenset(("text", "character varying", "character"))
#: Functions whose result is short however long the argument.
_SHORTENS = re.compile(
    r"^\(?\"?(md5|sha\d+|hashtext\w*|length|char_length|octet_length|left|substring|substr|date_trunc|extract)\"?\(",
    re.I,
)


def may_be_too_long(operand: Operand, table: Table) -> bool:
    """Whether a value of the key may pass what a B-tree takes, as far as the statistics tell."""
    if operand.expression is not None and _is_short(operand.expression):
        return False
    return any(_is_suspect(c, table) for name in operand.columns if (c := table.column(name)) is not None)


def has_long_key(candidate: IndexCandidate, table: Table) -> bool:
    """Whether a B-tree candidate has a key or an included column that may be too long."""
    if candidate.method != "btree":
        return False
    operands = (Operand(column=k.column, expression=k.expression, columns=_columns(k.column, k.expression, table))
                for k in candidate.keys)  # fmt: skip
    included = (Operand(column=name, columns=(name,)) for name in candidate.include)
    return any(may_be_too_long(o, table) for o in (*operands, *included))


def caution(candidate: IndexCandidate, table: Table) -> str | None:
    """Return what may go wrong with a B-tree over a text whose longest value nobody knows, None where nothing may."""
    names = [k.column for k in candidate.keys if k.column is not None] + list(candidate.include)
    open_ended = [n for n in names if (c := table.column(n)) is not None and _is_unlimited(c)]
    if candidate.method != "btree" or not open_ended or not table.toast_bytes:
        return None
    return (
        f"{table.full_name} keeps long values out of line: if one of {' or '.join(open_ended)} passes "
        f"{BTREE_LIMIT:,} bytes, the build is refused, and so is writing such a value later"
    )


def _is_unlimited(column: Column) -> bool:
    """Whether values of the column's type may pass the limit."""
    kind = base_type(column.type)
    limit = re.search(r"\((\d+)\)", column.type)
    return (kind in _UNLIMITED or kind.endswith("[]")) and not (limit and int(limit[1]) * 4 < BTREE_LIMIT)


def _columns(column: str | None, expression: str | None, table: Table) -> tuple[str, ...]:
    if column is not None:
        return (column,)
    words = set(re.findall(r"[\w$]+", expression or ""))
    return tuple(c.name for c in table.columns if c.name in words or f'"{c.name}"' in (expression or ""))


def _is_short(expression: str) -> bool:
    """Whether an expression's value is short: a digest, a number, a date, a member of a document."""
    if _SHORTENS.match(expression):
        return True
    cast = re.search(r"::([a-z_ ]+)\)?$", expression)
    return bool(cast and cast.group(1).strip() not in _UNLIMITED) or "->>" in expression or "#>>" in expression


def _is_suspect(column: Column, table: Table) -> bool:
    """Whether a column of a type without a limit shows long values, or may be what a table keeps out of line."""
    statistics = column.own_statistics
    if statistics is None or not _is_unlimited(column):
        return False
    seen = (*(statistics.most_common_values or ()), *(statistics.histogram_bounds or ()))
    lengths = sorted(len(text.encode()) for text in seen)
    if statistics.average_width >= _SUSPECT_AVERAGE or (lengths and lengths[-1] >= _SUSPECT):
        return True
    if not lengths:
        return table.toast_bytes >= _OUT_OF_LINE * max(table.rows, 1.0)
    usual = lengths[len(lengths) // 2]
    has_tail = lengths[-1] >= _LONG or statistics.average_width >= _ABOVE_USUAL * (usual + _HEADER)
    is_text = base_type(column.type) in _AS_WRITTEN
    return table.toast_bytes > 0 and (has_tail or (is_text and _counts_more_than_it_shows(statistics)))


def _counts_more_than_it_shows(statistics: ColumnStatistics) -> bool:
    """Whether the average length is above what the sampled values explain: those left out are counted in it."""
    if statistics.pseudonyms:
        return False  # of other lengths than the values
    widths = [(text_bytes(v), weight) for v, weight in sampled_values(statistics)]
    if len(widths) < _TELLING:
        return False
    total = sum(weight for _, weight in widths)
    mean = sum(n * weight for n, weight in widths) / total
    variance = sum((n - mean) ** 2 * weight for n, weight in widths) / total
    return statistics.average_width > mean + _ERRORS * math.sqrt(variance / len(widths)) + 1
