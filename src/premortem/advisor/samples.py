"""What the values that the statistics hold say of all values: taken apart as a GIN index would, and extrapolated.

A hundred values show what is frequent, and what they show once or twice says how much there is that they do not show.
Pseudonyms keep which values are equal, and numbers' order; but not of how many letters a text is, nor which.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from premortem.model import ColumnStatistics

_FEW = 20  # values, below which a sample tells nothing of a vocabulary
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
class Extracted:
    """What documents have at one place: how many different values, the shares of the frequent ones, and how wide."""

    kinds: float
    common: tuple[float, ...]
    missing: float
    width: float


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a value, and the place in the value that it is compared with others at."""

    kind: str
    text: str


def sampled(
    found: ColumnStatistics | None,
    taken_apart: Callable[[str], Iterable[Part]],
    rows: float,
    width: Callable[[str], float],
) -> tuple[Element, ...]:
    """Return what the sampled values hold, and what they let expect of the others; each kind of part by itself."""
    values = tuple(sampled_values(found))
    if found is None or len(values) < _FEW:
        return ()
    kinds: dict[str, tuple[dict[str, float], Counter[str]]] = {}
    for value, weight in values:
        for part in set(taken_apart(value)):
            shares, seen = kinds.setdefault(part.kind, ({}, Counter()))
            shares[part.text] = shares.get(part.text, 0.0) + weight
            seen[part.text] += 1
    most = most_numbers if found.pseudonyms else most_texts
    return tuple(e for shares, seen in kinds.values() for e in _extrapolated(shares, seen, rows, width, most))


def shares(found: ColumnStatistics | None, taken_apart: Callable[[str], Iterable[Part]]) -> dict[str, float]:
    """Return which share of the rows have each part that a sampled value has; of few values nothing is told."""
    values = tuple(sampled_values(found))
    told: dict[str, float] = {}
    for value, weight in values if len(values) >= _FEW else ():
        for part in set(taken_apart(value)):
            told[part.text] = told.get(part.text, 0.0) + weight
    return told


def sampled_values(found: ColumnStatistics | None) -> Iterator[tuple[str, float]]:
    """Yield the values that statistics hold, each with the share of the rows that it stands for."""
    if found is None:
        return
    common = tuple(zip(found.most_common_values or (), found.most_common_frequencies or (), strict=False))
    bounds = found.histogram_bounds or ()
    yield from common
    rest = max(0.0, 1.0 - found.null_fraction - sum(f for _, f in common))
    yield from ((bound, rest / len(bounds)) for bound in bounds)


def extracted(found: ColumnStatistics | None, names: Sequence[str], rows: float) -> Extracted | None:
    """Return what the sampled documents have under a path of keys, None where too few are known."""
    values = tuple(sampled_values(found))
    if found is None or len(values) < _FEW:
        return None
    shares: dict[str, float] = {}
    seen: Counter[str] = Counter()
    for value, weight in values:
        text = _at(_parsed(value), names)
        if text is not None:
            shares[text] = shares.get(text, 0.0) + weight
            seen[text] += 1
    if not shares:
        return None
    common = tuple(sorted((shares[t] for t, times in seen.items() if times > _A_FEW), reverse=True))
    few = [t for t, times in seen.items() if times <= _A_FEW]
    most = (most_numbers if found.pseudonyms else most_texts)(few) if few else 0.0
    rare = sum(_rare_kinds([seen[t] for t in few], sum(shares[t] for t in few), most, rows)[:1]) if few else 0.0
    width = sum(len(t) * shares[t] for t in shares) / sum(shares.values()) + 1.0
    missing = max(0.0, 1.0 - found.null_fraction - sum(shares.values())) + found.null_fraction
    return Extracted(len(common) + rare, common, missing if missing > 1e-6 else 0.0, width)


def _at(value: object, names: Sequence[str]) -> str | None:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    if value is None or isinstance(value, dict | list):
        return None if value is None else json.dumps(value)
    return str(value)


# extrapolating -----------------------------------------------------------------------------------------------------


def _extrapolated(
    shares: dict[str, float], seen: Counter[str], rows: float, width: Callable[[str], float],
    most: Callable[[Sequence[str]], float],
) -> Iterator[Element]:  # fmt: skip
    """Yield what was seen often as it was seen, and what was seen a few times as some of many more."""
    few = [text for text, times in seen.items() if times <= _A_FEW]
    yield from (Element(shares[text], 1.0, width(text)) for text, times in seen.items() if times > _A_FEW)
    if few:
        average = sum(map(width, few)) / len(few)
        yield from _rare([seen[text] for text in few], sum(shares[text] for text in few), most(few), rows, average)


