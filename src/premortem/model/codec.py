"""Turns values into JSON and back, by the types that their dataclasses declare.

Written by hand because two things matter that libraries leave open: an error names the place in the file
(`tables[3].columns[0].type`), and a thousand tables with their statistics are read in a moment, so every class gets its
reader and writer composed once.  Fields that hold their default are left out; unknown fields are ignored, so that an
older premortem reads what a newer one wrote in the same format version.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

Encode = Callable[[Any], Any]
#: What an evidence's value is: a figure, or a word that stays one.
_FIGURE = float | str


class Misfit(Exception):
    """A JSON value that is not of the type that its place asks for."""

    def __init__(self, expected: str, found: object, where: str = "") -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found
        self.where = where

    def __str__(self) -> str:
        """Where it is, what should be there, and what is."""
        return f"{self.where.lstrip('.') or 'its top'} should be {self.expected}, but is {repr(self.found)[:60]}"

    def inside(self, step: str) -> Misfit:
        """The same misfit, seen from one level further out."""
        return Misfit(self.expected, self.found, step + self.where)


def encode(value: Any) -> Any:
    """Return a value's JSON form."""
    return encoder(_of(value))(value)


def _of(value: Any) -> Any:
    return type(value)


def decode(cls: Any, data: object) -> Any:
    """Return the value of a class that the JSON describes; raises Misfit that names the place where it does not."""
    return decoder(cls)(data)


@cache
def encoder(kind: Any) -> Encode:
    """Return the function that makes JSON of a type's values."""
    if kind in (str, int, float, bool, Any):
        return _number if kind is float else _same
    if kind is datetime:
        return datetime.isoformat
    if kind is date:
        return date.isoformat
    if kind is timedelta:
        return timedelta.total_seconds
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum_value
    if kind == _FIGURE:
        return lambda value: _number(value) if isinstance(value, float) else value
    if is_dataclass(kind):
        return _dataclass_encoder(typing.cast("type[Any]", kind))
    if (inner := optional(kind)) is not None:
        return _optional_encoder(encoder(inner))
    return _tuple_encoder(get_args(kind))


def _same(value: Any) -> Any:
    return value


def _number(value: float) -> float | str:
    """JSON knows no infinity and no NaN."""
    return value if math.isfinite(value) else str(value)


def _enum_value(value: StrEnum) -> str:
    return value.value


def optional(kind: Any) -> Any:
    """Return T of `T | None`, None where the type is no such union."""
    if get_origin(kind) not in (Union, types.UnionType):
        return None
    return next(arg for arg in get_args(kind) if arg is not type(None))


def _optional_encoder(inner: Encode) -> Encode:
    return lambda value: None if value is None else inner(value)


def _tuple_encoder(args: tuple[Any, ...]) -> Encode:
    if len(args) == 2 and args[1] is Ellipsis:
        if plain(args[0]):
            return list
        each = encoder(args[0])
        return lambda values: [each(value) for value in values]
    encoders = [encoder(arg) for arg in args]
    return lambda values: [write(value) for write, value in zip(encoders, values, strict=True)]


def plain(kind: Any) -> bool:
    """Whether values of the type are their own JSON."""
    return kind in (str, int, bool) or (optional(kind) in (str, int, bool))


def hints(cls: type[Any]) -> dict[str, Any]:
    """Return the types of a dataclass's fields."""
    return get_type_hints(cls)


def _dataclass_encoder(cls: type[Any]) -> Encode:
    kinds = hints(cls)
    plan = [(f.name, encoder(kinds[f.name]), default(f)) for f in fields(cls)]

    def write(value: Any) -> dict[str, Any]:
        found = ((name, each, getattr(value, name), usual) for name, each, usual in plan)
        return {name: each(item) for name, each, item, usual in found if item != usual}

    return write


def default(field: Field[Any]) -> Any:
    """Return a field's default value, MISSING where it has none."""
    return field.default_factory() if field.default_factory is not MISSING else field.default


