"""What pg_stat_statements counted: statements inside of functions, and all where there is no log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from premortem import pg
from premortem.capture.executed import Executed
from premortem.capture.watching import OURS

QUERIES = pg.named_sql("premortem.capture", "sql/counted.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nested:
    text: str
    calls: int
    database: str | None
    role: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One statement of one role in one database, and how often it was called since the last reset."""

    userid: int
    dbid: int
    queryid: int | None
    nested: bool
    text: str
    calls: int
    database: str | None
    role: str | None


Counts: TypeAlias = Mapping[tuple[int, int, int | None, bool], Counted]


def nested(server: pg.Server) -> Iterator[Executed]:
    """Yield the statements that functions ran on a server of ours; what we asked ourselves is not counted there."""
    if "pg_stat_statements" not in server.installation.extensions():
        return
    with pg.session(server, purpose="capture", database=OURS, search_path="public") as db:
        found = db.rows(QUERIES["nested"], _Nested)
    for one in found:
        yield Executed(text=one.text, calls=one.calls, database=one.database, role=one.role, nested=True)


def counts(db: pg.Session) -> Counts | None:
    """Return what pg_stat_statements says now, None where the database does not have it."""
    schema = db.value(QUERIES["extension"])
    if schema is None:
        return None
    sql = QUERIES["counted"].pick(db.server_version).replace("{schema}", db.quoted(schema))
    rows = db.rows(sql, Counted)
    return {(row.userid, row.dbid, row.queryid, row.nested): row for row in rows}


def between(before: Counts, after: Counts, *, nested_only: bool) -> Iterator[Executed]:
    """Yield what was called between two counts; one that went down was forgotten or reset meanwhile."""
    for key, row in after.items():
        earlier = before[key].calls if key in before else 0
        calls = row.calls - earlier if row.calls >= earlier else row.calls
        if calls and (row.nested or not nested_only):
            yield Executed(text=row.text, calls=calls, database=row.database, role=row.role, nested=row.nested)