def _rare(times: Sequence[int], mass: float, most: float, rows: float, width: float) -> Iterator[Element]:
    """Yield the elements that some were seen of, so many times each, and that are so many in a row all together."""
    kinds, even = _rare_kinds(times, mass, most, rows)
    if kinds >= mass * rows:  # found nowhere else
        yield Element(1e-3 / max(rows, 1.0), mass * rows * 1e3, width)
        return
    for part, share in ((1.0, 1.0),) if even else _UNEVEN:
        yield Element(mass / kinds * part, kinds * share, width)


def _rare_kinds(times: Sequence[int], mass: float, most: float, rows: float) -> tuple[float, bool]:
    """Return how many elements share that part of the rows' elements, and whether all are as frequent."""
    kinds, even = _kinds_of(times)
    if times.count(2) == 0 and times.count(1) >= _FEW:  # always a new one
        return min(most, mass * rows), True
    return min(most if most <= kinds * _TRUSTED else kinds, mass * rows), even


def _kinds_of(times: Sequence[int]) -> tuple[float, bool]:
    """Return how many elements there are if so many were seen, each so many times, and whether all are as frequent."""
    once, twice = times.count(1), times.count(2)
    kinds = len(times) + (once * once / (2.0 * twice) if twice else once * (once - 1) / 2.0)  # Chao
    alike = _alike(sum(times) / len(times), len(times))
    return (alike, True) if alike > kinds * _ALIKE else (kinds, False)


def _alike(average: float, seen: int) -> float:
    """Return how many elements there are if all are as frequent: so many were seen, each so many times on average."""
    rate = average
    for _ in range(40):
        rate = average * (1.0 - math.exp(-rate))
    return seen / (1.0 - math.exp(-rate)) if rate > 1e-3 else math.inf


def most_numbers(texts: Sequence[str]) -> float:
    """Return how many whole numbers there can be where these come from, without a bound if they are none.

    >>> most_numbers(["0", "10", "20"]), most_numbers(["a"])
    (41.0, inf)
    """
    try:
        numbers = [int(text) for text in texts]
    except ValueError:
        return math.inf
    return (max(numbers) - min(numbers)) * (len(numbers) + 1) / max(len(numbers) - 1, 1) + 1


def most_texts(texts: Sequence[str]) -> float:
    """Return how many different texts there can be that differ from these in their digits only.

    >>> most_texts(["'k1", "'k7", "'k12"] * 2)
    100.0
    """
    numbers = most_numbers(texts)
    if numbers < math.inf:
        return numbers
    patterns: dict[str, int] = {}
    for text in texts:
        pattern = re.sub(r"\d+", "0", text)
        patterns[pattern] = max(patterns.get(pattern, 0), sum(map(str.isdigit, text)))
    if len(patterns) > len(texts) / 5:
        return math.inf
    return float(max(len(texts), sum(10.0**digits for digits in patterns.values())))


# taking apart ------------------------------------------------------------------------------------------------------


def trigrams(value: str) -> Iterator[Part]:
    """Yield what `pg_trgm` makes of a text."""
    for word in re.findall(r"\w+", value.lower().replace("_", " ")):
        padded = f"  {word} "
        yield from (Part("", padded[i : i + 3]) for i in range(len(padded) - 2))


def words(value: str) -> Iterator[Part]:
    """Yield the words of a text."""
    return (Part("", word) for word in re.findall(r"\w+", value.lower()))


def items(value: str) -> Iterator[Part]:
    """Yield what `jsonb_ops` makes of a document: its keys, strings, numbers and words, each by itself."""
    yield from _leaves(_parsed(value), "")


def paths(value: str) -> Iterator[Part]:
    """Yield what `jsonb_path_ops` makes of a document: a hash of every value with the keys that lead to it."""
    yield from (part for part in _leaves(_parsed(value), "") if part.kind)


def _parsed(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return None


def _leaves(value: object, path: str) -> Iterator[Part]:
    """Yield keys without a kind, and values with the path to them as theirs; strings begin with a quote."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield Part("", f"'{name}")
            yield from _leaves(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, f"{path}[]")
    else:
        yield Part(path or ".", f"'{value}" if isinstance(value, str) else str(value))
