"""Candidates that serve several queries: one index whose keys, or included columns, are those of two.

The leading equalities of a B-tree may stand in any order (AIM calls it a partial order), so the index of one query can
begin with the keys of another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import permutations

from premortem.model import IndexCandidate, IndexKey

_MOST_KEYS = 6
_MOST_INCLUDED = 8


def merged(candidates: Sequence[IndexCandidate]) -> tuple[IndexCandidate, ...]:
    """Return new candidates that each do the work of two of these, those of the first ones first."""
    known = {c.definition for c in candidates}
    alike: dict[object, list[tuple[int, IndexCandidate]]] = {}
    for place, candidate in enumerate(candidates):
        if candidate.method == "btree":
            alike.setdefault((candidate.table, candidate.predicate), []).append((place, candidate))
    found: dict[str, tuple[int, IndexCandidate]] = {}
    for group in alike.values():
        for (n, one), (m, other) in permutations(group, 2):
            for made in _both(one, other):
                if made.definition not in known:
                    found.setdefault(made.definition, (n + m, made))
    return tuple(made for _, made in sorted(found.values(), key=lambda f: f[0]))


def serves(longer: IndexCandidate, shorter: IndexCandidate) -> bool:
    """Whether the query that asked for the shorter index could use the longer: its equalities may change places."""
    same = longer.table == shorter.table and longer.method == shorter.method == "btree"
    if not same or longer.predicate != shorter.predicate or len(longer.keys) < len(shorter.keys):
        return False
    free, held = shorter.interchangeable, {k.column for k in longer.keys} | set(longer.include)
    if longer.keys[free : len(shorter.keys)] != shorter.keys[free:] or not held >= {*shorter.include}:
        return False
    return longer.keys[:free] == shorter.keys[:free] or set(longer.keys[:free]) == set(shorter.keys[:free])


def covers(longer: IndexCandidate, shorter: IndexCandidate) -> bool:
    """Whether the shorter index is superfluous where the longer is: its keys begin the longer's, in their order."""
    return longer.keys[: len(shorter.keys)] == shorter.keys and serves(longer, shorter)


def _both(one: IndexCandidate, other: IndexCandidate) -> Iterator[IndexCandidate]:
    """Yield indexes that begin with the keys of one and go on with those of the other."""
    fixed = _leading(one.keys, other)
    if fixed is not None and len(fixed) <= _MOST_KEYS:
        yield _with_included(replace(other, keys=fixed, because=_because(one, other)), (*one.include, *other.include))
    if one.keys == other.keys and set(one.include) != set(other.include):
        yield _with_included(replace(one, because=_because(one, other)), (*one.include, *other.include))


def _leading(first: tuple[IndexKey, ...], other: IndexCandidate) -> tuple[IndexKey, ...] | None:
    """Return the other's keys in an order that begins with the first ones, None where its equalities do not allow it.

    All of the first keys may be among the other's interchangeable ones, or those are all at the first's beginning.
    """
    free, rest = other.keys[: other.interchangeable], other.keys[other.interchangeable :]
    if all(k in free for k in first):
        return (*first, *(k for k in free if k not in first), *rest)
    lead = first[: len(free)]
    if len(lead) == len(free) and set(lead) == set(free):
        tail = first[len(free) :]
        shared = 0
        while shared < min(len(tail), len(rest)) and tail[shared] == rest[shared]:
            shared += 1
        return (*first, *rest[shared:]) if shared == len(tail) else None
    return None


def _with_included(candidate: IndexCandidate, include: Iterable[str]) -> IndexCandidate:
    held = {k.column for k in candidate.keys}
    extra = tuple(sorted({name for name in include if name not in held}))
    return replace(candidate, include=extra[:_MOST_INCLUDED])


def _because(one: IndexCandidate, other: IndexCandidate) -> str:
    return one.because if one.because == other.because else f"{one.because}; {other.because}"
