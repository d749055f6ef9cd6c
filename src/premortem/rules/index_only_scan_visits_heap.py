"""An index-only scan that has to look into the table all the same.

Sees:   an Index Only Scan with many heap fetches: pages that are not marked all-visible.
Hurts:  each is a visit to the table, which the index was there to avoid; it grows until the next vacuum.
Do:     VACUUM the table, and let autovacuum come more often (autovacuum_vacuum_insert_scale_factor, 13 and later).
Quiet:  few fetches, tables that were just vacuumed, plans that were not executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.discards import counted
from premortem.rules.measured import evidence, executed, relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="index-only-scan-visits-heap", severity=Severity.WARNING, needs_analyze=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` fetched from the table, and at least `min_share` of the rows found (dataxplan: 10 %)."""

    min_rows: float = 1_000
    min_share: float = 0.1


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every index-only scan that visits the table much."""
    for node, actual in executed(subject):
        fetched = actual.heap_fetches or 0.0
        found = (actual.rows + (actual.rows_removed_by_filter or 0.0)) * actual.loops
        if node.kind != "Index Only Scan" or fetched < limits.min_rows or fetched < limits.min_share * found:
            continue
        yield RULE.finding(
            f"looks {fetched:,.0f} times into {relation_of(node)} for {counted(found)} that index {node.index} holds",
            evidence("heap fetches", fetched),
            evidence("rows found", found, "rows"),
            table=relation_of(node),
            about=node.index or "",
            node=node,
            parameters=subject.parameters,
            advice=f"VACUUM {relation_of(node)}; if it comes back soon, let autovacuum come more often",
        )
