"""Reads column and extended statistics from wherever the role may: pg_statistic, our helper, or pg_stats."""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from premortem import pg
from premortem.catalog import chunks
from premortem.catalog.rows import ExpressionRow, ExtendedDataRow, ExtendedRow, StatisticsRow
from premortem.model import ColumnStatistics, ExtendedStatistics

QUERIES = pg.named_sql("premortem.catalog", "sql/statistics.sql")
SLOTS = QUERIES["slots"].pick(120_000)

T = TypeVar("T")
COLUMNS_HELPER = "premortem.column_statistics()"
EXTENDED_HELPER = "premortem.extended_statistics()"
#: `STATS_DEPS_MAGIC` of `src/include/statistics/statistics.h`, the same in PostgreSQL 10 to 18.
_DEPENDENCIES_MAGIC = 0xB4549A2C
_PIECE = 5_000
_KINDS = {"d": "ndistinct", "f": "dependencies", "m": "mcv", "e": "expressions"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Column statistics by relation and attribute number, extended ones by table, and whether none is hidden."""

    columns: Mapping[tuple[int, int], tuple[ColumnStatistics, ...]] = field(default_factory=dict)
    extended: Mapping[int, tuple[ExtendedStatistics, ...]] = field(default_factory=dict)
    everything: bool = False
    extended_everything: bool = False


def read(db: pg.Session, relations: Sequence[int], *, only: Sequence[int] | None = None) -> Read:
    """Return the statistics of relations and of their indexes; with `only`, of no other relation or index."""
    source, everything = _columns_source(db)
    if only is not None:
        wanted = ", ".join(map(str, only)) or "NULL"
        source = f"SELECT * FROM ({source}) AS s WHERE s.relation IN ({wanted}) OR s.statistics IS NOT NULL"
    rows = tuple(_fetched(db, source))
    columns: defaultdict[tuple[int, int], list[ColumnStatistics]] = defaultdict(list)
    for row in rows:
        if row.relation is not None:
            columns[row.relation, row.position].append(_statistics(row))
    extended, extended_everything = _extended(db, relations, [row for row in rows if row.statistics is not None])
    return Read(
        columns={key: tuple(sorted(found, key=lambda s: s.inherited)) for key, found in columns.items()},
        extended=extended, everything=everything, extended_everything=extended_everything,
    )  # fmt: skip


def _fetched(db: pg.Session, source: str) -> Iterator[StatisticsRow]:
    """The rows of the one big answer, piece by piece: each piece has the statement timeout for itself."""
    db.execute(f"DECLARE premortem_statistics NO SCROLL CURSOR FOR {source}")
    while rows := db.rows(f"FETCH {_PIECE} FROM premortem_statistics", StatisticsRow):
        yield from rows
    db.execute("CLOSE premortem_statistics")


def with_slots(query: pg.NamedSQL, version: int) -> str:
    """Return the query's body for a server, with the named slots in their place."""
    return query.pick(version).replace("{slots}", SLOTS)


def _columns_source(db: pg.Session) -> tuple[str, bool]:
    if db.value(QUERIES["may read pg_statistic"]):
        return with_slots(QUERIES["columns of pg_statistic"], db.server_version), True
    if db.value(QUERIES["helper"], signature=COLUMNS_HELPER):
        return f"SELECT * FROM {COLUMNS_HELPER}", bool(db.value(QUERIES["helper sees all"], signature=COLUMNS_HELPER))
    return QUERIES["columns of pg_stats"].pick(db.server_version), False


def _data_source(db: pg.Session) -> tuple[str, bool]:
    if db.value(QUERIES["may read pg_statistic"]):
        return QUERIES["data of pg_statistic_ext_data"].pick(db.server_version), True
    if db.value(QUERIES["helper"], signature=EXTENDED_HELPER):
        return f"SELECT * FROM {EXTENDED_HELPER}", bool(db.value(QUERIES["helper sees all"], signature=EXTENDED_HELPER))
    return QUERIES["data of pg_stats_ext"].pick(db.server_version), False


def _statistics(row: StatisticsRow) -> ColumnStatistics:
    return ColumnStatistics(
        inherited=row.inherited, null_fraction=row.null_fraction, average_width=row.average_width,
        n_distinct=row.n_distinct, most_common_values=_tuple(row.most_common_values),
        most_common_frequencies=_tuple(row.most_common_frequencies), histogram_bounds=_tuple(row.histogram_bounds),
        correlation=row.correlation, most_common_elements=_tuple(row.most_common_elements),
        most_common_element_frequencies=_tuple(row.most_common_element_frequencies),
        element_count_histogram=_tuple(row.element_count_histogram),
        range_length_histogram=_tuple(row.range_length_histogram), range_empty_fraction=row.range_empty_fraction,
        range_bounds_histogram=_tuple(row.range_bounds_histogram),
    )  # fmt: skip


def _tuple(values: list[T] | None) -> tuple[T, ...] | None:
    return None if values is None else tuple(values)


def _extended(
    db: pg.Session, relations: Sequence[int], expressions: Iterable[StatisticsRow]
) -> tuple[dict[int, tuple[ExtendedStatistics, ...]], bool]:
    objects = db.rows(QUERIES["extended statistics"], ExtendedRow, relations=list(relations))
    if not objects:
        return {}, True
    source, everything = _data_source(db)
    data: defaultdict[int, list[ExtendedDataRow]] = defaultdict(list)
    for row in db.rows(source, ExtendedDataRow):
        data[row.statistics].append(row)
    of_expressions: defaultdict[tuple[int, bool], dict[int, ColumnStatistics]] = defaultdict(dict)
    for found in expressions:
        of_expressions[found.statistics or 0, found.inherited][found.position] = _statistics(found)
    definitions = chunks.read(db, QUERIES["statistics definitions"], ExpressionRow, [item.oid for item in objects])
    texts = {(row.relation, row.number): row.expression for row in definitions.rows if row.expression is not None}
    by_table: defaultdict[int, list[ExtendedStatistics]] = defaultdict(list)
    for item in objects:
        if (item.oid, 0) in texts:
            by_table[item.relation].extend(_objects(item, _own(texts, item.oid), data[item.oid], of_expressions))
    return {oid: tuple(found) for oid, found in by_table.items()}, everything


def _own(texts: Mapping[tuple[int, int], str], oid: int) -> list[str]:
    """The definition of an object, then its expressions."""
    found: list[str] = []
    while (oid, len(found)) in texts:
        found.append(texts[oid, len(found)])
    return found


def _objects(
    item: ExtendedRow,
    texts: list[str],
    data: list[ExtendedDataRow],
    expressions: Mapping[tuple[int, bool], dict[int, ColumnStatistics]],
) -> list[ExtendedStatistics]:
    """An object that was analyzed both ways becomes two values, one that never was becomes one without data."""
    rows = sorted(data, key=lambda row: row.inherited) or [_no_data(item.oid)]
    return [_object(item, texts, row, expressions.get((item.oid, row.inherited), {})) for row in rows]


def _no_data(oid: int) -> ExtendedDataRow:
    return ExtendedDataRow(
        statistics=oid, inherited=False, ndistinct=None, dependencies=None, dependencies_binary=None,
        most_common_values=None, most_common_frequencies=None, most_common_base_frequencies=None,
    )  # fmt: skip


def _object(
    item: ExtendedRow, texts: list[str], row: ExtendedDataRow, expressions: Mapping[int, ColumnStatistics]
) -> ExtendedStatistics:
    definition, *own = texts
    places = key_places(item.numbers, len(own))
    values = row.most_common_values
    of_expressions = tuple(expressions.get(n + 1) for n in range(len(own))) if expressions else ()
    return ExtendedStatistics(
        schema=item.schema, name=item.name, definition=definition,
        keys=(*item.columns, *own), expression_count=len(own),
        kinds=tuple(_KINDS.get(kind, kind) for kind in item.kinds), statistics_target=item.statistics_target,
        inherited=row.inherited, ndistinct=parse_ndistinct(row.ndistinct, places),
        dependencies=_dependencies(row, places),
        most_common_values=None if values is None else tuple(tuple(value) for value in values),
        most_common_frequencies=_tuple(row.most_common_frequencies),
        most_common_base_frequencies=_tuple(row.most_common_base_frequencies),
        expression_statistics=of_expressions,
    )  # fmt: skip


def key_places(numbers: Sequence[int], expression_count: int) -> dict[int, int]:
    """Return the position of each key by the number that PostgreSQL gives it, which is below 0 for expressions.

    >>> key_places([2, 5], 1)
    {2: 0, 5: 1, -1: 2}
    """
    columns = {number: position for position, number in enumerate(numbers)}
    return columns | {-(n + 1): len(numbers) + n for n in range(expression_count)}


def parse_ndistinct(text: str | None, places: Mapping[int, int]) -> tuple[tuple[tuple[int, ...], float], ...] | None:
    """Return the items of a pg_ndistinct's text form, by position of key.

    >>> parse_ndistinct('{"1, 2": 11, "1, -1": 3}', {1: 0, 2: 1, -1: 2})
    (((0, 1), 11.0), ((0, 2), 3.0))
    """
    if text is None:
        return None
    found = re.findall(r'"([-\d, ]+)": (-?[\d.]+)', text)
    return tuple((_positions(names, places), float(value)) for names, value in found)


def _dependencies(row: ExtendedDataRow, places: Mapping[int, int]) -> tuple[tuple[tuple[int, ...], float], ...] | None:
    if row.dependencies_binary is not None:
        return parse_dependencies_binary(row.dependencies_binary, places)
    return parse_dependencies(row.dependencies, places)


def parse_dependencies(text: str | None, places: Mapping[int, int]) -> tuple[tuple[tuple[int, ...], float], ...] | None:
    """Return the items of a pg_dependencies' text form: positions, the implied key last, and the degree.

    >>> parse_dependencies('{"1 => 2": 1.000000, "1, 2 => 5": 0.250000}', {1: 0, 2: 1, 5: 2})
    (((0, 1), 1.0), ((0, 1, 2), 0.25))
    """
    if text is None:
        return None
    found = re.findall(r'"([-\d, ]+) => (-?\d+)": ([\d.]+)', text)
    return tuple((_positions(f"{names}, {implied}", places), float(degree)) for names, implied, degree in found)


def parse_dependencies_binary(data: bytes, places: Mapping[int, int]) -> tuple[tuple[tuple[int, ...], float], ...]:
    """Return the items of a serialized pg_dependencies, whose degrees the text form cuts to six decimals.

    Layout: `statext_dependencies_serialize` in `src/backend/statistics/dependencies.c`, in the server's byte order.
    """
    order = "<" if struct.unpack_from("<I", data)[0] == _DEPENDENCIES_MAGIC else ">"
    count, at = struct.unpack_from(f"{order}I", data, 8)[0], 12
    items = []
    for _ in range(count):
        degree, length = struct.unpack_from(f"{order}dh", data, at)
        numbers = struct.unpack_from(f"{order}{length}h", data, at + 10)
        items.append((tuple(places[number] for number in numbers), degree))
        at += 10 + 2 * length
    return tuple(items)


def _positions(names: str, places: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(places[int(name)] for name in names.split(","))
