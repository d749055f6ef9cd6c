"""Single values: from the text of a statistic to a place on a type's line, and to the type's binary form."""

from __future__ import annotations

import ipaddress
import json
import re
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timezone
from decimal import Decimal, InvalidOperation

from premortem.synthesis.kinds import Family, Kind

_DAY = 86_400_000_000
_INTERVAL = re.compile(r"([+-]?\d+) (year|mon|day)s?")
_CLOCK = re.compile(r"([+-]?)(\d+):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?")
_ZONE = re.compile(r"([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?\Z")
_FIRST = date(2000, 1, 1).toordinal()
_EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - read as a moment, not as a zone
_PIECE = re.compile(r'[{},]|"(?:[^"\\]|\\.)*"|[^{},"]+', re.DOTALL)
_RANGE = re.compile(r'([\[(])("(?:[^"\\]|\\.|"")*"|[^,]*),("(?:[^"\\]|\\.|"")*"|[^\])]*)([\])])')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def place(kind: Kind, text: str, scale: int) -> int | None:
    """Return where a value stands on its type's line, None where it has no place there (infinity, NaN)."""
    try:
        return _PLACES[kind.family](text, scale)
    except (ValueError, InvalidOperation, OverflowError, KeyError):
        return None


def decimals(texts: Sequence[str]) -> int:
    """Return how many decimals the most exact of some numbers has, at most nine."""
    most = 0
    for text in texts:
        try:
            exponent = Decimal(text).as_tuple().exponent
        except InvalidOperation:
            continue
        most = max(most, -exponent if isinstance(exponent, int) else 0)
    return min(most, 9)


def _scaled(text: str, scale: int) -> int:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(text)
    return int(number.scaleb(scale).to_integral_value())


def _money(text: str, scale: int) -> int:
    if text.lstrip("-").isdigit():
        return int(text)
    if "/" in text:  # a position in the write-ahead log
        high, _, low = text.partition("/")
        return int(high, 16) << 32 | int(low, 16)
    number = Decimal(re.sub(r"[^\d.-]", "", text))
    return int(number.scaleb(2).to_integral_value())


def _date(text: str, scale: int) -> int:
    return date.fromisoformat(text).toordinal() - _FIRST


def _timestamp(text: str, scale: int) -> int:
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)  # noqa: UP017
    gone = aware - _EPOCH
    return (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds


def _clock(text: str) -> int:
    match = _CLOCK.search(text)
    if match is None:
        return 0
    sign, hours, minutes, seconds, rest = match.groups()
    whole = (int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0)) * 1_000_000 + int((rest or "0").ljust(6, "0"))
    return -whole if sign == "-" else whole


def _time(text: str, scale: int) -> int:
    return _clock(text)


def _time_tz(text: str, scale: int) -> int:
    return _clock(text) + _west(text) * 1_000_000


def _west(text: str) -> int:
    match = _ZONE.search(text)
    if match is None:
        return 0
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60 + int(match[4] or 0)
    return -seconds if match[1] == "+" else seconds


def _interval(text: str, scale: int) -> int:
    days = {"year": 360, "mon": 30, "day": 1}
    whole = sum(int(count) * days[unit] for count, unit in _INTERVAL.findall(text))
    return whole * _DAY + _clock(text)


def _uuid(text: str, scale: int) -> int:
    return uuid.UUID(text).int >> 66


def _address(text: str, scale: int) -> int:
    found = ipaddress.ip_interface(text)
    if found.version != 4:
        raise ValueError(text)
    return int(found.ip)


def _mac(text: str, scale: int) -> int:
    return int(text.replace(":", ""), 16)


_PLACES: Mapping[Family, Callable[[str, int], int]] = {
    Family.INTEGER: _money, Family.NUMERIC: _scaled, Family.FLOAT: _scaled, Family.DATE: _date, Family.TIME: _time,
    Family.TIME_TZ: _time_tz, Family.TIMESTAMP: _timestamp, Family.INTERVAL: _interval, Family.UUID: _uuid,
    Family.ADDRESS: _address, Family.MAC: _mac,
}  # fmt: skip


