"""What one look at a query's plans says: what it costs today and which indexes might serve it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from premortem.model import Answer, Demand, IndexCandidate, RelationName


@dataclass(frozen=True, slots=True, kw_only=True)
class Studied:
    """A demand, the planner's answer today, and its candidates.

    `groups` are candidates that only help together (the arms of an OR) or, mostly, one alone; best guesses first.
    `keys` are, for each relation that the demand reads, the columns and expressions of its conditions, joins and
    orders: an index whose first key is none of them says nothing to it.  `visits` are the columns that it needs of
    each relation, None for whole rows: an index that holds them all may be read instead of the table.  `hints` are
    sentences on conditions that no index can serve as they are written.  `unknown` are the columns that its text
    compares with a literal and whose values are pseudonyms: it is planned as if hardly a row had it.
    """

    demand: Demand
    before: Answer
    groups: tuple[tuple[IndexCandidate, ...], ...] = ()
    keys: Mapping[RelationName, frozenset[str]]
    visits: Mapping[RelationName, frozenset[str] | None]
    hints: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
