"""Conditions of a plan as values: what a filter, index condition or join condition says about which column.

PostgreSQL prints conditions as text (`((o.sku)::text = $1) AND (o.status = ANY ('{a,b}'::text[]))`).  Rules, the
advisor and the choice of parameters all ask the same of it: which column or expression, which operator, against what.
`Comparison.left` is the side that an index could be on; a constant, a parameter or another relation's column stands
right.  What is not understood is `Opaque`, with its text, and never an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple


class ColumnName(NamedTuple):
    """A column as a plan names it: relation alias (None where the plan leaves it out) and column, unquoted."""

    alias: str | None
    column: str


class OperandKind(StrEnum):
    """What one side of a comparison is."""

    COLUMN = "column"
    CAST = "column under casts"
    EXPRESSION = "expression over columns"
    ROW = "row"
    CONSTANT = "constant"
    PARAMETER = "parameter"
    RUNTIME = "value known when execution starts"
    SUBPLAN = "subplan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """One side of a comparison.

    `text` is canonical SQL with alias qualifiers, `expression` the same without, as it would stand in CREATE INDEX.
    `column` is the column where the operand is one, bare or under `casts` (innermost first): ask `is_column` whether
    these casts change the value.  `constant` is the value of a literal (None for NULL too: see `is_null`) and
    `constant_type` what it is cast to.  `elements` are the members of ROW(…) and ARRAY[…].  `functions` are the names
    of the functions in it, `parameters` the numbers of its `$n`, `subplans` the subplans that it waits for, such as
    `SubPlan 1`; `InitPlan 1` is a RUNTIME value, not a subplan per row.
    """

    kind: OperandKind
    text: str
    expression: str = ""
    column: ColumnName | None = None
    columns: tuple[ColumnName, ...] = ()
    casts: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    parameters: tuple[int, ...] = ()
    constant: str | None = None
    constant_type: str | None = None
    is_null: bool = False
    collation: str | None = None
    elements: tuple[Operand, ...] = ()
    subplans: tuple[str, ...] = ()

    @property
    def aliases(self) -> frozenset[str | None]:
        """The relations that it needs rows of."""
        return frozenset(c.alias for c in self.columns)

    @property
    def alias(self) -> str | None:
        """The one relation that it is about, None where there is none, several, or the plan does not say."""
        return next(iter(self.aliases)) if len(self.aliases) == 1 else None

    @property
    def is_fixed(self) -> bool:
        """Whether it has one value during the whole execution: constant, parameter, `now()`, an InitPlan's output."""
        return not self.columns and self.kind is not OperandKind.SUBPLAN

    @property
    def parameter(self) -> int | None:
        """The number of the parameter that it is, bare or under casts."""
        return self.parameters[0] if self.kind is OperandKind.PARAMETER else None

    def is_about(self, alias: str | None) -> bool:
        """Whether it depends on that relation and no other (an unqualified column belongs to whoever asks)."""
        return bool(self.columns) and all(c.alias in (alias, None) or alias is None for c in self.columns)

    def is_column(self, column_type: str, base_types: Mapping[str, str] | None = None) -> bool:
        """Whether it is a plain column for an index's purposes: its casts only relabel a value of that type."""
        return self.column is not None and relabels(column_type, self.casts, base_types)


class ComparisonKind(StrEnum):
    """What a comparison asks, in the order an index key cares."""

    EQUALITY = "equality"
    ANY_EQUALITY = "one of a list"
    RANGE = "range"
    NOT_EQUAL = "not equal"
    LIKE = "like"
    REGEX = "regular expression"
    IS_NULL = "is null"
    IS_NOT_NULL = "is not null"
    BOOLEAN = "truth"
    MEMBER = "member of the column's array"
    OPERATOR = "other operator"
    ROW = "row comparison"
    DISTINCT = "is distinct from"


