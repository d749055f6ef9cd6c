"""Puts together the queries that differ in nothing but values: one query, with the values that were seen.

A program that writes values into its texts has as many texts as values, and an IN list of every length is one more.
What differs becomes `$n`, what is the same in all of them stays a constant: a constant is the program's own word and
may be an index's predicate.  So may a word that differs between a few texts (`status = 'pending'`,
`status = 'failed'`): these stay apart, from a parameter in that place too.

pg_stat_statements has `$n` for constants as well (`seen`).  What another text has there is what the program says:

- a word, a JSON key, a limit: production's calls are those of the texts that have it, shared out among them;
- any other single value that is compared by `=`: it may be the program's constant, and may be an example.  Half of the
  calls are taken for its, and half for those of any value;
- what differs between texts, and the end of a range or a pattern: a parameter, and these are values of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from premortem import sqltext
from premortem.errors import StatementError
from premortem.model import ParameterSet, Query
from premortem.sqltext import Freedom, Parameterized, Reduced, Slot
from premortem.workload.reading.calls import calls_of
from premortem.workload.reading.seen import Seen
from premortem.workload.reading.shares import MOST_SETS

#: So many different words in one place may be the program's own; more are somebody's values.
_MOST_WORDS = 6
#: So many of the values seen are kept to choose from.
_MOST_SAMPLES = 64
_Says: TypeAlias = tuple[tuple[str, ...] | None, ...]
_BOOLEANS = frozenset(("true", "false"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """The query that stands for some others; `sets` are all the values that they have, where these are few and known.

    `members` are what it stands for, the first being the one that it is called after.  Production's entries that stand
    for several are members of each with a part of their calls.
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
    every = [Seen.of(query, sqltext.reduced(query.text)) for query in group]
    is_one = len({one.reduced.key for one in every}) == 1
    found: dict[str, list[Seen]] = {}
    for one in every:
        key = one.reduced.key if is_one else sqltext.key_as_counted(one.reduced)
        found.setdefault(key, []).append(one)
    for seen in found.values():
        yield from _of_key(seen)


def _same(group: Sequence[Query]) -> Alike:
    """Return the query that stands for queries of one text."""
    first = group[0]
    samples = tuple(dict.fromkeys(s for q in group for s in q.samples))
    return Alike(query=replace(first, samples=samples[:_MOST_SAMPLES]), members=tuple(group))


# queries of one shape ---------------------------------------------------------------------------------------


def _of_key(seen: Sequence[Seen]) -> Iterator[Alike]:
    if len({s.query.text for s in seen}) == 1:
        yield _same([s.query for s in seen])
        return
    try:
        observed = sqltext.observed(_base(seen).reduced)
    except StatementError:
        yield from (_same([s.query for s in seen if s.query.text == text]) for text in {s.query.text: 0 for s in seen})
        return
    slots = enumerate(observed.slots)
    said = frozenset(index for index, slot in slots if slot is not None and _is_said(index, slot, seen))
    for variant in _variants(sorted(said), seen):
        yield from _of_variant(variant, said)


def _base(seen: Sequence[Seen]) -> Seen:
    """Return the text that says most."""
    return max(seen, key=lambda s: sum(bool(c) for constants in s.constants for c in constants))


def _told(index: int, seen: Sequence[Seen]) -> set[tuple[str, ...]]:
    """Return what the texts have in a place, those left out that hide it."""
    return {s.constants[index] for s in seen if index not in s.hidden}


def _is_said(index: int, slot: Slot, seen: Sequence[Seen]) -> bool:
    """Whether a constant is part of what the statement says, so that another one makes another statement."""
    if slot.freedom is Freedom.FIXED:
        return True
    found = {constants for constants in _told(index, seen) if all(constants)}
    return slot.is_equal and 0 < len(found) <= _MOST_WORDS and all(_is_word(c, slot) for cs in found for c in cs)


def _is_word(constant: str, slot: Slot) -> bool:
    """Whether a constant that is compared by `=` is the program's own word."""
    return constant.lower() in _BOOLEANS if slot.is_switch else slot.is_word and sqltext.looks_like_code(constant)


# what pg_stat_statements hides ------------------------------------------------------------------------------


