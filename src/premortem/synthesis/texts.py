"""Texts in order without knowing how they are ordered: values that resemble the histogram's bounds.

Between two bounds stand values that begin as the lower one does, as far as it takes to stay below the upper, with a
counter written over the end.  So prefixes, words inside (for LIKE) and lengths are those of the bounds, and any
collation that sorts the bounds sorts the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from premortem.synthesis import streams, wire
from premortem.synthesis.domains import Templates
from premortem.synthesis.kinds import Kind
from premortem.synthesis.segments import Segments
from premortem.synthesis.streams import Ints
from premortem.synthesis.wire import Cells

#: Room between two bounds, more than any bucket has values.
ROOM = 1 << 40
_NUMBERED = re.compile(r"(?P<head>.*?)(?P<digits>\d+)(?P<tail>\D*)\Z", re.DOTALL)
_NOISY = 400
_NEVER = 2**62
_ALPHABET = frozenset("0123456789abcdefghijklmnopqrstuvwxyz")


def key(text: str) -> tuple[str, str, str]:
    """Return about a text's place in a natural language's order, which most collations have."""
    return "".join(c for c in text.casefold() if c.isalnum()), text.swapcase(), text


def ordered_by_bytes(bounds: Sequence[str]) -> bool:
    """Whether bounds are sorted as bytes are."""
    return all(a.encode() <= b.encode() for a, b in pairwise(bounds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Places for the values that statistics hold, in an order that never contradicts the histogram."""

    places: dict[str, int]
    bounds: tuple[int, ...]

    @property
    def texts(self) -> dict[int, str]:
        """The values by their places."""
        return {place: text for text, place in self.places.items()}


def placed(bounds: Sequence[str], others: Sequence[str]) -> Placed:
    """Return places for bounds, evenly spaced, and for other values between them."""
    by_bytes = ordered_by_bytes(bounds)
    keys = [text.encode() for text in bounds] if by_bytes else [key(text) for text in bounds]
    places: dict[str, int] = {}
    found = []
    for at, text in enumerate(bounds):
        found.append(places.setdefault(text, (at + 1) * ROOM))
    inside: dict[int, list[str]] = {}
    for text in dict.fromkeys(others):
        if text not in places:
            own = text.encode() if by_bytes else key(text)
            inside.setdefault(_bucket(keys, own), []).append(text)
    for bucket, texts in inside.items():
        texts.sort(key=lambda t: t.encode() if by_bytes else key(t))
        step = ROOM // (len(texts) + 1)
        for at, text in enumerate(texts):
            places[text] = bucket * ROOM + (at + 1) * step
    return Placed(places=places, bounds=tuple(found))


def _bucket(keys: Sequence[object], own: object) -> int:
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] <= own:  # type: ignore[operator]
            low = middle + 1
        else:
            high = middle
    return low


