"""Who holds what others wait for: from the waiting sessions to the one that waits for nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from premortem import words
from premortem.diagnosis.offender import Offender
from premortem.model import Action, Backend

#: CREATE INDEX CONCURRENTLY waits for every transaction that is older than itself.
_OLD = timedelta(seconds=60)


def roots(waiting: Iterable[Backend], backends: Sequence[Backend]) -> tuple[int, ...]:
    """Return the processes at the ends of the chains, those that most wait for first.

    A circle, which the server itself breaks after deadlock_timeout, ends where it is entered again.
    """
    known = {b.pid: b for b in backends}
    counts: dict[int, int] = {}
    for backend in waiting:
        for root in _ends(backend, known):
            counts[root] = counts.get(root, 0) + 1
    return tuple(sorted(counts, key=lambda pid: (-counts[pid], pid)))


def _ends(backend: Backend, known: dict[int, Backend]) -> set[int]:
    ends: set[int] = set()
    met = {backend.pid}
    waiting = list(backend.blocked_by)
    while waiting:
        pid = waiting.pop()
        if pid in met:
            continue
        met.add(pid)
        further = known[pid].blocked_by if pid in known else ()
        if not further:
            ends.add(pid)
        waiting += further
    return ends


def told(pid: int, backends: Sequence[Backend], now: datetime) -> str:
    """Return who a process is, in a phrase; what it runs is not said, for that text may hold values."""
    found = next((b for b in backends if b.pid == pid), None)
    if pid == 0 or found is None:
        return "a prepared transaction" if pid == 0 else f"session {pid}"
    who = f"{words.one_line(found.application)}, " if found.application else ""
    if found.kind not in ("client backend", ""):
        who = f"{found.kind}, "
    if found.state.startswith("idle in transaction") and found.state_change:
        return f"session {pid} ({who}{found.state} for {_for(now, found.state_change)})"
    since = found.transaction_start or found.query_start
    length = f", its transaction began {_for(now, since)} ago" if since else ""
    return f"session {pid} ({who}{found.state or 'state unknown'}{length})"


def _for(now: datetime, since: datetime) -> str:
    return words.duration(max(now - since, timedelta()))


def action(pid: int, backends: Sequence[Backend], now: datetime) -> Action:
    """Return how to get rid of a session that holds the lock: a statement is cancelled, an idle one ended."""
    found = next((b for b in backends if b.pid == pid), None)
    if pid == 0:
        return Action(
            says="finish the prepared transaction that holds the lock",
            sql=("SELECT gid, prepared, owner, database FROM pg_catalog.pg_prepared_xacts ORDER BY prepared;",),
        )
    who = told(pid, backends, now)
    if found is not None and found.state == "active":
        return Action(
            says=f"cancel what {who} runs; its transaction then ends, and the others go on",
            sql=(f"SELECT pg_catalog.pg_cancel_backend({pid});",),
            proof="advice",
        )
    return Action(
        says=f"end {who}; what it has not committed is rolled back",
        sql=(f"SELECT pg_catalog.pg_terminate_backend({pid});",),
        proof="advice",
    )


def slow_builders(offender: Offender, now: datetime) -> str:
    """Return a remark on transactions that a concurrent build would wait for, empty where there is none."""
    old = [b for b in offender.backends if b.transaction_start and now - b.transaction_start > _OLD]
    if not old:
        return ""
    oldest = min(old, key=lambda b: b.transaction_start or now)
    return f"; it first waits for {told(oldest.pid, offender.backends, now)}"
