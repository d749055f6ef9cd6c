"""What the statistics say of an index key: a column, or an expression over columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from premortem.model import Column, ColumnStatistics, IndexKey, Table

_FIXED = {
    "boolean": (1, 1),
    '"char"': (1, 1),
    "smallint": (2, 2),
    "integer": (4, 4),
    "bigint": (8, 8),
    "real": (4, 4),
    "double precision": (8, 8),
    "date": (4, 4),
    "time without time zone": (8, 8),
    "time with time zone": (12, 8),
    "timestamp without time zone": (8, 8),
    "timestamp with time zone": (8, 8),
    "interval": (16, 8),
    "uuid": (16, 1),
    "oid": (4, 4),
    "macaddr": (6, 4),
    "money": (8, 8),
    "point": (16, 8),
    "box": (32, 8),
    "name": (64, 1),
}
#: Types whose equal values may differ in bytes, so that nbtree keeps every row's own tuple (`btequalimage`).
_NEVER_EQUAL_IMAGE = (
    "numeric",
    "real",
    "double precision",
    "jsonb",
    "interval",
    "citext",
    "tsvector",
    "record",
    "money",
)
_GENERIC_DISTINCT = 200.0  # DEFAULT_NUM_DISTINCT


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatistics:
    """How wide a key is and how its values repeat, in the whole table."""

    width: float
    alignment: int
    varies: bool
    null_share: float
    distinct: float
    common: tuple[float, ...]
    deduplicates: bool
    type: str
    rows: float
    statistics: ColumnStatistics | None = None

    @property
    def gist_width(self) -> float:
        """The size of a GiST leaf key: a point is kept as a box."""
        return {"point": 32.0, "inet": 14.0, "cidr": 14.0}.get(self.type, max(self.width + 3, 16.0))

    @property
    def gist_fill(self) -> float:
        """How full GiST pages are after a build, measured on 300,000 rows."""
        return {"point": 0.66, "inet": 0.73, "cidr": 0.73}.get(self.type, 0.56)

    @property
    def element_width(self) -> float:
        """The average size of one GIN key."""
        if self.type.endswith("[]"):
            return max(2.0, min(self.width, 12.0))
        return 8.0

    def elements(self, opclass: str | None) -> tuple[tuple[float, float], ...]:
        """Return what a GIN index would hold, as (share of the rows that have the key, number of such keys)."""
        if opclass == "gin_trgm_ops":
            return _trigrams(self)
        if self.type == "tsvector":
            return _zipf(max(2.0, self.width / 7), max(100.0, min(200_000.0, self.rows)))
        if self.type == "jsonb":
            return _json_items(self, paths=opclass == "jsonb_path_ops")
        return _stored_elements(self)


def _trigrams(key: KeyStatistics) -> tuple[tuple[float, float], ...]:
    """Return the trigrams of a text: about one per character, over an alphabet used very unevenly."""
    per_row = max(3.0, (key.width - 1) * 0.92 + 1)
    vocabulary = min(4_000.0, key.rows * per_row)
    return _zipf(per_row, vocabulary)


def _json_items(key: KeyStatistics, *, paths: bool) -> tuple[tuple[float, float], ...]:
    """Return the items of a document: about one in 24 bytes, a quarter of them with values found nowhere else."""
    items = max(1.0, key.width / 24) * (1.0 if paths else 2.0)
    unique = items / 4
    return (*_zipf(items - unique, 200.0), (1.0 / max(key.rows, 1.0), unique * key.rows))


def _zipf(per_row: float, vocabulary: float) -> tuple[tuple[float, float], ...]:
    """Return keys whose frequency falls with their rank, so many of them in an average row."""
    bands, start, harmonic = [], 1.0, 0.0
    while start <= vocabulary:
        end = min(vocabulary + 1, start * 2)
        bands.append(((start + end) / 2, end - start))
        harmonic += (end - start) / ((start + end) / 2)
        start *= 2
    return tuple((min(1.0, per_row / harmonic / rank), count) for rank, count in bands)


def _stored_elements(key: KeyStatistics) -> tuple[tuple[float, float], ...]:
    found = key.statistics
    frequencies = found.most_common_element_frequencies if found else None
    if found is None or not frequencies:
        return _zipf(max(1.0, key.width / 12), max(10.0, key.rows / 20))
    count = len(found.most_common_elements or ())
    known = tuple((f, 1.0) for f in frequencies[:count])
    per_row = (found.element_count_histogram or (0.0,))[-1]
    rest = max(0.0, per_row - sum(f for f, _ in known))
    least = min((f for f, _ in known), default=0.001)
    return (*known, *(((least / 2, rest / (least / 2)),) if rest > 0.01 else ()))


def key_statistics(key: IndexKey | str, table: Table) -> KeyStatistics:
    """Return what is known of a key of an index on the table, assumed where nothing is."""
    if isinstance(key, str):
        return _of_column(table, table.column(key))
    if key.column is not None:
        return _of_column(table, table.column(key.column))
    return _of_expression(table, key.expression or "")


def _of_column(table: Table, column: Column | None) -> KeyStatistics:
    if column is None:
        return _unknown(table, "text")
    statistics = column.own_statistics
    type_name = base_type(column.type)
    width, alignment = _FIXED.get(type_name, (0, 1))
    if statistics is None:
        return _unknown(table, type_name)
    varies = width == 0
    if varies:
        width, alignment = statistics.average_width, _alignment_of(type_name, statistics)
        varies = alignment == 1
    return KeyStatistics(
        width=float(width), alignment=alignment, varies=varies, null_share=statistics.null_fraction,
        distinct=distinct(statistics, table.rows), common=statistics.most_common_frequencies or (),
        deduplicates=_deduplicates(type_name), type=type_name, rows=table.rows, statistics=statistics,
    )  # fmt: skip


def _alignment_of(type_name: str, statistics: ColumnStatistics) -> int:
    """Return 4 for long values and for what looks like an enum, 1 for the short variable-length ones."""
    if statistics.average_width >= 127:
        return 4
    known = type_name in ("text", "character varying", "character", "numeric", "jsonb", "bytea", "inet", "citext")
    looks_fixed = statistics.average_width == 4 and not known and not type_name.endswith("[]")
    return 4 if looks_fixed else 1


def _unknown(table: Table, type_name: str) -> KeyStatistics:
    width, alignment = _FIXED.get(type_name, (16, 1))
    return KeyStatistics(
        width=float(width), alignment=alignment, varies=type_name not in _FIXED, null_share=0.0,
        distinct=max(1.0, min(_GENERIC_DISTINCT, table.rows)), common=(), deduplicates=_deduplicates(type_name),
        type=type_name, rows=table.rows,
    )  # fmt: skip


def _of_expression(table: Table, expression: str) -> KeyStatistics:
    mentioned = [c for c in table.columns if re.search(rf'(?<![\w"]){re.escape(c.name)}(?![\w"])', expression)]
    source = _of_column(table, mentioned[0]) if mentioned else _unknown(table, "text")
    type_name = expression_type(expression)
    if type_name == "tsvector":
        return replace(source, type="tsvector", common=(), deduplicates=False)
    if type_name is None:
        wide = source.type in ("jsonb", "json", "xml") or source.width > 64
        return _unknown(table, "text") if wide else source
    width, alignment = _FIXED.get(type_name, (16, 1))
    shrinks = type_name in ("date", "timestamp without time zone")
    found = min(source.distinct, 3650.0) if shrinks else source.distinct
    return KeyStatistics(
        width=float(width), alignment=alignment, varies=type_name not in _FIXED, null_share=source.null_share,
        distinct=found, common=() if shrinks else source.common, deduplicates=_deduplicates(type_name),
        type=type_name, rows=table.rows,
    )  # fmt: skip


def expression_type(expression: str) -> str | None:
    """Return the type of an expression where its text gives it away, None otherwise.

    >>> expression_type("(created_at)::date"), expression_type("date_trunc('day'::text, created_at)")
    ('date', 'timestamp without time zone')
    """
    if expression.startswith("date_trunc("):
        return "timestamp without time zone"
    if expression.startswith("to_tsvector("):
        return "tsvector"
    cast = re.search(r"::([a-z ]+)\)?$", expression)
    return cast.group(1) if cast and cast.group(1) in _FIXED else None


def base_type(type_name: str) -> str:
    """Return a type's name without its modifier.

    >>> base_type("character varying(20)"), base_type("timestamp(3) with time zone"), base_type("numeric(10,2)[]")
    ('character varying', 'timestamp with time zone', 'numeric[]')
    """
    return re.sub(r"\([^)]*\)", "", type_name).strip()


def _deduplicates(type_name: str) -> bool:
    plain = type_name.rsplit(".", 1)[-1]
    return not (plain.endswith(("[]", "range")) or plain in _NEVER_EQUAL_IMAGE)


def distinct(statistics: ColumnStatistics, rows: float) -> float:
    """Return the number of distinct values in a table of so many rows."""
    found = statistics.n_distinct if statistics.n_distinct >= 0 else -statistics.n_distinct * rows
    return max(1.0, found or min(_GENERIC_DISTINCT, rows))
