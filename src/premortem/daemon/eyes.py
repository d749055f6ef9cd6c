"""The daemon's eyes on one instance: a sample when a poll is due, a glance in between, and what its log says.

An instance that cannot be read is a value, not an error: it is down, refuses us, has no connection left, stands behind
a pooler, and the next poll may find it well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from premortem import pg, sampling, watch
from premortem.capture.logs import Cancellation
from premortem.daemon import timeouts
from premortem.daemon.logs import Tail, cancelled
from premortem.daemon.statements import Shared, Statements
from premortem.daemon.timeouts import Timeouts
from premortem.errors import PremortemError
from premortem.model import Sample, Statement, Unreached
from premortem.settings import Instance

#: How often the indexes are inventoried: whoever drops one is told within this time.
INDEXES_EVERY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an instance is, with its secrets."""

    dsn: str = field(repr=False)
    poolers: Mapping[str, str] = field(repr=False, default_factory=dict)


class Eyes:
    """Looks at one instance, for one thread; whatever goes wrong is what it saw."""

    def __init__(self, instance: Instance, address: Address, shared: Shared, *, statement_timeout: timedelta) -> None:
        self.statements = Statements(shared)
        self._instance = instance
        self._address = address
        self._timeout = statement_timeout
        self._reader: sampling.Reader | None = None
        self._tail: Tail | None = None
        self._timeouts = Timeouts()
        self._indexed_at: datetime | None = None

    def sample(self, now: datetime) -> Sample | Unreached:
        """Return what the instance shows now, with what is known of its statements; or why it cannot be told."""
        try:
            reader = self._opened()
            sample = reader.sample(indexes=self._is_time_for_indexes(now))
            self.statements.learn(sample, reader.texts)
        except PremortemError as error:
            return Unreached(instance=self._instance.name, read_at=now, says=error.message, hint=error.hint or "")
        if sample.indexes is not None:
            self._indexed_at = now
        return self._with_log(sample, now)

    def glance(self) -> None:
        """Look at the sessions only; the next sample holds what was seen.

        Raises PremortemError where that cannot be.
        """
        if self._reader is not None:
            self._reader.glance()

    @property
    def databases(self) -> tuple[str, ...]:
        """The databases whose indexes and profiles are kept; none before the instance was reached."""
        return self._reader.databases if self._reader is not None and self._indexed_at is not None else ()

    def close(self) -> None:
        """End the connections."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    def _opened(self) -> sampling.Reader:
        if self._reader is None:
            self._reader = sampling.open(
                self._address.dsn,
                self._instance.name,
                databases=self._instance.databases,
                poolers=self._address.poolers,
                statement_timeout=self._timeout,
            )
        return self._reader

    def _is_time_for_indexes(self, now: datetime) -> bool:
        return self._indexed_at is None or now - self._indexed_at >= INDEXES_EVERY or now < self._indexed_at

    def _with_log(self, sample: Sample, now: datetime) -> Sample:
        if not self._instance.log:
            return sample
        if self._tail is None:
            prefix, self._timeouts = _server_settings(self._address.dsn)
            self._tail = Tail(self._instance.log, prefix=prefix)
        said = (_placed(one, sample, self.databases) for one in self._tail.read())
        found = cancelled(tuple(said), _identify, self._timeouts, now)
        gaps = (self._tail.gap,) if self._tail.gap else ()
        return replace(sample, cancelled=found, gaps=(*sample.gaps, *gaps))


def _placed(one: Cancellation, sample: Sample, databases: tuple[str, ...]) -> Cancellation:
    """Return it with its database, where the log's prefix has no %d: the session's, else the one that is watched."""
    if one.database:
        return one
    backends = (*sample.backends, *(seen for glance in sample.glances for seen in glance.backends))
    dbid = next((seen.dbid for seen in backends if seen.pid == one.pid and seen.dbid is not None), None)
    only = databases[0] if len(databases) == 1 else ""
    return replace(one, database=only if dbid is None else sample.databases.get(dbid, only))


def _identify(one: Cancellation) -> Statement:
    return watch.identify(one.text, one.database, one.role)


def _server_settings(dsn: str) -> tuple[str | None, Timeouts]:
    """Return the server's log_line_prefix and timeouts.

    Where they cannot be had, the prefix is found out from the lines, and no time is known.
    """
    try:
        with pg.session(dsn, purpose="watch") as db:
            return str(db.value("SELECT pg_catalog.current_setting('log_line_prefix')")), timeouts.read(db)
    except PremortemError:
        return None, Timeouts()
