"""Turns catalog rows into tables: pure, so that it can be read and tested without a server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from premortem.catalog.rows import (
    ActivityRow,
    ColumnRow,
    ConstraintRow,
    GinRow,
    IndexRow,
    KeyRow,
    PolicyRow,
    RelationRow,
    TriggerRow,
)
from premortem.model import (
    Column,
    ColumnStatistics,
    Constraint,
    ConstraintKind,
    ExtendedStatistics,
    Index,
    KeyColumn,
    Policy,
    RelationKind,
    RelationName,
    Table,
    TableActivity,
    TriggerDefinition,
    qualified,
    quoted,
)

T = TypeVar("T")

KINDS = {
    "r": RelationKind.TABLE, "p": RelationKind.PARTITIONED_TABLE, "v": RelationKind.VIEW,
    "m": RelationKind.MATERIALIZED_VIEW, "f": RelationKind.FOREIGN_TABLE,
}  # fmt: skip
_PERSISTENCE = {"p": "permanent", "u": "unlogged", "t": "temporary"}
_GENERATED = {"s": "stored", "v": "virtual"}
_IDENTITY = {"a": "always", "d": "by default"}
_STORAGE = {"p": "plain", "e": "external", "m": "main", "x": "extended"}
_COMPRESSION = {"p": "pglz", "l": "lz4"}
_CONSTRAINTS = {
    "p": ConstraintKind.PRIMARY_KEY, "u": ConstraintKind.UNIQUE, "f": ConstraintKind.FOREIGN_KEY,
    "c": ConstraintKind.CHECK, "x": ConstraintKind.EXCLUSION, "n": ConstraintKind.NOT_NULL,
}  # fmt: skip
_ACTIONS = {"a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default", " ": "no action"}
_COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "*": "ALL"}
_PAGES_PER_RANGE = 128.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Everything that was read of relations, by OID."""

    relations: tuple[RelationRow, ...]
    parents: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    columns: Mapping[int, tuple[ColumnRow, ...]] = field(default_factory=dict)
    defaults: Mapping[tuple[int, int], str] = field(default_factory=dict)
    bounds: Mapping[int, str] = field(default_factory=dict)
    views: Mapping[int, str] = field(default_factory=dict)
    predicates: Mapping[int, str] = field(default_factory=dict)
    index_definitions: Mapping[int, str] = field(default_factory=dict)
    key_expressions: Mapping[tuple[int, int], str] = field(default_factory=dict)
    constraint_definitions: Mapping[int, str] = field(default_factory=dict)
    trigger_definitions: Mapping[int, str] = field(default_factory=dict)
    constraints: Mapping[int, tuple[ConstraintRow, ...]] = field(default_factory=dict)
    indexes: Mapping[int, tuple[IndexRow, ...]] = field(default_factory=dict)
    keys: Mapping[int, tuple[KeyRow, ...]] = field(default_factory=dict)
    policies: Mapping[int, tuple[PolicyRow, ...]] = field(default_factory=dict)
    triggers: Mapping[int, tuple[TriggerRow, ...]] = field(default_factory=dict)
    activity: Mapping[int, ActivityRow] = field(default_factory=dict)
    statistics: Mapping[tuple[int, int], tuple[ColumnStatistics, ...]] = field(default_factory=dict)
    extended: Mapping[int, tuple[ExtendedStatistics, ...]] = field(default_factory=dict)
    sizes: Mapping[int, int] = field(default_factory=dict)
    levels: Mapping[int, int] = field(default_factory=dict)
    gin: Mapping[int, GinRow] = field(default_factory=dict)
    window: timedelta | None = None
    version_num: int = 0


