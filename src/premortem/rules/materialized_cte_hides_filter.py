"""A common table expression that is computed whole, and filtered afterwards.

Sees:   a CTE Scan with a filter that keeps little of what the CTE returned, where the filter could have been inside.
Hurts:  MATERIALIZED, or using a CTE twice, is a wall: conditions outside do not reach the indexes inside.
Do:     put the condition into the CTE, write NOT MATERIALIZED, or use a subquery.
Quiet:  small results, recursive CTEs, CTEs that write, ones that aggregate, limit or number what they return.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import Evidence, Finding, Node, Severity
from premortem.rules.amounts import relation_of
from premortem.rules.discards import counted
from premortem.rules.readings import columns_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="materialized-cte-hides-filter", severity=Severity.WARNING, page=__doc__)
_WALLS = frozenset(
    "Aggregate|WindowAgg|Limit|Unique|SetOp|Recursive Union|ModifyTable|Group|ProjectSet|Function Scan".split("|")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` computed (times calls per second), of which at most `max_kept` are used."""

    min_rows: float = 10_000
    max_kept: float = 0.2


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every CTE that is computed for a few of its rows."""
    producers = {n.subplan_name: n for n in subject.plan.walk() if n.subplan_name and n.subplan_name.startswith("CTE ")}
    for name, producer in producers.items():
        scans = [n for n in subject.plan.walk() if n.kind == "CTE Scan" and f"CTE {n.cte_name}" == name]
        kept = sum(n.rows for n in scans)
        much = subject.weight(producer.rows) >= limits.min_rows and kept <= limits.max_kept * producer.rows
        if scans and much and all(_is_plain(n.filter) for n in scans) and not _is_wall(producer):
            yield _finding(subject, producer, scans, kept)


def _is_plain(text: str | None) -> bool:
    return bool(text) and "SubPlan" not in (text or "")


def _is_wall(producer: Node) -> bool:
    """Whether a filter could not have moved into it without another answer."""
    node = producer
    while node.kind not in _WALLS:
        if len(node.inputs) != 1:
            return any(n.kind in _WALLS for n in node.walk())
        node = node.inputs[0]
    return True


def _finding(subject: Subject, producer: Node, scans: list[Node], kept: float) -> Finding:
    table = relation_of(producer)
    asked = [sqltext.condition(n.filter) for n in scans if n.filter]
    columns = ",".join(columns_of(asked))
    name = scans[0].cte_name
    return RULE.finding(
        f"computes {counted(producer.rows)} of {table} in the CTE {name} to keep {counted(kept)} ({columns})",
        Evidence.plan("rows computed", round(producer.rows), "rows"),
        Evidence.plan("rows kept", round(kept), "rows"),
        table=table,
        about=columns,
        node=scans[0],
        parameters=subject.parameters,
        advice=f"put the condition into {name}, or write {name} AS NOT MATERIALIZED",
    )
