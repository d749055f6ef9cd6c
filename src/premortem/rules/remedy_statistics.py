"""The CREATE STATISTICS to type for columns that depend on each other, and its undo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from premortem.model import Profile, RelationName, quoted
from premortem.rules.dependent import Dependent

#: `STATS_MAX_DIMENSIONS` of PostgreSQL 18, statistics.h.
MOST_COLUMNS = 8
MOST_BYTES = 63
MOST_TABLES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """What to type, how to take it back, and what to know about it."""

    sql: tuple[str, ...]
    undo: tuple[str, ...]
    says: str


def statements(same: Sequence[Dependent], profile: Profile) -> Statements:
    """Return the statistics for each table of what is wrong by the same columns: every partition needs its own."""
    first = same[0]
    tables = tuple(dict.fromkeys(d.relation for d in same))
    shown = tables[:MOST_TABLES]
    names = _names(shown, first, profile)
    kinds = "ndistinct" if first.groups else "dependencies, mcv"
    columns = ", ".join(quoted(c) for c in first.columns[:MOST_COLUMNS])
    create = [
        (f"CREATE STATISTICS {name.sql} ({kinds}) ON {columns} FROM {table.sql};", f"ANALYZE {table.sql};")
        for name, table in zip(names, shown, strict=True)
    ]
    return Statements(
        sql=tuple(statement for pair in create for statement in pair),
        undo=tuple(f"DROP STATISTICS IF EXISTS {name.sql};" for name in names),
        says=" ".join(_says(first, tables)),
    )


def _says(first: Dependent, tables: Sequence[RelationName]) -> Iterable[str]:
    yield "tell the planner how the columns depend on each other"
    if not first.could_look:
        yield "(look first with \\d whether such statistics are there, and whether ANALYZE alone is enough)"
    if tables != (first.root,):
        yield "(a partition does not take its parent's: new ones need their own)"
    if len(tables) > MOST_TABLES:
        yield f"({len(tables) - MOST_TABLES} more partitions need the same)"
    if len(first.columns) > MOST_COLUMNS:
        yield f"(PostgreSQL takes {MOST_COLUMNS} columns; choose those that depend on each other)"


def _names(tables: Sequence[RelationName], first: Dependent, profile: Profile) -> list[RelationName]:
    suffix = "_ndistinct" if first.groups else "_stats"
    taken = {(s.schema, s.name) for t in profile.tables for s in t.statistics}
    names: list[RelationName] = []
    for table in tables:
        stem, number = "_".join((table.name, *first.columns[:MOST_COLUMNS])), 1
        name = _cut(stem, suffix)
        while (table.schema, name) in taken:
            number += 1
            name = _cut(stem, f"{suffix}_{number}")
        taken.add((table.schema, name))
        names.append(RelationName(schema=table.schema, name=name))
    return names


def _cut(stem: str, suffix: str) -> str:
    """Return a name that PostgreSQL does not cut by itself.

    >>> _cut("visits_city_zip", "_stats")
    'visits_city_zip_stats'
    """
    return stem.encode()[: MOST_BYTES - len(suffix)].decode(errors="ignore") + suffix
