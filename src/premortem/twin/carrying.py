"""Carries over to a changed schema what only production knows: sizes, statistics, activity.

A change reaches the twin in two ways.  Migrations are run in the twin itself, and `carried_over` puts production's
figures to the tables that they leave.  A schema that a test suite built elsewhere is `grafted` onto production's:
what both have keeps production's figures, what is new is new, and what only production has stays, for nobody can tell
what the change takes away from what its tests never had, such as partitions, other teams' tables, an index that
somebody made by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from premortem.errors import ProfileError
from premortem.model import Column, Gap, Index, Profile, RelationKind, RelationName, Table, TableActivity

#: Types whose values PostgreSQL reads from each other's text, so that statistics survive a change between them.
_FAMILIES = (
    frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"}),
    frozenset({"text", "character varying", "character", "citext", "public.citext"}),
    frozenset({"timestamp without time zone", "timestamp with time zone", "date"}),
    frozenset({"json", "jsonb"}),
)
_MODIFIER = re.compile(r"\(\d+(?:,\d+)?\)")
_MANY = 5


def carried_over(here: Table, before: Table | None) -> Table:
    """Return a table of the changed schema with what only production knows of it; as it is where that is nothing."""
    if before is None:
        return here
    known = {i.name: i for i in before.indexes}
    return replace(
        here,
        columns=tuple(_carried_column(c, before.column(c.name)) for c in here.columns),
        pages=before.pages,
        relation_pages=before.relation_pages,
        tuples=before.tuples,
        all_visible=before.all_visible,
        toast_bytes=before.toast_bytes,
        activity=before.activity,
        indexes=tuple(_carried_index(i, known.get(i.name), before) for i in here.indexes),
    )


def _carried_column(here: Column, before: Column | None) -> Column:
    return here if before is None or not here.statistics else replace(here, statistics=before.statistics)


def _carried_index(here: Index, before: Index | None, table: Table) -> Index:
    """An index of the change is still to be sized, but over no rows it is as large as it is here."""
    if before is None or before.definition != here.definition:
        return replace(here, pages=0) if table.pages else here
    return before


def grafted(production: Profile, branch: Profile) -> tuple[Profile, tuple[Gap, ...]]:
    """Return production with the schema of the branch, and what had to be guessed for it.

    `branch` is the profile of a database that the branch's migrations built; its rows and figures mean nothing.

    Raises ProfileError where the two have no table in common.
    """
    new = {t.relation: t for t in branch.tables}
    if new and not any(t.relation in new for t in production.tables):
        raise ProfileError(
            "the captured schema and the profile have no table in common",
            hint="is it the same application's database, and the same schema (search_path)?",
        )
    kept = {t.relation: _with_branch(t, new.get(t.relation)) for t in production.tables}
    added = {t.relation: unmeasured(t) for t in branch.tables if t.relation not in kept and not is_replaced(t, kept)}
    tables = tuple(_partitions_follow({**kept, **added}).values())
    result = replace(
        production,
        tables=tables,
        objects=_joined(production.objects, branch.objects),
        extensions=_extensions(production, branch),
    )
    return result, tuple(_told(production, new))


def _with_branch(before: Table, here: Table | None) -> Table:
    """Return a table of production as the branch has it; the order of what stays is production's OID order."""
    if here is None or here.kind is not before.kind:
        return before if here is None else unmeasured(here)
    columns = tuple(_grafted_column(c, before.column(c.name)) for c in here.columns)
    names = {c.name for c in columns}
    stay = [i for i in before.indexes if _fits(i, names)]
    return replace(
        here,
        columns=columns,
        indexes=(*stay, *(replace(i, pages=0) for i in here.indexes if not any(is_same(i, s) for s in stay))),
        pages=before.pages,
        relation_pages=before.relation_pages,
        tuples=before.tuples,
        all_visible=before.all_visible,
        toast_bytes=before.toast_bytes,
        activity=before.activity,
        tablespace=before.tablespace,
        partition_bound=before.partition_bound,
        parents=before.parents,
    )


def unmeasured(table: Table) -> Table:
    """Return a table without its figures: what a few rows of test data say is worse than saying nothing."""
    return replace(
        table,
        columns=tuple(replace(c, statistics=()) for c in table.columns),
        indexes=tuple(_unmeasured_index(i) for i in table.indexes),
        activity=TableActivity(),
        pages=0,
        relation_pages=0,
        tuples=-1.0 if table.kind.has_storage else table.tuples,
        all_visible=0,
        toast_bytes=0,
    )


def _unmeasured_index(index: Index) -> Index:
    return replace(
        index,
        pages=0,
        relation_pages=0,
        tuples=0.0,
        level=None,
        metapage=(),
        scans=None,
        scans_per_second=None,
        last_used=None,
        expression_columns=tuple(replace(c, statistics=()) for c in index.expression_columns),
    )


