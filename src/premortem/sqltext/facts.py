"""What a statement is about, read from its syntax tree: its kind, its tables, what it writes and locks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from premortem.model import StatementKind
from premortem.sqltext import tree
from premortem.sqltext.shapes import RowLock, StatementFacts, TableName
from premortem.sqltext.tree import Node, pb

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
    is_select = isinstance(statement, pb.SelectStmt)
    return StatementFacts(
        kind=kind_of(statement),
        reads=tuple(dict.fromkeys(_reads(parts, ctes))),
        writes=tuple(dict.fromkeys(writes)),
        aliases=tuple(dict.fromkeys(_aliases(parts, ctes))),
        updates=tuple(u for p in parts for u in _updates(p)),
        deletes=tuple(dict.fromkeys(t for p in parts for t in _deletes(p))),
        locks=tuple(_lock(c.locking_clause) for c in statement.locking_clause) if is_select else (),
        is_distinct=is_select and bool(statement.distinct_clause),
        has_not_in=any(map(_is_not_in, parts)),
        longest_list=max((_list_length(p) for p in parts), default=0),
    )


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


def _updates(part: Node) -> Iterator[tuple[TableName, tuple[str, ...]]]:
    """Yield the table and the columns that an UPDATE, a MERGE or an ON CONFLICT sets."""
    if isinstance(part, pb.UpdateStmt):
        yield _table(part.relation), _columns(part.target_list)
    elif isinstance(part, pb.InsertStmt) and part.HasField("on_conflict_clause"):
        yield _table(part.relation), _columns(part.on_conflict_clause.target_list)
    elif isinstance(part, pb.MergeStmt):
        for when in _merge_whens(part, pb.CmdType.CMD_UPDATE):
            yield _table(part.relation), _columns(when.target_list)


def _deletes(part: Node) -> Iterator[TableName]:
    if isinstance(part, pb.DeleteStmt) or (
        isinstance(part, pb.MergeStmt) and any(_merge_whens(part, pb.CmdType.CMD_DELETE))
    ):
        yield _table(part.relation)


def _merge_whens(merge: Node, command: int) -> Iterator[Node]:
    whens = (w.merge_when_clause for w in merge.merge_when_clauses)
    return (w for w in whens if w.command_type == command)


def _columns(targets: Node) -> tuple[str, ...]:
    return tuple(t.res_target.name for t in targets)


_STRENGTHS = {
    pb.LockClauseStrength.LCS_FORKEYSHARE: "key share",
    pb.LockClauseStrength.LCS_FORSHARE: "share",
    pb.LockClauseStrength.LCS_FORNOKEYUPDATE: "no key update",
}


def _lock(clause: Node) -> RowLock:
    return RowLock(
        strength=_STRENGTHS.get(clause.strength, "update"),
        of=tuple(r.range_var.relname for r in clause.locked_rels),
        waits=clause.wait_policy == pb.LockWaitPolicy.LockWaitBlock,
    )


def _list_length(part: Node) -> int:
    if isinstance(part, pb.A_Expr) and part.kind == pb.A_Expr_Kind.AEXPR_IN:
        return len(part.rexpr.list.items)
    return len(part.elements) if isinstance(part, pb.A_ArrayExpr) else 0


def _is_not_in(part: Node) -> bool:
    """Whether it is `NOT x IN (SELECT …)`, which is what `x NOT IN (SELECT …)` parses to, or `<> ALL (SELECT …)`."""
    if isinstance(part, pb.SubLink):
        return bool(part.sub_link_type == pb.SubLinkType.ALL_SUBLINK and tree.name_of(part.oper_name) == ("<>",))
    if not isinstance(part, pb.BoolExpr) or part.boolop != pb.BoolExprType.NOT_EXPR:
        return False
    inside = part.args[0]
    return bool(inside.HasField("sub_link") and inside.sub_link.sub_link_type == pb.SubLinkType.ANY_SUBLINK)
