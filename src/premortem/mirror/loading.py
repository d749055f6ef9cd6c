"""Puts one chunk of rows into the target: what a worker does, wherever it runs.

Only names travel to a worker: where the target is, and which chunk.  The profile and the options are in the target
itself, and rows are a pure function of them, so a chunk that was lost is simply made again.  Its rows and its line in
the manifest commit together, and the line is taken first: two workers that have the same chunk wait for each other,
and the second finds it done.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING

from premortem import pg
from premortem.errors import ConnectionRefused, PremortemError, ServerError, ServerTimeout, StatementError, UsageError
from premortem.mirror import manifest, wire
from premortem.mirror.manifest import ChunkName
from premortem.mirror.options import Options
from premortem.mirror.place import settle
from premortem.mirror.target import queries
from premortem.model import Profile, RelationName, quoted
from premortem.twin.standins import type_name

if TYPE_CHECKING:
    from premortem.synthesis import Synthesis, TablePlan

#: A chunk of which the target refuses more than this share is given up, and its table with it.
MOST_REFUSED = 0.02
_FEW = 20
#: Insufficient resources, operator intervention, system error (PostgreSQL manual, appendix A).
_NOT_OF_A_ROW = ("53", "57", "58")
#: How long a server that crashed may take to come back before its chunk is given back.
_PATIENCE = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What became of a chunk: `rows` are in, `refused` were not taken (`why` says what the server had against one)."""

    chunk: ChunkName
    rows: int
    refused: int = 0
    why: str = ""
    emptied: tuple[str, ...] = ()
    was_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unloadable:
    """A chunk that the target takes no part of, whoever tries: its table is given up."""

    chunk: ChunkName
    why: str


@dataclass(slots=True)
class _Source:
    """What a worker keeps between chunks: how to make rows, and the numbers of types in the target."""

    synthesis: Synthesis
    plans: Mapping[RelationName, TablePlan]
    oids: Mapping[str, int]


@dataclass(slots=True)
class _Kept:
    """What this process keeps: a source per target, and a connection per target and thread."""

    sources: dict[tuple[str, str], _Source] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    local: threading.local = field(default_factory=threading.local)


_kept = _Kept()


def load(place: str, chunk: ChunkName) -> Loaded | Unloadable:
    """Make a chunk's rows and put them into the target at that place.

    Raises ConnectionRefused where the target is gone for good, ServerError where it cannot go on (a full disk).
    """
    for pause in (*_PATIENCE, None):
        try:
            return _load(_session(place), place, chunk)
        except (ConnectionRefused, ServerTimeout):
            _forget(place)
            if pause is None:
                raise
            time.sleep(pause)  # a server that crashed comes back by itself, and its own rows are not lost
    raise AssertionError("unreachable")


def forget() -> None:
    """Close what this thread keeps open."""
    for place in list(_sessions()):
        _forget(place)


def _sessions() -> dict[str, tuple[pg.Session, contextlib.ExitStack]]:
    if not hasattr(_kept.local, "sessions"):
        _kept.local.sessions = {}
    found: dict[str, tuple[pg.Session, contextlib.ExitStack]] = _kept.local.sessions
    return found


def _session(place: str) -> pg.Session:
    sessions = _sessions()
    if place not in sessions:
        stack = contextlib.ExitStack()
        db = stack.enter_context(pg.writer(place, purpose="mirror"))
        settle(db)
        sessions[place] = (db, stack)
    return sessions[place][0]


def _forget(place: str) -> None:
    found = _sessions().pop(place, None)
    if found is not None:
        with contextlib.suppress(PremortemError):  # it is broken: that is why it is closed
            found[1].close()


def _source(db: pg.Session, place: str) -> _Source:
    """Return the source of rows for the mirror at that place; planned once per process."""
    held = manifest.read(db)
    if held is None:
        raise ServerError("the target holds no mirror any more")
    name = (place, f"{held.digest} {held.started_at.isoformat()}")
    with _kept.lock:
        if name not in _kept.sources:
            profile = manifest.profile(db)
            planned = planned_rows(profile, held.options)
            plans = {plan.relation: plan for plan in planned.tables}
            _kept.sources.clear()
            _kept.sources[name] = _Source(synthesis=planned, plans=plans, oids=oids(db, profile))
        return _kept.sources[name]


def rows_from() -> ModuleType:
    """Return the room that makes rows, which needs NumPy.

    Raises UsageError where that is not installed.
    """
    try:
        from premortem import synthesis
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("numpy"):
            raise
        raise UsageError("NumPy is not installed", hint="pip install 'premortem[mirror]'") from error
    return synthesis


def planned_rows(profile: Profile, options: Options) -> Synthesis:
    """Return how the rows of a mirror are made."""
    planned: Synthesis = rows_from().plan(
        profile,
        scale=options.scale,
        seed=options.seed,
        tables=options.tables,
        rows=options.rows,
        shift_to=options.shift_to,
    )
    return planned


