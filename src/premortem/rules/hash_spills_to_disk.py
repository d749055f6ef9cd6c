"""A hash table that did not fit into memory and was split into batches on disk.

Sees:   a Hash with more than one batch, or a HashAggregate with disk usage.
Hurts:  both sides of the join, or the rows of all groups but the first, are written and read again.
Do:     filter before the join or group, hash the smaller side, or more work_mem (hash_mem_multiplier) for this query.
Quiet:  one batch, small tables, plans that were not executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Actual, Finding, Node, Severity
from premortem.rules.discards import counted
from premortem.rules.measured import about, evidence, executed, memory_for, relation_of, size
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="hash-spills-to-disk", severity=Severity.WARNING, needs_analyze=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The table would need at least `min_kb` of memory."""

    min_kb: float = 1_024


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every hash table that was split or went to disk."""
    for node, actual in executed(subject):
        whole = _whole_kb(node, actual)
        if whole is None or whole < limits.min_kb:
            continue
        yield RULE.finding(
            f"{_says(node, actual)}, {size(whole)} in all",
            evidence("batches", actual.batches or 0),
            evidence("hash table", whole, "kB"),
            table=relation_of(node),
            about=about(_join(subject, node)),
            node=node,
            parameters=subject.parameters,
            advice=f"hash fewer rows, or SET LOCAL work_mem = '{memory_for(whole)}'",
        )


def _whole_kb(node: Node, actual: Actual) -> float | None:
    """Return what the whole table takes, None where it fits or is none."""
    if node.kind == "Hash" and (actual.batches or 1) > 1:
        return (actual.memory_kb or 0.0) * (actual.batches or 1)
    if node.kind == "Aggregate" and actual.disk_kb:
        return actual.disk_kb + (actual.memory_kb or 0.0)
    return None


def _says(node: Node, actual: Actual) -> str:
    if node.kind == "Aggregate":
        return f"groups by {', '.join(node.group_key)} with {size(actual.disk_kb or 0.0)} on disk"
    planned = actual.original_batches or actual.batches
    expected = f" where {planned} were expected" if planned != actual.batches else ""
    return f"hashes {counted(actual.rows)} of {relation_of(node)} in {actual.batches} batches{expected}"


def _join(subject: Subject, node: Node) -> Node:
    """Return the join that a Hash feeds, which knows the columns; an aggregate itself."""
    return node if node.kind != "Hash" else (subject.plan.ancestors(node.path) or (node,))[-1]
