"""A list of a thousand values in the text of a query.

Sees:   IN (…) or ARRAY[…] with very many members, written out one by one.
Hurts:  parsing and planning grow with the list; before version 18, each length is a statement of its own in
        pg_stat_statements, and statements that matter are pushed out.
Do:     pass one array: `= ANY($1)`; above some ten thousand values, a temporary table or a join with unnest($1).
Quiet:  short lists; an array that is one parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Severity, Source
from premortem.rules.amounts import relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="long-list-of-values", severity=Severity.INFO, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_values` in one list."""

    min_values: float = 1_000


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for a list that is too long to be written out."""
    if len(subject.query.text) < 2 * limits.min_values:
        return
    length = subject.facts.longest_list
    if length >= limits.min_values:
        table = relation_of(subject.plan.root)
        yield RULE.finding(
            f"lists {length:,} values one by one",
            Evidence(name="values", value=length, source=Source.COMPUTED),
            table=table,
            about="list",
            node=subject.plan.root,
            parameters=subject.parameters,
            advice="pass one array: = ANY($1)",
        )
