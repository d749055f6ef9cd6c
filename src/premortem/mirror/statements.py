"""What has to be said to a target beside the rows: which statements, in which order.  Pure.

The schema's own statements are the twin's (`twin.ddl`).  A mirror differs in the order: whatever makes loading slow or
could refuse a row comes after the rows.

```
schema            tables and views as production has them, what columns are stored as, extended statistics
  (rows)
indexes           in production's order within a table, for the planner breaks ties by it
keys              primary keys and unique constraints made of indexes that are there
gathering         VACUUM (ANALYZE)
constraints       NOT VALID, then validated: a lock that reads and writes are let through by
views             materialized ones
last              triggers, rules, row-level security
```
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from premortem.model import (
    Column,
    Constraint,
    ConstraintKind,
    Index,
    Profile,
    RelationKind,
    RelationName,
    Table,
    qualified,
    quoted,
)
from premortem.twin import ddl
from premortem.twin.ddl import Statement

#: How often the catalog says what PostgreSQL does anyway: storage that no column type of ours has by default.
_FIXED_WIDTH = frozenset({"plain"})


def foundation(profile: Profile) -> tuple[Statement, ...]:
    """Return the statements that create schemas and extensions."""
    schemas, extensions, *_ = ddl.phases(profile)
    return (*schemas, *extensions)


def schema(profile: Profile) -> tuple[tuple[Statement, ...], ...]:
    """Return the statements that create everything that has to be there before the rows, phase by phase."""
    _, _, objects, attach, defaults, *_ = ddl.phases(profile)
    tables = [t for t in profile.tables if t.kind is not RelationKind.VIEW]
    options = chain.from_iterable(chain(ddl.column_options(t), _storage(t), _targets(t)) for t in tables)
    return objects, attach, defaults, tuple(options), tuple(chain.from_iterable(map(ddl.extended_statistics, tables)))


def _storage(table: Table) -> Iterator[Statement]:
    """How columns are kept: compressed or not, in TOAST or not; the number of pages depends on it."""
    if not table.kind.has_storage or table.kind is RelationKind.MATERIALIZED_VIEW:
        return
    for column in table.columns:
        place = f"ALTER TABLE ONLY {table.relation.sql} ALTER COLUMN {quoted(column.name)}"
        subject = f"storage of {table.full_name}.{column.name}"
        if column.storage is not None and column.storage not in _FIXED_WIDTH:
            yield Statement(subject=subject, sql=f"{place} SET STORAGE {column.storage}")
        if column.compression is not None:
            yield Statement(subject=subject, sql=f"{place} SET COMPRESSION {column.compression}")


def _targets(table: Table) -> Iterator[Statement]:
    """How much ANALYZE is to keep of a column."""
    for column in table.columns:
        if column.statistics_target is not None and column.statistics_target >= 0:
            sql = f"ALTER TABLE {table.relation.sql} ALTER COLUMN {quoted(column.name)}"
            yield Statement(
                subject=f"statistics target of {table.full_name}.{column.name}",
                sql=f"{sql} SET STATISTICS {column.statistics_target}",
            )


def indexes(profile: Profile) -> tuple[tuple[Statement, ...], ...]:
    """Return the statements that create the indexes, a sequence per table that keeps its order, largest table first.

    A unique constraint of a plain table is an index first: two of them may be built at once, which ADD CONSTRAINT's
    lock would not allow.
    """
    tables = [t for t in profile.tables if t.indexes and t.kind is not RelationKind.MATERIALIZED_VIEW]
    ordered = sorted(tables, key=lambda t: -sum(i.pages for i in t.indexes) - t.pages)
    return tuple(tuple(_indexes(t)) for t in ordered)


def _indexes(table: Table) -> Iterator[Statement]:
    made = dict(zip((i.name for i in table.indexes), ddl.indexes(table), strict=True))
    for index in table.indexes:
        if not index.valid and index.parent is None and table.kind.has_storage:
            continue  # what a failed CONCURRENTLY left: the planner does not see it
        yield replace(made[index.name], sql=index.definition) if _by_index(table, index) else made[index.name]


def _by_index(table: Table, index: Index) -> bool:
    owner = owner_of(table, index)
    kinds = (ConstraintKind.PRIMARY_KEY, ConstraintKind.UNIQUE)
    plain = table.kind is RelationKind.TABLE and owner is not None and owner.kind in kinds
    return plain and index.method == "btree" and "WITHOUT OVERLAPS" not in (owner.definition if owner else "")


def owner_of(table: Table, index: Index) -> Constraint | None:
    """Return the constraint that an index belongs to."""
    return next((c for c in table.constraints if c.name == index.constraint), None) if index.constraint else None


def skipped_indexes(profile: Profile) -> tuple[str, ...]:
    """Return the names of the invalid indexes, which are not built."""
    return tuple(
        qualified(t.schema, i.name)
        for t in profile.tables
        for i in t.indexes
        if not i.valid and i.parent is None and t.kind.has_storage
    )


def without_unique(sql: str) -> str | None:
    """Return the same index without its promise, None where it promises nothing.

    >>> without_unique("CREATE UNIQUE INDEX a ON t USING btree (b)")
    'CREATE INDEX a ON t USING btree (b)'
    """
    plain = sql.replace("CREATE UNIQUE INDEX", "CREATE INDEX", 1)
    return None if plain == sql else plain.replace(" NULLS NOT DISTINCT", "", 1)


def keys(profile: Profile) -> tuple[Statement, ...]:
    """Return the statements that turn unique indexes into the constraints that they are, and tie partitions' ones."""
    made = chain.from_iterable(_keys(t) for t in profile.tables)
    return (*made, *chain.from_iterable(ddl.attach_indexes(t) for t in profile.tables))


