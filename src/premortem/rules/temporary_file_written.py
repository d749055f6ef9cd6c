"""Rows that are kept for later and did not fit into work_mem.

Sees:   a CTE, Materialize, window function or function scan whose stored rows went to a temporary file.
Hurts:  they are written and read again, each time the rows are looked through.
Do:     keep fewer or narrower rows, let the planner inline the CTE (NOT MATERIALIZED), more work_mem for this query.
Quiet:  what stays in memory, sorts and hashes (which have rules of their own), plans without BUFFERS before 17.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.discards import counted
from premortem.rules.measured import PAGE, about, evidence, executed, memory_for, own_blocks, place, relation_of, size
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="temporary-file-written", severity=Severity.WARNING, needs_analyze=True, page=__doc__)
STORES = frozenset({"CTE Scan", "Materialize", "WindowAgg", "Function Scan", "Table Function Scan", "Recursive Union"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_kb` written by the node itself."""

    min_kb: float = 8_192


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every node that keeps its rows on disk."""
    for node, actual in executed(subject):
        written = own_blocks(node, "temp_written_blocks") * PAGE / 1024
        kept = max(written, (actual.disk_kb or 0.0) if node.kind in STORES else 0.0)
        if node.kind not in STORES or kept < limits.min_kb:
            continue
        yield RULE.finding(
            f"keeps {counted(actual.rows)} of {place(node)} in a temporary file: {size(kept)}",
            evidence("written to disk", kept, "kB"),
            table=relation_of(node),
            about=node.cte_name or about(node),
            node=node,
            parameters=subject.parameters,
            advice=f"keep fewer columns and rows, or SET LOCAL work_mem = '{memory_for(kept)}'",
        )
