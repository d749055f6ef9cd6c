"""A count that has to look at millions of rows each time.

Sees:   count(*) over very many rows, without GROUP BY.
Hurts:  PostgreSQL keeps no count: every call reads the table, or an index of it, again; list pages with page numbers do
        this on each view.
Do:     leave the total out or show "more than 1,000" (count a subquery with LIMIT 1001), estimate it from
        pg_class.reltuples, or keep a counter.
Quiet:  fewer rows, sums and averages (they are wanted for what they say), counts by group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Node, Severity
from premortem.rules.amounts import is_guess, relation_of
from premortem.rules.discards import counted
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="counts-many-rows", severity=Severity.INFO, page=__doc__)
_COUNT = re.compile(r"(?:PARTIAL )?count\((?:\*|[\w.\"]+)\)\Z")
_PASSED = frozenset({"Gather", "Append", "Subquery Scan", "Result"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` counted (times calls per second); from `warning_rows` on it is a warning."""

    min_rows: float = 1_000_000
    warning_rows: float = 10_000_000


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every count of very many rows."""
    for execution in subject.executions:
        node = execution.node
        if not _counts(node) or is_guess(subject):
            continue
        rows = node.inputs[0].rows * execution.processes * execution.loops
        if subject.weight(rows) >= limits.min_rows and _source(node):
            yield RULE.finding(
                f"counts {counted(rows)} of {relation_of(node)}",
                Evidence.plan("rows counted", round(rows), "rows"),
                table=relation_of(node),
                about="count",
                node=node,
                parameters=subject.parameters,
                severity=Severity.WARNING if subject.weight(rows) >= limits.warning_rows else None,
                advice="stop counting at a limit, show an estimate, or keep a counter",
            )


def _counts(node: Node) -> bool:
    lone = node.kind == "Aggregate" and not node.group_key and len(node.output) == 1
    return (
        lone and bool(node.inputs) and node.raw.get("Partial Mode") != "Finalize" and bool(_COUNT.match(node.output[0]))
    )


def _source(node: Node) -> bool:
    """Whether the rows come from one table, without a join."""
    below = node.inputs[0]
    while below.kind in _PASSED and below.inputs:
        below = below.inputs[0]
    return below.relation is not None
