"""Values that are made whole: arrays, documents, ranges, shapes, each drawn from what statistics say of their parts.

A pool holds a few thousand of them and rows draw from it: what queries and indexes see of such a column (elements and
their frequencies, key paths, lengths, overlaps) is in the pool; that two rows hold the very same document is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from premortem.model import ColumnStatistics
from premortem.synthesis import streams, values
from premortem.synthesis.kinds import Family, Kind

#: How many values a pool has at most.
MOST = 4096


def knows(found: ColumnStatistics | None) -> bool:
    """Whether statistics tell what values are made of: elements, or bounds of ranges."""
    return found is not None and bool(found.most_common_elements or found.range_bounds_histogram)


def made(kind: Kind, found: ColumnStatistics | None, oids: Mapping[str, int], salt: int, count: int) -> list[bytes]:
    """Return so many values of a type, none for a type that no value is known of."""
    make = _MAKERS.get(kind.family)
    if make is None or count <= 0:
        return []
    try:
        return make(kind, found, oids, np.random.Generator(np.random.PCG64(salt)), count)
    except (KeyError, ValueError):
        return []


Maker = Callable[[Kind, ColumnStatistics | None, Mapping[str, int], np.random.Generator, int], list[bytes]]


def _boolean(
    kind: Kind, found: ColumnStatistics | None, oids: Mapping[str, int], chance: np.random.Generator, count: int
) -> list[bytes]:
    return [b"\x00", b"\x01"]


def _sets(found: ColumnStatistics | None, chance: np.random.Generator, count: int) -> list[list[str]]:
    """Return sets of elements, each element as often as statistics say, about as many in each as they say."""
    known = (found.most_common_elements or ()) if found else ()
    shares = np.array((found.most_common_element_frequencies or ())[: len(known)] if found else (), np.float64)
    if not len(known) or len(shares) < len(known):
        return [[] for _ in range(count)]
    lengths = _lengths(found, chance, count)
    drawn = chance.random((count, len(known))) < shares
    sets = [[known[at] for at in np.flatnonzero(row)] for row in drawn]
    wanted = np.sort(lengths)
    for rank, at in enumerate(np.argsort([len(one) for one in sets], kind="stable")):
        missing = int(wanted[rank]) - len(sets[at])
        if missing > 0:  # the elements that are too rare to be told
            sets[at] += [_rare(known[0], int(chance.integers(10**6))) for _ in range(missing)]
    return sets


def _lengths(
    found: ColumnStatistics | None, chance: np.random.Generator, count: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    counts = (found.element_count_histogram or ()) if found else ()
    bounds = counts[:-1]  # the last item is the average
    if len(bounds) < 2:
        return np.full(count, round(counts[-1]) if counts else 1, np.int64)
    at = chance.random(count) * (len(bounds) - 1)
    return np.rint(np.interp(at, np.arange(len(bounds)), bounds)).astype(np.int64)


def _rare(like: str, number: int) -> str:
    if like.lstrip("-").isdigit():
        return str(10**6 + number)
    if len(like) == 36 and like.count("-") == 4:
        return f"{number:08x}-0000-4000-8000-{number:012x}"
    return f"z{number:x}"


def _arrays(
    kind: Kind, found: ColumnStatistics | None, oids: Mapping[str, int], chance: np.random.Generator, count: int
) -> list[bytes]:
    element = kind.element
    if element is None:
        return []
    forms: dict[str, bytes | None] = {}

    def form(text: str) -> bytes | None:
        if text not in forms:
            forms[text] = values.binary(element, text, oids)
        return forms[text]

    sets = _sets(found, chance, count)
    return [values.array(element, [f for t in one if (f := form(t)) is not None], oids) for one in sets]


def _documents_of_words(
    kind: Kind, found: ColumnStatistics | None, oids: Mapping[str, int], chance: np.random.Generator, count: int
) -> list[bytes]:
    sets = _sets(found, chance, count)
    return [values.lexemes(one) for one in sets]


def _ranges(
    kind: Kind, found: ColumnStatistics | None, oids: Mapping[str, int], chance: np.random.Generator, count: int
) -> list[bytes]:
    element = kind.element
    if element is None:
        return []
    bounds = [b for text in ((found.range_bounds_histogram or ()) if found else ()) if (b := values.bounds(text))]
    texts = [end for _, low, high, _ in bounds for end in (low, high) if end]
    scale = values.decimals(texts)
    lows = [p for _, low, _, _ in bounds if low and (p := values.place(element, low, scale)) is not None]
    highs = [p for _, _, high, _ in bounds if high and (p := values.place(element, high, scale)) is not None]
    if not lows or not highs:
        return [b"\x01"]
    spans = [low_high for low_high in _spans(lows, highs, chance, count)]
    empty = (found.range_empty_fraction or 0.0) if found else 0.0
    forms = [_span(element, low, high, scale, oids) for low, high in spans]
    none = chance.random(count) < empty
    made = [b"\x01" if none[at] else form for at, form in enumerate(forms)]
    if kind.family is Family.MULTIRANGE:
        return [(1).to_bytes(4, "big") + len(one).to_bytes(4, "big") + one for one in made]
    return made


def _spans(lows: Sequence[int], highs: Sequence[int], chance: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Return lower and upper bounds, each distributed as its histogram, coupled as far as no range is reversed."""
    at = chance.random(count)
    low = np.interp(at, np.linspace(0, 1, len(lows)), sorted(lows))
    high = np.interp(chance.random(count), np.linspace(0, 1, len(highs)), sorted(highs))
    coupled = np.interp(at, np.linspace(0, 1, len(highs)), sorted(highs))
    high = np.where(high > low, high, np.maximum(coupled, low + 1))
    return [(int(a), max(int(b), int(a) + 1)) for a, b in zip(low, high, strict=True)]


