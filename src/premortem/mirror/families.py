"""Partitioned tables and their partitions: what belongs to what, whichever of them somebody names."""

from __future__ import annotations

from collections.abc import Iterable

from premortem.model import Profile, RelationName, Table


def above(table: Table, profile: Profile) -> tuple[RelationName, ...]:
    """Return the partitioned tables that a partition is in, the nearest first."""
    found: list[RelationName] = []
    here: Table | None = table
    while here is not None and here.partition_bound is not None and here.parents:
        found.append(here.parents[0])
        here = profile.table(here.parents[0])
    return tuple(found)


def root(table: Table, profile: Profile) -> RelationName:
    """Return the table that a query names to reach a partition, the table itself where it is none."""
    return (table.relation, *above(table, profile))[-1]


def with_partitions(relations: Iterable[RelationName], profile: Profile) -> frozenset[RelationName]:
    """Return the relations and all partitions below them."""
    named = frozenset(relations)
    return named | {t.relation for t in profile.tables if not named.isdisjoint(above(t, profile))}


def whole(relations: Iterable[RelationName], profile: Profile) -> frozenset[RelationName]:
    """Return the relations, all partitions below them, and the tables that they are partitions of."""
    named = with_partitions(relations, profile)
    return named | {up for t in profile.tables if t.relation in named for up in above(t, profile)}