def binary(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes | None:
    """Return a value in its type's binary form, None where it cannot be made of that text."""
    try:
        return _FORMS[kind.family](kind, text, oids)
    except (ValueError, InvalidOperation, OverflowError, KeyError, struct.error, IndexError):
        return None


def _of_integer(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    return _money(text, 0).to_bytes(kind.octets, "big", signed=kind.name != "oid")


def numeric(number: Decimal, scale: int | None = None) -> bytes:
    """Return a numeric's binary form: groups of four digits around the decimal point."""
    if not number.is_finite():
        sign = 0xC000 if number.is_nan() else 0xD000 if number > 0 else 0xF000
        return struct.pack(">HhHH", 0, 0, sign, 0)
    exponent = number.as_tuple().exponent
    shown = scale if scale is not None else max(0, -exponent if isinstance(exponent, int) else 0)
    text = f"{abs(number):.{shown}f}"
    whole, _, rest = text.partition(".")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    rest = rest.ljust(-(-len(rest) // 4) * 4, "0")
    digits = [int((whole + rest)[at : at + 4]) for at in range(0, len(whole) + len(rest), 4)]
    head = struct.pack(">HhHH", len(digits), len(whole) // 4 - 1, 0x4000 if number < 0 else 0, shown)
    return head + b"".join(d.to_bytes(2, "big") for d in digits)


def _of_numeric(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    return numeric(Decimal(text), kind.scale)


def _of_float(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    return struct.pack(">f" if kind.octets == 4 else ">d", float(text))


def _of_boolean(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    return b"\x01" if text in ("t", "true") else b"\x00"


def _of_date(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    ends = {"infinity": 2**31 - 1, "-infinity": -(2**31)}
    return struct.pack(">i", ends[text] if text in ends else _date(text, 0))


def _of_moment(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    ends = {"infinity": 2**63 - 1, "-infinity": -(2**63)}
    return struct.pack(">q", ends[text] if text in ends else _PLACES[kind.family](text, 0))


def _of_time_tz(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    return struct.pack(">qi", _clock(text), _west(text))


def _of_interval(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    parts = dict.fromkeys(("year", "mon", "day"), 0)
    for count, unit in _INTERVAL.findall(text):
        parts[unit] += int(count)
    return struct.pack(">qii", _clock(text), parts["day"], parts["year"] * 12 + parts["mon"])


def _of_uuid(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    return uuid.UUID(text).bytes


def _of_address(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    found = ipaddress.ip_interface(text)
    family = 2 if found.version == 4 else 3
    packed = found.ip.packed
    return bytes((family, found.network.prefixlen, int(kind.name == "cidr"), len(packed))) + packed


def _of_mac(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _of_text(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    if kind.name in ("ltree", "jsonpath"):
        return b"\x01" + text.encode()
    return (text.rstrip(" ") if kind.padded else text).encode()


def _of_bytes(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    return bytes.fromhex(text.removeprefix("\\x"))


def _of_json(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    json.loads(text)
    return (b"\x01" if kind.name == "jsonb" else b"") + text.encode()


def elements(text: str) -> list[str | None]:
    """Return the elements of an array's text form (of one dimension), None for NULL.

    >>> elements('{a,"b, \\\\"c",NULL}')
    ['a', 'b, "c', None]
    """
    body = text.rpartition("=")[2] if text.startswith("[") else text
    pieces = (piece for piece in _PIECE.findall(body) if piece not in "{},")
    return [None if piece == "NULL" else _bare(piece) for piece in pieces]


def _bare(piece: str) -> str:
    return re.sub(r"\\(.)", r"\1", piece[1:-1], flags=re.DOTALL) if piece.startswith('"') else piece


def array(kind: Kind, members: Sequence[bytes | None], oids: Mapping[str, int]) -> bytes:
    """Return an array's binary form of its members' forms."""
    oid = oids.get(kind.name, 0) if kind.oid is None else kind.oid
    if not members:
        return struct.pack(">iii", 0, 0, oid)
    head = struct.pack(">iiiii", 1, int(None in members), oid, len(members), 1)
    return head + b"".join(_sized(member) for member in members)


def _sized(member: bytes | None) -> bytes:
    return struct.pack(">i", -1) if member is None else struct.pack(">i", len(member)) + member


def _of_array(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    inner = _inner(kind)
    members = [None if one is None else _sure(binary(inner, one, oids)) for one in elements(text)]
    return array(inner, members, oids)


def _inner(kind: Kind) -> Kind:
    if kind.element is None:
        raise ValueError(kind.name)
    return kind.element


def _sure(found: bytes | None) -> bytes:
    if found is None:
        raise ValueError
    return found


def bounds(text: str) -> tuple[str, str, str, str] | None:
    """Return a range's brackets and bounds, empty for an infinite one; None for the empty range.

    >>> bounds('[1,"2 3")'), bounds("empty")
    (('[', '1', '2 3', ')'), None)
    """
    match = _RANGE.match(text)
    return (match[1], _bare(match[2]), _bare(match[3]), match[4]) if match else None


def span(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    """Return a range's binary form: a set of flags, then the bounds that it has."""
    found = bounds(text)
    if found is None:
        return b"\x01"
    left, low, high, right = found
    flags = (2 if left == "[" and low else 0) | (4 if right == "]" and high else 0)
    flags |= (0 if low else 8) | (0 if high else 16)
    ends = [_sure(binary(_inner(kind), one, oids)) for one in (low, high) if one]
    return bytes((flags,)) + b"".join(_sized(one) for one in ends)


def _of_multirange(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    parts = [span(kind, match[0], oids) for match in _RANGE.finditer(text)]
    return struct.pack(">i", len(parts)) + b"".join(_sized(one) for one in parts)


def lexemes(words: Sequence[str]) -> bytes:
    """Return a tsvector's binary form, with one position for each word."""
    ordered = sorted({w.encode() for w in words if w and "\x00" not in w}, key=lambda w: (len(w), w))
    parts = (word + b"\x00" + struct.pack(">HH", 1, at + 1) for at, word in enumerate(ordered))
    return struct.pack(">i", len(ordered)) + b"".join(parts)


def _of_lexemes(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    return lexemes([m.replace("''", "'") for m in re.findall(r"'((?:[^']|'')*)'", text)])


def _of_bits(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    octets = -(-len(text) // 8)
    return struct.pack(">i", len(text)) + int(text.ljust(octets * 8, "0"), 2).to_bytes(octets, "big")


def _of_geometric(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    numbers = [float(n) for n in _NUMBER.findall(text)]
    packed = struct.pack(f">{len(numbers)}d", *numbers)
    if kind.name == "polygon":
        return struct.pack(">i", len(numbers) // 2) + packed
    if kind.name == "path":
        return struct.pack(">bi", int(text.startswith("(")), len(numbers) // 2) + packed
    if kind.name in ("geometry", "geography"):
        return bytes.fromhex(text)
    return packed


def vector(numbers: Sequence[float]) -> bytes:
    """Return a pgvector vector's binary form."""
    return struct.pack(f">HH{len(numbers)}f", len(numbers), 0, *numbers)


def _of_vector(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    return vector([float(n) for n in _NUMBER.findall(text)])


def hstore(pairs: Sequence[tuple[str, str | None]]) -> bytes:
    """Return an hstore's binary form."""
    parts = (_sized(k.encode()) + _sized(None if v is None else v.encode()) for k, v in dict(pairs).items())
    return struct.pack(">i", len(dict(pairs))) + b"".join(parts)


def _of_hstore(kind: Kind, text: str, oids: Mapping[str, int]) -> bytes:
    quoted = r'"((?:[^"\\]|\\.)*)"'
    found = re.findall(rf"{quoted}=>(?:{quoted}|(NULL))", text)
    return hstore([(k, None if null else v) for k, v, null in found])


_FORMS: Mapping[Family, Callable[[Kind, str, Mapping[str, int]], bytes]] = {
    Family.INTEGER: _of_integer, Family.NUMERIC: _of_numeric, Family.FLOAT: _of_float, Family.BOOLEAN: _of_boolean,
    Family.DATE: _of_date, Family.TIME: _of_moment, Family.TIME_TZ: _of_time_tz, Family.TIMESTAMP: _of_moment,
    Family.INTERVAL: _of_interval, Family.UUID: _of_uuid, Family.ADDRESS: _of_address, Family.MAC: _of_mac,
    Family.TEXT: _of_text, Family.ENUM: _of_text, Family.BYTES: _of_bytes, Family.JSON: _of_json,
    Family.ARRAY: _of_array, Family.RANGE: span, Family.MULTIRANGE: _of_multirange, Family.LEXEMES: _of_lexemes,
    Family.BITS: _of_bits, Family.GEOMETRIC: _of_geometric, Family.VECTOR: _of_vector, Family.HSTORE: _of_hstore,
}  # fmt: skip
