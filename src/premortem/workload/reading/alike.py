"""Puts together the queries that differ in nothing but values: one query, with the values that were seen.

A program that writes values into its texts has as many texts as values, and an IN list of every length is one more.
What differs becomes `$n`, what is the same in all of them stays a constant: a constant is the program's own word and
may be an index's predicate.  So may a word that differs between a few texts (`status = 'pending'`,
`status = 'failed'`): these stay apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from premortem import sqltext
from premortem.errors import StatementError
from premortem.model import ParameterSet, Query
from premortem.sqltext import Freedom, Observed, Parameterized, Reduced
from premortem.workload.reading.calls import calls_of
from premortem.workload.reading.shares import MOST_SETS

#: So many different words in one place may be the program's own; more are somebody's values.
_MOST_WORDS = 6
#: So many of the values seen are kept to choose from.
_MOST_SAMPLES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """The query that stands for some others; `sets` are all the values that they have, where these are few and known.

    `members` are what it stands for, the first being the one that it is called after.
    """

    query: Query
    members: tuple[Query, ...]
    sets: tuple[ParameterSet, ...] = ()
    shares: tuple[float, ...] = ()


def alike(queries: Iterable[Query]) -> tuple[Alike, ...]:
    """Return the queries with those that differ in values only put together, in the order in which they came."""
    groups: dict[object, list[Query]] = {}
    for query in queries:
        groups.setdefault((query.fingerprint or query.text, query.search_path), []).append(query)
    return tuple(one for group in groups.values() for one in _of_fingerprint(group))


def _of_fingerprint(group: Sequence[Query]) -> Iterator[Alike]:
    """Yield what queries of one fingerprint come to; a fingerprint does not tell `item_1` from `item_2`."""
    if len({q.text for q in group}) == 1:
        yield _same(group)
        return
    found: dict[str, list[_Seen]] = {}
    for query in group:
        reduced = sqltext.reduced(query.text)
        found.setdefault(reduced.key, []).append(_Seen.of(query, reduced))
    for seen in found.values():
        yield from _of_key(seen)


def _same(group: Sequence[Query]) -> Alike:
    """Return the query that stands for queries of one text."""
    first = group[0]
    samples = tuple(dict.fromkeys(s for q in group for s in q.samples))
    return Alike(query=replace(first, samples=samples[:_MOST_SAMPLES]), members=tuple(group))


# queries of one shape ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A query, its text with the places of its values, and the constants in each place, "" for a parameter."""

    query: Query
    reduced: Reduced
    constants: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, query: Query, reduced: Reduced) -> _Seen:
        places = (tuple("" if v.parameter is not None else v.text for v in p.values) for p in reduced.places)
        return cls(query=query, reduced=reduced, constants=tuple(places))


def _of_key(seen: Sequence[_Seen]) -> Iterator[Alike]:
    if len({s.query.text for s in seen}) == 1:
        yield _same([s.query for s in seen])
        return
    base = max(seen, key=lambda s: sum(bool(c) for constants in s.constants for c in constants))
    try:
        observed = sqltext.observed(base.reduced)
    except StatementError:
        yield from (_same([s.query for s in seen if s.query.text == text]) for text in {s.query.text: 0 for s in seen})
        return
    said = [index for index, slot in enumerate(observed.slots) if slot is not None and _is_said(index, slot, seen)]
    variants: dict[object, list[_Seen]] = {}
    for one in seen:
        variants.setdefault(tuple(one.constants[index] for index in said), []).append(one)
    for variant in variants.values():
        yield _together(variant)


def _is_said(index: int, slot: sqltext.Slot, seen: Sequence[_Seen]) -> bool:
    """Whether a constant is part of what the statement says, so that another one makes another statement."""
    if slot.freedom is Freedom.FIXED:
        return True
    found = {s.constants[index] for s in seen}
    words = [c for constants in found for c in constants]
    return slot.is_word and len(found) <= _MOST_WORDS and all(c and sqltext.looks_like_code(c) for c in words)


def _together(seen: Sequence[_Seen]) -> Alike:
    """Return the query in which what differs between some texts is a parameter."""
    queries = [s.query for s in seen]
    if len({q.text for q in queries}) == 1:
        return _same(queries)
    base = max(seen, key=lambda s: sum(bool(c) for constants in s.constants for c in constants))
    observed = sqltext.observed(base.reduced)
    written = sqltext.written(observed, [_varies(i, observed, seen) for i in range(len(observed.slots))], _texts(base))
    first = max(queries, key=calls_of)
    if not written.places:
        return _same([first, *(q for q in queries if q is not first)])
    values = [_values(written, s.reduced) for s in seen]
    query = replace(
        first,
        text=written.text,
        parameter_count=len(written.places),
        parameter_names=(None,) * len(written.places),
        samples=tuple(dict.fromkeys(v for v in values if v is not None))[:_MOST_SAMPLES],
    )
    members = (first, *(q for q in queries if q is not first))
    sets, shares = _sets(seen, values)
    return Alike(query=query, members=members, sets=sets, shares=shares)


def _varies(index: int, observed: Observed, seen: Sequence[_Seen]) -> bool:
    differs = len({s.constants[index] for s in seen}) > 1
    return differs or (observed.slots[index] is None and not observed.reduced.places[index].is_list)


def _texts(seen: _Seen) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(v.text or f"${v.parameter}" for v in p.values) for p in seen.reduced.places)


def _values(written: Parameterized, reduced: Reduced) -> tuple[str | None, ...] | None:
    """Return the values of `$1`, `$2` … in one text, None where one of them is not in the text."""
    found: list[str | None] = []
    for index in written.places:
        if index < 0 or any(v.parameter is not None for v in reduced.places[index].values):
            return None
        values = [sqltext.value(v.text) for v in reduced.places[index].values]
        found.append(sqltext.array(values) if reduced.places[index].is_list else values[0])
    return tuple(found)


def _sets(
    seen: Sequence[_Seen], values: Sequence[tuple[str | None, ...] | None]
) -> tuple[tuple[ParameterSet, ...], tuple[float, ...]]:
    """Return all texts' values as parameter sets, weighed by calls; none where they are many, or not all known."""
    calls: dict[tuple[str | None, ...], float] = {}
    for one, found in zip(seen, values, strict=True):
        if found is None:
            return (), ()
        calls[found] = calls.get(found, 0.0) + calls_of(one.query)
    if len(calls) > MOST_SETS:
        return (), ()
    total = sum(calls.values())
    sites = {found: str(one.query.site) for one, found in zip(reversed(seen), reversed(values), strict=True)}
    sets = tuple(ParameterSet(name="captured", values=v, basis=f"the values at {sites[v]}") for v in calls)
    return sets, tuple(n / total for n in calls.values())
