"""Stands in for types of extensions that our server lacks, so that the rest of the schema can be planned.

A stand-in is a variable-length type with text's input and output: it can be selected and sized, but nothing else can be
done with it, so a query that needs the extension's functions is "could not tell".
"""

from __future__ import annotations

import re
from dataclasses import replace

from premortem import pg
from premortem.errors import ServerError, StatementError
from premortem.model import Column, Gap, Profile, qualified

_IDENTIFIER = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_TYPE = re.compile(rf"(?P<name>{_IDENTIFIER}(?:\.{_IDENTIFIER})?)(?P<typmod>\([^)]*\))?(?P<array>(?:\[\])*)\Z")


def substitute(db: pg.Session, profile: Profile) -> tuple[Profile, list[Gap]]:
    """Create a stand-in for every column type that is missing; return the profile that uses them."""
    own = {qualified(o.schema, o.name) for o in profile.objects} | {t.relation.sql for t in profile.tables}
    types = {type_name(c.type) for t in profile.tables for c in t.columns}
    wanted = sorted(name for name in types if name is not None and name not in own)
    missing = [name for name in wanted if db.value("SELECT to_regtype(%(name)s) IS NULL", name=name)]
    made = [name for name in missing if _create(db, name)]
    gaps = [
        Gap(
            subject=f"type {name}",
            says="What defines it, such as an extension, is not here; a stand-in without operators takes its place.",
            effect="Queries that use its functions, operators or indexes cannot be planned.",
            cure="install the extension's package for a local PostgreSQL of production's major version",
        )
        for name in made
    ]
    tables = tuple(replace(t, columns=tuple(_without_typmod(c, made) for c in t.columns)) for t in profile.tables)
    return replace(profile, tables=tables), gaps


def type_name(text: str) -> str | None:
    """Return a user type's name without modifiers and brackets, None for a built-in one.

    >>> type_name("public.geometry(Point,4326)[]"), type_name("character varying(20)")
    ('public.geometry', None)
    """
    match = _TYPE.match(text)
    return match["name"] if match and "." in match["name"] else None


def _without_typmod(column: Column, made: list[str]) -> Column:
    match = _TYPE.match(column.type)
    if match is None or match["name"] not in made:
        return column
    return replace(column, type=match["name"] + match["array"], default=None)


def _create(db: pg.Session, name: str) -> bool:
    read, write = _function(name, "in"), _function(name, "out")
    how = "LANGUAGE internal IMMUTABLE STRICT AS"
    try:
        with db.transaction():
            db.execute(f"CREATE TYPE {name}")
            db.execute(f"CREATE FUNCTION {read}(cstring) RETURNS {name} {how} 'textin'")
            db.execute(f"CREATE FUNCTION {write}({name}) RETURNS cstring {how} 'textout'")
            db.execute(f"CREATE TYPE {name} (INPUT = {read}, OUTPUT = {write}, LIKE = text)")
    except (StatementError, ServerError):
        return False
    return True


def _function(name: str, direction: str) -> str:
    schema, _, plain = name.rpartition(".")
    return f'{schema}."premortem_{plain.strip(chr(34))}_{direction}"'
