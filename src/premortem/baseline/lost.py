"""Indexes that an edit leaves unused, and why: what the old text asked for that the new one does not.

A partial index serves only queries that imply its predicate.  Take the condition away, put a parameter in place of the
constant, and the index that made the query quick is of no use to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from premortem import sqltext
from premortem.model import Index, Node, Planned, Profile, RelationName, Table
from premortem.sqltext import Comparison, ComparisonKind, Condition

_NUMBERS = (None, "smallint", "integer", "bigint", "numeric")
_NO_RANGE = frozenset({ComparisonKind.NOT_EQUAL, ComparisonKind.IS_NULL, ComparisonKind.DISTINCT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An index that the old plans used and the new ones do not, or do for `some` parameter sets only.

    `because` is empty where nobody can tell.
    """

    index: RelationName
    table: RelationName
    because: str = ""
    some: bool = False

    @property
    def says(self) -> str:
        """What happened, as a part of a sentence."""
        reason = f", because {self.because}" if self.because else ""
        how = "uses {} for some values only" if self.some else "no longer uses {}"
        return f"it {how.format(self.index)}{reason}"


def used(planned: Iterable[Planned], profile: Profile) -> frozenset[RelationName]:
    """Return the indexes that plans use, those of partitions by the name of the parent's."""
    return frozenset(_parent(index, profile) for p in planned for index, _ in _indexes(p.plan.root, None))


def _indexes(node: Node, relation: RelationName | None) -> Iterator[tuple[RelationName, Node]]:
    relation = node.relation or relation
    if node.index is not None:
        yield RelationName(schema=relation.schema if relation else "", name=node.index), node
    for child in node.children:
        yield from _indexes(child, node.relation if node.kind == "Bitmap Heap Scan" else relation)


def _parent(index: RelationName, profile: Profile) -> RelationName:
    seen = {index}
    while (found := _definition(index, profile)) is not None and found[1].parent not in (None, *seen):
        assert found[1].parent is not None
        index = found[1].parent
        seen.add(index)
    return index


def _definition(index: RelationName, profile: Profile) -> tuple[Table, Index] | None:
    table = profile.table_of_index(index.schema, index.name)
    found = next((i for i in table.indexes if i.name == index.name), None) if table is not None else None
    return (table, found) if table is not None and found is not None else None


def lost(
    before: Sequence[Planned], after: Sequence[Planned], profile: Profile, worst: Planned | None = None
) -> tuple[Lost, ...]:
    """Return the indexes that the old plans used, and no new one does although it still reads their table.

    An index that every old plan used, and the `worst` of the new ones does not, is lost for some values if its
    predicate tells why: a parameter in place of the constant.
    """
    old, new = used(before, profile), used(after, profile)
    found = [one for index in sorted(old - new) if (one := _lost(index, before, after, profile)) is not None]
    if worst is not None:
        always = frozenset.intersection(*(used([p], profile) for p in before)) if before else frozenset()
        partly = (_lost(i, before, after, profile) for i in sorted(always & new - used([worst], profile)))
        found += [replace(one, some=True) for one in partly if one is not None and one.because]
    return tuple(found)


def _lost(name: RelationName, before: Sequence[Planned], after: Sequence[Planned], profile: Profile) -> Lost | None:
    found = _definition(name, profile)
    if found is None:
        return None
    table, index = found
    scans = [n for n in _telling(after).plan.scans() if _is_of(n, table, profile)]
    if not scans:
        return None
    asked = tuple(_asked(scans))
    earlier = tuple(_asked(n for n in _telling(before).plan.scans() if _is_of(n, table, profile)))
    because = _predicate_gone(index, asked) or _key_gone(index, asked, earlier)
    return Lost(index=name, table=table.relation, because=because)


def _telling(planned: Sequence[Planned]) -> Planned:
    """Return the plan that shows the text's own conditions: the one without values, where there is one."""
    return next((p for p in planned if p.parameters.is_generic), planned[-1])


def _is_of(node: Node, table: Table, profile: Profile) -> bool:
    if node.relation == table.relation:
        return True
    own = profile.table(node.relation) if node.relation is not None else None
    return own is not None and table.relation in own.parents


