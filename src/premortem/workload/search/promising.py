"""What is worth executing though it was not chosen: the planner may think too little of an index as well as too much.

A sort that a scan in order spares, or an aggregate that needs no hash table, may be cheaper by far than its cost says;
an index for it that is large beside what it promises is then never chosen.  So the best plans of the queries that take
most of the time are put forward, to be tried where trying is possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest
from typing import TypeVar

from premortem.workload.search.knowledge import Known, Visible
from premortem.workload.search.selection import Chosen

_MATTERS = 0.02  # of the workload's time
_GAINS = 0.98
_EACH = 4
_MOST = 40
_OF_BUDGET = 3.0
_One = TypeVar("_One")


def promising(chosen: Chosen, budget: int | None) -> tuple[tuple[int, Visible], ...]:
    """Return demands with sets of indexes to try, the heaviest demands' best plans first.

    None is larger than the budget; together they are at most three times as large, so that the mirror's disk holds
    them.
    """
    total = sum(known.before for known in chosen.knowledge.known)
    heavy = [(d, k) for d, k in enumerate(chosen.knowledge.known) if k.before >= _MATTERS * total]
    heavy.sort(key=lambda one: -one[1].before)
    ladders = [[(d, used) for used in _plans(known, chosen, budget)] for d, known in heavy]
    return tuple(_within(_in_turns(ladders), chosen, None if budget is None else budget * _OF_BUDGET))[:_MOST]


def _plans(known: Known, chosen: Chosen, budget: int | None) -> Iterator[Visible]:
    """Yield what a demand's best plans read, those with another first column of some table before their likes."""
    atoms = sorted((cost, sorted(used)) for used, cost in known.atoms.items() if used and used not in known.harmful)
    fitting = [
        frozenset(used)
        for cost, used in atoms
        if cost <= known.before * _GAINS and (budget is None or sum(chosen.sizes[i] for i in used) <= budget)
    ]
    by_start: dict[object, list[Visible]] = {}
    for used in fitting:
        by_start.setdefault(_start(used, chosen), []).append(used)
    yield from islice(_in_turns(by_start.values()), _EACH)


def _in_turns(ladders: Iterable[Iterable[_One]]) -> Iterator[_One]:
    """Yield the first of each, then the second of each, and so on."""
    return (one for turn in zip_longest(*ladders) for one in turn if one is not None)


def _start(used: Visible, chosen: Chosen) -> object:
    return frozenset((chosen.candidates[i].table, chosen.candidates[i].keys[0]) for i in used)


def _within(wanted: Iterator[tuple[int, Visible]], chosen: Chosen, most: float | None) -> Iterator[tuple[int, Visible]]:
    """Yield what fits together, each index counted once."""
    taken: set[int] = set()
    for demand, used in wanted:
        if most is None or sum(chosen.sizes[i] for i in taken | used) <= most:
            taken |= used
            yield demand, used
