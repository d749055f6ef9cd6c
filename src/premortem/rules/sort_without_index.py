"""A sort of many rows for the first few, or for one row per group, that an index would hand over in order.

Sees:   a Sort, Incremental Sort or plain min/max over many rows of one table, of which LIMIT, DISTINCT ON or the
        aggregate keeps few.
Hurts:  the whole set is read and sorted for every page shown; the largest customer waits longest.
Do:     an index with the equality columns first and the sort columns after them, in the query's directions.
Quiet:  few rows sorted, sorts whose result is wanted whole, keys that are computed from several tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import Evidence, Finding, Node, Profile, Severity
from premortem.plans import largest_share
from premortem.rules.discards import counted, is_small
from premortem.rules.execution import Execution
from premortem.rules.readings import Reading
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="sort-without-index", severity=Severity.ERROR, curable_by_index=True, page=__doc__)
_SORTS = frozenset({"Sort", "Incremental Sort"})
_TAKERS = frozenset({"Limit", "Unique", "Group"})
_PASSED = frozenset(
    "Gather|Gather Merge|Append|Merge Append|Subquery Scan|Result|LockRows|ProjectSet|WindowAgg".split("|")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` sorted (times calls per second), of which at most `max_kept` are handed on."""

    min_rows: float = 5_000
    max_kept: float = 0.1


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every sort of much for little."""
    for execution in subject.executions:
        if execution.node.kind in _SORTS:
            yield from _sorted(subject, execution, limits)
        elif execution.node.kind == "Aggregate" and execution.node.strategy == "Plain":
            yield from _extreme(subject, execution, limits)


def _sorted(subject: Subject, execution: Execution, limits: Limits) -> Iterator[Finding]:
    node = execution.node
    reading = _source(subject, node)
    keys = tuple(sqltext.sort_key(k) for k in node.sort_key)
    if reading is None or is_small(reading) or not all(_is_of(k, reading) for k in keys):
        return
    rows = _rows_sorted(node, subject.profile) * execution.processes * execution.loops
    kept = _taken(execution) * execution.processes * execution.loops
    if subject.weight(rows) < limits.min_rows or kept > limits.max_kept * rows:
        return
    yield _finding(subject, reading, node, rows, kept, ", ".join(k.expression for k in keys))


def _rows_sorted(node: Node, profile: Profile) -> float:
    """Return how many rows a sort takes in before it hands out the first.

    An incremental sort takes in a group of equal prefixes: as its start-up cost tells, which takes all groups for
    equally large, or as the most common value of the presorted columns makes the largest.
    """
    below = node.inputs[0]
    if node.kind == "Sort" or below.total_cost <= 0:
        return below.rows
    shares = [largest_share(key, node, profile) for key in node.presorted_key]
    return below.rows * min(max(node.startup_cost / below.total_cost, min(shares, default=0.0)), 1.0)


def _taken(execution: Execution) -> float:
    """Return how many rows are asked of a sort by what stands above it."""
    for parent in reversed(execution.parents):
        if parent.kind in _TAKERS or (parent.kind == "Aggregate" and parent.strategy == "Sorted"):
            return parent.rows if parent.kind in ("Limit", "Unique") else execution.node.rows
        if parent.kind not in _PASSED:
            break
    return execution.node.rows


def _source(subject: Subject, node: Node) -> Reading | None:
    """Return the one relation that a sort's rows come from; on the way down a join's outer side carries the order."""
    while node.inputs:
        if node.kind == "Aggregate" and node.strategy != "Plain":
            return None
        if (found := subject.reading_of(node)) is not None:
            return found
        node = node.inputs[0]
    return subject.reading_of(node)


def _is_of(key: sqltext.SortKey, reading: Reading) -> bool:
    """Whether a sort key is computed from that relation's columns alone."""
    if key.operand is None or not key.operand.columns:
        return False
    aliases = {part.node.alias for part in reading.parts} | {None}
    partitioned = len(reading.parts) > 1 or reading.table.relation != reading.scanned[0].relation
    return partitioned or all(c.alias in aliases for c in key.operand.columns)


def _extreme(subject: Subject, execution: Execution, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for a lone min() or max() that reads everything."""
    node = execution.node
    calls = [o for o in map(sqltext.operand, node.output) if o is not None]
    lone = calls[0] if len(node.output) == 1 and len(calls) == 1 else None
    reading = _source(subject, node)
    if lone is None or reading is None or is_small(reading) or lone.functions not in (("min",), ("max",)):
        return
    if subject.weight(reading.kept) >= limits.min_rows and lone.columns:
        column = ", ".join(c.column for c in lone.columns)
        yield _finding(subject, reading, node, reading.kept, 1.0, column)


def _finding(subject: Subject, reading: Reading, node: Node, rows: float, kept: float, keys: str) -> Finding:
    verb = "sorts" if node.kind in _SORTS else "looks through"
    return RULE.finding(
        f"{verb} {counted(rows)} of {reading.relation} by {keys} to hand on {counted(kept)}",
        Evidence.plan("rows sorted", round(rows), "rows"),
        Evidence.plan("rows handed on", round(kept), "rows"),
        table=reading.relation,
        about=keys,
        node=node,
        parameters=subject.parameters,
    )
