"""What one column is made from: its values' domain, and how its rows are spread over it.

```
of_line   types on a line: numbers, moments, addresses
of_text   texts, between the histogram's bounds
of_few    types whose values are all told (enums, booleans), or taken from the statistics as they stand
of_parent a foreign key's column: its own distribution over the parent's values
```
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from premortem.synthesis import distinct as distincts
from premortem.synthesis import documents, pools, streams, texts, values, wire
from premortem.synthesis.asked import Asked, Basis
from premortem.synthesis.domains import Line, Listed, Union, line_of
from premortem.synthesis.kinds import Family, Kind
from premortem.synthesis.segments import Segments, apportioned, segments, unique_segments

#: Families whose places do not tell a value wholly.
_LOSSY = frozenset({Family.UUID, Family.ADDRESS, Family.TIME_TZ, Family.FLOAT, Family.INTERVAL, Family.TIMESTAMP})
_MOST_PINS = 10_000


def of(asked: Asked) -> Basis | None:
    """Return the basis of a column that refers to nothing, None for a type that has no values here."""
    kind = asked.kind
    if asked.limits.listed and not asked.unique and not asked.common and not asked.bounds:
        return of_few(asked)
    if kind.is_line:
        return of_line(asked)
    if kind.family is Family.TEXT:
        return of_text(asked)
    return of_few(asked)


def _believed(asked: Asked, make: Callable[[float], Segments], most: float) -> Segments:
    if asked.unique:
        return make(float(asked.rows))
    ceiling = min(most, asked.rows)
    said = min(asked.said, ceiling)
    if asked.distinct is not None:
        return make(said)
    return make(distincts.believed(make, said, ceiling, asked.sample, asked.reach))


# --- lines ---


def of_line(asked: Asked) -> Basis:
    """Return the basis of a column whose type is a line."""
    told = [text for text, _ in asked.common] + list(asked.bounds) + list(asked.pins)
    scale = _scale(asked.kind, told)
    places = {text: p for text in told if (p := values.place(asked.kind, text, scale)) is not None}
    shift = shifted(asked.kind, asked.shift)
    places = {text: p + shift for text, p in places.items()}
    bounds = sorted(places[text] for text in asked.bounds if text in places)
    heavy = {places[text]: rows for text, rows in asked.common if text in places}
    least, most = ends(asked, scale)
    asked = replace(asked, kind=replace(asked.kind, least=least, most=most))
    if not bounds and not heavy:
        bounds = _made_up(asked, scale)
    pins = {places[text] for text in asked.pins if text in places} if asked.unique else set()
    unit, offset = _unit([*bounds, *heavy, *pins], asked)
    in_units = [(p - offset) // unit for p in bounds]
    points = [((p - offset) // unit, rows) for p, rows in heavy.items()]
    fixed = _pinned(((p - offset) // unit for p in pins), asked)
    found = _line_segments(asked, in_units, points, fixed, unit, offset)
    line = line_of(asked.kind, found, scale=scale, unit=unit, offset=offset, salt=asked.salt)
    line = _with_exact(line, asked, {t: (p - offset) // unit for t, p in places.items()})
    return Basis(
        domain=line, found=found, number=_finder(asked.kind, scale, line, shift),
        holds=_holder(asked.kind, scale, line, shift),
    )  # fmt: skip


def _scale(kind: Kind, told: Sequence[str]) -> int:
    if kind.family is Family.NUMERIC:
        scale = values.decimals(told) if kind.scale is None else kind.scale
        return min(scale, 18 - min(_whole_digits(told), 17))
    return values.decimals(told) if kind.family is Family.FLOAT else 0


def _whole_digits(told: Sequence[str]) -> int:
    return max((len(text.lstrip("-").partition(".")[0]) for text in told if "e" not in text.lower()), default=1)


def shifted(kind: Kind, microseconds: int) -> int:
    """Return by how many places of a type's line times are moved."""
    if kind.family is Family.DATE:
        return microseconds // 86_400_000_000
    return microseconds if kind.family is Family.TIMESTAMP else 0


def _pinned(places: Iterable[int], asked: Asked) -> list[int]:
    """Return the places that must have a row, no more of them than there are rows."""
    return sorted(set(places))[: min(_MOST_PINS, asked.rows)]


def ends(asked: Asked, scale: int) -> tuple[int, int]:
    """Return the least and the largest place that type and schema allow."""
    kind, limits, shift = asked.kind, asked.limits, shifted(asked.kind, asked.shift)
    low = None if limits.least is None else values.place(kind, limits.least, scale)
    high = None if limits.most is None else values.place(kind, limits.most, scale)
    least = kind.least if low is None else max(kind.least, low + shift + limits.above)
    most = kind.most if high is None else min(kind.most, high + shift - limits.below)
    return (least, most) if least <= most else (kind.least, kind.most)


