"""From a statement to one that finds values for it: rows of its own tables, joined and filtered as it does.

`… WHERE o.customer_id = $1 AND o.status = $2` asked of the rows gives pairs of customer and status that exist, as often
as they do; a conjunct with a placeholder is left out, what else is required stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from premortem.sqltext import tree
from premortem.sqltext.shapes import RowQuery, TableName
from premortem.sqltext.tree import Node, pb

_AND = "AND_EXPR"
_PERCENT_OF_ALL = 100.0


def row_query(sql: str, *, sampled: TableName | None, percent: float, seed: int, most: int) -> RowQuery | None:
    """Return the statement that finds values for another's placeholders, None where none of them stands for a column.

    Only equalities count (`=`, `IN`, `= ANY`): of a range a row gives one end.  `sampled` is the table of which only a
    sample of its pages is read.  Raises StatementError where the statement cannot be parsed.
    """
    statement = tree.one_statement(sql)
    found = _source(statement)
    if found is None:
        return None
    tables, conditions = found
    columns: dict[int, Node] = {}
    for conjunct in conditions:
        columns.update({n: c for n, c in _equalities(conjunct) if n not in columns})
    if not columns or _parameters_in(tables):
        return None
    numbers = tuple(sorted(columns))
    select = pb.SelectStmt(
        target_list=[_as_text(columns[n]) for n in numbers],
        from_clause=[_sampling(t, sampled, percent, seed) for t in tables],
        sort_clause=[_by_chance()],
        limit_count=pb.Node(a_const=pb.A_Const(ival=pb.Integer(ival=most))),
        limit_option=pb.LimitOption.LIMIT_OPTION_COUNT,
        op=pb.SetOperation.SETOP_NONE,
    )
    kept = [c for c in conditions if not _parameters_in([c])]
    required = [*kept, *(_is_not_null(columns[n]) for n in numbers)]
    select.where_clause.CopyFrom(_all_of(required))
    return RowQuery(text=tree.statement_sql(pb.Node(select_stmt=select)), parameters=numbers)


def _source(statement: Node) -> tuple[list[Node], list[Node]] | None:
    """Return what a statement reads rows from, and the conditions that they must satisfy."""
    if isinstance(statement, pb.SelectStmt):
        if not statement.from_clause or statement.with_clause.ctes or statement.op != pb.SetOperation.SETOP_NONE:
            return None
        tables = list(statement.from_clause)
    elif isinstance(statement, pb.UpdateStmt):
        tables = [pb.Node(range_var=statement.relation), *statement.from_clause]
    elif isinstance(statement, pb.DeleteStmt):
        tables = [pb.Node(range_var=statement.relation), *statement.using_clause]
    else:
        return None
    where = list(_conjuncts(statement.where_clause)) if statement.HasField("where_clause") else []
    return tables, where


def _conjuncts(node: Node) -> Iterator[Node]:
    if node.HasField("bool_expr") and pb.BoolExprType.Name(node.bool_expr.boolop) == _AND:
        for argument in node.bool_expr.args:
            yield from _conjuncts(argument)
    else:
        yield node


def _equalities(node: Node) -> Iterator[tuple[int, Node]]:
    """Yield the placeholders that a conjunct compares a column with, and the column."""
    if not node.HasField("a_expr"):
        return
    comparison = node.a_expr
    if tree.name_of(comparison.name)[-1:] != ("=",):
        return
    for column, other in ((comparison.lexpr, comparison.rexpr), (comparison.rexpr, comparison.lexpr)):
        if _is_column(column):
            yield from ((number, column) for number in _bare(other))


def _is_column(node: Node) -> bool:
    return node.HasField("column_ref") and not any(f.HasField("a_star") for f in node.column_ref.fields)


def _bare(node: Node) -> Iterator[int]:
    """Yield the placeholders that stand alone, but for casts; of a list the first, for a row has one value."""
    while node.HasField("type_cast"):
        node = node.type_cast.arg
    if node.HasField("list") and node.list.items:
        node = node.list.items[0]
    if node.HasField("param_ref"):
        yield node.param_ref.number


def _parameters_in(nodes: Sequence[Node]) -> bool:
    return any(isinstance(part, pb.ParamRef) for node in nodes for part in tree.walk(node))


def _as_text(column: Node) -> Node:
    kind = pb.TypeName(names=[pb.Node(string=pb.String(sval="text"))], typemod=-1)
    return pb.Node(res_target=pb.ResTarget(val=pb.Node(type_cast=pb.TypeCast(arg=column, type_name=kind))))


def _by_chance() -> Node:
    """Return ORDER BY random(): the first rows of a table are its oldest."""
    name = [pb.Node(string=pb.String(sval="random"))]
    call = pb.FuncCall(funcname=name, funcformat=pb.CoercionForm.COERCE_EXPLICIT_CALL)
    by = pb.SortBy(
        node=pb.Node(func_call=call),
        sortby_dir=pb.SortByDir.SORTBY_DEFAULT,
        sortby_nulls=pb.SortByNulls.SORTBY_NULLS_DEFAULT,
    )
    return pb.Node(sort_by=by)


def _is_not_null(column: Node) -> Node:
    return pb.Node(null_test=pb.NullTest(arg=column, nulltesttype=pb.NullTestType.IS_NOT_NULL))


def _all_of(conditions: Sequence[Node]) -> Node:
    if len(conditions) == 1:
        return conditions[0]
    return pb.Node(bool_expr=pb.BoolExpr(boolop=pb.BoolExprType.AND_EXPR, args=conditions))


def _sampling(node: Node, sampled: TableName | None, percent: float, seed: int) -> Node:
    """Return a FROM item in which only some pages of one table are read."""
    if sampled is None or percent >= _PERCENT_OF_ALL:
        return node
    if node.HasField("join_expr"):
        copied = pb.Node()
        copied.CopyFrom(node)
        copied.join_expr.larg.CopyFrom(_sampling(node.join_expr.larg, sampled, percent, seed))
        if copied.join_expr.larg == node.join_expr.larg:
            copied.join_expr.rarg.CopyFrom(_sampling(node.join_expr.rarg, sampled, percent, seed))
        return copied
    if not node.HasField("range_var") or not _is_table(node.range_var, sampled):
        return node
    sample = pb.RangeTableSample(
        relation=node,
        method=[pb.Node(string=pb.String(sval="system"))],
        args=[pb.Node(a_const=pb.A_Const(fval=pb.Float(fval=f"{percent:.6f}")))],
        repeatable=pb.Node(a_const=pb.A_Const(ival=pb.Integer(ival=seed))),
    )
    return pb.Node(range_table_sample=sample)


def _is_table(relation: Node, table: TableName) -> bool:
    return relation.relname == table.name and (relation.schemaname or None) in (None, table.schema)
