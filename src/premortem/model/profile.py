"""What production looks like, without its rows: everything a plan depends on, as values.

A profile keeps no OIDs; where PostgreSQL breaks ties by them (equal-cost indexes, creation order) the tuples here are
sorted in OID order.  Names are unquoted; definitions are SQL text from `pg_get_*def`, schema-qualified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from premortem.model.gap import Gap
from premortem.model.query import Query
from premortem.model.relation import RelationKind, RelationName, quoted


class Values(StrEnum):
    """Which values of production's statistics a profile holds."""

    LOW_CARDINALITY = "low-cardinality"
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """The server and database that a profile was taken from.

    `system_identifier` is the number that initdb gave the cluster, the same on its replicas and physical copies, empty
    where it could not be read; by it a mirror knows where it must not be built.  `standbys` is how many standbys
    streamed from it, None where nobody looked: they count for themselves what they read.
    """

    version_num: int
    version: str
    database: str
    encoding: str
    collate: str
    ctype: str
    locale_provider: str = "c"
    locale: str | None = None
    block_size: int = 8192
    in_recovery: bool = False
    role: str = ""
    system_identifier: str = ""
    standbys: int | None = None

    @property
    def major(self) -> int:
        """The major version, such as 15."""
        return self.version_num // 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting that differs from the built-in default, or that a plan depends on; `value` is in its base unit."""

    name: str
    value: str
    unit: str | None = None
    source: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSetting:
    """ALTER ROLE/DATABASE … SET; None stands for every role or every database."""

    role: str | None
    database: str | None
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tablespace:
    """A tablespace and its planner options (`random_page_cost`, `seq_page_cost`…)."""

    name: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """An installed extension; its own objects are not listed elsewhere in the profile."""

    name: str
    version: str
    schema: str


class ObjectKind(StrEnum):
    """The kinds of schema objects that are recreated from a definition only."""

    SCHEMA = "schema"
    ENUM = "enum"
    DOMAIN = "domain"
    COMPOSITE = "composite type"
    RANGE = "range type"
    BASE_TYPE = "base type"
    COLLATION = "collation"
    SEQUENCE = "sequence"
    FUNCTION = "function"
    AGGREGATE = "aggregate"
    OPERATOR = "operator"
    OPERATOR_FAMILY = "operator family"
    OPERATOR_CLASS = "operator class"
    CAST = "cast"
    TEXT_SEARCH = "text search configuration"
    FOREIGN_SERVER = "foreign server"
    RULE = "rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaObject:
    """A type, function, sequence…: what it is called and the statement that creates it.

    `after_tables` says that it can only be created once the relations exist (a function over a row type, a rule).
    """

    kind: ObjectKind
    schema: str
    name: str
    definition: str
    after_tables: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStatistics:
    """One row of pg_stats, with arrays of values as text elements and None for an absent slot.

    `inherited` rows describe a parent with its children.  `n_distinct` is negative for a share of the rows.
    """

    inherited: bool = False
    null_fraction: float
    average_width: int
    n_distinct: float
    most_common_values: tuple[str, ...] | None = None
    most_common_frequencies: tuple[float, ...] | None = None
    histogram_bounds: tuple[str, ...] | None = None
    correlation: float | None = None
    most_common_elements: tuple[str, ...] | None = None
    most_common_element_frequencies: tuple[float, ...] | None = None
    element_count_histogram: tuple[float, ...] | None = None
    range_length_histogram: tuple[str, ...] | None = None
    range_empty_fraction: float | None = None
    range_bounds_histogram: tuple[str, ...] | None = None
    pseudonyms: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a relation, or of an index where it is an expression.

    `type` is `format_type` output, schema-qualified where needed.  `number` is the attribute number in production.
    `statistics_target` is None for the default.  `generated` is "" or "stored" or "virtual"; `identity` "" or "always"
    or "by default".
    """

    name: str
    number: int
    type: str
    not_null: bool = False
    default: str | None = None
    generated: str = ""
    identity: str = ""
    collation: str | None = None
    storage: str | None = None
    compression: str | None = None
    statistics_target: int | None = None
    n_distinct_override: float | None = None
    is_local: bool = True
    statistics: tuple[ColumnStatistics, ...] = ()

    @property
    def own_statistics(self) -> ColumnStatistics | None:
        """The statistics of the relation alone, or of the whole tree for a partitioned parent."""
        return next((s for s in self.statistics if not s.inherited), next(iter(self.statistics), None))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyColumn:
    """A key of an existing index, as the catalog has it."""

    column: str | None
    expression: str | None
    opclass: str
    opclass_is_default: bool
    collation: str | None = None
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index; `definition` is `pg_get_indexdef`.

    `pages` are those of its file, `relation_pages` and `tuples` what pg_class says.  `level` is the B-tree's fast root
    level, None where it could not be read.  `metapage` holds the figures that a GIN or BRIN metapage tells the
    planner.  `constraint` names the constraint that owns it.  `expression_columns` carry the statistics of its
    expressions; their `number` is the key position (1-based).
    """

    name: str
    definition: str
    method: str
    keys: tuple[KeyColumn, ...]
    include: tuple[str, ...] = ()
    predicate: str | None = None
    unique: bool = False
    primary: bool = False
    exclusion: bool = False
    nulls_not_distinct: bool = False
    immediate: bool = True
    valid: bool = True
    ready: bool = True
    clustered: bool = False
    replica_identity: bool = False
    constraint: str | None = None
    parent: RelationName | None = None
    tablespace: str | None = None
    pages: int = 0
    relation_pages: int = 0
    tuples: float = 0.0
    level: int | None = None
    metapage: tuple[tuple[str, float], ...] = ()
    scans_per_second: float | None = None
    scans: int | None = None
    last_used: datetime | None = None
    expression_columns: tuple[Column, ...] = ()

    @property
    def columns(self) -> tuple[str | None, ...]:
        """The key columns in order, None for an expression."""
        return tuple(k.column for k in self.keys)


