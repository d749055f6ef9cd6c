"""SQL text: what statements, conditions and sort keys say, without asking a server.

Words: a *statement* is what stands between semicolons; a *condition* is what EXPLAIN prints of a WHERE or ON clause; a
*placeholder* is where a driver puts a value.  This is the only room that imports the SQL parser (libpg_query, through
postgast), and that only when a verb is first used.

    split(text, source) -> Query | Unreadable …     lexer → pieces → placeholders → statements
    condition(text)     -> Condition                plan conditions, total
    sort_key(text)      -> SortKey                  plan sort keys, total

    reduced(text)       -> Reduced                  a server's text without comments and values, without the parser
    observed(reduced)   -> Observed                 which of its values may become parameters
    written(observed)   -> Parameterized            the text with `$n`
    tags(comments)      -> key, value …             SQLCommenter, Marginalia, Query Log Tags

It refuses to guess: psql variables, templates and mixed placeholder styles come back as `Unreadable`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from premortem.model import Allow, IndexCandidate, Query, Unreadable
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
from premortem.sqltext.freedom import Freedom, Observed, Parameterized, Slot
from premortem.sqltext.shapes import Assignment, ParameterPlaces, RowLock, RowQuery, StatementFacts, TableName
from premortem.sqltext.skeleton import Place, Reduced, Value, reduced

__all__ = [
    "Action",
    "And",
    "Assignment",
    "ColumnName",
    "Comparison",
    "ComparisonKind",
    "Condition",
    "Definition",
    "Freedom",
    "Not",
    "Observed",
    "Opaque",
    "Operand",
    "OperandKind",
    "Or",
    "ParameterPlaces",
    "Parameterized",
    "Pattern",
    "PatternKind",
    "Place",
    "Reduced",
    "RowLock",
    "RowQuery",
    "Slot",
    "SortKey",
    "StatementFacts",
    "TableName",
    "Value",
    "allowed",
    "array",
    "base_type",
    "call_site",
    "canonical",
    "comparisons",
    "condition",
    "conjuncts",
    "constants",
    "definition",
    "disjuncts",
    "fingerprint",
    "index",
    "inner",
    "lasting_tags",
    "looks_like_code",
    "normalized",
    "numbered_names",
    "observed",
    "one_line",
    "operand",
    "parameter_count",
    "parameter_places",
    "prepared",
    "key_as_counted",
    "reduced",
    "relabels",
    "separated",
    "row_query",
    "sort_key",
    "split",
    "statement_facts",
    "tables",
    "tags",
    "unit_of_work",
    "value",
    "without_strings",
    "without_variables",
    "written",
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


def normalized(sql: str) -> str:
    """Return a statement on one line, without comments and with `$n` for its constants; or raise StatementError.

    >>> normalized("select *  -- all\\n from t where a = 5 and b = $1")
    'select * from t where a = $2 and b = $1'
    """
    from premortem.sqltext import spelling, tree

    return tree.normalized(spelling.one_line(sql))


def without_strings(sql: str) -> str:
    """Return a statement on one line, without comments and with its strings hidden; for utility statements."""
    from premortem.sqltext import spelling

    return spelling.without_strings(sql)


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


def index(text: str) -> tuple[str | None, IndexCandidate]:
    """Return the name and the index that `t (a, b) WHERE c` or CREATE INDEX defines; or raise StatementError.

    The table's schema is empty where the text does not say it.

    >>> index("orders (status, created_at DESC) INCLUDE (total) WHERE paid")[1].definition
    'orders (status, created_at DESC) INCLUDE (total) WHERE paid'
    """
    from premortem.sqltext import indexes

    return indexes.index(text)


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


def row_query(sql: str, *, sampled: TableName | None, percent: float, seed: int, most: int) -> RowQuery | None:
    """Return the statement that finds values for another's placeholders, None where none of them stands for a column.

    `sampled` is the table of which only so many percent of its pages are read; or raise StatementError.
    """
    from premortem.sqltext import rows

    return rows.row_query(sql, sampled=sampled, percent=percent, seed=seed, most=most)


def one_line(text: str) -> str:
    """Return a statement on one line, without comments; what stands in quotes is left as it is."""
    from premortem.sqltext import spelling

    return spelling.one_line(text)


def constants(text: str) -> tuple[str, ...]:
    """Return the constants and placeholders of a statement in their order: what its fingerprint leaves out."""
    from premortem.sqltext import spelling

    return spelling.constants(text)


def key_as_counted(found: Reduced) -> str:
    """Return the key that a statement has when pg_stat_statements has counted it: `interval $1` is `$1::interval`.

    >>> key_as_counted(reduced("select interval '1 day'")) == reduced("select $1::interval").key
    True
    """
    from premortem.sqltext import literals

    return literals.key_as_counted(found)


def observed(found: Reduced) -> Observed:
    """Return which values of a server's statement may become parameters; or raise StatementError."""
    from premortem.sqltext import observing

    return observing.observed(found)