def templates(kind: Kind, found: Segments, texts: dict[int, str], width: float, *, pad: bool, salt: int) -> Templates:
    """Return the domain of texts whose segments start at the places of known ones.

    `width` is the average length in octets that values shall have where `pad` says that the known ones are too short.
    """
    known = sorted(texts)
    digits = _digits(int(found.distinct.max(initial=1)) + 1)
    shared = _shared(texts.values())
    made = []
    for place, distinct in zip(found.place.tolist(), found.distinct.tolist(), strict=True):
        index = int(np.searchsorted(known, place, side="right")) - 1
        own = texts[known[index]] if index >= 0 else ""
        exact = texts.get(place)
        if distinct == 1 and exact is not None:
            made.append(_alone(kind, exact, digits))
        else:
            made.append(_counted(kind, own, exact, shared.get(own, 0), digits, round(width) if pad else 0))
    noisy = pad and max((len(one.counted) for one in made), default=0) > _NOISY
    return Templates(
        distinct=found.distinct, whole=wire.listed([one.whole for one in made]),
        counted=wire.listed([one.counted for one in made]), at=np.array([one.at for one in made], np.int64),
        digits=digits, skipped=np.array([one.skipped for one in made], np.int64), salt=salt,
        noise=np.array([one.noise for one in made], np.int64) if noisy else None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    whole: bytes
    counted: bytes
    at: int
    skipped: int
    noise: int


def _alone(kind: Kind, text: str, digits: int) -> _Template:
    whole = _octets(kind, text)
    length = len(whole) + digits
    return _Template(whole=whole, counted=whole.ljust(length, b"0"), at=len(whole), skipped=_NEVER, noise=length)


def _counted(kind: Kind, own: str, exact: str | None, shared: int, digits: int, width: int) -> _Template:
    """Return the template of values that begin as a known one does."""
    text, position = _written(own, shared, digits, kind.limit)
    encoded, at = text.encode(), len(text[:position].encode())
    length = max(len(encoded), at + digits, width)
    if kind.limit is not None and len(encoded) == len(text):
        length = min(length, max(kind.limit, len(encoded)))
    whole = encoded.ljust(length, b"x") if exact is None else _octets(kind, exact)
    replaced = own[position : position + digits]
    same = len(replaced) == digits and all(c in _ALPHABET for c in replaced)
    skipped = int(replaced, 36) if same else _NEVER
    return _Template(
        whole=whole, counted=encoded.ljust(length, b"x"), at=at, skipped=skipped,
        noise=len(encoded) if width else length,
    )  # fmt: skip


def _shared(texts: Iterable[str]) -> dict[str, int]:
    """Return of each text how many characters it shares with any other, all of them where it begins another."""
    ordered = sorted(set(texts))
    found = dict.fromkeys(ordered, 0)
    for one, other in pairwise(ordered):
        length = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
        found[one], found[other] = max(found[one], length), max(found[other], length)
    return found


def _octets(kind: Kind, text: str) -> bytes:
    return (text.rstrip(" ") if kind.padded else text).encode()


def _digits(most: int) -> int:
    digits = 1
    while 36**digits < most:
        digits += 1
    return digits


def _written(own: str, shared: int, digits: int, limit: int | None) -> tuple[str, int]:
    """Return a known text with room for a counter, and where the counter is: behind what it shares with others."""
    if shared >= len(own):  # it begins another: what is counted must differ from how that one goes on
        own += "!"
        shared = len(own) - 1
    position = max(shared + 1, len(own) - digits)
    if limit is not None:
        position = max(0, min(position, limit - digits))
    return own[:position] + "0" * digits + own[position + digits :], position


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """What is written before and after the number in every one of some texts, and how many digits it has."""

    head: str
    digits: int
    tail: str

    def number(self, text: str) -> int | None:
        """Return a text's number, None for one that is written otherwise."""
        body = text[len(self.head) : len(text) - len(self.tail) if self.tail else None]
        fits = text.startswith(self.head) and text.endswith(self.tail) and len(body) == self.digits
        return int(body) if fits and body.isdigit() and body.isascii() else None


def numbered(texts: Sequence[str]) -> Numbered | None:
    """Return how texts such as `Customer#000000042` are numbered, None where they are not."""
    match = _NUMBERED.match(texts[0]) if texts else None
    if match is None or len(match["digits"]) > 17 or not match["digits"].isascii():
        return None
    form = Numbered(head=match["head"], digits=len(match["digits"]), tail=match["tail"])
    return form if all(form.number(text) is not None for text in texts) else None


@dataclass(frozen=True, kw_only=True)
class NumberedTexts:
    """Texts with a number of fixed length in them, by the numbers of a line."""

    form: Numbered
    distinct: Ints
    place: Ints
    width: Ints

    @property
    def size(self) -> int:
        """How many values there are."""
        return int(self.distinct.sum())

    def cells(self, numbers: Ints) -> Cells:
        """Return the values of these numbers."""
        starts = np.cumsum(self.distinct) - self.distinct
        step = np.searchsorted(starts, numbers, side="right") - 1
        inside = numbers - starts[step]
        whole, rest = np.divmod(self.width[step], self.distinct[step])
        left = self.place[step] + inside * whole + inside * rest // self.distinct[step]
        head, tail = self.form.head.encode(), self.form.tail.encode()
        octets = np.empty((len(numbers), len(head) + self.form.digits + len(tail)), np.uint8)
        octets[:, : len(head)] = np.frombuffer(head, np.uint8)
        octets[:, len(head) + self.form.digits :] = np.frombuffer(tail, np.uint8)
        for digit in range(self.form.digits - 1, -1, -1):
            left, last = np.divmod(left, 10)
            octets[:, len(head) + digit] = last + ord("0")
        return Cells(octets=octets)


def salted(*what: object) -> int:
    """Return a salt for a column's letters."""
    return streams.key("letters", *what)
