"""An index that finds candidates, most of which turn out wrong in the table.

Sees:   many rows removed by index recheck where the bitmap is exact: GIN trigrams, GiST boxes, hashed or BRIN ranges.
Hurts:  each candidate is a visit to the table, and often a detoasted value, in vain.
Do:     longer search words, a more exact operator class or finer ranges (pages_per_range), a second condition indexed.
Quiet:  lossy bitmaps (which have a rule of their own), rechecks that keep much, plans that were not executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Actual, Finding, Node, Severity
from premortem.rules.discards import counted
from premortem.rules.measured import evidence, executed, relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="index-recheck-discards-rows", severity=Severity.WARNING, needs_analyze=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` removed, and at most `max_kept` of the candidates kept."""

    min_rows: float = 2_000
    max_kept: float = 0.2


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every index scan whose candidates are mostly wrong."""
    for node, actual in executed(subject):
        removed = (actual.rows_removed_by_index_recheck or 0.0) * actual.loops
        right = (actual.rows + (actual.rows_removed_by_filter or 0.0)) * actual.loops
        if removed < limits.min_rows or right > limits.max_kept * (removed + right) or _is_lossy(node, actual):
            continue
        yield RULE.finding(
            f"looks at {counted(removed + right)} of {relation_of(node)} that {_index(node)} takes for matches, and"
            f" {right:,.0f} are",
            evidence("rows removed by recheck", removed, "rows"),
            evidence("rows that match", right, "rows"),
            table=relation_of(node),
            about=_index(node),
            node=node,
            parameters=subject.parameters,
            advice="search for longer words or a second indexed condition, or use a more exact index",
        )


def _is_lossy(node: Node, actual: Actual) -> bool:
    """Whether work_mem is to blame; a BRIN index marks whole pages whatever it is."""
    bitmap = any(n.index_condition for n in node.walk() if n.kind == "Bitmap Index Scan")
    return bitmap and bool(actual.lossy_pages) and bool(actual.exact_pages)


def _index(node: Node) -> str:
    names = [n.index for n in node.walk() if n.index]
    return names[0] if names else "the index"
