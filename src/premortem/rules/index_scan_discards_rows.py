"""An index scan that filters out most of what it reads.

Sees:   an Index Scan or Bitmap Heap Scan whose filter drops most of the rows that its index condition found, or that
        goes through a whole index because its condition leaves the index's first column out.
Hurts:  every row found is a visit to the table, most of them in vain; the largest customer waits longest.
Do:     add the filtered column to the index, or make the index partial; the advisor proposes which and proves it.
Quiet:  few rows read, filters that keep much, a LIMIT that is sure to be reached soon.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.discards import Discarding, about, asked, counted, discarding, kept_rows, on_columns, rows_evidence
from premortem.rules.obstacles import Obstacle
from premortem.rules.readings import BY_INDEX, Reading
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="index-scan-discards-rows", severity=Severity.ERROR, curable_by_index=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Discarding):
    """Fewer rows than for a sequential scan: each is a page of its own in the worst case."""

    min_rows: float = 2_000


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every index scan that visits many rows of a table for few."""
    for reading in discarding(subject, limits, Obstacle.NONE, Obstacle.OTHER):
        if reading.how == BY_INDEX:
            yield _finding(subject, reading)


def _finding(subject: Subject, reading: Reading) -> Finding:
    return RULE.finding(
        _says(reading),
        *rows_evidence(reading),
        table=reading.relation,
        about=about(reading, asked(reading)),
        node=reading.node,
        parameters=subject.parameters,
    )


def _says(reading: Reading) -> str:
    times = f" in {counted(reading.loops, 'turn')}" if reading.loops > 1 else ""
    columns = on_columns(reading, asked(reading))
    if reading.filters:
        return (
            f"finds {counted(reading.read)} of {reading.relation} by index{_index(reading)}{times} and keeps"
            f" {kept_rows(reading)} after filtering{columns}"
        )
    return (
        f"goes through {counted(reading.read)} of {reading.relation} in index{_index(reading)}{times} to find"
        f" {kept_rows(reading)}: the condition{columns} leaves the index's first column out"
    )


def _index(reading: Reading) -> str:
    names = [n.index for n in reading.node.walk() if n.index]
    return f" {names[0]}" if len(reading.parts) == 1 and len(names) == 1 else ""
