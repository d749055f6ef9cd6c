"""Reads the schema objects that are recreated from a definition only: types, functions, operators, collations, …"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from premortem import pg
from premortem.catalog import chunks
from premortem.catalog.rows import ExpressionRow, ObjectRow, RuleRow
from premortem.errors import ConnectionRefused, ServerError, ServerTimeout, StatementError
from premortem.model import Gap, ObjectKind, RelationName, SchemaObject

QUERIES = pg.named_sql("premortem.catalog", "sql/objects.sql")
FUNCTIONS = pg.named_sql("premortem.catalog", "sql/functions.sql")
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
    ordered = sorted(_with_bodies(db, rows), key=lambda row: row.oid)
    objects = (_object(row) for row in ordered)
    gaps.extend(_not_recreated(row) for row in ordered if row.reason is not None)
    return tuple(o for o in objects if o is not None), tuple(gaps)


def _with_bodies(db: pg.Session, rows: Iterable[ObjectRow]) -> list[ObjectRow]:
    """The rows with the definitions of functions, which may have to wait for locks."""
    rows = list(rows)
    functions = [row.oid for row in rows if row.kind == ObjectKind.FUNCTION]
    found = chunks.read(db, FUNCTIONS["function definitions"], ExpressionRow, functions)
    bodies = {row.relation: row.expression for row in found.rows}
    reasons = dict.fromkeys(found.locked, "other sessions hold locks on tables that it reads") | dict(found.refused)
    return [_with_body(row, bodies, reasons) if row.kind == ObjectKind.FUNCTION else row for row in rows]


def _with_body(row: ObjectRow, bodies: Mapping[int, str | None], reasons: Mapping[int, str]) -> ObjectRow:
    return replace(row, definition=bodies.get(row.oid), reason=reasons.get(row.oid, row.reason))


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
