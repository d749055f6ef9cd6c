"""The queries that a statement runs without naming them: what foreign keys check, or cascade, row by row.

EXPLAIN shows nothing of them, and EXPLAIN (ANALYZE, BUFFERS) counts their time but not their blocks.  The texts are
those of PostgreSQL's `src/backend/utils/adt/ri_triggers.c` (RI_FKey_noaction_del, RI_FKey_cascade_del and so on).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import (
    Constraint,
    Plan,
    Profile,
    Query,
    RelationKind,
    RelationName,
    Site,
    StatementKind,
    Table,
    quoted,
)
from premortem.sqltext import StatementFacts

_CASCADES = frozenset({"cascade", "set null", "set default"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A query that a foreign key's trigger runs for every row that the statement deletes, or changes the key of."""

    query: Query
    child: RelationName
    parent: RelationName
    columns: tuple[str, ...]
    constraint: str
    action: str
    rows: float

    @property
    def says(self) -> str:
        """The reason for the query, as the start of a sentence."""
        verb = "looks for its rows in" if self.action in ("no action", "restrict") else f"({self.action}) changes"
        return f"every row that goes from {self.parent} {verb} {self.child} (foreign key {quoted(self.constraint)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a plan does to a table: it deletes rows, or updates the columns that are named."""

    relation: RelationName
    operation: str
    rows: float
    columns: frozenset[str] = frozenset()


def changes(plan: Plan, facts: StatementFacts) -> tuple[Change, ...]:
    """Return what the ModifyTable nodes of a plan delete or update; `facts` are those of the statement's text."""
    return tuple(_changes(plan, facts))


def _changes(plan: Plan, facts: StatementFacts) -> Iterator[Change]:
    for node in plan.walk():
        if node.kind != "ModifyTable" or node.relation is None:
            continue
        rows = sum(child.rows for child in node.inputs)
        name, schema = node.relation.name, node.relation.schema or None
        if node.operation == "Delete" or (node.operation == "Merge" and facts.deletes_from(name, schema)):
            yield Change(relation=node.relation, operation="delete", rows=rows)
        updated = facts.updated(name, schema) if node.operation != "Delete" else frozenset()
        if updated:
            yield Change(relation=node.relation, operation="update", rows=rows, columns=updated)


def hidden(change: Change, profile: Profile, site: Site) -> tuple[Hidden, ...]:
    """Return the queries that foreign keys run because of a change."""
    found = {
        (child.relation, constraint.name): _hidden(change, parent, child, constraint, site)
        for parent in _with_ancestors(change.relation, profile)
        for child, constraint in profile.referencing(parent.relation)
        if constraint.inherited_from is None and _concerns(change, constraint)
    }
    return tuple(found.values())


def _with_ancestors(relation: RelationName, profile: Profile) -> Iterator[Table]:
    table = profile.table(relation)
    if table is None:
        return
    yield table
    for parent in table.parents:
        yield from _with_ancestors(parent, profile)


def _concerns(change: Change, constraint: Constraint) -> bool:
    return change.operation == "delete" or bool(change.columns & set(constraint.referenced_columns))


def _hidden(change: Change, parent: Table, child: Table, constraint: Constraint, site: Site) -> Hidden:
    action = constraint.on_delete if change.operation == "delete" else constraint.on_update
    text, kind = _statement(change, parent, child, constraint, action)
    query = Query(
        text=text,
        original=text,
        fingerprint=f"foreign key {child.relation.sql} {constraint.name} {change.operation}",
        site=site,
        kind=kind,
        parameter_count=len(constraint.columns) * (2 if _sets_new_key(change, action) else 1),
        parameter_names=constraint.referenced_columns,
    )
    return Hidden(
        query=query,
        child=child.relation,
        parent=parent.relation,
        columns=constraint.columns,
        constraint=constraint.name,
        action=action,
        rows=change.rows,
    )


def _statement(
    change: Change, parent: Table, child: Table, constraint: Constraint, action: str
) -> tuple[str, StatementKind]:
    # A partitioned child is searched with its partitions, any other one alone.
    only = "" if child.kind is RelationKind.PARTITIONED_TABLE else "ONLY "
    table = f"{only}{child.relation.sql} x"
    first = 1 + (len(constraint.columns) if _sets_new_key(change, action) else 0)
    where = " AND ".join(_match(n, first, parent, child, constraint) for n in range(len(constraint.columns)))
    if action not in _CASCADES:
        return f"SELECT 1 FROM {table} WHERE {where} FOR KEY SHARE OF x", StatementKind.SELECT
    if action == "cascade" and change.operation == "delete":
        return f"DELETE FROM {table} WHERE {where}", StatementKind.DELETE
    return f"UPDATE {table} SET {_assignments(action, constraint)} WHERE {where}", StatementKind.UPDATE


def _sets_new_key(change: Change, action: str) -> bool:
    return action == "cascade" and change.operation == "update"


def _assignments(action: str, constraint: Constraint) -> str:
    if action == "cascade":
        return ", ".join(f"{quoted(c)} = ${n}" for n, c in enumerate(constraint.columns, start=1))
    value = "NULL" if action == "set null" else "DEFAULT"
    return ", ".join(f"{quoted(c)} = {value}" for c in constraint.columns)


def _match(place: int, first: int, parent: Table, child: Table, constraint: Constraint) -> str:
    column = child.column(constraint.columns[place])
    referenced = constraint.referenced_columns[place] if place < len(constraint.referenced_columns) else None
    key = parent.column(referenced) if referenced else None
    cast = f"::{key.type}" if key and column and key.type != column.type else ""
    return f"${place + first}{cast} = x.{quoted(constraint.columns[place])}"
