"""Gives the twin production's extended statistics, which no dump carries before PostgreSQL 19.

The n-distinct and dependency lists are written from their numbers (`mvdistinct.c`, `dependencies.c`).
An MCV list holds values in their internal form, so PostgreSQL makes it: a scratch table with one row per item is
analyzed, and only the frequencies at the list's end are replaced (`mcv.c`: per item the null flags, two doubles, and an
index per dimension).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from premortem import pg
from premortem.errors import ServerError, StatementError
from premortem.model import ColumnStatistics, ExtendedStatistics, Gap, Profile, Table, qualified
from premortem.twin.ddl import statistics_name
from premortem.twin.statistics import Staged, insert_staged

queries = pg.named_sql("premortem.twin", "sql/extended.sql")

_NDISTINCT_MAGIC = 0xA352BFA4
_DEPENDENCIES_MAGIC = 0xB4549A2C
_TYPE_BASIC = 1

Items = Sequence[tuple[tuple[int, ...], float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    oid: int
    relation: int


def inject(db: pg.Session, profile: Profile) -> tuple[Gap, ...]:
    """Fill every statistics object of the twin; return those that could not be filled."""
    if not any(t.statistics for t in profile.tables):
        return ()
    db.execute(queries["casts"])
    return tuple(gap for t in profile.tables for s in t.statistics for gap in _inject(db, t, s))


def _inject(db: pg.Session, table: Table, statistics: ExtendedStatistics) -> Iterator[Gap]:
    try:
        with db.transaction():
            _fill(db, table, statistics)
    except (StatementError, ServerError) as error:
        yield Gap(
            subject=f"extended statistics {statistics_name(statistics)}",
            says=f"PostgreSQL did not take them: {str(error.__cause__ or error).splitlines()[0]}.",
            effect="The planner takes the columns as independent.",
        )


def _fill(db: pg.Session, table: Table, statistics: ExtendedStatistics) -> None:
    found = db.rows(queries["object"], _Object, schema=statistics.schema, name=statistics.name)
    if not found:
        return
    here = found[0]
    numbers = [int(str(n)) for n in db.values(queries["keys"], oid=here.oid)]
    numbers += [-1 - i for i in range(statistics.expression_count)]
    expressions = _expressions(db, table, statistics)
    db.execute("DELETE FROM pg_catalog.pg_statistic_ext_data WHERE stxoid = %(oid)s", oid=here.oid)
    db.execute(
        queries["insert"],
        oid=here.oid,
        inherited=statistics.inherited,
        ndistinct=ndistinct_bytes(_numbered(statistics.ndistinct, numbers)),
        dependencies=dependencies_bytes(_numbered(statistics.dependencies, numbers)),
        mcv=_mcv_bytes(db, table, statistics),
        expressions=expressions,
    )
    if expressions is not None:
        db.execute("DELETE FROM pg_catalog.pg_statistic WHERE starelid = %(oid)s", oid=expressions)
    db.execute("DROP TABLE IF EXISTS pg_temp.premortem_scratch, pg_temp.premortem_expressions")


def _numbered(items: Items | None, numbers: Sequence[int]) -> Items | None:
    """Key positions as this table's attribute numbers."""
    return None if items is None else [(tuple(numbers[k] for k in keys), value) for keys, value in items]


def ndistinct_bytes(items: Items | None) -> bytes | None:
    """Return an n-distinct list in its stored form."""
    if items is None:
        return None
    body = b"".join(struct.pack(f"=di{len(k)}h", value, len(k), *k) for k, value in items)
    return struct.pack("=III", _NDISTINCT_MAGIC, _TYPE_BASIC, len(items)) + body


def dependencies_bytes(items: Items | None) -> bytes | None:
    """Return a list of functional dependencies in its stored form."""
    if items is None:
        return None
    body = b"".join(struct.pack(f"=dh{len(k)}h", value, len(k), *k) for k, value in items)
    return struct.pack("=III", _DEPENDENCIES_MAGIC, _TYPE_BASIC, len(items)) + body


def _keys_sql(statistics: ExtendedStatistics) -> list[str]:
    plain = len(statistics.keys) - statistics.expression_count
    return [qualified("x", k)[2:] if i < plain else f"({k})" for i, k in enumerate(statistics.keys)]


def _scratch(db: pg.Session, name: str, keys: Sequence[str], table: Table) -> None:
    """An empty table with a column of each key's type and collation."""
    columns = ", ".join(f"{key} AS k{i}" for i, key in enumerate(keys))
    db.execute(f"CREATE TEMPORARY TABLE {name} AS SELECT {columns} FROM {table.relation.sql} AS x WITH NO DATA")


def _mcv_bytes(db: pg.Session, table: Table, statistics: ExtendedStatistics) -> bytes | None:
    values = statistics.most_common_values
    if not values or statistics.most_common_frequencies is None:
        return None
    _scratch(db, "premortem_scratch", _keys_sql(statistics), table)
    db.copy_in("COPY pg_temp.premortem_scratch FROM STDIN", values)
    names = ", ".join(f"k{i}" for i in range(len(statistics.keys)))
    db.execute(f"CREATE STATISTICS pg_temp.premortem_scratch (mcv) ON {names} FROM pg_temp.premortem_scratch")
    db.execute("ALTER STATISTICS pg_temp.premortem_scratch SET STATISTICS 10000")
    db.execute("ANALYZE pg_temp.premortem_scratch")
    made = db.value(queries["list"])
    if not isinstance(made, bytes):
        raise StatementError("PostgreSQL made no list of most common values from the items")
    order = [tuple(item) if isinstance(item, list) else () for item in db.values(queries["items"])]
    return with_frequencies(made, order, statistics)


def with_frequencies(made: bytes, order: Sequence[tuple[str | None, ...]], statistics: ExtendedStatistics) -> bytes:
    """Return the stored MCV list with production's frequencies, its items in production's order.

    `order` is the values of the list's items as they stand.  Production's order is kept because sums of frequencies are
    sums of floating-point numbers.
    """
    dimensions = len(statistics.keys)
    size = dimensions * 3 + 16
    head, tail = made[: len(made) - size * len(order)], made[len(made) - size * len(order) :]
    stored = {values: tail[i * size : (i + 1) * size] for i, values in enumerate(order)}
    frequencies = statistics.most_common_frequencies or ()
    base = statistics.most_common_base_frequencies or frequencies
    items = []
    for values, frequency, base_frequency in zip(statistics.most_common_values or (), frequencies, base, strict=True):
        item = stored[values]
        items.append(item[:dimensions] + struct.pack("=dd", frequency, base_frequency) + item[dimensions + 16 :])
    if len(items) != len(order):
        raise StatementError(f"the list has {len(items)} items and PostgreSQL made {len(order)} of them")
    return head + b"".join(items)


def _expressions(db: pg.Session, table: Table, statistics: ExtendedStatistics) -> int | None:
    """Statistics of the expressions, as pg_statistic rows of a scratch table; its OID."""
    wanted = statistics.expression_statistics
    if not wanted or all(s is None for s in wanted):
        return None
    keys = _keys_sql(statistics)[-len(wanted) :]
    _scratch(db, "premortem_expressions", keys, table)
    oid = int(str(db.value("SELECT 'pg_temp.premortem_expressions'::regclass::oid::bigint")))
    unknown = ColumnStatistics(null_fraction=0.0, average_width=0, n_distinct=0.0)
    staged = [
        Staged(subject=statistics.name, relation=oid, attribute=i + 1, statistics=s or unknown)
        for i, s in enumerate(wanted)
    ]
    insert_staged(db, staged)
    return oid
