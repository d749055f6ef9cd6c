"""What a query asks of one relation: the vocabulary between reading plans and making candidates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from premortem.model import IndexKey, RelationName, Table


class Use(StrEnum):
    """How a condition could use an index key."""

    EQUAL = "equal"
    JOIN = "join"
    SOME = "one of"
    RANGE = "range"
    PREFIX = "prefix"
    INFIX = "infix"
    NULL = "is null"
    NOT_NULL = "is not null"
    TRUE = "is true"
    FALSE = "is false"
    UNEQUAL = "unequal"
    OPERATOR = "operator"
    ROW = "columns of one row compared"


#: Uses that fix one value, so that what follows in the index stays sorted.
PINS = frozenset({Use.EQUAL, Use.JOIN, Use.TRUE, Use.FALSE})
#: Uses that a B-tree can look up as an equality, sorted or not.
EQUALITIES = PINS | {Use.NULL, Use.SOME}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """The side of a condition that an index could hold: a column, or an expression over columns as SQL text.

    `collation` is SQL text too, None for the column's own.
    """

    column: str | None = None
    expression: str | None = None
    columns: tuple[str, ...] = ()
    collation: str | None = None

    @property
    def key(self) -> IndexKey:
        """The operand as an index key."""
        return IndexKey(column=self.column, expression=self.expression, collation=self.collation)

    @property
    def words(self) -> str:
        """The operand as a person reads it."""
        return self.column or self.expression or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One condition on one relation.

    `text` is the condition without aliases, as it would stand in an index predicate; `constant` says that it is the
    same for every parameter set, because the query's text has the value.  `partner` is the alias that a join compares
    with.  `share` is the part of the table that it keeps, as far as the statistics tell.
    """

    operand: Operand
    use: Use
    operator: str = "="
    text: str = ""
    constant: bool = False
    value: str | None = None
    values: tuple[str, ...] = ()
    partner: str | None = None
    row: tuple[Operand, ...] = ()
    share: float = 1.0

    @property
    def same(self) -> tuple[Operand, Use, str, str | None, str]:
        """What makes two conditions of different parameter sets' plans the same condition."""
        return (self.operand, self.use, self.operator, self.partner, self.text if self.constant else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKey:
    """One key of an order that the query wants rows in."""

    operand: Operand
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """All that a query asks of one relation.

    `arms` are its ORs: each a tuple of arms, each arm the conditions that hold together.  `orders` are sort and group
    orders that an index could give.  `outputs` are the columns needed beyond the conditions' (`filtered`),
    None where it needs whole rows.  `has_parameters` says that the query's text has placeholders, so that what it has
    as constants is the program's own.
    `weight` is the share of the plan's cost that the relation's scans make up, in the worst of the plans.
    """

    table: Table
    alias: str
    terms: tuple[Term, ...] = ()
    arms: tuple[tuple[tuple[Term, ...], ...], ...] = ()
    orders: tuple[tuple[OrderKey, ...], ...] = ()
    distances: tuple[Operand, ...] = ()
    outputs: frozenset[str] | None = None
    filtered: frozenset[str] = frozenset()
    weight: float = 1.0
    has_parameters: bool = False

    @property
    def relation(self) -> RelationName:
        """The table's name."""
        return self.table.relation
