"""What statements say, as values: the tables they touch, their limits, and where their parameters stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from premortem.model import StatementKind
from premortem.sqltext.conditions import Comparison


class TableName(NamedTuple):
    """A table as a statement names it, unquoted; the schema is None where the search path decides."""

    schema: str | None
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLock:
    """A FOR UPDATE or FOR SHARE clause: the aliases after OF (none: all of them), and whether it waits for others."""

    strength: str
    of: tuple[str, ...] = ()
    waits: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RowQuery:
    """A statement whose rows hold values for another's placeholders: column n belongs to `$parameters[n]`, as text."""

    text: str
    parameters: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFacts:
    """What a statement does.

    `reads` are the tables in FROM, USING and subqueries (common table expressions left out), `writes` the targets of
    INSERT, UPDATE, DELETE and MERGE, in CTEs too.  `aliases` say which table an alias means, in the order of the text.
    `updates` are the columns set, table by table: by UPDATE, by MERGE and by ON CONFLICT, wherever they stand;
    `deletes` the tables that rows are deleted from.  `locks` and `is_distinct` speak of the outermost query.
    `longest_list` is the length of the longest IN list or ARRAY[…]; `has_not_in` says that a NOT IN asks a subquery.
    """

    kind: StatementKind
    reads: tuple[TableName, ...] = ()
    writes: tuple[TableName, ...] = ()
    aliases: tuple[tuple[str, TableName], ...] = ()
    updates: tuple[tuple[TableName, tuple[str, ...]], ...] = ()
    deletes: tuple[TableName, ...] = ()
    locks: tuple[RowLock, ...] = ()
    is_distinct: bool = False
    longest_list: int = 0
    has_not_in: bool = False

    def updated(self, name: str, schema: str | None = None) -> frozenset[str]:
        """Return the columns of that table that the statement sets.

        A name without a schema means any; a table that the text does not name is behind a view, and any column counts.
        """
        named = self._names(name, schema)
        return frozenset(c for table, columns in self.updates if not named or _is(table, name, schema) for c in columns)

    def deletes_from(self, name: str, schema: str | None = None) -> bool:
        """Whether the statement deletes rows of that table; one that the text does not name is behind a view."""
        named = self._names(name, schema)
        return any(not named or _is(table, name, schema) for table in self.deletes)

    def _names(self, name: str, schema: str | None) -> bool:
        return any(_is(table, name, schema) for table in self.writes)


def _is(table: TableName, name: str, schema: str | None) -> bool:
    return table.name == name and (not table.schema or not schema or table.schema == schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A parameter that is written into a column; `column` is None where INSERT goes by `position` (0-based)."""

    parameter: int
    table: TableName
    column: str | None
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterPlaces:
    """The comparisons with parameters that a text makes, its LIMIT and OFFSET parameters, and what it writes.

    `words` are the parameters that name a unit or a time zone, with one that PostgreSQL takes.
    """

    comparisons: tuple[Comparison, ...] = ()
    limits: frozenset[int] = frozenset()
    offsets: frozenset[int] = frozenset()
    assignments: tuple[Assignment, ...] = ()
    words: tuple[tuple[int, str], ...] = ()
