"""What hurts in one short look: two samples of the counters, and the sessions in between.

A look of a second is no five-minute window.  A statement that takes longer than the look says nothing of how many
connections it occupies by its counters, which come all at once when it ends; for these the sessions are counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from premortem import watch, words
from premortem.diagnosis import blocking
from premortem.diagnosis.offender import Offender
from premortem.model import (
    AlertKind,
    Backend,
    Hurt,
    Pool,
    Ran,
    Sample,
    Seats,
    Statement,
    StatementKey,
    Subject,
    Window,
)
from premortem.settings import WatchLimits
from premortem.watch import Delta

#: What occupies less than this much of a connection hurts nobody, however long it takes.
_LEAST_BUSY = 0.1
#: How long a session may wait for a lock before it is worth a line: most waits end at once.
_WAIT = timedelta(seconds=1)
_OURS = "premortem/"
_LAST = (AlertKind.CONNECTIONS, AlertKind.POOL, AlertKind.TRANSACTION, AlertKind.IDLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Two samples with the glances between them, the deltas, and what the entries are."""

    before: Sample
    after: Sample
    deltas: tuple[Delta, ...] = ()
    statements: Mapping[StatementKey, Statement]
    limits: WatchLimits = field(default_factory=WatchLimits)

    @property
    def length(self) -> timedelta:
        """How long the look was, by the server's clock."""
        return max(self.after.at - self.before.at, timedelta(milliseconds=1))

    @property
    def moments(self) -> tuple[tuple[Backend, ...], ...]:
        """The sessions at each time that we looked."""
        every = (self.before.backends, *(g.backends for g in self.after.glances), self.after.backends)
        return tuple(tuple(b for b in backends if not b.application.startswith(_OURS)) for backends in every)

    def statement(self, backend: Backend) -> Statement:
        """Return what a session runs, or ran last."""
        database = self.after.databases.get(backend.dbid or 0, "")
        role = self.after.roles.get(backend.userid or 0, "")
        return watch.identify_session(backend, database, role, known=self.statements)


@dataclass(slots=True)
class Activity:
    """What one statement did during a look."""

    statement: Statement
    calls: int = 0
    total_ms: float = 0.0
    squares: float = 0.0
    rows: int = 0
    shared_read: int = 0
    toplevel: bool = False
    queryids: set[int] = field(default_factory=set)
    seen: int = 0
    running: list[Backend] = field(default_factory=list)

    @property
    def mean_ms(self) -> float | None:
        """The mean of the executions that ended."""
        return self.total_ms / self.calls if self.calls else None


def activities(look: Look) -> Mapping[Subject, Activity]:
    """Return what each statement did: by the counters, and by the sessions that were seen to run it."""
    found: dict[Subject, Activity] = {}
    for delta in look.deltas:
        statement = look.statements.get(delta.key)
        if statement is None or statement.ours or statement.utility:
            continue
        one = found.setdefault(_subject(statement), Activity(statement=statement))
        one.calls += delta.calls
        one.total_ms += delta.total_ms
        one.squares += delta.squares
        one.rows += delta.rows
        one.shared_read += delta.shared_read
        one.toplevel |= delta.toplevel
        one.queryids.add(delta.key.queryid)
    for place, backends in enumerate(look.moments):
        _add_sessions(found, look, backends, is_last=place == len(look.moments) - 1)
    return found


def _add_sessions(found: dict[Subject, Activity], look: Look, backends: Sequence[Backend], *, is_last: bool) -> None:
    for backend in backends:
        if backend.state != "active" or backend.leader is not None or backend.kind != "client backend":
            continue
        statement = look.statement(backend)
        if statement.ours or statement.utility:
            continue
        one = found.setdefault(_subject(statement), Activity(statement=statement))
        one.seen += 1
        if backend.queryid is not None:
            one.queryids.add(backend.queryid)
        if is_last:
            one.running.append(backend)


def _subject(statement: Statement) -> Subject:
    return Subject(database=statement.database, fingerprint=statement.fingerprint)


def busy(one: Activity, look: Look) -> float:
    """Return how many connections a statement occupied on average.

    Counters tell it of what is short against the look; the rest is counted by the sessions.
    """
    sessions = one.seen / len(look.moments)
    seconds = look.length.total_seconds()
    mean = one.mean_ms
    if mean is None or mean > seconds * 1000:
        return sessions
    return max(one.total_ms / 1000 / seconds, sessions if one.calls == 0 else 0.0)


def window(one: Activity, look: Look) -> Window:
    """Return the look as a window, its time corrected to what was spent within it."""
    spent = busy(one, look) * look.length.total_seconds() * 1000
    return Window(
        ends_at=look.after.at,
        length=look.length,
        covered=look.length,
        calls=one.calls,
        total_ms=one.total_ms,
        squares=one.squares,
        rows=one.rows,
        shared_read=one.shared_read,
        instance_ms=max(sum(d.total_ms for d in look.deltas if d.toplevel), one.total_ms),
        provisional_ms=spent - one.total_ms,
        toplevel=one.toplevel,
    )


