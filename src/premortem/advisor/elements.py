"""What a GIN index would find in a column's values: trigrams, words, the items of documents, the elements of arrays.

Where the statistics hold values, these are taken apart as PostgreSQL would (`pg_trgm`, `jsonb_gin.c`, text search), and
what a sample of a hundred cannot show is extrapolated from what it shows once and twice.  Without values it is a model.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from premortem.advisor.columns import KeyStatistics
from premortem.model import ColumnStatistics

_FEW = 20  # values, below which a sample tells nothing of a vocabulary
_LITTLE = 0.003  # of an average row's elements: as good as none
_HASH = 4.0  # a trigram, or a hash of a document's item
_A_FEW = 8  # times that an element was seen, up to which how often it is says more of chance than of itself
_ALIKE = 0.93
_TRUSTED = 3.0  # times what is extrapolated, up to which the number of possible texts is better
#: Elements that were seen once or twice are not all as frequent: (how frequent, how many of them).
_UNEVEN = ((0.3, 0.45), (0.8, 0.3), (2.5, 0.25))


@dataclass(frozen=True, slots=True)
class Element:
    """So many keys of a GIN index, each found in this share of the rows, each so wide with its header."""

    share: float
    count: float
    width: float


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a value, and the place in the value that it is compared with others at."""

    kind: str
    text: str


def elements(key: KeyStatistics, opclass: str | None) -> tuple[Element, ...]:
    """Return the keys that a GIN index of that operator class would hold."""
    known = key.__dict__.setdefault("_elements", {})
    if opclass not in known:
        known[opclass] = tuple(_elements(key, opclass))
    found: tuple[Element, ...] = known[opclass]
    return found


def _elements(key: KeyStatistics, opclass: str | None) -> Iterable[Element]:
    if opclass == "gin_trgm_ops":
        found = _sampled(key.known, _trigrams, key.rows, hashed=True)
        return found or _assumed(max(3.0, key.width * 0.92), 4_000.0, 4.0, key.rows)
    if key.type == "jsonb":
        paths = opclass == "jsonb_path_ops"
        found = _sampled(key.statistics, _paths if paths else _items, key.rows, hashed=paths)
        return found or _assumed_items(key, paths=paths)
    if _has_elements(key):
        return _stored(key)
    if key.type == "tsvector":
        return _sampled(key.known, _words, key.rows) or _assumed(max(2.0, key.width / 7), 200_000.0, 8.0, key.rows)
    return _assumed(max(1.0, key.width / 12), max(10.0, key.rows / 20), _element_width(key), key.rows)


def _assumed(per_row: float, vocabulary: float, width: float, rows: float) -> tuple[Element, ...]:
    """Return keys whose frequency falls with their rank, so many of them in an average row."""
    most = min(vocabulary, max(rows * per_row, 1.0))
    bands, start, harmonic = [], 1.0, 0.0
    while start <= most:
        end = min(most + 1, start * 2)
        bands.append(((start + end) / 2, end - start))
        harmonic += (end - start) / ((start + end) / 2)
        start *= 2
    return tuple(Element(min(1.0, per_row / harmonic / rank), count, width) for rank, count in bands)


def _assumed_items(key: KeyStatistics, *, paths: bool) -> tuple[Element, ...]:
    """Return the items of a document: about one in 24 bytes, a quarter of them with values found nowhere else."""
    items = max(1.0, key.width / 24) * (1.0 if paths else 2.0)
    unique = items / 4
    width = 4.0 if paths else 10.0
    return (
        *_assumed(items - unique, 200.0, width, key.rows),
        Element(1 / max(key.rows, 1.0), unique * key.rows, width),
    )


# elements that ANALYZE counts -------------------------------------------------------------------------------------


def _has_elements(key: KeyStatistics) -> bool:
    return key.statistics is not None and bool(key.statistics.most_common_element_frequencies)


def _stored(key: KeyStatistics) -> Iterator[Element]:
    """Yield the most common elements, and the rest of an average row's as ever rarer ones after these."""
    found = key.statistics
    assert found is not None
    names = found.most_common_elements or ()
    frequencies = sorted((found.most_common_element_frequencies or ())[: len(names)], reverse=True)
    width = _element_width(key)
    yield from (Element(f, 1.0, width) for f in frequencies if f > 0)
    per_row = (found.element_count_histogram or (0.0,))[-1] or _lexemes(key)
    rest = per_row * (1.0 - key.null_share) - sum(frequencies)
    if frequencies and rest > _LITTLE * per_row:
        yield from _rarer(frequencies, rest, key.rows, width)


def _lexemes(key: KeyStatistics) -> float:
    """Return the words of an average tsvector: each takes an entry, its letters and where it stands."""
    return max(1.0, (key.width - 5.0) / (4.0 + _element_width(key) - 1.0 + 4.0)) if key.type == "tsvector" else 0.0


