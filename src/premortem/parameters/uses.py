"""Which column each placeholder of a query is compared with, and how: from the generic plan, else from the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from premortem import sqltext
from premortem.errors import StatementError
from premortem.model import Column, Node, Plan, Profile, Query, RelationKind, RelationName, Table
from premortem.parameters.spread import Spread, part_of_moments, spread_of
from premortem.sqltext import Comparison, ComparisonKind, Operand, OperandKind


class Role(Enum):
    """What a placeholder does."""

    EQUALITY = auto()
    LIST = auto()
    LOW = auto()
    HIGH = auto()
    PATTERN = auto()
    FRAGMENT = auto()
    REGEX = auto()
    MEMBER = auto()
    CONTAINED = auto()
    WINDOW = auto()
    LIMIT = auto()
    OFFSET = auto()
    WORD = auto()
    WRITTEN = auto()
    FREE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One placeholder: its role, the relation and column it stands against, and whether NULL switches it off.

    `ordinal` counts the placeholders that stand against the same column in the same role: each gets another value.
    """

    parameter: int
    role: Role
    relation: RelationName | None = None
    alias: str | None = None
    column: str | None = None
    spread: Spread | None = None
    operator: str = "="
    function: str | None = None
    ordinal: int = 0
    word: str | None = None
    is_anchored: bool = False
    optional: bool = False

    @property
    def place(self) -> tuple[object, ...]:
        """What is the same for the two bounds of one window."""
        return (self.alias, self.relation, self.column)


