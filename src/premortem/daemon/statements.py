"""Which statement an entry of pg_stat_statements is: its text is asked for once, when it moves, and never again.

A text is large and reading texts costs the server much, so each is fetched once per instance.  The same application
runs on many instances: equal statements are kept once for all of them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from premortem import watch
from premortem.model import Backend, Sample, Statement, StatementKey

#: Texts that are fetched in one poll: those that took most of the time come first, others in the next polls.
_MOST_TEXTS = 1_000
_MOST_KNOWN = 20_000
_MOST_SHARED = 100_000
_MOST_SESSIONS = 500
#: A text that the server does not have is asked for so many times: it may be on its way out, or out of our sight.
_MOST_TRIES = 3

Texts = Callable[[Collection[StatementKey], int], Mapping[StatementKey, str]]


class Shared:
    """Statements that several instances run, kept once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str, str], Statement] = {}

    def identify(self, text: str, database: str, role: str) -> Statement:
        """Return what a text is, the very same value for the same text."""
        name = (text, database, role)
        with self._lock:
            known = self._kept.get(name)
        if known is not None:
            return known
        found = watch.identify(text, database, role)
        with self._lock:
            if len(self._kept) >= _MOST_SHARED:
                self._kept.clear()
            return self._kept.setdefault(name, found)


@dataclass(slots=True)
class _Known:
    statement: Statement | None
    tries: int = 0


class Statements:
    """What the entries of one instance are."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._known: OrderedDict[StatementKey, _Known] = OrderedDict()
        self._sessions: OrderedDict[tuple[str, str, str, int | None], Statement] = OrderedDict()

    def learn(self, sample: Sample, texts: Texts) -> None:
        """Ask for the texts of entries that moved, or that sessions run, and that nobody has seen."""
        wanted = self._unknown(sample)
        if not wanted:
            return
        found = texts(wanted[:_MOST_TEXTS], _MOST_TEXTS)
        for key in wanted[:_MOST_TEXTS]:
            text = found.get(key)
            self._put(key, None if text is None else self._identified(key, text, sample))

    def told(self) -> Mapping[StatementKey, Statement]:
        """Return all that are known, those that moved last at the end."""
        return {key: known.statement for key, known in self._known.items() if known.statement is not None}

    def running(self, sample: Sample) -> dict[int, Statement]:
        """Return what sessions run that pg_stat_statements has no entry of yet, by process."""
        backends = (*(one for glance in sample.glances for one in glance.backends), *sample.backends)
        return {
            backend.pid: self._seen_running(backend, sample)
            for backend in backends
            if backend.text and self._statement(key_of(backend)) is None
        }

    def _seen_running(self, backend: Backend, sample: Sample) -> Statement:
        """Return what a session's text is; each has values of its own, so only the last few are remembered."""
        database = sample.databases.get(backend.dbid or 0, "")
        said = (backend.text, database, sample.roles.get(backend.userid or 0, ""), backend.queryid)
        found = self._sessions.get(said) or watch.identify(*said[:3], queryid=backend.queryid)
        self._sessions[said] = found
        self._sessions.move_to_end(said)
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return found

    def _statement(self, key: StatementKey | None) -> Statement | None:
        known = self._known.get(key) if key else None
        return known.statement if known else None

    def _unknown(self, sample: Sample) -> list[StatementKey]:
        """Return the entries without a text, the heaviest first."""
        weights = {
            moved.key: moved.now.total_ms - (moved.before.total_ms if moved.before else 0.0) for moved in sample.moved
        }
        run = {key: float("inf") for key in _run(sample) if key not in self._known}
        for key in weights:
            if key in self._known:
                self._known.move_to_end(key)
        unknown = {key: weight for key, weight in {**weights, **run}.items() if self._is_unknown(key)}
        return sorted(unknown, key=lambda key: unknown[key], reverse=True)

    def _is_unknown(self, key: StatementKey) -> bool:
        known = self._known.get(key)
        return known is None or (known.statement is None and known.tries < _MOST_TRIES)

    def _identified(self, key: StatementKey, text: str, sample: Sample) -> Statement:
        database = sample.databases.get(key.dbid, str(key.dbid))
        role = sample.roles.get(key.userid, str(key.userid))
        found = self._shared.identify(text, database, role)
        if found.unreadable:  # then it has a name on its own server only
            return watch.identify(text, database, role, queryid=key.queryid)
        return found

    def _put(self, key: StatementKey, statement: Statement | None) -> None:
        before = self._known.get(key)
        self._known[key] = _Known(statement, (before.tries if before else 0) + 1)
        self._known.move_to_end(key)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)


def key_of(backend: Backend) -> StatementKey | None:
    """Return which entry a session's statement will be counted in."""
    if backend.queryid is None or backend.dbid is None or backend.userid is None:
        return None
    return StatementKey(dbid=backend.dbid, userid=backend.userid, toplevel=True, queryid=backend.queryid)


def _run(sample: Sample) -> Iterable[StatementKey]:
    return (key for backend in sample.backends if backend.state == "active" and (key := key_of(backend)))