def _made_up(asked: Asked, scale: int) -> list[int]:
    """Return the ends of a line of which nothing is known but what the schema says."""
    low, high = _guessed(asked, scale)
    span = high - low
    low = min(max(low, asked.kind.least), asked.kind.most)
    if asked.kind.least > -(2**61) and asked.limits.least is not None:
        low = asked.kind.least
    high = min(max(low + span, low), asked.kind.most)
    if high - low < span:
        low = max(asked.kind.least, high - span)
    return [low, high]


def _guessed(asked: Asked, scale: int) -> list[int]:
    count = max(int(asked.said), 1)
    if asked.kind.family is Family.UUID:
        return [0, asked.kind.most]
    if asked.kind.family is Family.TIMESTAMP:
        return [800_000_000_000_000, 800_000_000_000_000 + count * 1_000_000]
    if asked.kind.family is Family.DATE:
        return [8_000, 8_000 + count]
    if asked.kind.family is Family.ADDRESS:
        return [10 << 24, (10 << 24) + count]
    return [10**scale, max(1, min(count, asked.kind.most)) * 10**scale]


def _unit(places: Sequence[int], asked: Asked) -> tuple[int, int]:
    """Return the largest unit of which all known places are whole multiples, beside an offset, and the offset."""
    first = min(places)
    unit = math.gcd(*(p - first for p in places)) or 1
    if len(places) < 8 or (max(places) - first) // unit + 1 < asked.rows * asked.unique:
        unit = 1
    return unit, first % unit


def _line_segments(
    asked: Asked, bounds: list[int], points: list[tuple[int, float]], pins: list[int], unit: int, offset: int
) -> Segments:
    if not asked.unique:
        width = (bounds[-1] - bounds[0] + 1 if bounds else 0) + len(points)
        return _believed(asked, lambda d: segments(points, bounds, asked.rows, d), width)
    ends = sorted([*bounds, *pins])
    low, high = ends[0], ends[-1]
    if high - low + 1 <= asked.rows * 1.02 + 2:
        return _dense(asked, low, high, unit, offset)
    found = unique_segments(pins, bounds, asked.rows)
    return _pushed(found)


