"""A join that puts rows together only to drop most of the pairs.

Sees:   rows removed by a join filter that are many, and many more than are kept.
Hurts:  the pairs are the product of two sides; ten times the data is a hundred times the pairs.
Do:     turn the condition into an equality that can be hashed or looked up, or filter one side before the join.
Quiet:  few pairs, filters that keep many, plans that were not executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.measured import about, evidence, executed, place, relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="join-filter-discards-rows", severity=Severity.WARNING, needs_analyze=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` pairs dropped, and at most `max_kept` of all kept."""

    min_rows: float = 50_000
    max_kept: float = 0.1


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every join that drops most of its pairs."""
    for node, actual in executed(subject):
        removed = (actual.rows_removed_by_join_filter or 0.0) * actual.loops
        kept = actual.rows * actual.loops
        if removed < limits.min_rows or kept > limits.max_kept * (removed + kept):
            continue
        yield RULE.finding(
            f"compares {removed + kept:,.0f} pairs of rows in {place(node)} and keeps {kept:,.0f}",
            evidence("rows removed by join filter", removed, "rows"),
            evidence("rows kept", kept, "rows"),
            table=relation_of(node),
            about=about(node),
            node=node,
            parameters=subject.parameters,
            advice="join on an equality that can be hashed or looked up by index, or filter one side first",
        )