_FIELDS = ("index_condition", "recheck_condition", "filter", "join_filter", "hash_condition", "merge_condition")
_RETURNS = re.compile(r"\$([0-9]+)")
_NUMBER_OF = {ComparisonKind.IS_NULL, ComparisonKind.IS_NOT_NULL}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A comparison and what its aliases mean."""

    comparison: Comparison
    relations: Mapping[str | None, RelationName]


def uses(query: Query, generic: Plan, profile: Profile) -> tuple[Use, ...]:
    """Return one use for each placeholder, in order."""
    found = [*_of_plan(generic, query), *_of_text(query, profile)]
    optional = {n for s in found for n in _switches(s.comparison)}
    by_number: dict[int, Use] = {}
    for seen in found:
        for use in _uses(seen, profile):
            by_number[use.parameter] = _better(by_number.get(use.parameter), use)
    others = _others(query, profile)
    numbered = (_chosen(n, by_number.get(n), others.get(n)) for n in range(1, query.parameter_count + 1))
    return _with_ordinals(replace(use, optional=use.parameter in optional) for use in numbered)


def _chosen(number: int, compared: Use | None, other: Use | None) -> Use:
    """A word that a function insists on comes first: another one would be an error."""
    if other and other.role is Role.WORD:
        return other
    return compared or other or Use(parameter=number, role=Role.FREE)


def _better(known: Use | None, found: Use) -> Use:
    """Keep the first use that statistics know something about."""
    if known is None:
        return found
    return found if found.spread and found.spread.is_known and not (known.spread and known.spread.is_known) else known


def _with_ordinals(found: Iterator[Use]) -> tuple[Use, ...]:
    counts: dict[tuple[object, ...], int] = {}
    result = []
    for use in found:
        key = (*use.place, use.role)
        result.append(replace(use, ordinal=counts.get(key, 0)))
        counts[key] = counts.get(key, 0) + 1
    return tuple(result)


# --- where comparisons come from ---


def _of_plan(plan: Plan, query: Query) -> Iterator[_Seen]:
    aliases: dict[str | None, RelationName] = {n.alias: n.relation for n in plan.root.walk() if n.alias and n.relation}
    initplans = frozenset(n for n in _initplan_outputs(plan.root) if n > query.parameter_count or n < 1)
    for node, relation in _with_relations(plan.root, None):
        relations = dict(aliases)
        if relation:
            relations[None] = relation
        for field in _FIELDS:
            text = getattr(node, field)
            if text:
                condition = sqltext.condition(text, initplans)
                yield from (_Seen(comparison=c, relations=relations) for c in sqltext.comparisons(condition))


def _with_relations(node: Node, above: RelationName | None) -> Iterator[tuple[Node, RelationName | None]]:
    """Yield nodes with the relation that unqualified columns belong to (a bitmap index scan has its parent's)."""
    relation = node.relation or above
    yield node, relation
    for child in node.children:
        yield from _with_relations(child, relation if child.kind in ("Bitmap Index Scan", "BitmapAnd") else None)


def _initplan_outputs(root: Node) -> Iterator[int]:
    for node in root.walk():
        if node.subplan_name and node.subplan_name.startswith("InitPlan"):
            yield from (int(n) for n in _RETURNS.findall(node.subplan_name))


def _of_text(query: Query, profile: Profile) -> Iterator[_Seen]:
    try:
        places = sqltext.parameter_places(query.text)
        named = sqltext.statement_facts(query.text).aliases
    except StatementError:
        return
    tables = {alias: t for alias, name in named if (t := _find(name.schema, name.name, query, profile))}
    for comparison in places.comparisons:
        relations: dict[str | None, RelationName] = {alias: t.relation for alias, t in tables.items()}
        owner = _owner(comparison, tuple(tables.values()))
        if owner:
            relations[None] = owner.relation
        yield _Seen(comparison=comparison, relations=relations)


def _find(schema: str | None, name: str, query: Query, profile: Profile) -> Table | None:
    if schema is None and query.search_path:
        found = (profile.find_table(name, s) for s in query.search_path)
        return next((t for t in found if t), None) or profile.find_table(name)
    return profile.find_table(name, schema)


def _owner(comparison: Comparison, tables: tuple[Table, ...]) -> Table | None:
    """Return the table that an unqualified column belongs to."""
    names = [c.column for side in comparison.operands for c in side.columns if c.alias is None]
    return next((t for t in tables if names and t.column(names[0])), None)


# --- what a comparison says about its parameters ---


def _switches(comparison: Comparison) -> Iterator[int]:
    """Yield parameters that are compared with NULL, which is how a filter is switched off."""
    if comparison.kind in _NUMBER_OF and not comparison.left.columns:
        yield from comparison.left.parameters


def _uses(seen: _Seen, profile: Profile) -> Iterator[Use]:
    comparison = seen.comparison
    right = comparison.right
    if right is None or not right.parameters or right.columns or comparison.left.parameters:
        yield from _in_expression(seen, profile)
        return
    if comparison.kind is ComparisonKind.ROW:
        yield from _of_row(seen, profile)
        return
    members = right.elements if comparison.quantifier == "any" or right.elements else ()
    is_list = bool(comparison.quantifier) and not members and comparison.kind is not ComparisonKind.MEMBER
    for member in members or (right,):
        for number in member.parameters:
            yield _use(seen, profile, comparison.left, member, number, is_list=is_list)


def _of_row(seen: _Seen, profile: Profile) -> Iterator[Use]:
    left, right = seen.comparison.left, seen.comparison.right
    if right is None:
        return
    for column, member in zip(left.elements, right.elements, strict=False):
        for number in member.parameters:
            yield _use(seen, profile, column, member, number, is_list=False)


def _in_expression(seen: _Seen, profile: Profile) -> Iterator[Use]:
    """Yield what a boolean function or a comparison the other way round says: `f(col, $1)`, `$1 = f(col)`."""
    for side in seen.comparison.operands:
        for number in side.parameters:
            if side.columns:
                table, spread, column = _subject(seen, side, profile)
                relation = table.relation if table else None
                yield Use(
                    parameter=number, role=Role.FREE, relation=relation, alias=side.alias, column=column, spread=spread
                )


def _use(seen: _Seen, profile: Profile, left: Operand, member: Operand, number: int, *, is_list: bool) -> Use:
    table, spread, column = _subject(seen, left, profile)
    return Use(
        parameter=number,
        role=_role(seen.comparison, member, is_list=is_list),
        relation=table.relation if table else None,
        alias=left.alias,
        column=column or left.expression,
        spread=spread,
        operator=seen.comparison.operator,
        function=next(iter(member.functions), None),
        is_anchored=bool(_ANCHORED.match(member.text)),
    )


#: A pattern that starts with the parameter, such as `$1 || '%'`.
_ANCHORED = re.compile(r"\(*\$[0-9]+(?:::\w+)?\)* \|\|")

_ROLES = {
    ComparisonKind.REGEX: Role.REGEX,
    ComparisonKind.MEMBER: Role.MEMBER,
    ComparisonKind.OPERATOR: Role.CONTAINED,
}


def _role(comparison: Comparison, member: Operand, *, is_list: bool) -> Role:
    if is_list:
        return Role.LIST
    if comparison.kind is ComparisonKind.LIKE:
        return Role.PATTERN if _is_whole_pattern(member) else Role.FRAGMENT
    if comparison.kind in (ComparisonKind.RANGE, ComparisonKind.ROW) and comparison.operator[:1] in "<>~":
        if {"-", "+"} & set(member.operators) and {"now", "current_timestamp"} & set(_clock(member)):
            return Role.WINDOW
        above = comparison.operator.strip("~").startswith(">") != comparison.negated
        return Role.LOW if above else Role.HIGH
    return _ROLES.get(comparison.kind, Role.EQUALITY)


def _is_whole_pattern(member: Operand) -> bool:
    """Whether a placeholder is the pattern, bare or in another case: `upper($1)`, as ORMs write `icontains`."""
    if member.kind is OperandKind.PARAMETER:
        return True
    return len(member.parameters) == 1 and not member.operators and set(member.functions) <= _PATTERN_KEEPING


#: Functions that leave a pattern's wildcards where they are.
_PATTERN_KEEPING = frozenset({"lower", "upper", "casefold", "btrim", "ltrim", "rtrim", "trim", "unaccent"})


def _clock(member: Operand) -> tuple[str, ...]:
    """Return the functions in an operand, with CURRENT_DATE and its kind among them."""
    spoken = "current_timestamp" if re.search(r"\bcurrent_(?:date|timestamp)\b", member.text, re.IGNORECASE) else ""
    return (*member.functions, spoken)


def _subject(seen: _Seen, left: Operand, profile: Profile) -> tuple[Table | None, Spread | None, str | None]:
    """Return the table, the spread and the column's name that an operand is about."""
    alias = left.columns[0].alias if left.columns else None
    relation = seen.relations.get(alias)
    table = profile.table(relation) if relation else None
    if table is None or len(left.aliases) != 1:
        return table, None, None
    table = _root(table, profile)
    name = left.column.column if left.column else None
    if name is not None:
        column = table.column(name)
        return table, spread_of(f"{table.full_name}.{name}", column, profile) if column else None, name
    return table, _expression_spread(table, left, profile), left.expression


def _root(table: Table, profile: Profile) -> Table:
    """Return the partitioned table at the top, whose statistics describe all partitions."""
    for _ in range(16):
        parent = profile.table(table.parents[0]) if table.parents else None
        if parent is None or parent.kind is not RelationKind.PARTITIONED_TABLE:
            break
        if not any(c.statistics for c in parent.columns):
            break
        table = parent
    return table


def _expression_spread(table: Table, left: Operand, profile: Profile) -> Spread | None:
    """Return the spread of an expression: an index's or extended statistics' own, else its only column's."""
    name = f"{table.full_name}: {left.expression}"
    for index in table.indexes:
        keys = [k for k in index.keys if k.expression is not None]
        for key, column in zip(keys, index.expression_columns, strict=False):
            if key.expression and sqltext.canonical(key.expression) == left.expression and column.own_statistics:
                return spread_of(name, column, profile)
    part = _PART.fullmatch(left.expression)
    whole = table.column(part["column"].strip('"')) if part else None
    if part and whole and whole.own_statistics:
        return part_of_moments(name, part["field"] or part["quoted"], whole.own_statistics, profile)
    columns = {c.column for c in left.columns}
    column_ = table.column(next(iter(columns))) if len(columns) == 1 else None
    usable = set(left.functions) <= _SHAPE_KEEPING and not left.operators
    return spread_of(f"{table.full_name}.{column_.name}", column_, profile) if column_ and usable else None


_PART = re.compile(
    r"(?:pg_catalog\.)?(?:extract|date_part)\s*\((?:'(?P<quoted>\w+)'(?:::text)?,\s*|'?(?P<field>\w+)'? from )"
    r"(?P<column>\w+|\"[^\"]+\")\)",
    re.IGNORECASE,
)
#: Functions whose results look like their argument, so that the column's values can stand in.
_SHAPE_KEEPING = frozenset(
    {"lower", "upper", "date_trunc", "btrim", "ltrim", "rtrim", "trim", "date", "unaccent", "abs"}
)


# --- placeholders that are compared with nothing ---


def _others(query: Query, profile: Profile) -> Mapping[int, Use]:
    try:
        places = sqltext.parameter_places(query.text)
    except StatementError:
        return {}
    found = {n: Use(parameter=n, role=Role.LIMIT) for n in places.limits}
    found |= {n: Use(parameter=n, role=Role.OFFSET) for n in places.offsets}
    found |= {n: Use(parameter=n, role=Role.WORD, word=word) for n, word in places.words}
    for item in places.assignments:
        table = _find(item.table.schema, item.table.name, query, profile)
        if table and item.parameter not in found:
            column = _written(table, item)
            spread = spread_of(f"{table.full_name}.{column.name}", column, profile) if column else None
            found[item.parameter] = Use(
                parameter=item.parameter,
                role=Role.WRITTEN,
                relation=table.relation,
                column=column.name if column else None,
                spread=spread,
            )
    return found


def _written(table: Table, item: sqltext.Assignment) -> Column | None:
    if item.column is not None:
        return table.column(item.column)
    return table.columns[item.position] if item.position < len(table.columns) else None
