"""What values of a PostgreSQL type are to a generator: numbers on a line, texts, or something made whole.

A type *on a line* has a whole number for each value, in order (microseconds, cents, the number of an address), so that
histograms can be interpolated in numbers and a column written at once.  Only the statistics' own few values are ever
parsed one by one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from premortem.model import ObjectKind, Profile


class Family(StrEnum):
    """How values of a type are made."""

    INTEGER = "integer"
    NUMERIC = "numeric"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    TIME_TZ = "time with time zone"
    TIMESTAMP = "timestamp"
    INTERVAL = "interval"
    UUID = "uuid"
    ADDRESS = "address"
    MAC = "mac"
    TEXT = "text"
    BYTES = "bytes"
    ENUM = "enum"
    JSON = "json"
    ARRAY = "array"
    RANGE = "range"
    MULTIRANGE = "multirange"
    LEXEMES = "lexemes"
    BITS = "bits"
    GEOMETRIC = "geometric"
    VECTOR = "vector"
    HSTORE = "hstore"
    UNKNOWN = "unknown"


ON_A_LINE = frozenset(
    {
        Family.INTEGER, Family.NUMERIC, Family.FLOAT, Family.DATE, Family.TIME, Family.TIME_TZ, Family.TIMESTAMP,
        Family.INTERVAL, Family.UUID, Family.ADDRESS, Family.MAC,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A type: its family, its plain name, and what of its modifier and definition matters.

    `octets` is the size of its binary form, `limit` the longest text or the bits or dimensions, `scale` the decimals of
    a numeric, `least` and `most` the ends of its line, `labels` an enum's, `element` what an array or range is of,
    `oid` the type's own number where it is the same in every database.
    """

    family: Family
    name: str
    octets: int = 0
    limit: int | None = None
    scale: int | None = None
    least: int = -(2**62)
    most: int = 2**62
    labels: tuple[str, ...] = ()
    element: Kind | None = None
    oid: int | None = None
    padded: bool = False
    not_null: bool = False

    @property
    def is_line(self) -> bool:
        """Whether its values are whole numbers in order."""
        return self.family in ON_A_LINE


def _integer(name: str, octets: int, oid: int, **more: int) -> Kind:
    ends = {"least": -(2 ** (8 * octets - 1)), "most": 2 ** (8 * octets - 1) - 1} | more
    return Kind(family=Family.INTEGER, name=name, octets=octets, oid=oid, **ends)


def _text(name: str, oid: int | None, *, padded: bool = False, limit: int | None = None) -> Kind:
    return Kind(family=Family.TEXT, name=name, oid=oid, padded=padded, limit=limit)


_MICROSECONDS_OF_DAY = 86_400_000_000
_FIRST_DAY, _LAST_DAY = -2_451_545, 2_921_939  # 4713 BC to 9999, from 2000-01-01
_OF = {
    kind.name: kind
    for kind in (
        _integer("smallint", 2, 21), _integer("integer", 4, 23), _integer("bigint", 8, 20),
        _integer("oid", 4, 26, least=0, most=2**31 - 1), _integer("money", 8, 790),
        _integer("pg_lsn", 8, 3220, least=0),
        Kind(family=Family.NUMERIC, name="numeric", oid=1700),
        Kind(family=Family.FLOAT, name="real", octets=4, oid=700),
        Kind(family=Family.FLOAT, name="double precision", octets=8, oid=701),
        Kind(family=Family.BOOLEAN, name="boolean", octets=1, oid=16, labels=("f", "t")),
        Kind(family=Family.DATE, name="date", octets=4, oid=1082, least=_FIRST_DAY, most=_LAST_DAY),
        Kind(family=Family.TIME, name="time without time zone", octets=8, oid=1083, least=0, most=_MICROSECONDS_OF_DAY),
        Kind(family=Family.TIME_TZ, name="time with time zone", octets=12, oid=1266, least=-_MICROSECONDS_OF_DAY,
             most=2 * _MICROSECONDS_OF_DAY),
        *(
            Kind(family=Family.TIMESTAMP, name=name, octets=8, oid=oid, least=_FIRST_DAY * _MICROSECONDS_OF_DAY,
                 most=_LAST_DAY * _MICROSECONDS_OF_DAY)
            for name, oid in (("timestamp without time zone", 1114), ("timestamp with time zone", 1184))
        ),
        Kind(family=Family.INTERVAL, name="interval", octets=16, oid=1186),
        Kind(family=Family.UUID, name="uuid", octets=16, oid=2950, least=0, most=2**62 - 1),
        Kind(family=Family.ADDRESS, name="inet", octets=8, oid=869, least=0, most=2**32 - 1),
        Kind(family=Family.ADDRESS, name="cidr", octets=8, oid=650, least=0, most=2**32 - 1),
        Kind(family=Family.MAC, name="macaddr", octets=6, oid=829, least=0, most=2**48 - 1),
        Kind(family=Family.MAC, name="macaddr8", octets=8, oid=774, least=0),
        _text("text", 25), _text("character varying", 1043), _text("character", 1042, padded=True, limit=1),
        _text("bpchar", 1042, padded=True), _text("name", 19, limit=63),
        _text('"char"', 18, limit=1), _text("xml", 142),
        _text("citext", None), _text("ltree", None), _text("jsonpath", 4072),
        Kind(family=Family.BYTES, name="bytea", oid=17),
        Kind(family=Family.JSON, name="json", oid=114), Kind(family=Family.JSON, name="jsonb", oid=3802),
        Kind(family=Family.LEXEMES, name="tsvector", oid=3614),
        Kind(family=Family.BITS, name="bit", oid=1560, limit=1), Kind(family=Family.BITS, name="bit varying", oid=1562),
        *(
            Kind(family=Family.GEOMETRIC, name=name, oid=oid)
            for name, oid in (("point", 600), ("lseg", 601), ("path", 602), ("box", 603), ("polygon", 604),
                              ("line", 628), ("circle", 718))
        ),
        Kind(family=Family.GEOMETRIC, name="geometry"), Kind(family=Family.GEOMETRIC, name="geography"),
        Kind(family=Family.VECTOR, name="vector"), Kind(family=Family.HSTORE, name="hstore"),
    )
}  # fmt: skip
_RANGES = {
    "int4": "integer", "int8": "bigint", "num": "numeric", "date": "date", "ts": "timestamp without time zone",
    "tstz": "timestamp with time zone",
}  # fmt: skip
_FROM_EXTENSIONS = frozenset({"citext", "ltree", "geometry", "geography", "vector", "hstore"})
_MODIFIER = re.compile(r"\(([^)]*)\)")
_LABELS = re.compile(r"AS\s+ENUM\s*\((?P<labels>.*)\)", re.IGNORECASE | re.DOTALL)
_LABEL = re.compile(r"'((?:[^']|'')*)'")
_SUBTYPE = re.compile(r"SUBTYPE\s*=\s*(?P<type>[^,)]+(?:\([^)]*\))?)", re.IGNORECASE)


