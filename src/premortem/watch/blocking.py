"""Who waits for whom: one reading for each chain of sessions, named by the one that all of them wait for.

A queue on a row moves: the session in front gets the lock, and the next one is in front.  That is one incident and not
one for every turn, so a chain keeps its subject while any of its sessions is in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from premortem import words
from premortem.model import AlertKind, Backend, Evidence, Glance, Sample, Source
from premortem.watch.naming import HOLDER
from premortem.watch.readings import Found, Reading
from premortem.watch.sessions import age
from premortem.watch.state import Chain, Chains
from premortem.watch.view import View


def identity(backend: Backend) -> str:
    """Return what tells a session from a later one with the same pid."""
    started = backend.started_at
    return f"{backend.pid}@{started:%Y%m%dT%H%M%S}" if started else str(backend.pid)


def roots(view: View) -> Mapping[int, tuple[Backend, ...]]:
    """Return the waiting sessions by the pid that they wait for in the end; 0 is a prepared transaction."""
    sessions = {b.pid: b for b in view.sample.backends}
    found: dict[int, list[Backend]] = defaultdict(list)
    for backend in sessions.values():
        if backend.blocked_by:
            found[_root(backend, sessions)].append(backend)
    return {root: tuple(waiting) for root, waiting in found.items()}


def _root(backend: Backend, sessions: Mapping[int, Backend]) -> int:
    """Return the end of a chain; of a circle, which is a deadlock that the server is about to break, its lowest pid."""
    path: list[int] = []
    pid = backend.pid
    while pid not in path:
        path.append(pid)
        blocked_by = sessions[pid].blocked_by if pid in sessions else ()
        if not blocked_by:
            return pid
        pid = min(blocked_by)
    return min(path[path.index(pid) :])


def chains(view: View) -> Chains:
    """Return the chains of a sample with their roots and those who wait, under the subjects that they had before."""
    sessions = {b.pid: b for b in view.sample.backends}
    free = _free(view)
    taken: set[str] = set()
    found = []
    for root, waiting in sorted(roots(view).items(), key=lambda one: (-len(one[1]), one[0])):
        members = [identity(b) for b in waiting]
        members.append(identity(sessions[root]) if root in sessions else str(root))
        subject = _subject(view.before.chains, members, taken) or members[-1]
        taken.add(subject)
        waited = tuple((identity(b), free.get(identity(b))) for b in waiting)
        found.append((Chain(subject=subject, members=tuple(sorted(members)), free=waited), root, waiting))
    return tuple(found)


def _free(view: View) -> Mapping[str, datetime | None]:
    """Return when those who wait now were last seen not to; a statement may have worked for long before it waits."""
    known = dict(one for chain in view.before.chains for one in chain.free)
    last = view.before.at
    looks: tuple[Glance | Sample, ...] = (*view.sample.glances, view.sample)
    for look in looks:
        waiting = (identity(b) for b in look.backends if b.blocked_by)
        known = {member: known.get(member, last) for member in waiting}
        last = look.at
    return known


def _waits(view: View, chain: Chain, backend: Backend) -> float:
    """Return for how long a session has waited at most: since its statement began, or since it was seen not to."""
    free = dict(chain.free).get(identity(backend))
    began = age(view, backend.query_start)
    return began if free is None else min(began, age(view, free))


def _subject(before: Iterable[Chain], members: Iterable[str], taken: set[str]) -> str | None:
    those = set(members)
    return next((c.subject for c in before if c.subject not in taken and those & set(c.members)), None)


def find(view: View, found: Chains) -> Found:
    """Return how long sessions wait for each root."""
    readings = tuple(_reading(view, chain, root, waiting) for chain, root, waiting in found)
    return Found(readings=readings, settled=frozenset({AlertKind.BLOCKED}))


def _reading(view: View, chain: Chain, root: int, waiting: tuple[Backend, ...]) -> Reading:
    limits = view.limits()
    longest = max(_waits(view, chain, b) for b in waiting)
    database = next((d for d in map(view.database, waiting) if d), "")
    return Reading(
        kind=AlertKind.BLOCKED,
        database=_database(view, chain) or database,
        subject=chain.subject,
        value=longest,
        limit=limits.blocked_seconds,
        unit="s",
        says=_says(view, root, waiting, longest),
        over=longest > limits.blocked_seconds,
        under=False,
        page=len(waiting) >= limits.page_blocked,
        evidence=(
            Evidence(name="sessions that wait", value=float(len(waiting)), source=Source.MEASURED),
            Evidence(name="the longest waits for", value=longest, unit="s", source=Source.MEASURED),
            Evidence(name="pid that blocks", value=str(root), source=Source.MEASURED),
            Evidence(name=HOLDER, value=_holder(view, root), source=Source.MEASURED),
        ),
    )


def _holder(view: View, root: int) -> str:
    """Return what the session calls itself that holds the lock."""
    backend = next((b for b in view.sample.backends if b.pid == root), None)
    if backend is None:
        return "a prepared transaction" if root == 0 else f"pid {root}"
    return words.one_line(view.service(backend))


def _database(view: View, chain: Chain) -> str:
    """Return the database under which the chain's alert is open, for its key must stay."""
    kind = AlertKind.BLOCKED
    return next((a.database for a in view.before.alerts if a.kind is kind and a.subject == chain.subject), "")


def _says(view: View, root: int, waiting: tuple[Backend, ...], longest: float) -> str:
    who = words.listing(list(dict.fromkeys(view.service(b) for b in waiting)), most=3)
    verb = "waits" if len(waiting) == 1 else "wait"
    return words.one_line(
        f"{words.plural(len(waiting), 'session')} ({who}) {verb}, the longest for {words.duration(longest)}, "
        f"for {_root_says(view, root)}"
    )


def _root_says(view: View, root: int) -> str:
    if root == 0:
        return "a prepared transaction (see pg_prepared_xacts)"
    backend = next((b for b in view.sample.backends if b.pid == root), None)
    if backend is None:
        return f"pid {root}, of which nothing was seen"
    open_for = f", transaction open for {words.duration(age(view, backend.transaction_start))}"
    doing = backend.state or "state unknown"
    kind = "" if backend.kind == "client backend" else f" ({backend.kind})"
    return f"pid {root} of {view.service(backend)}{kind}, {doing}{open_for if backend.transaction_start else ''}"
