"""Where a statement's text puts its parameters, for those that no plan condition shows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from premortem.sqltext import tree
from premortem.sqltext.conditions import Comparison, comparisons
from premortem.sqltext.reading import condition_of
from premortem.sqltext.shapes import Assignment, ParameterPlaces, TableName
from premortem.sqltext.tree import Node, pb

_CONDITIONS = ("where_clause", "having_clause", "quals", "condition", "join_condition")


@lru_cache(maxsize=1024)
def parameter_places(sql: str) -> ParameterPlaces:
    """Return where a statement's parameters stand; raises StatementError where it cannot be parsed."""
    parts = tuple(tree.walk(tree.one_statement(sql)))
    selects = [p for p in parts if isinstance(p, pb.SelectStmt)]
    return ParameterPlaces(
        comparisons=tuple(c for part in parts for c in _comparisons(part)),
        limits=frozenset(n for s in selects for n in _parameters(s.limit_count)),
        offsets=frozenset(n for s in selects for n in _parameters(s.limit_offset)),
        assignments=tuple(a for part in parts for a in _assignments(part)),
        words=tuple(w for part in parts if isinstance(part, pb.FuncCall) for w in _words(part)),
    )


#: Functions whose first argument is one of a few words, and a word that each takes.
_FIRST_WORDS = {"date_trunc": "day", "date_part": "day", "extract": "day", "timezone": "UTC"}


def _words(call: Node) -> Iterator[tuple[int, str]]:
    word = _FIRST_WORDS.get(tree.name_of(call.funcname)[-1])
    number = _bare_parameter(call.args[0]) if word and call.args else None
    if word and number is not None:
        yield number, word


def _comparisons(part: Node) -> Iterator[Comparison]:
    fields = type(part).DESCRIPTOR.fields_by_name
    for name in _CONDITIONS:
        if name in fields and part.HasField(name):
            yield from (c for c in comparisons(condition_of(getattr(part, name))) if _has_parameter(c))


def _has_parameter(comparison: Comparison) -> bool:
    return any(side.parameters for side in comparison.operands)


def _parameters(node: Node) -> Iterator[int]:
    yield from (p.number for p in tree.walk(node) if isinstance(p, pb.ParamRef))


def _bare_parameter(node: Node) -> int | None:
    while node.HasField("type_cast"):
        node = node.type_cast.arg
    return node.param_ref.number if node.HasField("param_ref") else None


def _assignments(part: Node) -> Iterator[Assignment]:
    if isinstance(part, pb.InsertStmt):
        yield from _inserted(part)
    elif isinstance(part, pb.UpdateStmt):
        yield from _set(part.target_list, _name(part.relation))


def _name(relation: Node) -> TableName:
    return TableName(relation.schemaname or None, relation.relname)


def _inserted(insert: Node) -> Iterator[Assignment]:
    table, columns = _name(insert.relation), [c.res_target.name for c in insert.cols]
    for row in insert.select_stmt.select_stmt.values_lists:
        for position, item in enumerate(row.list.items):
            number = _bare_parameter(item)
            if number is not None:
                column = columns[position] if position < len(columns) else None
                yield Assignment(parameter=number, table=table, column=column, position=position)
    yield from _set(insert.on_conflict_clause.target_list, table)


def _set(targets: Node, table: TableName) -> Iterator[Assignment]:
    for position, target in enumerate(targets):
        number = _bare_parameter(target.res_target.val)
        if number is not None:
            yield Assignment(parameter=number, table=table, column=target.res_target.name, position=position)
