"""PostgreSQL's table locks: which a statement takes, and what each keeps from going on.

The table of ALTER TABLE's forms is the manual's ("ALTER TABLE", "Explicit Locking") and
`src/backend/commands/tablecmds.c`, `AlterTableGetLockLevel`, of PostgreSQL 12 to 18; `tests/migrations/test_locks.py`
holds it against what real servers do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from premortem.model import Constraint, Profile, RelationName, Table
from premortem.sqltext import Action, Definition, TableName


class Mode(StrEnum):
    """A lock mode, weakest first."""

    ACCESS_SHARE = "ACCESS SHARE"
    ROW_SHARE = "ROW SHARE"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    EXCLUSIVE = "EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"

    @property
    def strength(self) -> int:
        """Its place among the modes; the higher, the more it conflicts with."""
        return tuple(Mode).index(self)

    @property
    def blocks_reads(self) -> bool:
        """Whether a plain SELECT waits for it."""
        return self is Mode.ACCESS_EXCLUSIVE

    @property
    def blocks_writes(self) -> bool:
        """Whether INSERT, UPDATE and DELETE wait for it."""
        return self.strength >= Mode.SHARE.strength

    @classmethod
    def parse(cls, catalog: str) -> Mode:
        """Return a mode by its name in pg_locks, such as `ShareUpdateExclusiveLock`."""
        words = "".join(f" {c}" if c.isupper() and i else c for i, c in enumerate(catalog.removesuffix("Lock")))
        return cls(words.upper())


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock on a table or an index, by the name that production knows it by."""

    relation: RelationName
    mode: Mode
    table: RelationName | None = None
    is_new: bool = False

    @property
    def of(self) -> RelationName:
        """The table that queries wait for: an index's own lock stops whoever plans a query of its table."""
        return self.table or self.relation


_AEL, _SRE, _SUE, _SHARE = (
    Mode.ACCESS_EXCLUSIVE,
    Mode.SHARE_ROW_EXCLUSIVE,
    Mode.SHARE_UPDATE_EXCLUSIVE,
    Mode.SHARE,
)

#: Forms of ALTER TABLE that take less than ACCESS EXCLUSIVE.
_ALTER = {
    "SET STATISTICS": _SUE, "SET (column)": _SUE, "RESET (column)": _SUE, "CLUSTER ON": _SUE,
    "SET WITHOUT CLUSTER": _SUE, "VALIDATE CONSTRAINT": _SUE, "ATTACH PARTITION": _SUE, "SET (": _SUE, "RESET (": _SUE,
    "DETACH PARTITION FINALIZE": _SUE, "ADD FOREIGN KEY": _SRE, "ENABLE TRIGGER": _SRE, "DISABLE TRIGGER": _SRE,
    "ENABLE ALWAYS TRIGGER": _SRE, "ENABLE REPLICA TRIGGER": _SRE,
}  # fmt: skip
#: Storage parameters that concern queries, not only vacuum and inserts (`reloptions.c`, lockmode of each).
_STRONG_OPTIONS = frozenset({"user_catalog_table", "security_barrier", "check_option", "security_invoker"})
_VERBS = {
    "CREATE INDEX": _SHARE, "CREATE UNIQUE INDEX": _SHARE, "DROP TABLE": _AEL, "DROP INDEX": _AEL,
    "DROP VIEW": _AEL, "DROP MATERIALIZED VIEW": _AEL, "DROP SEQUENCE": _AEL, "DROP FOREIGN TABLE": _AEL,
    "TRUNCATE": _AEL, "CLUSTER": _AEL, "VACUUM FULL": _AEL, "VACUUM": _SUE, "ANALYZE": _SUE,
    "REFRESH MATERIALIZED VIEW": _AEL, "CREATE TRIGGER": _SRE, "CREATE CONSTRAINT TRIGGER": _SRE,
    "DROP TRIGGER": _AEL, "CREATE RULE": _AEL, "DROP RULE": _AEL, "CREATE POLICY": _AEL, "ALTER POLICY": _AEL,
    "DROP POLICY": _AEL, "CREATE STATISTICS": _SUE, "COMMENT ON TABLE": _SUE, "COMMENT ON COLUMN": _SUE,
    "COMMENT ON INDEX": _SUE, "COMMENT ON VIEW": _SUE, "COMMENT ON MATERIALIZED VIEW": _SUE,
    "REINDEX TABLE": _SHARE, "INSERT": Mode.ROW_EXCLUSIVE, "UPDATE": Mode.ROW_EXCLUSIVE,
    "DELETE": Mode.ROW_EXCLUSIVE, "MERGE": Mode.ROW_EXCLUSIVE, "COPY FROM": Mode.ROW_EXCLUSIVE,
    "COPY TO": Mode.ACCESS_SHARE,
}  # fmt: skip


