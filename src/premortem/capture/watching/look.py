"""One look at a database: the digest of its schema, and its profile where the digest is new.

Nobody may drop a table while its definition is read, so the tables are locked as pg_dump locks them.  That is done
without waiting: whoever waits while holding locks can make a deadlock, and the suite could be its victim.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from premortem import catalog, pg
from premortem.errors import ServerError, StatementError
from premortem.model import (
    Connections,
    ExtendedStatistics,
    Index,
    Profile,
    Table,
    TableActivity,
    Values,
    Workload,
)

QUERIES = pg.named_sql("premortem.capture.watching", "sql/look.sql")
_LOCK_TIMEOUT = timedelta(milliseconds=300)  # below deadlock_timeout, so that it is we who give up


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a schema consists of, in short: equal for equal schemas, and how much it is."""

    digest: str
    relations: int
    parts: int


def digest(db: pg.Session) -> Digest:
    """Return the digest of the session's database."""
    return db.rows(QUERIES["digest"], Digest)[0]


def busy(db: pg.Session, before: datetime) -> bool:
    """Return whether a transaction that began before a moment may still change the schema by its commit."""
    return bool(db.value(QUERIES["busy"], before=before))


@contextmanager
def resident(server: pg.Server, database: str) -> Iterator[pg.Session]:
    """Open a session for several looks at a database, also while it is being dropped, when no other can begin."""
    with pg.writer(server, purpose="capture", database=database, lock_timeout=_LOCK_TIMEOUT) as db:
        db.execute("SET search_path = ''; SET jit = off; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'")
        yield db


def end(server: pg.Server, pid: int) -> None:
    """End a resident session, whatever it is doing."""
    with pg.writer(server, purpose="capture") as db:
        db.value("SELECT pg_catalog.pg_terminate_backend(%(pid)s)", pid=pid)


def snapshot(db: pg.Session) -> tuple[Digest, Profile] | None:
    """Return a database's schema and its digest, None where somebody is just changing it."""
    try:
        with db.transaction():
            db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            _hold(db)
            found, profile = digest(db), catalog.pull(db, values=Values.NONE)
    except (ServerError, StatementError) as error:
        if error.sqlstate in _IN_THE_WAY:
            return None
        raise
    return None if any(gap.subject in _LOCKED for gap in profile.gaps) else (found, schema_only(profile))


_IN_THE_WAY = ("55P03", "40P01", "42P01", "40001")  # locked, deadlock, no such table, changed meanwhile
_LOCKED = ("definitions",)
_OF_ROWS = (
    "column statistics", "extended statistics", "values of statistics", "sizes", "workload", "B-tree heights",
    "GIN metapages",
)  # fmt: skip


def _hold(db: pg.Session) -> None:
    """Keep everybody from dropping the tables that there are, until the transaction ends."""
    names = db.values(QUERIES["tables"])
    if names:
        db.execute(f"LOCK TABLE ONLY {', ONLY '.join(names)} IN ACCESS SHARE MODE NOWAIT")


def schema(db: pg.Session) -> Profile:
    """Return the schema of a reading session's database, whatever others do to it meanwhile."""
    return schema_only(catalog.pull(db, values=Values.NONE))


def schema_only(profile: Profile) -> Profile:
    """Return a profile without what a test's few rows made of sizes, statistics and workload."""
    return replace(
        profile,
        tables=tuple(_structure(table) for table in profile.tables),
        workload=Workload(),
        connections=Connections(),
        gaps=tuple(gap for gap in profile.gaps if gap.subject not in _OF_ROWS),
    )


def _structure(table: Table) -> Table:
    return replace(
        table,
        columns=tuple(replace(column, statistics=()) for column in table.columns),
        indexes=tuple(_unused(index) for index in table.indexes),
        statistics=tuple(_unfilled(one) for one in table.statistics),
        pages=0, relation_pages=0, tuples=-1.0, all_visible=0, toast_bytes=0, activity=TableActivity(),
    )  # fmt: skip


def _unused(index: Index) -> Index:
    expressions = tuple(replace(column, statistics=()) for column in index.expression_columns)
    return replace(
        index, expression_columns=expressions, pages=0, relation_pages=0, tuples=0.0, level=None, metapage=(),
        scans=None, scans_per_second=None, last_used=None,
    )  # fmt: skip


def _unfilled(found: ExtendedStatistics) -> ExtendedStatistics:
    return replace(
        found, ndistinct=None, dependencies=None, most_common_values=None, most_common_frequencies=None,
        most_common_base_frequencies=None, expression_statistics=(), pseudonyms=False,
    )  # fmt: skip