def ran(found: Mapping[Subject, Activity], look: Look, most: int) -> tuple[Ran, ...]:
    """Return the statements that took most of the time, the busiest first."""
    total = sum(busy(a, look) for a in found.values() if a.toplevel or not a.calls) or 1.0
    every = sorted(found.values(), key=lambda a: -busy(a, look))
    return tuple(
        Ran(
            statement=a.statement,
            calls=a.calls,
            mean_ms=a.mean_ms,
            busy=busy(a, look),
            share=min(1.0, busy(a, look) / total),
        )
        for a in every[:most]
    )


def hurts(look: Look, found: Mapping[Subject, Activity], *, show_values: bool = False) -> tuple[Hurt, ...]:
    """Return what hurts, the worst first."""
    every = [*_blocked(look), *_statements(look, found, show_values=show_values), *_places(look)]
    return tuple(sorted(every, key=lambda h: (h.kind in _LAST, -h.busy)))


def _statements(look: Look, found: Mapping[Subject, Activity], *, show_values: bool) -> Iterator[Hurt]:
    for subject, one in found.items():
        waits = [b for b in one.running if b.blocked_by]
        kind = _kind(one, look)
        if kind is None or (waits and len(waits) == len(one.running) and not one.calls):
            continue  # who waits for a lock is told with the one who holds it
        yield Hurt(
            kind=kind,
            subject=subject.fingerprint,
            says=_says(one, look),
            busy=busy(one, look),
            database=subject.database,
            sessions=len(one.running),
            statement=one.statement,
            window=window(one, look),
            texts=tuple(dict.fromkeys(b.text for b in one.running if b.text)) if show_values else (),
        )


def _kind(one: Activity, look: Look) -> AlertKind | None:
    longest = _longest(one, look)
    if longest >= timedelta(seconds=look.limits.running_seconds):
        return AlertKind.RUNNING
    if busy(one, look) < _LEAST_BUSY:
        return None
    slow = one.mean_ms is not None and one.mean_ms > look.limits.mean_ms
    many = len(one.running) > 1 and longest > timedelta(milliseconds=look.limits.mean_ms)
    return AlertKind.SLOW if slow or many else None


def _longest(one: Activity, look: Look) -> timedelta:
    begun = [b.query_start for b in one.running if b.query_start is not None]
    return max(look.after.at - min(begun), timedelta()) if begun else timedelta()


def _says(one: Activity, look: Look) -> str:
    parts = []
    if one.mean_ms is not None:
        parts.append(f"{words.duration(one.mean_ms / 1000)} mean of {words.plural(one.calls, 'call')}")
    if one.running:
        parts.append(
            f"{words.plural(len(one.running), 'session runs', 'sessions run')} it now,"
            f" the longest for {words.duration(_longest(one, look))}"
        )
    occupied = words.plural(busy(one, look), "connection")
    return f"{watch.name(one.statement)}: {', '.join(parts)}, occupies {occupied}"


def _blocked(look: Look) -> Iterator[Hurt]:
    backends = look.moments[-1]
    waiting = [b for b in backends if b.blocked_by and look.after.at - (b.query_start or look.after.at) >= _WAIT]
    by_root: dict[int, list[Backend]] = defaultdict(list)
    for backend in waiting:
        for root in blocking.roots([backend], backends)[:1]:
            by_root[root].append(backend)
    for root, behind in by_root.items():
        longest = max(look.after.at - (b.query_start or look.after.at) for b in behind)
        holder = next((b for b in backends if b.pid == root), None)
        last = look.statement(holder) if holder else None
        doing = f"; its last statement: {words.shortened(words.one_line(last.text), 100)}" if last and last.text else ""
        first = behind[0]
        yield Hurt(
            kind=AlertKind.BLOCKED,
            subject=str(root),
            says=f"{words.plural(len(behind), 'session waits', 'sessions wait')} for a lock, the longest for"
            f" {words.duration(longest)}, behind {blocking.told(root, backends, look.after.at)}{doing}",
            busy=float(len(behind)),
            database=look.after.databases.get(first.dbid or 0, ""),
            sessions=len(behind),
        )


def _places(look: Look) -> Iterator[Hurt]:
    backends, at, limits = look.moments[-1], look.after.at, look.limits
    holders = set(blocking.roots([b for b in backends if b.blocked_by], backends))
    idle = [b for b in backends if b.state.startswith("idle in transaction") and b.pid not in holders]
    over = _over(idle, at, limits.idle_seconds, idle=True)
    if over:
        yield _sessions(AlertKind.IDLE, "idle in a transaction", over, look)
    working = [b for b in backends if b.kind == "client backend" and b.pid not in holders and _is_several(b)]
    over = _over(working, at, limits.transaction_seconds, idle=False)
    if over:
        yield _sessions(AlertKind.TRANSACTION, "in a long transaction", over, look)
    if look.after.seats is not None:
        yield from _connections(look.after.seats, limits)
    yield from (_pool(p) for p in look.after.pools if _waits(p, limits))


