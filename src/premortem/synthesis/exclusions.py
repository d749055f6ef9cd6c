"""What exclusion constraints, and keys WITHOUT OVERLAPS, ask of rows: which parts may not all be true of two of them.

The operators are in the constraint's definition, what they compare in its index.  A part that cannot be read is left
out: rows that are kept apart by the others are kept apart by all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from premortem.model import Constraint, ConstraintKind, KeyColumn, Table

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_WITH = re.compile(r" WITH (?:OPERATOR\((?:\"[^\"]*\"|\w+)\.(?P<named>[^)]+)\)|(?P<plain>[^\w\s(),]+))(?=[,)])")
_NAME = r"(?:\"(?P<{0}q>(?:[^\"]|\"\")+)\"|(?P<{0}>\w+))"
_COLUMN = r"\(*(?:COALESCE\(\(*)?" + _NAME + r"\)*(?:::[\w \[\]]+(?:\([\d,]+\))?)?(?:, '[^']*'(?:::[\w ]+)?\))?\)*"
_RANGE = re.compile(
    rf"(?:pg_catalog\.)?\"?(?P<type>\w+)\"?\({_COLUMN.format('low')}, {_COLUMN.format('high')}"
    r"(?:, '(?P<brackets>[\[(][\])])'(?:::\w+)?)?\)\Z"
)
_VALUE = re.compile(r"'((?:[^']|'')*)'|(-?[\d.]+)")
_CAST = r"\)*(?:::[\w \"\.]+(?:\([\d,]+\))?)?\)*"
_COMPARED = re.compile(
    r"\A\(*" + _NAME.format("column") + _CAST + r" (?P<sign>=|<>) (?:(?P<many>ANY|ALL) )?(?P<values>[('\-\d].*)\Z"
)
_NULL = re.compile(r"\A\(*" + _NAME.format("column") + r"\)* IS (?P<no>NOT )?NULL\)*\Z")
_TRUTH = re.compile(r"\A\(*(?P<no>NOT )?\(*" + _NAME.format("column") + r"\)*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What may not overlap: a column, or the two columns that are the ends of a range.

    `inclusive` says that the end of two is part of the range.
    """

    columns: tuple[str, ...]
    inclusive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """Which rows a constraint is about, by one column: those with these values, or with any others; () for NULL."""

    column: str
    values: tuple[str, ...]
    others: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """An exclusion constraint: two rows with the same values in `equal` may not overlap in `periods`.

    `unlike` are columns in which they may not differ.
    `temporal` constraints take no empty ranges.
    """

    name: str
    equal: tuple[str, ...]
    periods: tuple[Period, ...] = ()
    unlike: tuple[str, ...] = ()
    meant: Meant | None = None
    partial: bool = False
    temporal: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it compares."""
        return (*self.equal, *(name for period in self.periods for name in period.columns), *self.unlike)


def exclusions(table: Table) -> tuple[Exclusion, ...]:
    """Return the exclusion constraints of a table, and its unique constraints WITHOUT OVERLAPS."""
    return tuple(_exclusions(table))


def is_temporal(constraint: Constraint) -> bool:
    """Whether a key's last column is a range that may not overlap another's."""
    return "WITHOUT OVERLAPS)" in constraint.definition


def is_periodic(constraint: Constraint) -> bool:
    """Whether a foreign key's last column is a range that ranges of the other table have to cover."""
    return constraint.kind is ConstraintKind.FOREIGN_KEY and ", PERIOD " in constraint.definition


def _exclusions(table: Table) -> Iterator[Exclusion]:
    for constraint in table.constraints:
        if constraint.kind is ConstraintKind.EXCLUSION:
            yield _exclusion(table, constraint)
        elif constraint.kind in (ConstraintKind.PRIMARY_KEY, ConstraintKind.UNIQUE) and is_temporal(constraint):
            last = Period(columns=constraint.columns[-1:])
            yield Exclusion(name=constraint.name, equal=constraint.columns[:-1], periods=(last,), temporal=True)


def _exclusion(table: Table, constraint: Constraint) -> Exclusion:
    index = next((i for i in table.indexes if i.constraint == constraint.name), None)
    operators = operators_of(constraint.definition)
    keys = index.keys if index else ()
    if index is None or len(operators) != len(keys):
        return Exclusion(name=constraint.name, equal=())
    parts = list(zip(keys, operators, strict=True))
    equal = tuple(k.column for k, sign in parts if sign == "=" and k.column)
    unlike = tuple(k.column for k, sign in parts if sign == "<>" and k.column)
    periods = tuple(p for k, sign in parts if sign == "&&" and (p := _period(k)) is not None)
    return Exclusion(
        name=constraint.name, equal=equal, periods=periods, unlike=unlike,
        meant=meant(index.predicate), partial=index.predicate is not None,
    )  # fmt: skip


def operators_of(definition: str) -> tuple[str, ...]:
    """Return the operators of an exclusion constraint, in order.

    >>> operators_of("EXCLUDE USING gist (room WITH =, during WITH OPERATOR(public.&&)) WHERE ((a = ' WITH =)'))")
    ('=', '&&')
    """
    plain = _LITERAL.sub("''", definition.partition(" WHERE ")[0])
    return tuple(match["named"] or match["plain"] for match in _WITH.finditer(plain))


def _period(key: KeyColumn) -> Period | None:
    if key.column is not None:
        return Period(columns=(key.column,))
    match = _RANGE.match(key.expression or "")
    if match is None or not match["type"].endswith("range"):
        return None
    low, high = ((match[name] or match[name + "q"]).replace('""', '"') for name in ("low", "high"))
    return Period(columns=(low, high), inclusive=(match["brackets"] or "[)").endswith("]"))


def meant(predicate: str | None) -> Meant | None:
    """Return the rows that a condition is true for, or more of them; None for all.

    >>> meant("(((state)::text = ANY (ARRAY['a'::text, 'b'::text])) AND (NOT gone))")
    Meant(column='state', values=('a', 'b'), others=False)
    >>> meant("(ended_at IS NULL)"), meant("(a < 3)")
    (Meant(column='ended_at', values=(), others=False), None)
    """
    if predicate is None or " OR " in _LITERAL.sub("''", predicate):
        return None
    found = (_condition(part.strip()) for part in _parts(predicate))
    return next((one for one in found if one is not None), None)


def _parts(predicate: str) -> Sequence[str]:
    return predicate.split(" AND ") if "' AND '" not in predicate else [predicate]


def _condition(text: str) -> Meant | None:
    if match := _NULL.match(text):
        return Meant(column=_column(match), values=(), others=bool(match["no"]))
    if match := _TRUTH.match(text):
        return Meant(column=_column(match), values=("f" if match["no"] else "t",))
    match = _COMPARED.match(text)
    if match is None or (match["many"], match["sign"]) in (("ANY", "<>"), ("ALL", "=")):
        return None
    values = tuple(a.replace("''", "'") if a or not b else b for a, b in _VALUE.findall(_casts_gone(match["values"])))
    if not values or (match["many"] is None and len(values) > 1):
        return None
    return Meant(column=_column(match), values=values, others=match["sign"] == "<>")


def _casts_gone(text: str) -> str:
    """Return a list of values without the types that are written after them, whose sizes look like values."""
    return re.sub(r"::[\w \"\.]+(?:\([\d,]+\))?", "", text)


def _column(match: re.Match[str]) -> str:
    return (match["column"] or match["columnq"]).replace('""', '"')
