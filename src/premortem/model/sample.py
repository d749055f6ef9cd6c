"""What one look at a running server shows: counters that moved, sessions, connections and pools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType

from premortem.model.gap import Gap
from premortem.model.relation import RelationName


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class StatementKey:
    """One entry of pg_stat_statements; it means something on its own server and major version only."""

    dbid: int
    userid: int
    toplevel: bool
    queryid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What an entry had counted by the time of a sample; times are execution time in ms.

    `since` is `stats_since`, None before version 1.11 of the extension.
    """

    calls: int
    total_ms: float
    min_ms: float
    max_ms: float
    mean_ms: float
    stddev_ms: float
    rows: int
    shared_hit: int
    shared_read: int
    temp_written: int
    wal_bytes: int
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An entry that is not what it was in the sample before; `before` is None where it was not there."""

    key: StatementKey
    now: Counters
    before: Counters | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A session of pg_stat_activity that runs, waits or holds a transaction open; times are the server's.

    `text` is what the server shows of the statement, `cut` where that is as much as it keeps
    (`track_activity_query_size`), so that the rest may be missing.  `blocked_by` are the
    processes that pg_blocking_pids names.
    """

    pid: int
    dbid: int | None
    userid: int | None
    application: str = ""
    client: str = ""
    kind: str = "client backend"
    state: str = ""
    queryid: int | None = None
    text: str = ""
    cut: bool = False
    started_at: datetime | None = None
    query_start: datetime | None = None
    transaction_start: datetime | None = None
    state_change: datetime | None = None
    wait_type: str = ""
    wait: str = ""
    blocked_by: tuple[int, ...] = ()
    leader: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """The sessions of a server at a moment between two samples; `at` is the server's clock, `read_at` ours."""

    at: datetime
    read_at: datetime
    backends: tuple[Backend, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seats:
    """Connections of a server: how many there may be, are kept back for superusers, and are taken, by what.

    `by_application` counts client backends by (database, role, application_name).
    """

    most: int
    reserved: int
    taken: int
    active: int
    idle_in_transaction: int
    by_application: tuple[tuple[tuple[str, str, str], int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool of PgBouncer (SHOW POOLS with SHOW CONFIG's and SHOW DATABASES' limits): one database and user."""

    pooler: str
    database: str
    user: str
    mode: str
    clients_active: int
    clients_waiting: int
    servers_active: int
    servers_idle: int
    servers_used: int
    longest_wait: timedelta
    size: int | None = None
    reserve: int | None = None
    most_server_connections: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFacts:
    """What the server says of itself in a sample.

    `extension` is pg_stat_statements' version, such as (1, 10); None where the database lacks it.  `identity` is
    pg_control_system's system identifier where it may be read.  `entries`/`most_entries` tell how full the extension
    is, `deallocations` and `reset_at` are pg_stat_statements_info's.
    """

    version_num: int
    started_at: datetime
    in_recovery: bool = False
    extension: tuple[int, int] | None = None
    identity: int | None = None
    entries: int = 0
    most_entries: int | None = None
    deallocations: int | None = None
    reset_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSeen:
    """An index that was there: enough to say which one vanished and to make it again."""

    database: str
    name: RelationName
    table: RelationName
    definition: str
    valid: bool = True
    scans: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What an entry of pg_stat_statements is, across servers, versions and restarts.

    `fingerprint` is the parser's, or `queryid-…` where the text cannot be read (`unreadable` says why).  `text` is the
    server's normalised text, `tags` what its comments say, `database` and `role` names.  `ours` is premortem's own.
    """

    fingerprint: str
    text: str
    database: str
    role: str = ""
    tables: tuple[RelationName, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    utility: bool = False
    unreadable: str = ""
    ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Subject:
    """A statement of a database, whoever runs it: what windows, baselines and alerts about statements are kept by."""

    database: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a statement did on one day: its calls, and their mean."""

    day: date
    calls: int
    mean_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What is usual for a statement: the median of its means over the last 7 days, and its mean per day.

    `days` are in order and may go back further than the median; days without a call are left out.
    """

    median_ms: float | None = None
    days: tuple[Day, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSeen:
    """A statement's plan as its server plans it: `shape` is a digest that estimates do not change, `text` EXPLAIN's.

    `indexes` are those that it uses, `basis` says how it was planned.
    """

    shape: str
    at: datetime
    text: str = ""
    cost: float = 0.0
    indexes: tuple[RelationName, ...] = ()
    basis: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """An execution that the server's log says was cancelled; pg_stat_statements never counts such a one.

    `elapsed_ms` is how long it had run where that is known, `why` the server's reason ("statement timeout").
    """

    at: datetime
    statement: Statement
    pid: int | None = None
    elapsed_ms: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at one instance.

    `at` is the server's clock, `read_at` ours.  `since` is the server's clock at the sample that `moved` is against;
    None for a first sample, in which nothing moved.  `indexes` is None where they were not read this time.  `glances`
    are the looks between that sample and this one, `cancelled` what the server's log says was cancelled in between.
    `tables` are those of the databases that `indexes` is about, with indexes or without; None where nobody says.
    """

    instance: str
    at: datetime
    read_at: datetime
    server: InstanceFacts
    since: datetime | None = None
    moved: tuple[Moved, ...] = ()
    vanished: int = 0
    backends: tuple[Backend, ...] = ()
    seats: Seats | None = None
    pools: tuple[Pool, ...] = ()
    indexes: tuple[IndexSeen, ...] | None = None
    tables: tuple[tuple[str, RelationName], ...] | None = None
    databases: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    roles: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    glances: tuple[Glance, ...] = ()
    cancelled: tuple[Cancelled, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreached:
    """An instance that could not be read: why, and what to do."""

    instance: str
    read_at: datetime
    says: str
    hint: str = ""
