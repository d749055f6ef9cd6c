"""What could be tried for one relation: B-tree composites, other methods, the arms of an OR, covering indexes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from premortem.advisor import btree
from premortem.advisor.covering import covering
from premortem.advisor.existing import same_index
from premortem.advisor.methods import in_order, special, summaries
from premortem.advisor.operators import is_sortable
from premortem.advisor.wants import Term, Use, Want
from premortem.advisor.wide import has_long_key
from premortem.model import IndexCandidate, Profile, Table


def proposals(want: Want, profile: Profile, *, alternatives: bool = False) -> tuple[tuple[IndexCandidate, ...], ...]:
    """Return what could be tried for one relation, best guesses first; several in one are for the arms of an OR.

    With `alternatives`, also what does the same in another way, smaller or slower, for whoever can weigh the two.
    """
    every = [
        *_arm_sets(want, profile),
        *((c,) for c in special(want, profile, alternatives=alternatives)),
        *((c,) for c in _with_covering(want, _sorted_keys(want, profile, alternatives=alternatives))),
        *((c,) for c in (summaries(want) if alternatives else ())),
    ]
    kept = (
        tuple(c for c in group if same_index(c, want.table) is None) for group in every if not _summarised(want, group)
    )
    return tuple(dict.fromkeys(group for group in kept if group))


def _summarised(want: Want, group: Sequence[IndexCandidate]) -> bool:
    """Whether a BRIN index finds the same rows: on a column in the table's order it reads little more than a B-tree."""
    names = {i.keys[0].column for i in want.table.indexes if i.method == "brin" and i.valid}
    return all(c.keys[0].column in names and in_order(want.table, c.keys[0].column or "") > 0.9 for c in group)


def _sorted_keys(want: Want, profile: Profile, *, alternatives: bool = False) -> tuple[IndexCandidate, ...]:
    """Return the B-trees whose entries are sure to fit and whose columns have an order."""
    found = btree.candidates(want, profile, alternatives=alternatives)
    return tuple(c for c in found if _can_be_sorted(want.table, c))


def _can_be_sorted(table: Table, candidate: IndexCandidate) -> bool:
    columns = (k.column for k in candidate.keys if k.column is not None)
    return all(is_sortable(table, name) for name in columns) and not has_long_key(candidate, table)


def _arm_sets(want: Want, profile: Profile) -> Iterator[tuple[IndexCandidate, ...]]:
    """Yield an index for every arm of an OR, alone and after the equalities that stand beside the OR."""
    for arms in want.arms:
        common = tuple(t for t in want.terms if t.use in (Use.EQUAL, Use.JOIN, Use.TRUE, Use.FALSE))
        for shared in (common, ()) if common else ((),):
            found = [_for_arm(want, (*shared, *arm), profile) for arm in arms]
            if all(found):
                yield tuple({c.definition: c for c in found if c is not None}.values())


def _for_arm(want: Want, terms: tuple[Term, ...], profile: Profile) -> IndexCandidate | None:
    narrowed = replace(want, terms=terms, orders=(), arms=(), distances=())
    found = [*special(narrowed, profile), *_sorted_keys(narrowed, profile)]
    return next(iter(found), None)


def _with_covering(want: Want, candidates: Sequence[IndexCandidate]) -> Iterator[IndexCandidate]:
    """Yield the candidates, and where one is there already the same with what the query needs besides included."""
    for candidate in candidates:
        yield candidate
        if same_index(candidate, want.table) is not None:
            wider = covering(want, candidate)
            if wider is not None:
                yield wider
