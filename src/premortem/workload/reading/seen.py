"""A text as it was seen: the constants in its places, and the places where production's counters hide what was there.

pg_stat_statements writes `$n` for every constant, numbered in the order of the text and after the statement's own
parameters (`generate_normalized_query` in pg_stat_statements.c).  So a `$n` of its may be a constant of the program
unless a parameter of the program's own must be numbered like it: one that stands twice, or before a smaller one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Query
from premortem.sqltext import Reduced
from premortem.workload.reading.calls import STATEMENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A query, its text with the places of its values, and the constants in each place, "" for a parameter.

    `hidden` are the places of which nobody knows whether the program has a constant there.
    """

    query: Query
    reduced: Reduced
    constants: tuple[tuple[str, ...], ...]
    hidden: frozenset[int] = frozenset()

    @classmethod
    def of(cls, query: Query, reduced: Reduced) -> Seen:
        """Return what is known of a query's values."""
        places = (tuple("" if v.parameter is not None else v.text for v in p.values) for p in reduced.places)
        hidden = frozenset(_hidden(reduced)) if query.site.source == STATEMENTS else frozenset[int]()
        return cls(query=query, reduced=reduced, constants=tuple(places), hidden=hidden)


def _hidden(reduced: Reduced) -> Iterator[int]:
    """Yield the places in which all parameters may be constants that were taken out."""
    found = [v.parameter for place in reduced.places for v in place.values if v.parameter is not None]
    free = _free(found)
    for index, place in enumerate(reduced.places):
        if all(v.parameter in free for v in place.values):
            yield index


def _free(numbers: list[int]) -> frozenset[int]:
    """Return the numbers that may be constants': those from which on all stand once and in order.

    >>> sorted(_free([3, 1, 4])), sorted(_free([1, 2])), sorted(_free([1, 2, 2, 3]))
    ([3, 4], [1, 2], [3])
    """
    count, position = Counter(numbers), {number: index for index, number in enumerate(numbers)}
    free: set[int] = set()
    after = len(numbers)
    for number in sorted(count, reverse=True):
        if count[number] > 1 or position[number] > after:
            break
        after = position[number]
        free.add(number)
    return frozenset(free)
