"""Turns a profile's schema into the statements that create it again, empty.

Only what a plan can depend on is created.  The order inside a phase is production's OID order, because PostgreSQL
breaks ties between equally cheap indexes, and sorts inheritance children, by OID.  What depends on what is not worked
out here: `build` runs a phase in passes until nothing new succeeds, as dependencies between functions, types and
relations can point any way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from premortem.model import (
    Column,
    Constraint,
    ConstraintKind,
    ExtendedStatistics,
    ObjectKind,
    Profile,
    RelationKind,
    SchemaObject,
    Table,
    qualified,
    quoted,
)

_KEY_CONSTRAINTS = (ConstraintKind.PRIMARY_KEY, ConstraintKind.UNIQUE, ConstraintKind.EXCLUSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of the schema, and the thing that is missing from the twin where it fails."""

    subject: str
    sql: str


def phases(profile: Profile) -> tuple[tuple[Statement, ...], ...]:
    """Return the statements that create the profile's schema, phase by phase."""
    tables = profile.tables
    stored = [t for t in tables if t.kind not in (RelationKind.VIEW, RelationKind.MATERIALIZED_VIEW)]
    return (
        tuple(_schemas(profile)),
        tuple(_extensions(profile)),
        tuple(
            chain(
                (_object(o) for o in profile.objects if not o.after_tables and o.kind is not ObjectKind.SCHEMA),
                (_create_table(t) for t in stored),
                (_object(o) for o in profile.objects if o.after_tables and o.kind is not ObjectKind.RULE),
                (_create_view(t) for t in tables if t.definition is not None),
            )
        ),
        tuple(chain.from_iterable(_attach(t) for t in stored)),
        tuple(chain.from_iterable(_defaults(t) for t in stored)),
        tuple(chain.from_iterable(indexes(t) for t in tables)),
        tuple(chain.from_iterable(attach_indexes(t) for t in tables)),
        tuple(chain.from_iterable(constraints(t) for t in stored)),
        tuple(
            chain(
                chain.from_iterable(extended_statistics(t) for t in tables),
                chain.from_iterable(column_options(t) for t in stored),
                chain.from_iterable(triggers(t) for t in tables),
                chain.from_iterable(row_security(t) for t in tables),
                rules(profile),
            )
        ),
    )


def rules(profile: Profile) -> Iterator[Statement]:
    """What rewrites statements, such as an INSERT into a view."""
    return (_object(o) for o in profile.objects if o.kind is ObjectKind.RULE)


def _schemas(profile: Profile) -> Iterator[Statement]:
    named = {o.name for o in profile.objects if o.kind is ObjectKind.SCHEMA}
    used = {t.schema for t in profile.tables} | {e.schema for e in profile.extensions}
    used |= {o.schema for o in profile.objects}
    for name in sorted((named | used) - {"", "pg_catalog", "information_schema"}):
        yield Statement(subject=f"schema {name}", sql=f"CREATE SCHEMA IF NOT EXISTS {quoted(name)}")


def _extensions(profile: Profile) -> Iterator[Statement]:
    for extension in profile.extensions:
        if extension.name == "plpgsql":
            continue
        place = "" if extension.schema == "pg_catalog" else f" SCHEMA {quoted(extension.schema)}"
        sql = f"CREATE EXTENSION IF NOT EXISTS {quoted(extension.name)}{place}"
        yield Statement(subject=f"extension {extension.name}", sql=f"{sql} CASCADE")


def _object(item: SchemaObject) -> Statement:
    return Statement(subject=f"{item.kind} {item.schema}.{item.name}", sql=item.definition)


def _create_table(table: Table) -> Statement:
    return Statement(subject=f"table {table.full_name}", sql=create_table_sql(table))


