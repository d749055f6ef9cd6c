"""A function or expression around a column, which no index on the bare column can serve.

Sees:   a filter such as `lower(email) = $1` that discards most of what is read, and no index on that expression.
Hurts:  the whole table is read and the function called for every row, although an index on the column may exist.
Do:     index the expression where it is immutable, or compare the bare column; the advisor proves an index.
Quiet:  small tables, an index on the expression, another condition that a plain index would serve.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.discards import Discarding, about, counted, discarding, rows_evidence
from premortem.rules.obstacles import Obstacle, guilty, indexes_starting_with
from premortem.rules.readings import Reading, columns_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import Condition, comparisons

RULE = Rule(name="expression-hides-index", severity=Severity.ERROR, curable_by_index=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Discarding):
    """At least `min_rows` read, at most `max_kept` of them kept."""


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every scan whose filters are all about expressions."""
    for reading in discarding(subject, limits, Obstacle.EXPRESSION):
        conditions = tuple(guilty(reading, Obstacle.EXPRESSION))
        yield RULE.finding(
            f"computes {_expression(conditions, reading)} for {counted(reading.read)} of {reading.relation} to keep"
            f" {counted(reading.kept)}{hidden(reading, conditions)}",
            *rows_evidence(reading),
            table=reading.relation,
            about=about(reading, conditions),
            node=reading.node,
            parameters=subject.parameters,
            advice="index the expression itself if it is immutable, or compare the bare column",
        )


def _expression(conditions: tuple[Condition, ...], reading: Reading) -> str:
    found = (c.about(reading.node.alias) for part in conditions for c in comparisons(part))
    return next((c.left.expression for c in found if c is not None), "an expression")


def hidden(reading: Reading, conditions: tuple[Condition, ...]) -> str:
    """Return which index on the bare column is not used, as the end of a sentence."""
    columns = columns_of(conditions, reading.node.alias)
    names = [name for column in columns for name in indexes_starting_with(reading.table, column)]
    return f"; the index {names[0]} cannot serve it" if names else ""
