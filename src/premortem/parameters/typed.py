"""Values of PostgreSQL types as text: what a type's values look like, how they are ordered, what lies beyond."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from premortem.model import ObjectKind, Profile
from premortem.sqltext import base_type

INTEGERS: Final = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1, "oid": 2**32 - 1}
NUMBERS: Final = frozenset({"numeric", "real", "double precision"})
MOMENTS: Final = frozenset({"date", "timestamp without time zone", "timestamp with time zone"})
TEXTS: Final = frozenset({"text", "character varying", "character", "citext", "name", "bpchar", "varchar"})

_SHORT_NAMES = {
    "int2": "smallint",
    "int4": "integer",
    "int": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "varchar": "character varying",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE)
_ENUM = re.compile(r"AS\s+ENUM\s*\((?P<labels>.*)\)", re.IGNORECASE | re.DOTALL)
_LABEL = re.compile(r"'((?:[^']|'')*)'")
_DOMAIN = re.compile(
    r"CREATE\s+DOMAIN\s+\S+\s+(?:AS\s+)?(?P<base>[^;]*?)"
    r"(?:\s+(?:COLLATE|DEFAULT|NOT|NULL|CHECK|CONSTRAINT)\b|;|\Z)",
    re.IGNORECASE,
)

_NEUTRAL = {
    "smallint": "1",
    "integer": "1",
    "bigint": "1",
    "oid": "1",
    "numeric": "1",
    "real": "1",
    "double precision": "1",
    "money": "1",
    "boolean": "true",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "interval": "1 day",
    "json": "{}",
    "jsonb": "{}",
    "jsonpath": "$",
    "bytea": "\\x00",
    "inet": "127.0.0.1",
    "cidr": "127.0.0.0/8",
    "macaddr": "08:00:2b:01:02:03",
    "bit": "1",
    "bit varying": "1",
    "point": "(0,0)",
    "box": "(1,1),(0,0)",
    "circle": "<(0,0),1>",
    "polygon": "((0,0),(0,1),(1,1))",
    "tsquery": "a",
    "tsvector": "a",
    "xml": "<a/>",
    "regclass": "pg_class",
    "regconfig": "simple",
    "regdictionary": "simple",
    "regtype": "integer",
    "pg_lsn": "0/0",
    "time without time zone": "12:00",
    "time with time zone": "12:00+00",
    "ltree": "a",
    "hstore": "a=>1",
    "char": "a",
}


def plain(type_name: str, profile: Profile | None = None) -> str:
    """Return a type's usual name without lengths, with domains of the profile resolved."""
    name = base_type(type_name).strip('"') if type_name == '"char"' else base_type(type_name)
    name = _SHORT_NAMES.get(name, name)
    base = _domain_base(name, profile) if profile else None
    return plain(base, None) if base else name


def is_array(type_name: str) -> bool:
    """Whether it is an array type."""
    return type_name.endswith("[]")


def element(type_name: str) -> str:
    """Return the type of an array's elements."""
    return type_name.removesuffix("[]")


def _definition(kind: ObjectKind, name: str, profile: Profile) -> str | None:
    schema, _, bare = name.rpartition(".")
    wanted = bare.strip('"'), schema.strip('"')
    found = (o for o in profile.objects if o.kind is kind and o.name == wanted[0])
    return next((o.definition for o in found if not wanted[1] or o.schema == wanted[1]), None)


def _domain_base(name: str, profile: Profile) -> str | None:
    definition = _definition(ObjectKind.DOMAIN, name, profile)
    match = _DOMAIN.search(definition) if definition else None
    return match["base"].strip() if match else None


def labels(type_name: str, profile: Profile) -> tuple[str, ...]:
    """Return an enum's labels in order, none for any other type."""
    definition = _definition(ObjectKind.ENUM, type_name, profile)
    match = _ENUM.search(definition) if definition else None
    return tuple(label.replace("''", "'") for label in _LABEL.findall(match["labels"])) if match else ()


