"""Reads the schema objects that are recreated from a definition only: types, functions, operators, collations, …"""

from __future__ import annotations

import re
from collections.abc import Iterable

from premortem import pg
from premortem.catalog.rows import ObjectRow, RuleRow
from premortem.errors import ConnectionRefused, ServerError, ServerTimeout, StatementError
from premortem.model import Gap, ObjectKind, RelationName, SchemaObject

QUERIES = pg.named_sql("premortem.catalog", "sql/objects.sql")
#: What `pg_get_functiondef` prints of a function in C, from the language on.
_IN_C = re.compile(r"^ LANGUAGE c\b(?P<options>.*?)^AS .*\Z", re.MULTILINE | re.DOTALL)
_STAND_IN = "AS $stand_in$BEGIN RAISE 'premortem: a stand-in for a function in C'; END$stand_in$"


def read(db: pg.Session) -> tuple[tuple[SchemaObject, ...], tuple[Gap, ...]]:
    """Return the objects in order of creation, and gaps for those that cannot be recreated as they are."""
    rows: list[ObjectRow] = []
    gaps: list[Gap] = []
    for name, query in QUERIES.items():
        try:
            rows.extend(db.rows(query, ObjectRow))
        except (ConnectionRefused, ServerTimeout):
            raise
        except (ServerError, StatementError) as error:
            gaps.append(_unread(name, error.message))
    ordered = sorted(rows, key=lambda row: row.oid)
    objects = (_object(row) for row in ordered)
    gaps.extend(_not_recreated(row) for row in ordered if row.reason is not None)
    return tuple(o for o in objects if o is not None), tuple(gaps)


def rules(rows: Iterable[RuleRow], names: dict[int, RelationName]) -> tuple[SchemaObject, ...]:
    """Return the rewrite rules of relations."""
    return tuple(
        SchemaObject(
            kind=ObjectKind.RULE,
            schema=names[row.relation].schema,
            name=f"{row.name} on {names[row.relation].name}",
            definition=row.definition,
            after_tables=True,
        )
        for row in rows
        if row.definition is not None
    )


def _object(row: ObjectRow) -> SchemaObject | None:
    definition = stand_in(row.definition) if row.reason and row.definition else row.definition
    if definition is None:
        return None
    return SchemaObject(
        kind=ObjectKind(row.kind), schema=row.schema, name=row.name, definition=definition.strip(),
        after_tables=row.after_tables or "\nBEGIN ATOMIC\n" in definition,
    )  # fmt: skip


def stand_in(definition: str) -> str | None:
    """Return a function in C as one that has its signature, cost and volatility, and refuses to run.

    None where no other language can have the signature.
    """
    match = _IN_C.search(definition)
    if match is None or re.search(r"\b(internal|cstring)\b", definition[: match.start()]):
        return None
    options = re.sub(r"\bSUPPORT \S+", "", match["options"])
    return f"{definition[: match.start()]} LANGUAGE plpgsql{options}{_STAND_IN}"


def _not_recreated(row: ObjectRow) -> Gap:
    name = f"{row.schema}.{row.name}" if row.schema else row.name
    return Gap(
        subject=f"{row.kind} {name}",
        says=f"It cannot be recreated from the catalog: {row.reason}.",
        effect="The twin has a stand-in or nothing in its place; queries that use it may not be plannable.",
    )


def _unread(name: str, message: str) -> Gap:
    return Gap(
        subject=name, says=f"The {name} were not read: {message.rstrip('.')}.", effect="They are missing from the twin."
    )