def kind(type_name: str, profile: Profile) -> Kind:
    """Return what values of a type are, by its name as `format_type` prints it; domains are what they are over."""
    name = type_name.strip()
    if name.endswith("[]"):
        return _array(kind(name.removesuffix("[]"), profile), name)
    base = profile.domains.get(name)
    if base is not None:
        return kind(base, profile)
    match = _MODIFIER.search(name)
    plain = _MODIFIER.sub("", name, count=1).strip()
    plain = re.sub(r"\s+", " ", plain)
    found = _built_in(plain)
    if found is not None:
        return _modified(found, match[1] if match else None)
    return _defined(plain, profile)


def _built_in(name: str) -> Kind | None:
    bare = name.rpartition(".")[2].strip('"') if name != '"char"' else name
    if bare in _FROM_EXTENSIONS:
        return _OF[bare]
    for ending, family in (("multirange", Family.MULTIRANGE), ("range", Family.RANGE)):
        subtype = _RANGES.get(name.removesuffix(ending)) if name.endswith(ending) else None
        if subtype is not None:
            return Kind(family=family, name=name, element=_OF[subtype])
    return _OF.get(name)


def _array(element: Kind, name: str) -> Kind:
    if element.family in (Family.UNKNOWN, Family.ARRAY):
        return element
    return Kind(family=Family.ARRAY, name=name, element=element)


def _modified(found: Kind, modifier: str | None) -> Kind:
    numbers = [int(part) for part in re.findall(r"-?\d+", modifier or "")]
    if not numbers or found.family in (Family.TIMESTAMP, Family.TIME, Family.TIME_TZ, Family.INTERVAL):
        return found
    if found.family is Family.NUMERIC:
        scale = numbers[1] if len(numbers) > 1 else 0
        largest = 10 ** min(numbers[0], 18) - 1
        return replace(found, scale=max(scale, 0), limit=numbers[0], least=-largest, most=largest)
    return replace(found, limit=numbers[0])


def _defined(name: str, profile: Profile) -> Kind:
    """An enum or a range that the database defines; anything else is not known."""
    schema, _, bare = name.rpartition(".")
    bare, schema = bare.strip('"'), schema.strip('"')
    for one in profile.objects:
        if one.name != bare or (schema and one.schema != schema):
            continue
        if one.kind is ObjectKind.ENUM:
            return Kind(family=Family.ENUM, name=name, labels=_labels(one.definition))
        if one.kind is ObjectKind.RANGE and (subtype := _SUBTYPE.search(one.definition)):
            return Kind(family=Family.RANGE, name=name, element=kind(subtype["type"], profile))
    return Kind(family=Family.UNKNOWN, name=name)


def _labels(definition: str) -> tuple[str, ...]:
    match = _LABELS.search(definition)
    return tuple(label.replace("''", "'") for label in _LABEL.findall(match["labels"])) if match else ()


def oid(type_name: str) -> int | None:
    """Return a type's number where it is the same in every database."""
    found = _OF.get(_MODIFIER.sub("", type_name, count=1).strip())
    return None if found is None else found.oid


def element_oids() -> Mapping[str, int]:
    """Return the numbers of the types that are the same in every database."""
    return {name: found.oid for name, found in _OF.items() if found.oid is not None}
