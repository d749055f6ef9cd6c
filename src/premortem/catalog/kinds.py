"""Which kind of value a type holds, as far as pseudonyms are concerned."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What values of a type are to a pseudonym: how they are ordered, and what a made-up one looks like."""

    STATUS = "status"
    TIME = "time"
    NUMBER = "number"
    TEXT = "text"
    UUID = "uuid"
    BYTES = "bytes"
    ADDRESS = "address"
    MAC = "mac"
    JSON = "json"
    LEXEME = "lexeme"
    OPAQUE = "opaque"


class Wrap(StrEnum):
    """How values of the kind are wrapped in the type."""

    PLAIN = "plain"
    ARRAY = "array"
    RANGE = "range"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A type's kind, its wrapping, and the greatest number that it can hold, 0 where there is no such limit."""

    kind: Kind
    wrap: Wrap = Wrap.PLAIN
    limit: int = 0
    is_moment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRow:
    """A type of the database: `kind` is pg_type.typtype, `base` what a domain or range is over."""

    name: str
    kind: str
    base: str | None


_BUILT_IN: Mapping[str, Shape] = {
    "boolean": Shape(kind=Kind.STATUS), '"char"': Shape(kind=Kind.STATUS),
    "smallint": Shape(kind=Kind.NUMBER, limit=2**15 - 1), "integer": Shape(kind=Kind.NUMBER, limit=2**31 - 1),
    "bigint": Shape(kind=Kind.NUMBER, limit=2**63 - 1), "oid": Shape(kind=Kind.NUMBER, limit=2**32 - 1),
    "numeric": Shape(kind=Kind.NUMBER), "real": Shape(kind=Kind.NUMBER), "double precision": Shape(kind=Kind.NUMBER),
    "text": Shape(kind=Kind.TEXT), "character varying": Shape(kind=Kind.TEXT), "character": Shape(kind=Kind.TEXT),
    "bpchar": Shape(kind=Kind.TEXT), "name": Shape(kind=Kind.TEXT), "citext": Shape(kind=Kind.TEXT),
    "date": Shape(kind=Kind.TIME, is_moment=True),
    "timestamp without time zone": Shape(kind=Kind.TIME, is_moment=True),
    "timestamp with time zone": Shape(kind=Kind.TIME, is_moment=True),
    "time without time zone": Shape(kind=Kind.TIME), "time with time zone": Shape(kind=Kind.TIME),
    "interval": Shape(kind=Kind.TIME), "uuid": Shape(kind=Kind.UUID), "bytea": Shape(kind=Kind.BYTES),
    "inet": Shape(kind=Kind.ADDRESS), "cidr": Shape(kind=Kind.ADDRESS), "macaddr": Shape(kind=Kind.MAC),
    "jsonb": Shape(kind=Kind.JSON), "tsvector": Shape(kind=Kind.LEXEME, wrap=Wrap.ARRAY),
}  # fmt: skip
_RANGES = {
    "int4range": "integer", "int8range": "bigint", "numrange": "numeric", "daterange": "date",
    "tsrange": "timestamp without time zone", "tstzrange": "timestamp with time zone",
    "int4multirange": "integer", "int8multirange": "bigint", "nummultirange": "numeric", "datemultirange": "date",
    "tsmultirange": "timestamp without time zone", "tstzmultirange": "timestamp with time zone",
}  # fmt: skip
_MODIFIER = re.compile(r"\([\d, -]*\)")


def shape(type_name: str, types: Mapping[str, TypeRow]) -> Shape:
    """Return what values of a type are, by its name as format_type prints it.

    >>> shape("character varying(20)[]", {})
    Shape(kind=<Kind.TEXT: 'text'>, wrap=<Wrap.ARRAY: 'array'>, limit=0, is_moment=False)
    """
    name = _MODIFIER.sub("", type_name)
    if name.endswith("[]"):
        return _wrapped(shape(name.rstrip("[]"), types), Wrap.ARRAY)
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    if name in _RANGES:
        return _wrapped(shape(_RANGES[name], types), Wrap.RANGE)
    row = types.get(name)
    if row is None:
        return _BUILT_IN["citext"] if name.rpartition(".")[2] == "citext" else Shape(kind=Kind.OPAQUE)
    return _of_row(row, types)


def _of_row(row: TypeRow, types: Mapping[str, TypeRow]) -> Shape:
    if row.kind == "e":
        return Shape(kind=Kind.STATUS)
    if row.base is None:
        return Shape(kind=Kind.OPAQUE)
    inner = shape(row.base, types)
    return inner if row.kind == "d" else _wrapped(inner, Wrap.RANGE)


def _wrapped(inner: Shape, wrap: Wrap) -> Shape:
    if inner.wrap is not Wrap.PLAIN:
        return Shape(kind=Kind.OPAQUE)
    return Shape(kind=inner.kind, wrap=wrap, limit=inner.limit, is_moment=inner.is_moment)