def create_table_sql(table: Table) -> str:
    """Return CREATE TABLE with columns and storage, without defaults, constraints and indexes."""
    foreign = " FOREIGN" if table.kind is RelationKind.FOREIGN_TABLE else ""
    unlogged = " UNLOGGED" if table.persistence == "unlogged" else ""
    partition = table.partition_bound is not None
    columns = ", ".join(_column(c, identity=not partition) for c in _created_columns(table))
    return f"CREATE{foreign}{unlogged} TABLE {table.relation.sql} ({columns})" + "".join(_table_clauses(table))


def _created_columns(table: Table) -> tuple[Column, ...]:
    """A partition is created with its columns and attached; a child by INHERITS brings only its own."""
    if table.parents and table.partition_bound is None:
        return tuple(c for c in table.columns if c.is_local)
    return table.columns


def _table_clauses(table: Table) -> Iterator[str]:
    if table.parents and table.partition_bound is None:
        yield f" INHERITS ({', '.join(p.sql for p in table.parents)})"
    if table.partition_key is not None:
        yield f" PARTITION BY {table.partition_key}"
    if table.kind is RelationKind.FOREIGN_TABLE:
        yield f" SERVER {quoted(table.foreign_server or 'premortem')}"
    if table.access_method not in (None, "heap") and table.kind is not RelationKind.FOREIGN_TABLE:
        yield f" USING {quoted(table.access_method or 'heap')}"
    if table.options and table.kind is not RelationKind.FOREIGN_TABLE:
        yield f" WITH ({', '.join(_option(o) for o in table.options)})"
    if table.tablespace is not None and table.kind is not RelationKind.FOREIGN_TABLE:
        yield f" TABLESPACE {quoted(table.tablespace)}"


def _option(option: str) -> str:
    name, _, value = option.partition("=")
    return f"{name}='{value}'"


def _column(column: Column, *, identity: bool) -> str:
    parts = [quoted(column.name), column.type]
    if column.collation:
        parts.append(f"COLLATE {column.collation}")
    if column.generated:
        parts.append(f"GENERATED ALWAYS AS ({column.default}) {column.generated.upper()}")
    elif column.identity and identity:  # a partition takes its identity from its parent when it is attached
        parts.append(f"GENERATED {column.identity.upper()} AS IDENTITY")
    if column.not_null:
        parts.append("NOT NULL")
    return " ".join(parts)


def _create_view(table: Table) -> Statement:
    kind = "MATERIALIZED VIEW" if table.kind is RelationKind.MATERIALIZED_VIEW else "VIEW"
    options = f" WITH ({', '.join(table.options)})" if table.options else ""
    body = (table.definition or "").rstrip().rstrip(";")
    no_data = " WITH NO DATA" if table.kind is RelationKind.MATERIALIZED_VIEW else ""
    names = f" ({', '.join(quoted(c.name) for c in table.columns)})" if table.columns else ""
    sql = f"CREATE {kind} {table.relation.sql}{names}{options} AS {body}{no_data}"
    return Statement(subject=f"{kind.lower()} {table.full_name}", sql=sql)


def _attach(table: Table) -> Iterator[Statement]:
    if table.partition_bound is not None and table.parents:
        sql = f"ALTER TABLE {table.parents[0].sql} ATTACH PARTITION {table.relation.sql} {table.partition_bound}"
        yield Statement(subject=f"partition {table.full_name}", sql=sql)


def _defaults(table: Table) -> Iterator[Statement]:
    for column in table.columns:
        if column.default is not None and not column.generated and not column.identity:
            sql = f"ALTER TABLE {table.relation.sql} ALTER COLUMN {quoted(column.name)} SET DEFAULT {column.default}"
            yield Statement(subject=f"default of {table.full_name}.{column.name}", sql=sql)


def indexes(table: Table) -> Iterator[Statement]:
    """Indexes and the constraints that own one, in OID order."""
    owners = {c.name: c for c in table.constraints if c.kind in _KEY_CONSTRAINTS}
    for index in table.indexes:
        owner = owners.get(index.constraint or "")
        yield Statement(
            subject=f"index {qualified(table.schema, index.name)}",
            sql=index.definition if owner is None else add_constraint(table, owner),
        )


