"""A cast of the column, which an index on the column as it is cannot serve.

Sees:   a filter such as `id::text = $1` or `created_at::date = $1`, written so or caused by a parameter's type.
Hurts:  the whole table is read and cast row by row, although an index on the column may exist.
Do:     cast the value and not the column, or ask for a range; an index on the cast where that is immutable.
Quiet:  small tables, casts that change nothing (varchar to text), an index on the cast, another condition that a
        plain index serves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.discards import Discarding, about, counted, discarding, rows_evidence
from premortem.rules.expression_hides_index import hidden
from premortem.rules.obstacles import Obstacle, guilty
from premortem.rules.readings import Reading
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import Condition, Operand, base_type, comparisons

RULE = Rule(name="cast-hides-index", severity=Severity.ERROR, curable_by_index=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Discarding):
    """At least `min_rows` read, at most `max_kept` of them kept."""


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every scan whose filters are about a cast column."""
    for reading in discarding(subject, limits, Obstacle.CAST):
        conditions = tuple(guilty(reading, Obstacle.CAST))
        yield RULE.finding(
            f"casts {_cast(reading, conditions)} in {counted(reading.read)} of {reading.relation} to keep"
            f" {counted(reading.kept)}{hidden(reading, conditions)}",
            *rows_evidence(reading),
            table=reading.relation,
            about=about(reading, conditions),
            node=reading.node,
            parameters=subject.parameters,
            advice=_advice(reading, conditions),
        )


def _cast(reading: Reading, conditions: tuple[Condition, ...]) -> str:
    operand = _operand(reading, conditions)
    return operand.expression if operand is not None else "a column"


def _operand(reading: Reading, conditions: tuple[Condition, ...]) -> Operand | None:
    found = (c.about(reading.node.alias) for part in conditions for c in comparisons(part))
    return next((c.left for c in found if c is not None and c.left.casts), None)


def _advice(reading: Reading, conditions: tuple[Condition, ...]) -> str:
    operand = _operand(reading, conditions)
    if operand is None or operand.column is None:
        return "cast the value, not the column"
    if operand.casts[-1] == "date":
        name = operand.column.column
        return f"ask for a range: {name} >= day and {name} < day + 1, which an index on {name} serves"
    column = reading.table.column(operand.column.column)
    wanted = f" to {base_type(column.type)}" if column is not None else ""
    return f"cast the value{wanted}, not the column"
