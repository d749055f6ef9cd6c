"""What the rules about indexes have in common: when two are the same, which must stay, and how one is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from premortem import sqltext
from premortem.model import ConstraintKind, Index, KeyColumn, Profile, RelationKind, RelationName, Table, quoted

#: A key as far as it decides what an index can do.
Key: TypeAlias = tuple[str, str, str | None, bool, bool]
_PAGE = 8192


def key_of(key: KeyColumn) -> Key:
    """Return what makes two keys the same."""
    what = quoted(key.column) if key.column is not None else f"({sqltext.canonical(key.expression or '')})"
    return what, key.opclass, key.collation, key.descending, key.nulls_first


def keys_of(index: Index) -> tuple[Key, ...]:
    """Return an index's keys, comparable."""
    return tuple(key_of(k) for k in index.keys)


def predicate_of(index: Index) -> str:
    """Return a partial index's predicate, comparable."""
    return sqltext.canonical(index.predicate) if index.predicate else ""


def words_of(index: Index) -> str:
    """Return the keys as people write them."""
    return ", ".join(k.column or k.expression or "" for k in index.keys)


def is_bound(index: Index) -> bool:
    """Whether more hangs on an index than speed: a constraint, uniqueness, replication or CLUSTER."""
    promises = index.unique or index.primary or index.exclusion or index.constraint is not None
    return promises or index.replica_identity or index.clustered


def own_indexes(profile: Profile) -> Iterator[tuple[Table, Index]]:
    """Yield every index but those that a partition has from its parent, which are the parent's affair."""
    for table in profile.tables:
        for index in table.indexes:
            if index.parent is None:
                yield table, index


def size_of(table: Table, index: Index, profile: Profile) -> int:
    """Return an index's size in bytes, with its parts on partitions."""
    own = (index.pages or index.relation_pages) * _PAGE
    return own + sum(size_of(t, i, profile) for t, i in parts_of(table, index, profile))


def parts_of(table: Table, index: Index, profile: Profile) -> Iterator[tuple[Table, Index]]:
    """Yield the indexes of the partitions that belong to an index of the parent."""
    if table.kind is not RelationKind.PARTITIONED_TABLE:
        return
    name = RelationName(schema=table.schema, name=index.name)
    for child in profile.children(table.relation):
        yield from ((child, i) for i in child.indexes if i.parent == name)


def serves_foreign_key(table: Table, index: Index) -> bool:
    """Whether an index starts with the columns of a foreign key, which needs one to check deletes."""
    keys = (c for c in table.constraints if c.kind is ConstraintKind.FOREIGN_KEY and c.columns)
    return any(set(index.columns[: len(k.columns)]) == set(k.columns) for k in keys)


def family_of(table: Table, index: Index, profile: Profile) -> Iterator[tuple[Table, Index]]:
    """Yield an index and, where it is of a partitioned table, its parts on all levels."""
    yield table, index
    for child, part in parts_of(table, index, profile):
        yield from family_of(child, part, profile)


def drop_sql(table: Table, index: Index) -> tuple[str, ...]:
    """Return the statement that drops an index; one of a partitioned table cannot be dropped concurrently."""
    how = "" if table.kind is RelationKind.PARTITIONED_TABLE else " CONCURRENTLY"
    return (f"DROP INDEX{how} {quoted(table.schema)}.{quoted(index.name)};",)


def create_sql(table: Table, index: Index, profile: Profile) -> tuple[str, ...]:
    """Return the statements that make an index again as it was, without blocking writers.

    One of a partitioned table is made of its parts, as the manual says: CONCURRENTLY is refused on the parent, whose
    definition is ON ONLY it.  Expressions have no statistics before the next ANALYZE.
    """
    made = list(_made(table, index, profile))
    if any(k.expression is not None for k in index.keys):
        made.append(f"ANALYZE {table.relation.sql};")
    return tuple(made)


def _made(table: Table, index: Index, profile: Profile) -> Iterator[str]:
    name = _name(table, index)
    partitioned = table.kind is RelationKind.PARTITIONED_TABLE
    text = index.definition if partitioned else index.definition.replace(" INDEX ", " INDEX CONCURRENTLY ", 1)
    if index.tablespace is None:
        yield f"{text};"
    else:
        yield from (f"SET default_tablespace = {quoted(index.tablespace)};", f"{text};", "RESET default_tablespace;")
    for column in index.expression_columns:
        if column.statistics_target is not None:
            yield f"ALTER INDEX {name} ALTER COLUMN {column.number} SET STATISTICS {column.statistics_target};"
    for child, part in parts_of(table, index, profile):
        yield from _made(child, part, profile)
        yield f"ALTER INDEX {name} ATTACH PARTITION {_name(child, part)};"


def _name(table: Table, index: Index) -> str:
    return RelationName(schema=table.schema, name=index.name).sql