def neutral(type_name: str, profile: Profile) -> str | None:
    """Return a value of a type that says nothing, None (SQL NULL) for a type that we know no value of."""
    name = plain(type_name, profile)
    if is_array(name):
        member = neutral(element(name), profile)
        return "{}" if member is None else array((member,))
    if name in MOMENTS:
        return profile.taken_at.date().isoformat()
    if name in TEXTS or name == "unknown":
        return "x"
    if name.endswith(("range", "multirange")) and name not in _NEUTRAL:
        return "{}" if name.endswith("multirange") else "empty"
    return _NEUTRAL.get(name) if name in _NEUTRAL else next(iter(labels(name, profile)), None)


def position(value: str, type_name: str) -> Decimal | None:
    """Return where a value lies on a line, None for types without one (or infinity)."""
    if type_name in INTEGERS or type_name in NUMBERS:
        return _decimal(value)
    if type_name in MOMENTS:
        moment = _moment(value)
        return None if moment is None else Decimal((moment - _EPOCH) // timedelta(microseconds=1)) / 1_000_000
    return None


def at_position(number: Decimal, type_name: str) -> str | None:
    """Return the value of a type at a place of its line, None where the type has no such value."""
    if type_name in INTEGERS:
        whole = int(number.to_integral_value())
        return str(whole) if abs(whole) <= INTEGERS[type_name] and (whole >= 0 or type_name != "oid") else None
    if type_name in NUMBERS:
        return format(number.normalize(), "f")
    try:
        moment = _EPOCH + timedelta(microseconds=int(number * 1_000_000))
    except OverflowError:
        return None
    if type_name == "date":
        return moment.date().isoformat()
    text = moment.isoformat(sep=" ")
    return text if type_name == "timestamp with time zone" else text.removesuffix("+00:00")


def rounded(number: Decimal, like: str, type_name: str) -> Decimal:
    """Return a number with as many decimals as a value of its column has."""
    decimals = len(like.partition(".")[2]) if type_name == "numeric" and "e" not in like.lower() else None
    return number if decimals is None else round(number, decimals)


def part(value: str, name: str) -> int | None:
    """Return a part of a moment, as `extract` would, None where value or part is nothing that we know.

    >>> part("2024-03-05 10:00:00+00", "month"), part("2024-03-05", "isodow"), part("infinity", "day")
    (3, 2, None)
    """
    moment = _moment(value)
    if moment is None:
        return None
    parts = {
        "isodow": moment.isoweekday(),
        "dow": moment.isoweekday() % 7,
        "week": moment.isocalendar().week,
        "doy": moment.timetuple().tm_yday,
        "quarter": (moment.month + 2) // 3,
        "epoch": int(moment.timestamp()),
    }
    return parts.get(name.lower(), getattr(moment, name.lower(), None) if name.lower() in _FIELDS else None)


_FIELDS = frozenset({"year", "month", "day", "hour", "minute", "second"})


def _decimal(value: str) -> Decimal | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _moment(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def fitted(value: str, type_name: str, profile: Profile) -> str | None:
    """Return a value as text that a parameter's type takes, None where it takes none like it."""
    name = plain(type_name, profile)
    if name in INTEGERS:
        number = _decimal(value)
        return at_position(number, name) if number is not None else None
    if name in NUMBERS:
        return value if _decimal(value) is not None else None
    if name in MOMENTS:
        return _as_moment(value, name)
    if name == "boolean":
        return value if value.lower() in ("t", "f", "true", "false") else None
    if name == "uuid":
        return value if _UUID.match(value) else None
    if name in ("json", "jsonb"):
        return value if _json(value) is not None else None
    known = labels(name, profile)
    return None if known and value not in known else value


def _as_moment(value: str, name: str) -> str | None:
    if _moment(value) is None:
        return value if value in ("infinity", "-infinity") else None
    return date.fromisoformat(value[:10]).isoformat() if name == "date" else value


def _json(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return None


def array(values: Iterable[str]) -> str:
    """Return an array literal.

    >>> print(array(["a", 'b"c', "null", ""]))
    {a,"b\\"c","null",""}
    """
    return "{" + ",".join(_member(v) for v in values) + "}"


_PLAIN_MEMBER = re.compile(r"[^\s{}\",\\]+\Z")


def _member(value: str) -> str:
    if _PLAIN_MEMBER.match(value) and value.lower() != "null":
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
