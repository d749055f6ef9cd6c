"""Which indexes of the statement's tables were there and are not any more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

from premortem.diagnosis.offender import Offender
from premortem.model import AlertKind, Profile, RelationKind, RelationName

_CREATE = re.compile(r"^CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)", re.IGNORECASE)
_KEYS = re.compile(r"USING \w+ \((?P<keys>.*)")
_NAME = re.compile(r'(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>[a-z_][\w$]*))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An index that vanished: what it was, how to make it again, and since when.

    `reported`: the watcher saw it vanish; else it is missing against the instance's profile.
    """

    name: RelationName
    table: RelationName
    columns: tuple[str, ...]
    create: str
    drop: str
    since: str = ""
    reported: bool = False


def lost(
    offender: Offender, kept: Profile | None, now: Profile | None, wanted: Sequence[RelationName]
) -> tuple[Lost, ...]:
    """Return the indexes of the wanted relations that are gone, each once; one that was only renamed is not gone."""
    found: dict[RelationName, Lost] = {}
    there = _definitions(now)
    for one in _candidates(offender, kept, now, wanted):
        if _body(one.create) not in there:
            found.setdefault(one.name, one)
    return tuple(found.values())


def _candidates(
    offender: Offender, kept: Profile | None, now: Profile | None, wanted: Sequence[RelationName]
) -> Iterator[Lost]:
    named = set(wanted) | {c.relation for p in (kept, now) if p for name in wanted for c in p.children(name)}
    for gone in offender.gone:
        if gone.database != offender.database or (named and gone.table not in named) or _is_there(now, gone.name):
            continue
        if offender.kind is not AlertKind.INDEX or offender.subject in ("", gone.name.sql):
            at = f" since {offender.changed_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if offender.changed_at else ""
            yield _lost(gone.name, gone.table, gone.definition, at, reported=True, now=now)
    if kept is None or now is None:
        return
    for table in kept.tables:
        today = now.table(table.relation)
        if table.relation not in named or today is None:
            continue
        names = {i.name for i in today.indexes}
        for index in table.indexes:
            if index.name not in names and index.valid:
                since = f": it was there on {kept.taken_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
                name = RelationName(schema=table.schema, name=index.name)
                yield _lost(name, table.relation, index.definition, since, reported=False, now=now)


def _is_there(now: Profile | None, name: RelationName) -> bool:
    """Whether an index of that name exists: one that is there and invalid is not gone."""
    return now is not None and now.table_of_index(name.schema, name.name) is not None


def _lost(
    name: RelationName, table: RelationName, definition: str, since: str, *, reported: bool, now: Profile | None
) -> Lost:
    found = now.table(table) if now else None
    partitioned = found is not None and found.kind is RelationKind.PARTITIONED_TABLE
    how = "" if partitioned else "CONCURRENTLY "  # PostgreSQL refuses it for a partitioned table
    create = _CREATE.sub(lambda m: f"CREATE {m[1] or ''}INDEX {how}", definition.strip().rstrip(";")) + ";"
    drop = f"DROP INDEX {how}IF EXISTS {name.sql};"
    return Lost(
        name=name, table=table, columns=columns(definition), create=create, drop=drop, since=since, reported=reported
    )


def _definitions(now: Profile | None) -> frozenset[str]:
    return frozenset(_body(i.definition) for t in now.tables for i in t.indexes if i.valid) if now else frozenset()


def _body(definition: str) -> str:
    """What an index is, without its name."""
    return definition.partition(" ON ")[2].strip().rstrip(";")


def columns(definition: str) -> tuple[str, ...]:
    """Return the leading key columns of an index's definition, up to the first that is an expression.

    >>> columns('CREATE INDEX i ON public.t USING btree (sku, "Status" DESC, lower(x)) INCLUDE (y)')
    ('sku', 'Status')
    """
    match = _KEYS.search(definition)
    found: list[str] = []
    for part in (match["keys"] if match else "").split(","):
        name = _NAME.match(part.strip())
        if name is None or part.strip()[name.end() :].lstrip().startswith("("):
            break
        found.append((name["quoted"] or name["plain"]).replace('""', '"'))
        if ")" in part:
            break
    return tuple(found)
