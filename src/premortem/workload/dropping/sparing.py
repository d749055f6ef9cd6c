"""What hangs on an index besides speed: such an index stays, whoever uses it.

PostgreSQL's own list: constraints, uniqueness, logical replication, CLUSTER, foreign keys that rest on a unique index;
and the search that a foreign key makes in its child table, which no plan shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from premortem import sqltext
from premortem.model import Constraint, Index, IndexCandidate, Profile, Query, RelationKind, StatementKind, Table
from premortem.rules.coverage import keeps_promise, shape_of
from premortem.rules.foreign_key_without_index import is_served, rows_of
from premortem.rules.indexes import words_of
from premortem.words import duration, listing, plural

_FEW_ROWS = 1_000
_MOST_FOUND = 1_000


def bound_by(table: Table, index: Index, others: Sequence[Index], profile: Profile) -> str | None:
    """Return what else than speed hangs on an index, None where the others keep every promise that it makes."""
    if index.constraint is not None or index.primary or index.exclusion:
        return f"the constraint {index.constraint or index.name} owns it"
    if index.replica_identity:
        return "logical replication finds the rows of UPDATE and DELETE by it (REPLICA IDENTITY)"
    if index.clustered:
        return "the table is clustered on it"
    if index.unique and not any(keeps_promise(other, index, table) for other in others):
        return f"it keeps ({words_of(index)}) unique"
    if (key := _resting(table, index, profile)) is not None:
        return f"the foreign key {key.name} rests on it"
    return None


def _resting(table: Table, index: Index, profile: Profile) -> Constraint | None:
    """Return a foreign key that rests on the index: on the first that fits, as PostgreSQL takes that one."""
    for _, key in profile.referencing(table.relation):
        wanted = set(key.referenced_columns)
        fits = (i for i in table.indexes if i.unique and i.immediate and i.valid and i.predicate is None)
        if next((i for i in fits if set(i.columns) == wanted), None) is index:
            return key
    return None


def arbiter(table: Table, index: Index, others: Sequence[Index]) -> Iterator[str]:
    """Yield what ON CONFLICT loses: it wants a unique index on just its columns, whatever else is unique."""
    mine = {what for what, _, _ in shape_of(index).held}
    if index.unique and not any(i.unique and {what for what, _, _ in shape_of(i).held} == mine for i in others):
        yield f"an INSERT … ON CONFLICT ({words_of(index)}) fails without it: no other unique index has just its keys"


def hinted(index: Index, queries: Iterable[Query]) -> Iterator[str]:
    """Yield who names the index in a hint of pg_hint_plan, which is silently without effect once it is gone."""
    name = rf"(?s)/\*\+(?:(?!\*/).)*(?<![\w$]){re.escape(index.name)}(?![\w$])"
    sites = [str(q.site) for q in queries if index.name in q.original and re.search(name, q.original)]
    if sites:
        yield f"{listing(sites, most=3)} {'names' if len(sites) == 1 else 'name'} it in a hint"


def searched_by(
    table: Table, index: Index, others: Sequence[Index], planned: Sequence[IndexCandidate], profile: Profile
) -> tuple[Constraint, ...]:
    """Return the foreign keys whose search for children would be left without an index."""
    if rows_of(table, profile) < _FEW_ROWS:
        return ()
    without = replace(table, indexes=tuple(others))
    with_it = replace(table, indexes=(*others, index))
    return tuple(
        key
        for key in table.foreign_keys
        if is_served(with_it, key, _MOST_FOUND, profile)
        and not is_served(without, key, _MOST_FOUND, profile)
        and not any(_leads(candidate, key) for candidate in planned)
    )


def _leads(candidate: IndexCandidate, key: Constraint) -> bool:
    leading = {k.column for k in candidate.keys[: len(key.columns)]}
    return candidate.method in ("btree", "hash") and candidate.predicate is None and leading == set(key.columns)


def search_happens(key: Constraint, profile: Profile, settled: timedelta) -> str | None:
    """Return what makes a foreign key search its child table, or may do so; None where nothing ever did."""
    parent = profile.table(key.references) if key.references is not None else None
    if parent is None:
        return f"who deletes from {key.references} is unknown"
    parts = list(_leaves(parent, profile))
    windows = [t.activity.window for t in parts]
    shortest = min((w for w in windows if w is not None), default=None)
    if shortest is None or None in windows or shortest < settled:
        return f"{parent.full_name} was not watched for long enough to know that nobody deletes from it"
    if any(t.activity.deletes for t in parts):
        return f"rows of {parent.full_name} are deleted"
    if any(t.activity.updates for t in parts) and _changes_key(parent, key, profile):
        return f"({', '.join(key.referenced_columns)}) of {parent.full_name} is updated"
    return None


def _leaves(table: Table, profile: Profile) -> Iterator[Table]:
    if table.kind is not RelationKind.PARTITIONED_TABLE:
        yield table
    for child in profile.children(table.relation):
        yield from _leaves(child, profile)


def _changes_key(parent: Table, key: Constraint, profile: Profile) -> bool:
    """Whether a statement of the workload sets a referenced column."""
    wanted = set(key.referenced_columns)
    writes = (StatementKind.UPDATE, StatementKind.INSERT, StatementKind.MERGE)
    for query in profile.workload.statements:
        if query.kind in writes and parent.name in query.text:
            facts = sqltext.statement_facts(query.text)
            if wanted & facts.updated(parent.name, parent.schema):
                return True
    return False


def unguarded(table: Table, keys: Sequence[Constraint], profile: Profile, settled: timedelta) -> str:
    """Return what a delete of the parent would cost without the index, in words."""
    key = keys[0]
    rows = plural(rows_of(table, profile), "row")
    return (
        f"a DELETE from {key.references} would read all {rows} of {table.full_name} (foreign key {key.name}):"
        f" none was counted in {duration(settled)}"
    )