def _span(element: Kind, low: int, high: int, scale: int, oids: Mapping[str, int]) -> bytes:
    from premortem.synthesis.domains import Line

    one = np.ones(1, np.int64)
    line = Line(kind=element, scale=scale, unit=1, place=one, width=one, distinct=one)
    ends = [line.encoded(np.array([place], np.int64), one).value(0) or b"" for place in (low, high)]
    return b"\x02" + b"".join(len(end).to_bytes(4, "big") + end for end in ends)


def _shapes(
    kind: Kind, found: ColumnStatistics | None, oids: Mapping[str, int], chance: np.random.Generator, count: int
) -> list[bytes]:
    x, y = chance.random(count) * 100, chance.random(count) * 100
    size = chance.random(count) + 0.1
    made = (_shape(kind.name, a, b, s) for a, b, s in zip(x.tolist(), y.tolist(), size.tolist(), strict=True))
    return (
        [values.binary(kind, text, oids) or b"" for text in made]
        if kind.name not in _WELL_KNOWN
        else [
            b"\x01" + np.array([0x20000001, 4326], "<u4").tobytes() + np.array([a, b], "<f8").tobytes()
            for a, b in zip(x.tolist(), y.tolist(), strict=True)
        ]
    )


_WELL_KNOWN = frozenset({"geometry", "geography"})


def _shape(name: str, x: float, y: float, size: float) -> str:
    if name == "point":
        return f"({x},{y})"
    if name == "circle":
        return f"<({x},{y}),{size}>"
    if name == "line":
        return f"{{{size},-1,{y}}}"
    if name in ("polygon", "path"):
        return f"(({x},{y}),({x + size},{y}),({x},{y + size}))"
    return f"({x + size},{y + size}),({x},{y})"


def _bits(
    kind: Kind, found: ColumnStatistics | None, oids: Mapping[str, int], chance: np.random.Generator, count: int
) -> list[bytes]:
    length = kind.limit or 8
    rows = chance.integers(0, 2, (count, length))
    return [values.binary(kind, "".join(map(str, row)), oids) or b"" for row in rows.tolist()]


def _vectors(
    kind: Kind, found: ColumnStatistics | None, oids: Mapping[str, int], chance: np.random.Generator, count: int
) -> list[bytes]:
    length = kind.limit or max(((found.average_width - 8) // 4) if found else 3, 1)
    return [values.vector(row) for row in chance.standard_normal((min(count, 1024), length)).tolist()]


def _octets(
    kind: Kind, found: ColumnStatistics | None, oids: Mapping[str, int], chance: np.random.Generator, count: int
) -> list[bytes]:
    length = min(max((found.average_width - 1) if found else 8, 1), 4_000)
    return [chance.bytes(length) for _ in range(count)]


def _documents(
    kind: Kind, found: ColumnStatistics | None, oids: Mapping[str, int], chance: np.random.Generator, count: int
) -> list[bytes]:
    width = found.average_width if found else 32
    pad = max(width - 40, 0)
    texts = (json.dumps({"id": at, "note": chance.bytes(pad // 2).hex()}) for at in range(min(count, 1024)))
    return [values.binary(kind, text, oids) or b"" for text in texts]


def _pairs(
    kind: Kind, found: ColumnStatistics | None, oids: Mapping[str, int], chance: np.random.Generator, count: int
) -> list[bytes]:
    return [values.hstore([("key", str(at))]) for at in range(min(count, 1024))]


_MAKERS: Mapping[Family, Maker] = {
    Family.BOOLEAN: _boolean, Family.ARRAY: _arrays, Family.LEXEMES: _documents_of_words, Family.RANGE: _ranges,
    Family.MULTIRANGE: _ranges, Family.GEOMETRIC: _shapes, Family.BITS: _bits, Family.VECTOR: _vectors,
    Family.BYTES: _octets, Family.JSON: _documents, Family.HSTORE: _pairs,
}  # fmt: skip


def salt(*what: object) -> int:
    """Return the salt of a pool."""
    return streams.key("pool", *what)
