"""The SQL that a reader sends: one statement a poll, made from the extension's version once per connection."""

from __future__ import annotations

from collections.abc import Iterable

from premortem import pg
from premortem.model import quoted

QUERIES = pg.named_sql("premortem.sampling", "sql/sampling.sql")
#: The versions of pg_stat_statements from which on there is something that we read.
OLDEST, TOPLEVEL, SINCE = (1, 8), (1, 9), (1, 11)
#: Longer texts are cut: no person reads them, and a parser should not have to.
LONGEST_TEXT = 100_000
#: A session's text is as long as the server keeps it, less the byte that ends it; a character may not fit any more.
_CUT = (
    "pg_catalog.octet_length(a.query) >= LEAST(10000, "
    "pg_catalog.pg_size_bytes(pg_catalog.current_setting('track_activity_query_size')) - 4)"
)
_GRANTED = "pg_catalog.has_parameter_privilege('pg_stat_statements.track', 'SET')"


def standing(version_num: int) -> str:
    """Return the statement on what stays as it is."""
    return _body("standing", version_num).replace("{granted}", _GRANTED if version_num >= 150_000 else "false")


def poll(version_num: int, extension: tuple[int, int] | None, schema: str) -> str:
    """Return the statement of a whole sample."""
    statements, info = _counters(extension)
    return (
        _body("poll", version_num)
        .replace("{backends}", _body("backends", version_num))
        .replace("{cut}", _CUT)
        .replace("{statements}", _body(statements, version_num))
        .replace("{info}", _body(info, version_num))
        .replace("{schema}", quoted(schema))
    )


def glance(version_num: int) -> str:
    """Return the statement of a glance."""
    return _body("glance", version_num).replace("{backends}", _body("backends", version_num)).replace("{cut}", _CUT)


def prepare(*, unseen: bool, memory_mb: int) -> str:
    """Return the statement that gives polls the memory they need, and keeps them out of the counters where it may."""
    memory = f"pg_catalog.set_config('work_mem', '{int(memory_mb)}MB', false)"
    track = ", pg_catalog.set_config('pg_stat_statements.track', 'none', false)" if unseen else ""
    return f"SELECT {memory}{track}"


def names(version_num: int) -> str:
    """Return the statement on databases and roles."""
    return _body("names", version_num)


def indexes(version_num: int) -> str:
    """Return the statement on the indexes of a database."""
    return _body("indexes", version_num)


def texts(
    version_num: int, extension: tuple[int, int], schema: str, ids: Iterable[int], memory_mb: int
) -> tuple[str, str]:
    """Return the statement on the texts of entries, and before it one that gives it memory, so that nothing spills."""
    body = (
        _body("texts 1.9" if extension >= TOPLEVEL else "texts 1.8", version_num)
        .replace("{schema}", quoted(schema))
        .replace("{longest}", str(LONGEST_TEXT))
        .replace("{ids}", "'{" + ",".join(str(int(one)) for one in sorted(set(ids))) + "}'")
    )
    return f"SELECT pg_catalog.set_config('work_mem', '{int(memory_mb)}MB', true)", body


def _counters(extension: tuple[int, int] | None) -> tuple[str, str]:
    if extension is None or extension < OLDEST:
        return "no statements", "no info"
    if extension < TOPLEVEL:
        return "statements 1.8", "no info"
    return ("statements 1.11" if extension >= SINCE else "statements 1.9"), "info"


def _body(name: str, version_num: int) -> str:
    return QUERIES[name].pick(version_num)
