"""Keys that may be too long for a B-tree: PostgreSQL refuses a row whose index entry would pass a third of a page.

An index over such a column builds as long as nobody has a long value, and then every INSERT of one fails.  What the
statistics say of it is indirect: a value beyond a kilobyte is left out of the samples (`WIDTH_THRESHOLD`), one that is
stored out of line counts as its pointer.  So a column is suspected by the longest value that was seen, by its average,
or by a table that keeps much out of line.
"""

from __future__ import annotations

import re

from premortem.advisor.columns import base_type
from premortem.advisor.wants import Operand
from premortem.model import Column, IndexCandidate, Table

BTREE_LIMIT = 2704  # BTMaxItemSize of an 8 kB page
_SUSPECT = 1000  # a sampled value that long is the longest that ANALYZE keeps
_SUSPECT_AVERAGE = 400
_OUT_OF_LINE = 100.0  # bytes a row in the TOAST table
_UNLIMITED = frozenset(("text", "character varying", "character", "bytea", "jsonb", "json", "xml", "bit varying"))
#: Functions whose result is short however long the argument.
_SHORTENS = re.compile(
    r"^\(?(md5|sha\d+|hashtext\w*|length|char_length|octet_length|left|\"?substring\"?|substr|date_trunc|extract)\(",
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


def _columns(column: str | None, expression: str | None, table: Table) -> tuple[str, ...]:
    if column is not None:
        return (column,)
    return tuple(c.name for c in table.columns if re.search(rf"(?<!\w){re.escape(c.name)}(?!\w)", expression or ""))


def _is_short(expression: str) -> bool:
    """Whether an expression's value is short: a digest, a number, a date, a member of a document."""
    if _SHORTENS.match(expression):
        return True
    cast = re.search(r"::([a-z_ ]+)\)?$", expression)
    return bool(cast and cast.group(1).strip() not in _UNLIMITED) or "->>" in expression or "#>>" in expression


def _is_suspect(column: Column, table: Table) -> bool:
    """Whether a column of a type without a limit shows long values, or may be what a table keeps out of line."""
    kind = base_type(column.type)
    limit = re.search(r"\((\d+)\)", column.type)
    unlimited = kind in _UNLIMITED or kind.endswith("[]")
    if not unlimited or (limit and int(limit[1]) * 4 < BTREE_LIMIT):
        return False
    statistics = column.own_statistics
    if statistics is None:
        return False
    seen = (*(statistics.most_common_values or ()), *(statistics.histogram_bounds or ()))
    longest = max((len(text.encode()) for text in seen), default=0)
    return longest >= _SUSPECT or statistics.average_width >= _SUSPECT_AVERAGE or _is_kept_out_of_line(column, table)


def _is_kept_out_of_line(column: Column, table: Table) -> bool:
    """Whether much of the table is out of line and this is the column without values in the sample that explains it."""
    if table.toast_bytes < _OUT_OF_LINE * max(table.rows, 1.0):
        return False
    statistics = column.own_statistics
    return statistics is not None and not statistics.histogram_bounds and not statistics.most_common_values
