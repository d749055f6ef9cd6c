"""All that one query's plans suggest, for a search over a whole workload: candidates, and what is asked of relations.

```
looked                plans -> Look
├── reading.wants     what they ask of each relation
├── _asked            of that what says whether an index of another query's has anything to say to this one
└── _rounds           each relation's proposals in their covering forms, the best guesses of all relations first
```

A search for one query tries a candidate, and includes columns where visiting the table is what still costs.  A search
for a workload has the covering forms made known with all others, and lets sizes and costs decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from premortem.advisor.constants import Said, is_of_values
from premortem.advisor.covering import forms, instead
from premortem.advisor.existing import same_index
from premortem.advisor.proposing import proposals
from premortem.advisor.reading import wants
from premortem.advisor.rewriting import hints, is_changing, member_hints
from premortem.advisor.wants import Term, Want
from premortem.model import IndexCandidate, Planned, Profile, RelationName

Group = tuple[IndexCandidate, ...]

#: A table of so few pages is read whole as quickly as an index is looked up.
_MIN_PAGES = 8
_MIN_WEIGHT = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a query asks of one relation.

    `keys` are the columns and expressions of its conditions, joins and orders.  `visits` are the columns that it needs,
    None for whole rows; where it reads the relation several times they are those of the reading that needs the fewest.
    """

    keys: frozenset[str]
    visits: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a query's plans: candidate groups, best guesses first, and what it asks of each relation.

    `hints` are sentences on conditions that no index can serve as they are written.
    """

    groups: tuple[Group, ...]
    asked: Mapping[RelationName, Asked]
    hints: tuple[str, ...] = ()


def looked(planned: Sequence[Planned], profile: Profile) -> Look:
    """Return the candidates for a query, over the plans of all its parameter sets, and what it asks of relations."""
    found = wants(planned, profile)
    matter = [want for want in found if _matters(want)]
    said = Said(planned)
    groups = _rounds([list(_groups(want, said, profile)) for want in matter])
    says = tuple(dict.fromkeys((*chain.from_iterable(map(hints, matter)), *member_hints(planned))))
    return Look(groups=groups, asked=_asked(found, groups), hints=says)


def ideas(planned: Sequence[Planned], profile: Profile) -> tuple[Group, ...]:
    """Return all candidate groups for a query; several in one group only help together."""
    return looked(planned, profile).groups


def asked(planned: Sequence[Planned], profile: Profile) -> Mapping[RelationName, Asked]:
    """Return what a query asks of each relation that it reads."""
    return looked(planned, profile).asked


def _matters(want: Want) -> bool:
    return want.table.pages >= _MIN_PAGES and want.weight >= _MIN_WEIGHT


def _groups(want: Want, said: Said, profile: Profile) -> Iterator[Group]:
    """Yield a relation's proposals, each followed by its covering forms; none that is there, or of one set's values."""
    proposed = proposals(want, profile, alternatives=True)
    covered: set[object] = set()
    for group in proposed:
        if any(is_of_values(c, said) or is_changing(c, want.table) for c in group):
            continue
        yield group
        yield from ((c,) for c in _forms(want, group, covered) if same_index(c, want.table) is None)
    whole = instead(want) if not proposed else None
    if whole is not None and same_index(whole, want.table) is None:
        yield (whole,)


def _forms(want: Want, group: Group, covered: set[object]) -> Iterator[IndexCandidate]:
    """Yield a candidate's covering forms, of those that hold the same behind the same first key the best guess only."""
    if len(group) > 1 or group[0].include:
        return
    for form in forms(want, group[0]):
        what = (form.keys[0], frozenset(form.keys), frozenset(form.include), form.predicate)
        if what not in covered:
            covered.add(what)
            yield form


def _rounds(of_relations: Sequence[Sequence[Group]]) -> tuple[Group, ...]:
    """Return the relations' groups in turns, each once."""
    found: dict[tuple[object, ...], Group] = {}
    for group in (group for turn in zip_longest(*of_relations) for group in turn if group is not None):
        found.setdefault(tuple(map(_sameness, group)), group)
    return tuple(found.values())


def _sameness(candidate: IndexCandidate) -> tuple[object, ...]:
    """Return what makes two candidates serve a query alike: interchangeable keys in any order, the others in theirs."""
    free = candidate.interchangeable
    return (
        candidate.table, candidate.method, frozenset(candidate.keys[:free]), candidate.keys[free:],
        frozenset(candidate.include), candidate.predicate,
    )  # fmt: skip


def _asked(found: Sequence[Want], groups: Sequence[Group]) -> dict[RelationName, Asked]:
    leading: dict[RelationName, set[str]] = {}
    for candidate in chain.from_iterable(groups):
        first = candidate.keys[0]
        leading.setdefault(candidate.table, set()).add(first.column or first.expression or "")
    reads: dict[RelationName, list[Want]] = {}
    for want in found:
        reads.setdefault(want.relation, []).append(want)
    return {name: _of_relation(of, leading.get(name, set())) for name, of in reads.items()}


def _of_relation(found: Sequence[Want], leading: set[str]) -> Asked:
    keys = leading.union(*(_words(want) for want in found))
    needs = [w.outputs | w.filtered for w in found if w.outputs is not None]
    return Asked(keys=frozenset(keys), visits=min(needs, key=len, default=None))


def _words(want: Want) -> Iterator[str]:
    for term in (*want.terms, *chain.from_iterable(chain.from_iterable(want.arms))):
        yield from _words_of(term)
    for order in want.orders:
        yield from (key.operand.words for key in order)
    yield from (operand.words for operand in want.distances)


def _words_of(term: Term) -> Iterator[str]:
    yield from (operand.words for operand in (term.row or (term.operand,)))
