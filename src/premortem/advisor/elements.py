"""What a GIN index would find in a column's values: trigrams, words, the items of documents, the elements of arrays.

Where the statistics hold values, these are taken apart as PostgreSQL would (`pg_trgm`, `jsonb_gin.c`, text search), and
what a sample of a hundred cannot show is extrapolated from what it shows once and twice.  Without values it is a model.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from premortem.advisor.columns import KeyStatistics

_FEW = 20  # values, below which a sample tells nothing of a vocabulary
_LETTERS = 40.0  # that names, texts and numbers are written with, of case no account taken


@dataclass(frozen=True, slots=True)
class Element:
    """So many keys of a GIN index, each found in this share of the rows, each so wide with its header."""

    share: float
    count: float
    width: float


def elements(key: KeyStatistics, opclass: str | None) -> tuple[Element, ...]:
    """Return the keys that a GIN index of that operator class would hold."""
    known = key.__dict__.setdefault("_elements", {})
    if opclass not in known:
        known[opclass] = tuple(_elements(key, opclass))
    found: tuple[Element, ...] = known[opclass]
    return found


def _elements(key: KeyStatistics, opclass: str | None) -> Iterable[Element]:
    if opclass == "gin_trgm_ops":
        return _sampled(key, _trigrams, _of_trigrams) or _assumed(max(3.0, key.width * 0.92), 4_000.0, 4.0, key.rows)
    if key.type == "jsonb":
        paths = opclass == "jsonb_path_ops"
        return _sampled(key, _paths if paths else _items, None) or _assumed_items(key, paths=paths)
    if _has_elements(key):
        return _stored(key)
    if key.type == "tsvector":
        return _sampled(key, _words, None) or _assumed(max(2.0, key.width / 7), 200_000.0, 8.0, key.rows)
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
    """Yield the most common elements, and the rest of an average row's as elements rarer than all of these."""
    found = key.statistics
    assert found is not None
    names = found.most_common_elements or ()
    frequencies = (found.most_common_element_frequencies or ())[: len(names)]
    width = _element_width(key)
    yield from (Element(f, 1.0, width) for f in frequencies if f > 0)
    per_row = (found.element_count_histogram or (0.0,))[-1]
    rest = max(0.0, per_row - sum(frequencies))
    least = min(frequencies, default=0.001)
    if rest > 0.01:
        yield from (Element(least * part, rest / 3 / (least * part), width) for part in (0.8, 0.4, 0.1))


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
    key: KeyStatistics, taken_apart: Callable[[str], Iterable[str]], of: Callable[[float], float] | None
) -> tuple[Element, ...]:
    """Return what the sampled values hold, and what they let expect of the others."""
    values = tuple(_weighted(key))
    if len(values) < _FEW:
        return ()
    shares: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for value, weight in values:
        for element in set(taken_apart(value)):
            shares[element] += weight  # type: ignore[assignment]
            seen[element] += 1
    return tuple(_extrapolated(shares, seen, key, of))


def _weighted(key: KeyStatistics) -> Iterator[tuple[str, float]]:
    found = key.statistics
    if found is None:
        return
    common = tuple(zip(found.most_common_values or (), found.most_common_frequencies or (), strict=False))
    bounds = found.histogram_bounds or ()
    yield from common
    rest = max(0.0, 1.0 - found.null_fraction - sum(f for _, f in common))
    yield from ((bound, rest / len(bounds)) for bound in bounds)


def _extrapolated(
    shares: Counter[str], seen: Counter[str], key: KeyStatistics, of: Callable[[float], float] | None
) -> Iterator[Element]:
    """Yield what was seen often as it was seen, and what was seen once as one of many more (Chao's estimate)."""
    often = [e for e, times in seen.items() if times > 2]
    yield from (Element(shares[e], 1.0, of(4.0) if of else _width(e)) for e in often)
    twice = [e for e, times in seen.items() if times == 2]
    once = [e for e, times in seen.items() if times == 1]
    if not once and not twice:
        return
    mass = sum(shares[e] for e in (*once, *twice))
    unseen = len(once) ** 2 / (2.0 * max(len(twice), 1))
    width = of(4.0) if of else sum(map(_width, (*once, *twice))) / (len(once) + len(twice))
    least = len(once) + len(twice)
    kinds = min(max(least + unseen, least), mass * key.rows)
    if of is None and len(once) > 20 * max(len(twice), 1):  # next to nothing twice: found nowhere else
        kinds = mass * key.rows
    yield Element(mass / max(kinds, 1.0), max(kinds, 1.0), width)


def _width(element: str) -> float:
    return len(element.encode("utf-8", "surrogatepass")) + 1.0


def _of_trigrams(width: float) -> float:
    return width


def _trigrams(value: str) -> Iterator[str]:
    for word in re.findall(r"\w+", value.lower().replace("_", " ")):
        padded = f"  {word} "
        yield from (padded[i : i + 3] for i in range(len(padded) - 2))


def _words(value: str) -> Iterable[str]:
    return re.findall(r"\w+", value.lower())


def _items(value: str) -> Iterator[str]:
    """Yield what `jsonb_ops` makes of a document: its keys, strings, numbers and words, each by itself."""
    yield from (("K" if is_key else "V") + text for text, is_key, _ in _leaves(_parsed(value), ""))


def _paths(value: str) -> Iterator[str]:
    """Yield what `jsonb_path_ops` makes of a document: a hash of every value with the keys that lead to it."""
    yield from (
        f"{hash((path, text)):x}"[:3] + path + text for text, is_key, path in _leaves(_parsed(value), "") if not is_key
    )


def _parsed(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:  # a pseudonym
        return None


def _leaves(value: object, path: str) -> Iterator[tuple[str, bool, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, True, path
            yield from _leaves(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, str):
                yield inner, True, path  # strings in arrays count as keys, for the `?` operator
            yield from (leaf for leaf in _leaves(inner, path) if not (isinstance(inner, str)))
            if isinstance(inner, str):
                yield inner, False, path
    elif value is not None:
        yield str(value), False, path
