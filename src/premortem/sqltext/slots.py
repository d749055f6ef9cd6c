"""Which constants of a statement may become parameters, so that PostgreSQL can still prepare it and plan it the same.

A constant is *fixed* where its value is part of what the statement says (a JSON key, a unit of time, a position in
ORDER BY, anything that GROUP BY must find again), *code* where it may vary and mostly does not (an argument, a limit,
what stands in the select list), and a *value* where it is compared, inserted or assigned.  Where PostgreSQL would
otherwise choose another type for a parameter than for the constant, the parameter gets the constant's type as a cast.

The list is of what is known to be safe (tested with PREPARE on real servers); all else is fixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from premortem.sqltext import tree
from premortem.sqltext.freedom import Freedom, Slot
from premortem.sqltext.tree import Node, pb


@dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    """What stands around a node."""

    role: str = "other"
    is_condition: bool = False
    is_grouped: bool = False
    is_inserted: bool = False
    is_equal: bool = False


_AEXPR = pb.A_Expr_Kind
_LIKE_KINDS = (_AEXPR.AEXPR_LIKE, _AEXPR.AEXPR_ILIKE)
_EQUAL_KINDS = (_AEXPR.AEXPR_DISTINCT, _AEXPR.AEXPR_NOT_DISTINCT, _AEXPR.AEXPR_IN)
_BETWEEN = (
    _AEXPR.AEXPR_BETWEEN,
    _AEXPR.AEXPR_NOT_BETWEEN,
    _AEXPR.AEXPR_BETWEEN_SYM,
    _AEXPR.AEXPR_NOT_BETWEEN_SYM,
)
_COMPARING = frozenset(
    "= <> != < <= > >= ~ ~* !~ !~* ~~ ~~* !~~ !~~* @> <@ && ? ?| ?& @@ @? % %> <% <-> <=> <#> <+> ^@".split()
)
_KEYS = frozenset("-> ->> #> #>> #-".split())
#: Functions whose text arguments of that index (0-based) say what to do and not with what.
_WORDS: dict[str, frozenset[int]] = {
    name: frozenset(places)
    for names, places in (
        ("date_trunc date_part extract timezone to_tsvector nextval currval setval current_setting set_config", (0,)),
        ("date_bin", (0,)),
        ("to_char to_date to_timestamp to_number encode decode digest overlay position", (1,)),
        ("jsonb_path_query jsonb_path_exists jsonb_path_match jsonb_path_query_array jsonb_path_query_first", (1,)),
        (
            "json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text jsonb_set",
            tuple(range(1, 9)),
        ),
        ("like_escape similar_to_escape", (1,)),
        ("string_agg array_to_string string_to_array regexp_replace split_part", (1, 2)),
        ("percentile_cont percentile_disc ntile nth_value lag lead", (0, 1, 2)),
        ("json_build_object jsonb_build_object json_build_array jsonb_build_array format concat_ws", (0,)),
    )
    for name in names.split()
}
#: Functions of "any" arguments, where PostgreSQL cannot tell what an untyped parameter is.
_ANY = frozenset(
    "concat concat_ws format json_build_object jsonb_build_object json_build_array jsonb_build_array num_nonnulls "
    "num_nulls count pg_typeof row_to_json to_json to_jsonb array_append array_prepend array_fill quote_literal".split()
)
#: Functions whose arguments are what a user typed.
_VALUES = frozenset(
    "lower upper unaccent trim btrim ltrim rtrim initcap md5 to_tsquery plainto_tsquery phraseto_tsquery "
    "websearch_to_tsquery similarity word_similarity strict_word_similarity levenshtein st_makepoint st_point "
    "st_geomfromtext st_geomfromewkt st_geogfromtext st_geomfromewkb st_dwithin st_makeenvelope st_setsrid ll_to_earth "
    "point like_escape similar_to_escape make_date make_timestamp make_timestamptz make_interval "
    "int4range int8range numrange daterange "
    "tsrange tstzrange".split()
)
#: Types whose constants are the program's own more often than somebody's values, and the other way round.
_PROGRAM = frozenset("interval regclass regconfig regtype regproc regdictionary bool".split())
_DATA = frozenset("timestamptz timestamp date time timetz uuid json jsonb inet bytea geometry geography vector".split())
_CONDITIONS = frozenset(("where_clause", "quals", "condition", "join_condition", "having_clause"))
_SORTS = frozenset(("sort_clause", "group_clause", "distinct_clause", "window_clause"))
_LIMITS = frozenset(("limit_count", "limit_offset"))


def slots(statement: Node) -> dict[int, Slot]:
    """Return the constants of a parsed statement by their byte offset."""
    return {slot.offset: slot for slot in _of(statement, _Where())}


def _below(node: Node, where: _Where) -> Iterator[Slot]:
    if isinstance(node, pb.Node):
        which = node.WhichOneof("node")
        if which:
            yield from _of(getattr(node, which), where)
        return
    yield from _of(node, where)


def _of(node: Node, where: _Where) -> Iterator[Slot]:
    if where.role == "frozen" and not isinstance(node, pb.A_Const | pb.SelectStmt):
        yield from _fields(node, where)
        return
    reader = _READERS.get(type(node).__name__)
    if reader is not None:
        yield from reader(node, where)
        return
    yield from _fields(node, replace(where, role="other"))


def _fields(node: Node, where: _Where) -> Iterator[Slot]:
    for field, value in node.ListFields():
        if field.message_type is None:
            continue
        for child in value if field.is_repeated else (value,):
            yield from _below(child, where)


def _constant(node: Node, where: _Where) -> Iterator[Slot]:
    kind = node.WhichOneof("val")
    number = {"ival": "integer", "fval": "numeric"}.get(str(kind))
    if number == "integer" and abs(node.ival.ival) > 2**31 - 1:
        number = "bigint"
    if kind == "bsval":
        return
    equal = where.role == "equal" or where.is_equal
    yield Slot(
        offset=node.location,
        freedom=_FREEDOMS.get(where.role, Freedom.FIXED),
        cast=_cast(number, kind, node, where),
        is_equal=equal,
        is_word=equal and kind == "sval",
        is_switch=kind == "boolval" or node.isnull or where.role == "limit",
        is_pattern=where.role == "pattern",
    )


_FREEDOMS = {
    "equal": Freedom.VALUE,
    "compared": Freedom.VALUE,
    "pattern": Freedom.VALUE,
    "written": Freedom.VALUE,
    "typed": Freedom.VALUE,
    "typed code": Freedom.CODE,
    "user": Freedom.VALUE,
    "member": Freedom.VALUE,
    "limit": Freedom.CODE,
    "code": Freedom.CODE,
    "any": Freedom.CODE,
    "out": Freedom.CODE,
    "listed": Freedom.CODE,
    "elements": Freedom.CODE,
}
_BARE = frozenset(("equal", "compared", "pattern", "written", "typed", "typed code", "limit", "member"))


def _cast(number: str | None, kind: str | None, node: Node, where: _Where) -> str | None:
    """Return the type that a parameter needs where nothing around it says what the constant said by itself."""
    if where.role in _BARE:
        return None
    if kind == "fval" and not any(c in node.fval.fval for c in ".eE"):
        number = "bigint" if len(node.fval.fval.lstrip("-")) <= 18 else "numeric"
    if number:
        return number
    if kind == "boolval":
        return "boolean"
    return "text" if where.role in ("any", "out", "listed", "elements") else None


def _select(node: Node, where: _Where) -> Iterator[Slot]:
    grouped = bool(node.group_clause or node.distinct_clause or node.op != pb.SetOperation.SETOP_NONE)
    grouped = grouped or (where.is_grouped and where.role == "arm")
    own = _Where(is_grouped=grouped, is_inserted=where.is_inserted)
    for field, value in node.ListFields():
        if field.message_type is None:
            continue
        name = field.name
        if name in ("larg", "rarg"):
            yield from _of(value, replace(own, role="arm", is_grouped=True))
        elif name == "values_lists":
            role = "written" if where.is_inserted else "listed"
            for row in value:
                yield from _row(row, _Where(role=role))
        else:
            inside = _inside_select(name, own)
            for child in value if field.is_repeated else (value,):
                yield from _below(child, inside)


def _inside_select(name: str, own: _Where) -> _Where:
    if name in _CONDITIONS:
        return _Where(role="condition", is_condition=True, is_grouped=own.is_grouped and name == "having_clause")
    if name in _LIMITS:
        return _Where(role="limit")
    if name == "target_list":
        role = "fixed" if own.is_grouped else "written" if own.is_inserted else "out"
        return replace(own, role=role, is_condition=False)
    if name in _SORTS:
        return replace(own, role="fixed" if name == "sort_clause" else "frozen")
    return _Where(role="fixed")


def _row(row: Node, where: _Where) -> Iterator[Slot]:
    items = row.list.items if row.HasField("list") else ()
    for item in items:
        yield from _below(item, where)


def _target(node: Node, where: _Where) -> Iterator[Slot]:
    yield from _below(node.val, where)
    for part in node.indirection:
        yield from _below(part, _Where(role="fixed"))


def _insert(node: Node, where: _Where) -> Iterator[Slot]:
    for name in ("with_clause", "select_stmt", "on_conflict_clause"):
        if node.HasField(name):
            inserted = name == "select_stmt"
            yield from _below(getattr(node, name), _Where(is_inserted=inserted, role="other"))
    yield from _below(node.returning_clause, _Where())


def _returning(node: Node, where: _Where) -> Iterator[Slot]:
    for item in node.exprs:
        yield from _below(item, _Where(role="out"))


def _update(node: Node, where: _Where) -> Iterator[Slot]:
    for field, value in node.ListFields():
        if field.message_type is None:
            continue
        inside = (
            _Where(role="written") if field.name in ("target_list", "values") else _inside_select(field.name, _Where())
        )
        for child in value if field.is_repeated else (value,):
            yield from _below(child, inside)


def _join(node: Node, where: _Where) -> Iterator[Slot]:
    yield from _below(node.larg, _Where(role="fixed"))
    yield from _below(node.rarg, _Where(role="fixed"))
    yield from _below(node.quals, _Where(role="condition", is_condition=True))


def _boolean(node: Node, where: _Where) -> Iterator[Slot]:
    for arg in node.args:
        yield from _below(arg, replace(where, role="condition"))


def _expression(node: Node, where: _Where) -> Iterator[Slot]:
    operator = tree.name_of(node.name)[-1] if node.name else ""
    sides = [node.lexpr, node.rexpr]
    roles = [_side(node, operator, where, mine, other) for mine, other in (sides, sides[::-1])]
    for side, role in zip(sides, roles, strict=True):
        inside = replace(where, role=role)
        items = side.list.items if side.HasField("list") else (side,)
        for item in items:
            yield from _below(item, inside)


def _side(node: Node, operator: str, where: _Where, mine: Node, other: Node) -> str:
    """Return the role of a constant on one side of an operator."""
    if operator in _KEYS:
        return "fixed"
    if where.is_grouped and not where.is_condition:
        return "fixed"
    compares = operator in _COMPARING or node.kind in (*_EQUAL_KINDS, *_LIKE_KINDS, *_BETWEEN)
    compares = compares and node.kind != _AEXPR.AEXPR_NULLIF
    if not compares or not (node.HasField("lexpr") and node.HasField("rexpr")) or _is_plain(other):
        return "fixed" if where.is_grouped else "code"
    if node.kind in _LIKE_KINDS:
        return "pattern"
    if not where.is_condition and where.role not in ("condition", "fixed"):
        return "code"
    return "equal" if operator == "=" or node.kind in _EQUAL_KINDS else "compared"


def _is_plain(node: Node) -> bool:
    """Whether a node is a constant or a parameter, so that it says nothing of the other side's type."""
    which = node.WhichOneof("node")
    return which in (None, "a_const", "param_ref")


