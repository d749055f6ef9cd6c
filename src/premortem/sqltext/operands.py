"""What an expression is as one side of a comparison: a column, a constant, a parameter, or made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from premortem.sqltext import tree
from premortem.sqltext.conditions import ColumnName, Operand, OperandKind
from premortem.sqltext.dressing import MARK, undressed
from premortem.sqltext.tree import Node, pb

_T = TypeVar("_T")

#: Names that the parser uses inside and the ones that people and `format_type` use.
_TYPE_NAMES = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "varchar": "character varying",
    "bpchar": "character",
    "varbit": "bit varying",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "decimal": "numeric",
}


def unique(values: Iterable[_T]) -> tuple[_T, ...]:
    """Return the values in order, each once."""
    return tuple(dict.fromkeys(values))


def sql(node: Node) -> str:
    """Return an expression's canonical text, with EXPLAIN's words as EXPLAIN prints them."""
    return undressed(tree.expression_sql(node))


def operand(node: Node, initplans: frozenset[int] = frozenset()) -> Operand:
    """Return what an expression is; `initplans` are the `$n` that are outputs of InitPlans."""
    bare, casts, collation = _under_casts(node)
    found = _Contents(initplans)
    found.take(node)
    kind = found.kind
    which = bare.WhichOneof("node")
    if which == "column_ref" and kind is OperandKind.EXPRESSION and not found.whole_rows:
        kind = OperandKind.CAST if casts else OperandKind.COLUMN
    elif which == "a_const":
        kind = OperandKind.CONSTANT
    elif which == "param_ref" and bare.param_ref.number not in initplans:
        kind = OperandKind.PARAMETER
    elif which == "row_expr":
        kind = OperandKind.ROW
    return Operand(
        kind=kind,
        text=sql(node),
        expression=_without_aliases(node),
        column=found.columns[0] if kind in (OperandKind.COLUMN, OperandKind.CAST) else None,
        columns=unique(found.columns),
        casts=casts,
        functions=unique(found.functions),
        operators=unique(found.operators),
        parameters=unique(found.parameters),
        constant=_constant(bare.a_const) if which == "a_const" else None,
        constant_type=_constant_type(bare, casts) if which == "a_const" else None,
        is_null=which == "a_const" and bare.a_const.isnull,
        collation=collation,
        elements=tuple(operand(member, initplans) for member in _members(bare)),
        subplans=unique(found.subplans),
    )


def list_operand(elements: tuple[Operand, ...]) -> Operand:
    """Return the right side of `IN (…)` as one operand."""
    columns = unique(c for e in elements for c in e.columns)
    return Operand(
        kind=OperandKind.EXPRESSION if columns else OperandKind.RUNTIME,
        text=f"({', '.join(e.text for e in elements)})",
        expression=f"({', '.join(e.expression for e in elements)})",
        columns=columns,
        parameters=unique(p for e in elements for p in e.parameters),
        functions=unique(f for e in elements for f in e.functions),
        elements=elements,
        subplans=unique(s for e in elements for s in e.subplans),
    )


def type_name(name: Node) -> str:
    """Return a type as `format_type` would print it."""
    words = tree.name_of(name.names)
    known = _TYPE_NAMES.get(words[-1]) if words[:-1] in ((), ("pg_catalog",)) else None
    base = known or ".".join(w for w in words if w != "pg_catalog")
    lengths = ",".join(str(m.a_const.ival.ival) for m in name.typmods if m.HasField("a_const"))
    return _with_length(base, lengths) + "[]" * len(name.array_bounds)


def _with_length(base: str, lengths: str) -> str:
    if not lengths or base == "interval":
        return base
    head, space, tail = base.partition(" ")
    if head in ("time", "timestamp"):
        return f"{head}({lengths}){space}{tail}"
    return f"{base}({lengths})"


def _under_casts(node: Node) -> tuple[Node, tuple[str, ...], str | None]:
    casts: list[str] = []
    collation: str | None = None
    while True:
        if node.HasField("type_cast"):
            casts.append(type_name(node.type_cast.type_name))
            node = node.type_cast.arg
        elif node.HasField("collate_clause"):
            collation = ".".join(tree.name_of(node.collate_clause.collname))
            node = node.collate_clause.arg
        else:
            return node, tuple(reversed(casts)), collation


def _members(node: Node) -> Iterable[Node]:
    if node.HasField("row_expr"):
        return tuple(node.row_expr.args)
    return tuple(node.a_array_expr.elements) if node.HasField("a_array_expr") else ()


def _constant(const: Node) -> str | None:
    which = const.WhichOneof("val")
    if const.isnull or which is None:
        return None
    if which == "boolval":
        return "true" if const.boolval.boolval else "false"
    value = getattr(const, which)
    return str(getattr(value, which))


def _constant_type(bare: Node, casts: tuple[str, ...]) -> str | None:
    if casts:
        return casts[-1]
    types = {"ival": "integer", "fval": "numeric", "boolval": "boolean"}
    return types.get(str(bare.a_const.WhichOneof("val")))


@dataclass(slots=True)
class _Contents:
    """Collects what stands in an expression."""

    initplans: frozenset[int]
    columns: list[ColumnName] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    operators: list[str] = field(default_factory=list)
    parameters: list[int] = field(default_factory=list)
    subplans: list[str] = field(default_factory=list)
    whole_rows: bool = False

    def take(self, node: Node) -> None:
        """Add everything in the expression."""
        for part in tree.walk(node):
            if isinstance(part, pb.ColumnRef):
                self._column(part)
            elif isinstance(part, pb.FuncCall):
                self._function(tree.name_of(part.funcname))
            elif isinstance(part, pb.A_Expr):
                self.operators.extend(tree.name_of(part.name)[-1:])
            elif isinstance(part, pb.ParamRef) and part.number not in self.initplans:
                self.parameters.append(part.number)

    @property
    def kind(self) -> OperandKind:
        """What the whole is, if it is nothing simpler."""
        if self.subplans:
            return OperandKind.SUBPLAN
        return OperandKind.EXPRESSION if self.columns else OperandKind.RUNTIME

    def _column(self, reference: Node) -> None:
        words = tree.name_of(reference.fields)
        if words and words[0].startswith(MARK):
            if not words[0].startswith(f"{MARK}InitPlan"):
                self.subplans.append(words[0].removeprefix(MARK))
            return
        star = any(f.HasField("a_star") for f in reference.fields)
        self.whole_rows = self.whole_rows or star
        alias, column = (words[-1], "*") if star and words else (words[-2] if len(words) > 1 else None, words[-1])
        self.columns.append(ColumnName(alias, column))

    def _function(self, words: tuple[str, ...]) -> None:
        name = ".".join(w for w in words if w != "pg_catalog")
        if not name.startswith(MARK):
            self.functions.append(name)


def _without_aliases(node: Node) -> str:
    copy = pb.Node()
    copy.CopyFrom(node)
    for part in tree.walk(copy):
        if isinstance(part, pb.ColumnRef) and len(part.fields) > 1:
            del part.fields[:-1]
    return sql(copy)
