"""What the catalog queries answer, one type per query; the fields are named as the columns are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

Texts = list[str] | None
Numbers = list[float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRow:
    """The server and its database."""

    version_num: int
    version: str
    database: str
    encoding: str
    collate: str
    ctype: str
    provider: str
    locale: str | None
    block_size: int
    in_recovery: bool
    role: str
    taken_at: datetime
    tablespace: str
    database_reset: datetime | None
    server_reset: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TablespaceRow:
    """A tablespace and its options."""

    name: str
    options: Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRow:
    """How many connections an application has in a state."""

    state: str
    application: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsRow:
    """How many connections there may be."""

    max_connections: int
    reserved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationRow:
    """A line of pg_class that a query can name."""

    oid: int
    schema: str
    name: str
    kind: str
    owner: str
    persistence: str
    relation_pages: int
    tuples: float
    all_visible: int
    row_security: bool
    force_row_security: bool
    has_subclass: bool
    access_method: str | None
    tablespace: str | None
    options: Texts
    of_type: str | None
    partition_key: str | None
    toast_pages: int
    foreign_server: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionRelationRow:
    """A big relation that belongs to an extension."""

    extension: str
    schema: str
    name: str
    tuples: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentRow:
    """A partition or child, and a parent of it."""

    child: int
    parent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRow:
    """A line of pg_attribute."""

    relation: int
    name: str
    number: int
    type: str
    type_kind: str
    not_null: bool
    has_default: bool
    generated: str
    identity: str
    collation: str | None
    storage: str | None
    compression: str | None
    statistics_target: int | None
    options: Texts
    is_local: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpressionRow:
    """A deparsed expression: a default, a bound, a predicate, a view's query, a definition by its own OID."""

    relation: int
    number: int
    expression: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A rewrite rule."""

    relation: int
    name: str
    definition: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRow:
    """How many pages a relation has now; None where it was just dropped."""

    relation: int
    pages: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintRow:
    """A line of pg_constraint."""

    oid: int
    relation: int
    name: str
    kind: str
    columns: list[str]
    validated: bool
    deferrable: bool
    is_local: bool
    references_schema: str | None
    references_name: str | None
    referenced_columns: list[str]
    on_delete: str
    on_update: str
    inherited_from: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
    """A line of pg_index."""

    oid: int
    relation: int
    name: str
    method: str
    key_count: int
    is_partial: bool
    is_unique: bool
    is_primary: bool
    is_exclusion: bool
    nulls_not_distinct: bool
    immediate: bool
    valid: bool
    ready: bool
    clustered: bool
    replica_identity: bool
    constraint_name: str | None
    parent_schema: str | None
    parent_name: str | None
    tablespace: str | None
    options: Texts
    kind: str
    relation_pages: int
    tuples: float
    scans: int | None
    last_used: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key or an included column of an index."""

    index: int
    position: int
    attribute: str
    column_name: str | None
    type: str
    type_kind: str
    statistics_target: int | None
    opclass: str | None
    opclass_is_default: bool | None
    collation: str | None
    option: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """A line of pg_policy."""

    relation: int
    name: str
    command: str
    permissive: bool
    roles: list[str]
    using: str | None
    check: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRow:
    """A line of pg_trigger."""

    oid: int
    relation: int
    name: str
    row_level: bool
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRow:
    """A line of pg_stat_user_tables."""

    relation: int
    inserts: int
    updates: int
    hot_updates: int
    deletes: int
    sequential_scans: int
    index_scans: int
    dead_tuples: int
    modified_since_analyze: int
    last_analyze: datetime | None
    last_vacuum: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRow:
    """Statistics of a column, of an index expression (`relation` is the index), or of an extended expression."""

    relation: int | None
    position: int
    statistics: int | None
    inherited: bool
    null_fraction: float
    average_width: int
    n_distinct: float
    most_common_values: Texts
    most_common_frequencies: Numbers
    histogram_bounds: Texts
    correlation: float | None
    most_common_elements: Texts
    most_common_element_frequencies: Numbers
    element_count_histogram: Numbers
    range_length_histogram: Texts
    range_empty_fraction: float | None
    range_bounds_histogram: Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedRow:
    """A line of pg_statistic_ext."""

    oid: int
    relation: int
    schema: str
    name: str
    statistics_target: int | None
    columns: list[str]
    numbers: list[int]
    kinds: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedDataRow:
    """What ANALYZE filled an extended statistics object with."""

    statistics: int
    inherited: bool
    ndistinct: str | None
    dependencies: str | None
    dependencies_binary: bytes | None
    most_common_values: list[list[str | None]] | None
    most_common_frequencies: Numbers
    most_common_base_frequencies: Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRow:
    """The fast root level of a B-tree."""

    relation: int
    level: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GinRow:
    """The figures of a GIN metapage that the planner reads."""

    relation: int
    n_pending_pages: float
    n_total_pages: float
    n_entry_pages: float
    n_data_pages: float
    n_entries: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRow:
    """A statement of pg_stat_statements."""

    id: int | None
    text: str | None
    calls: float
    total_ms: float
    rows: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRow:
    """Since when pg_stat_statements counts."""

    since: datetime | None
    deallocations: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """A schema object that is recreated from its definition; None where there is no way to."""

    oid: int
    kind: str
    schema: str
    name: str
    definition: str | None
    after_tables: bool
    reason: str | None
