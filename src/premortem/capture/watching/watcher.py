"""The thread that follows the log and looks at databases in time.

A look at a database delays whoever wants to drop, truncate or copy it, so there are few: one when DDL has settled, one
at a gate, and one before DROP DATABASE if there was DDL since.  That one is always in time because we stay connected
from the first DDL to the look that follows it, and PostgreSQL waits five seconds for others to leave.  What looking may
cost is bounded: beyond a twentieth of the suite's time we let things pass.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from premortem import pg
from premortem.capture.watching import gate, look
from premortem.capture.watching.scan import Created, Ddl, Dropping, Event, Gate, Missing, Scan
from premortem.capture.watching.states import Seen, chosen, together
from premortem.errors import PremortemError
from premortem.model import Profile

_POLL = 0.02
_SETTLED = 0.05  # between two migrations of one run there is less
_AGAIN = 0.1
_SLOWEST = 1.0
_LONGEST = 3.0  # seconds; DROP DATABASE and CREATE DATABASE give up after 5
_PIECE = 1 << 20
_FREE = 2.0  # seconds of looking that every suite gets
_SHARE = 0.05
OURS = "premortem"  # a database that only we use
_NOBODYS = frozenset({OURS, "template0", "template1"})


@dataclass(slots=True, kw_only=True)
class _Suspect:
    """A database whose schema may have changed since we last looked; `session` keeps DROP DATABASE waiting.

    `cleared` is one that we have looked at, kept until the log up to that look has been read: more DDL may be in it.
    """

    session: pg.Session
    pid: int
    closing: ExitStack
    since: datetime
    due: float
    pause: float = _AGAIN
    cleared: bool = False


@dataclass(slots=True, kw_only=True)
class _Spent:
    """How long we have looked, compared with how long the suite has run."""

    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def too_much(self) -> bool:
        return self.seconds > _FREE + _SHARE * (time.monotonic() - self.began)


class Watcher:
    """Follows the log of a server of ours until it is told to stop; then it knows the schemas that there were."""

    def __init__(self, server: pg.Server, log: Path, form: str, *, begins: int = 0) -> None:
        self._server = server
        self._log = log
        self._begins = begins
        self._scan = Scan(form)
        self._needle = '"dbname":"{}"' if form == "jsonlog" else ',"{}",'
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="premortem-watcher", daemon=True)
        self._suspects: dict[str, _Suspect] = {}
        self._seen: dict[str, Seen] = {}
        self._profiles: dict[str, Profile] = {}
        self._missing: set[str] = set()
        self._spent = _Spent()
        self._failed: BaseException | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Look a last time, at whatever still exists."""
        self._stop.set()
        self._thread.join()

    @property
    def schemas(self) -> tuple[tuple[tuple[str, ...], Profile], ...]:
        """Each schema that there was once, with the databases that had it."""
        if self._failed is not None and self.problem is None:
            raise self._failed
        found = {name: state for name, seen in self._seen.items() if (state := chosen(seen)) is not None}
        return tuple((names, self._profiles[state.digest]) for names, state in together(found))

    @property
    def problem(self) -> str | None:
        """Why we could not go on watching, None where we could."""
        return self._failed.message if isinstance(self._failed, PremortemError) else None

    @property
    def missing_extensions(self) -> tuple[str, ...]:
        """The extensions that were asked for and that the server does not have."""
        return tuple(sorted(self._missing))

    @property
    def seconds(self) -> float:
        """How long looking took."""
        return self._spent.seconds

    def _run(self) -> None:
        try:
            with ExitStack() as closing:
                answers = closing.enter_context(pg.writer(self._server, purpose="capture"))
                closing.callback(self._leave_all)
                self._follow(answers)
                self._look_at_what_is_left(answers)
        except BaseException as error:  # noqa: BLE001  # it is raised where somebody waits for us
            self._failed = error

    def _follow(self, answers: pg.Session) -> None:
        with self._log.open("rb", buffering=0) as log:
            log.seek(self._begins)
            while True:
                chunk = log.read(_PIECE)
                if chunk:
                    self._take(chunk, answers)
                self._look_where_due(drained=not chunk)
                if not chunk and self._stop.wait(_POLL):
                    return

    def _take(self, chunk: bytes, answers: pg.Session) -> None:
        for name, seen in self._seen.items():
            seen.wrote(chunk.count(self._needle.format(name).encode()))
        for event in self._scan.events(chunk):
            self._react(event, answers)

    def _react(self, event: Event, answers: pg.Session) -> None:
        match event:
            case Ddl(database=name):
                self._suspect(name)
            case Gate(database=name):
                self._suspect(name)
                self._look(name, at_any_cost=False)
                gate.answer(answers, event.pid, event.number)
            case Dropping(database=name):
                self._look_and_leave(name, at_any_cost=True)
            case Missing():
                self._missing.add(event.extension)
            case Created():
                self._look_and_leave(event.template, at_any_cost=False)
                self._copied(event)

    def _look_and_leave(self, name: str, *, at_any_cost: bool) -> None:
        """Look at a database that somebody waits for us to leave, and give up looking before they give up waiting."""
        suspect = self._suspects.get(name)
        if suspect is None:
            return
        limit = threading.Timer(_LONGEST, look.end, (self._server, suspect.pid))
        limit.daemon = True
        limit.start()
        self._look(name, at_any_cost=at_any_cost)
        limit.cancel()
        self._leave(name)

    def _copied(self, event: Created) -> None:
        """Note a new database; where its template is one whose schema we know, there is no need to look."""
        known = self._seen.get(event.template)
        if known and known.states:
            self._seen.setdefault(event.database, Seen()).now(known.states[-1])

    def _suspect(self, name: str) -> None:
        if name in _NOBODYS:
            return
        now = datetime.now(UTC)
        if name in self._suspects:
            suspect = self._suspects[name]
            suspect.since, suspect.due, suspect.pause = now, time.monotonic() + _SETTLED, _AGAIN
            suspect.cleared = False
            return
        with ExitStack() as closing:
            try:
                session = closing.enter_context(look.resident(self._server, name))
            except PremortemError:
                return  # it is gone already
            self._suspects[name] = _Suspect(
                session=session, pid=session.pid, closing=closing.pop_all(), since=now, due=time.monotonic() + _SETTLED
            )

    def _look_where_due(self, *, drained: bool) -> None:
        for name, suspect in list(self._suspects.items()):
            if suspect.cleared and drained:
                self._leave(name)
            elif not suspect.cleared and suspect.due <= time.monotonic():
                self._look(name, at_any_cost=False)

    def _look(self, name: str, *, at_any_cost: bool) -> None:
        """Look at a suspect, and clear it unless its schema may yet change."""
        suspect = self._suspects.get(name)
        if suspect is None:
            return
        began = time.monotonic()
        try:
            if self._looked(name, suspect, at_any_cost=at_any_cost) and not look.busy(suspect.session, suspect.since):
                suspect.cleared = True
            else:
                suspect.pause = min(suspect.pause * 1.5, _SLOWEST)
                suspect.due = time.monotonic() + suspect.pause
        except PremortemError:
            self._leave(name)  # thrown out, or the database is gone
        self._spent.seconds += time.monotonic() - began

    def _looked(self, name: str, suspect: _Suspect, *, at_any_cost: bool) -> bool:
        """Note a suspect's schema; False where somebody is just changing it, or where we have looked enough for now."""
        found = look.digest(suspect.session)
        if found.relations and found.digest not in self._profiles:
            if self._spent.too_much and name in self._seen and not at_any_cost:
                return False
            taken = look.snapshot(suspect.session)
            if taken is None:
                return False
            found, self._profiles[taken[0].digest] = taken
        self._seen.setdefault(name, Seen()).now(found)
        return True

    def _leave(self, name: str) -> None:
        suspect = self._suspects.pop(name, None)
        if suspect is not None:
            suspect.closing.close()

    def _leave_all(self) -> None:
        for name in list(self._suspects):
            self._leave(name)

    def _look_at_what_is_left(self, db: pg.Session) -> None:
        """Look at every database that still exists: somebody may have changed it without our noticing."""
        for name in db.values("SELECT datname::text FROM pg_catalog.pg_database WHERE datallowconn ORDER BY 1"):
            self._suspect(name)
            self._look(name, at_any_cost=True)