def written(of: Observed, chosen: Sequence[bool], values: Sequence[Sequence[str]]) -> Parameterized:
    """Return the text in which the chosen places are parameters; the others hold the given constants."""
    from premortem.sqltext import observing

    return observing.written(of, chosen, values)


def separated(sql: str) -> tuple[str, ...]:
    """Return the statements of a text, each with its comments."""
    from premortem.sqltext import observing

    return observing.separated(sql)


def inner(sql: str) -> str | None:
    """Return the query inside a statement (DECLARE, COPY, EXPLAIN, CREATE TABLE AS), None where it has none."""
    from premortem.sqltext import observing

    return observing.inner(sql)


def prepared(sql: str) -> tuple[str, tuple[Value, ...]] | None:
    """Return the query and the values of `PREPARE name AS query; EXECUTE name (values)`, None for other texts."""
    from premortem.sqltext import observing

    return observing.prepared(sql)


def allowed(sql: str) -> tuple[Allow, ...]:
    """Return the `premortem: allow RULE (reason)` comments of a statement."""
    from premortem.sqltext import observing

    return observing.allowed(sql)


def value(constant: str) -> str | None:
    """Return what a constant says, None for NULL."""
    from premortem.sqltext import observing

    return observing.value(constant)


def array(values: Sequence[str | None]) -> str:
    """Return an array literal."""
    from premortem.sqltext import observing

    return observing.array(values)


def looks_like_code(constant: str) -> bool:
    """Whether a constant reads like a word of a program and not like somebody's value."""
    from premortem.sqltext import observing

    return observing.looks_like_code(constant)


def tags(comments: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the key-value pairs of a statement's comments (SQLCommenter, Marginalia, Query Log Tags)."""
    from premortem.sqltext import comment_tags

    return comment_tags.tags(comments)


def lasting_tags(found: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the tags without those that are another value each time."""
    from premortem.sqltext import comment_tags

    return comment_tags.lasting(found)


def unit_of_work(found: Iterable[tuple[str, str]]) -> str | None:
    """Return the trace or request that tags name, None where they name none."""
    from premortem.sqltext import comment_tags

    return comment_tags.unit(found)


def call_site(found: Iterable[tuple[str, str]]) -> tuple[str, int | None] | None:
    """Return the file and line that tags name, None where they name none."""
    from premortem.sqltext import comment_tags

    return comment_tags.call_site(found)


def numbered_names(text: str) -> tuple[str, ...]:
    """Return the names in a statement that have digits, in their order: what its fingerprint does not tell apart."""
    from premortem.sqltext import spelling

    return spelling.numbered_names(text)


def without_variables(sql: str, columns: Callable[[TableName], Collection[str] | None]) -> str | None:
    """Return a function's statement with `$n` for its variables, None where it has none or that cannot be told."""
    from premortem.sqltext import variables

    return variables.without_variables(sql, columns)


def parameter_count(sql: str) -> int:
    """Return the largest `$n` of a statement, 0 where it has none; or raise StatementError."""
    from premortem.sqltext import tree

    parts = tree.walk(tree.one_statement(sql))
    return max((p.number for p in parts if isinstance(p, tree.pb.ParamRef)), default=0)
