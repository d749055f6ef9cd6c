"""From a plan's conditions to what they ask of one relation: `sqltext`'s comparisons as index terms."""

from __future__ import annotations

import re
from collections.abc import Iterator

from premortem import sqltext
from premortem.advisor.wants import Operand, Term, Use
from premortem.model import Table, quoted
from premortem.sqltext import Comparison, ComparisonKind, OperandKind, PatternKind

_RANGE_OPERATORS = frozenset({"<", "<=", ">", ">=", "~<~", "~<=~", "~>~", "~>=~"})
_COMPARED = frozenset({"=", "<>", "<", "<=", ">", ">="})
_FIXED = frozenset({OperandKind.CONSTANT, OperandKind.PARAMETER, OperandKind.RUNTIME})


def terms(condition: sqltext.Condition, alias: str | None, table: Table) -> Iterator[Term]:
    """Yield what the conjuncts of a condition ask of the relation; what no index could use is left out."""
    for part in sqltext.conjuncts(condition):
        if isinstance(part, Comparison):
            term = _term(part, alias, table)
            if term is not None:
                yield term


def arms(condition: sqltext.Condition, alias: str, table: Table) -> Iterator[tuple[tuple[Term, ...], ...]]:
    """Yield the ORs whose every arm asks something of this relation that an index could use."""
    for part in sqltext.conjuncts(condition):
        if isinstance(part, sqltext.Or):
            found = tuple(tuple(terms(arm, alias, table)) for arm in sqltext.disjuncts(part))
            if all(found):
                yield found


def operand(side: sqltext.Operand, table: Table) -> Operand:
    """Return the side as an index key: the column where its casts change nothing, else the expression."""
    columns = tuple(dict.fromkeys(c.column for c in side.columns))
    column = table.column(side.column.column) if side.column else None
    collation = collation_key(side.collation, column.collation if column else None)
    if column is not None and side.is_column(column.type):
        return Operand(column=column.name, columns=columns, collation=collation)
    return Operand(expression=_unwrapped(side.expression), columns=columns)


def collation_key(wanted: str | None, own: str | None) -> str | None:
    """Return the collation as CREATE INDEX needs it, None where it is the column's own.

    >>> collation_key("C", None), collation_key("C", 'pg_catalog."C"')
    ('"C"', None)
    """
    if wanted is None or bare_collation(wanted) == bare_collation(own or "default"):
        return None
    return quoted(bare_collation(wanted))


def bare_collation(name: str) -> str:
    """Return a collation's name without schema and quotes."""
    return name.rsplit(".", 1)[-1].strip('"')


def _unwrapped(expression: str) -> str:
    """Return the expression without a pair of brackets around all of it."""
    while is_bracketed(expression):
        expression = expression[1:-1]
    return expression


def is_bracketed(expression: str) -> bool:
    """Whether one pair of brackets is around all of an expression.

    >>> is_bracketed("(a + b)"), is_bracketed("(a) + (b)")
    (True, False)
    """
    if not (expression.startswith("(") and expression.endswith(")")):
        return False
    depth = 0
    for place, character in enumerate(expression):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return place == len(expression) - 1
    return False


def _term(comparison: Comparison, alias: str | None, table: Table) -> Term | None:
    about = comparison.about(alias)
    if about is None:
        return _of_one_row(comparison, alias, table)
    if not about.left.columns or about.left.subplans or not _has_all(about.left, table):
        return None
    if about.kind is ComparisonKind.ROW:
        return _row_term(about, table)
    use = _use(about)
    if use is None:
        return None
    right = about.right
    joins = right is not None and bool(right.columns)
    if right is not None and (right.subplans or not (joins or right.kind in _FIXED or right.is_fixed)):
        return None
    if joins:
        return _join_term(about, use, table)
    found = operand(about.left, table)
    operator = "" if use in (Use.TRUE, Use.FALSE) else about.operator
    return Term(
        operand=found, use=use, operator=operator, text=_text(about, use), constant=_is_constant(about),
        value=right.constant if right else None, values=_values(right),
    )  # fmt: skip


def _has_all(side: sqltext.Operand, table: Table) -> bool:
    """Whether the table has all columns of an operand: a row as a whole and system columns cannot be indexed."""
    return all(table.column(c.column) is not None for c in side.columns)


def _of_one_row(comparison: Comparison, alias: str | None, table: Table) -> Term | None:
    """Return a comparison of two columns of the same row, which no key serves and an index predicate may hold."""
    left, right = comparison.left, comparison.right
    if right is None or comparison.operator not in _COMPARED or comparison.quantifier or comparison.negated:
        return None
    plain = left.kind is OperandKind.COLUMN and right.kind is OperandKind.COLUMN
    if not plain or not (left.is_about(alias) and right.is_about(alias) and _has_all(left, table)):
        return None
    text = f"{left.expression} {comparison.operator} {right.expression}"
    columns = (*(c.column for c in left.columns), *(c.column for c in right.columns))
    return Term(
        operand=Operand(expression=text, columns=columns), use=Use.ROW, operator=comparison.operator, text=text,
        constant=True,
    )  # fmt: skip


