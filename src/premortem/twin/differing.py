"""Says in what a schema that tests built differs from production's: whether there are migrations that nobody judged."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.model import Profile, RelationKind, Table
from premortem.twin.carrying import is_replaced, is_same


def differences(production: Profile, branch: Profile) -> tuple[str, ...]:
    """Return what the branch adds, changes and takes away: tables, columns, indexes.

    A table or an index that only production has tells nothing: it may be another team's, or made by hand.
    """
    known = {t.relation: t for t in production.tables}
    return tuple(
        said
        for table in branch.tables
        if (table.kind.has_storage or table.kind is RelationKind.PARTITIONED_TABLE) and not is_replaced(table, known)
        for said in _of_table(known.get(table.relation), table)
    )


def _of_table(before: Table | None, here: Table) -> Iterator[str]:
    if before is None:
        yield f"new table {here.full_name}"
        return
    yield from (f"new column {here.full_name}.{c.name}" for c in here.columns if before.column(c.name) is None)
    yield from (f"no column {here.full_name}.{c.name}" for c in before.columns if here.column(c.name) is None)
    for column in here.columns:
        was = before.column(column.name)
        if was is not None and _bare(was.type) != _bare(column.type):
            yield f"{here.full_name}.{column.name} is {column.type}"
    new = (i for i in here.indexes if not any(is_same(i, other) for other in before.indexes))
    yield from (f"new index {i.name} of {here.full_name}" for i in new)


def _bare(type_name: str) -> str:
    """Return a type without the schema of an extension's type, which need not be the same in tests."""
    return type_name.rpartition(".")[2]
