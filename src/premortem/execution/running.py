"""Executes a query on the mirror, once as it is found and then again, and undoes whatever it did."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from premortem import pg
from premortem.errors import ServerTimeout, StatementError
from premortem.model import Advice, Built, Execution, ParameterSet, Plan, Planned, Query, RelationName, literal, quoted
from premortem.plans import total_ms
from premortem.twin.explaining import Explainer

queries = pg.named_sql("premortem.execution", "sql/execution.sql")

#: What an index of ours is marked with where it had to be committed, so that the next run finds what this one left.
MARK = "premortem: tried on the mirror, to be dropped"
#: The advisory lock (`pmix` in ASCII) that a run holds while such an index is there.
LOCK = 0x706D6978
_AGAIN = 3
_SLOW_MS = 2_000.0
_CONCURRENTLY = " CONCURRENTLY"


@dataclass(slots=True)
class Runner:
    """A session on the mirror: executes, builds and undoes; what is `hidden` is not there for any of it."""

    db: pg.Session
    explainer: Explainer
    limit: timedelta
    build_limit: timedelta
    evicts: str | None = None
    in_transaction: bool = False
    hidden: tuple[RelationName, ...] = ()
    options: str = field(init=False)

    def __post_init__(self) -> None:
        wal = ", WAL" if self.db.server_version >= 130000 else ""
        self.options = f"FORMAT JSON, ANALYZE, VERBOSE, BUFFERS, SETTINGS{wal}"

    def execute(self, query: Query, parameters: ParameterSet) -> Execution:
        """Return what the query did with a set of values; it is undone.

        Raises StatementError with the server's own message where it cannot be executed.
        """
        limit = self.limit.total_seconds() * 1000
        evicted = self._evict(query, parameters)
        try:
            first = self._once(query, parameters)
        except ServerTimeout:
            return Execution(parameters=parameters, limit_ms=limit, evicted=evicted)
        first_ms = _ms(first.plan)
        last, again = first, []
        for _ in range(_AGAIN if first_ms < _SLOW_MS else 1):
            try:
                last = self._once(query, parameters)
            except ServerTimeout:
                break
            again.append(_ms(last.plan))
        return Execution(
            parameters=parameters, limit_ms=limit, plan=last.plan, json=last.json, first_ms=first_ms,
            first_read=_read(first.plan), again_ms=tuple(again), evicted=evicted,
        )  # fmt: skip

    def _once(self, query: Query, parameters: ParameterSet) -> Planned:
        with self.db.rolled_back():
            hide(self.db, self.hidden)
            self.db.execute(f"SET LOCAL statement_timeout = {int(self.limit.total_seconds() * 1000)}")
            self._look_along(query)
            return self.explainer.explain(query, parameters, self.options)

    def _look_along(self, query: Query) -> None:
        """Set the search path for this transaction: the one that the query was prepared with went with another."""
        path = query.search_path or self.explainer.profile.search_path
        self.db.execute(f"SET LOCAL search_path = {', '.join(quoted(s) for s in path) or literal('')}")

    def _evict(self, query: Query, parameters: ParameterSet) -> bool:
        """Throw the blocks of the query's tables out of shared buffers where the server lets us."""
        if self.evicts is None:
            return False
        with self.db.rolled_back():
            hide(self.db, self.hidden)
            self._look_along(query)
            plan = self.explainer.explain(query, parameters).plan
            tables = sorted({n.relation.sql for n in plan.walk() if n.relation is not None})
            self.db.execute(_eviction(self.evicts), tables=tables)
        return True

    @contextlib.contextmanager
    def building(self, advice: Sequence[Advice]) -> Iterator[tuple[Built, ...]]:
        """Build the indexes; they are there until the block ends, and gone after it, whatever happens.

        They are built in a transaction that is rolled back.  A table with rows that were updated in place refuses that
        (an index made now may miss old versions of them, so its own transaction may not use it): then they are built
        for good, marked, and dropped.
        """
        with self.db.rolled_back():
            hide(self.db, self.hidden)  # one may have the very name of what is built
            built = self._build(advice)
            if not self._must_wait(advice):
                with self._already_hidden():
                    yield built
                return
        if self.in_transaction:
            raise StatementError(
                "PostgreSQL keeps it from the transaction that built it, and that of the migrations is still open",
                hint="run the migrations on the mirror, then check without --migrations",
            )
        with self._committed(advice) as built:
            yield built

    @contextlib.contextmanager
    def _already_hidden(self) -> Iterator[None]:
        hidden, self.hidden = self.hidden, ()
        try:
            yield
        finally:
            self.hidden = hidden

    def _build(self, advice: Sequence[Advice], *, replacing: bool = True) -> tuple[Built, ...]:
        return tuple(self._built(a, replacing=replacing) for a in advice)

    def _built(self, advice: Advice, *, replacing: bool) -> Built:
        self.db.execute(f"SET LOCAL statement_timeout = {int(self.build_limit.total_seconds() * 1000)}")
        self.db.execute("SET LOCAL lock_timeout = '10s'")
        started = time.perf_counter()
        for statement in advice.sql if replacing else advice.statements or advice.sql[:1]:
            self.db.execute(statement.replace(_CONCURRENTLY, "", 1))
        seconds = time.perf_counter() - started
        if any(key.expression for key in advice.candidate.keys):
            self.db.execute(f"ANALYZE {advice.candidate.table.sql}")  # an expression has statistics only then
        size = self.db.value(queries["size"], schema=advice.candidate.table.schema, name=advice.name)
        return Built(name=advice.name, seconds=seconds, size_bytes=int(size or 0))

    def _must_wait(self, advice: Sequence[Advice]) -> bool:
        schemas = {a.candidate.table.schema for a in advice}
        names = [a.name for a in advice]
        return any(self.db.value(queries["must wait"], schema=s, names=names) for s in schemas)

    @contextlib.contextmanager
    def _committed(self, advice: Sequence[Advice]) -> Iterator[tuple[Built, ...]]:
        self.db.execute(f"SELECT pg_catalog.pg_advisory_lock({LOCK}, pg_catalog.pg_backend_pid())")
        try:
            with self.db.transaction():
                built = self._build(advice, replacing=False)
                for one in advice:
                    index = RelationName(schema=one.candidate.table.schema, name=one.name).sql
                    self.db.execute(f"COMMENT ON INDEX {index} IS {literal(MARK)}")
            yield built
        finally:
            for one in reversed(advice):
                self.db.execute(one.candidate.drop_sql(one.name, concurrently=False))
            self.db.execute("SELECT pg_catalog.pg_advisory_unlock_all()")

    def sweep(self) -> None:
        """Drop the indexes that a run which was killed left behind, where no other run is at work."""
        for index in self.db.values(queries["left behind"], mark=MARK, lock=LOCK):
            self.db.execute(f"DROP INDEX IF EXISTS {index}")


