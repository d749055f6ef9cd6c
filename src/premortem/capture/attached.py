"""Captures from a server that the suite uses already: nothing there is changed, so we see what it lets us see.

    attach
    ├── counted        pg_stat_statements, as differences; never reset
    ├── _Log           the server's own log, where the role may read it and it holds statements
    └── _Schemas       a thread that looks at new databases now and then

For a role that may, PGOPTIONS makes the suite's own sessions log their statements: those of drivers built on libpq.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain

from premortem import pg
from premortem.capture import counted, following, logs, suite
from premortem.capture.captured import Capture, Schema, captured
from premortem.capture.executed import Executed
from premortem.capture.reading import Counter
from premortem.capture.watching import Seen, chosen, look
from premortem.capture.watching.states import together
from premortem.errors import CommandError, PremortemError
from premortem.model import Gap, Profile

QUERIES = pg.named_sql("premortem.capture", "sql/attached.sql")
_FORMS = ("jsonlog", "csvlog", "stderr")
_PIECE = 8 << 20
_EVERY = 0.5  # seconds between two looks at the server's databases
_SHARE = 20  # a look is followed by a pause of at least so many times its length
_LOGGED = "-c log_statement=all"


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    """The server's log as it was when the suite began."""

    form: str
    file: _File
    prefix: str


def attach(
    dsn: str,
    command: Sequence[str] = (),
    *,
    timeout: float | None = None,
    inherited: Mapping[str, str] = os.environ,
) -> Capture:
    """Return what a command does on the server that the DSN leads to; without a command, what was counted there so far.

    Raises CommandError where the command could not be run or was interrupted, ServerError where the server says no.
    """
    began = datetime.now(UTC)
    with pg.session(dsn, purpose="capture") as db:
        before = counted.counts(db) if command else {}
        log, version = (_log(db) if command else None), db.value("SHOW server_version")
        may_log = bool(command) and db.value("SHOW is_superuser") == "on"
    with _watched(dsn, running=bool(command)) as schemas:
        ending = suite.run(command, _environment(inherited, may_log=may_log), timeout=timeout) if command else None
    if ending is not None and ending.asked is not None:
        raise CommandError("interrupted, and nothing was captured", status=128 + ending.asked)
    counter = Counter()
    with pg.session(dsn, purpose="capture") as db:
        found = logs.gather(counter.of(_executed(db, log, before)), source="capture")
    return replace(
        captured(found, began, counter.calls),
        command=tuple(command),
        exit_status=None if ending is None else ending.status,
        timed_out=ending is not None and ending.timed_out,
        server_version=str(version),
        schemas=schemas.schemas,
        gaps=_gaps(before, log),
    )


def _environment(inherited: Mapping[str, str], *, may_log: bool) -> dict[str, str]:
    given = inherited.get("PGOPTIONS", "")
    return dict(inherited) | ({"PGOPTIONS": f"{given} {_LOGGED}".strip()} if may_log else {})


def _gaps(before: counted.Counts | None, log: _Log | None) -> tuple[Gap, ...]:
    if before is not None or log is not None:
        return ()
    return (
        Gap(
            subject="statements",
            says="The server has no pg_stat_statements in this database and no log that the role may read.",
            effect="Nothing that ran there was seen.",
            cure="CREATE EXTENSION pg_stat_statements, or capture without --dsn, on a server of premortem's own.",
        ),
    )


def _log(db: pg.Session) -> _Log | None:
    """Return the log that the server writes, None where we may not read it or nobody collects it."""
    for form in _FORMS:
        try:
            found = db.rows(QUERIES["log"], _File, form=form)
        except PremortemError:
            continue  # a form that this version does not know, or a privilege that the role lacks
        if found:
            return _Log(form=form, file=found[0], prefix=str(db.value("SHOW log_line_prefix")))
    return None


def _executed(db: pg.Session, log: _Log | None, before: counted.Counts | None) -> Iterator[Executed]:
    logged = iter(()) if log is None else logs.read(_lines(db, log), form=log.form, prefix=_prefix(log))
    first = next(logged, None)
    if first is not None:
        yield from chain((first,), logged)
    after = counted.counts(db) if before is not None else None
    if before is not None and after is not None:
        yield from counted.between(before, after, nested_only=first is not None)


def _prefix(log: _Log) -> str | None:
    return log.prefix if log.form == "stderr" else None


def _lines(db: pg.Session, log: _Log) -> Iterator[bytes]:
    """Yield the lines that the server wrote since, up to a rotation of its log."""
    place, rest = log.file.size, b""
    while piece := bytes(db.value(QUERIES["piece"], path=log.file.path, begins=place, length=_PIECE) or b""):
        place += len(piece)
        whole, newline, rest = (rest + piece).rpartition(b"\n")
        if newline:
            yield from following.ended(whole)
    if rest:
        yield rest


class _Schemas:
    """Looks at the server's databases now and then, each time for a moment: DROP DATABASE waits for nobody idle."""

    def __init__(self, dsn: str, *, running: bool) -> None:
        self._dsn = dsn
        self._running = running
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="premortem-schemas", daemon=True)
        self._seen: dict[str, Seen] = {}
        self._profiles: dict[str, Profile] = {}
        self._there: frozenset[str] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._there = frozenset(self._databases())
        self._thread.start()

    def stop(self) -> None:
        """Look a last time."""
        self._stop.set()
        self._thread.join()

    @property
    def schemas(self) -> tuple[Schema, ...]:
        """Each schema that there was once, with the databases that had it."""
        found = {name: state for name, seen in self._seen.items() if (state := chosen(seen)) is not None}
        return tuple(Schema(databases=n, profile=self._profiles[s.digest]) for n, s in together(found))

    def _databases(self) -> tuple[str, ...]:
        with pg.session(self._dsn, purpose="capture") as db:
            own = db.value("SELECT pg_catalog.current_database()::text")
            return (own, *(name for name in db.values(QUERIES["databases"]) if name != own))

    def _run(self) -> None:
        while True:
            ended = self._stop.is_set() or not self._running
            began = time.monotonic()
            self._look()
            if ended:
                return
            self._stop.wait(max(_EVERY, (time.monotonic() - began) * _SHARE))

    def _look(self) -> None:
        """Look at the database of the DSN and at those that came into being."""
        try:
            own, *others = self._databases()
            for name in (own, *(name for name in others if name not in (self._there or ()))):
                self._look_at(name)
        except PremortemError:
            return  # the suite may have dropped what we were looking at

    def _look_at(self, name: str) -> None:
        with pg.session(self._dsn, purpose="capture", database=name) as db:
            found = look.digest(db)
            if found.relations and found.digest not in self._profiles:
                self._profiles[found.digest] = look.schema(db)
            self._seen.setdefault(name, Seen()).now(found)


@contextmanager
def _watched(dsn: str, *, running: bool) -> Iterator[_Schemas]:
    schemas = _Schemas(dsn, running=running)
    schemas.start()
    try:
        yield schemas
    finally:
        schemas.stop()