class PatternKind(StrEnum):
    """Where a LIKE or regular expression pattern is anchored."""

    EXACT = "exact"
    PREFIX = "prefix"
    INFIX = "infix"
    SUFFIX = "suffix"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A LIKE or regular expression pattern: its fixed start, and its longest fixed piece (what trigrams can use)."""

    kind: PatternKind
    prefix: str = ""
    longest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`left operator right`, with `left` the side that an index could be on.

    `operator` is PostgreSQL's (`=`, `~~`, `@>`), or in words: `is null`, `is distinct from`, `is true` and `not` for a
    bare boolean, `is not true`….  A NOT in front is folded in: `NOT a = b` is EQUALITY with `negated`, as `!~~` is LIKE
    with `negated`.  `quantifier` is `any` or `all` for comparisons with an array's members.  `flipped` says that the
    plan had the sides exchanged.
    """

    kind: ComparisonKind
    text: str
    left: Operand
    operator: str
    right: Operand | None = None
    negated: bool = False
    quantifier: str | None = None
    pattern: Pattern | None = None
    flipped: bool = False

    def about(self, alias: str | None) -> Comparison | None:
        """Return the comparison with that relation's side on the left, None where no side is its alone."""
        other = self.right
        if self.left.is_about(alias) and (other is None or not _mentions(other, alias)):
            return self
        if other is None or not other.is_about(alias) or _mentions(self.left, alias):
            return None
        return self.flip()

    def flip(self) -> Comparison | None:
        """Return the same with sides exchanged, None where the operator has no known commutator."""
        operator = COMMUTATORS.get(self.operator)
        if operator is None or self.right is None or self.quantifier:
            return None
        return replace(self, left=self.right, right=self.left, operator=operator, flipped=not self.flipped)

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Both sides."""
        return (self.left,) if self.right is None else (self.left, self.right)

    @property
    def is_join(self) -> bool:
        """Whether it compares columns of two different relations."""
        return self.right is not None and bool(self.right.aliases - self.left.aliases)


@dataclass(frozen=True, slots=True, kw_only=True)
class And:
    """All parts hold."""

    text: str
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Or:
    """At least one part holds."""

    text: str
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """The part does not hold."""

    text: str
    part: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque:
    """Something that no index could serve or that we do not understand: EXISTS of a subplan, unknown syntax."""

    text: str
    columns: tuple[ColumnName, ...] = ()
    parameters: tuple[int, ...] = ()
    subplans: tuple[str, ...] = ()


Condition = And | Or | Not | Comparison | Opaque


@dataclass(frozen=True, slots=True, kw_only=True)
class SortKey:
    """One item of a plan's sort key.

    `column` is set where the key is a plain column (casts and collation aside: see `operand`), `expression` is its SQL
    without alias qualifiers.  `operand` is None where the text could not be read; `nulls_first` is never left open.
    """

    text: str
    alias: str | None = None
    column: str | None = None
    expression: str
    operand: Operand | None = None
    descending: bool = False
    nulls_first: bool = False
    collation: str | None = None
    using: str | None = None


def conjuncts(condition: Condition) -> tuple[Condition, ...]:
    """Return the conditions that all must hold; a condition that is no AND is its own only conjunct."""
    if not isinstance(condition, And):
        return (condition,)
    return tuple(c for part in condition.parts for c in conjuncts(part))


def disjuncts(condition: Condition) -> tuple[Condition, ...]:
    """Return the conditions of which one must hold; a condition that is no OR is its own only disjunct."""
    if not isinstance(condition, Or):
        return (condition,)
    return tuple(c for part in condition.parts for c in disjuncts(part))


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Yield every comparison in a condition, whatever stands around it."""
    if isinstance(condition, Comparison):
        yield condition
    elif isinstance(condition, Not):
        yield from comparisons(condition.part)
    elif isinstance(condition, And | Or):
        for part in condition.parts:
            yield from comparisons(part)


#: Operators and what they become with sides exchanged (`pg_operator.oprcom` of the built-in ones, PostgreSQL 18).
COMMUTATORS: Mapping[str, str] = {
    "=": "=",
    "<>": "<>",
    "<": ">",
    ">": "<",
    "<=": ">=",
    ">=": "<=",
    "&&": "&&",
    "@>": "<@",
    "<@": "@>",
    "<<": ">>",
    ">>": "<<",
    "<<=": ">>=",
    ">>=": "<<=",
    "-|-": "-|-",
    "~=": "~=",
    "@@": "@@",
    "%": "%",
    "<%": "%>",
    "%>": "<%",
    "<<%": "%>>",
    "%>>": "<<%",
    "<->": "<->",
    "<=>": "<=>",
    "~<~": "~>~",
    "~>~": "~<~",
    "~<=~": "~>=~",
    "~>=~": "~<=~",
    "is distinct from": "is distinct from",
}

_VARIABLE_TEXT = frozenset({"text", "character varying", "varchar"})
#: Casts that change the label and not the bytes (`pg_cast.castmethod = 'b'`, implicit or to the same family), so that
#: an index on the column still serves.
_RELABELS: Mapping[str, frozenset[str]] = {
    "text": _VARIABLE_TEXT,
    "character varying": _VARIABLE_TEXT,
    "varchar": _VARIABLE_TEXT,
    "citext": _VARIABLE_TEXT | {"bpchar", "character"},
    "xml": _VARIABLE_TEXT,
    "cidr": frozenset({"inet"}),
    "bit": frozenset({"bit varying", "varbit"}),
    "integer": frozenset({"oid", "regclass", "regproc", "regtype"}),
    "oid": frozenset({"integer", "regclass", "regproc", "regtype"}),
    "regclass": frozenset({"oid"}),
    "regtype": frozenset({"oid"}),
    "character": frozenset({"bpchar"}),
    "bpchar": frozenset({"character"}),
}


def base_type(type_name: str) -> str:
    """Return a type's name without length, precision and `pg_catalog`.

    >>> base_type("character varying(20)"), base_type("numeric(10,2)[]"), base_type("timestamp(3) with time zone")
    ('character varying', 'numeric[]', 'timestamp with time zone')
    """
    head, paren, tail = type_name.removeprefix("pg_catalog.").partition("(")
    return (head + tail.partition(")")[2]).strip() if paren else head.strip()


def relabels(column_type: str, casts: tuple[str, ...], base_types: Mapping[str, str] | None = None) -> bool:
    """Return whether the casts, innermost first, leave a value of that type as it is; `base_types` resolves domains.

    >>> relabels("character varying(20)", ("text",)), relabels("integer", ("text",)), relabels("date", ())
    (True, False, True)
    """
    domains = base_types or {}
    current = domains.get(column_type, column_type)
    for cast in casts:
        target = domains.get(cast, cast)
        if target != current and not _is_label(base_type(current), target):
            return False
        current = target
    return True


def _is_label(source: str, target: str) -> bool:
    """Whether a cast to the target is a new label only; one to a length cuts or pads."""
    return target == source or target in _RELABELS.get(source, frozenset())


def _mentions(operand: Operand, alias: str | None) -> bool:
    return any(c.alias in (alias, None) or alias is None for c in operand.columns)
