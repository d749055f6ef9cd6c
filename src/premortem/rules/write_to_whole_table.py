"""An UPDATE or DELETE of every row of a large table in one statement.

Sees:   a statement that changes a large table without any condition.
Hurts:  one transaction holds locks on all rows, doubles the table, floods replicas with WAL, and keeps vacuum out.
Do:     in batches by key, each in its own transaction; TRUNCATE where all rows go and nobody reads them.
Quiet:  small tables, statements with a condition or a join, temporary tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Node, Severity
from premortem.rules.discards import counted
from premortem.rules.execution import table_of
from premortem.rules.foreign_key_without_index import rows_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="write-to-whole-table", severity=Severity.WARNING, page=__doc__)
_PASSED = frozenset({"Append", "Result", "Gather", "Subquery Scan"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A table of `min_rows` counts, of `error_rows` as an error."""

    min_rows: float = 10_000
    error_rows: float = 1_000_000


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every table that a statement changes from end to end."""
    for node in subject.plan.walk():
        if node.kind != "ModifyTable" or node.operation not in ("Update", "Delete"):
            continue
        table = table_of(node, subject.profile)
        rows = rows_of(table, subject.profile) if table is not None else 0.0
        if table is None or rows < limits.min_rows or table.persistence == "temporary" or not _takes_all(node):
            continue
        verb = "updates" if node.operation == "Update" else "deletes"
        yield RULE.finding(
            f"{verb} all {counted(rows)} of {table.full_name} in one statement",
            Evidence.stat("rows changed", round(rows), "rows"),
            table=table.relation,
            about=verb,
            node=node,
            parameters=subject.parameters,
            severity=Severity.ERROR if rows >= limits.error_rows else None,
            advice="change it in batches by key, each in its own transaction",
        )


def _takes_all(node: Node) -> bool:
    """Whether all that is below is scans that nothing limits."""
    return bool(node.inputs) and all(_is_whole(n) for n in node.inputs)


def _is_whole(node: Node) -> bool:
    if node.kind in _PASSED and not node.raw.get("One-Time Filter"):
        return _takes_all(node) and not node.raw.get("Subplans Removed")
    return node.kind == "Seq Scan" and node.filter is None