def _variants(said: Sequence[int], seen: Sequence[Seen]) -> Iterator[list[Seen]]:
    """Yield the texts that say the same; those that hide what they say count for all that say it."""
    telling: dict[_Says, list[Seen]] = {}
    hiding: dict[_Says, list[Seen]] = {}
    for one in seen:
        says = tuple(None if i in one.hidden else one.constants[i] for i in said)
        (hiding if None in says else telling).setdefault(says, []).append(one)
    alone: list[list[Seen]] = []
    for says, ones in hiding.items():
        homes = [found for told, found in telling.items() if _may_say(says, told)]
        for home in homes:
            home += [_part(one, 1 / len(homes)) for one in ones]
        alone += [] if homes else [ones]
    yield from (*telling.values(), *alone)


def _may_say(hiding: _Says, told: _Says) -> bool:
    """Whether what hides some of its constants may be what says all of them."""
    return all(h is None or h == t for h, t in zip(hiding, told, strict=True))


def _part(one: Seen, part: float) -> Seen:
    """Return an entry of production's counters with a part of its calls."""
    query = one.query
    calls = query.calls * part if query.calls is not None else None
    rate = query.calls_per_second * part if query.calls_per_second is not None else None
    return replace(one, query=replace(query, calls=calls, calls_per_second=rate))


def _of_variant(seen: Sequence[Seen], said: frozenset[int]) -> Iterator[Alike]:
    """Yield the query of texts that say the same; two where nobody knows whether a value is the program's constant."""
    hiding, telling = [s for s in seen if s.hidden], [s for s in seen if not s.hidden]
    if not hiding or not telling:
        yield _together(seen, said, seen)
        return
    doubtful = _doubtful([*telling, *hiding], said)
    if not doubtful:
        yield _together([*telling, *hiding], said, telling)
        return
    halves = [_part(one, 0.5) for one in hiding]
    yield _together([*telling, *halves], said | doubtful, telling)
    yield replace(_together([*telling, *halves], said, halves), members=tuple(s.query for s in halves))


def _doubtful(seen: Sequence[Seen], said: frozenset[int]) -> frozenset[int]:
    """Return the places where production hides what all others have the same value in, compared by `=`."""
    hidden = frozenset(index for one in seen for index in one.hidden) - said
    slots = sqltext.observed(_base(seen).reduced).slots
    equal = (i for i in hidden if (slot := slots[i]) is not None and slot.is_equal)
    return frozenset(i for i in equal if len(found := _told(i, seen)) == 1 and all(map(all, found)))


def _together(seen: Sequence[Seen], kept: frozenset[int], called_after: Sequence[Seen]) -> Alike:
    """Return the query in which what differs between some texts is a parameter; hidden constants may stay if `kept`."""
    queries = [s.query for s in seen]
    if len({q.text for q in queries}) == 1:
        return _same(queries)
    base = _base(seen)
    observed = sqltext.observed(base.reduced)
    varies = [_varies(index, slot, seen, index in kept) for index, slot in enumerate(observed.slots)]
    written = sqltext.written(observed, varies, _texts(base))
    first = max((s.query for s in called_after), key=calls_of)
    members = (first, *(q for q in queries if q is not first))
    if not written.places:
        return _same(members)
    values = [_values(written, s.reduced) for s in seen]
    query = replace(
        first,
        text=written.text,
        parameter_count=len(written.places),
        parameter_names=(None,) * len(written.places),
        samples=tuple(dict.fromkeys(v for v in values if v is not None))[:_MOST_SAMPLES],
    )
    sets, shares = _sets(seen, values)
    return Alike(query=query, members=members, sets=sets, shares=shares)


def _varies(index: int, slot: Slot | None, seen: Sequence[Seen], is_kept: bool) -> bool:
    """Whether a place is a parameter of the query that stands for all."""
    is_list = seen[0].reduced.places[index].is_list
    if slot is None and not is_list:
        return True
    found = _told(index, seen)
    if len(found or {s.constants[index] for s in seen}) > 1:
        return True
    is_hidden = any(index in s.hidden for s in seen)
    return is_hidden and slot is not None and slot.freedom is Freedom.VALUE and not is_kept


def _texts(seen: Seen) -> tuple[tuple[str, ...], ...]:
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
    seen: Sequence[Seen], values: Sequence[tuple[str | None, ...] | None]
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