def _rarer(frequencies: Sequence[float], rest: float, rows: float, width: float) -> Iterator[Element]:
    """Yield elements after the known ones, their frequency falling with the rank as it does among these."""
    last = len(frequencies)
    middle = max(1, last // 4)
    falls = math.log(frequencies[middle - 1] / frequencies[-1]) / math.log(last / middle) if last > 4 else 0.5
    falls = min(0.98, max(0.0, falls))
    start, frequency, least = float(last), frequencies[-1], 1.0 / max(rows, 1.0)
    while rest > 0 and frequency > least:
        count = min(start * 0.5, rest / frequency)
        here = frequencies[-1] * ((start + count / 2) / last) ** -falls
        yield Element(here, count, width)
        rest -= here * count
        start += count
        frequency = here
    if rest > 0:
        yield Element(least, rest / least, width)


def _element_width(key: KeyStatistics) -> float:
    if not key.type.endswith("[]"):
        names = (key.statistics and key.statistics.most_common_elements) or ()
        return sum(map(len, names)) / len(names) + 1.0 if names else 8.0
    if key.type in ("integer[]", "date[]", "real[]", "oid[]"):
        return 4.0
    if key.type in ("bigint[]", "uuid[]", "timestamp with time zone[]", "timestamp without time zone[]"):
        return 16.0 if key.type == "uuid[]" else 8.0
    names = (key.statistics and key.statistics.most_common_elements) or ()
    return sum(map(len, names)) / len(names) + 1.0 if names else max(2.0, min(key.width, 12.0))


# elements of the values that the statistics hold ----------------------------------------------------------------


def _sampled(
    found: ColumnStatistics | None, taken_apart: Callable[[str], Iterable[Part]], rows: float, *, hashed: bool = False
) -> tuple[Element, ...]:
    """Return what the sampled values hold, and what they let expect of the others; each kind of part by itself."""
    values = tuple(_weighted(found))
    if len(values) < _FEW:
        return ()
    kinds: dict[str, tuple[dict[str, float], Counter[str]]] = {}
    for value, weight in values:
        for part in set(taken_apart(value)):
            shares, seen = kinds.setdefault(part.kind, ({}, Counter()))
            shares[part.text] = shares.get(part.text, 0.0) + weight
            seen[part.text] += 1
    return tuple(e for shares, seen in kinds.values() for e in _extrapolated(shares, seen, rows, hashed))


def _weighted(found: ColumnStatistics | None) -> Iterator[tuple[str, float]]:
    if found is None:
        return
    common = tuple(zip(found.most_common_values or (), found.most_common_frequencies or (), strict=False))
    bounds = found.histogram_bounds or ()
    yield from common
    rest = max(0.0, 1.0 - found.null_fraction - sum(f for _, f in common))
    yield from ((bound, rest / len(bounds)) for bound in bounds)


def _extrapolated(shares: dict[str, float], seen: Counter[str], rows: float, hashed: bool) -> Iterator[Element]:
    """Yield what was seen often as it was seen, and what was seen a few times as some of many more."""
    few = [text for text, times in seen.items() if times <= _A_FEW]
    many = (text for text, times in seen.items() if times > _A_FEW)
    yield from (Element(shares[text], 1.0, _HASH if hashed else _width(text)) for text in many)
    if few:
        width = _HASH if hashed else sum(map(_width, few)) / len(few)
        yield from _rare([seen[text] for text in few], sum(shares[text] for text in few), _most(few), rows, width)


def _rare(times: Sequence[int], mass: float, most: float, rows: float, width: float) -> Iterator[Element]:
    """Yield the elements that some were seen of, so many times each, and that are so many in a row all together."""
    once, twice = times.count(1), times.count(2)
    if not twice and once >= _FEW and most >= mass * rows:  # found nowhere else
        yield Element(1e-3 / max(rows, 1.0), mass * rows * 1e3, width)
        return
    kinds = len(times) + (once * once / (2.0 * twice) if twice else once * (once - 1) / 2.0)  # Chao
    alike = _alike(sum(times) / len(times), len(times))
    even = alike > kinds * _ALIKE or (not twice and once >= _FEW)
    if most <= kinds * _TRUSTED or (not twice and once >= _FEW):
        kinds = most
    elif even:
        kinds = alike
    kinds = min(kinds, mass * rows)
    for part, share in ((1.0, 1.0),) if even else _UNEVEN:
        yield Element(mass / kinds * part, kinds * share, width)


def _alike(average: float, seen: int) -> float:
    """Return how many elements there are if all are as frequent: so many were seen, each so many times on average."""
    rate = average
    for _ in range(40):
        rate = average * (1.0 - math.exp(-rate))
    return seen / (1.0 - math.exp(-rate)) if rate > 1e-3 else math.inf


def _most(texts: Sequence[str]) -> float:
    """Return how many different texts there can be that differ from these in their digits only."""
    try:
        numbers = [int(text) for text in texts]
        return (max(numbers) - min(numbers)) * (len(numbers) + 1) / max(len(numbers) - 1, 1) + 1
    except ValueError:
        pass
    patterns: dict[str, int] = {}
    for text in texts:
        pattern = re.sub(r"\d+", "0", text)
        patterns[pattern] = max(patterns.get(pattern, 0), sum(map(str.isdigit, text)))
    if len(patterns) > len(texts) / 5:
        return math.inf
    return float(max(len(texts), sum(10.0**digits for digits in patterns.values())))


def _width(element: str) -> float:
    return len(element.encode("utf-8", "surrogatepass")) + 1.0


def _trigrams(value: str) -> Iterator[Part]:
    for word in re.findall(r"\w+", value.lower().replace("_", " ")):
        padded = f"  {word} "
        yield from (Part("", padded[i : i + 3]) for i in range(len(padded) - 2))


def _words(value: str) -> Iterator[Part]:
    return (Part("", word) for word in re.findall(r"\w+", value.lower()))


def _items(value: str) -> Iterator[Part]:
    """Yield what `jsonb_ops` makes of a document: its keys, strings, numbers and words, each by itself."""
    yield from _leaves(_parsed(value), "")


def _paths(value: str) -> Iterator[Part]:
    """Yield what `jsonb_path_ops` makes of a document: a hash of every value with the keys that lead to it."""
    yield from (part for part in _leaves(_parsed(value), "") if part.kind)


def _parsed(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:  # a pseudonym
        return None


def _leaves(value: object, path: str) -> Iterator[Part]:
    """Yield keys without a kind, and values with the path to them as theirs."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield Part("", name)
            yield from _leaves(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, f"{path}[]")
    else:
        yield Part(path or ".", " " + str(value))