def _keys(table: Table) -> Iterator[Statement]:
    for index in table.indexes:
        owner = owner_of(table, index)
        if owner is None or not index.valid or not _by_index(table, index):
            continue
        kind = "PRIMARY KEY" if owner.kind is ConstraintKind.PRIMARY_KEY else "UNIQUE"
        sql = (
            f"ALTER TABLE {table.relation.sql} ADD CONSTRAINT {quoted(owner.name)} {kind}"
            f" USING INDEX {quoted(index.name)}{_deferring(owner)}"
        )
        yield Statement(subject=f"{owner.kind} {owner.name} of {table.full_name}", sql=sql)


def _deferring(constraint: Constraint) -> str:
    if not constraint.deferrable:
        return ""
    return " DEFERRABLE" + (" INITIALLY DEFERRED" if "INITIALLY DEFERRED" in constraint.definition else "")


def constraints(profile: Profile) -> tuple[tuple[Statement, Statement | None], ...]:
    """Return the checks and foreign keys: the statement that adds each, and the one that validates it.

    A partitioned table takes no foreign key that is NOT VALID (before PostgreSQL 18): it has one statement for both.
    """
    tables = [t for t in profile.tables if t.kind in (RelationKind.TABLE, RelationKind.PARTITIONED_TABLE)]
    every = [(t, c) for t in tables for c in t.constraints if c.inherited_from is None and c.is_local]
    checks = [pair for pair in every if pair[1].kind is ConstraintKind.CHECK]
    foreign = [pair for pair in every if pair[1].kind is ConstraintKind.FOREIGN_KEY]
    return tuple(_constraint(table, constraint) for table, constraint in (*checks, *foreign))


def _constraint(table: Table, constraint: Constraint) -> tuple[Statement, Statement | None]:
    subject = f"{constraint.kind} {constraint.name} of {table.full_name}"
    add = ddl.add_constraint(table, constraint).replace("TABLE ONLY ", "TABLE ", 1)
    whole = table.kind is RelationKind.PARTITIONED_TABLE and constraint.kind is ConstraintKind.FOREIGN_KEY
    if whole or add.endswith((" NOT VALID", " NOT ENFORCED")):
        return Statement(subject=subject, sql=add), None
    validate = f"ALTER TABLE {table.relation.sql} VALIDATE CONSTRAINT {quoted(constraint.name)}"
    return Statement(subject=subject, sql=f"{add} NOT VALID"), Statement(subject=subject, sql=validate)


