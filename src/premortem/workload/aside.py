"""Which statements of a workload are set aside before anything is planned, and what that leaves unseen.

Transactions, settings and locks take no index and are passed over.  What does read tables in a way that no plan shows
(a cursor's FETCH, a procedure, a COPY of a table) is counted, with its part of the workload's time where that is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum

from premortem import sqltext, words
from premortem.errors import StatementError
from premortem.model import Gap, Query, StatementKind


class Aside(StrEnum):
    """Why a statement is no demand, in the words of a gap's subject; the silent ones leave nothing unseen."""

    SESSION = "transactions and settings"
    OURS = "premortem's own statements"
    CATALOG = "queries of the system catalogs"
    DEFINITION = "definitions and maintenance"
    CURSOR = "reads from cursors"
    CALL = "procedures and code blocks"
    COPY = "copies of whole tables"


_SILENT = frozenset({Aside.SESSION, Aside.OURS, Aside.CATALOG, Aside.DEFINITION})
_SAYS: Mapping[Aside, str] = {
    Aside.CURSOR: "FETCH and MOVE do not say what they read: the query is in the cursor's DECLARE",
    Aside.CALL: "CALL, DO and EXECUTE do not say what they run",
    Aside.COPY: "COPY reads or writes a table from end to end, and no index helps it",
}
_EFFECT: Mapping[Aside, str] = {
    Aside.CURSOR: "a cursor whose DECLARE is not among the queries is advised on as if it were not there",
    Aside.CALL: "their queries are advised on only where they are among the queries by themselves",
    Aside.COPY: "what it costs to write more indexes is in each index's upkeep",
}
_BY_WORD: Mapping[str, Aside] = {
    **dict.fromkeys(("fetch", "move"), Aside.CURSOR),
    **dict.fromkeys(("call", "do", "execute"), Aside.CALL),
    "copy": Aside.COPY,
    **dict.fromkeys(
        "alter analyse analyze checkpoint cluster comment create drop grant import load reassign refresh reindex "
        "repack revoke security truncate vacuum".split(),
        Aside.DEFINITION,
    ),
}
_OURS = "/* premortem/"
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*([a-z]+)", re.IGNORECASE | re.DOTALL)
#: Texts without either word name no catalog.
_MAY_BE_CATALOG = re.compile(r"\bpg_|\binformation_schema\b", re.IGNORECASE)
_CATALOGS = frozenset({"pg_catalog", "information_schema", "pg_toast"})


def aside(query: Query) -> Aside | None:
    """Return why a statement is no demand, None where it is one."""
    if _OURS in query.original:
        return Aside.OURS
    if query.kind is StatementKind.UTILITY:
        word = _FIRST_WORD.match(query.text)
        return _BY_WORD.get(word[1].lower(), Aside.SESSION) if word else Aside.SESSION
    return Aside.CATALOG if _reads_catalogs_only(query.text) else None


def _reads_catalogs_only(text: str) -> bool:
    if not _MAY_BE_CATALOG.search(text):
        return False
    try:
        tables = sqltext.tables(text)
    except StatementError:
        return False
    return bool(tables) and all(_is_catalog(table) for table in tables)


def _is_catalog(table: sqltext.TableName) -> bool:
    """Whether a name is a catalog's; without a schema, PostgreSQL looks there first and keeps `pg_` for itself."""
    return table.schema in _CATALOGS or (table.schema is None and table.name.startswith("pg_"))


def unseen(found: Iterable[tuple[Query, Aside]], times: Mapping[Aside, timedelta], total: timedelta) -> tuple[Gap, ...]:
    """Return what the statements that were set aside leave unseen, with their part of the workload's time."""
    counts: dict[Aside, int] = {}
    for _, why in found:
        counts[why] = counts.get(why, 0) + 1
    return tuple(
        Gap(
            subject=why.value,
            says=f"{words.plural(counts[why], 'statement')}{_part(times.get(why), total)}: {_SAYS[why]}",
            effect=_EFFECT[why],
        )
        for why in Aside
        if why in counts and why not in _SILENT
    )


def _part(time: timedelta | None, total: timedelta) -> str:
    return f", {words.percent(time / total)} of the measured time" if time and total else ""
