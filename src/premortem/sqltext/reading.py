"""Reads the expressions that EXPLAIN prints into conditions.

Everything here is total: what the parser refuses becomes `Opaque`, with its text.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache

from premortem.errors import StatementError
from premortem.sqltext import tree
from premortem.sqltext.conditions import (
    And,
    Comparison,
    ComparisonKind,
    Condition,
    Not,
    Opaque,
    Operand,
    OperandKind,
    Or,
    SortKey,
)
from premortem.sqltext.dressing import dressed
from premortem.sqltext.operands import list_operand, sql, unique
from premortem.sqltext.operands import operand as read_operand
from premortem.sqltext.patterns import like_pattern, regex_pattern
from premortem.sqltext.tree import Node, pb

_LIKE = {"~~", "~~*", "!~~", "!~~*"}
_REGEX = {"~", "~*", "!~", "!~*"}
_RANGE = {"<", "<=", ">", ">=", "~<~", "~<=~", "~>~", "~>=~"}
_NEGATED = {"!~~": "~~", "!~~*": "~~*", "!~": "~", "!~*": "~*"}


def condition(expression: str, initplans: Collection[int] = ()) -> Condition:
    """Return what a plan's condition says.

    `initplans` are the numbers of `$n` that are outputs of InitPlans and not parameters of the query: up to
    PostgreSQL 16 both are printed alike, and only the plan (`InitPlan 1 (returns $0)`) knows which is which.
    """
    return _condition(expression, frozenset(initplans))


@lru_cache(maxsize=4096)
def _condition(expression: str, initplans: frozenset[int]) -> Condition:
    try:
        node = tree.expression_tree(dressed(expression))
        return _Reader(initplans).condition(node)
    except (StatementError, RecursionError, ValueError):
        return Opaque(text=expression)


def condition_of(node: Node) -> Condition:
    """Return what a condition of a parsed statement says."""
    try:
        return _Reader(frozenset()).condition(node)
    except (StatementError, RecursionError, ValueError):
        return Opaque(text="")


def operand(expression: str, initplans: Collection[int] = ()) -> Operand | None:
    """Return what an expression (of an index, a sort key, an output list) is, None where it cannot be read."""
    return _operand(expression, frozenset(initplans))


@lru_cache(maxsize=4096)
def _operand(expression: str, initplans: frozenset[int]) -> Operand | None:
    try:
        return read_operand(tree.expression_tree(dressed(expression)), initplans)
    except (StatementError, RecursionError, ValueError):
        return None


_ORDER = re.compile(
    r"(?P<key>.*?)(?:\s+COLLATE\s+(?P<collation>\"(?:[^\"]|\"\")+\"(?:\.\"(?:[^\"]|\"\")+\")?|[\w.]+))?"
    r"(?:\s+(?P<direction>ASC|DESC|USING\s+(?P<using>\S+)))?(?:\s+NULLS\s+(?P<nulls>FIRST|LAST))?\s*",
    re.DOTALL,
)


def sort_key(text: str) -> SortKey:
    """Return what one item of a sort key says."""
    match = _ORDER.fullmatch(text)
    key = match["key"] if match else text
    descending = bool(match and match["direction"] == "DESC") or bool(match and match["using"] in (">", ">="))
    nulls = match["nulls"] if match else None
    found = operand(key)
    column = found.column if found else None
    return SortKey(
        text=text,
        alias=found.alias if found else None,
        column=column.column if column else None,
        expression=found.expression if found else key,
        operand=found,
        descending=descending,
        nulls_first=descending if nulls is None else nulls == "FIRST",
        collation=match["collation"] if match else None,
        using=match["using"] if match else None,
    )


def canonical(expression: str) -> str:
    """Return an expression as this room spells it, without alias qualifiers, so that two can be compared as text."""
    found = operand(expression)
    return found.expression if found else expression


# --- reading the tree -----------------------------------------------------------------------------------------------

_AEXPR = pb.A_Expr_Kind
_LIKE_KINDS = (_AEXPR.AEXPR_LIKE, _AEXPR.AEXPR_ILIKE)
_SQL_LIKE = {"~~", "~~*", "!~~", "!~~*"}

_NOT_BETWEEN = (_AEXPR.AEXPR_NOT_BETWEEN, _AEXPR.AEXPR_NOT_BETWEEN_SYM)
_BETWEEN = (_AEXPR.AEXPR_BETWEEN, _AEXPR.AEXPR_BETWEEN_SYM, *_NOT_BETWEEN)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns expression trees into conditions; `initplans` are the `$n` that are no parameters."""

    initplans: frozenset[int]

    def condition(self, node: Node) -> Condition:
        which = node.WhichOneof("node")
        if which == "bool_expr":
            return self._boolean(node)
        if which == "null_test":
            return self._null_test(node)
        if which == "boolean_test":
            return self._boolean_test(node)
        if which == "a_expr":
            return self._comparison(node)
        return self._truth(node)

    def _boolean(self, node: Node) -> Condition:
        expression, text = node.bool_expr, sql(node)
        parts = tuple(self.condition(part) for part in expression.args)
        if expression.boolop == pb.BoolExprType.AND_EXPR:
            return And(text=text, parts=parts)
        if expression.boolop == pb.BoolExprType.OR_EXPR:
            return Or(text=text, parts=parts)
        return _negate(parts[0], text)

    def _null_test(self, node: Node) -> Condition:
        is_null = node.null_test.nulltesttype == pb.NullTestType.IS_NULL
        kind = ComparisonKind.IS_NULL if is_null else ComparisonKind.IS_NOT_NULL
        return Comparison(kind=kind, text=sql(node), left=self.operand(node.null_test.arg), operator=kind.value)

    def _boolean_test(self, node: Node) -> Condition:
        name = pb.BoolTestType.Name(node.boolean_test.booltesttype).lower().replace("_", " ")
        left = self.operand(node.boolean_test.arg)
        return Comparison(kind=ComparisonKind.BOOLEAN, text=sql(node), left=left, operator=name)

    def _truth(self, node: Node) -> Condition:
        left = self.operand(node)
        if left.kind is OperandKind.SUBPLAN:
            return Opaque(text=left.text, columns=left.columns, parameters=left.parameters, subplans=left.subplans)
        return Comparison(kind=ComparisonKind.BOOLEAN, text=left.text, left=left, operator="is true")

    def _comparison(self, node: Node) -> Condition:
        expression = node.a_expr
        if not expression.HasField("lexpr") or not expression.HasField("rexpr"):
            return self._truth(node)
        if expression.kind == _AEXPR.AEXPR_IN:
            return self._in_list(node)
        if expression.kind in (_AEXPR.AEXPR_OP_ANY, _AEXPR.AEXPR_OP_ALL):
            return self._quantified(node)
        if expression.kind in (_AEXPR.AEXPR_DISTINCT, _AEXPR.AEXPR_NOT_DISTINCT):
            return self._distinct(node)
        if expression.kind in _BETWEEN:
            return self._between(node)
        operator = _operator(expression)
        if expression.kind not in (_AEXPR.AEXPR_OP, *_LIKE_KINDS) or not _is_predicate(operator):
            return self._truth(node)
        return self._pair(node, operator, self.operand(expression.lexpr), self.operand(expression.rexpr))

    def _pair(self, node: pb.Node, operator: str, left: Operand, right: Operand) -> Condition:
        if subplans := left.subplans + right.subplans:
            return Opaque(
                text=sql(node),
                columns=unique(left.columns + right.columns),
                parameters=unique(left.parameters + right.parameters),
                subplans=unique(subplans),
            )
        positive = _NEGATED.get(operator, operator)
        found = Comparison(
            kind=_kind(positive, left, right),
            text=sql(node),
            left=left,
            operator=positive,
            right=right,
            negated=positive != operator,
        )
        return _with_pattern(_oriented(found))

    def _quantified(self, node: Node) -> Condition:
        expression = node.a_expr
        quantifier = "any" if expression.kind == _AEXPR.AEXPR_OP_ANY else "all"
        found = self._pair(node, _operator(expression), self.operand(expression.lexpr), self.operand(expression.rexpr))
        if not isinstance(found, Comparison):
            return found
        if found.flipped:
            found = replace(found, left=_right(found), right=found.left, operator=_operator(expression), flipped=False)
        return _with_pattern(_quantify(found, quantifier))

    def _in_list(self, node: Node) -> Condition:
        expression = node.a_expr
        left = self.operand(expression.lexpr)
        elements = tuple(self.operand(item) for item in expression.rexpr.list.items)
        right = list_operand(elements)
        negated = _operator(expression) == "<>"
        kind = ComparisonKind.NOT_EQUAL if negated else ComparisonKind.ANY_EQUALITY
        quantifier, operator = ("all", "<>") if negated else ("any", "=")
        return Comparison(kind=kind, text=sql(node), left=left, operator=operator, right=right, quantifier=quantifier)

    def _between(self, node: Node) -> Condition:
        """Return `BETWEEN`, which plans print as two comparisons and statements do not."""
        expression = node.a_expr
        low, high = expression.rexpr.list.items
        left = self.operand(expression.lexpr)
        bounds = (self._pair(node, ">=", left, self.operand(low)), self._pair(node, "<=", left, self.operand(high)))
        found = And(text=sql(node), parts=bounds)
        return Not(text=found.text, part=found) if expression.kind in _NOT_BETWEEN else found

    def _distinct(self, node: Node) -> Condition:
        expression = node.a_expr
        negated = expression.kind == _AEXPR.AEXPR_NOT_DISTINCT
        left, right = self.operand(expression.lexpr), self.operand(expression.rexpr)
        found = Comparison(
            kind=ComparisonKind.DISTINCT,
            text=sql(node),
            left=left,
            operator="is distinct from",
            right=right,
            negated=negated,
        )
        return _oriented(found)

    def operand(self, node: Node) -> Operand:
        """Return one side of a comparison."""
        return read_operand(node, self.initplans)