def gathering(profile: Profile) -> tuple[tuple[Statement, ...], ...]:
    """Return what makes the rows visible to index-only scans and counts them: tables, largest first, then their roots.

    The empty tables too: one that was never analyzed is taken to have rows.
    """
    ordered = sorted(profile.tables, key=lambda t: -t.pages)
    tables = tuple(_gathered("VACUUM", t) for t in ordered if t.kind is RelationKind.TABLE)
    roots = (t for t in ordered if t.kind is RelationKind.PARTITIONED_TABLE and not t.parents)
    return tables, tuple(_gathered("ANALYZE", t) for t in roots)


def all_visible(profile: Profile) -> dict[str, float]:
    """Return the share of all-visible pages of production's tables, by the statement that gathers each.

    Index-only scans go to the heap for the rest, so queries of a mirror that was just vacuumed would read too little.
    """
    return {
        _gathered("VACUUM", t).sql: min(t.all_visible / t.relation_pages, 1.0)
        for t in profile.tables
        if t.kind is RelationKind.TABLE and t.relation_pages
    }


def analyzing(vacuum: str) -> str:
    """Return the statement that counts the rows of the table that was vacuumed."""
    return vacuum.replace("VACUUM ", "ANALYZE ", 1)


def filled(
    plans: Iterable[tuple[RelationName, int | None]], profile: Profile
) -> tuple[tuple[Statement, Statement], ...]:
    """Return what makes rows take as many pages as in production while they are loaded, and what undoes it.

    A table that production updated and deleted from has room in its pages, and is as much slower to read.
    """
    found = []
    for relation, factor in plans:
        table = profile.table(relation)
        if factor is not None and table is not None and table.kind is RelationKind.TABLE:
            own = next((o.partition("=")[2] for o in table.options if o.startswith("fillfactor=")), None)
            place, subject = f"ALTER TABLE {relation.sql}", f"fill factor of {table.full_name}"
            after = f"{place} SET (fillfactor = {own})" if own else f"{place} RESET (fillfactor)"
            before = Statement(subject=subject, sql=f"{place} SET (fillfactor = {factor}) /* while it is loaded */")
            found.append((before, Statement(subject=subject, sql=after)))
    return tuple(found)


def _gathered(verb: str, table: Table) -> Statement:
    return Statement(subject=f"statistics of {table.full_name}", sql=f"{verb} {table.relation.sql}")


def views(profile: Profile) -> tuple[tuple[Statement, ...], ...]:
    """Return what fills each materialized view and builds its indexes, a sequence per view."""
    kept = [t for t in profile.tables if t.kind is RelationKind.MATERIALIZED_VIEW]
    return tuple(
        (
            Statement(subject=f"rows of {t.full_name}", sql=f"REFRESH MATERIALIZED VIEW {t.relation.sql}"),
            *ddl.indexes(t),
            Statement(subject=f"statistics of {t.full_name}", sql=f"ANALYZE {t.relation.sql}"),
        )
        for t in kept
    )


def last(profile: Profile) -> tuple[Statement, ...]:
    """Return what must not act on the rows while they are loaded: triggers, rules, row-level security."""
    made = chain.from_iterable(chain(ddl.triggers(t), _disabled(t), ddl.row_security(t)) for t in profile.tables)
    return (*made, *ddl.rules(profile))


def _disabled(table: Table) -> Iterator[Statement]:
    for trigger in table.triggers:
        if not trigger.enabled:
            sql = f"ALTER TABLE {table.relation.sql} DISABLE TRIGGER {quoted(trigger.name)}"
            yield Statement(subject=f"trigger {trigger.name} of {table.full_name}", sql=sql)


def own_types(profile: Profile) -> frozenset[str]:
    """Return the types that the profile itself creates, by the names that columns have for them."""
    return frozenset(
        {qualified(o.schema, o.name) for o in profile.objects} | {t.relation.sql for t in profile.tables}
    )  # fmt: skip


def without_type(column: Column) -> Column:
    """Return the column as one of text: what its type is made of is not here."""
    return replace(column, type="text", default=None, generated="", collation=None, storage=None, compression=None)


def mirrored(tables: Iterable[Table]) -> tuple[Table, ...]:
    """Return the tables without those by which a mirror keeps its own books, for production may be one."""
    return tuple(t for t in tables if not (t.schema == "premortem" and t.name.startswith("mirror")))
