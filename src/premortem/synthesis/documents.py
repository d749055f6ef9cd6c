"""Documents in the manner of those that statistics hold: the same keys, and under each a value that was seen there."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np


def mixed(known: Sequence[str], count: int, chance: np.random.Generator) -> list[str]:
    """Return up to so many other documents, each with the form of a known one and values of several.

    Numbers are drawn between the least and the largest seen under their key; arrays and texts are taken as they stand.
    """
    parsed = [document for text in known if isinstance(document := _parsed(text), dict)]
    if not parsed:
        return []
    seen: dict[tuple[str, ...], list[object]] = {}
    for document in parsed:
        _collect(document, (), seen)
    told = set(known)
    found: dict[str, None] = {}
    for _ in range(8 * count):
        if len(found) >= count:
            break
        form = parsed[int(chance.integers(len(parsed)))]
        text = json.dumps(_made(form, (), seen, chance))
        if text not in told:
            found[text] = None
    return list(found)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _collect(document: dict[str, object], path: tuple[str, ...], seen: dict[tuple[str, ...], list[object]]) -> None:
    for key, value in document.items():
        if isinstance(value, dict):
            _collect(value, (*path, key), seen)
        else:
            seen.setdefault((*path, key), []).append(value)


def _made(
    form: dict[str, object],
    path: tuple[str, ...],
    seen: dict[tuple[str, ...], list[object]],
    chance: np.random.Generator,
) -> dict[str, object]:
    made: dict[str, object] = {}
    for key, value in form.items():
        if isinstance(value, dict):
            made[key] = _made(value, (*path, key), seen, chance)
        else:
            made[key] = _value(seen[(*path, key)], chance)
    return made


def _value(seen: Sequence[object], chance: np.random.Generator) -> object:
    numbers = [n for n in seen if isinstance(n, int) and not isinstance(n, bool)]
    if len(numbers) == len(seen) and len(set(numbers)) > 20:
        low, high = max(min(numbers), -(2**62)), min(max(numbers), 2**62)
        return int(chance.integers(low, high + 1)) if low <= high else numbers[0]
    return seen[int(chance.integers(len(seen)))]