def _is_several(backend: Backend) -> bool:
    """Whether a session's transaction is more than the one statement that it runs, which is told for itself."""
    began, asked = backend.transaction_start, backend.query_start
    if backend.state.startswith("idle in transaction"):
        return False
    return began is not None and asked is not None and asked - began > timedelta(seconds=1)


def _over(backends: Iterable[Backend], at: datetime, seconds: float, *, idle: bool) -> list[Backend]:
    since = {b.pid: (b.state_change if idle else b.transaction_start) or at for b in backends}
    found = [b for b in backends if at - since[b.pid] > timedelta(seconds=seconds)]
    return sorted(found, key=lambda b: since[b.pid])


def _sessions(kind: AlertKind, what: str, over: Sequence[Backend], look: Look) -> Hurt:
    told = [blocking.told(b.pid, look.moments[-1], look.after.at) for b in over]
    return Hurt(
        kind=kind,
        subject=str(over[0].pid),
        says=f"{words.plural(len(over), 'session is', 'sessions are')} {what}: {words.listing(told, most=3)}",
        busy=float(len(over)),
        database=look.after.databases.get(over[0].dbid or 0, ""),
        sessions=len(over),
    )


def _connections(seats: Seats, limits: WatchLimits) -> Iterator[Hurt]:
    room = max(seats.most - seats.reserved, 1)
    if seats.taken < limits.connections_share * room:
        return
    most = sorted(seats.by_application, key=lambda item: -item[1])[:3]
    who = words.listing([f"{count} by {_application(*of)}" for of, count in most])
    yield Hurt(
        kind=AlertKind.CONNECTIONS,
        subject="connections",
        says=f"{seats.taken} of {room} connections are taken ({seats.active} active,"
        f" {seats.idle_in_transaction} idle in a transaction)" + (f": {who}" if who else ""),
        busy=float(seats.taken),
        sessions=seats.taken,
    )


def _application(database: str, role: str, application: str) -> str:
    return words.one_line(f"{application or 'no name'} ({role} in {database})")


def _waits(pool: Pool, limits: WatchLimits) -> bool:
    return pool.clients_waiting > 0 and pool.longest_wait >= timedelta(seconds=limits.pool_wait_seconds)


def _pool(pool: Pool) -> Hurt:
    servers = pool.servers_active + pool.servers_idle + pool.servers_used
    return Hurt(
        kind=AlertKind.POOL,
        subject=f"{pool.pooler}/{pool.database}/{pool.user}",
        says=f"{words.plural(pool.clients_waiting, 'client waits', 'clients wait')} in PgBouncer {pool.pooler} for"
        f" {pool.database} as {pool.user}, the longest for {words.duration(pool.longest_wait)};"
        f" {pool.servers_active} of {pool.size or servers} server connections work",
        busy=float(pool.clients_waiting),
        database=pool.database,
        sessions=pool.clients_waiting,
    )


def offender(
    hurt: Hurt, look: Look, found: Mapping[Subject, Activity], first: tuple[datetime | None, bool]
) -> Offender:
    """Return what a diagnosis needs of a hurt; `first` is when it was first seen, and whether it came then."""
    one = found.get(Subject(database=hurt.database, fingerprint=hurt.subject))
    return Offender(
        instance=look.after.instance,
        database=hurt.database,
        kind=hurt.kind,
        statement=hurt.statement,
        window=hurt.window,
        backends=look.moments[-1],
        queryids=frozenset(one.queryids) if one else frozenset(),
        pids=frozenset(b.pid for b in one.running) if one else _pids(hurt, look),
        seats=look.after.seats,
        pools=look.after.pools,
        first_seen=first[0],
        appeared=first[1],
        in_recovery=look.after.server.in_recovery,
        heaviest=_heaviest(hurt, look, found),
    )


def _heaviest(hurt: Hurt, look: Look, found: Mapping[Subject, Activity]) -> tuple[Statement, Window] | None:
    """Return what occupies most of a pool's database."""
    if hurt.kind is not AlertKind.POOL:
        return None
    there = (one for subject, one in found.items() if subject.database == hurt.database)
    most = max(there, key=lambda one: busy(one, look), default=None)
    return (most.statement, window(most, look)) if most else None


def _pids(hurt: Hurt, look: Look) -> frozenset[int]:
    """The sessions that wait behind a blocker, or the one that a hurt is about."""
    backends = look.moments[-1]
    if hurt.kind in (AlertKind.IDLE, AlertKind.TRANSACTION):
        return frozenset({int(hurt.subject)})
    if hurt.kind is not AlertKind.BLOCKED:
        return frozenset()
    behind = [b for b in backends if b.blocked_by and hurt.subject in map(str, blocking.roots([b], backends))]
    return frozenset(b.pid for b in behind)
