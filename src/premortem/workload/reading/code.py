"""Functions and triggers of a workload whose own statements are in none of its plans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

from premortem import sqltext, words
from premortem.errors import StatementError
from premortem.model import Gap, ObjectKind, Profile, Query, StatementKind, Table, TriggerDefinition
from premortem.workload.reading.aside import part
from premortem.workload.reading.calls import time_of

_CALL = re.compile(r'("(?:[^"]|"")+"|[a-z_\u0080-\uffff][\w$]*)\s*\(', re.IGNORECASE)
#: What a function's definition says where it reads or writes tables; an immutable one may not.
_TOUCHES = re.compile(r"\b(?:from|join|into|update|delete|execute|perform)\b", re.IGNORECASE)
_IMMUTABLE = re.compile(r"\bIMMUTABLE\b")
_LANGUAGE = re.compile(r"\bLANGUAGE\s+(?:c|internal)\b", re.IGNORECASE)
_EXECUTES = re.compile(r"EXECUTE (?:FUNCTION|PROCEDURE) (?:[\w\"$]+\.)?(\"(?:[^\"]|\"\")+\"|[\w$]+)\(", re.IGNORECASE)
_NESTED = "set pg_stat_statements.track = all, so that their statements are among the workload"
_WRITES = frozenset({StatementKind.INSERT, StatementKind.UPDATE, StatementKind.DELETE, StatementKind.MERGE})


Groups: TypeAlias = Sequence[Sequence[Query]]


def unseen(groups: Groups, profile: Profile, total: timedelta) -> tuple[Gap, ...]:
    """Return what functions and triggers leave unseen; each group is one query by all its texts."""
    bodies = _with_statements(profile)
    if not bodies or profile.setting("pg_stat_statements.track") == "all":
        return ()
    return (*_of_functions(groups, bodies, total), *_of_triggers(groups, profile, bodies))


def _with_statements(profile: Profile) -> Mapping[str, str]:
    """Return the functions that run statements of their own, by name; a profile has them with their arguments."""
    return {
        o.name.partition("(")[0]: o.definition
        for o in profile.objects
        if o.kind is ObjectKind.FUNCTION and _TOUCHES.search(_body(o.definition)) and _may_read(o.definition)
    }


def _body(definition: str) -> str:
    """Return what stands after the head of a definition: `RETURNS … LANGUAGE …` has no statement in it."""
    return definition.partition("\nAS ")[2] or definition


def _may_read(definition: str) -> bool:
    return not _IMMUTABLE.search(definition) and not _LANGUAGE.search(definition)


def _of_functions(groups: Groups, bodies: Mapping[str, str], total: timedelta) -> tuple[Gap, ...]:
    callers = [(g, called) for g in groups if (called := [n for n in _called(g[0].text) if n in bodies])]
    if not callers:
        return ()
    names = list(dict.fromkeys(f"{name}()" for _, called in callers for name in called))
    time = sum((time_of(q) for group, _ in callers for q in group), timedelta())
    return (
        Gap(
            subject="functions",
            says=f"{words.listing(names, most=5)}, in {words.plural(len(callers), 'query', 'queries')}"
            f"{part(time, total)}, may run statements that no plan shows",
            effect="no index is looked for these statements, nor is their time an index's to save",
            cure=_NESTED,
        ),
    )


def _called(text: str) -> Iterable[str]:
    return dict.fromkeys(_plain(name) for name in _CALL.findall(text))


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _of_triggers(groups: Groups, profile: Profile, bodies: Mapping[str, str]) -> tuple[Gap, ...]:
    written = [t for t in _written(groups, profile) if any(_runs(d.definition, bodies) for d in _enabled(t))]
    if not written:
        return ()
    return (
        Gap(
            subject="triggers",
            says="triggers may run statements that no plan shows on writes to "
            f"{words.listing([t.full_name for t in written], most=5)}",
            effect="no index is looked for these statements; those of foreign keys are looked at",
            cure=_NESTED,
        ),
    )


def _enabled(table: Table) -> Iterable[TriggerDefinition]:
    return [t for t in table.triggers if t.enabled]


def _runs(definition: str, bodies: Mapping[str, str]) -> bool:
    found = _EXECUTES.search(definition)
    return found is not None and _plain(found[1]) in bodies


def _written(groups: Groups, profile: Profile) -> tuple[Table, ...]:
    """Return the tables with triggers of users that the queries write, in the order of their names."""
    guarded = {t.name: t for t in profile.tables if t.triggers}
    found = {
        name.name
        for group in groups
        if guarded and group[0].kind in _WRITES
        for name in _targets(group[0].text)
        if name.name in guarded
    }
    return tuple(guarded[name] for name in sorted(found))


def _targets(text: str) -> tuple[sqltext.TableName, ...]:
    try:
        return sqltext.statement_facts(text).writes
    except StatementError:
        return ()