class ConstraintKind(StrEnum):
    """`pg_constraint.contype`, in words."""

    PRIMARY_KEY = "primary key"
    UNIQUE = "unique"
    FOREIGN_KEY = "foreign key"
    CHECK = "check"
    EXCLUSION = "exclusion"
    NOT_NULL = "not null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A table constraint; `definition` is `pg_get_constraintdef`."""

    name: str
    kind: ConstraintKind
    definition: str
    columns: tuple[str, ...] = ()
    validated: bool = True
    deferrable: bool = False
    is_local: bool = True
    references: RelationName | None = None
    referenced_columns: tuple[str, ...] = ()
    on_delete: str = "no action"
    on_update: str = "no action"
    inherited_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedStatistics:
    """CREATE STATISTICS and what ANALYZE filled it with.

    `keys` are column names, then expressions, in PostgreSQL's order; the items of `ndistinct` and `dependencies` refer
    to them by position (0-based).  `most_common_values[i][k]` is the text of key k in item i, None for NULL.
    `expression_statistics` are in the order of the expressions.
    """

    schema: str
    name: str
    definition: str
    keys: tuple[str, ...] = ()
    expression_count: int = 0
    kinds: tuple[str, ...] = ()
    statistics_target: int | None = None
    inherited: bool = False
    ndistinct: tuple[tuple[tuple[int, ...], float], ...] | None = None
    dependencies: tuple[tuple[tuple[int, ...], float], ...] | None = None
    most_common_values: tuple[tuple[str | None, ...], ...] | None = None
    most_common_frequencies: tuple[float, ...] | None = None
    most_common_base_frequencies: tuple[float, ...] | None = None
    expression_statistics: tuple[ColumnStatistics | None, ...] = ()
    pseudonyms: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A row-level security policy."""

    name: str
    command: str
    permissive: bool
    roles: tuple[str, ...]
    using: str | None
    check: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerDefinition:
    """A user trigger; `definition` is `pg_get_triggerdef`.  `row_level` triggers run once per row."""

    name: str
    definition: str
    row_level: bool
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TableActivity:
    """What pg_stat_user_tables counted over `window`; rates are per second."""

    window: timedelta | None = None
    inserts: float = 0.0
    updates: float = 0.0
    hot_updates: float = 0.0
    deletes: float = 0.0
    sequential_scans: float = 0.0
    index_scans: float = 0.0
    dead_tuples: float = 0.0
    modified_since_analyze: float = 0.0
    last_analyze: datetime | None = None
    last_vacuum: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A relation that a query can name: table, partitioned table, view, materialized view, foreign table.

    `pages` is the size of the main fork now, `relation_pages`, `tuples` and `all_visible` are pg_class's; the planner
    scales `tuples / relation_pages` to `pages`.  `tuples` is -1 where the table was never analyzed.
    `definition` is the query of a view.  `parents` are the partitioned parent or the inheritance parents in order.
    """

    schema: str
    name: str
    kind: RelationKind
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    statistics: tuple[ExtendedStatistics, ...] = ()
    policies: tuple[Policy, ...] = ()
    triggers: tuple[TriggerDefinition, ...] = ()
    row_security: bool = False
    force_row_security: bool = False
    owner: str = ""
    persistence: str = "permanent"
    access_method: str | None = None
    tablespace: str | None = None
    options: tuple[str, ...] = ()
    parents: tuple[RelationName, ...] = ()
    partition_bound: str | None = None
    partition_key: str | None = None
    of_type: str | None = None
    definition: str | None = None
    foreign_server: str | None = None
    has_subclass: bool = False
    pages: int = 0
    relation_pages: int = 0
    tuples: float = 0.0
    all_visible: int = 0
    toast_bytes: int = 0
    activity: TableActivity = field(default_factory=TableActivity)

    @property
    def relation(self) -> RelationName:
        """Its schema and name."""
        return RelationName(schema=self.schema, name=self.name)

    @property
    def full_name(self) -> str:
        """The name as people write it, with the schema unless that is `public`."""
        return self.relation.short

    @property
    def rows(self) -> float:
        """The planner's row estimate: pg_class's density times the pages of today (0 where never analyzed)."""
        if self.tuples < 0 or not self.relation_pages:
            return max(self.tuples, 0.0)
        return self.tuples / self.relation_pages * self.pages

    @property
    def size_bytes(self) -> int:
        """The size of the main fork, at the usual 8 kB per page."""
        return self.pages * 8192

    @cached_property
    def _columns_by_name(self) -> dict[str, Column]:
        return {c.name: c for c in self.columns}

    def column(self, name: str) -> Column | None:
        """Return the column of that (unquoted) name, None where there is none."""
        return self._columns_by_name.get(name)

    @property
    def foreign_keys(self) -> tuple[Constraint, ...]:
        """The foreign keys that this table declares."""
        return tuple(c for c in self.constraints if c.kind is ConstraintKind.FOREIGN_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Entries of pg_stat_statements whose texts are not in the profile: they are no queries, or not shown to us.

    `kind` is the statement's first word in lower case, or `hidden`.
    """

    kind: str
    entries: int
    calls: float
    time: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What pg_stat_statements saw between `since` and the profile's time; both may be unknown."""

    since: datetime | None = None
    window: timedelta | None = None
    deallocations: int | None = None
    statements: tuple[Query, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """How many connections there may be and how many there are, by state and by application."""

    max_connections: int | None = None
    reserved: int | None = None
    by_state: tuple[tuple[str, int], ...] = ()
    by_application: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One production database at one moment."""

    taken_at: datetime
    server: ServerFacts
    values: Values
    extensions: tuple[Extension, ...] = ()
    objects: tuple[SchemaObject, ...] = ()
    tables: tuple[Table, ...] = ()
    settings: tuple[Setting, ...] = ()
    role_settings: tuple[RoleSetting, ...] = ()
    tablespaces: tuple[Tablespace, ...] = ()
    search_path: tuple[str, ...] = ("public",)
    workload: Workload = field(default_factory=Workload)
    connections: Connections = field(default_factory=Connections)
    gaps: tuple[Gap, ...] = ()

    @cached_property
    def _tables_by_name(self) -> dict[RelationName, Table]:
        return {t.relation: t for t in self.tables}

    @cached_property
    def _tables_by_index(self) -> dict[RelationName, Table]:
        return {RelationName(schema=t.schema, name=i.name): t for t in self.tables for i in t.indexes}

    @cached_property
    def _children(self) -> dict[RelationName, list[Table]]:
        found: dict[RelationName, list[Table]] = {}
        for table in self.tables:
            for parent in table.parents:
                found.setdefault(parent, []).append(table)
        return found

    @cached_property
    def _settings(self) -> dict[str, str]:
        return {s.name: s.value for s in reversed(self.settings)}

    @cached_property
    def _referencing(self) -> dict[RelationName, list[tuple[Table, Constraint]]]:
        found: dict[RelationName, list[tuple[Table, Constraint]]] = {}
        for table in self.tables:
            for key in table.foreign_keys:
                if key.references is not None:
                    found.setdefault(key.references, []).append((table, key))
        return found

    @cached_property
    def _names(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for table in self.tables:
            found.setdefault(table.schema, set()).update((table.name, *(i.name for i in table.indexes)))
        return {schema: frozenset(names) for schema, names in found.items()}

    @cached_property
    def index_names(self) -> frozenset[str]:
        """The names of all indexes, without their schemas: a plan does not say these."""
        return frozenset(i.name for t in self.tables for i in t.indexes)

    @cached_property
    def has_row_security(self) -> bool:
        """Whether any table has row-level security."""
        return any(t.row_security for t in self.tables)

    @cached_property
    def domains(self) -> dict[str, str]:
        """The types under the domains, by every name that a column's type may have for them."""
        under = {
            name: match["base"].strip()
            for o in self.objects
            if o.kind is ObjectKind.DOMAIN and (match := _DOMAIN.search(o.definition))
            for name in {qualified(o.schema, o.name), quoted(o.name)}
        }
        return {name: _bottom(base, under) for name, base in under.items()}

    def with_base_types(self, table: Table) -> Table:
        """Return the table with the types under its columns' domains, which is what an index on them is made of."""
        if not any(c.type in self.domains for c in table.columns):
            return table
        return replace(table, columns=tuple(replace(c, type=self.domains.get(c.type, c.type)) for c in table.columns))

    def names_in(self, schema: str) -> frozenset[str]:
        """Return the names of the schema's tables and indexes, which share one space."""
        return self._names.get(schema, frozenset())

    def children(self, relation: RelationName) -> tuple[Table, ...]:
        """Return the tables that inherit from a table or are its partitions, in OID order, one level down."""
        return tuple(self._children.get(relation, ()))

    def table(self, relation: RelationName) -> Table | None:
        """Return the table of that name, None where the profile has none."""
        return self._tables_by_name.get(relation)

    def leaves(self, relation: RelationName) -> tuple[Table, ...]:
        """Return the tables below a table that have no partitions themselves, through all levels of partitioning."""
        found: list[Table] = []
        for child in self.children(relation):
            found += self.leaves(child.relation) if child.kind is RelationKind.PARTITIONED_TABLE else (child,)
        return tuple(found)

    def find_table(self, name: str, schema: str | None = None) -> Table | None:
        """Return the table that an unqualified name means along the search path, or the one of that schema."""
        schemas = (schema,) if schema else self.search_path
        found = (self.table(RelationName(schema=s, name=name)) for s in schemas)
        return next((t for t in found if t is not None), None)

    def table_of_index(self, schema: str, index: str) -> Table | None:
        """Return the table that an index belongs to (an index lives in its table's schema)."""
        return self._tables_by_index.get(RelationName(schema=schema, name=index))

    def referencing(self, relation: RelationName) -> tuple[tuple[Table, Constraint], ...]:
        """Return the foreign keys that point at a table, with the tables that declare them."""
        return tuple(self._referencing.get(relation, ()))

    def setting(self, name: str, default: str = "") -> str:
        """Return a setting's value in its base unit."""
        return self._settings.get(name, default)


_DOMAIN = re.compile(
    r"CREATE\s+DOMAIN\s+(?:\"(?:[^\"]|\"\")+\"|[\w.$])+\s+(?:AS\s+)?(?P<base>[^;]*?)"
    r"(?:\s+(?:COLLATE|DEFAULT|NOT|NULL|CHECK|CONSTRAINT)\b|;|\Z)",
    re.IGNORECASE,
)


def _bottom(base: str, under: Mapping[str, str]) -> str:
    seen: set[str] = set()
    while base in under and base not in seen:
        seen.add(base)
        base = under[base]
    return base


def qualified(schema: str, name: str) -> str:
    """Return `schema.name` as SQL text.

    >>> qualified("public", "Order")
    'public."Order"'
    """
    return f"{quoted(schema)}.{quoted(name)}"
