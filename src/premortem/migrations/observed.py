"""What a statement of a migration really did when it ran on the twin's empty tables: its locks, its work, what is gone.

A lint must guess whether a change of type writes the table anew; PostgreSQL knows, and says so (DEBUG1 messages of
`tablecmds.c` and `index.c`), whether the table has rows or not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from premortem.migrations.locks import Lock, Mode
from premortem.model import RelationName


class Kind(StrEnum):
    """What PostgreSQL does with every row of a table while it holds the lock."""

    REWRITE = "rewrite"
    VERIFY = "verify"
    BUILD = "build"
    VALIDATE = "validate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One pass over a table; `name` is the index that is built or the foreign key that is validated."""

    kind: Kind
    table: RelationName
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What one statement did; relations bear the names that production knows them by.

    `created` are new relations, by the names that they have then.  `skipped` says why the statement was not run at all.
    """

    number: int
    locks: tuple[Lock, ...] = ()
    work: tuple[Work, ...] = ()
    created: tuple[RelationName, ...] = ()
    dropped: tuple[RelationName, ...] = ()
    skipped: str | None = None


def dump(observed: Sequence[Observed]) -> str:
    """Return observations as JSON text."""
    return json.dumps([_plain(o) for o in observed])


def _plain(o: Observed) -> dict[str, object]:
    return {
        "number": o.number,
        "locks": [[*_pair(k.relation), k.mode.value, _pair(k.table) if k.table else None, k.is_new] for k in o.locks],
        "work": [[w.kind.value, *_pair(w.table), w.name] for w in o.work],
        "created": [_pair(r) for r in o.created],
        "dropped": [_pair(r) for r in o.dropped],
        "skipped": o.skipped,
    }


def load(text: str) -> tuple[Observed, ...]:
    """Return the observations of a JSON text that `dump` wrote; ValueError or KeyError where it is another's."""
    return tuple(
        Observed(
            number=o["number"],
            locks=tuple(
                Lock(relation=_name(s, n), mode=Mode(mode), table=_name(*table) if table else None, is_new=new)
                for s, n, mode, table, new in o["locks"]
            ),
            work=tuple(Work(kind=Kind(kind), table=_name(s, n), name=name) for kind, s, n, name in o["work"]),
            created=tuple(_name(*r) for r in o["created"]),
            dropped=tuple(_name(*r) for r in o["dropped"]),
            skipped=o["skipped"],
        )
        for o in json.loads(text)
    )


def _pair(name: RelationName) -> tuple[str, str]:
    return name.schema, name.name


def _name(schema: str, name: str) -> RelationName:
    return RelationName(schema=schema, name=name)