def add_constraint(table: Table, constraint: Constraint) -> str:
    """Return ALTER TABLE … ADD CONSTRAINT."""
    only = "ONLY " if constraint.kind is not ConstraintKind.FOREIGN_KEY else ""
    return f"ALTER TABLE {only}{table.relation.sql} ADD CONSTRAINT {quoted(constraint.name)} {constraint.definition}"


def attach_indexes(table: Table) -> Iterator[Statement]:
    """Ties the indexes of partitions to those of their parents."""
    for index in table.indexes:
        if index.parent is not None:
            sql = f"ALTER INDEX {index.parent.sql} ATTACH PARTITION {qualified(table.schema, index.name)}"
            yield Statement(subject=f"index {qualified(table.schema, index.name)}", sql=sql)


def constraints(table: Table) -> Iterator[Statement]:
    """Checks first, then foreign keys: both may refer to anything that exists by now."""
    wanted = (ConstraintKind.CHECK, ConstraintKind.FOREIGN_KEY)
    for constraint in sorted((c for c in table.constraints if c.kind in wanted), key=lambda c: wanted.index(c.kind)):
        if constraint.inherited_from is None and constraint.is_local:
            yield Statement(
                subject=f"{constraint.kind} {constraint.name} of {table.full_name}",
                sql=add_constraint(table, constraint).replace("TABLE ONLY ", "TABLE ", 1),
            )


def extended_statistics(table: Table) -> Iterator[Statement]:
    """CREATE STATISTICS, without what ANALYZE fills it with."""
    for statistics in table.statistics:
        yield Statement(subject=f"statistics {statistics_name(statistics)}", sql=statistics.definition)


def statistics_name(statistics: ExtendedStatistics) -> str:
    """Return the qualified name of an extended statistics object."""
    return qualified(statistics.schema, statistics.name)


def column_options(table: Table) -> Iterator[Statement]:
    """What somebody told the planner of a column's distinct values."""
    for column in table.columns:
        if column.n_distinct_override is not None:
            sql = (
                f"ALTER TABLE {table.relation.sql} ALTER COLUMN {quoted(column.name)}"
                f" SET (n_distinct = {column.n_distinct_override})"
            )
            yield Statement(subject=f"n_distinct of {table.full_name}.{column.name}", sql=sql)


def triggers(table: Table) -> Iterator[Statement]:
    """The table's own triggers."""
    for trigger in table.triggers:
        yield Statement(subject=f"trigger {trigger.name} of {table.full_name}", sql=trigger.definition)


def row_security(table: Table) -> Iterator[Statement]:
    """Policies, then whether they apply."""
    for policy in table.policies:
        how = "PERMISSIVE" if policy.permissive else "RESTRICTIVE"
        roles = ", ".join("PUBLIC" if r == "public" else quoted(r) for r in policy.roles) or "PUBLIC"
        using = f" USING ({policy.using})" if policy.using else ""
        check = f" WITH CHECK ({policy.check})" if policy.check else ""
        sql = f"CREATE POLICY {quoted(policy.name)} ON {table.relation.sql} AS {how} FOR {policy.command} TO {roles}"
        yield Statement(subject=f"policy {policy.name} of {table.full_name}", sql=sql + using + check)
    if table.row_security:
        sql = f"ALTER TABLE {table.relation.sql} ENABLE ROW LEVEL SECURITY"
        yield Statement(subject=f"row-level security of {table.full_name}", sql=sql)
    if table.force_row_security:
        sql = f"ALTER TABLE {table.relation.sql} FORCE ROW LEVEL SECURITY"
        yield Statement(subject=f"row-level security of {table.full_name}", sql=sql)


def policy_roles(profile: Profile) -> tuple[str, ...]:
    """Return the roles that row-level security policies name."""
    named = {role for table in profile.tables for policy in table.policies for role in policy.roles}
    return tuple(sorted(named - {"public"}))
