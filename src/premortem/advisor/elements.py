"""What a GIN index would find in a column's values: trigrams, words, the items of documents, the elements of arrays.

Where the statistics hold values or elements, these tell; where they hold pseudonyms, what those keep does; and a model
of texts and documents where nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from premortem.advisor import samples
from premortem.advisor.columns import KeyStatistics
from premortem.advisor.remembering import remembered
from premortem.advisor.samples import Element

_TRIGRAMS = 4_000.0  # of a text in an alphabet
_FALLS = 1.0  # Zipf's law, for words
#: Trigrams of short texts fall faster, for these begin alike; measured on names, addresses, codes and sentences.
_FALLS_IN_SHORT, _FALLS_IN_LONG, _SHORT_TEXT = 1.25, 1.1, 32
_LITTLE = 0.003  # of an average row's elements: as good as none
_HASH = 4.0  # a trigram, or a hash of a document's item
_LETTERS = 6.5  # of a word with its header, where nothing tells
_WIDTHS = {"integer[]": 4.0, "date[]": 4.0, "real[]": 4.0, "oid[]": 4.0, "bigint[]": 8.0, "uuid[]": 16.0}


def elements(key: KeyStatistics, opclass: str | None) -> tuple[Element, ...]:
    """Return the keys that a GIN index of that operator class would hold."""
    return remembered(key, "_elements", opclass, lambda: tuple(_elements(key, opclass)))


def _elements(key: KeyStatistics, opclass: str | None) -> Iterable[Element]:
    if opclass == "gin_trgm_ops":
        found = samples.sampled(key.known, samples.trigrams, key.rows, lambda _: _HASH)
        falls = _FALLS_IN_SHORT if key.width <= _SHORT_TEXT else _FALLS_IN_LONG
        return found or _assumed(max(3.0, key.width * 0.92), _TRIGRAMS, _HASH, key.rows, falls)
    if key.type == "jsonb":
        return _of_documents(key, paths=opclass == "jsonb_path_ops")
    if key.statistics is not None and key.statistics.most_common_element_frequencies:
        return _stored(key)
    if key.type == "tsvector":
        words = max(2.0, key.width / 7)
        found = samples.sampled(key.known, samples.words, key.rows, _width)
        return found or _assumed(words, _vocabulary(key, words), _LETTERS, key.rows)
    return _assumed(max(1.0, key.width / 12), max(10.0, key.rows / 20), _element_width(key), key.rows)


def _width(text: str) -> float:
    return len(text.encode("utf-8", "surrogatepass")) + 1.0


# models ------------------------------------------------------------------------------------------------------------


def _vocabulary(key: KeyStatistics, words: float) -> float:
    """Return how many words there are in so many texts (Heaps' law, with the constants of English)."""
    return 40.0 * math.sqrt(max(1.0, key.kinds * words))


def _assumed(
    per_row: float, vocabulary: float, width: float, rows: float, falls: float = _FALLS
) -> tuple[Element, ...]:
    """Return keys whose frequency falls with their rank, so many of them in an average row."""
    most = max(1.0, min(vocabulary, rows * per_row))
    bands, start, total = [], 1.0, 0.0
    while start <= most:
        end = min(most + 1, max(start + 1, start * 1.5))
        weight = ((start + end - 1.0) / 2) ** -falls
        bands.append((weight, end - start))
        total += weight * (end - start)
        start = end
    return tuple(Element(min(1.0, per_row / total * weight), count, width) for weight, count in bands)


def _of_documents(key: KeyStatistics, *, paths: bool) -> Iterable[Element]:
    strings = _LETTERS if key.known is not None or paths else _string_width(key)

    def width(text: str) -> float:
        if paths:
            return _HASH
        return strings if key.known is None and text.startswith("'") else _width(text)

    found = samples.sampled(key.statistics, samples.paths if paths else samples.items, key.rows, width)
    return found or _assumed_items(key, paths=paths)


def _string_width(key: KeyStatistics) -> float:
    """Return how wide the strings of a document are whose pseudonyms do not tell: what the rest of it leaves.

    A document has a header, an entry of four bytes for every key and value, the keys' letters, and numbers of about
    eight bytes (`jsonb.h`).
    """
    values = (key.statistics and key.statistics.histogram_bounds) or ()
    parts = [part for value in values for part in samples.items(value)]
    strings = sum(part.text.startswith("'") for part in parts if part.kind)
    if not strings:
        return _LETTERS
    keys = [part for part in parts if not part.kind]
    others = sum(len(p.text) - 1 for p in keys) + 8 * sum(p.text[:1].isdigit() for p in parts) + 4 * len(parts)
    return min(126.0, max(2.0, (key.width - 5.0 - others / len(values)) / (strings / len(values)) + 2.0))


def _assumed_items(key: KeyStatistics, *, paths: bool) -> tuple[Element, ...]:
    """Return the items of a document: about one in 24 bytes, a quarter of them with values found nowhere else."""
    items = max(1.0, key.width / 24) * (1.0 if paths else 2.0)
    unique = items / 4
    width = _HASH if paths else 10.0
    rare = Element(1e-3 / max(key.rows, 1.0), unique * key.rows * 1e3, width)
    return (*_assumed(items - unique, 200.0, width, key.rows), rare)


# elements that ANALYZE counts ------------------------------------------------------------------------------------


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
    """Return how wide an element is with its header."""
    found = key.statistics
    if key.type in _WIDTHS or key.type.startswith("timestamp"):
        return _WIDTHS.get(key.type, 8.0)
    names = (key.known and key.known.most_common_elements) or ()
    if names:
        return sum(map(len, names)) / len(names) + 1.0
    per_row = (found.element_count_histogram or (0.0,))[-1] if found else 0.0
    if key.type.endswith("[]") and per_row > 0:  # an array has a header of 20 bytes, and its elements one of four
        return max(2.0, (key.width - 20.0) / per_row - 4.0)
    return _LETTERS
