"""What a statement is about, read from its syntax tree: tables, kind, limits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from premortem.model import StatementKind
from premortem.sqltext import tree
from premortem.sqltext.shapes import Bound, StatementFacts, TableName
from premortem.sqltext.tree import Node, pb

_AGGREGATES = frozenset(
    "count sum avg min max array_agg string_agg json_agg jsonb_agg bool_and bool_or every json_object_agg "
    "jsonb_object_agg stddev variance percentile_cont percentile_disc mode".split()
)
_WRITERS = (pb.InsertStmt, pb.UpdateStmt, pb.DeleteStmt, pb.MergeStmt)
_KINDS = {
    "SelectStmt": StatementKind.SELECT,
    "InsertStmt": StatementKind.INSERT,
    "UpdateStmt": StatementKind.UPDATE,
    "DeleteStmt": StatementKind.DELETE,
    "MergeStmt": StatementKind.MERGE,
}


def kind_of(statement: Node) -> StatementKind:
    """Return the kind of a parsed statement."""
    if isinstance(statement, pb.SelectStmt) and statement.values_lists:
        return StatementKind.VALUES
    return _KINDS.get(type(statement).__name__, StatementKind.UTILITY)


def tables(sql: str) -> tuple[TableName, ...]:
    """Return the tables that a statement names, read or written, each once."""
    found = statement_facts(sql)
    return tuple(dict.fromkeys(found.writes + found.reads))


@lru_cache(maxsize=1024)
def statement_facts(sql: str) -> StatementFacts:
    """Return what a statement does; raises StatementError where it cannot be parsed."""
    statement = tree.one_statement(sql)
    if statement is None:
        return StatementFacts(kind=StatementKind.UTILITY)
    parts = tuple(tree.walk(statement))
    writes = tuple(_table(p.relation) for p in parts if isinstance(p, _WRITERS))
    ctes = {p.ctename for p in parts if isinstance(p, pb.CommonTableExpr)}
    functions = tuple(dict.fromkeys(tree.name_of(p.funcname)[-1] for p in parts if isinstance(p, pb.FuncCall)))
    is_select = isinstance(statement, pb.SelectStmt)
    return StatementFacts(
        kind=kind_of(statement),
        reads=tuple(dict.fromkeys(_reads(parts, ctes))),
        writes=tuple(dict.fromkeys(writes)),
        limit=_bound(statement.limit_count) if is_select and statement.HasField("limit_count") else None,
        offset=_bound(statement.limit_offset) if is_select and statement.HasField("limit_offset") else None,
        has_where=_has(statement, "where_clause"),
        is_ordered=is_select and bool(statement.sort_clause),
        is_grouped=is_select and bool(statement.group_clause or statement.distinct_clause),
        is_set_operation=is_select and statement.op != pb.SetOperation.SETOP_NONE,
        has_aggregates=any(name in _AGGREGATES for name in functions),
        locks_rows=is_select and bool(statement.locking_clause),
        functions=functions,
        aliases=tuple(dict.fromkeys(_aliases(parts, ctes))),
        written_columns=_written_columns(statement),
    )


def _has(statement: Node, name: str) -> bool:
    return name in type(statement).DESCRIPTOR.fields_by_name and bool(statement.HasField(name))


def _table(relation: Node) -> TableName:
    return TableName(relation.schemaname or None, relation.relname)


def _ranges(parts: tuple[Node, ...], ctes: set[str]) -> Iterator[Node]:
    for part in parts:
        if isinstance(part, pb.RangeVar) and not (part.relname in ctes and not part.schemaname):
            yield part


def _reads(parts: tuple[Node, ...], ctes: set[str]) -> Iterator[TableName]:
    """Yield the tables read: every range but the targets of writes, as often as it is named beyond that."""
    targets = [_table(p.relation) for p in parts if isinstance(p, _WRITERS)]
    for part in _ranges(parts, ctes):
        name = _table(part)
        if name in targets:
            targets.remove(name)
        else:
            yield name


def _aliases(parts: tuple[Node, ...], ctes: set[str]) -> Iterator[tuple[str, TableName]]:
    for part in _ranges(parts, ctes):
        yield (part.alias.aliasname if part.HasField("alias") else part.relname), _table(part)


def _written_columns(statement: Node) -> tuple[str, ...]:
    """Return the columns that an INSERT names or an UPDATE sets."""
    if isinstance(statement, pb.InsertStmt):
        return tuple(c.res_target.name for c in statement.cols)
    if isinstance(statement, pb.UpdateStmt):
        return tuple(c.res_target.name for c in statement.target_list)
    return ()


def _bound(node: Node) -> Bound | None:
    while node.HasField("type_cast"):
        node = node.type_cast.arg
    if node.HasField("param_ref"):
        return Bound(parameter=node.param_ref.number)
    if not node.HasField("a_const"):
        return Bound()
    if node.a_const.isnull:
        return None
    const = node.a_const
    return Bound(constant=const.ival.ival) if const.WhichOneof("val") == "ival" else Bound()
