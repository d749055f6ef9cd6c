"""Alternatives over several columns, for which no single index helps.

Sees:   a filter `a = $1 OR b = $2` that discards most of what is read, because one arm at least has no index.
Hurts:  one arm without an index is enough to read the whole table, however well the others are served.
Do:     an index for every arm, which PostgreSQL combines (BitmapOr), or a UNION of two queries.
Quiet:  small tables, alternatives over one column, another condition that a plain index would serve.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.discards import Discarding, about, counted, discarding, rows_evidence
from premortem.rules.obstacles import Obstacle, guilty
from premortem.rules.readings import columns_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import Condition, Or, disjuncts

RULE = Rule(name="or-across-columns", severity=Severity.ERROR, curable_by_index=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Discarding):
    """At least `min_rows` read, at most `max_kept` of them kept."""


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every scan that is filtered by alternatives over different columns."""
    for reading in discarding(subject, limits, Obstacle.OR):
        conditions = tuple(guilty(reading, Obstacle.OR))
        yield RULE.finding(
            f"reads {counted(reading.read)} of {reading.relation} to keep {counted(reading.kept)} by alternatives over"
            f" {_arms(conditions)}",
            *rows_evidence(reading),
            table=reading.relation,
            about=about(reading, conditions),
            node=reading.node,
            parameters=subject.parameters,
            advice="an index for every arm of the OR, or a UNION of queries that each have one",
        )


def _arms(conditions: tuple[Condition, ...]) -> str:
    arms = [columns_of([part]) for c in conditions if isinstance(c, Or) for part in disjuncts(c)]
    return " or ".join(dict.fromkeys("(" + ", ".join(arm) + ")" if len(arm) > 1 else arm[0] for arm in arms if arm))
