"""What production has never seen: tables, columns and indexes of the change, and what they are taken to be like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from premortem.advisor import as_candidate, index_size
from premortem.model import (
    Column,
    ColumnStatistics,
    Constraint,
    Gap,
    Index,
    Profile,
    RelationKind,
    RelationName,
    Table,
)

#: Production's tables by the names that they have after the change.
Origins: TypeAlias = Mapping[RelationName, Table]

#: A new table for which nobody said anything is taken to grow to this many rows.
ASSUMED_ROWS = 1_000_000
_PAGE = 8192
_PAGE_HEADER = 24
_TUPLE_HEADER = 24 + 4
_WIDTH_UNKNOWN = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """What the user says of a table that production has no statistics of."""

    rows: float


def new_columns(standing: Profile, origins: Origins) -> Iterator[Gap]:
    """Yield a gap for the columns that the change adds to production's tables."""
    for table in standing.tables:
        before = origins.get(table.relation)
        if before is None or before.tuples <= 0 or table.kind is RelationKind.VIEW:
            continue
        names = [c.name for c in table.columns if not c.statistics and before.column(c.name) is None]
        if names:
            yield Gap(
                subject=f"statistics of {', '.join(f'{table.full_name}.{n}' for n in names)}",
                says="The change adds the column, so production has no statistics of it.",
                effect="PostgreSQL's default estimates are used; at first every row holds NULL or the default.",
            )


def with_keys(standing: Profile, origins: Origins) -> tuple[Profile, tuple[tuple[Table, Column], ...]]:
    """Give new foreign-key columns the number of values that their parents have; return these columns too.

    Without statistics PostgreSQL takes a column to have 200 values (`DEFAULT_NUM_DISTINCT`), which makes a key into a
    large table look like a status.
    """
    changed: list[tuple[Table, Column]] = []
    tables = []
    for table in standing.tables:
        found = dict(_keys(table, origins.get(table.relation), standing))
        columns = tuple(replace(c, statistics=(found[c.name],)) if c.name in found else c for c in table.columns)
        tables.append(replace(table, columns=columns) if found else table)
        changed += [(tables[-1], c) for c in columns if c.name in found]
    return (replace(standing, tables=tuple(tables)) if changed else standing), tuple(changed)


def _keys(table: Table, before: Table | None, standing: Profile) -> Iterator[tuple[str, ColumnStatistics]]:
    for key in table.foreign_keys:
        column = table.column(key.columns[0]) if len(key.columns) == 1 else None
        parent = standing.table(key.references) if key.references else None
        if column is None or column.statistics or parent is None or (before and before.column(column.name)):
            continue
        yield column.name, _of_key(key, column, parent)


def _of_key(key: Constraint, column: Column, parent: Table) -> ColumnStatistics:
    referenced = parent.column(key.referenced_columns[0]) if key.referenced_columns else None
    known = referenced.own_statistics if referenced else None
    rows = parent.rows or ASSUMED_ROWS
    return ColumnStatistics(
        null_fraction=0.0, average_width=known.average_width if known else 8, n_distinct=max(1.0, round(rows))
    )


def assume(standing: Profile, origins: Origins, said: Mapping[str, Assumption]) -> tuple[Profile, list[Gap]]:
    """Give tables without figures the user's assumption, or ours, and indexes without a file their estimated size."""
    gaps: list[Gap] = []
    tables = []
    for table in standing.tables:
        wanted = said.get(table.full_name) or said.get(table.relation.sql) or said.get(table.name)
        known = table.relation in origins
        if table.kind.has_storage and (wanted is not None or not known or table.tuples < 0):
            table, gap = _assumed(table, wanted, known=known)
            gaps += [gap] if gap else []
        tables.append(replace(table, indexes=tuple(_sized(i, table) for i in table.indexes)))
    return replace(standing, tables=tuple(tables)), gaps


def _assumed(table: Table, wanted: Assumption | None, *, known: bool) -> tuple[Table, Gap | None]:
    if known and wanted is None:
        return table, Gap(
            subject=f"statistics of {table.full_name}",
            says="The table was never analyzed in production.",
            effect="PostgreSQL plans it from its size and default assumptions, and so does the twin.",
            cure=f"ANALYZE {table.relation.sql};",
        )
    rows = wanted.rows if wanted is not None else ASSUMED_ROWS
    said = "as the settings say" if wanted is not None else "as nobody said otherwise"
    pages = max(1, round(rows * _row_width(table) / (_PAGE - _PAGE_HEADER)))
    gap = Gap(
        subject=f"table {table.full_name}",
        says=f"Production has no statistics of it; it is taken to have {rows:,.0f} rows, {said}.",
        effect="Row estimates on it are PostgreSQL's defaults.",
        cure="" if wanted is not None else f'premortem.toml: [tables."{table.full_name}"] rows = …',
    )
    return replace(table, pages=pages, relation_pages=pages, tuples=rows, all_visible=pages), gap


def _row_width(table: Table) -> float:
    widths = (s.average_width if (s := c.own_statistics) else _WIDTH_UNKNOWN for c in table.columns)
    return _TUPLE_HEADER + sum(widths)


def _sized(index: Index, table: Table) -> Index:
    """An index that production does not have gets its estimated size."""
    if index.pages or not table.kind.has_storage or not table.pages:
        return index
    size = index_size(as_candidate(index, table.relation), table)
    return replace(index, pages=size.pages, relation_pages=size.pages, tuples=size.tuples, level=size.level)


def estimated_level(index: Index, table: Table) -> int:
    """Return a B-tree's height above its leaves from its pages: how often its inner fan-out divides them.

    An inner tuple holds the (untruncated) key: 8 bytes of header, the aligned key widths, 4 bytes of line pointer;
    inner pages are filled to 70 % (`BTREE_NONLEAF_FILLFACTOR`).
    """
    keys = [table.column(k.column) if k.column else None for k in index.keys]
    widths = [(s.average_width if c and (s := c.own_statistics) else _WIDTH_UNKNOWN) for c in keys]
    fan_out = max(2.0, 0.7 * (_PAGE - 40) / (8 + -(-sum(widths) // 8) * 8 + 4))
    pages, level = max(index.pages - 1, 1), 0
    while pages > 1:
        pages, level = -(-pages // int(fan_out)), level + 1
    return level