def _grafted_column(here: Column, before: Column | None) -> Column:
    if before is None or not _is_alike(here.type, before.type):
        return replace(here, statistics=())
    return replace(
        here,
        statistics=before.statistics,
        statistics_target=before.statistics_target,
        n_distinct_override=before.n_distinct_override,
        number=before.number,
    )


def _is_alike(one: str, other: str) -> bool:
    """Whether statistics of one type are good for the other.

    >>> _is_alike("integer", "bigint"), _is_alike("character varying(20)", "text"), _is_alike("uuid", "text")
    (True, True, False)
    """
    one, other = _MODIFIER.sub("", one), _MODIFIER.sub("", other)
    return one == other or any(one in family and other in family for family in _FAMILIES)


def _fits(index: Index, columns: set[str]) -> bool:
    """Whether the columns that an index stands on are still there."""
    return all(c is None or c in columns for c in (*index.columns, *index.include))


def is_same(one: Index, other: Index) -> bool:
    """Whether two indexes are one: of the same structure, or of one name and the same columns.

    Two majors write the same expression differently, so expressions count only where the names differ.
    """
    if one.name == other.name:
        return one.columns == other.columns and bool(one.predicate) == bool(other.predicate)
    return _structure(one) == _structure(other)


def _structure(index: Index) -> object:
    keys = tuple((k.column, k.expression, k.opclass, k.descending, k.nulls_first) for k in index.keys)
    return index.method, keys, index.include, index.predicate, index.unique


def is_replaced(table: Table, kept: Mapping[RelationName, Table]) -> bool:
    """Whether a partition of the tests stands where production has its own partitions, whose bounds it may overlap."""
    return table.partition_bound is not None and any(
        p in kept and any(p in t.parents and t.partition_bound is not None for t in kept.values())
        for p in table.parents
    )


def _partitions_follow(tables: Mapping[RelationName, Table]) -> dict[RelationName, Table]:
    """Give partitions that only production has the columns and indexes that their parents got."""
    found = dict(tables)
    for relation, table in tables.items():
        if table.partition_bound is not None and table.parents and table.parents[0] in found:
            found[relation] = _following(table, found[table.parents[0]])
    return found


def _following(child: Table, parent: Table) -> Table:
    """Return a partition that can be attached to the branch's parent: same columns, NOT NULL and all."""
    columns = tuple(_grafted_column(c, child.column(c.name)) for c in parent.columns)
    names = {c.name for c in columns}
    stay = [i for i in child.indexes if _fits(i, names)]
    here = {i.parent for i in stay}
    wanted = (i for i in parent.indexes if i.constraint is None and _name(parent, i) not in here)
    new = (_of_partition(i, parent, child) for i in wanted)
    return replace(child, columns=columns, indexes=(*stay, *new))


def _name(table: Table, index: Index) -> RelationName:
    return RelationName(schema=table.schema, name=index.name)


def _of_partition(index: Index, parent: Table, child: Table) -> Index:
    name = f"{child.name}_{index.name}"[:63]
    _, _, body = index.definition.partition(" USING ")
    unique = "UNIQUE " if index.unique else ""
    own = RelationName(schema="", name=name)
    definition = f"CREATE {unique}INDEX {own.sql} ON {child.relation.sql} USING {body}"
    if child.kind is RelationKind.PARTITIONED_TABLE:
        definition = definition.replace(" ON ", " ON ONLY ", 1)
    return replace(index, name=name, definition=definition, parent=_name(parent, index), pages=0)


def _joined(production: Sequence[object], branch: Sequence[object]) -> tuple:  # type: ignore[type-arg]
    """Return the branch's objects, and production's that the branch does not have."""
    there = {_identity(o) for o in branch}
    return (*(o for o in production if _identity(o) not in there), *branch)


def _identity(item: object) -> object:
    return getattr(item, "kind", None), getattr(item, "schema", None), getattr(item, "name", None)


def _extensions(production: Profile, branch: Profile) -> tuple:  # type: ignore[type-arg]
    there = {e.name for e in production.extensions}
    return (*production.extensions, *(e for e in branch.extensions if e.name not in there))


def _told(production: Profile, new: Mapping[RelationName, Table]) -> Iterator[Gap]:
    """Yield a gap for the indexes that only production has."""
    extra = [
        f"{i.name} of {t.full_name}"
        for t in production.tables
        if (here := new.get(t.relation)) is not None
        for i in t.indexes
        if not any(is_same(i, other) for other in here.indexes)
    ]
    if extra:
        more = f" and {len(extra) - _MANY} more" if len(extra) > _MANY else ""
        yield Gap(
            subject="indexes that only production has",
            says=f"The captured schema lacks {', '.join(extra[:_MANY])}{more}.",
            effect="They were kept: made by hand in production, or dropped by the change, which no test tells apart.",
            cure="name the migrations that drop one: --migrations PATH",
        )
