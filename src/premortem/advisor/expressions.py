"""What is known of an index key that is an expression: measured if something has it, else told from its text.

Where an expression keeps its column's values apart (`lower`), the column's figures serve; where it makes many values
one (`date_trunc`, a cast to a date), as many kinds are assumed as fit between the column's least and greatest value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from premortem.advisor import samples
from premortem.advisor.columns import KeyStatistics, key_statistics, of_statistics, unknown
from premortem.advisor.conditions import is_bracketed
from premortem.advisor.storage import FIXED
from premortem.model import Column, ColumnStatistics, Table

_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0, "month": 2629800.0,
            "quarter": 7889400.0, "year": 31557600.0}  # fmt: skip
#: How many values a part of a time has.
_PARTS = {"year": 30.0, "month": 12.0, "quarter": 4.0, "week": 53.0, "day": 31.0, "dow": 7.0, "isodow": 7.0,
          "hour": 24.0, "minute": 60.0, "doy": 366.0}  # fmt: skip
_TIMES = ("date", "timestamp without time zone", "timestamp with time zone")
_SHORT_TEXT = 6.0  # an element of a document as text, where nothing is known of it
_TYPES = {
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "bool": "boolean",
    "float4": "real",
    "float8": "double precision",
    "varchar": "character varying",
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}


def of_expression(table: Table, expression: str) -> KeyStatistics:
    """Return what is known of an expression over the table's columns."""
    measured = _measured(table, expression)
    type_name = expression_type(expression)
    if measured is not None:
        return of_statistics(table, type_name or "text", measured)
    bare = re.sub(r"'[^']*'", "''", expression)  # a document's key may be called as a column is
    columns = [c for c in table.columns if re.search(rf'(?<![\w"]){re.escape(c.name)}(?![\w"])', bare)]
    sources = [key_statistics(c.name, table) for c in columns]
    if not sources:
        return unknown(table, type_name or "text")
    return _from_text(_bare(expression), type_name, sources, table)


def _bare(expression: str) -> str:
    while is_bracketed(expression):
        expression = expression[1:-1].strip()
    return expression


def _measured(table: Table, expression: str) -> Column | None:
    """Return the statistics that an index or extended statistics have of the same expression."""
    wanted = _same(expression)
    return next((c for text, c in _with_statistics(table) if _same(text) == wanted), None)


def _same(expression: str) -> str:
    return re.sub(r"[\s()]|::text\b|pg_catalog\.", "", expression).lower()


def _with_statistics(table: Table) -> Iterator[tuple[str, Column]]:
    for index in table.indexes:
        if index.predicate is None:
            for column in index.expression_columns:
                key = index.keys[column.number - 1] if 0 < column.number <= len(index.keys) else None
                if key is not None and key.expression and column.own_statistics is not None:
                    yield key.expression, column
    for extended in table.statistics:
        texts = extended.keys[len(extended.keys) - extended.expression_count :] if extended.expression_count else ()
        for text, statistics in zip(texts, extended.expression_statistics, strict=False):
            if statistics is not None:
                yield text, Column(name="expr", number=1, type="", statistics=(statistics,))


def _from_text(text: str, type_name: str | None, sources: list[KeyStatistics], table: Table) -> KeyStatistics:
    first = sources[0]
    if type_name == "tsvector":
        return replace(first, type="tsvector", common=())
    if type_name in _TIMES and first.type in _TIMES:
        return _truncated(text, type_name, first)
    part = re.match(r"(?:extract|date_part)\s*\(\s*'?(\w+)'?(?:::text)?\s*(?:from\b|,)", text, re.IGNORECASE)
    if part:
        exact = text.lower().startswith("extract")
        kinds = min(first.kinds, _PARTS.get(part[1].lower(), first.kinds))
        return _derived(first, "numeric" if exact else "double precision", kinds, width=5.0)
    if re.search(r"->>|#>>|->|#>", text) or first.type in ("jsonb", "json", "xml"):
        return _of_document(text, type_name or "text", first, table)
    if re.match(r"md5\(", text):
        return _derived(first, "text", first.kinds, width=33.0)
    cut = re.match(r"(?:left|right|\"left\"|\"right\"|substr|substring)\s*\(.*?(\d+)\)$", text, re.IGNORECASE)
    if cut:
        return _cut(first, int(cut[1]))
    if type_name is not None and type_name in FIXED:
        return _derived(first, type_name, first.kinds)
    if "||" in text:
        return _joined(text, sources)
    coalesced = re.match(r"coalesce\(", text, re.IGNORECASE)
    if coalesced and first.null_share > 0:
        return replace(first, null_share=0.0, common=(first.null_share, *first.common), distinct=first.distinct + 1)
    return first


