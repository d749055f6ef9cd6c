"""What a CREATE INDEX statement says, or the part of it after ON, as the index that it would make."""

from __future__ import annotations

import re

from premortem.errors import StatementError
from premortem.model import IndexCandidate, IndexKey, RelationName, quoted
from premortem.sqltext import tree
from premortem.sqltext.tree import Node, pb

_CREATE = re.compile(r"\s*CREATE\b", re.I)
_PREFIX = "CREATE INDEX ON "
_FIRST, _LAST = pb.SortByNulls.SORTBY_NULLS_FIRST, pb.SortByNulls.SORTBY_NULLS_LAST


def index(text: str) -> tuple[str | None, IndexCandidate]:
    """Return the name, None where it has none, and the index that a text defines.

    Raises StatementError where it defines none.
    """
    whole = text if _CREATE.match(text) else _PREFIX + text
    node = tree.one_statement(whole.strip().rstrip(";"))
    if node is None or type(node).__name__ != "IndexStmt":
        raise StatementError("that defines no index")
    return node.idxname or None, _candidate(node)


def _candidate(node: Node) -> IndexCandidate:
    return IndexCandidate(
        table=RelationName(schema=node.relation.schemaname, name=node.relation.relname),
        keys=tuple(_key(p.index_elem) for p in node.index_params),
        method=node.access_method or "btree",
        include=tuple(p.index_elem.name for p in node.index_including_params),
        predicate=tree.expression_sql(node.where_clause) if node.HasField("where_clause") else None,
        unique=node.unique,
    )


def _key(element: Node) -> IndexKey:
    descending = element.ordering == pb.SortByDir.SORTBY_DESC
    nulls = {_FIRST: True, _LAST: False}.get(element.nulls_ordering)
    return IndexKey(
        column=element.name or None,
        expression=None if element.name else tree.expression_sql(element.expr),
        collation=_qualified(element.collation),
        opclass=_qualified(element.opclass),
        descending=descending,
        nulls_first=None if nulls == descending else nulls,
    )


def _qualified(parts: Node) -> str | None:
    return ".".join(quoted(name) for name in tree.name_of(parts)) or None
