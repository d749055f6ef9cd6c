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
class Bound:
    """The count of a LIMIT or OFFSET: a constant, a parameter's number, or neither (an expression)."""

    constant: int | None = None
    parameter: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFacts:
    """What a statement does.

    `reads` are the tables in FROM, USING and subqueries (common table expressions left out), `writes` the targets of
    INSERT, UPDATE, DELETE and MERGE, in CTEs too.  `limit`, `offset`, `has_where`, `is_grouped`, `is_ordered` and
    `locks_rows` speak of the outermost query.  `aliases` say which table an alias means, in the order of the text.
    """

    kind: StatementKind
    reads: tuple[TableName, ...] = ()
    writes: tuple[TableName, ...] = ()
    limit: Bound | None = None
    offset: Bound | None = None
    has_where: bool = False
    is_ordered: bool = False
    is_grouped: bool = False
    is_set_operation: bool = False
    has_aggregates: bool = False
    locks_rows: bool = False
    functions: tuple[str, ...] = ()
    aliases: tuple[tuple[str, TableName], ...] = ()
    written_columns: tuple[str, ...] = ()


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
