"""Candidates of other access methods than B-tree for one relation: what asks for them, and beside what they may stand.

```
special
├── operators      GIN, GiST and SP-GiST for what no B-tree serves; behind an equality where an extension allows it
├── distances      GiST for the nearest rows first
├── hashes         for equalities on values that are too long for a B-tree, and for nothing else
└── summaries      BRIN for a range over a large table whose rows lie in that order
```
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from premortem.advisor.btree import partial_terms
from premortem.advisor.columns import key_statistics
from premortem.advisor.operators import distance_candidates, has_extension, is_sortable, operator_candidates
from premortem.advisor.wants import PINS, Use, Want
from premortem.advisor.wide import may_be_too_long
from premortem.model import IndexCandidate, IndexKey, Profile, Table

#: A B-tree of a smaller table is small itself, and reads less.
_LARGE_PAGES = 10_000
_IN_ORDER = 0.95
_PAGES_PER_RANGE = 128  # BRIN_DEFAULT_PAGES_PER_RANGE
_RANGES = frozenset({Use.RANGE, Use.EQUAL})
_HASHED = frozenset({Use.EQUAL, Use.JOIN, Use.SOME})
_MIXING = {"gin": "btree_gin", "gist": "btree_gist"}
_RARE = 0.3


def special(want: Want, profile: Profile, *, alternatives: bool = False) -> Iterator[IndexCandidate]:
    """Yield candidates of the methods that a condition or an order asks for, best guesses first.

    With `alternatives`, all classes and methods that serve an operator, and the same beside the query's equalities or
    for the rows alone that its constants mark; else the best guess for each operator.
    """
    for operand in want.distances:
        yield from distance_candidates(operand, want.table)[: None if alternatives else 1]
    for term in want.terms:
        if term.use in (Use.OPERATOR, Use.INFIX):
            made = operator_candidates(term, want.table, profile)
            yield from made[:1]
            for one in made if alternatives else ():
                yield from _beside_equalities(want, one, profile)
                yield one
                yield from _of_marked_rows(want, one)
        elif term.use in _HASHED and may_be_too_long(term.operand, want.table):
            yield IndexCandidate(
                table=want.relation, keys=(term.operand.key,), method="hash",
                because="equality of values that are too long for a B-tree",
            )  # fmt: skip


def summaries(want: Want) -> Iterator[IndexCandidate]:
    """Yield a BRIN index for each range over a column in whose order a large table lies."""
    if want.table.pages < _LARGE_PAGES:
        return
    for term in want.terms:
        name = term.operand.column
        if term.use in _RANGES and not term.row and name is not None and _lies_in_order(want.table, name):
            yield IndexCandidate(
                table=want.relation, keys=(IndexKey(column=name),), method="brin", because="range in the table's order"
            )


def _lies_in_order(table: Table, name: str) -> bool:
    """Whether ranges of pages hold ranges of values; a column of few values correlates by its ties alone."""
    kinds = key_statistics(IndexKey(column=name), table).distinct
    return in_order(table, name) >= _IN_ORDER and kinds >= table.pages / _PAGES_PER_RANGE


def in_order(table: Table, name: str) -> float:
    """Return how closely the table's rows follow a column, from 0 to 1."""
    column = table.column(name)
    statistics = column.own_statistics if column else None
    return abs(statistics.correlation or 0.0) if statistics and is_sortable(table, name) else 0.0


def _beside_equalities(want: Want, candidate: IndexCandidate, profile: Profile) -> Iterator[IndexCandidate]:
    """Yield the candidate with the query's equalities before it, where the extension for that is installed."""
    extension = _MIXING.get(candidate.method)
    fixed = list(dict.fromkeys(t.operand for t in want.terms if t.use in PINS and t.operand.column is not None))
    if extension is None or not fixed or not has_extension(profile, extension):
        return
    keys = tuple(o.key for o in fixed if is_sortable(want.table, o.column or ""))
    yield replace(candidate, keys=(*keys, *candidate.keys), because=f"equality, then {candidate.because}")


def _of_marked_rows(want: Want, candidate: IndexCandidate) -> Iterator[IndexCandidate]:
    """Yield the candidate for the rows alone that a rare condition of the text marks."""
    predicate = [t for t in partial_terms(want) if t.share <= _RARE and t.operand not in _operands(want, candidate)]
    if predicate:
        where = " AND ".join(dict.fromkeys(t.text for t in predicate))
        yield replace(candidate, predicate=where, because=f"{candidate.because}, of the rows that the text marks")


def _operands(want: Want, candidate: IndexCandidate) -> set[object]:
    held = {(k.column, k.expression) for k in candidate.keys}
    return {t.operand for t in want.terms if (t.operand.column, t.operand.expression) in held}