@cache
def decoder(kind: Any) -> Callable[[Any], Any]:
    """Return the function that makes a type's values of JSON."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum_decoder(kind)
    if kind == _FIGURE:
        return lambda data: data if type(data) is str else _float(data)
    if is_dataclass(kind):
        return _dataclass_decoder(typing.cast("type[Any]", kind))
    if (inner := optional(kind)) is not None:
        read = decoder(inner)
        return lambda data: None if data is None else read(data)
    return _tuple_decoder(get_args(kind))


def _text(data: Any) -> str:
    if type(data) is str:
        return data
    raise Misfit("a text", data)


def _integer(data: Any) -> int:
    if type(data) is int:
        return data
    raise Misfit("a whole number", data)


def _float(data: Any) -> float:
    if type(data) is float:
        return data
    if type(data) is int or data in ("inf", "-inf", "nan"):
        return float(data)
    raise Misfit("a number", data)


def _boolean(data: Any) -> bool:
    if type(data) is bool:
        return data
    raise Misfit("true or false", data)


def _moment(data: Any) -> datetime:
    try:
        found = datetime.fromisoformat(_text(data))
    except ValueError:
        raise Misfit("a moment in ISO 8601", data) from None
    if found.tzinfo is None:
        raise Misfit("a moment with its time zone", data)
    return found


def _day(data: Any) -> date:
    try:
        return date.fromisoformat(_text(data))
    except ValueError:
        raise Misfit("a day in ISO 8601", data) from None


def _duration(data: Any) -> timedelta:
    try:
        return timedelta(seconds=_float(data))
    except (OverflowError, ValueError):
        raise Misfit("a number of seconds", data) from None


_SCALARS: Mapping[Any, Callable[[Any], Any]] = {
    str: _text, int: _integer, float: _float, bool: _boolean, date: _day, datetime: _moment,
    timedelta: _duration,
}  # fmt: skip


def _enum_decoder(kind: type[StrEnum]) -> Callable[[Any], StrEnum]:
    known = {member.value: member for member in kind}

    def read(data: Any) -> StrEnum:
        if type(data) is str and data in known:
            return known[data]
        raise Misfit(f"one of {', '.join(known)}", data)

    return read


def _tuple_decoder(args: tuple[Any, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(args) == 2 and args[1] is Ellipsis:
        return _list_decoder(args[0])
    readers = [decoder(arg) for arg in args]

    def read(data: Any) -> tuple[Any, ...]:
        if type(data) is not list or len(data) != len(readers):
            raise Misfit(f"a list of {len(readers)}", data)
        return tuple(_item(each, data, at) for at, each in enumerate(readers))

    return read


def _list_decoder(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    each = decoder(kind)
    quick = {kind} if kind in (str, int, float) else None

    def read(data: Any) -> tuple[Any, ...]:
        if type(data) is not list:
            raise Misfit("a list", data)
        if quick is not None and set(map(type, data)) <= quick:
            return tuple(data)
        return tuple([_item(each, data, at) for at in range(len(data))])

    return read


def _item(each: Callable[[Any], Any], data: list[Any], at: int) -> Any:
    try:
        return each(data[at])
    except Misfit as misfit:
        raise misfit.inside(f"[{at}]") from None


def _dataclass_decoder(cls: type[Any]) -> Callable[[Any], Any]:
    kinds = hints(cls)
    readers = {f.name: decoder(kinds[f.name]) for f in fields(cls)}
    needed = {f.name for f in fields(cls) if default(f) is MISSING}

    def read(data: Any) -> Any:
        if type(data) is not dict:
            raise Misfit("an object", data)
        found = {}
        for name, item in data.items():
            if name in readers:
                try:
                    found[name] = readers[name](item)
                except Misfit as misfit:
                    raise misfit.inside(f".{name}") from None
        if not needed <= found.keys():
            raise Misfit(f"an object with {', '.join(sorted(needed - found.keys()))}", data)
        return cls(**found)

    return read
