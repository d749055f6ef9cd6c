"""Which statements of a workload are set aside before anything is planned, and what that leaves unseen.

Transactions, settings and locks take no index and are passed over.  What does read tables in a way that no plan shows
(a cursor's FETCH, a procedure, a COPY of a table) is counted, with its part of the workload's time where that is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from premortem import sqltext, words
from premortem.errors import StatementError
from premortem.model import Gap, LeftOut, Profile, Query, StatementKind
from premortem.workload.reading.calls import time_of


class Aside(StrEnum):
    """Why a statement is no demand, in the words of a gap's subject; the silent ones leave nothing unseen."""

    SESSION = "transactions and settings"
    OURS = "premortem's own statements"
    CATALOG = "queries of the system catalogs"
    DEFINITION = "definitions and maintenance"
    CURSOR = "reads from cursors"
    CALL = "procedures and code blocks"
    COPY = "copies of whole tables"
    HIDDEN = "statements that are not shown"


_SILENT = frozenset({Aside.SESSION, Aside.OURS, Aside.CATALOG, Aside.DEFINITION})
_SAYS: Mapping[Aside, str] = {
    Aside.CURSOR: "FETCH and MOVE do not say what they read: the query is in the cursor's DECLARE",
    Aside.CALL: "CALL, DO and EXECUTE do not say what they run",
    Aside.COPY: "COPY reads or writes a table from end to end, and no index helps it",
    Aside.HIDDEN: "pg_stat_statements did not show their texts to the role that pulled the profile",
}
_EFFECT: Mapping[Aside, str] = {
    Aside.CURSOR: "a cursor whose DECLARE is not among the queries is advised on as if it were not there",
    Aside.CALL: "their queries are advised on only where they are among the queries by themselves",
    Aside.COPY: "what it costs to write more indexes is in each index's upkeep",
    Aside.HIDDEN: "no index is looked for them, and whether one would slow them down is unknown",
}
_CURE: Mapping[Aside, str] = {Aside.HIDDEN: "grant pg_read_all_stats to that role and pull the profile again"}
_BY_WORD: Mapping[str, Aside] = {
    **dict.fromkeys(("fetch", "move"), Aside.CURSOR),
    **dict.fromkeys(("call", "do", "execute"), Aside.CALL),
    "copy": Aside.COPY,
    "hidden": Aside.HIDDEN,
    **dict.fromkeys(
        "alter analyse analyze checkpoint cluster comment create drop grant import load reassign refresh reindex "
        "repack revoke security truncate vacuum".split(),
        Aside.DEFINITION,
    ),
}
_OURS = "/* premortem/"
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*([a-z]+)", re.IGNORECASE | re.DOTALL)
_NAME = r'"(?:[^"]|"")+"|[\w$]+'
_REFRESH = re.compile(
    rf"refresh\s+materialized\s+view\s+(?:concurrently\s+)?(?:(?P<schema>{_NAME})\.)?(?P<name>{_NAME})", re.IGNORECASE
)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many statements of one kind were set aside, and the time that they took as far as it was measured."""

    why: Aside
    statements: int
    time: timedelta = timedelta()


def refreshed(query: Query, profile: Profile) -> Query:
    """Return the query that a REFRESH of a materialized view runs, with its calls and time; any other as it is."""
    found = _REFRESH.match(query.text) if query.kind is StatementKind.UTILITY else None
    if found is None:
        return query
    view = profile.find_table(_plain(found["name"]), _plain(found["schema"]) if found["schema"] else None)
    text = (view.definition or "").strip().rstrip(";") if view is not None else ""
    try:
        fingerprint = sqltext.fingerprint(text)
    except StatementError:
        return query
    return replace(query, text=text, kind=StatementKind.SELECT, fingerprint=fingerprint) if text else query


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def counts(put_aside: Iterable[tuple[Query, Aside]], left_out: Iterable[LeftOut]) -> tuple[Count, ...]:
    """Return what was set aside by kind; `left_out` are entries of pg_stat_statements that a profile only counts."""
    found: dict[Aside, Count] = {}
    ones = [Count(why=why, statements=1, time=time_of(query)) for query, why in put_aside]
    ones += [Count(why=_BY_WORD.get(o.kind, Aside.SESSION), statements=o.entries, time=o.time) for o in left_out]
    for one in ones:
        before = found.get(one.why, Count(why=one.why, statements=0))
        found[one.why] = Count(why=one.why, statements=before.statements + one.statements, time=before.time + one.time)
    return tuple(found[why] for why in Aside if why in found)


def unseen(found: Iterable[Count], total: timedelta) -> tuple[Gap, ...]:
    """Return what the statements that were set aside leave unseen, with their part of the workload's time."""
    return tuple(
        Gap(
            subject=one.why.value,
            says=f"{words.plural(one.statements, 'statement')}{part(one.time, total)}: {_SAYS[one.why]}",
            effect=_EFFECT[one.why],
            cure=_CURE.get(one.why, ""),
        )
        for one in found
        if one.why not in _SILENT
    )


def part(time: timedelta, total: timedelta) -> str:
    """Return a part of the workload's time as the end of a phrase, nothing where nobody measured it."""
    return f", {words.percent(time / total)} of the measured time" if time and total else ""
