"""The safe way to do what a statement does: what to type instead, where it can be written down."""

from __future__ import annotations

import re
from collections.abc import Callable

from premortem.migrations.seen import Seen
from premortem.model import Profile, RelationKind, RelationName, Remedy, Table, quoted
from premortem.sqltext import Action

_INDEX = re.compile(r"\bINDEX\b(?!\s+CONCURRENTLY)", re.I)
_REINDEX = re.compile(r"\bREINDEX\s+(?:\([^)]*\)\s*)?(?:INDEX|TABLE|SCHEMA)\b", re.I)
_MOST_PARTS = 24
_TIMEOUT = "SET lock_timeout = '2s';"


def instead(seen: Seen, table: Table, after: Profile, says: str) -> Remedy:
    """Return the statements to type instead of a step's own, or only the advice where they cannot be written down."""
    actions, major = seen.step.said.actions, after.server.major
    made: tuple[str, ...] = ()
    if table.kind is RelationKind.PARTITIONED_TABLE:
        return Remedy(sql=_part_by_part(seen, table, after, major), says=says)
    if len(actions) == 1 and actions[0].form in _WAYS:
        made = _WAYS[actions[0].form](seen, actions[0], table, major)
    elif seen.step.said.verb in ("CREATE INDEX", "CREATE UNIQUE INDEX", "DROP INDEX"):
        made = (_statement(_INDEX.sub(_concurrently, seen.step.code, count=1)),)
    elif seen.step.said.verb in ("REINDEX INDEX", "REINDEX TABLE", "REINDEX SCHEMA"):
        made = (_statement(_REINDEX.sub(_concurrently, seen.step.code, count=1)),)
    elif seen.step.said.verb == "REFRESH MATERIALIZED VIEW":
        made = (_statement(re.sub(r"\bVIEW\b", _concurrently, seen.step.code, count=1, flags=re.I)),)
    return Remedy(sql=made, says=says)


def with_timeout(says: str) -> Remedy:
    """Return the setting that keeps a lock from waiting long."""
    return Remedy(sql=(_TIMEOUT,), undo=("RESET lock_timeout;",), says=says)


def _part_by_part(seen: Seen, table: Table, after: Profile, major: int) -> tuple[str, ...]:
    """Return an index of a partitioned table made without blocking: CONCURRENTLY works on its partitions only."""
    actions = seen.step.said.actions
    if len(actions) == 1 and (actions[0].form in ("SET NOT NULL", "ADD CHECK", "DETACH PARTITION")):
        return _WAYS[actions[0].form](seen, actions[0], table, major)
    if seen.step.said.verb not in ("CREATE INDEX", "CREATE UNIQUE INDEX"):
        return ()
    here = after.table(table.relation)
    new = {r.name for r in seen.observed.created}
    parent = next((i for i in here.indexes if i.name in new), None) if here is not None else None
    parts = [(t, i) for t in after.tables if t.parents == (table.relation,) for i in t.indexes if i.name in new]
    nested = any(part.kind is RelationKind.PARTITIONED_TABLE for part, _ in parts)
    if parent is None or not parts or nested or len(parts) > _MOST_PARTS:
        return ()
    name = RelationName(schema=table.schema, name=parent.name).sql
    made = [f"{parent.definition};"]
    for part, index in parts:
        own = RelationName(schema=part.schema, name=index.name).sql
        made.append(f"{_INDEX.sub('INDEX CONCURRENTLY', index.definition, count=1)};")
        made.append(f"ALTER INDEX {name} ATTACH PARTITION {own};")
    return tuple(made)


def _concurrently(found: re.Match[str]) -> str:
    """Return what was found with CONCURRENTLY after it, in the author's case."""
    return found.group() + (" concurrently" if found.group().islower() else " CONCURRENTLY")


def _statement(sql: str) -> str:
    return f"{sql.strip().rstrip(';')};"


def _not_valid(seen: Seen, action: Action, table: Table, major: int) -> tuple[str, ...]:
    """Add the constraint without looking, then look without blocking; an unnamed one gets PostgreSQL's own name."""
    name = action.name or _default_name(action, table)
    if name is None or action.not_valid:
        return ()
    add = _statement(f"{seen.step.code.strip().rstrip(';')} NOT VALID")
    return _TIMEOUT, add, f"ALTER TABLE {table.relation.sql} VALIDATE CONSTRAINT {quoted(name)};"


def _default_name(action: Action, table: Table) -> str | None:
    if action.form != "ADD FOREIGN KEY" or not action.columns:
        return None
    name = f"{table.name}_{'_'.join(action.columns)}_fkey"
    taken = any(c.name == name for c in table.constraints)
    return None if taken or len(name.encode()) > 63 else name


def _set_not_null(seen: Seen, action: Action, table: Table, major: int) -> tuple[str, ...]:
    column, name = quoted(action.column or ""), quoted(f"{table.name}_{action.column}_not_null"[:63])
    alter = f"ALTER TABLE {table.relation.sql}"
    if major >= 18:
        return (
            _TIMEOUT,
            f"{alter} ADD CONSTRAINT {name} NOT NULL {column} NOT VALID;",
            f"{alter} VALIDATE CONSTRAINT {name};",
        )
    return (
        _TIMEOUT,
        f"{alter} ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID;",
        f"{alter} VALIDATE CONSTRAINT {name};",
        f"{alter} ALTER COLUMN {column} SET NOT NULL;",
        f"{alter} DROP CONSTRAINT {name};",
    )


def _unique(seen: Seen, action: Action, table: Table, major: int) -> tuple[str, ...]:
    if action.using_index or not action.columns:
        return ()
    suffix = "pkey" if action.form == "ADD PRIMARY KEY" else f"{'_'.join(action.columns)}_key"
    name = quoted(action.name or f"{table.name}_{suffix}"[:63])
    columns = ", ".join(quoted(c) for c in action.columns)
    kind = action.form.removeprefix("ADD ")
    return (
        f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table.relation.sql} ({columns});",
        _TIMEOUT,
        f"ALTER TABLE {table.relation.sql} ADD CONSTRAINT {name} {kind} USING INDEX {name};",
    )


def _detach(seen: Seen, action: Action, table: Table, major: int) -> tuple[str, ...]:
    return (_statement(f"{seen.step.code.strip().rstrip(';')} CONCURRENTLY"),) if major >= 14 else ()


_WAYS: dict[str, Callable[[Seen, Action, Table, int], tuple[str, ...]]] = {
    "ADD FOREIGN KEY": _not_valid,
    "ADD CHECK": _not_valid,
    "SET NOT NULL": _set_not_null,
    "ADD UNIQUE": _unique,
    "ADD PRIMARY KEY": _unique,
    "DETACH PARTITION": _detach,
}
