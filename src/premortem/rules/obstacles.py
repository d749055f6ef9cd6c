"""What keeps an index from serving a condition, if anything does."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from premortem import sqltext
from premortem.model import Table
from premortem.rules.readings import Reading, columns_of
from premortem.sqltext import Comparison, ComparisonKind, Condition, Operand, OperandKind, PatternKind


class Obstacle(StrEnum):
    """Why a condition is checked row by row, the one that explains most first."""

    NONE = "an index on the column would serve"
    WILDCARD = "the pattern does not start with fixed text"
    OR = "alternatives over several columns"
    CAST = "the column is cast"
    EXPRESSION = "the column stands inside an expression"
    OTHER = "no index serves such a condition"


_SERVED = frozenset(
    {
        ComparisonKind.EQUALITY,
        ComparisonKind.ANY_EQUALITY,
        ComparisonKind.RANGE,
        ComparisonKind.IS_NULL,
        ComparisonKind.BOOLEAN,
        ComparisonKind.MEMBER,
        ComparisonKind.OPERATOR,
        ComparisonKind.ROW,
    }
)
_CASELESS = frozenset({"~~*", "~*"})


def blame(reading: Reading) -> Obstacle:
    """Return what is to blame for the rows that a scan reads in vain.

    One condition that a plain index would serve is enough to blame nothing else.
    """
    found = {obstacle(c, reading.table, reading.node.alias) for c in reading.filters}
    return next((o for o in Obstacle if o in found), Obstacle.OTHER)


def obstacle(condition: Condition, table: Table, alias: str | None) -> Obstacle:
    """Return what keeps an index of the table from serving a condition."""
    if isinstance(condition, sqltext.Or):
        return _of_alternatives(condition, table, alias)
    if not isinstance(condition, Comparison):
        return Obstacle.OTHER
    comparison = condition.about(alias)
    if comparison is None or comparison.negated or _waits_for_subplan(comparison):
        return Obstacle.OTHER
    if comparison.pattern is not None or comparison.kind in (ComparisonKind.LIKE, ComparisonKind.REGEX):
        return _of_pattern(comparison, table)
    return _of_operand(comparison.left, table) if comparison.kind in _SERVED else Obstacle.OTHER


def guilty(reading: Reading, wanted: Obstacle) -> Iterator[Condition]:
    """Yield the conditions of a scan that have the obstacle."""
    return (c for c in reading.filters if obstacle(c, reading.table, reading.node.alias) is wanted)


def _waits_for_subplan(comparison: Comparison) -> bool:
    return any(o.subplans for o in comparison.operands)


def _of_alternatives(condition: sqltext.Or, table: Table, alias: str | None) -> Obstacle:
    arms = [_of_arm(part, table, alias) for part in sqltext.disjuncts(condition)]
    if Obstacle.OTHER in arms:
        return Obstacle.OTHER
    columns = {columns_of([part]) for part in sqltext.disjuncts(condition)}
    return Obstacle.OR if len(columns) > 1 else max(arms, key=list(Obstacle).index)


def _of_arm(part: Condition, table: Table, alias: str | None) -> Obstacle:
    found = {obstacle(c, table, alias) for c in sqltext.conjuncts(part)}
    return next((o for o in Obstacle if o in found), Obstacle.OTHER)


def _of_pattern(comparison: Comparison, table: Table) -> Obstacle:
    kind = comparison.pattern.kind if comparison.pattern is not None else PatternKind.UNKNOWN
    if kind is PatternKind.UNKNOWN:
        return Obstacle.OTHER
    if kind in (PatternKind.INFIX, PatternKind.SUFFIX) or comparison.operator in _CASELESS:
        return Obstacle.WILDCARD
    return _of_operand(comparison.left, table)


def _of_operand(operand: Operand, table: Table) -> Obstacle:
    if operand.kind is OperandKind.ROW:
        return Obstacle.NONE
    if operand.column is not None:
        column = table.column(operand.column.column)
        plain = column is None or operand.is_column(column.type)
        return Obstacle.NONE if plain or has_expression_index(table, operand) else Obstacle.CAST
    if operand.kind is OperandKind.EXPRESSION and operand.columns:
        return Obstacle.NONE if has_expression_index(table, operand) else Obstacle.EXPRESSION
    return Obstacle.OTHER


def has_expression_index(table: Table, operand: Operand) -> bool:
    """Whether a usable index starts with that very expression."""
    keys = (i.keys[0].expression for i in table.indexes if i.valid and i.keys and i.keys[0].expression)
    return any(sqltext.canonical(key) == operand.expression for key in keys)


def indexes_starting_with(table: Table, column: str) -> Iterator[str]:
    """Yield the names of the usable indexes whose first key is that bare column."""
    return (i.name for i in table.indexes if i.valid and i.columns[:1] == (column,))