def _cast_of(node: Node, where: _Where) -> Iterator[Slot]:
    arg = node.arg
    if not arg.HasField("a_const") and not arg.HasField("a_array_expr"):
        yield from _below(arg, where)
        return
    name = tree.name_of(node.type_name.names)[-1]
    compared = where.role in ("equal", "compared", "pattern", "written", "typed", "user", "member", "condition")
    data = bool(node.type_name.array_bounds) or name in _DATA
    value = (compared or data) and name not in _PROGRAM
    role = "fixed" if where.role == "fixed" else "typed" if value else "typed code"
    if name in ("regclass", "regconfig", "regtype", "regproc", "regdictionary"):
        role = "fixed"
    yield from _below(arg, replace(where, role=role, is_equal=where.role == "equal" and arg.HasField("a_const")))


def _call(node: Node, where: _Where) -> Iterator[Slot]:
    name = tree.name_of(node.funcname)[-1]
    words = _WORDS.get(name, frozenset())
    for index, arg in enumerate(node.args):
        yield from _below(arg, replace(where, role=_argument(name, index, words, where, len(node.args))))
    for part in (*node.agg_order, node.agg_filter, node.over):
        yield from _below(part, replace(where, role="fixed"))


def _argument(name: str, index: int, words: frozenset[int], where: _Where, count: int) -> str:
    if index in words or where.role == "fixed" or where.is_grouped:
        return "fixed"
    if (
        name in ("to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery")
        and count > 1
        and not index
    ):
        return "fixed"
    if name in _ANY:
        return "any"
    return "user" if name in _VALUES else "code"


