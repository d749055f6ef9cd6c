"""A page far down that is reached by reading and dropping all the pages before it.

Sees:   an OFFSET of many rows, much larger than the page itself.
Hurts:  page 5,000 reads 5,000 pages; crawlers and export jobs go there although people do not.
Do:     ask for what comes after the last row seen: `where (created_at, id) < ($1, $2) order by … limit …`.
Quiet:  small offsets; a generic plan, for which the planner makes an OFFSET up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Node, RelationName, Severity
from premortem.rules.discards import counted
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="deep-offset", severity=Severity.WARNING, curable_by_index=False, page=__doc__)
_PARAMETER = re.compile(r"\boffset\s+\(?\s*\$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` skipped (times calls per second), and `min_ratio` times as many as are returned."""

    min_rows: float = 10_000
    min_ratio: float = 10


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every LIMIT node that skips much."""
    if subject.planned.parameters.is_generic and _PARAMETER.search(subject.query.text):
        return
    for node in subject.plan.walk():
        skipped = _skipped(node)
        if subject.weight(skipped) >= limits.min_rows and skipped >= limits.min_ratio * max(node.rows, 1.0):
            yield _finding(subject, node, skipped)


def _skipped(node: Node) -> float:
    """Return the rows that an OFFSET drops: the part of its input's run cost that comes before its first row."""
    if node.kind != "Limit" or not node.inputs:
        return 0.0
    below = node.inputs[0]
    if node.actual is not None and below.actual is not None:
        return max(below.actual.rows - node.actual.rows, 0.0)
    span = below.total_cost - below.startup_cost
    share = (node.startup_cost - below.startup_cost) / span if span > 0 else 0.0
    return below.rows * min(max(share, 0.0), 1.0)


def _finding(subject: Subject, node: Node, skipped: float) -> Finding:
    table = next((n.relation for n in node.walk() if n.relation is not None), RelationName(schema="", name="query"))
    return RULE.finding(
        f"reads and drops {counted(skipped)} of {table} to return {counted(node.rows)}",
        Evidence.plan("rows dropped", round(skipped), "rows"),
        Evidence.plan("rows returned", round(node.rows), "rows"),
        table=table,
        about="offset",
        node=node,
        parameters=subject.parameters,
        advice="go on from the last row seen (keyset pagination) and not from the start",
    )