def _right(comparison: Comparison) -> Operand:
    assert comparison.right is not None
    return comparison.right


def _operator(expression: Node) -> str:
    return tree.name_of(expression.name)[-1]


#: Arithmetic and other operators that do not answer yes or no.
_NOT_PREDICATES = frozenset("+ - * / ^ || & | # << >> -> ->> #> #>> <-> <=> <#> <+> |/ ||/ #-".split()) - {"<<", ">>"}


def _is_predicate(operator: str) -> bool:
    return operator not in _NOT_PREDICATES


def _kind(operator: str, left: Operand, right: Operand) -> ComparisonKind:
    if OperandKind.ROW in (left.kind, right.kind):
        return ComparisonKind.ROW
    if operator == "=":
        return ComparisonKind.EQUALITY
    if operator in ("<>", "!="):
        return ComparisonKind.NOT_EQUAL
    if operator in _RANGE:
        return ComparisonKind.RANGE
    if operator in _LIKE:
        return ComparisonKind.LIKE
    return ComparisonKind.REGEX if operator in _REGEX else ComparisonKind.OPERATOR


def _quantify(found: Comparison, quantifier: str) -> Comparison:
    """Return the comparison as one against the members of an array."""
    right = _right(found)
    if right.columns and found.left.is_fixed and quantifier == "any" and found.operator == "=":
        return replace(
            found, kind=ComparisonKind.MEMBER, left=right, right=found.left, quantifier=quantifier, flipped=True
        )
    equality = found.kind is ComparisonKind.EQUALITY and quantifier == "any"
    return replace(found, kind=ComparisonKind.ANY_EQUALITY if equality else found.kind, quantifier=quantifier)


