"""What could be tried for one relation: B-tree composites, other methods, the arms of an OR, covering indexes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from premortem.advisor import btree
from premortem.advisor.covering import covering
from premortem.advisor.existing import same_index
from premortem.advisor.operators import distance_candidate, operator_candidate
from premortem.advisor.wants import Term, Use, Want
from premortem.model import IndexCandidate, Profile, Table


def proposals(want: Want, profile: Profile) -> tuple[tuple[IndexCandidate, ...], ...]:
    """Return what could be tried for one relation, best guesses first; several in one are for the arms of an OR."""
    special = [(c,) for c in _special(want, profile)]
    every = [
        *_arm_sets(want, profile),
        *special,
        *((c,) for c in _with_covering(want, btree.candidates(want, profile))),
    ]
    kept = (
        tuple(c for c in group if same_index(c, want.table) is None) for group in every if not _summarised(want, group)
    )
    return tuple(dict.fromkeys(group for group in kept if group))


def _summarised(want: Want, group: Sequence[IndexCandidate]) -> bool:
    """Whether a BRIN index finds the same rows: on a column in the table's order it reads little more than a B-tree."""
    names = {i.keys[0].column for i in want.table.indexes if i.method == "brin" and i.valid}
    return all(c.keys[0].column in names and _correlation(want.table, c.keys[0].column) > 0.9 for c in group)


def _correlation(table: Table, name: str | None) -> float:
    column = table.column(name) if name else None
    statistics = column.own_statistics if column else None
    return abs(statistics.correlation or 0.0) if statistics else 0.0


def _special(want: Want, profile: Profile) -> Iterator[IndexCandidate]:
    """Yield the candidates of other access methods than B-tree."""
    for operand in want.distances:
        found = distance_candidate(operand, want.table)
        if found is not None:
            yield found
    for term in want.terms:
        if term.use in (Use.OPERATOR, Use.INFIX):
            made = operator_candidate(term, want.table, profile)
            if made is not None:
                yield made


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
    found = [*_special(narrowed, profile), *btree.candidates(narrowed, profile)]
    return next(iter(found), None)


def _with_covering(want: Want, candidates: Sequence[IndexCandidate]) -> Iterator[IndexCandidate]:
    """Yield the candidates, and where one is there already the same with what the query needs besides included."""
    for candidate in candidates:
        yield candidate
        if same_index(candidate, want.table) is not None:
            wider = covering(want, candidate)
            if wider is not None:
                yield wider
