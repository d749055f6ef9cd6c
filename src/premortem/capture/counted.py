"""What pg_stat_statements counted: the only place where statements inside of functions are seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem import pg
from premortem.capture.executed import Executed

QUERIES = pg.named_sql("premortem.capture", "sql/counted.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    text: str
    calls: int
    database: str | None
    role: str | None


def nested(server: pg.Server) -> Iterator[Executed]:
    """Yield the statements that functions ran; ours are not counted."""
    if "pg_stat_statements" not in server.installation.extensions():
        return
    with pg.session(server, purpose="capture", search_path="public") as db:
        found = db.rows(QUERIES["nested"], _Counted)
    for one in found:
        yield Executed(text=one.text, calls=one.calls, database=one.database, role=one.role, nested=True)