def _oriented(found: Comparison) -> Comparison:
    """Return the comparison with the side that has columns on the left, bare columns before expressions."""
    right = _right(found)
    if not right.columns or _index_side(found.left) >= _index_side(right):
        return found
    return found.flip() or found


def _index_side(side: Operand) -> int:
    if not side.columns:
        return 0
    return 1


def _with_pattern(found: Comparison) -> Comparison:
    if found.kind not in (ComparisonKind.LIKE, ComparisonKind.REGEX) or found.right is None:
        return found
    read = like_pattern if found.kind is ComparisonKind.LIKE else regex_pattern
    value = None if found.quantifier else found.right.constant
    return replace(found, pattern=read(value))


def _negate(part: Condition, text: str) -> Condition:
    foldable = isinstance(part, Comparison) and part.kind not in (ComparisonKind.BOOLEAN, ComparisonKind.ROW)
    if isinstance(part, Comparison) and foldable:
        return _negated(part, text)
    if isinstance(part, Comparison) and part.kind is ComparisonKind.BOOLEAN and part.operator == "is true":
        return replace(part, operator="not", negated=not part.negated, text=text)
    if isinstance(part, Not):
        return part.part
    return Not(text=text, part=part)


def _negated(part: Comparison, text: str) -> Comparison:
    if part.kind is ComparisonKind.IS_NULL:
        return replace(part, kind=ComparisonKind.IS_NOT_NULL, operator="is not null", text=text)
    if part.kind is ComparisonKind.IS_NOT_NULL:
        return replace(part, kind=ComparisonKind.IS_NULL, operator="is null", text=text)
    return replace(part, negated=not part.negated, text=text)
