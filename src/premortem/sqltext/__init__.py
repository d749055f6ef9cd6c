"""SQL text: what statements, conditions and sort keys say, without asking a server.

Words: a *statement* is what stands between semicolons; a *condition* is what EXPLAIN prints of a WHERE or ON clause; a
*placeholder* is where a driver puts a value.  This is the only room that imports the SQL parser (libpg_query, through
postgast), and that only when a verb is first used.

    split(text, source) -> Query | Unreadable …     lexer → pieces → placeholders → statements
    condition(text)     -> Condition                plan conditions, total
    sort_key(text)      -> SortKey                  plan sort keys, total

It refuses to guess: psql variables, templates and mixed placeholder styles come back as `Unreadable`.
"""

from __future__ import annotations

from collections.abc import Collection

from premortem.model import Query, Unreadable
from premortem.sqltext.conditions import (
    And,
    ColumnName,
    Comparison,
    ComparisonKind,
    Condition,
    Not,
    Opaque,
    Operand,
    OperandKind,
    Or,
    Pattern,
    PatternKind,
    SortKey,
    base_type,
    comparisons,
    conjuncts,
    disjuncts,
    relabels,
)
from premortem.sqltext.definitions import Action, Definition
from premortem.sqltext.shapes import Assignment, ParameterPlaces, RowLock, StatementFacts, TableName

__all__ = [
    "Action",
    "And",
    "Assignment",
    "ColumnName",
    "Comparison",
    "ComparisonKind",
    "Condition",
    "Definition",
    "Not",
    "Opaque",
    "Operand",
    "OperandKind",
    "Or",
    "ParameterPlaces",
    "Pattern",
    "PatternKind",
    "RowLock",
    "SortKey",
    "StatementFacts",
    "TableName",
    "base_type",
    "canonical",
    "comparisons",
    "condition",
    "conjuncts",
    "constants",
    "definition",
    "disjuncts",
    "fingerprint",
    "one_line",
    "operand",
    "parameter_places",
    "relabels",
    "sort_key",
    "split",
    "statement_facts",
    "tables",
]


def split(text: str, source: str, *, first_line: int = 1, name: str | None = None) -> tuple[Query | Unreadable, ...]:
    """Return the statements of a text in order: queries with `$n`, utility statements, and what cannot be read.

    `first_line` is the number of the text's first line in its source, `name` stands in where no comment gives one.
    """
    from premortem.sqltext import statements

    return statements.split(text, source, first_line, name)


def fingerprint(sql: str) -> str:
    """Return a statement's fingerprint, the same for all values and list lengths, or raise StatementError."""
    from premortem.sqltext import tree

    return tree.fingerprint(sql)


def statement_facts(sql: str) -> StatementFacts:
    """Return what a statement does: kind, tables, what it updates, deletes and locks; or raise StatementError."""
    from premortem.sqltext import facts

    return facts.statement_facts(sql)


def tables(sql: str) -> tuple[TableName, ...]:
    """Return the tables that a statement names, read or written, each once; or raise StatementError."""
    from premortem.sqltext import facts

    return facts.tables(sql)


def definition(sql: str) -> Definition:
    """Return what a statement does to the schema (DDL, LOCK, SET, BEGIN …); or raise StatementError."""
    from premortem.sqltext import defining

    return defining.definition(sql)


def condition(expression: str, initplans: Collection[int] = ()) -> Condition:
    """Return what a plan's condition says; what is not understood is `Opaque`, never an error.

    `initplans` are the numbers of `$n` that are outputs of InitPlans and not parameters of the query: up to
    PostgreSQL 16 both are printed alike, and only the plan (`InitPlan 1 (returns $0)`) knows which is which.
    """
    from premortem.sqltext import reading

    return reading.condition(expression, initplans)


def operand(expression: str, initplans: Collection[int] = ()) -> Operand | None:
    """Return what an expression (an index's key, an item of an output list) is, None where it cannot be read."""
    from premortem.sqltext import reading

    return reading.operand(expression, initplans)


def canonical(expression: str) -> str:
    """Return an expression as this room spells it, without aliases, so that two can be compared as text."""
    from premortem.sqltext import reading

    return reading.canonical(expression)


def sort_key(text: str) -> SortKey:
    """Return what one item of a plan's sort key says, such as `o.created_at DESC NULLS LAST`."""
    from premortem.sqltext import reading

    return reading.sort_key(text)


def parameter_places(sql: str) -> ParameterPlaces:
    """Return where a statement's text puts its parameters; or raise StatementError."""
    from premortem.sqltext import places

    return places.parameter_places(sql)


def one_line(text: str) -> str:
    """Return a statement on one line, without comments; what stands in quotes is left as it is."""
    from premortem.sqltext import spelling

    return spelling.one_line(text)


def constants(text: str) -> tuple[str, ...]:
    """Return the constants and placeholders of a statement in their order: what its fingerprint leaves out."""
    from premortem.sqltext import spelling

    return spelling.constants(text)
