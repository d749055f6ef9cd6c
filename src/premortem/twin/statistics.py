"""Writes production's column statistics and relation sizes into the twin's catalog.

The same way on every major: rows of pg_statistic as ANALYZE would have left them, in one statement.  PostgreSQL 18 has
functions for it, but one way for 12 to 18 is one thing to get right, and thousands of columns take one round trip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from premortem import pg
from premortem.errors import ServerError, StatementError
from premortem.model import Column, ColumnStatistics, Gap, Profile, RelationName, Table

queries = pg.named_sql("premortem.twin", "sql/statistics.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where the profile's relations and columns are in the twin."""

    relations: Mapping[RelationName, int]
    attributes: Mapping[tuple[int, str], int]

    def column(self, relation: RelationName, name: str) -> tuple[int, int] | None:
        """Return the OID and attribute number of a column, None where the twin lacks it."""
        oid = self.relations.get(relation)
        number = None if oid is None else self.attributes.get((oid, name))
        return None if oid is None or number is None else (oid, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relation:
    oid: int
    schema: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attribute:
    relation: int
    name: str
    number: int


def locate(db: pg.Session) -> Located:
    """Return where every relation of the twin is."""
    relations = db.rows(queries["relations"], _Relation)
    attributes = db.rows(queries["attributes"], _Attribute)
    return Located(
        relations={RelationName(schema=r.schema, name=r.name): r.oid for r in relations},
        attributes={(a.relation, a.name): a.number for a in attributes},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Statistics on their way to a column, or to an index's or statistics object's expression."""

    subject: str
    relation: int
    attribute: int
    statistics: ColumnStatistics


def inject(db: pg.Session, profile: Profile, located: Located) -> tuple[Gap, ...]:
    """Insert the statistics of every column and index expression; return what PostgreSQL would not take."""
    return insert_staged(db, tuple(_staged(profile, located)))


def insert_staged(db: pg.Session, staged: Sequence[Staged]) -> tuple[Gap, ...]:
    """Insert the statistics into pg_statistic; return what PostgreSQL would not take."""
    db.execute(queries["stage"])
    db.execute(queries["types"])
    db.copy_in("COPY staged_statistics FROM STDIN", (_row(i, s) for i, s in enumerate(staged)))
    db.execute("ANALYZE staged_statistics")
    try:
        db.execute(queries["inject"], position=None)
        gaps: tuple[Gap, ...] = ()
    except (StatementError, ServerError):
        gaps = tuple(_inject_one_by_one(db, staged))
    db.execute("DROP TABLE staged_statistics, staged_types")
    return gaps


def _inject_one_by_one(db: pg.Session, staged: Iterable[Staged]) -> Iterator[Gap]:
    for position, item in enumerate(staged):
        try:
            db.execute(queries["inject"], position=position)
        except (StatementError, ServerError) as error:
            yield Gap(
                subject=f"statistics of {item.subject}",
                says=f"PostgreSQL did not take them: {str(error.__cause__ or error).splitlines()[0]}.",
                effect="The planner assumes defaults for this column.",
            )


def _staged(profile: Profile, located: Located) -> Iterator[Staged]:
    for table in profile.tables:
        yield from _staged_columns(table, located)
        yield from _staged_expressions(table, located)


def _staged_columns(table: Table, located: Located) -> Iterator[Staged]:
    for column in table.columns:
        place = located.column(table.relation, column.name)
        if place is not None:
            for statistics in column.statistics:
                subject = f"{table.full_name}.{column.name}"
                yield Staged(subject=subject, relation=place[0], attribute=place[1], statistics=statistics)


def staged(columns: Iterable[tuple[Table, Column]], located: Located) -> tuple[Staged, ...]:
    """Return the statistics of single columns, ready for `insert_staged`."""
    return tuple(
        item for table, column in columns for item in _staged_columns(replace(table, columns=(column,)), located)
    )


def _staged_expressions(table: Table, located: Located) -> Iterator[Staged]:
    for index in table.indexes:
        oid = located.relations.get(RelationName(schema=table.schema, name=index.name))
        if oid is not None:
            for column in index.expression_columns:
                for statistics in column.statistics:
                    subject = f"index {index.name}, key {column.number}"
                    yield Staged(subject=subject, relation=oid, attribute=column.number, statistics=statistics)


def _row(position: int, staged: Staged) -> tuple[object, ...]:
    s = staged.statistics
    # A slot without its companion is no slot: pg_stats shows NULL for what the reader may not see.
    values = s.most_common_values if s.most_common_frequencies is not None else None
    elements = s.most_common_elements if s.most_common_element_frequencies is not None else None
    return (
        position, staged.relation, staged.attribute, s.inherited, s.null_fraction, s.average_width, s.n_distinct,
        _list(values), _list(s.most_common_frequencies if values is not None else None), _list(s.histogram_bounds),
        s.correlation, _list(elements), _list(s.most_common_element_frequencies if elements is not None else None),
        _list(s.element_count_histogram), _list(s.range_length_histogram), s.range_empty_fraction,
        _list(s.range_bounds_histogram),
    )  # fmt: skip


def _list(values: tuple[object, ...] | None) -> list[object] | None:
    return None if values is None else list(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What the planner shall see of a relation: blocks of its file, pg_class's figures, and what its metapage says."""

    relation: int
    pages: int
    relation_pages: int
    tuples: float
    all_visible: int = 0
    level: int = 0
    heap_pages: int = 0
    metapage: tuple[tuple[str, float], ...] = ()


def stage_sizes(db: pg.Session, sizes: Iterable[Size]) -> None:
    """Write the sizes into pg_class, and keep them in `staged_sizes` for the session."""
    db.execute(queries["stage-sizes"])
    rows = ((s.relation, s.pages, s.relation_pages, s.tuples, s.all_visible) for s in sizes)
    db.copy_in("COPY staged_sizes FROM STDIN", rows)
    db.execute("ANALYZE staged_sizes")
    db.execute(queries["sizes"])


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationFile:
    """A relation's first segment, relative to the data directory, and its access method."""

    relation: int
    path: str
    method: str


def relation_files(db: pg.Session) -> tuple[RelationFile, ...]:
    """Return the files of the staged relations."""
    return db.rows(queries["files"], RelationFile)


def differing_sizes(db: pg.Session) -> tuple[str, ...]:
    """Return a sentence for every staged relation that the planner would not see as it was staged."""
    return tuple(str(v) for v in db.values(queries["differing-sizes"]))
