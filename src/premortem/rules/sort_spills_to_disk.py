"""A sort that did not fit into work_mem and went to disk.

Sees:   a Sort or Incremental Sort that says `Disk:`, that of its workers included.
Hurts:  what is sorted is written and read again; under load every such query competes for the same disk.
Do:     fewer rows or narrower ones, an index in that order, or more work_mem for this query alone.
Quiet:  sorts in memory, small spills, plans that were not executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.discards import counted
from premortem.rules.measured import about, evidence, executed, memory_for, relation_of, size
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="sort-spills-to-disk", severity=Severity.WARNING, needs_analyze=True, page=__doc__)
#: A row takes about that much more room in memory than in a temporary file, where rows are packed.
IN_MEMORY = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_kb` on disk, over all executions and workers."""

    min_kb: float = 1_024


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every sort that went to disk."""
    for node, actual in executed(subject):
        used = actual.disk_kb or 0.0
        if not node.sort_key or used < limits.min_kb:
            continue
        yield RULE.finding(
            f"sorts {counted(actual.rows * actual.loops)} by {', '.join(node.sort_key)} on disk: {size(used)}",
            evidence("written to disk", used, "kB"),
            table=relation_of(node),
            about=about(node),
            node=node,
            parameters=subject.parameters,
            advice=f"sort less, have an index in that order, or SET LOCAL work_mem = '{memory_for(used * IN_MEMORY)}'",
        )