def oids(db: pg.Session, profile: Profile) -> Mapping[str, int]:
    """Return the numbers that types have in the target, by the names that columns have for them."""
    types = {c.type for t in profile.tables for c in t.columns}
    types |= {name for t in types if (name := type_name(t)) is not None}
    types |= {f"{quoted(o.schema)}.{quoted(o.name)}" for o in profile.objects}
    types |= {t.removesuffix("[]") for t in types}
    return {str(name): int(oid) for name, oid in db.tuples(queries["type oids"], names=sorted(types))}


def _load(db: pg.Session, place: str, chunk: ChunkName) -> Loaded | Unloadable:
    synthesis = rows_from()
    source = _source(db, place)
    plan = source.plans[chunk.relation]
    made = synthesis.chunk(source.synthesis, chunk.relation, chunk.number)
    rows = synthesis.encode(made, source.oids)
    count = made.rows
    copy = _copy_sql(chunk.relation, plan.columns)
    try:
        with db.transaction():
            if not manifest.claim(db, chunk, count):
                return Loaded(chunk=chunk, rows=0, was_in=True)
            db.copy_in(copy, wire.stream(rows))
        return Loaded(chunk=chunk, rows=count)
    except (StatementError, ServerError) as error:
        if not _is_of_a_row(error):
            raise
        return _piecemeal(db, chunk, copy, plan.columns, rows, error)


def _is_of_a_row(error: PremortemError) -> bool:
    """Whether the server refused a row and could take the next: not for want of memory, disk or a server."""
    state = error.sqlstate if isinstance(error, (StatementError, ServerError)) else None
    return wire.refused_line(pg.context(error)) is not None and not (state or "").startswith(_NOT_OF_A_ROW)


def _copy_sql(relation: RelationName, columns: tuple[str, ...]) -> str:
    listed = f" ({', '.join(map(quoted, columns))})" if columns else ""
    return f"COPY {relation.sql}{listed} FROM STDIN (FORMAT binary)"


def _piecemeal(
    db: pg.Session, chunk: ChunkName, copy: str, columns: tuple[str, ...], rows: bytes, first: PremortemError
) -> Loaded | Unloadable:
    """Put in what the target takes of a chunk of which it refused a row."""
    attempt = _Piecemeal(db=db, copy=copy, columns=columns, rows=memoryview(rows), edges=wire.boundaries(rows))
    try:
        with db.transaction():
            if not manifest.claim(db, chunk, attempt.count):
                return Loaded(chunk=chunk, rows=0, was_in=True)
            attempt.run(first)
            manifest.refused(db, chunk, rows=attempt.count - attempt.refused, refused=attempt.refused)
    except _TooMany:
        return Unloadable(chunk=chunk, why=attempt.why)
    return Loaded(
        chunk=chunk, rows=attempt.count - attempt.refused, refused=attempt.refused, why=attempt.why,
        emptied=tuple(attempt.emptied),
    )  # fmt: skip


class _TooMany(Exception):
    """The target refuses so much of a chunk that its table is given up."""


@dataclass(slots=True)
class _Piecemeal:
    """A chunk on its way in, without the rows that the target refuses.

    The server names the row that it refuses, so what stands before it goes in as one piece, and every row is sent twice
    at most.  A column of which it refuses one value after the other becomes NULL.
    """

    db: pg.Session
    copy: str
    columns: tuple[str, ...]
    rows: memoryview
    edges: list[int]
    refused: int = 0
    why: str = ""
    emptied: list[str] = field(default_factory=list)
    blamed: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.edges) - 1

    @property
    def _most(self) -> float:
        return max(_FEW, MOST_REFUSED * self.count)

    def run(self, error: PremortemError) -> None:
        """Put in the whole chunk, as far as it is taken."""
        start, last = 0, self.count
        while start < last:
            refused = self._refused_row(error)
            if refused is None:
                raise _TooMany
            line, column = refused
            if column is not None and self._is_to_blame(column):
                self._empty(column, start)
                problem = self._send(start, last)
            elif (problem := self._send(start, start + line - 1)) is None:
                self.refused += 1
                if self.refused > self._most:
                    raise _TooMany
                start += line
                problem = self._send(start, last)
            if problem is None:
                return
            error = problem

    def _refused_row(self, error: PremortemError) -> tuple[int, str | None] | None:
        self.why = self.why or manifest.words_of(error)
        return wire.refused_line(pg.context(error))

    def _is_to_blame(self, column: str) -> bool:
        self.blamed[column] = self.blamed.get(column, 0) + 1
        return self.blamed[column] > _FEW // 2 and column in self.columns and column not in self.emptied

    def _empty(self, column: str, start: int) -> None:
        """Make a column NULL in what is still to go in."""
        rest = wire.without_field(
            (self.rows[self.edges[i] : self.edges[i + 1]] for i in range(start, self.count)),
            self.columns.index(column),
        )
        shift = self.edges[start]
        self.rows = memoryview(bytes(self.rows[:shift]) + rest)
        self.edges = self.edges[:start] + [shift + edge for edge in wire.boundaries(rest)]
        self.emptied.append(column)

    def _send(self, start: int, end: int) -> PremortemError | None:
        if start >= end:
            return None
        try:
            with self.db.transaction():
                self.db.copy_in(self.copy, wire.stream(self.rows[self.edges[start] : self.edges[end]]))
        except (StatementError, ServerError) as error:
            if not _is_of_a_row(error):
                raise
            return error
        return None
