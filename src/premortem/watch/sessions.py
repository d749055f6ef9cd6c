"""What sessions do that hurts: statements that run too long, transactions that stay open, idle or not.

A session hurts in one way only: who blocks others is told as that, a statement that runs too long as that and not as a
long transaction too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime

from premortem import words
from premortem.model import AlertKind, Backend, Evidence, Source, Statement, Subject
from premortem.watch.identity import identify_session
from premortem.watch.readings import Found, Reading
from premortem.watch.view import View

#: What we call ourselves; a session of ours never accuses itself.
OURS = "premortem"
_CLIENT = "client backend"
_IDLE = ("idle in transaction", "idle in transaction (aborted)")


def backends(view: View) -> Iterator[Backend]:
    """Yield the sessions of clients that are not ours, without the workers that help them."""
    for backend in view.sample.backends:
        if backend.kind == _CLIENT and backend.leader is None and not is_ours(backend):
            yield backend


def is_ours(backend: Backend) -> bool:
    """Whether a session is premortem's own."""
    return backend.application.partition("/")[0] == OURS


def age(view: View, since: datetime | None) -> float:
    """Return how many seconds ago something began, by the server's own clock; 0 where nobody knows."""
    return max(0.0, (view.sample.at - since).total_seconds()) if since else 0.0


def executions(view: View) -> Mapping[Subject, tuple[Statement, tuple[Backend, ...]]]:
    """Return which sessions execute what, without those that only wait for a lock."""
    found: dict[Subject, list[Backend]] = defaultdict(list)
    statements: dict[Subject, Statement] = {}
    for backend in backends(view):
        if backend.state != "active" or backend.blocked_by:
            continue
        statement = _statement(view, backend)
        if statement is None or statement.utility or statement.ours:
            continue
        subject = Subject(database=view.database(backend), fingerprint=statement.fingerprint)
        found[subject].append(backend)
        statements.setdefault(subject, statement)
    return {subject: (statements[subject], tuple(those)) for subject, those in found.items()}


def _statement(view: View, backend: Backend) -> Statement | None:
    """Return what a session runs, None where neither its text nor its number says."""
    if backend.pid in view.told.running:
        return view.told.running[backend.pid]
    database, role = view.database(backend), view.role(backend)
    found = identify_session(backend, database, role, known=view.told.statements)
    return None if found.unreadable and backend.queryid is None else found


def too_long(view: View) -> Mapping[Subject, tuple[Statement, tuple[Backend, ...]]]:
    """Return the executions that are over their limit, the longest first."""
    found = {}
    for subject, (statement, those) in executions(view).items():
        over = [b for b in those if age(view, b.query_start) > view.limits(statement, view.service(b)).running_seconds]
        if over:
            found[subject] = (statement, tuple(sorted(over, key=lambda b: -age(view, b.query_start))))
    return found


def find(view: View, blockers: frozenset[int], running: frozenset[int]) -> Found:
    """Return the transactions that are open for too long.

    `blockers` are told as such; what `running` does is told of its statement, unless the transaction is older.
    """
    groups: dict[tuple[AlertKind, str, str], list[tuple[float, float, Backend]]] = defaultdict(list)
    for backend in backends(view):
        if backend.pid in blockers or backend.transaction_start is None:
            continue
        for kind, seconds, limit in _open(view, backend, running):
            groups[kind, view.database(backend), view.service(backend)].append((seconds, limit, backend))
    readings = tuple(_transaction(view, *group, found) for group, found in groups.items())
    return Found(readings=readings, settled=frozenset({AlertKind.TRANSACTION, AlertKind.IDLE}))


def _open(view: View, backend: Backend, running: frozenset[int]) -> Iterator[tuple[AlertKind, float, float]]:
    """Yield what a session's transaction is to be measured as: kind, seconds, limit."""
    limits = view.limits(None, view.service(backend), view.role(backend))
    if backend.state in _IDLE:
        yield AlertKind.IDLE, age(view, backend.state_change), limits.idle_seconds
        return
    told_already = backend.pid in running and age(view, backend.transaction_start) < age(view, backend.query_start) + 1
    if not told_already and not backend.blocked_by:
        yield AlertKind.TRANSACTION, age(view, backend.transaction_start), limits.transaction_seconds


def _transaction(
    view: View, kind: AlertKind, database: str, service: str, found: list[tuple[float, float, Backend]]
) -> Reading:
    """Return the reading of all such transactions of one service: a pid in the key would be an alert per session."""
    seconds, limit, worst = max(found, key=lambda one: one[0] / max(one[1], 1e-9))
    over = [one for one in found if one[0] > one[1]]
    doing = "idle in transaction" if kind is AlertKind.IDLE else "in one transaction"
    says = (
        f"{service} is {doing} for {words.duration(seconds)} (limit {words.duration(limit)}): "
        f"pid {worst.pid} of {database or 'no database'}, role {view.role(worst) or 'unknown'}"
    )
    if len(over) > 1:
        says += f", and {words.plural(len(over) - 1, 'session')} more"
    return Reading(
        kind=kind,
        database=database,
        subject=service,
        value=seconds,
        limit=limit,
        unit="s",
        says=words.one_line(says),
        over=seconds > limit,
        under=seconds < limit * view.limits().close_below,
        evidence=(
            Evidence(name="open for", value=age(view, worst.transaction_start), unit="s", source=Source.MEASURED),
            Evidence(name="pid", value=str(worst.pid), source=Source.MEASURED),
            Evidence(name="sessions", value=float(len(over)), source=Source.MEASURED),
        ),
    )
