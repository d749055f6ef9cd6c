"""Causes outside the statement: it waits for a lock or a connection, or a session holds what others need."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from premortem import words
from premortem.diagnosis import blocking
from premortem.diagnosis.seen import Seen, Theory, measured
from premortem.model import (
    Action,
    AlertKind,
    Backend,
    Cause,
    Evidence,
    Pool,
    Source,
    Statement,
)


def locked(seen: Seen) -> Iterator[Theory]:
    """Yield that its sessions wait for a lock, and who holds it."""
    offender = seen.offender
    running = offender.running
    waiting = [b for b in running if b.wait_type == "Lock" or b.blocked_by]
    if offender.kind is AlertKind.BLOCKED and not waiting:
        waiting = [b for b in offender.backends if b.blocked_by]
    if not waiting:
        return
    chains = blocking.roots(waiting, offender.backends)
    share = len(waiting) / max(len(running), len(waiting))
    told = [blocking.told(root, offender.backends, seen.now) for root in chains]
    sessions = words.plural(len(waiting), "session waits", "sessions wait")
    of = f" of {len(running)} that run it" if len(running) > len(waiting) else ""
    held = f" that {words.listing(told, most=3)} {'hold' if len(told) > 1 else 'holds'}" if told else ""
    yield Theory(
        cause=Cause.LOCKED,
        confidence=0.97 if share >= 0.5 else round(0.4 + share / 2, 2),
        says=f"{sessions}{of} for a lock{held}; the statement itself is not what is slow.",
        actions=tuple(blocking.action(root, offender.backends, seen.now) for root in chains[:3]),
        evidence=(measured("sessions that wait for a lock", len(waiting)),),
    )


def pool(seen: Seen) -> Iterator[Theory]:
    """Yield that clients wait in PgBouncer, and which statement is why; it is its callers who are slow."""
    if seen.offender.kind is not AlertKind.POOL:
        return
    for pool in _starved(seen)[:1]:
        size = _size(pool)
        fills = _fills(seen, size)
        waits = words.plural(pool.clients_waiting, "client waits", "clients wait")
        of = words.plural(size, "server connection")
        yield Theory(
            cause=Cause.POOL,
            confidence=0.92,
            says=f"{waits} in PgBouncer {pool.pooler} for one of the {of} of {pool.database} as {pool.user},"
            f" the longest for {words.duration(pool.longest_wait)}{fills}.",
            actions=(_of_statement(seen) if fills else _of_pool(seen, size),),
            evidence=(measured("clients that wait for the pool", pool.clients_waiting),),
        )


def _starved(seen: Seen) -> list[Pool]:
    """The pools that clients wait for, that of the alert first."""
    waiting = [p for p in seen.offender.pools if p.clients_waiting and p.longest_wait > timedelta()]
    own = seen.offender.subject
    return sorted(waiting, key=lambda p: (f"{p.pooler}/{p.database}/{p.user}" != own, -p.clients_waiting))


def _size(pool: Pool) -> int:
    return pool.size or pool.servers_active + pool.servers_idle + pool.servers_used


def _fills(seen: Seen, size: int) -> str:
    """Return which statement occupies the pool; empty where none takes half of it."""
    if seen.offender.heaviest is None or not size:
        return ""
    statement, window = seen.offender.heaviest
    if window.busy < size / 2:
        return ""
    mean = f" at {words.duration(window.mean_ms / 1000)} a call" if window.mean_ms else ""
    return f"; {words.number(round(window.busy, 1))} of them are busy with {_called(statement)}{mean}"


def _called(statement: Statement) -> str:
    tables = words.listing([t.short for t in statement.tables], most=2)
    return f"the query on {tables} ({statement.fingerprint})" if tables else f"query {statement.fingerprint}"


def _of_statement(seen: Seen) -> Action:
    assert seen.offender.heaviest is not None
    statement = seen.offender.heaviest[0]
    return Action(
        says=f"make {_called(statement)} faster; a larger pool would only move the queue into the server",
        command=f"premortem history {statement.fingerprint}",
    )


def open_transaction(seen: Seen) -> Iterator[Theory]:
    """Yield which session left its transaction open, where the alert is about that."""
    if seen.offender.kind not in (AlertKind.IDLE, AlertKind.TRANSACTION):
        return
    for backend in _in_transactions(seen)[:1]:
        told = blocking.told(backend.pid, seen.offender.backends, seen.now)
        idle = backend.state.startswith("idle")
        setting = "idle_in_transaction_session_timeout" if idle else "statement_timeout"
        yield Theory(
            cause=Cause.TRANSACTION,
            confidence=0.9,
            says=f"{told[:1].upper()}{told[1:]} keeps its connection, its locks, and what VACUUM could clean up.",
            actions=(
                blocking.action(backend.pid, seen.offender.backends, seen.now),
                Action(says=f"set {setting} for its role, so that the server ends the next one by itself"),
            ),
        )


def _in_transactions(seen: Seen) -> list[Backend]:
    """The sessions that the alert is about: those that are named, else of that service, the oldest first."""
    offender = seen.offender
    idle = offender.kind is AlertKind.IDLE
    open_ones = [b for b in offender.backends if b.transaction_start and b.state.startswith("idle in") == idle]
    named = [b for b in open_ones if b.pid in offender.pids] or [
        b for b in open_ones if b.application == offender.subject
    ]
    since = {b.pid: (b.state_change if idle else b.transaction_start) or seen.now for b in open_ones}
    return sorted(named or open_ones, key=lambda b: since[b.pid])


def connections(seen: Seen) -> Iterator[Theory]:
    """Yield who takes the connections, where the alert is about that."""
    seats = seen.offender.seats
    if seen.offender.kind is not AlertKind.CONNECTIONS or seats is None:
        return
    room, idle = seats.most - seats.reserved, max(seats.taken - seats.active, 0)
    who = max(seats.by_application, key=lambda item: item[1], default=(("", "", ""), 0))
    most = f"; {who[1]} of them are {words.one_line(who[0][2] or who[0][1])}'s" if who[1] else ""
    if idle * 2 >= seats.taken:
        says = f"{idle} of {seats.taken} connections do nothing{most}: the pools are larger than what they serve."
        action = Action(says="make the applications' pools smaller, or put PgBouncer in between")
    else:
        says = (
            f"{seats.active} of {seats.taken} connections work at once{most}: what they run is slow, or too many come."
        )
        action = Action(says="cure the statement that occupies most of them; more connections would make it slower")
    yield Theory(
        cause=Cause.CONNECTIONS,
        confidence=0.85,
        says=says,
        actions=(action,),
        evidence=(Evidence(name="connections", value=f"{seats.taken} of {room}", source=Source.MEASURED),),
    )


def _of_pool(seen: Seen, size: int) -> Action:
    seats = seen.offender.seats
    if seats is not None and seats.idle_in_transaction * 2 >= size:
        says = (
            f"{words.plural(seats.idle_in_transaction, 'session is', 'sessions are')} idle in a transaction and holds"
            " a server connection meanwhile: end these transactions in the application, before any wait"
        )
        return Action(says=says)
    room = "" if seats is None else f" ({seats.active} sessions are active, of {seats.most} connections)"
    return Action(
        says=f"raise default_pool_size for this database and user, if the server has room{room}; RELOAD in the console"
    )
