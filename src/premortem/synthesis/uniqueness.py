"""Which columns and sets of columns of a table are unique, and which of these need care."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.model import Column, Constraint, Profile, RelationName, Table
from premortem.synthesis.exclusions import is_periodic


def is_unique(table: Table, column: Column) -> bool:
    """Whether every value stands in one row: by an index, or by the statistics of a column in a unique set."""
    sets = unique_sets(table)
    statistics = column.own_statistics
    if (column.name,) in sets:
        return True
    stated = statistics.n_distinct if statistics else 0.0
    return stated <= -0.9999 and any(column.name in one for one in sets)


def unique_sets(table: Table) -> tuple[tuple[str, ...], ...]:
    """Return the sets of columns that are unique in a table, smallest first."""
    found = {
        tuple(str(c) for c in index.columns): None
        for index in table.indexes
        if index.unique
        and index.predicate is None
        and index.valid
        and None not in index.columns
        and not index.exclusion  # WITHOUT OVERLAPS, which no two rows with the same values would break
    }
    return tuple(sorted(found, key=lambda s: (len(s), s)))


def combined_sets(table: Table, profile: Profile) -> tuple[tuple[str, ...], ...]:
    """Return the unique sets that need care: those that are not unique by a column or a smaller set anyway.

    A set that foreign keys of several columns refer to always does: its combinations are asked for by number.
    """
    every = unique_sets(table)
    asked_for = {
        frozenset(key.referenced_columns)
        for relation in _tree(table, profile)
        for _, key in profile.referencing(relation)
        if len(key.referenced_columns) > 1 and not is_periodic(key)
    }
    alone = {c.name for c in table.columns if is_unique(table, c)}
    primary = next((tuple(str(c) for c in i.columns) for i in table.indexes if i.primary), ())
    needed = [
        one
        for one in every
        if len(one) > 1
        and (
            frozenset(one) in asked_for or (not alone & set(one) and not any(set(other) < set(one) for other in every))
        )
    ]
    distinct = {frozenset(one): one for one in needed}
    return tuple(sorted(distinct.values(), key=lambda o: (frozenset(o) not in asked_for, o != primary, len(o))))


def _tree(table: Table, profile: Profile) -> Iterator[RelationName]:
    """Yield a table and those that it is a partition of."""
    one: Table | None = table
    while one is not None:
        yield one.relation
        one = profile.table(one.parents[0]) if one.partition_bound and one.parents else None


def references(table: Table, profile: Profile) -> Iterator[Constraint]:
    """Yield a table's foreign keys of several columns, once each: those to a partitioned table name its partitions too.

    References over time (PERIOD) are not to one row, so they are not among them.
    """
    several = [k for k in table.foreign_keys if len(k.columns) > 1 and k.references is not None and not is_periodic(k)]
    names = {key.name for key in table.foreign_keys}
    yield from (key for key in several if not _is_to_a_partition(key, names, profile))


def own_names(reference: Constraint) -> dict[str, str]:
    """Return the referring columns by those that they refer to."""
    return dict(zip(reference.referenced_columns, reference.columns, strict=False))


def _is_to_a_partition(key: Constraint, names: set[str], profile: Profile) -> bool:
    parent = profile.table(key.references) if key.references else None
    return key.inherited_from in names and parent is not None and bool(parent.partition_bound)
