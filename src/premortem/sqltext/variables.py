"""Variables of functions in the statements that they run: names that are no column of anything.

PL/pgSQL hands its statements to the parser as they stand and answers itself what a name means that no table has.
Nobody else can plan `select count(*) from orders where total > minimum`: the variable has to become a parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import count

from premortem.sqltext import tree
from premortem.sqltext.shapes import TableName
from premortem.sqltext.tree import Node, pb

#: The columns of a table, None for one that is not known.
Columns = Callable[[TableName], Collection[str] | None]
#: Columns that every table has, and words that are parsed as names.
_SYSTEM = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "excluded", "oid"})


def without_variables(sql: str, columns: Columns) -> str | None:
    """Return a function's statement with `$n` for its variables; None where it has none, or that cannot be told.

    >>> without_variables("select x from t where a < n and b = r.id", lambda table: {"a", "b", "x"})
    'select x from t where a < $1 and b = $2'
    """
    statement = tree.one_statement(sql)
    parts = tuple(tree.walk(statement))
    known = _known_columns(parts, columns)
    if known is None:
        return None
    relations = {n for p in parts for n in _relation_names(p)}
    encoded = sql.encode()
    edits: dict[int, tuple[int, tuple[str, ...]]] = {}
    for part in parts:
        if isinstance(part, pb.ColumnRef) and (words := _variable(part, known, relations)):
            end = _end(encoded, part.location, words)
            if end is None:
                return None
            edits[part.location] = (end, words)
    return _edited(encoded, edits, _free(parts)) if edits else None


def _known_columns(parts: tuple[Node, ...], columns: Columns) -> frozenset[str] | None:
    """Return every name that some part of the statement may mean, None where a table is not known."""
    names: set[str] = set(_SYSTEM)
    named = {p.ctename for p in parts if isinstance(p, pb.CommonTableExpr)}
    for part in parts:
        if isinstance(part, pb.RangeVar) and part.relname not in named:
            found = columns(TableName(part.schemaname or None, part.relname))
            if found is None:
                return None
            names.update(found)
        names.update(_given_names(part))
    return frozenset(names)


def _given_names(part: Node) -> Iterator[str]:
    """Yield names that the statement itself gives to columns."""
    if isinstance(part, pb.ResTarget) and part.name:
        yield part.name
    elif isinstance(part, pb.Alias):
        yield part.aliasname
        yield from (c.string.sval for c in part.colnames)
    elif isinstance(part, pb.CommonTableExpr):
        yield from (c.string.sval for c in part.aliascolnames)
    elif isinstance(part, pb.ColumnDef):
        yield part.colname
    elif isinstance(part, pb.RangeFunction):  # a function without an alias names its column after itself
        yield from (tree.name_of(p.funcname)[-1] for p in tree.walk(part) if isinstance(p, pb.FuncCall))


def _relation_names(part: Node) -> Iterator[str]:
    if isinstance(part, pb.RangeVar):
        yield part.alias.aliasname if part.HasField("alias") else part.relname
    elif isinstance(part, pb.Alias):
        yield part.aliasname
    elif isinstance(part, pb.CommonTableExpr):
        yield part.ctename


def _variable(reference: Node, known: frozenset[str], relations: Collection[str]) -> tuple[str, ...] | None:
    """Return the words of a name that is no column's: `n`, or `r.id` where nothing is called `r`."""
    words = tree.name_of(reference.fields)
    if len(words) != len(reference.fields) or not words:
        return None
    is_variable = words[0] not in known | set(relations) if len(words) == 1 else words[0] not in relations
    return words if is_variable and len(words) < 3 and words[0] not in _SYSTEM else None


def _end(encoded: bytes, start: int, words: tuple[str, ...]) -> int | None:
    """Return where a name ends that starts at a byte, None where it is written in an unusual way."""
    position = start
    for index, word in enumerate(words):
        if index:
            if encoded[position : position + 1] != b".":
                return None
            position += 1
        plain, quoted = word.encode(), b'"' + word.encode() + b'"'
        if encoded[position : position + len(quoted)] == quoted:
            position += len(quoted)
        elif encoded[position : position + len(plain)].lower() == plain:
            position += len(plain)
        else:
            return None
    return position


def _free(parts: tuple[Node, ...]) -> Iterator[int]:
    """Yield numbers that no parameter has; pg_stat_statements counts a function's variables although it names them."""
    taken = {p.number for p in parts if isinstance(p, pb.ParamRef)}
    return (n for n in count(1) if n not in taken)


def _edited(encoded: bytes, edits: dict[int, tuple[int, tuple[str, ...]]], free: Iterator[int]) -> str:
    numbers: dict[tuple[str, ...], int] = {}
    parts, position = [], 0
    for start in sorted(edits):
        end, words = edits[start]
        if words not in numbers:
            numbers[words] = next(free)
        parts += [encoded[position:start], f"${numbers[words]}".encode()]
        position = end
    return b"".join((*parts, encoded[position:])).decode()