def _dense(asked: Asked, low: int, high: int, unit: int, offset: int) -> Segments:
    """Return one segment without holes: the sample's ends are a little inside the true ones."""
    missing = max(0, asked.rows - (high - low + 1))
    anchor = 1 if low >= 1 else 0 if low == 0 else low - missing
    start = max(anchor, low - -(-missing // 2))
    start = min(start, (asked.kind.most - offset) // unit - asked.rows + 1)
    start = max(start, -((offset - asked.kind.least) // unit))
    one = np.array([asked.rows], np.int64)
    return Segments(place=np.array([start], np.int64), width=one, rows=one, distinct=one)


def _pushed(found: Segments) -> Segments:
    """Return a key's segments with room for each row, moved up where the histogram leaves too little."""
    place, width = found.place.copy(), found.width.copy()
    for at in range(len(place)):
        end = place[at + 1] if at + 1 < len(place) else place[at] + width[at]
        needed = max(end, place[at] + found.rows[at])
        width[at] = needed - place[at]
        if at + 1 < len(place) and needed > place[at + 1]:
            place[at + 1] = needed
    return replace(found, place=place, width=width)


def _with_exact(line: Line, asked: Asked, places: Mapping[str, int]) -> Line:
    if asked.kind.family not in _LOSSY or asked.shift:
        return line
    told: dict[int, bytes] = {}
    known = np.array([line.number(place) for place in places.values()], np.int64)
    for (text, place), number, found in zip(places.items(), known.tolist(), line.places(known).tolist(), strict=True):
        exact = values.binary(asked.kind, text, asked.oids) if found == place else None
        if exact is not None:
            told.setdefault(number, exact)
    numbers = sorted(told)
    if not numbers:
        return line
    return replace(line, exact_numbers=np.array(numbers, np.int64), exact=wire.listed([told[n] for n in numbers]))


def _finder(kind: Kind, scale: int, line: Line, shift: int) -> Callable[[str], int | None]:
    def find(text: str) -> int | None:
        place = values.place(kind, text, scale)
        return None if place is None else line.number((place + shift - line.offset) // line.unit)

    return find


def _holder(kind: Kind, scale: int, line: Line, shift: int) -> Callable[[str], bool]:
    def holds(text: str) -> bool:
        place = values.place(kind, text, scale)
        if place is None or not len(line.place):
            return False
        own = (place + shift - line.offset) // line.unit
        return int(line.place[0]) <= own < int(line.place[-1] + line.width[-1])

    return holds


# --- texts ---


def of_text(asked: Asked) -> Basis:
    """Return the basis of a column of texts."""
    statistics = asked.statistics
    hidden = statistics is not None and statistics.pseudonyms
    told = [*asked.bounds, *(text for text, _ in asked.common), *asked.pins]
    form = None if hidden else texts.numbered(told)
    if form is not None and len(told) > 1:
        basis = _of_numbered(asked, form, told)
        if basis is not None:
            return basis
    bounds = asked.bounds or (("a", "z") if not asked.common or _has_tail(asked) else ())
    placed = texts.placed(bounds, [text for text, _ in asked.common] + list(asked.pins))
    points = [(placed.places[text], rows) for text, rows in asked.common]
    if asked.unique:
        pins = _pinned({placed.places[t] for t in asked.pins} - set(placed.bounds), asked)
        found = unique_segments(pins, placed.bounds, asked.rows)
    else:
        found = _believed(asked, lambda d: segments(points, placed.bounds, asked.rows, d), math.inf)
    pad = hidden or not asked.bounds or asked.wide > 0
    domain = texts.templates(
        asked.kind, found, placed.texts, _width(asked, found), pad=pad, salt=asked.salt,
    )  # fmt: skip
    starts = dict(zip(found.place.tolist(), (np.cumsum(found.distinct) - found.distinct).tolist(), strict=True))
    return Basis(domain=domain, found=found, number=_nearest(placed.places, found, starts))


def _has_tail(asked: Asked) -> bool:
    return sum(rows for _, rows in asked.common) < 0.999 * asked.rows


def _nearest(places: Mapping[str, int], found: Segments, starts: Mapping[int, int]) -> Callable[[str], int | None]:
    def find(text: str) -> int | None:
        place = places.get(text)
        if place is None:
            return None
        if place in starts:
            return starts[place]
        step = int(np.clip(np.searchsorted(found.place, place, side="right") - 1, 0, len(found) - 1))
        return starts[int(found.place[step])]

    return find


def _width(asked: Asked, found: Segments) -> float:
    """Return how long the values between the common ones must be for the average to be production's."""
    statistics = asked.statistics
    if asked.wide:
        return float(asked.wide)
    if statistics is None or not asked.rows:
        return 12.0
    header = 1 if statistics.average_width <= 127 else 4
    wanted = max(statistics.average_width - header, 1)
    common = dict(asked.common)
    told = sum(rows for rows in common.values())
    spent = sum(len(text.encode()) * rows for text, rows in common.items())
    left = max(asked.rows - told, 1.0)
    return min(max((wanted * asked.rows - spent) / left, 1.0), 4_000.0)


def _of_numbered(asked: Asked, form: texts.Numbered, told: Sequence[str]) -> Basis | None:
    places = {text: number for text in told if (number := form.number(text)) is not None}
    bounds = sorted(places[text] for text in asked.bounds)
    points = [(places[text], rows) for text, rows in asked.common]
    pins = _pinned((places[text] for text in asked.pins), asked)
    span = max(places.values()) - min(places.values()) + 1
    if span < asked.said * 0.98 or (not bounds and _has_tail(asked)):
        return None
    line = replace(asked, kind=replace(asked.kind, most=10**form.digits - 1))
    found = _line_segments(line, bounds, points, pins, 1, 0)
    if int((found.place + found.width).max()) > 10**form.digits:
        return None
    domain = texts.NumberedTexts(form=form, distinct=found.distinct, place=found.place, width=found.width)
    shape = Line(kind=asked.kind, scale=0, unit=1, place=found.place, width=found.width, distinct=found.distinct)

    def find(text: str) -> int | None:
        number = form.number(text)
        return None if number is None else shape.number(number)

    return Basis(domain=domain, found=found, number=find)


# --- values that are told, or made whole ---


def of_few(asked: Asked) -> Basis | None:
    """Return the basis of a column whose values are taken as they are: told by statistics or type, or a pool."""
    told = _told(asked)
    left = asked.rows - sum(weight for _, weight in told)
    if not told or (_is_made_of_parts(asked) and left > 0.01 * asked.rows):
        wanted = pools.Wanted(
            kind=asked.kind, statistics=asked.statistics, oids=asked.oids, paths=asked.paths, salt=asked.salt,
            count=min(asked.rows, pools.MOST), wide=asked.wide,
        )  # fmt: skip
        pool = pools.made(wanted)
        told += [(value, max(left, 1.0) / len(pool)) for value in pool]
    if not told:
        return None
    domain = Listed(values=wire.listed([value for value, _ in told]))
    ones = np.ones(len(told), np.int64)
    weights = np.array([weight for _, weight in told])
    rows = apportioned(weights, asked.rows)
    found = Segments(place=np.arange(len(told), dtype=np.int64), width=ones, rows=rows, distinct=ones)
    places = {value: at for at, (value, _) in enumerate(told)}
    return Basis(domain=domain, found=found, number=lambda text: places.get(_form(asked, text)))


def _form(asked: Asked, text: str) -> bytes:
    return values.binary(asked.kind, text, asked.oids) or b""


def _others(asked: Asked, told: Sequence[str]) -> list[str]:
    """Return documents like those that are told, as many as there are besides them."""
    missing = min(int(asked.said) - len(told), pools.MOST)
    if asked.kind.family is not Family.JSON or missing <= 0:
        return []
    return documents.mixed(told, missing, np.random.Generator(np.random.PCG64(asked.salt)))


def _is_made_of_parts(asked: Asked) -> bool:
    """Whether statistics tell of elements or bounds, so that values beside the common ones can be made of these."""
    parted = asked.kind.family in (Family.ARRAY, Family.LEXEMES, Family.RANGE, Family.MULTIRANGE)
    return parted and pools.knows(asked.statistics)


def _told(asked: Asked) -> list[tuple[bytes, float]]:
    kind = asked.kind
    weights: dict[str, float] = dict(asked.common)
    if _is_made_of_parts(asked):
        return [(form, rows) for text, rows in weights.items() if (form := values.binary(kind, text, asked.oids))]
    if not weights and not asked.bounds:
        weights = dict.fromkeys(asked.limits.listed, 1.0)
    rest = max(asked.rows - sum(weights.values()), 0.0)
    if asked.bounds:
        others = _others(asked, [*weights, *asked.bounds])
        for text in (*asked.bounds, *others):
            weights[text] = weights.get(text, 0.0) + rest / (len(asked.bounds) + len(others))
    elif kind.labels and (not weights or rest > 0.01 * asked.rows):
        unseen = [label for label in kind.labels if label not in weights]
        for label in unseen:
            weights[label] = rest / len(unseen) if weights or rest else 1.0
    order = {label: at for at, label in enumerate(kind.labels)}
    ordered = sorted(weights.items(), key=lambda pair: order.get(pair[0], 0)) if order else list(weights.items())
    made = ((values.binary(kind, text, asked.oids), weight) for text, weight in ordered)
    return [(value, weight) for value, weight in made if value is not None]


# --- foreign keys ---


def of_parent(asked: Asked, parent: Basis) -> Basis:
    """Return the basis of a column that refers to a parent's key: its own spread, over the parent's values."""
    size = parent.domain.size
    heavy: dict[int, float] = {}
    for text, rows in asked.common:
        number = parent.number(text)
        if number is not None:
            heavy[number] = heavy.get(number, 0.0) + rows
    bounds = sorted(n for text in asked.bounds if (n := parent.number(text)) is not None)
    if len(bounds) < 2 and (not heavy or sum(heavy.values()) < 0.999 * asked.rows):
        bounds = [0, max(size - 1, 0)]
    if bounds:
        bounds = _widened(bounds, size, asked)
    if asked.unique:
        found = _clipped(_pushed(unique_segments([], bounds, asked.rows)), size)
    else:
        points = list(heavy.items())
        found = _believed(asked, lambda d: segments(points, bounds, asked.rows, d), size)
    return Basis(domain=parent.domain, found=found, number=parent.number, numbered=False)


def united(parts: Sequence[Basis]) -> Basis | None:
    """Return the basis of a partitioned table's key: the values of one partition after those of the other."""
    if len(parts) < 2:
        return parts[0] if parts else None
    domain = Union(parts=tuple(part.domain for part in parts))
    starts = np.cumsum([0, *(part.domain.size for part in parts)]).tolist()

    def find(text: str) -> int | None:
        for part, start in zip(parts, starts, strict=False):
            number = part.number(text)
            if number is not None and part.holds(text):
                return int(start) + number
        return None

    return Basis(domain=domain, found=parts[0].found, number=find)


def _widened(bounds: list[int], size: int, asked: Asked) -> list[int]:
    """Return bounds whose ends are the parent's where the sample's are near: a sample seldom holds the ends."""
    near = max(2 * size // max(asked.sample, 1), 1) + 1
    first = 0 if bounds[0] <= near else bounds[0]
    last = size - 1 if size - 1 - bounds[-1] <= near else bounds[-1]
    return [first, *bounds[1:-1], last] if len(bounds) > 1 else [first, last]


def _clipped(found: Segments, size: int) -> Segments:
    """Return a key's segments inside of a parent of that size: where they were pushed over its end, spread evenly."""
    if int((found.place + found.width).max(initial=0)) <= size:
        return found
    rows = min(found.total, size)
    one = np.array([rows], np.int64)
    return Segments(
        place=np.zeros(1, np.int64),
        width=np.array([size], np.int64),
        rows=np.array([found.total], np.int64),
        distinct=one,
    )


def salt(*what: object) -> int:
    """Return the salt of a column."""
    return streams.key(*what)
