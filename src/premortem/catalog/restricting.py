"""The part of a profile that one statement's plan needs, so that a twin of it stands in half a second.

A database of ten thousand tables has no more to do with the statement that hurts than one of ten.  What is kept errs
on the side of too much: an object stays when its name stands anywhere in what is kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from premortem.model import Constraint, ObjectKind, Profile, RelationName, SchemaObject, Table, Workload

_WORD = re.compile(r"\w+")
#: Kinds that go when nothing kept names them; operators and casts have no words for names, and are few.
_NAMED = frozenset(
    {
        ObjectKind.ENUM, ObjectKind.DOMAIN, ObjectKind.COMPOSITE, ObjectKind.RANGE, ObjectKind.SEQUENCE,
        ObjectKind.FUNCTION, ObjectKind.AGGREGATE, ObjectKind.RULE,
    }
)  # fmt: skip


def restricted(profile: Profile, only: Iterable[RelationName], texts: Sequence[str] = ()) -> Profile:
    """Return the profile of some relations with what their plans need, and what the texts of statements name.

    A relation without a schema is every one of that name.
    """
    wanted = tuple(only)
    reached = _reached(profile, [t for t in profile.tables if _is_wanted(t, wanted)])
    kept = reached | _around(profile, reached)
    tables = tuple(_alone(t, kept) for t in profile.tables if t.relation in kept)
    objects = _objects(profile.objects, tables, texts)
    return replace(profile, tables=tables, objects=objects, workload=Workload())


def _is_wanted(table: Table, wanted: Sequence[RelationName]) -> bool:
    return any(w.name == table.name and w.schema in ("", table.schema) for w in wanted)


def _reached(profile: Profile, wanted: Iterable[Table]) -> set[RelationName]:
    """The relations, the trees of partitions and children that they stand in, and what views among them read."""
    found: set[RelationName] = set()
    waiting = list(wanted)
    while waiting:
        table = waiting.pop()
        if table.relation not in found:
            found.add(table.relation)
            waiting += _next(profile, table)
    return found


def _next(profile: Profile, table: Table) -> Iterator[Table]:
    yield from profile.children(table.relation)
    yield from (parent for name in table.parents if (parent := profile.table(name)) is not None)
    if table.definition:
        words = frozenset(_WORD.findall(table.definition))
        yield from (t for t in profile.tables if t.name in words)


def _around(profile: Profile, reached: Collection[RelationName]) -> set[RelationName]:
    """The other ends of the relations' foreign keys."""
    tables = [t for name in reached if (t := profile.table(name)) is not None]
    to = {key.references for t in tables for key in t.foreign_keys if key.references is not None}
    return to | {other.relation for name in reached for other, _ in profile.referencing(name)}


def _alone(table: Table, kept: Collection[RelationName]) -> Table:
    """The table without what ties it to relations that are not there."""
    parents = tuple(p for p in table.parents if p in kept)
    constraints = tuple(c for c in table.constraints if _stands(c, kept))
    bound = table.partition_bound if parents == table.parents else None
    indexes = table.indexes if parents == table.parents else tuple(replace(i, parent=None) for i in table.indexes)
    return replace(table, parents=parents, constraints=constraints, partition_bound=bound, indexes=indexes)


def _stands(constraint: Constraint, kept: Collection[RelationName]) -> bool:
    return constraint.references is None or constraint.references in kept


def _objects(
    objects: Sequence[SchemaObject], tables: Sequence[Table], texts: Sequence[str]
) -> tuple[SchemaObject, ...]:
    """The objects that are named by what is kept, or by what is kept because of that."""
    words = _words([*texts, *(text for t in tables for text in _said(t))])
    words |= {word.lower() for word in words}
    kept = {o for o in objects if o.kind not in _NAMED}
    words |= _words(o.definition for o in kept)
    waiting = [o for o in objects if o not in kept]
    while named := [o for o in waiting if _words([o.name.partition("(")[0]]) <= words]:
        kept.update(named)
        words |= _words(o.definition for o in named)
        waiting = [o for o in waiting if o not in kept]
    return tuple(o for o in objects if o in kept)


def _said(table: Table) -> Iterator[str]:
    """Everything in a table's description that may name a type, function or sequence."""
    yield table.name
    yield table.definition or ""
    yield table.of_type or ""
    yield table.partition_key or ""
    for column in table.columns:
        yield f"{column.type} {column.default or ''}"
    yield from (c.definition for c in table.constraints)
    yield from (i.definition for i in table.indexes)
    yield from (t.definition for t in table.triggers)
    yield from (s.definition for s in table.statistics)
    for policy in table.policies:
        yield f"{policy.using or ''} {policy.check or ''}"


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in _WORD.findall(text)}
