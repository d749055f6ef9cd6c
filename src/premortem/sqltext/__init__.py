"""SQL text: what statements, conditions and sort keys say, without asking a server.

Words: a *statement* is what stands between semicolons; a *condition* is what EXPLAIN prints of a WHERE or ON clause; a
*placeholder* is where a driver puts a value.  This is the only room that imports the SQL parser (libpg_query, through
postgast), and that only when a verb is first used.

    split(text, source) -> Query | Unreadable …     lexer → pieces → placeholders → statements
    condition(text)     -> Condition                plan conditions, total
    sort_key(text)      -> SortKey                  plan sort keys, total

It refuses to guess: psql variables, templates and mixed placeholder styles come back as `Unreadable`.
"""

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
    base_type,
    comparisons,
    conjuncts,
    disjuncts,
    relabels,
)

__all__ = [
    "And",
    "ColumnName",
    "Comparison",
    "ComparisonKind",
    "Condition",
    "Not",
    "Opaque",
    "Operand",
    "OperandKind",
    "Or",
    "Pattern",
    "PatternKind",
    "base_type",
    "comparisons",
    "conjuncts",
    "disjuncts",
    "relabels",
]
