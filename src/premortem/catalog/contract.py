"""The profile's written contract: a JSON Schema, made from the same dataclasses that the file is made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, cast, get_args

from premortem.catalog import codec
from premortem.catalog.file import VERSION
from premortem.model import Profile

_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    timedelta: {"type": "number", "description": "seconds"},
}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the JSON in a profile's file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"premortem profile, format version {VERSION}",
        **_of(Profile),
        "$defs": {cls.__name__: _object(cls) for cls in sorted(_classes(Profile), key=lambda cls: cls.__name__)},
    }


def _of(kind: Any) -> dict[str, Any]:
    if kind in _SCALARS:
        return _SCALARS[kind]
    if (inner := codec.optional(kind)) is not None:
        return {"anyOf": [_of(inner), {"type": "null"}]}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"enum": [member.value for member in kind]}
    if is_dataclass(kind):
        return {"$ref": f"#/$defs/{cast('type[Any]', kind).__name__}"}
    return _array(get_args(kind))


def _array(args: tuple[Any, ...]) -> dict[str, Any]:
    if len(args) == 2 and args[1] is Ellipsis:
        return {"type": "array", "items": _of(args[0])}
    return {"type": "array", "prefixItems": [_of(arg) for arg in args], "minItems": len(args), "maxItems": len(args)}


def _object(cls: type[Any]) -> dict[str, Any]:
    kinds = codec.hints(cls)
    return {
        "type": "object",
        "description": " ".join((cls.__doc__ or "").split()),
        "properties": {field.name: _of(kinds[field.name]) for field in fields(cls)},
        "required": [field.name for field in fields(cls) if codec.default(field) is MISSING],
    }


def _classes(kind: Any, seen: frozenset[Any] = frozenset()) -> set[Any]:
    """Every dataclass that a type's values can hold."""
    if not is_dataclass(kind):
        return set().union(*(_classes(arg, seen) for arg in get_args(kind)))
    found = {kind}
    for inner in _inner(kind):
        if inner not in seen:
            found |= _classes(inner, seen | found)
    return found


def _inner(cls: Any) -> Iterator[Any]:
    yield from codec.hints(cls).values()