def _of_document(text: str, type_name: str, source: KeyStatistics, table: Table) -> KeyStatistics:
    """Return what known documents have there, or what the planner assumes where none are known."""
    names = re.findall(r"->>?\s*'([^']*)'", text)
    found = samples.extracted(source.statistics, names, table.rows) if names else None
    if found is None:
        return unknown(table, type_name, _SHORT_TEXT)
    width = found.width if source.known is not None else _SHORT_TEXT
    return replace(
        unknown(table, type_name, width), distinct=max(1.0, found.kinds), common=found.common, null_share=found.missing
    )


def _derived(source: KeyStatistics, type_name: str, kinds: float, width: float = 0.0) -> KeyStatistics:
    """Return a key of another type with the source's values, or with fewer kinds of them."""
    fixed, align = FIXED.get(type_name, (0, 1))
    same = kinds >= source.distinct
    return replace(
        source, width=float(fixed or width or source.width), alignment=align, varies=not fixed, type=type_name,
        distinct=kinds, common=source.common if same else (), statistics=_without_values(source.statistics, width),
    )  # fmt: skip


def _without_values(statistics: ColumnStatistics | None, width: float) -> ColumnStatistics | None:
    if statistics is None:
        return None
    return replace(
        statistics,
        most_common_values=None,
        histogram_bounds=None,
        average_width=round(width) or statistics.average_width,
    )


def _truncated(text: str, type_name: str, source: KeyStatistics) -> KeyStatistics:
    """Return a time cut to its day, month…: as many kinds as there are between the least and the greatest."""
    unit = re.search(r"date_trunc\('(\w+)'", text)
    seconds = _SECONDS.get(unit[1].lower(), 0.0) if unit else _SECONDS["day"] if type_name == "date" else 0.0
    span = _span(source.statistics)
    kinds = min(source.kinds, span / seconds + 1) if span is not None and seconds else min(source.kinds, 3650.0)
    if not seconds:
        kinds = source.kinds
    return _derived(source, type_name, max(1.0, kinds))


def _span(statistics: ColumnStatistics | None) -> float | None:
    """Return the seconds between the least and the greatest value that the statistics know."""
    if statistics is None:
        return None
    known = (*(statistics.histogram_bounds or ()), *(statistics.most_common_values or ()))
    try:
        times = [datetime.fromisoformat(value) for value in known]
    except ValueError:  # infinity, BC, pseudonyms
        return None
    moments = [(t if t.tzinfo else t.replace(tzinfo=UTC)).timestamp() for t in times]
    return max(moments) - min(moments) if moments else None


def _cut(source: KeyStatistics, length: int) -> KeyStatistics:
    """Return a text cut to so many characters, as its known values are."""
    found = source.statistics
    known = (*((found and found.most_common_values) or ()), *((found and found.histogram_bounds) or ()))
    if not known:
        return _derived(source, "text", source.kinds, width=min(source.width, length + 1.0))
    kinds = len({value[:length] for value in known})
    seen = kinds if kinds < len(known) * 0.5 else source.kinds * kinds / len(set(known))
    return _derived(source, "text", min(source.kinds, seen), width=min(source.width, length + 1.0))


def _joined(text: str, sources: list[KeyStatistics]) -> KeyStatistics:
    """Return several texts in one."""
    literals = sum(len(piece) for piece in re.findall(r"'([^']*)'", text))
    width = sum(s.mean_width - s.varies for s in sources) + literals + 1.0
    finest = max(sources, key=lambda s: s.kinds)
    nulls = max(s.null_share for s in sources)
    return replace(_derived(finest, "text", finest.kinds, width=width), null_share=nulls)


def expression_type(expression: str) -> str | None:
    """Return the type of an expression where its text gives it away, None otherwise.

    >>> expression_type("(created_at)::date"), expression_type("date_trunc('day'::text, created_at)")
    ('date', 'timestamp without time zone')
    >>> expression_type("((doc ->> 'n')::int)"), expression_type("lower(name)")
    ('integer', None)
    """
    text = _bare(expression)
    if text.startswith("date_trunc("):
        return "timestamp without time zone"
    if text.startswith("to_tsvector("):
        return "tsvector"
    cast = re.search(r"::([a-z0-9 ]+)\)?$", text)
    if not cast:
        return None
    found = _TYPES.get(cast[1].strip(), cast[1].strip())
    return found if found in FIXED or found == "numeric" else None
