"""What `premortem.toml` may say about watching, as values: limits, instances, pools, channels, silences, the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLimits:
    """When something is worth an alert, and when it is worth a page; `LIMITS_SAY` says what each is."""

    mean_ms: float = 100.0
    window_seconds: float = 300.0
    min_calls: int = 2
    min_coverage: float = 0.5
    running_seconds: float = 5.0
    close_below: float = 0.8
    close_after_seconds: float = 120.0
    worse_factor: float = 2.0
    page_busy: float = 1.0
    page_share: float = 0.2
    page_factor: float = 3.0
    page_running_seconds: float = 60.0
    page_blocked: int = 5
    page_connections_share: float = 0.95
    new_heavy_share: float = 0.02
    new_heavy_busy: float = 0.01
    new_hours: float = 24.0
    rising_factor: float = 2.0
    rising_hours: float = 168.0
    plan_factor: float = 2.0
    index_hours: float = 24.0
    pool_wait_seconds: float = 1.0
    connections_share: float = 0.8
    transaction_seconds: float = 300.0
    idle_seconds: float = 300.0
    blocked_seconds: float = 10.0
    unreached_polls: int = 3
    most_of_a_table: int = 5
    most_at_once: int = 20
    warm_up_seconds: float = 0.0


LIMITS_SAY: Mapping[str, str] = MappingProxyType(
    {
        "mean_ms": "`slow-query`: the mean execution time in the window that is too long",
        "window_seconds": "how long the sliding window is",
        "min_calls": "a window with fewer calls says nothing of the mean",
        "min_coverage": "the share of the window that samples have to cover",
        "running_seconds": "`running-query`: how long one execution may run",
        "close_below": "an alert may close when its value is below this part of the limit",
        "close_after_seconds": "… and has been for so long; one that closed has to be over the limit again as long",
        "worse_factor": "an alert is told again when its value is so many times what was told",
        "page_busy": "page: the statement occupies so many connections",
        "page_share": "page: it is so much of the database's time (and occupies at least a tenth of a connection)",
        "page_factor": "page: its mean is so many times what is usual for it (with the same tenth of a connection)",
        "page_running_seconds": "page: one execution runs for so long (two at once over their limit page as well)",
        "page_blocked": "page: so many sessions wait for the same lock holder",
        "page_connections_share": "page: so much of the connections is taken",
        "new_heavy_share": "`new-heavy-query`: its part of the database's time",
        "new_heavy_busy": "… of a server on which it occupies at least so many connections",
        "new_hours": "for how long after it was first seen a statement is new",
        "rising_factor": "`rising-query`: how many times its mean has grown",
        "rising_hours": "… at a pace that reaches the limit within so many hours",
        "plan_factor": "`plan-changed`: how many times slower the statement is with the new plan",
        "index_hours": "`index-vanished`: closes after so long: whoever dropped it meant it",
        "pool_wait_seconds": "`pool-saturated`: how long a client may wait for a server connection",
        "connections_share": "`connections-saturated`: how much of the connections may be taken",
        "transaction_seconds": "`long-transaction`: how long a transaction may be open",
        "idle_seconds": "`idle-in-transaction`: how long one may do nothing",
        "blocked_seconds": "`blocked-sessions`: how long a session may wait for a lock",
        "unreached_polls": "`instance-unreached`: after how many polls without an answer",
        "most_of_a_table": "more statements than this on one table that open at once are one alert",
        "most_at_once": "more statements than this that open at once, on whatever tables, are one alert",
        "warm_up_seconds": "for how long after the first sample of a server nothing opens",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A `[[watch.overrides]]` entry: other limits for some statements; the last entry that admits one decides.

    `place` counts the entries from 1.  Empty patterns admit everything.
    """

    place: int
    fingerprints: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    changed: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A value that stands in the settings, in an environment variable or in a file; it never shows itself."""

    said: str = field(repr=False, default="")
    env: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooler:
    """A PgBouncer in front of an instance: the DSN of its admin console."""

    name: str
    dsn: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A `[[instances]]` entry: a server to watch.

    `services` are the applications that use it, by their application_name or role; deploys of other services are no
    suspects.  `databases` are those whose indexes are inventoried and whose profiles are kept; empty means the DSN's.
    `log` is a path or pattern of the server's log files, where premortem may read them: they tell what was cancelled.
    """

    name: str
    dsn: Secret
    databases: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    poolers: tuple[Pooler, ...] = ()
    poll_seconds: float | None = None
    log: str = ""
    production: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A `[[channels]]` entry: where alerts go.

    `kind` is `slack`, `pagerduty`, `alertmanager`, `webhook` or `apprise`; `url` is its address, `token` its key.
    `urgencies` and `instances` restrict what it is told; `most_per_hour` bounds it, and what was left out is said.
    """

    name: str
    kind: str
    url: Secret = field(default_factory=Secret)
    token: Secret = field(default_factory=Secret)
    urgencies: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    deploys: bool = False
    most_per_hour: int | None = None
    timeout_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """A `[[mutes]]` entry: alerts that nobody is told about, why, and until when; empty patterns admit everything."""

    reason: str
    until: datetime | None = None
    fingerprints: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A `[[maintenance]]` entry: a time in which alerts are kept quiet, once (`starts`, `ends`) or every week.

    A weekly one has `at` in UTC, `lasts` and the `days` (`mon` … `sun`) on which it begins, every day where none is.
    """

    reason: str
    instances: tuple[str, ...] = ()
    starts: datetime | None = None
    ends: datetime | None = None
    days: tuple[str, ...] = ()
    at: time | None = None
    lasts: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """Everything that `premortem watch` is told.

    `store` is the DSN of the state's database; where it says nothing, an embedded server in `state_directory`.
    `profile_hours` is how often an instance's profile is read again, `retention_days` how long history is kept raw.
    `table_owners` are the `[[owners]]` of tables: patterns, and whom to ask.
    """

    limits: WatchLimits = field(default_factory=WatchLimits)
    overrides: tuple[Override, ...] = ()
    poll_seconds: float = 15.0
    diagnosis_seconds: float = 4.0
    profile_hours: float = 6.0
    statement_timeout_seconds: float = 5.0
    store: Secret = field(default_factory=Secret)
    state_directory: str = ""
    retention_days: int = 14
    listen: str = "127.0.0.1:9187"
    deploy_token: Secret = field(default_factory=Secret)
    link: str = ""
    instances: tuple[Instance, ...] = ()
    channels: tuple[Channel, ...] = ()
    mutes: tuple[Mute, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    table_owners: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
