"""A server of which a test says what it does between polls, and a watcher of it: what the alerts' tests are told in."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from premortem import watch
from premortem.model import (
    AlertChange,
    AlertKind,
    Backend,
    Baseline,
    Counters,
    Gap,
    Glance,
    IndexSeen,
    InstanceFacts,
    Moved,
    PlanSeen,
    Pool,
    RelationName,
    Sample,
    Seats,
    Statement,
    StatementKey,
    Subject,
    Turn,
    Unreached,
)
from premortem.settings import Watching

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
DBID, ROLE = 16_384, 10
POLL = 15.0
SKU = "select * from order_items where product_sku = $1"
ZERO = Counters(
    calls=0, total_ms=0.0, min_ms=0.0, max_ms=0.0, mean_ms=0.0, stddev_ms=0.0, rows=0, shared_hit=0, shared_read=0,
    temp_written=0, wal_bytes=0,
)  # fmt: skip


def key(number: int, toplevel: bool = True) -> StatementKey:
    return StatementKey(dbid=DBID, userid=ROLE, toplevel=toplevel, queryid=number)


def statement(text: str = SKU, table: str = "order_items", **changed: object) -> Statement:
    found = Statement(
        fingerprint=f"f{zlib.crc32(text.encode()):08x}" if text != SKU else "f0000sku",
        text=text,
        database="shop",
        role="app",
        tables=(RelationName(schema="public", name=table),),
    )
    return replace(found, **changed)  # type: ignore[arg-type]


def called(counters: Counters, calls: int, ms: float) -> Counters:
    """Counters after some calls of equal length."""
    total = counters.total_ms + calls * ms
    count = counters.calls + calls
    squares = counters.calls * (counters.stddev_ms**2 + counters.mean_ms**2) + calls * ms * ms
    mean = total / count
    return replace(
        counters,
        calls=count,
        total_ms=total,
        min_ms=min(counters.min_ms, ms) if counters.calls else ms,
        max_ms=max(counters.max_ms, ms),
        mean_ms=mean,
        stddev_ms=max(0.0, squares / count - mean * mean) ** 0.5,
    )


@dataclass
class Scene:
    """One instance and its watcher; `poll` is one look after so many seconds in which so many calls were made."""

    settings: Watching = field(default_factory=Watching)
    now: datetime = NOON
    at: datetime = NOON
    name: str = "db-1"
    state: watch.State = field(default_factory=lambda: watch.fresh("db-1"))
    statements: dict[StatementKey, Statement] = field(default_factory=dict)
    counters: dict[StatementKey, Counters] = field(default_factory=dict)
    before: dict[StatementKey, Counters] = field(default_factory=dict)
    since: datetime | None = None
    server: InstanceFacts = field(
        default_factory=lambda: InstanceFacts(
            version_num=150_018,
            started_at=NOON - timedelta(days=9),
            extension=(1, 10),
            identity=7,
            deallocations=0,
            reset_at=NOON - timedelta(days=9),
        )
    )
    first_seen: dict[str, datetime] = field(default_factory=dict)
    watched_since: datetime | None = NOON - timedelta(days=30)
    baselines: dict[Subject, Baseline] = field(default_factory=dict)
    plans: dict[Subject, PlanSeen] = field(default_factory=dict)
    backends: tuple[Backend, ...] = ()
    glances: tuple[Glance, ...] = ()
    seats: Seats | None = None
    pools: tuple[Pool, ...] = ()
    indexes: tuple[IndexSeen, ...] | None = None
    tables: tuple[tuple[str, RelationName], ...] | None = None
    gaps: tuple[Gap, ...] = ()
    changes: list[AlertChange] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    restarts: bool = False

    def call(self, number: int, calls: int, ms: float, said: Statement | None = None) -> None:
        """Have a statement called between this poll and the next."""
        self.statements.setdefault(key(number), said or statement())
        self.counters[key(number)] = called(self.counters.get(key(number), ZERO), calls, ms)

    def sample(self) -> Sample:
        """Return what the server shows now."""
        return Sample(
            instance=self.name,
            at=self.at,
            read_at=self.now,
            server=self.server,
            since=self.since,
            moved=tuple(self._moved()) if self.since is not None else (),
            backends=self.backends,
            glances=self.glances,
            seats=self.seats,
            pools=self.pools,
            indexes=self.indexes,
            tables=self.tables,
            databases={DBID: "shop"},
            roles={ROLE: "app"},
            gaps=self.gaps,
        )

    def _moved(self) -> Iterable[Moved]:
        for one, counters in self.counters.items():
            if self.before.get(one) != counters:
                yield Moved(key=one, now=counters, before=self.before.get(one))

    def told(self) -> watch.Told:
        """Return what the watcher is told besides."""
        return watch.Told(
            statements=self.statements,
            first_seen=self.first_seen,
            watched_since=self.watched_since,
            baselines=self.baselines,
            plans=self.plans,
        )

    def pass_(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self.now += timedelta(seconds=seconds)
        self.at += timedelta(seconds=seconds)

    def poll(self, seconds: float = POLL) -> list[AlertChange]:
        """Look once, after so many seconds; return what is told."""
        self.pass_(seconds)
        found = self.see(self.sample())
        self.since, self.before = self.at, dict(self.counters)
        return found

    def miss(self, seconds: float = POLL, says: str = "connection refused") -> list[AlertChange]:
        """Have a poll without an answer."""
        self.pass_(seconds)
        return self.see(Unreached(instance=self.name, read_at=self.now, says=says))

    def see(self, seen: Sample | Unreached) -> list[AlertChange]:
        """Have the watcher take a step."""
        stepped = watch.step(self.state, seen, self.told(), self.settings, self.now)
        self.state = stepped.state
        if self.restarts:
            self.restart()
        self.changes += stepped.changes
        self.events += [event.kind for event in stepped.events]
        return list(stepped.changes)

    def restart(self) -> None:
        """Have the watcher end, and another go on from what was put away."""
        self.state = watch.decode(json.loads(json.dumps(watch.encode(self.state))))

    def polls(self, count: int, number: int = 1, calls: int = 10, ms: float = 1.0, **more: object) -> list[AlertChange]:
        """Look so many times, with calls before each."""
        found: list[AlertChange] = []
        for _ in range(count):
            if calls:
                self.call(number, calls, ms, **more)  # type: ignore[arg-type]
            found += self.poll()
        return found

    def copy(self) -> Scene:
        """Return the same scene, which goes on by itself."""
        own = {name: copy(value) for name, value in vars(self).items() if isinstance(value, dict | list)}
        return replace(self, **own)  # type: ignore[arg-type]

    def told_of(self, kind: AlertKind) -> list[Turn]:
        """Return what was told of a kind of alert so far, in order."""
        return [change.turn for change in self.changes if change.alert.kind is kind]

    @property
    def open(self) -> list[AlertKind]:
        """The kinds of the open alerts."""
        return [alert.kind for alert in self.state.alerts]


def limits(**changed: float) -> Watching:
    """Settings with other limits."""
    usual = Watching()
    return replace(usual, limits=replace(usual.limits, **changed))  # type: ignore[arg-type]


def turns(changes: Iterable[AlertChange]) -> list[tuple[str, str]]:
    """Return what was told: kind and turn."""
    return [(change.alert.kind.value, change.turn.value) for change in changes]


def session(pid: int, **said: object) -> Backend:
    """A session of the shop."""
    usual: Mapping[str, object] = {"dbid": DBID, "userid": ROLE, "application": "shop-web", "state": "active"}
    return Backend(pid=pid, **{**usual, **said})  # type: ignore[arg-type]