def _values(right: sqltext.Operand | None) -> tuple[str, ...]:
    if right is None:
        return ()
    if right.elements:
        return tuple(e.constant for e in right.elements if e.constant is not None)
    return array_elements(right.constant) if (right.constant_type or "").endswith("[]") else ()


def array_elements(text: str | None) -> tuple[str, ...]:
    """Return the elements of a one-dimensional array in PostgreSQL's text form.

    >>> array_elements('{a,"b,c",NULL}')
    ('a', 'b,c')
    """
    if not text or not text.startswith("{") or text.startswith("{{"):
        return ()
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|([^,"]+)', text[1:-1])
    return tuple(re.sub(r"\\(.)", r"\1", quoted) if quoted else plain for quoted, plain in found if plain != "NULL")


def _join_term(about: Comparison, use: Use, table: Table) -> Term | None:
    assert about.right is not None
    partner = min((a for a in about.right.aliases if a is not None), default=None)
    if use is Use.SOME:
        use = Use.JOIN
    if use is Use.EQUAL:
        use = Use.JOIN
    elif use not in (Use.RANGE, Use.OPERATOR, Use.JOIN):
        return None
    return Term(operand=operand(about.left, table), use=use, operator=about.operator, partner=partner)


def _row_term(about: Comparison, table: Table) -> Term | None:
    elements = about.left.elements
    if about.operator not in _RANGE_OPERATORS or not elements or not all(e.columns for e in elements):
        return None
    row = tuple(operand(e, table) for e in elements)
    return Term(operand=row[0], use=Use.RANGE, operator=about.operator, row=row)


def _use(about: Comparison) -> Use | None:
    if about.quantifier == "all":
        return Use.UNEQUAL if about.operator == "<>" else None
    negated = about.negated
    match about.kind:
        case ComparisonKind.EQUALITY:
            return Use.UNEQUAL if negated else _equality(about)
        case ComparisonKind.ANY_EQUALITY:
            return None if negated else Use.SOME
        case ComparisonKind.NOT_EQUAL:
            return Use.UNEQUAL
        case ComparisonKind.RANGE:
            return None if negated else Use.RANGE
        case ComparisonKind.IS_NULL:
            return Use.NOT_NULL if negated else Use.NULL
        case ComparisonKind.IS_NOT_NULL:
            return Use.NULL if negated else Use.NOT_NULL
        case ComparisonKind.BOOLEAN:
            return _truth(about)
        case ComparisonKind.LIKE | ComparisonKind.REGEX:
            return None if negated else _pattern(about)
        case ComparisonKind.OPERATOR:
            return None if negated else Use.OPERATOR
    return None


def _equality(about: Comparison) -> Use:
    """Return EQUAL; of a boolean and a constant what PostgreSQL makes of it, the bare column or its NOT."""
    right = about.right
    if right is not None and right.kind is OperandKind.CONSTANT and right.constant_type in ("boolean", "bool"):
        return Use.TRUE if (right.constant or "").lower() in ("t", "true") else Use.FALSE
    return Use.EQUAL


def _truth(about: Comparison) -> Use | None:
    if about.operator == "not":
        return Use.FALSE
    if about.operator in ("is true", "is false"):
        return Use.TRUE if (about.operator == "is true") != about.negated else Use.FALSE
    return Use.UNEQUAL


def _pattern(about: Comparison) -> Use | None:
    if about.pattern is None:
        return Use.INFIX
    sensitive = about.operator in ("~~", "~", "^@")
    anchored = about.pattern.kind in (PatternKind.PREFIX, PatternKind.EXACT)
    return Use.PREFIX if sensitive and anchored and about.pattern.prefix else Use.INFIX


def _is_constant(about: Comparison) -> bool:
    return about.right is None or about.right.kind is OperandKind.CONSTANT


def _text(about: Comparison, use: Use) -> str:
    """Return the condition without aliases, as an index predicate has it."""
    left = about.left.expression
    match use:
        case Use.TRUE:
            return left
        case Use.FALSE:
            return f"NOT {left}"
        case Use.NULL:
            return f"{left} IS NULL"
        case Use.NOT_NULL:
            return f"{left} IS NOT NULL"
    if about.right is None:
        return f"{left} {about.operator.upper()}"
    right = about.right.text
    operator = "<>" if use is Use.UNEQUAL and about.kind is ComparisonKind.EQUALITY else about.operator
    return (
        f"{left} {operator} {about.quantifier.upper()} ({right})" if about.quantifier else f"{left} {operator} {right}"
    )
