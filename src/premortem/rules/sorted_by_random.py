"""A random choice of rows that reads and sorts them all.

Sees:   `ORDER BY random()` over many rows.
Hurts:  the whole table is read, numbered and sorted for each call; no index can help.
Do:     draw a random key and take the next row (`where id >= $1 order by id limit 1`), or TABLESAMPLE.
Quiet:  few rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Severity
from premortem.rules.amounts import relation_of
from premortem.rules.discards import counted
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="sorted-by-random", severity=Severity.WARNING, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` sorted (times calls per second); `error_rows` are an error."""

    min_rows: float = 10_000
    error_rows: float = 1_000_000


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every sort by a random number."""
    for execution in subject.executions:
        node = execution.node
        if node.kind != "Sort" or not any("random()" in key for key in node.sort_key):
            continue
        rows = node.inputs[0].rows * execution.processes * execution.loops
        if subject.weight(rows) >= limits.min_rows:
            yield RULE.finding(
                f"sorts {counted(rows)} of {relation_of(node)} by random()",
                Evidence.plan("rows sorted", round(rows), "rows"),
                table=relation_of(node),
                about="random()",
                node=node,
                parameters=subject.parameters,
                severity=Severity.ERROR if subject.weight(rows) >= limits.error_rows else None,
                advice="draw a random key and take the next row, or use TABLESAMPLE",
            )
