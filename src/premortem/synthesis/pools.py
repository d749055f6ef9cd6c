"""Values that are made whole: arrays, documents, ranges, shapes, each drawn from what statistics say of their parts.

A pool holds a few thousand of them and rows draw from it: what queries and indexes see of such a column (elements and
their frequencies, key paths, lengths, overlaps) is in the pool; that two rows hold the very same document is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from premortem.model import ColumnStatistics
from premortem.synthesis import values
from premortem.synthesis.domains import Line
from premortem.synthesis.kinds import Family, Kind
from premortem.synthesis.streams import Ints

#: How many values a pool has at most.
MOST = 4096
_FEW = 1024
_LONGEST = 64_000
_POOL_BYTES = 4_000_000


def knows(found: ColumnStatistics | None) -> bool:
    """Whether statistics tell what values are made of: elements, or bounds of ranges."""
    return found is not None and bool(found.most_common_elements or found.range_bounds_histogram)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A pool that is asked for: so many values of a type, with what statistics and schema say of their parts."""

    kind: Kind
    statistics: ColumnStatistics | None
    oids: Mapping[str, int]
    paths: Mapping[tuple[str, ...], ColumnStatistics | None]
    salt: int
    count: int
    wide: int = 0

    @property
    def width(self) -> int:
        """The average width of a value, a small one where that is not known."""
        return self.wide or (self.statistics.average_width if self.statistics else 32)

    @property
    def few(self) -> int:
        """How many values of that width are enough, and not too much."""
        return max(16, min(self.count, _FEW, _POOL_BYTES // max(self.width, 1)))


Maker = Callable[[Wanted, np.random.Generator], list[bytes]]


def made(wanted: Wanted) -> list[bytes]:
    """Return the values of a pool, none for a type that no value is known of."""
    make = _MAKERS.get(wanted.kind.family)
    if make is None or wanted.count <= 0:
        return []
    try:
        return make(wanted, np.random.Generator(np.random.PCG64(wanted.salt)))
    except (KeyError, ValueError):
        return []


def _boolean(wanted: Wanted, chance: np.random.Generator) -> list[bytes]:
    return [b"\x00", b"\x01"]


def _sets(found: ColumnStatistics | None, chance: np.random.Generator, count: int) -> list[list[str]]:
    """Return sets of elements, each element as often as statistics say, about as many in each as they say."""
    known = (found.most_common_elements or ()) if found else ()
    shares = np.array((found.most_common_element_frequencies or ())[: len(known)] if found else (), np.float64)
    if not len(known) or len(shares) < len(known):
        return [[] for _ in range(count)]
    lengths = _lengths(found, chance, count)
    order = chance.random((count, len(known))).argsort(axis=0)  # of each column a permutation, so that shares are exact
    drawn = order < np.rint(shares * count)
    sets = [[known[at] for at in np.flatnonzero(row)] for row in drawn]
    wanted = np.sort(lengths)
    for rank, at in enumerate(np.argsort([len(one) for one in sets], kind="stable")):
        missing = int(wanted[rank]) - len(sets[at])
        if missing > 0:  # the elements that are too rare to be told
            sets[at] += [_rare(known[0], int(chance.integers(10**6))) for _ in range(missing)]
    return sets


def _lengths(found: ColumnStatistics | None, chance: np.random.Generator, count: int) -> Ints:
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


def _arrays(wanted: Wanted, chance: np.random.Generator) -> list[bytes]:
    element = wanted.kind.element
    if element is None:
        return []
    sets = _sets(wanted.statistics, chance, wanted.count)
    told = {text for one in sets for text in one}
    forms = {text: form for text in told if (form := values.binary(element, text, wanted.oids)) is not None}
    return [values.array(element, [forms[t] for t in one if t in forms], wanted.oids) for one in sets]


def _words(wanted: Wanted, chance: np.random.Generator) -> list[bytes]:
    return [values.lexemes(one) for one in _sets(wanted.statistics, chance, wanted.count)]


def _ranges(wanted: Wanted, chance: np.random.Generator) -> list[bytes]:
    element, found = wanted.kind.element, wanted.statistics
    if element is None:
        return []
    bounds = [b for text in ((found.range_bounds_histogram or ()) if found else ()) if (b := values.bounds(text))]
    scale = values.decimals([end for _, low, high, _ in bounds for end in (low, high) if end])
    lows = [p for _, low, _, _ in bounds if low and (p := values.place(element, low, scale)) is not None]
    highs = [p for _, _, high, _ in bounds if high and (p := values.place(element, high, scale)) is not None]
    if not lows or not highs:
        return [_of_ranges(wanted.kind, b"\x01")]
    empty = chance.random(wanted.count) < ((found.range_empty_fraction or 0.0) if found else 0.0)
    spans = _spans(lows, highs, chance, wanted.count)
    forms = (_span(element, low, high, scale) for low, high in spans)
    return [_of_ranges(wanted.kind, b"\x01" if none else form) for none, form in zip(empty, forms, strict=True)]


def _of_ranges(kind: Kind, one: bytes) -> bytes:
    if kind.family is not Family.MULTIRANGE:
        return one
    if one == b"\x01":
        return bytes(4)
    return (1).to_bytes(4, "big") + len(one).to_bytes(4, "big") + one


def _spans(lows: Sequence[int], highs: Sequence[int], chance: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Return lower and upper bounds, each distributed as its histogram, coupled as far as no range is reversed."""
    at = chance.random(count)
    low = np.interp(at, np.linspace(0, 1, len(lows)), sorted(lows))
    high = np.interp(chance.random(count), np.linspace(0, 1, len(highs)), sorted(highs))
    coupled = np.interp(at, np.linspace(0, 1, len(highs)), sorted(highs))
    high = np.where(high > low, high, np.maximum(coupled, low + 1))
    return [(int(a), max(int(b), int(a) + 1)) for a, b in zip(low, high, strict=True)]


def _span(element: Kind, low: int, high: int, scale: int) -> bytes:
    one = np.ones(1, np.int64)
    line = Line(kind=element, scale=scale, unit=1, place=one, width=one, distinct=one)
    ends = [line.encoded(np.array([place], np.int64), one).value(0) or b"" for place in (low, high)]
    return b"\x02" + b"".join(len(end).to_bytes(4, "big") + end for end in ends)


def _shapes(wanted: Wanted, chance: np.random.Generator) -> list[bytes]:
    kind, count = wanted.kind, wanted.count
    x, y = (chance.random(count) * 100).tolist(), (chance.random(count) * 90).tolist()
    if kind.name in _WELL_KNOWN:
        return [_point(a, b) for a, b in zip(x, y, strict=True)]
    size = (chance.random(count) + 0.1).tolist()
    texts = (_shape(kind.name, a, b, s) for a, b, s in zip(x, y, size, strict=True))
    return [form for text in texts if (form := values.binary(kind, text, wanted.oids)) is not None]


def _point(x: float, y: float) -> bytes:
    """Return a point of PostGIS as extended well-known binary, in WGS 84."""
    return b"\x01" + np.array([0x20000001, 4326], "<u4").tobytes() + np.array([x, y], "<f8").tobytes()


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


def _bits(wanted: Wanted, chance: np.random.Generator) -> list[bytes]:
    rows = chance.integers(0, 2, (wanted.count, wanted.kind.limit or 8))
    texts = ("".join(map(str, row)) for row in rows.tolist())
    return [form for text in texts if (form := values.binary(wanted.kind, text, wanted.oids)) is not None]


def _vectors(wanted: Wanted, chance: np.random.Generator) -> list[bytes]:
    length = wanted.kind.limit or max((wanted.width - 8) // 4, 1)
    return [values.vector(row) for row in chance.standard_normal((min(wanted.count, _FEW), length)).tolist()]


def _octets(wanted: Wanted, chance: np.random.Generator) -> list[bytes]:
    return [chance.bytes(min(max(wanted.width - 1, 1), _LONGEST)) for _ in range(wanted.few)]


def _documents(wanted: Wanted, chance: np.random.Generator) -> list[bytes]:
    """Return documents that have the keys that indexes and statements name, and what it takes to be as wide."""
    count = wanted.few
    drawn = {path: _drawn(found, chance, count) for path, found in wanted.paths.items() if path}
    made = []
    for at in range(count):
        document: dict[str, object] = {}
        for path, told in drawn.items():
            _set(document, path, told[at])
        missing = wanted.width - len(json.dumps(document)) - 14
        if missing > 0 or not document:
            document["filler"] = chance.bytes(min(max(missing, 2), _LONGEST) // 2).hex()
        made.append(values.binary(wanted.kind, json.dumps(document), wanted.oids) or b"")
    return made


def _drawn(found: ColumnStatistics | None, chance: np.random.Generator, count: int) -> list[str | None]:
    """Return so many values of an expression, as its statistics have them; of a hundred where there are none."""
    if found is None:
        return [f"v{n:02d}" for n in chance.integers(0, 100, count).tolist()]
    common = found.most_common_values or ()
    shares = [*(found.most_common_frequencies or ())[: len(common)]]
    bounds = found.histogram_bounds or ()
    rest = max(1.0 - sum(shares) - found.null_fraction, 0.0)
    told: list[str | None] = [*common, *bounds, None]
    weights = np.array([*shares, *(rest / len(bounds) for _ in bounds), max(found.null_fraction, 1e-12)])
    return [told[n] for n in chance.choice(len(told), count, p=weights / weights.sum()).tolist()]


def _set(document: dict[str, object], path: tuple[str, ...], text: str | None) -> None:
    for key in path[:-1]:
        inner = document.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        document = inner
    if text is not None and not isinstance(document.get(path[-1]), dict):
        document[path[-1]] = _typed(text)


def _typed(text: str) -> object:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, bool | int | float) else text


def _pairs(wanted: Wanted, chance: np.random.Generator) -> list[bytes]:
    keys = [path[0] for path in wanted.paths] or ["key"]
    return [values.hstore([(key, str(at)) for key in keys]) for at in range(min(wanted.count, _FEW))]


_MAKERS: Mapping[Family, Maker] = {
    Family.BOOLEAN: _boolean, Family.ARRAY: _arrays, Family.LEXEMES: _words, Family.RANGE: _ranges,
    Family.MULTIRANGE: _ranges, Family.GEOMETRIC: _shapes, Family.BITS: _bits, Family.VECTOR: _vectors,
    Family.BYTES: _octets, Family.JSON: _documents, Family.HSTORE: _pairs,
}  # fmt: skip
