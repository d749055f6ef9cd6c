"""A pattern that starts with a wildcard, or ignores case, which no B-tree can serve.

Sees:   LIKE '%x', LIKE '%x%', ILIKE or an unanchored regular expression that discards most of what is read.
Hurts:  every row's text is searched; no ordinary index has an entry point for it.
Do:     a trigram index (pg_trgm) where the pattern holds three fixed characters, full-text search for words.
Quiet:  small tables, patterns with a fixed start, another condition that a plain index would serve.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.discards import Discarding, about, counted, discarding, on_columns, rows_evidence
from premortem.rules.obstacles import Obstacle, guilty
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import Condition, comparisons

RULE = Rule(name="leading-wildcard", severity=Severity.ERROR, curable_by_index=True, page=__doc__)
_TRIGRAM = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Discarding):
    """At least `min_rows` read, at most `max_kept` of them kept."""


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every scan that searches text from its middle."""
    for reading in discarding(subject, limits, Obstacle.WILDCARD):
        conditions = tuple(guilty(reading, Obstacle.WILDCARD))
        yield RULE.finding(
            f"searches the text of {counted(reading.read)} of {reading.relation}{on_columns(reading, conditions)} for"
            f" a pattern without a fixed start to keep {counted(reading.kept)}",
            *rows_evidence(reading),
            table=reading.relation,
            about=about(reading, conditions),
            node=reading.node,
            parameters=subject.parameters,
            advice=_advice(conditions),
        )


def _advice(conditions: tuple[Condition, ...]) -> str:
    patterns = [c.pattern for part in conditions for c in comparisons(part) if c.pattern is not None]
    if any(len(p.longest) >= _TRIGRAM for p in patterns):
        return "a trigram index (gin, gin_trgm_ops) finds text by its middle"
    return "ask for at least three fixed characters, so that a trigram index can help"
