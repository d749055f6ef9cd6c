"""Where sessions get no place: pools whose clients wait, and a server whose connections are nearly all taken."""

from __future__ import annotations

from premortem import words
from premortem.model import AlertKind, Evidence, Pool, Seats, Source
from premortem.watch.readings import Found, Reading
from premortem.watch.view import View

#: A wait of so many times the limit pages at once; a shorter one when it lasts into the next poll.
_LONG_WAIT = 5


def find_pools(view: View) -> Found:
    """Return how long clients wait at each pool."""
    unread = any(g.subject.startswith("pooler") for g in view.sample.gaps)
    readings = tuple(_pool(view, pool) for pool in view.sample.pools)
    return Found(readings=readings, settled=frozenset() if unread else frozenset({AlertKind.POOL}))


def subject_of(pool: Pool) -> str:
    """Return what tells a pool from others."""
    return f"{pool.pooler}/{pool.database}/{pool.user}"


def _pool(view: View, pool: Pool) -> Reading:
    limit, waited = view.limits().pool_wait_seconds, pool.longest_wait.total_seconds()
    over = pool.clients_waiting > 0 and waited > limit
    lasting = any(a.kind is AlertKind.POOL and a.subject == subject_of(pool) for a in view.before.alerts)
    return Reading(
        kind=AlertKind.POOL,
        database=pool.database,
        subject=subject_of(pool),
        value=waited if pool.clients_waiting else 0.0,
        limit=limit,
        unit="s",
        says=_pool_says(view, pool, waited),
        over=over,
        under=pool.clients_waiting == 0 or waited < limit * view.limits().close_below,
        page=over and (lasting or waited >= _LONG_WAIT * limit),
        evidence=tuple(
            Evidence(name=name, value=value, unit=unit, source=Source.MEASURED)
            for name, value, unit in (
                ("clients that wait", float(pool.clients_waiting), ""),
                ("the longest waits for", waited, "s"),
                ("server connections in use", float(pool.servers_active), ""),
            )
        ),
    )


def _pool_says(view: View, pool: Pool, waited: float) -> str:
    where = f"pool {pool.database}/{pool.user} of {pool.pooler}"
    if not pool.clients_waiting:
        return words.one_line(f"{where}: no client waits for a connection")
    verb = "waits" if pool.clients_waiting == 1 else "wait, the longest"
    servers = pool.servers_active + pool.servers_idle + pool.servers_used
    size = f" (pool_size {pool.size})" if pool.size is not None else ""
    says = (
        f"{where}: {words.plural(pool.clients_waiting, 'client')} {verb} for {words.duration(waited)}; "
        f"{pool.servers_active} of {servers} server connections in use{size}"
    )
    seats = view.sample.seats
    if seats is not None:
        says += f", while the server itself has {seats.active} active of {seats.most} connections"
    return words.one_line(says)


def find_seats(view: View) -> Found:
    """Return how much of the server's connections is taken."""
    seats = view.sample.seats
    if seats is None or seats.most <= seats.reserved:
        return Found()
    return Found(readings=(_seats(view, seats),), settled=frozenset({AlertKind.CONNECTIONS}))


def _seats(view: View, seats: Seats) -> Reading:
    limits = view.limits()
    usable = seats.most - seats.reserved
    limit = limits.connections_share * usable
    return Reading(
        kind=AlertKind.CONNECTIONS,
        database="",
        subject="connections",
        value=float(seats.taken),
        limit=limit,
        unit="connections",
        says=_seats_says(seats, usable, limits.connections_share),
        over=seats.taken >= limit,
        # 80 % of 80 % would keep it open while a third of the connections is free: half of the way back is enough.
        under=seats.taken < limit * (1 + limits.close_below) / 2,
        page=seats.taken >= limits.page_connections_share * usable,
        evidence=tuple(
            Evidence(name=name, value=float(value), source=Source.MEASURED)
            for name, value in (
                ("connections taken", seats.taken),
                ("connections there are for everybody", usable),
                ("active", seats.active),
                ("idle in transaction", seats.idle_in_transaction),
            )
        ),
    )


def _seats_says(seats: Seats, usable: int, share: float) -> str:
    holders = sorted(seats.by_application, key=lambda one: (-one[1], one[0]))[:3]
    held = [
        f"{count} by {application or role or 'unnamed'} on {database}"
        for (database, role, application), count in holders
    ]
    says = (
        f"{seats.taken} of {usable} connections taken, {words.percent(seats.taken / usable)} "
        f"(limit {words.percent(share)}): {seats.active} active, {seats.idle_in_transaction} idle in transaction"
    )
    return words.one_line(f"{says}; {words.listing(held)}" if held else says)