def _inner_code(node: Node, where: _Where) -> Iterator[Slot]:
    """COALESCE, CASE, GREATEST, NULLIF and their kind."""
    fixed = where.role == "fixed" or where.is_grouped
    inside = replace(where, role="fixed" if fixed else "code", is_condition=False)
    yield from _fields(node, inside)


def _array(node: Node, where: _Where) -> Iterator[Slot]:
    roles = {
        "fixed": "fixed",
        "other": "fixed",
        "code": "elements",
        "user": "elements",
        "any": "elements",
        "out": "elements",
    }
    for item in node.elements:
        yield from _below(item, replace(where, role=roles.get(where.role, "member")))


def _row_expression(node: Node, where: _Where) -> Iterator[Slot]:
    """A row is compared or assigned member by member."""
    role = where.role if where.role in ("equal", "compared", "written") else "fixed"
    for item in node.args:
        yield from _below(item, replace(where, role=role))


def _sub_link(node: Node, where: _Where) -> Iterator[Slot]:
    yield from _below(node.testexpr, replace(where, role="fixed"))
    yield from _below(node.subselect, _Where())


def _frozen(node: Node, where: _Where) -> Iterator[Slot]:
    yield from _fields(node, _Where(role="frozen"))


def _sorted(node: Node, where: _Where) -> Iterator[Slot]:
    """ORDER BY: a bare constant is a column's position; where nothing is grouped, others are values to be near to."""
    is_free = not where.is_grouped and not node.node.HasField("a_const")
    inside = _Where(role="condition", is_condition=True) if is_free else replace(where, role="fixed")
    yield from _below(node.node, inside)


_READERS = {
    "A_Const": _constant,
    "SelectStmt": _select,
    "InsertStmt": _insert,
    "UpdateStmt": _update,
    "DeleteStmt": _update,
    "MergeStmt": _update,
    "MergeWhenClause": _update,
    "OnConflictClause": _update,
    "ReturningClause": _returning,
    "ResTarget": _target,
    "JoinExpr": _join,
    "BoolExpr": _boolean,
    "A_Expr": _expression,
    "TypeCast": _cast_of,
    "FuncCall": _call,
    "CoalesceExpr": _inner_code,
    "CaseExpr": _inner_code,
    "CaseWhen": _inner_code,
    "MinMaxExpr": _inner_code,
    "A_ArrayExpr": _array,
    "RowExpr": _row_expression,
    "MultiAssignRef": lambda node, where: _below(node.source, where),
    "SubLink": _sub_link,
    "SortBy": _sorted,
    "TypeName": _frozen,
    "A_Indices": _frozen,
    "GroupingSet": _frozen,
    "InferClause": _frozen,
}