def _asked(scans: Iterable[Node]) -> Iterator[Condition]:
    """Yield what is asked of the rows of a relation, by its scans."""
    for scan in scans:
        below = (n.index_condition for n in scan.walk() if n.kind == "Bitmap Index Scan")
        for text in (scan.index_condition, scan.filter, *below):
            if text:
                yield from sqltext.conjuncts(sqltext.condition(text))


def _predicate_gone(index: Index, asked: Sequence[Condition]) -> str:
    if not index.predicate:
        return ""
    wanted = sqltext.conjuncts(sqltext.condition(index.predicate))
    missing = next((c for c in wanted if not any(_implies(a, c) for a in asked)), None)
    if missing is None:
        return ""
    instead = next((a for a in asked if _columns(a) & _columns(missing)), None)
    if instead is None:
        return f"the condition {_spelled(missing)} is gone"
    return f"it asks for {_spelled(instead)} and no longer for {_spelled(missing)}"


def _key_gone(index: Index, asked: Sequence[Condition], earlier: Sequence[Condition]) -> str:
    """Return why an index whose first column nobody asks for any more is of no use."""
    first = index.keys[0].column if index.keys else None
    if first is None or not any(_serves(c, first) for c in earlier) or any(_serves(c, first) for c in asked):
        return ""
    around = next((c for c in asked if isinstance(c, Comparison) and first in _columns(c)), None)
    if around is None:
        return f"nothing asks for {first} any more"
    return f"it asks for {_spelled(around)}"


def _serves(condition: Condition, column: str) -> bool:
    """Whether an index could look a condition up by a column."""
    if (
        not isinstance(condition, Comparison)
        or condition.negated
        or condition.kind in _NO_RANGE - {ComparisonKind.IS_NULL}
    ):
        return False
    return any(o.column is not None and o.column.column == column for o in condition.operands)


def _implies(asked: Condition, wanted: Condition) -> bool:
    if _meaning(asked) == _meaning(wanted):
        return True
    not_null = isinstance(wanted, Comparison) and wanted.kind is ComparisonKind.IS_NOT_NULL
    strict = isinstance(asked, Comparison) and asked.kind not in _NO_RANGE
    return not_null and strict and _columns(asked) >= _columns(wanted)


def _meaning(condition: Condition) -> object:
    """Return what a condition says, without aliases and casts."""
    if isinstance(condition, Comparison):
        sides = [_side(o) for o in condition.operands]
        return condition.kind, condition.operator, condition.negated, condition.quantifier, *sides
    return sqltext.canonical(condition.text)


def _side(operand: sqltext.Operand) -> object:
    if operand.column is not None:
        return "column", operand.column.column
    return ("constant", operand.constant) if operand.constant is not None else operand.expression or operand.text


def _columns(condition: Condition) -> frozenset[str]:
    names = [c for one in sqltext.comparisons(condition) for o in one.operands for c in o.columns]
    names += condition.columns if isinstance(condition, sqltext.Opaque) else ()
    return frozenset(n.column for n in names)


def _spelled(condition: Condition) -> str:
    """Return a condition as its author would write it: no alias, no cast of a constant."""
    if not isinstance(condition, Comparison):
        return sqltext.canonical(condition.text)
    left, right = (_operand(o) for o in condition.operands) if condition.right else (_operand(condition.left), "")
    if condition.kind is ComparisonKind.BOOLEAN:
        return f"not {left}" if condition.negated else left
    right = f"{condition.quantifier} ({right})" if condition.quantifier else right
    return " ".join(p for p in ("not" if condition.negated else "", left, condition.operator, right) if p)


def _operand(operand: sqltext.Operand) -> str:
    if operand.column is not None:
        return operand.column.column
    if operand.constant is None:
        return operand.expression or operand.text
    plain = operand.constant.replace(".", "", 1).lstrip("-").isdigit()
    return (
        operand.constant
        if plain and operand.constant_type in _NUMBERS
        else "'" + operand.constant.replace("'", "''") + "'"
    )
