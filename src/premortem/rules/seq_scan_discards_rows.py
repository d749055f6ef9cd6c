"""A sequential scan that discards most of what it reads.

Sees:   a Seq Scan whose filter, or the join that it feeds, keeps a small share of a large table.
Hurts:  time grows with the table, not with the answer; a small staging copy hides it.
Do:     index the filtered columns, or the join key; the advisor proposes one and proves it.
Quiet:  small tables, filters that keep much, scans that a LIMIT surely stops early, conditions that another rule names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Severity
from premortem.rules.discards import (
    Discarding,
    Join,
    about,
    counted,
    is_small,
    kept_rows,
    on_columns,
    rows_evidence,
    whole_join,
)
from premortem.rules.obstacles import Obstacle, blame
from premortem.rules.readings import WHOLE, Reading
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="seq-scan-discards-rows", severity=Severity.ERROR, curable_by_index=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Discarding):
    """At least `min_rows` read, at most `max_kept` of them kept; the joined side has at most `max_other` as many."""

    max_other: float = 0.1


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every table that is read from end to end for a few of its rows."""
    for reading in subject.readings:
        if reading.how != WHOLE or reading.loops > 1 or is_small(reading):
            continue
        if subject.weight(reading.read) < limits.min_rows:
            continue
        finding = _filtered(subject, reading, limits) or _joined(subject, reading, limits)
        if finding is not None:
            yield finding


def _filtered(subject: Subject, reading: Reading, limits: Limits) -> Finding | None:
    if not reading.filters or reading.kept > limits.max_kept * reading.read:
        return None
    if blame(reading) not in (Obstacle.NONE, Obstacle.OTHER):
        return None
    return RULE.finding(
        f"reads all {counted(reading.read)} of {reading.relation} to keep {kept_rows(reading)}"
        f"{on_columns(reading, reading.filters)}",
        *rows_evidence(reading),
        table=reading.relation,
        about=about(reading, reading.filters),
        node=reading.node,
        parameters=subject.parameters,
    )


def _joined(subject: Subject, reading: Reading, limits: Limits) -> Finding | None:
    join = whole_join(reading.execution)
    if join is None or not _join_is_selective(join, reading, limits):
        return None
    conditions = join.conditions(reading.node.alias)
    if not conditions:
        return None
    kept = join.node.rows * reading.execution.processes
    asked = on_columns(reading, conditions)
    return RULE.finding(
        f"reads all {counted(reading.read)} of {reading.relation} to join {counted(kept)}{asked}",
        *rows_evidence(reading, kept),
        Evidence.plan("rows of the other side", round(join.other.rows), "rows"),
        table=reading.relation,
        about=about(reading, conditions),
        node=reading.node,
        parameters=subject.parameters,
    )


def _join_is_selective(join: Join, reading: Reading, limits: Limits) -> bool:
    processes = reading.execution.processes
    few = join.other.rows * processes <= limits.max_other * reading.read
    return few and join.node.rows * processes <= limits.max_kept * reading.read
