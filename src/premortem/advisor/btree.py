"""Composite B-tree candidates for one relation: equalities first, then what the rows are wanted sorted by, or a range.

```
candidates
├── bases            conditions that fix a value: the filter's own, and with those of each join partner
├── partial          the same with the query's own constants moved into the index's predicate
└── keys             equalities + order | + range | + IN list | alone | a prefix | the order or the range alone
```

The most promising shapes come first: the search stops when its budget of plans is spent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from premortem.advisor.columns import distinct, key_statistics
from premortem.advisor.operators import is_sortable, needs_pattern_opclass
from premortem.advisor.wants import EQUALITIES, PINS, Operand, OrderKey, Term, Use, Want
from premortem.model import IndexCandidate, IndexKey, Profile

_MAX_KEYS = 6
#: A constant of a program that has placeholders too says what kind of row it wants, where there are so many kinds.
_KINDS = 64.0
#: Where all values stand in the text, a constant says that where there are as few kinds as a flag or a return code
#: has, or where it is this much rarer than the average one; any other may be somebody's value.
_FLAG_KINDS = 4.0
_RARER = 0.2
_RARE = 0.3
_HALF = 0.7  # an index that leaves out fewer rows is not worth being partial
_RANGES = frozenset({Use.RANGE, Use.PREFIX})


def candidates(want: Want, profile: Profile, *, alternatives: bool = False) -> tuple[IndexCandidate, ...]:
    """Return B-tree candidates for the relation, best guesses first, each once.

    With `alternatives`, also what finds the same rows in a smaller index.
    """
    found: dict[str, IndexCandidate] = {}
    for candidate in (*_ordered(want, profile), *(_smaller(want) if alternatives else ())):
        if candidate.keys and len(candidate.keys) <= _MAX_KEYS:
            found.setdefault(candidate.definition, candidate)
    return tuple(found.values())


def _ordered(want: Want, profile: Profile) -> Iterator[IndexCandidate]:
    bases = _bases(want)
    predicate = partial_terms(want)
    for base in bases:
        yield from _best(want, base, (), profile)
    if predicate:
        for base in bases:
            rest = tuple(t for t in base if t.operand not in {p.operand for p in predicate})
            yield from _best(want, rest, predicate, profile)
    if predicate and not any(t.use in EQUALITIES for t in predicate):
        yield from _flag_only(want, predicate)
    for base in bases:
        yield from _narrow(want, base, profile)
        yield from _own_first(want, base)
    yield from _best(want, (), (), profile)


def _bases(want: Want) -> tuple[tuple[Term, ...], ...]:
    """Return the equalities to lead with: with each join partner's, then the filter's own."""
    own = [t for t in want.terms if t.use in PINS | {Use.NULL} and t.use is not Use.JOIN]
    partners = list(dict.fromkeys(t.partner for t in want.terms if t.use is Use.JOIN))
    joined = [[*own, *(t for t in want.terms if t.use is Use.JOIN and t.partner == p)] for p in partners]
    every = [*own, *(t for t in want.terms if t.use is Use.JOIN)] if len(partners) > 1 else []
    bases = [_sorted(want, base) for base in (*joined, own, every) if base]
    return tuple(dict.fromkeys(bases))


def _sorted(want: Want, terms: Sequence[Term]) -> tuple[Term, ...]:
    """Return the equalities, one per operand: those that an existing index leads with, then the most selective."""
    by_operand = {t.operand: t for t in terms}
    leading = _leading_columns(want)

    def rank(term: Term) -> tuple[int, float]:
        return (leading.get(term.operand.column or "", 9), -_distinct(want, term.operand))

    return tuple(sorted(by_operand.values(), key=rank))


def _leading_columns(want: Want) -> dict[str, int]:
    """Return the columns of the existing index that the equalities could extend, with their place in it."""
    pinned = {t.operand.column for t in want.terms if t.use in PINS}
    best: tuple[str, ...] = ()
    for index in want.table.indexes:
        extensible = index.valid and index.method == "btree" and index.predicate is None and not index.constraint
        columns = tuple(c for c in index.columns if c is not None)
        if extensible and not index.unique and len(columns) == len(index.keys) and set(columns) <= pinned:
            best = max(best, columns, key=len)
    return {column: place for place, column in enumerate(best)}


def _distinct(want: Want, operand: Operand) -> float:
    return key_statistics(operand.key, want.table).distinct


def partial_terms(want: Want) -> tuple[Term, ...]:
    """Return the conditions that an index predicate could hold: constants of the text that mark a kind of row."""
    marking = {t.operand for t in want.terms if t.constant and _marks(want, t)}
    return tuple(
        t for t in want.terms if t.constant and (_marks(want, t) or (t.use is Use.UNEQUAL and t.operand in marking))
    )


def _marks(want: Want, term: Term) -> bool:
    if term.use in (Use.TRUE, Use.FALSE, Use.NULL):
        return True
    if term.use in (Use.NOT_NULL, Use.UNEQUAL):
        return term.share <= _RARE
    if term.use is Use.ROW:
        return term.share <= _HALF
    if term.use in (Use.EQUAL, Use.SOME) and term.operand.column is not None:
        column = want.table.column(term.operand.column)
        statistics = column.own_statistics if column else None
        return statistics is not None and _is_kind(want, term, distinct(statistics, want.table.rows))
    return False


def _is_kind(want: Want, term: Term, kinds: float) -> bool:
    """Whether a constant says what kind of row is wanted, and is not the value that somebody asked for this time."""
    if want.has_parameters:
        return kinds <= _KINDS
    values = max(1, len(term.values))
    return kinds <= _FLAG_KINDS or (kinds <= _KINDS and term.share <= _RARER * values / kinds)


def _best(
    want: Want, base: tuple[Term, ...], predicate: tuple[Term, ...], profile: Profile
) -> Iterator[IndexCandidate]:
    """Yield the shapes that use everything: with an order, with a range, with an IN list, alone."""
    pins = tuple(t for t in base if t.use is not Use.NULL)
    nulls = tuple(t for t in base if t.use is Use.NULL)
    ranges = [t for t in want.terms if t.use in _RANGES and t not in predicate]
    some = [t for t in want.terms if t.use is Use.SOME and t not in predicate]
    for order in want.orders:
        tail = _order_tail(order, pins)
        if tail:
            yield _made(want, pins, tail, predicate, "equality, then order")
            extra = _filters(tail, [*nulls, *some, *ranges])
            if extra:
                yield _made(want, pins, [*tail, *extra], predicate, "equality, order, then filter")
    fixed = (*pins, *nulls)
    for term in ranges:
        yield _made(want, fixed, _range_keys(want, term, profile), predicate, "equality, then range")
    yield from _with_all_ranges(want, fixed, ranges, predicate, profile)
    if some:
        yield _made(want, (*fixed, *some), (), predicate, "equality, then IN list")
        for term in ranges:
            tail = _range_keys(want, term, profile)
            yield _made(want, (*fixed, *some), tail, predicate, "equality, IN list, then range")
        for order in want.orders:
            tail = [*_keys(some), *_order_tail(order, (*pins, *some))]
            yield _made(want, pins, tail, predicate, "equality, IN list, then order")
    if base:
        yield _made(want, fixed, (), predicate, "equality")


def _with_all_ranges(
    want: Want, fixed: tuple[Term, ...], ranges: Sequence[Term], predicate: tuple[Term, ...], profile: Profile
) -> Iterator[IndexCandidate]:
    """Yield the narrowest range with the others behind it, where they are tested before the table is visited."""
    by_operand = {t.operand: t for t in sorted(ranges, key=lambda t: -t.share) if not t.row}
    narrowest = sorted(by_operand.values(), key=lambda t: t.share)
    if len(narrowest) > 1:
        tail = _range_keys(want, narrowest[0], profile)
        yield _made(want, fixed, [*tail, *_filters(tail, narrowest[1:])], predicate, "equality, range, then filter")


def _smaller(want: Want) -> Iterator[IndexCandidate]:
    """Yield an index of the rows alone that rare constants mark, where an index of their column finds them too."""
    rare = tuple(t for t in partial_terms(want) if t.share <= _RARE)
    if rare and not any(t.use in PINS and t not in rare for t in want.terms):
        yield from _flag_only(want, rare)


def _flag_only(want: Want, predicate: tuple[Term, ...]) -> Iterator[IndexCandidate]:
    """Yield an index of just the marked rows, by primary key: its size, not its key, is what helps."""
    keys = next((i.keys for i in want.table.indexes if i.primary), ())
    columns = [IndexKey(column=k.column) for k in keys if k.column is not None]
    columns = columns or [IndexKey(column=c) for c in sorted(want.outputs or ()) if is_sortable(want.table, c)][:1]
    if columns:
        yield _made(want, (), columns, predicate, "only the rows that the constants mark")


def _narrow(want: Want, base: tuple[Term, ...], profile: Profile) -> Iterator[IndexCandidate]:
    """Yield shapes that leave equalities out: an index of fewer columns is worth having when it does as well."""
    for length in range(1, len(base)):
        prefix = base[:length]
        yield _made(want, prefix, (), (), "the most selective equality")
        for order in want.orders:
            tail = _order_tail(order, tuple(t for t in prefix if t.use is not Use.NULL))
            yield _made(want, prefix, tail, (), "one equality, then order")
    for term in base[1:]:
        yield _made(want, (term,), (), (), "one equality")


def _own_first(want: Want, base: tuple[Term, ...]) -> Iterator[IndexCandidate]:
    """Yield the query's own equalities before those with a join partner, whichever side of the join runs first."""
    own = tuple(t for t in base if t.use is not Use.JOIN)
    joined = tuple(t for t in base if t.use is Use.JOIN)
    if own and joined:
        yield _made(want, own, _keys(joined), (), "equality, then join")


