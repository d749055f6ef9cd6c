"""Reads what a search wants to know off an EXPLAIN: two costs and the indexes, in as little time as possible.

Most plans promise nothing that they may not keep: no LIMIT, no sub-select, no join that stops at the first match.
For these the cost at risk is the cost shown, and both it and the indexes' names stand in the text as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from premortem.advisor import is_of_trigrams
from premortem.model import Index, Node, Profile, RelationName

_COST = re.compile(r'"Total Cost": ([\d.]+)')
_INDEX = re.compile(r'"Index Name": ("(?:[^"\\]|\\.)*")')
#: What makes `advisor.costs_of` look at a plan twice; see `plans.worst_cost`.
_BETS = re.compile(
    r'"Node Type": "(?:Limit|Incremental Sort)"|"Join Type": "(?:Semi|Anti|Right Semi|Right Anti)"|"Subplan Name"'
    r'|"Node Type": "Nested Loop",?\n(?:\s+"(?!Node Type)[^\n]*\n)*?\s+"Inner Unique": true'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What the text of a plan says at first sight; `bets` where its cost is not the whole story."""

    cost: float
    indexes: frozenset[str]
    bets: bool


def glance(text: str) -> Glance:
    """Return what EXPLAIN (FORMAT JSON) says, without reading it as JSON.

    >>> text = '[{"Plan": {"Node Type": "Index Scan", "Index Name": "t_a", "Total Cost": 8.17}}]'
    >>> glance(text)
    Glance(cost=8.17, indexes=frozenset({'t_a'}), bets=False)
    """
    cost = _COST.search(text)
    return Glance(
        cost=float(cost[1]) if cost else 0.0,
        indexes=frozenset(_unescaped(name) for name in _INDEX.findall(text)),
        bets=_BETS.search(text) is not None,
    )


def _unescaped(name: str) -> str:
    return str(json.loads(name)) if "\\" in name else name[1:-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Whose the index names of plans are: candidates' numbers, and production's indexes, perhaps in several schemas.

    `of_trigrams` are those whose scans cost more than the planner says (`advisor.costs_of`).
    """

    candidates: dict[str, int] = field(default_factory=dict)
    existing: Mapping[str, tuple[RelationName, ...]] = field(default_factory=dict)
    of_trigrams: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """Return the names of production's indexes."""
        found: dict[str, tuple[RelationName, ...]] = {}
        for table in profile.tables:
            for index in table.indexes:
                found[index.name] = (*found.get(index.name, ()), RelationName(schema=table.schema, name=index.name))
        return cls(existing=found, of_trigrams=set(_of_trigrams(i for t in profile.tables for i in t.indexes)))

    def add(self, candidates: Mapping[str, int], made: Iterable[Index]) -> None:
        """Note new candidates' numbers by name, and the indexes that were made of them."""
        self.candidates.update(candidates)
        self.of_trigrams.update(_of_trigrams(made))

    def cost_more(self, indexes: frozenset[str]) -> bool:
        """Whether a scan of one of them costs what the plan does not say."""
        return not self.of_trigrams.isdisjoint(indexes)

    def ambiguous(self, indexes: frozenset[str]) -> bool:
        """Whether a name alone does not say which index it is."""
        return any(len(self.existing.get(name, ())) > 1 for name in indexes)

    def used(self, indexes: frozenset[str]) -> frozenset[int]:
        """Return the candidates among them."""
        return frozenset(self.candidates[name] for name in indexes if name in self.candidates)

    def kept(self, indexes: frozenset[str]) -> frozenset[RelationName]:
        """Return production's indexes among them, where each name is one index's only."""
        return frozenset(found[0] for name in indexes if (found := self.existing.get(name)))

    def kept_by(self, root: Node) -> frozenset[RelationName]:
        """Return production's indexes in a plan that says the schema of every table."""
        found = (self._one_of(name, schema) for name, schema in _indexes(root, None))
        return frozenset(one for one in found if one is not None)

    def _one_of(self, name: str, schema: str | None) -> RelationName | None:
        named = self.existing.get(name, ())
        return next((one for one in named if one.schema == schema), named[0] if named else None)


def _of_trigrams(indexes: Iterable[Index]) -> Iterator[str]:
    return (index.name for index in indexes if is_of_trigrams(index))


def _indexes(node: Node, schema: str | None) -> Iterator[tuple[str, str | None]]:
    """Yield indexes with the schema of their tables; a bitmap's table is said further up."""
    schema = node.relation.schema if node.relation is not None else schema
    if node.index is not None:
        yield node.index, schema
    for child in node.children:
        yield from _indexes(child, schema)