def hide(db: pg.Session, indexes: Sequence[RelationName]) -> None:
    """Drop indexes, in a transaction that is rolled back: nothing else keeps the planner from them."""
    if indexes:
        db.execute("SET LOCAL lock_timeout = '10s'")
        db.execute(f"DROP INDEX IF EXISTS {', '.join(name.sql for name in indexes)}")


def _eviction(schema: str) -> str:
    cache = quoted(schema)
    return f"""
        SELECT {cache}.pg_buffercache_evict(b.bufferid) FROM {cache}.pg_buffercache b
        WHERE b.reldatabase = (SELECT d.oid FROM pg_catalog.pg_database d
                               WHERE d.datname = pg_catalog.current_database())
          AND b.relfilenode IN (
              SELECT pg_catalog.pg_relation_filenode(t.oid)
              FROM pg_catalog.unnest(%(tables)s::text[]) AS n (name), LATERAL (
                  SELECT n.name::pg_catalog.regclass AS oid UNION ALL
                  SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indrelid = n.name::pg_catalog.regclass) t)"""


def _ms(plan: Plan) -> float:
    return total_ms(plan) or plan.execution_ms or 0.0


def _read(plan: Plan) -> int | None:
    actual = plan.root.actual
    return actual.shared_read_blocks if actual is not None else None
