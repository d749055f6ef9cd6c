"""What `premortem.toml` may say about watching, as values: limits, instances, pools, channels, silences, the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLimits:
    """When something is worth an alert, and when it is worth a page."""

    mean_ms: float = 100
    window_seconds: float = 300
    min_calls: int = 2
    min_coverage: float = 0.5
    running_seconds: float = 5
    close_below: float = 0.8
    close_after_seconds: float = 120
    worse_factor: float = 2
    page_busy: float = 1
    page_share: float = 0.2
    page_factor: float = 3
    new_heavy_share: float = 0.02
    new_hours: float = 24
    rising_factor: float = 2
    rising_hours: float = 168
    pool_wait_seconds: float = 1
    connections_share: float = 0.8
    transaction_seconds: float = 300
    idle_seconds: float = 300
    blocked_seconds: float = 10
    warm_up_seconds: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A `[[watch.limits]]` entry: other limits for some statements; the first entry that admits one holds."""

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
    timeout_seconds: float = 10


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

    A weekly one has `days` (`mon` … `sun`), `at` in UTC and `lasts`.
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
    """

    limits: WatchLimits = field(default_factory=WatchLimits)
    overrides: tuple[Override, ...] = ()
    poll_seconds: float = 15
    diagnosis_seconds: float = 4
    profile_hours: float = 6
    statement_timeout_seconds: float = 5
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
