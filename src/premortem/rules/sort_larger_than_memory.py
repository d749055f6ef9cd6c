"""A sort that is expected to need far more than `work_mem`, so that it goes through temporary files.

Sees:   a Sort whose input, by the planner's rows and width, is larger than `work_mem` and large in itself.
Hurts:  everything is written to disk and read again; many at a time fill the disk.
Do:     sort less (filter first, fewer columns), an index in that order, or more `work_mem` for this query's role.
Quiet:  sorts that fit, or spill a little; those of which LIMIT keeps a few; a generic plan; a plan that was executed,
        of which sort-spills-to-disk knows more.  The sizes here are estimates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Severity
from premortem.rules.amounts import bytes_of, is_guess, relation_of, sized, work_mem
from premortem.rules.discards import counted
from premortem.rules.execution import Execution
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="sort-larger-than-memory", severity=Severity.WARNING, page=__doc__)
_PASSED = frozenset({"Gather Merge", "Result", "Subquery Scan", "LockRows"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_megabytes` are sorted, and `min_ratio` times `work_mem`."""

    min_megabytes: float = 64
    min_ratio: float = 2


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every sort that will not fit."""
    memory = work_mem(subject.profile)
    for execution in subject.executions:
        node = execution.node
        size = bytes_of(node.rows, node.width) if node.kind == "Sort" and node.actual is None else 0.0
        if size < max(limits.min_megabytes * 2**20, limits.min_ratio * memory):
            continue
        if is_guess(subject) or _is_top(execution):
            continue
        yield RULE.finding(
            f"sorts {counted(node.rows)} of {relation_of(node)}, about {sized(size)}, with {sized(memory)} of memory",
            Evidence.plan("size of what is sorted", round(size), "bytes"),
            Evidence.catalog("work_mem", round(memory), "bytes"),
            table=relation_of(node),
            about=",".join(node.sort_key),
            node=node,
            parameters=subject.parameters,
            advice="sort fewer rows or columns, or give this query's role more work_mem",
        )


def _is_top(execution: Execution) -> bool:
    """Whether a LIMIT keeps the first rows, for which a heap of that many suffices."""
    for parent in reversed(execution.parents):
        if parent.kind == "Limit":
            return parent.rows <= 0.1 * execution.node.rows
        if parent.kind not in _PASSED:
            return False
    return False