def predicted(definition: Definition, profile: Profile) -> tuple[Lock, ...]:
    """Return the locks that a statement takes on what production has, each relation's strongest, from the manual."""
    found: dict[RelationName, Lock] = {}
    for lock in _Reader(profile=profile).locks(definition):
        before = found.get(lock.relation)
        if before is None or before.mode.strength < lock.mode.strength:
            found[lock.relation] = lock
    return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    profile: Profile

    def locks(self, said: Definition) -> tuple[Lock, ...]:
        """Return every lock that the statement's words name."""
        if said.actions:
            return self._alter(said)
        if said.verb == "CREATE TABLE":
            return self._create_table(said)
        if said.verb in ("DROP INDEX", "REINDEX INDEX"):
            return tuple(lock for name in _all(said) for lock in self._index(name, said))
        if said.verb == "LOCK TABLE":
            return self._on(_all(said), Mode(said.value or "ACCESS EXCLUSIVE"))
        mode = self._mode(said)
        if mode is None:
            return ()
        return (*self._on(_all(said), mode), *self._referenced_by_dropped(said))

    def _mode(self, said: Definition) -> Mode | None:
        mode = _VERBS.get(said.verb)
        if said.verb == "REFRESH MATERIALIZED VIEW" and said.concurrently:
            return Mode.EXCLUSIVE
        return _SUE if mode is not None and said.concurrently else mode

    def _alter(self, said: Definition) -> tuple[Lock, ...]:
        if said.relation is None:
            return ()
        if said.verb == "ALTER INDEX":
            return tuple(self._altered_index(said, said.relation))
        found = [lock for action in said.actions for lock in self._action(said, action, said.relation)]
        return tuple(found)

    def _action(self, said: Definition, action: Action, target: TableName) -> tuple[Lock, ...]:
        mode = mode_of(action)
        if said.verb == "ALTER SEQUENCE" and action.form not in ("RENAME TO", "SET SCHEMA", "OWNER TO"):
            mode = _SRE
        own = self._on((target,), mode)
        return (*own, *self._partner(action, mode), *self._keys_made_again(action, target))

    def _partner(self, action: Action, mode: Mode) -> tuple[Lock, ...]:
        """Return the locks on the other tables that an action names."""
        added = [a for a in action.with_constraints if a.references is not None]
        extra = tuple(lock for a in added for lock in self._on((a.references,) if a.references else (), _SRE))
        if action.references is None:
            return extra
        if action.form in ("ATTACH PARTITION", "DETACH PARTITION", "DETACH PARTITION FINALIZE"):
            return self._on((action.references,), _AEL)
        if action.form in ("INHERIT", "NO INHERIT"):
            return self._on((action.references,), _SUE if action.form == "INHERIT" else Mode.ACCESS_SHARE)
        return self._on((action.references,), _SRE)

    def _keys_made_again(self, action: Action, target: TableName) -> tuple[Lock, ...]:
        """Return the locks on the other ends of foreign keys that an action drops or makes again: triggers go too."""
        table = self._table(target)
        if table is None:
            return ()
        own = [k for k in table.foreign_keys if _drops(action, k)]
        ends = [k.references for k in own if k.references is not None]
        if action.form == "ALTER COLUMN TYPE":
            pointing = self.profile.referencing(table.relation)
            ends += [t.relation for t, k in pointing if action.column in k.referenced_columns]
        return tuple(Lock(relation=r, mode=_AEL) for r in ends)

    def _referenced_by_dropped(self, said: Definition) -> tuple[Lock, ...]:
        if said.verb != "DROP TABLE":
            return ()
        tables = [t for n in _all(said) if (t := self._table(n)) is not None]
        keys = [k for t in tables for k in t.foreign_keys if k.references is not None and k.references != t.relation]
        return tuple(Lock(relation=k.references, mode=_AEL) for k in keys if k.references is not None)

    def _create_table(self, said: Definition) -> tuple[Lock, ...]:
        parent = self._on((said.partition_of,), _AEL) if said.partition_of is not None else ()
        return (*parent, *self._on(said.others, _SRE))

    def _altered_index(self, said: Definition, name: TableName) -> Iterator[Lock]:
        table = self._owner(name)
        light = {"RENAME TO", "SET (", "RESET (", "SET STATISTICS"} >= set(said.forms)
        if table is not None:
            index = RelationName(schema=table.schema, name=name.name)
            yield Lock(relation=index, mode=_SUE if light else _AEL, table=table.relation)

    def _owner(self, name: TableName) -> Table | None:
        """Return the table of an index."""
        schemas = (name.schema,) if name.schema else self.profile.search_path
        found = (self.profile.table_of_index(s, name.name) for s in schemas)
        return next((t for t in found if t is not None), None)

    def _index(self, name: TableName, said: Definition) -> tuple[Lock, ...]:
        table = self._owner(name)
        if table is None:
            return ()
        index = RelationName(schema=table.schema, name=name.name)
        own = _SUE if said.concurrently else _AEL
        whole = _SUE if said.concurrently else _SHARE if said.verb == "REINDEX INDEX" else _AEL
        return Lock(relation=index, mode=own, table=table.relation), Lock(relation=table.relation, mode=whole)

    def _table(self, name: TableName) -> Table | None:
        return self.profile.find_table(name.name, name.schema)

    def _on(self, names: tuple[TableName, ...], mode: Mode) -> tuple[Lock, ...]:
        tables = (t for n in names if (t := self._table(n)) is not None)
        return tuple(Lock(relation=t.relation, mode=mode) for t in tables)


def _drops(action: Action, key: Constraint) -> bool:
    """Whether an action drops a foreign key, for good or to make it again."""
    if action.form == "ALTER COLUMN TYPE":
        return action.column in key.columns
    if action.form == "ALTER CONSTRAINT" and "enforced" not in action.options:
        return False
    return action.form in ("DROP CONSTRAINT", "ALTER CONSTRAINT") and action.name == key.name


def _all(said: Definition) -> tuple[TableName, ...]:
    return (*(() if said.relation is None else (said.relation,)), *said.others)


def mode_of(action: Action) -> Mode:
    """Return the lock that a form of ALTER TABLE takes on its table."""
    if action.form in ("SET (", "RESET (") and _STRONG_OPTIONS & set(action.options):
        return _AEL
    if action.form == "DETACH PARTITION" and action.concurrently:
        return _SUE
    return _ALTER.get(action.form, _AEL)
