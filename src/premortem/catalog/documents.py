"""The text form of jsonb, taken apart and put together with its strings and numbers changed.

Keys that several documents share are the documents' schema and stay; a key of one document only may be a customer's.
So do strings that look like a status: few different ones, again and again, under a key that does not sound personal.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Change = Callable[[str], str]

MOST_KEYS = 200
MOST_STATUSES = 20
TIMES_SEEN = 3
_SCHEMA_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,40}\Z")


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


Tree = None | bool | Number | str | list["Tree"] | dict[str, "Tree"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What of documents may be shown: keys, and strings under a key."""

    keys: frozenset[str] = frozenset()
    statuses: frozenset[tuple[str, str]] = frozenset()

    def __or__(self, other: Schema) -> Schema:
        return Schema(keys=self.keys | other.keys, statuses=self.statuses | other.statuses)


def parse(text: str) -> Tree:
    """Return a document, its numbers as they were written."""
    tree: Tree = json.loads(text, parse_int=Number, parse_float=Number)
    return tree


def schema(texts: Iterable[str], personal: Callable[[str], bool]) -> Schema:
    """Return what of a column's documents may be shown.

    >>> found = schema(['{"a": "x", "n": "Bob"}', '{"a": "x", "n": "Eve"}', '{"a": "x"}'], lambda key: key == "n")
    >>> sorted(found.keys), sorted(found.statuses)
    (['a', 'n'], [('a', 'x')])
    """
    trees = [parse(text) for text in texts]
    counted = Counter(key for tree in trees for key in {key for key, _ in _members(tree)})
    keys = frozenset(key for key, count in counted.items() if count > 1 and _SCHEMA_KEY.match(key))
    if len(keys) > MOST_KEYS:
        return Schema()
    return Schema(keys=keys, statuses=frozenset(_statuses(trees, {key for key in keys if not personal(key)})))


def _statuses(trees: Iterable[Tree], keys: set[str]) -> Iterator[tuple[str, str]]:
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for tree in trees:
        for key, item in _members(tree):
            if key in keys and isinstance(item, str) and not isinstance(item, Number):
                seen[key][item] += 1
    for key, counted in seen.items():
        if len(counted) <= MOST_STATUSES and counted.total() >= TIMES_SEEN * len(counted):
            yield from ((key, value) for value in counted)


def _members(tree: Tree) -> Iterator[tuple[str, Tree]]:
    if isinstance(tree, dict):
        for key, item in tree.items():
            yield key, item
            yield from _members(item)
    elif isinstance(tree, list):
        for item in tree:
            yield from _members(item)


def leaves(text: str, shown: Schema) -> Iterator[str]:
    """Yield the keys, strings and numbers of a document that may not be shown."""
    yield from _leaves(parse(text), shown, None)


def _leaves(tree: Tree, shown: Schema, under: str | None) -> Iterator[str]:
    if isinstance(tree, str):
        if (under, tree) not in shown.statuses:
            yield tree
    elif isinstance(tree, list):
        for item in tree:
            yield from _leaves(item, shown, None)
    elif isinstance(tree, dict):
        yield from (key for key in tree if key not in shown.keys)
        for key, item in tree.items():
            yield from _leaves(item, shown, key)


def each(text: str, shown: Schema, strings: Change, numbers: Change) -> str:
    """Return a document's text with what may not be shown of it changed.

    >>> each('{"a": "x", "b": [1.50, true, null]}', Schema(keys=frozenset("a")), str.upper, lambda n: n + "0")
    '{"a": "X", "B": [1.500, true, null]}'
    """
    return _written(parse(text), shown, strings, numbers, None)


def _written(tree: Tree, shown: Schema, strings: Change, numbers: Change, under: str | None) -> str:
    if isinstance(tree, Number):
        return numbers(tree)
    if isinstance(tree, str):
        return _quoted(tree if (under, tree) in shown.statuses else strings(tree))
    if isinstance(tree, list):
        return "[" + ", ".join(_written(item, shown, strings, numbers, None) for item in tree) + "]"
    if isinstance(tree, dict):
        items = (
            f"{_quoted(key if key in shown.keys else strings(key))}: {_written(item, shown, strings, numbers, key)}"
            for key, item in tree.items()
        )
        return "{" + ", ".join(items) + "}"
    return json.dumps(tree)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
