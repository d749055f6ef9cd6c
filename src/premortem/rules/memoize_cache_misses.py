"""A cache in front of a join's inner side that hardly ever helps.

Sees:   a Memoize node whose look-ups mostly miss, or that throws out entries to make room.
Hurts:  each miss costs a look-up in the cache besides the one in the table; the planner counted on hits.
Do:     ANALYZE, so that the number of distinct keys is right; more work_mem where entries were thrown out.
Quiet:  caches that help, few look-ups, plans that were not executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.measured import evidence, executed, relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="memoize-cache-misses", severity=Severity.WARNING, needs_analyze=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_lookups`, of which at least `min_share` miss."""

    min_lookups: float = 1_000
    min_share: float = 0.8


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every cache that mostly misses."""
    for node, actual in executed(subject):
        misses = actual.cache_misses or 0.0
        every = misses + (actual.cache_hits or 0.0)
        if every < limits.min_lookups or misses < limits.min_share * every:
            continue
        evicted = actual.cache_evictions or 0.0
        thrown = f" and throws {evicted:,.0f} entries out" if evicted else ""
        yield RULE.finding(
            f"looks {every:,.0f} times into a cache of {relation_of(node)} and misses {misses:,.0f} times{thrown}",
            evidence("misses", misses),
            evidence("hits", every - misses),
            evidence("evictions", evicted),
            table=relation_of(node),
            about="cache",
            node=node,
            parameters=subject.parameters,
            advice="raise work_mem, for entries were thrown out" if evicted else "ANALYZE: fewer keys were expected",
        )
