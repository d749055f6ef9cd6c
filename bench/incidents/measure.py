"""What a query really reads: buffers and time of every parameter set, on rows, before and after an index."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
from case import Case

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"

# EXPLAIN (BUFFERS) of an UPDATE or DELETE leaves out what foreign-key triggers read; these counters do not.
FETCHED = """
select coalesce(sum(pg_catalog.pg_stat_get_xact_blocks_fetched(c.oid)), 0)::bigint
from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where n.nspname not in ('pg_catalog', 'information_schema') and c.relkind in ('r', 'i', 't', 'm')
"""
CONCURRENTLY = re.compile(r"\bconcurrently\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One execution: shared buffers touched, and milliseconds."""

    buffers: int
    milliseconds: float


Readings: TypeAlias = Mapping[str, Reading]


def readings(db: Connection, case: Case) -> dict[str, Reading]:
    """A reading of every parameter set, each with the plan that its values get."""
    db.execute("set statement_timeout = '180s'")
    db.execute("set plan_cache_mode = force_custom_plan")
    db.execute(f"prepare judged as {case.query}")
    try:
        return {name: _reading(db, case, values) for name, values in case.parameters.items()}
    finally:
        db.execute("deallocate judged")


def _reading(db: Connection, case: Case, values: tuple[str, ...]) -> Reading:
    execute = f"execute judged({', '.join(values)})" if values else "execute judged"
    measure = _write if case.writes else _read
    first = measure(db, execute)
    if first.milliseconds > 1000:
        return first
    second = measure(db, execute)
    return Reading(buffers=second.buffers, milliseconds=min(first.milliseconds, second.milliseconds))


def _read(db: Connection, execute: str) -> Reading:
    with db.transaction(force_rollback=True):
        row = db.execute(f"explain (analyze, buffers, timing off, format json) {execute}").fetchone()
    assert row is not None
    explained = row[0][0]
    plan = explained["Plan"]
    return Reading(
        buffers=plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], milliseconds=explained["Execution Time"]
    )


def _write(db: Connection, execute: str) -> Reading:
    with db.transaction(force_rollback=True):
        before = _fetched(db)
        start = time.perf_counter()
        db.execute(execute)
        milliseconds = (time.perf_counter() - start) * 1000
        buffers = _fetched(db) - before
    return Reading(buffers=buffers, milliseconds=milliseconds)


def _fetched(db: Connection) -> int:
    row = db.execute(FETCHED).fetchone()
    assert row is not None
    return int(row[0])


def apply(db: Connection, statements: Iterable[str]) -> int:
    """Build what was proposed, collect statistics as the next autovacuum would, and return the bytes added."""
    before = _index_bytes(db)
    for statement in statements:
        db.execute(CONCURRENTLY.sub("", statement))
    db.execute("vacuum (analyze)")
    return _index_bytes(db) - before


def _index_bytes(db: Connection) -> int:
    row = db.execute("select coalesce(sum(pg_relation_size(indexrelid)), 0)::bigint from pg_index").fetchone()
    assert row is not None
    return int(row[0])
