"""Which table a scan's index is on: partitions count as their partitioned parent, with the sizes of all of them."""

from __future__ import annotations

from dataclasses import replace

from premortem.model import Profile, RelationKind, RelationName, Table


def indexed(relation: RelationName, profile: Profile) -> Table | None:
    """Return the table to index: the topmost partitioned parent, or the relation itself."""
    table = profile.find_table(relation.name, relation.schema or None)
    while table is not None and table.parents:
        parent = profile.table(table.parents[0])
        if parent is None or parent.kind is not RelationKind.PARTITIONED_TABLE:
            break
        table = parent
    if table is None or table.kind in (RelationKind.VIEW, RelationKind.FOREIGN_TABLE):
        return None
    return _with_partitions(table, profile)


def _with_partitions(table: Table, profile: Profile) -> Table:
    """Return a partitioned parent with the sizes of its partitions: it has no rows of its own."""
    if table.kind is not RelationKind.PARTITIONED_TABLE:
        return table
    leaves = profile.leaves(table.relation)
    pages = sum(t.pages for t in leaves)
    return replace(
        table, pages=pages, relation_pages=pages, tuples=sum(t.rows for t in leaves),
        all_visible=sum(t.all_visible for t in leaves), toast_bytes=sum(t.toast_bytes for t in leaves),
    )  # fmt: skip
