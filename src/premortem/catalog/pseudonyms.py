"""Makes pseudonyms that keep order, equality and frequency, under a key that nobody keeps.

Numbers are stretched: each becomes itself plus an offset that grows with it at a secret, changing rate, up to twice
its size.  So `x < 100` still means about what it meant, and estimates that interpolate in a histogram stay close, but
no number but 0 is itself.  Everything else becomes a token whose place among the tokens is the value's among the
values.  Equal values have equal pseudonyms in all columns of a kind, so joins between them are estimated as before.
"""

from __future__ import annotations

import hashlib
import heapq
import ipaddress
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Context, Decimal, InvalidOperation, localcontext
from itertools import pairwise

Chain = Sequence[str]

#: A double can have 309 digits before the point and a numeric far more; nothing may be rounded.
_EXACT = Context(prec=20_000)
_SEGMENT = 24
#: Punctuation that ASCII has after digits or letters, moved before them, behind the rest of it.
_PUNCTUATION_FIRST = {ord(c): chr(1 + n) for n, c in enumerate(":;<=>?@[\\]^_`{|}~")}
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?!.*BC)")


def stream(secret: bytes, label: str, length: int) -> bytes:
    """Return bytes that only the secret's holder can tell from chance."""
    return hashlib.shake_256(secret + label.encode()).digest(length)


def spaced(count: int, secret: bytes, label: str) -> list[int]:
    """Return increasing numbers with unequal gaps, so that values in between stay possible."""
    total, found = 0, []
    for step in stream(secret, label, count):
        total += 1 + step % 9
        found.append(total)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens for values in their order."""

    known: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, value: str) -> str:
        """Return the value's token."""
        return self.known[value]


def text_tokens(ordered: Sequence[str], secret: bytes, label: str) -> Tokens:
    """Return tokens of a fixed number of digits, which every collation sorts alike and upper() and lower() keep."""
    places = spaced(len(ordered), secret, label)
    width = len(str(places[-1])) if places else 1
    return Tokens(known={value: f"{place:0{width}}" for value, place in zip(ordered, places, strict=True)})


def uuid_tokens(values: Iterable[str], secret: bytes) -> Tokens:
    """Return made-up UUIDs in the order of the values."""
    ordered = sorted(set(values))
    made = sorted({stream(secret, f"uuid {n}", 16) for n in range(len(ordered))})
    return Tokens(known={value: _uuid(token.hex()) for value, token in zip(ordered, made, strict=True)})


def _uuid(text: str) -> str:
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def bytes_tokens(values: Iterable[str], secret: bytes) -> Tokens:
    """Return eight bytes each, in hexadecimal, in the order of the values."""
    ordered = sorted(set(values))
    places = spaced(len(ordered), secret, "bytes")
    return Tokens(known={value: f"\\x{place:016x}" for value, place in zip(ordered, places, strict=True)})


def mac_tokens(values: Iterable[str], secret: bytes) -> Tokens:
    """Return locally administered hardware addresses in the order of the values."""
    ordered = sorted(set(values))
    places = spaced(len(ordered), secret, "mac")
    made = (f"02{place:010x}" for place in places)
    return Tokens(known={v: ":".join(re.findall("..", text)) for v, text in zip(ordered, made, strict=True)})


