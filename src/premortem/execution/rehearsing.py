"""Indexes that are really there and can be hidden: a query is executed in turns without and with them.

All of it happens in one transaction that is rolled back: what is built in it is gone when the session ends, however it
ends.  An index is hidden by dropping it in a savepoint that is rolled back too: no privilege but the table's owner's is
needed, no file is touched, and what is in the cache stays there.

A table with rows that were updated in place can keep a new index from the transaction that built it
(pg_index.indcheckxmin).  Then everything is built again for good, marked, and dropped in the end; the next run sweeps
up after one that was killed.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from premortem import pg
from premortem.advisor import extensions
from premortem.errors import PrivilegeError, ServerTimeout, StatementError
from premortem.execution.running import LOCK, MARK, queries
from premortem.execution.values import Rows
from premortem.model import (
    Built,
    IndexCandidate,
    ParameterSet,
    Plan,
    Profile,
    Query,
    RelationName,
    Run,
    literal,
    quoted,
)
from premortem.plans import total_ms
from premortem.twin.explaining import Explainer

#: What the server says of a statement's resources (`log_statement_stats`): processor time of the backend alone.
_USAGE = re.compile(r"([\d.]+) s user, ([\d.]+) s system, [\d.]+ s elapsed")
#: Only in the session's own messages, not in the server's log.
_TELLS_USAGE = (
    "SET LOCAL log_min_messages = panic; SET LOCAL client_min_messages = log; SET LOCAL log_statement_stats = on"
)
_OPTIONS = "FORMAT JSON, ANALYZE, BUFFERS, TIMING OFF"


@dataclass(slots=True)
class Stage:
    """A session on the mirror with indexes of ours, none of which is visible unless asked for.

    Those of its own that are `not_of_production` are never visible.
    """

    db: pg.Session
    explainer: Explainer
    profile: Profile
    limit: timedelta
    build_limit: timedelta
    whole: Callable[[RelationName], bool]
    present: Mapping[RelationName, float]
    not_of_production: tuple[RelationName, ...] = ()
    lock_timeout: timedelta = timedelta(seconds=10)
    tells_usage: bool = False
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _made: list[IndexCandidate | None] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _committed: bool = False
    _prefix: str = ""

    @property
    def place(self) -> str:
        """Where it is, without a password."""
        return self.db.place

    def is_whole(self, relation: RelationName) -> bool:
        """Whether a table is about as large as production's."""
        return self.whole(relation)

    @contextlib.contextmanager
    def open(self) -> Iterator[Stage]:
        """Have a transaction to build in; whatever was made is gone when the block ends."""
        self.tells_usage = self._can_tell_usage()
        self._prefix = f"premortem_{self.db.pid}"  # another run may be at work there
        with self._stack:
            self._stack.enter_context(self.db.rolled_back())
            yield self

    def _can_tell_usage(self) -> bool:
        try:
            with self.db.rolled_back():
                self.db.execute(_TELLS_USAGE)
        except (PrivilegeError, StatementError):
            return False
        return True

    def sampled(self, query: Query, sets: Sequence[ParameterSet]) -> tuple[ParameterSet, ...]:
        """Return sets of values that rows of the mirror have; they are executed with, and neither kept nor shown."""
        if query.parameter_count == 0 or not sets:
            return ()
        usual = next((s for s in sets if s.name == "typical"), sets[0])
        with self.db.rolled_back():
            self._look_along(query)
            planned = self.explainer.explain(query, usual)
        found, _ = Rows(db=self.db, present=self.present).sampled(query, (planned,), self.profile)
        known = {s.values for s in sets}
        return tuple(s for s in found if s.values not in known)

    def _look_along(self, query: Query) -> None:
        path = query.search_path or self.profile.search_path
        self.db.execute(f"SET LOCAL search_path = {', '.join(quoted(s) for s in path) or literal('')}")

    # building -----------------------------------------------------------------------------------------------------

    def build(self, candidates: Sequence[IndexCandidate]) -> tuple[Built | StatementError | ServerTimeout, ...]:
        """Build indexes, none of them visible yet; one that cannot be built has the server's error."""
        first = len(self._made)
        self._made += candidates
        found = [self._built(n) for n in range(first, len(self._made))]
        if not self._committed and self._must_wait():
            self._commit_instead()
            found = [self._built(n) for n in range(len(self._made))][first:]
        return tuple(found)

    def _built(self, number: int) -> Built | StatementError | ServerTimeout:
        candidate = self._made[number]
        if candidate is None:  # refused before: it is not tried again
            return StatementError("it could not be built")
        name = self._name(number)
        try:
            with self.db.transaction():
                seconds = self._create(candidate, name)
        except (StatementError, ServerTimeout) as error:
            self._made[number] = None
            return error
        schema = candidate.table.schema
        for part in self.db.values(queries["parts"], schema=schema, name=name):
            self._numbers[part] = number
        size = self.db.value(queries["size"], schema=schema, name=name)
        return Built(name=name, seconds=seconds, size_bytes=int(size or 0))

    def _create(self, candidate: IndexCandidate, name: str) -> float:
        self.db.execute(f"SET LOCAL statement_timeout = {_milliseconds(self.build_limit)}")
        self.db.execute(f"SET LOCAL lock_timeout = {_milliseconds(self.lock_timeout)}")
        for extension in extensions(candidate):
            self.db.execute(f"CREATE EXTENSION IF NOT EXISTS {quoted(extension)}")
        started = time.perf_counter()
        self.db.execute(candidate.create_sql(name, concurrently=False))
        seconds = time.perf_counter() - started
        if self._committed:
            index = RelationName(schema=candidate.table.schema, name=name).sql
            self.db.execute(f"COMMENT ON INDEX {index} IS {literal(MARK)}")
        if any(key.expression for key in candidate.keys):
            self.db.execute(f"ANALYZE {candidate.table.sql}")  # an expression has statistics only then
        return seconds

    def _name(self, number: int) -> str:
        return f"{self._prefix}_{number}"

    def _must_wait(self) -> bool:
        made = [(c.table.schema, self._name(n)) for n, c in enumerate(self._made) if c is not None]
        schemas = {schema for schema, _ in made}
        return any(self.db.value(queries["must wait"], schema=s, names=[n for o, n in made if o == s]) for s in schemas)

    def _commit_instead(self) -> None:
        """Leave the transaction, and with it all that was built in it; what is built from now on is dropped."""
        self._stack.close()
        self._numbers.clear()
        self._committed = True
        self.db.execute(f"SELECT pg_catalog.pg_advisory_lock({LOCK}, pg_catalog.pg_backend_pid())")
        self._stack.callback(self._drop_all)

    def _drop_all(self) -> None:
        """Drop what was built for good; where a signal broke the connection, whoever opened it has to sweep."""
        if self.db.lost:
            return
        for number, candidate in enumerate(self._made):
            if candidate is not None:
                self.db.execute(candidate.drop_sql(self._name(number), concurrently=False))
        self.db.execute("SELECT pg_catalog.pg_advisory_unlock_all()")

    # executing ----------------------------------------------------------------------------------------------------

    def run(
        self,
        query: Query,
        parameters: ParameterSet,
        *,
        visible: frozenset[int] = frozenset(),
        hidden: frozenset[RelationName] = frozenset(),
        limit_ms: float | None = None,
    ) -> Run:
        """Execute a query and undo it; raises StatementError where it is refused."""
        limit = min(self.limit.total_seconds() * 1000, limit_ms or float("inf"))
        with self.db.rolled_back():
            self._hide(visible, hidden)
            self._look_along(query)
            self.db.execute(f"SET LOCAL statement_timeout = {max(1, int(limit))}")
            try:
                plan, cpu_ms = self._executed(query, parameters)
            except ServerTimeout:
                return Run(ms=limit, finished=False, used=visible)
        return self._run(plan, cpu_ms)

    def _hide(self, visible: frozenset[int], hidden: frozenset[RelationName]) -> None:
        ours = [
            RelationName(schema=c.table.schema, name=self._name(n))
            for n, c in enumerate(self._made)
            if c is not None and n not in visible
        ]
        others = hidden.union(self.not_of_production)
        names = ", ".join(i.sql for i in (*ours, *sorted(others, key=str)))
        if not names:
            return
        try:
            self.db.execute(f"SET LOCAL lock_timeout = {_milliseconds(self.lock_timeout)}")
            self.db.execute(f"DROP INDEX {names}")
        except ServerTimeout as error:
            raise StatementError(f"somebody else is at work in the tables of the mirror: {error.message}") from error

    def _executed(self, query: Query, parameters: ParameterSet) -> tuple[Plan, float | None]:
        if not self.tells_usage:
            return self.explainer.explain(query, parameters, _OPTIONS).plan, None
        self.db.execute(_TELLS_USAGE)
        with self.db.noticed(detailed=True) as said:
            plan = self.explainer.explain(query, parameters, _OPTIONS).plan
        spent = [1000 * (float(m[1]) + float(m[2])) for m in map(_USAGE.search, said) if m is not None]
        return plan, sum(spent) if spent and not _has_workers(plan) else None

    def _run(self, plan: Plan, cpu_ms: float | None) -> Run:
        used = frozenset(self._numbers[n.index] for n in plan.walk() if n.index in self._numbers)
        actual = plan.root.actual
        return Run(
            ms=total_ms(plan) or 0.0, blocks=_blocks(plan), read=(actual and actual.shared_read_blocks) or 0,
            cpu_ms=cpu_ms, used=used,
        )  # fmt: skip


def _has_workers(plan: Plan) -> bool:
    return any(n.actual is not None and n.actual.workers_launched for n in plan.walk())


def _blocks(plan: Plan) -> int:
    actual = plan.root.actual
    if actual is None:
        return 0
    touched = (actual.shared_hit_blocks, actual.shared_read_blocks, actual.temp_read_blocks, actual.temp_written_blocks)
    return sum(n or 0 for n in touched)


def _milliseconds(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