def grouped(rows: Iterable[T], key: Callable[[T], int]) -> dict[int, tuple[T, ...]]:
    """Return the rows by key, in their order."""
    found: defaultdict[int, list[T]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return {oid: tuple(group) for oid, group in found.items()}


def tables(read: Read) -> tuple[Table, ...]:
    """Return the relations as the profile keeps them, in order of creation."""
    names = {row.oid: RelationName(schema=row.schema, name=row.name) for row in read.relations}
    return tuple(_table(row, read, names) for row in read.relations)


def _table(row: RelationRow, read: Read, names: Mapping[int, RelationName]) -> Table:
    kind = KINDS[row.kind]
    return Table(
        schema=row.schema, name=row.name, kind=kind,
        columns=tuple(_column(column, read) for column in read.columns.get(row.oid, ())),
        constraints=tuple(_constraints(row.oid, read)),
        indexes=tuple(_indexes(row.oid, read)),
        statistics=read.extended.get(row.oid, ()),
        policies=tuple(_policy(policy) for policy in read.policies.get(row.oid, ())),
        triggers=tuple(_triggers(row.oid, read)),
        row_security=row.row_security, force_row_security=row.force_row_security, owner=row.owner,
        persistence=_PERSISTENCE.get(row.persistence, row.persistence), access_method=row.access_method,
        tablespace=_tablespace(row.tablespace, kind.has_storage or kind is RelationKind.PARTITIONED_TABLE),
        options=tuple(row.options or ()),
        parents=tuple(names[oid] for oid in read.parents.get(row.oid, ()) if oid in names),
        partition_bound=read.bounds.get(row.oid), partition_key=row.partition_key, of_type=row.of_type,
        definition=read.views.get(row.oid), foreign_server=row.foreign_server, has_subclass=row.has_subclass,
        pages=read.sizes.get(row.oid, row.relation_pages if kind.has_storage else 0),
        relation_pages=row.relation_pages, tuples=_tuples(row, read.version_num), all_visible=row.all_visible,
        toast_bytes=row.toast_pages * 8192, activity=_activity(read.activity.get(row.oid), read.window),
    )  # fmt: skip


def _tablespace(name: str | None, stored: bool) -> str | None:
    return None if name == "pg_default" or not stored else name


def _tuples(row: RelationRow, version_num: int) -> float:
    """Before 14 a relation that was never analyzed has 0 tuples on 0 pages, since then -1."""
    return -1.0 if version_num < 140_000 and row.tuples == 0 and row.relation_pages == 0 else row.tuples


def _column(row: ColumnRow, read: Read) -> Column:
    return Column(
        name=row.name, number=row.number, type=row.type, not_null=row.not_null,
        default=read.defaults.get((row.relation, row.number)), generated=_GENERATED.get(row.generated, ""),
        identity=_IDENTITY.get(row.identity, ""), collation=row.collation,
        storage=_STORAGE.get(row.storage or ""), compression=_COMPRESSION.get(row.compression or ""),
        statistics_target=row.statistics_target, n_distinct_override=_n_distinct(row.options),
        is_local=row.is_local, statistics=read.statistics.get((row.relation, row.number), ()),
    )  # fmt: skip


def _n_distinct(options: list[str] | None) -> float | None:
    given = dict(option.split("=", 1) for option in options or ())
    return float(given["n_distinct"]) if "n_distinct" in given else None


def _constraints(oid: int, read: Read) -> Iterator[Constraint]:
    for row in read.constraints.get(oid, ()):
        if (definition := read.constraint_definitions.get(row.oid)) is not None:
            yield _constraint(row, definition)


def _indexes(oid: int, read: Read) -> Iterator[Index]:
    for row in read.indexes.get(oid, ()):
        definition = read.index_definitions.get(row.oid) or plain_definition(row, read)
        if definition is not None:
            yield _index(row, definition, read)


def plain_definition(row: IndexRow, read: Read) -> str | None:
    """Return CREATE INDEX of an index on columns, put together without the lock that pg_get_indexdef wants.

    None for an index with expressions or a condition.
    """
    table = next((r for r in read.relations if r.oid == row.relation), None)
    keys = read.keys.get(row.oid, ())
    if table is None or row.is_partial or any(key.column_name is None for key in keys):
        return None
    shown = ", ".join(_plain_key(key) for key in keys if key.position <= row.key_count)
    included = ", ".join(quoted(key.column_name or "") for key in keys if key.position > row.key_count)
    return (
        f"CREATE{' UNIQUE' if row.is_unique else ''} INDEX {quoted(row.name)} ON {'ONLY ' if row.kind == 'I' else ''}"
        f"{qualified(table.schema, table.name)} USING {row.method} ({shown})"
        + (f" INCLUDE ({included})" if included else "")
        + (" NULLS NOT DISTINCT" if row.nulls_not_distinct else "")
        + (f" WITH ({', '.join(row.options)})" if row.options else "")
    )


def _plain_key(key: KeyRow) -> str:
    collation = f" COLLATE {key.collation}" if key.collation else ""
    opclass = "" if key.opclass_is_default else f" {key.opclass}"
    descending, nulls_first = bool(key.option & 1), bool(key.option & 2)
    nulls = "" if descending == nulls_first else " NULLS FIRST" if nulls_first else " NULLS LAST"
    return f"{quoted(key.column_name or '')}{collation}{opclass}{' DESC' if descending else ''}{nulls}"


def _triggers(oid: int, read: Read) -> Iterator[TriggerDefinition]:
    for row in read.triggers.get(oid, ()):
        if (definition := read.trigger_definitions.get(row.oid)) is not None:
            yield TriggerDefinition(name=row.name, definition=definition, row_level=row.row_level, enabled=row.enabled)


def _constraint(row: ConstraintRow, definition: str) -> Constraint:
    references = None
    if row.references_schema is not None and row.references_name is not None:
        references = RelationName(schema=row.references_schema, name=row.references_name)
    return Constraint(
        name=row.name, kind=_CONSTRAINTS[row.kind], definition=definition, columns=tuple(row.columns),
        validated=row.validated, deferrable=row.deferrable, is_local=row.is_local, references=references,
        referenced_columns=tuple(row.referenced_columns), on_delete=_ACTIONS[row.on_delete],
        on_update=_ACTIONS[row.on_update], inherited_from=row.inherited_from,
    )  # fmt: skip


def _index(row: IndexRow, definition: str, read: Read) -> Index:
    keys = [key for key in read.keys.get(row.oid, ()) if key.position <= row.key_count]
    included = [key for key in read.keys.get(row.oid, ()) if key.position > row.key_count]
    parent = None
    if row.parent_schema is not None and row.parent_name is not None:
        parent = RelationName(schema=row.parent_schema, name=row.parent_name)
    return Index(
        name=row.name, definition=definition, method=row.method, keys=tuple(_key(key, read) for key in keys),
        include=tuple(key.column_name or key.attribute for key in included), predicate=read.predicates.get(row.oid),
        unique=row.is_unique, primary=row.is_primary, exclusion=row.is_exclusion,
        nulls_not_distinct=row.nulls_not_distinct, immediate=row.immediate, valid=row.valid, ready=row.ready,
        clustered=row.clustered, replica_identity=row.replica_identity, constraint=row.constraint_name,
        parent=parent, tablespace=_tablespace(row.tablespace, True), pages=read.sizes.get(row.oid, row.relation_pages),
        relation_pages=row.relation_pages, tuples=row.tuples, level=read.levels.get(row.oid),
        metapage=_metapage(row, read), scans_per_second=_rate(row.scans, read.window), scans=row.scans,
        last_used=row.last_used,
        expression_columns=tuple(_expression_column(key, read) for key in keys if key.column_name is None),
    )  # fmt: skip


def _key(row: KeyRow, read: Read) -> KeyColumn:
    expression = read.key_expressions.get((row.index, row.position))
    return KeyColumn(
        column=row.column_name, expression=None if expression is None else unwrapped(expression),
        opclass=row.opclass or "", opclass_is_default=bool(row.opclass_is_default), collation=row.collation,
        descending=bool(row.option & 1), nulls_first=bool(row.option & 2),
    )  # fmt: skip


def unwrapped(expression: str) -> str:
    """Return an index expression without the parentheses that CREATE INDEX wants around all but function calls.

    >>> unwrapped("((a + b))"), unwrapped("lower(a)"), unwrapped("(a + b)")
    ('(a + b)', 'lower(a)', 'a + b')
    """
    return expression[1:-1] if expression.startswith("(") and expression.endswith(")") else expression


def _expression_column(row: KeyRow, read: Read) -> Column:
    return Column(
        name=row.attribute, number=row.position, type=row.type, statistics_target=row.statistics_target,
        statistics=read.statistics.get((row.index, row.position), ()),
    )  # fmt: skip


def _metapage(row: IndexRow, read: Read) -> tuple[tuple[str, float], ...]:
    if row.method == "brin":
        given = dict(option.split("=", 1) for option in row.options or ())
        return (("pages_per_range", float(given.get("pages_per_range", _PAGES_PER_RANGE))),)
    figures = read.gin.get(row.oid)
    if figures is None:
        return ()
    names = ("n_pending_pages", "n_total_pages", "n_entry_pages", "n_data_pages", "n_entries")
    return tuple((name, float(getattr(figures, name))) for name in names)


def _policy(row: PolicyRow) -> Policy:
    return Policy(
        name=row.name, command=_COMMANDS.get(row.command, "ALL"), permissive=row.permissive, roles=tuple(row.roles),
        using=row.using, check=row.check,
    )  # fmt: skip


def _activity(row: ActivityRow | None, window: timedelta | None) -> TableActivity:
    if row is None:
        return TableActivity(window=window)
    return TableActivity(
        window=window, inserts=_rate(row.inserts, window) or 0.0, updates=_rate(row.updates, window) or 0.0,
        hot_updates=_rate(row.hot_updates, window) or 0.0, deletes=_rate(row.deletes, window) or 0.0,
        sequential_scans=_rate(row.sequential_scans, window) or 0.0, index_scans=_rate(row.index_scans, window) or 0.0,
        dead_tuples=float(row.dead_tuples), modified_since_analyze=float(row.modified_since_analyze),
        last_analyze=row.last_analyze, last_vacuum=row.last_vacuum,
    )  # fmt: skip


def _rate(count: int | None, window: timedelta | None) -> float | None:
    if count is None or window is None or window <= timedelta(0):
        return None
    return count / window.total_seconds()
