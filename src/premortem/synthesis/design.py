"""The plan of a synthesis and what is made from it: values that travel to workers as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from premortem.errors import InputError
from premortem.model import Gap, RelationName
from premortem.synthesis.domains import Domain
from premortem.synthesis.drawing import Draw
from premortem.synthesis.wire import Cells


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPlan:
    """A column that is filled: the draw whose numbers are its values', and the values.

    `element` names the type of an array's elements where its number differs from database to database.
    """

    name: str
    slot: str
    domain: Domain
    element: str | None = None


@dataclass(frozen=True, kw_only=True)
class TablePlan:
    """How one table is filled.

    Rows are loaded into `target` (the table itself, or the parent through which PostgreSQL routes them), with the
    columns of `fills` in order.  `chunk_rows` is chosen so that a chunk takes a few megabytes.  `fillfactor` is the one
    under which the rows take as many pages as production's, None for the usual one.
    """

    relation: RelationName
    rows: int
    chunk_rows: int
    draws: tuple[Draw, ...] = ()
    fills: tuple[ColumnPlan, ...] = ()
    row_bytes: float = 0.0
    fillfactor: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of each row, in order, for COPY."""
        return tuple(fill.name for fill in self.fills)

    @property
    def chunks(self) -> int:
        """How many chunks the table has."""
        return -(-self.rows // self.chunk_rows)

    def rows_of(self, number: int) -> range:
        """Return the rows of a chunk."""
        if not 0 <= number < self.chunks:
            raise InputError(f"{self.relation.short} has {self.chunks} chunks, so there is no chunk {number}")
        return range(number * self.chunk_rows, min(self.rows, (number + 1) * self.chunk_rows))


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """A whole database's rows, planned: tables in load order, parents before children as far as there is an order."""

    seed: int
    scale: float
    tables: tuple[TablePlan, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @cached_property
    def _by_name(self) -> dict[RelationName, TablePlan]:
        return {table.relation: table for table in self.tables}

    def table(self, relation: RelationName) -> TablePlan:
        """Return a table's plan."""
        found = self._by_name.get(relation)
        if found is None:
            raise InputError(f"{relation.short} is not among the tables that are filled")
        return found

    @property
    def rows(self) -> int:
        """All rows of all tables."""
        return sum(table.rows for table in self.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some rows of a table as columns of binary values, in the order of `columns`.

    `elements` are the types of arrays' elements whose numbers only the target knows, by the column's place.
    """

    relation: RelationName
    number: int
    rows: int
    columns: tuple[str, ...]
    cells: tuple[Cells, ...]
    elements: Mapping[int, str] = field(default_factory=dict)