def _made(
    want: Want, fixed: Sequence[Term], tail: Sequence[IndexKey], predicate: Sequence[Term], because: str
) -> IndexCandidate:
    """Return an index of the keys that conditions fix, in whatever order, then of the tail."""
    keys: dict[tuple[str | None, str | None], IndexKey] = {}
    for key in (*_keys(fixed), *tail):
        keys.setdefault((key.column, key.expression), key)
    where = " AND ".join(dict.fromkeys(t.text for t in predicate)) or None
    return IndexCandidate(
        table=want.relation, keys=tuple(keys.values()), predicate=where, because=because,
        interchangeable=len({t.operand for t in fixed}),
    )  # fmt: skip


def _keys(terms: Sequence[Term]) -> list[IndexKey]:
    return [t.operand.key for t in terms]


def _range_keys(want: Want, term: Term, profile: Profile) -> list[IndexKey]:
    if term.row:
        return [operand.key for operand in term.row]
    if term.use is Use.PREFIX and needs_pattern_opclass(term.operand, want.table, profile):
        return [replace(term.operand.key, opclass="text_pattern_ops")]
    return [term.operand.key]


def _filters(tail: Sequence[IndexKey], terms: Sequence[Term]) -> list[IndexKey]:
    """Return keys that only filter, at the end: the heap is not visited for rows that they rule out."""
    held = {(k.column, k.expression) for k in tail}
    operands = chain.from_iterable(t.row or (t.operand,) for t in terms)
    return [o.key for o in dict.fromkeys(operands) if (o.column, o.expression) not in held]


def _order_tail(order: tuple[OrderKey, ...], pins: Sequence[Term]) -> list[IndexKey]:
    """Return the order's keys that the equalities do not fix; read backwards where all of them descend."""
    pinned = {t.operand for t in pins}
    keys = [k for k in order if k.operand not in pinned]
    backwards = all(k.descending and k.nulls_first for k in keys)
    return [_order_key(k, backwards) for k in keys]


def _order_key(key: OrderKey, backwards: bool) -> IndexKey:
    nulls_first = key.nulls_first if key.nulls_first != key.descending else None
    if backwards:
        return key.operand.key
    return replace(key.operand.key, descending=key.descending, nulls_first=nulls_first)