def address_tokens(values: Iterable[str], secret: bytes) -> Tokens:
    """Return private IPv4 addresses in the order of the values (`network_cmp`: family, then network, then mask)."""
    ordered = sorted(set(values), key=_address_key)
    step = max(1, min(64, 2**24 // (len(ordered) + 1)))
    jitter = stream(secret, "address", len(ordered))
    made = (10 * 2**24 + n * step + jitter[n] % step for n in range(len(ordered)))
    return Tokens(known={v: str(ipaddress.IPv4Address(n % 2**32)) for v, n in zip(ordered, made, strict=True)})


def _address_key(text: str) -> tuple[int, int, int, int]:
    found = ipaddress.ip_interface(text)
    network = found.network
    return found.version, int(network.network_address), network.prefixlen, int(found.ip)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Offsets of absolute values."""

    offsets: Mapping[Decimal, int] = field(default_factory=dict)

    def __call__(self, value: str) -> str:
        """Return the number moved away from zero by its offset, with as many decimals as it had."""
        number = decimal(value)
        if number is None or not number:
            return value
        offset = self.offsets[abs(number)]
        return f"{_EXACT.add(number, offset if number > 0 else -offset):f}"


def decimal(text: str) -> Decimal | None:
    """Return the number, None for infinity and NaN."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def numbers(limits: Mapping[Decimal, int], secret: bytes) -> Numbers:
    """Return offsets for absolute values, each with the greatest number that its type can hold (0 for no limit)."""
    ordered = sorted(limits)
    with localcontext(_EXACT):
        wished = _wished(ordered, stream(secret, "numbers", 2 * len(ordered) + 2))
        return Numbers(offsets=dict(zip(ordered, _capped(ordered, wished, limits), strict=True)))


def _wished(ordered: Sequence[Decimal], noise: bytes) -> list[int]:
    """Offsets that never shrink, so that moved values keep their order."""
    found, offset, before = [], 1, Decimal(0)
    for n, value in enumerate(ordered):
        rate = noise[n // _SEGMENT * 2] + 1
        offset += int((value - before) * rate) // 257 + noise[2 * n + 1] % 2
        found.append(offset)
        before = value
    return found


def _capped(ordered: Sequence[Decimal], wished: Sequence[int], limits: Mapping[Decimal, int]) -> list[int]:
    """Lower the offsets below a type's end, from the top down, where values would reach it; the order stays strict."""
    found = list(wished)
    above: tuple[Decimal, int] | None = None
    for n in range(len(ordered) - 1, -1, -1):
        value = ordered[n]
        room = [found[n]]
        if limits[value]:
            room.append(max(0, limits[value] - math.ceil(value)))
        if above is not None:
            room.append(math.ceil(above[0] - value + above[1]) - 1)
        found[n] = min(room)
        above = (value, found[n])
    return found


def shifted(value: str, days: int) -> str:
    """Return a date or timestamp moved by days; infinity and years that Python lacks stay.

    >>> shifted("1980-02-29 10:00:00+00", 1), shifted("infinity", 1)
    ('1980-03-01 10:00:00+00', 'infinity')
    """
    match = _DATE.match(value)
    if match is None:
        return value
    try:
        moved = date(int(match[1]), int(match[2]), int(match[3])) + timedelta(days=days)
    except (ValueError, OverflowError):
        return value
    return moved.isoformat() + value[match.end() :]


def days(secret: bytes) -> int:
    """Return a secret number of days, within eleven years and never within one, earlier."""
    return -(366 + int.from_bytes(stream(secret, "days", 4)) % 3650)


def code_point_key(value: str) -> tuple[object, ...]:
    """The order of C, POSIX and the built-in provider."""
    return (value.encode("utf-8", "surrogatepass"),)


def lexeme_key(value: str) -> tuple[object, ...]:
    """The order of lexemes in a tsvector: shorter first, then by bytes."""
    encoded = value.encode("utf-8", "surrogatepass")
    return (len(encoded), encoded)


def linguistic_key(value: str) -> tuple[object, ...]:
    """About the order of a natural language: punctuation, digits, letters; accents and case only break ties."""
    if value.isascii():
        return (value.lower().translate(_PUNCTUATION_FIRST), value.swapcase(), value)
    base = (c for c in unicodedata.normalize("NFKD", value).casefold() if not unicodedata.combining(c))
    primary = "".join(c if c.isascii() or c.isalnum() else "\x1f" + c for c in base)
    return (primary.translate(_PUNCTUATION_FIRST), value.swapcase(), value)


def in_order(values: Iterable[str], chains: Iterable[Chain], key: Callable[[str], tuple[object, ...]]) -> list[str]:
    """Return the values sorted by a key, but never against a chain: histograms show the database's own order.

    The key is a guess where the collation's rules are not ours to know; what the histograms tell is true.
    """
    ordered = sorted(set(values), key=key)
    place = {value: n for n, value in enumerate(ordered)}
    believed = [chain for chain in chains if len(chain) > 1]
    if all(place[a] <= place[b] for chain in believed for a, b in pairwise(chain)):
        return ordered
    return _merged(ordered, place, believed)


def _merged(ordered: Sequence[str], place: Mapping[str, int], chains: Sequence[Chain]) -> list[str]:
    """Kahn's algorithm: whatever has nothing left before it, the lowest key first."""
    after: defaultdict[str, list[str]] = defaultdict(list)
    before: defaultdict[str, int] = defaultdict(int)
    for chain in chains:
        for one, other in pairwise(chain):
            if one != other:
                after[one].append(other)
                before[other] += 1
    ready = [place[value] for value in ordered if not before[value]]
    found: list[str] = []
    while ready:
        value = ordered[heapq.heappop(ready)]
        found.append(value)
        for other in after[value]:
            before[other] -= 1
            if not before[other]:
                heapq.heappush(ready, place[other])
    return found + [value for value in ordered if before[value] > 0]
