"""A result that grows with the data: very many rows, and no LIMIT.

Sees:   a SELECT that is expected to return many rows, for values that production has, without a LIMIT.
Hurts:  the application holds all of it in memory at once; a page that was quick with little data ends a worker
        process with much.
Do:     page through it (`where id > $1 order by id limit $2`), or read it through a cursor or COPY.
Quiet:  aggregates and other small results, COPY and cursors, INSERT … SELECT, a generic plan, ranges wider than most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Node, Severity
from premortem.rules.amounts import is_guess, relation_of, sized
from premortem.rules.discards import counted
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="unbounded-result", severity=Severity.WARNING, page=__doc__)
_STREAMED = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:copy|declare|create|refresh)\b", re.IGNORECASE | re.DOTALL)
#: Parameter sets whose values are chosen to match as much as they can: nobody need ever ask for that.
_STRETCHED = frozenset({"wide", "mixed", "crossed"})
_PASSED = frozenset({"Gather", "Gather Merge", "LockRows", "Result", "ProjectSet", "Subquery Scan", "Sort"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` are returned (times calls per second)."""

    min_rows: float = 100_000


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding where a query returns very many rows at once."""
    root = subject.plan.root
    rows = root.actual.rows if root.actual is not None else root.rows
    if subject.weight(rows) < limits.min_rows or is_guess(subject) or subject.parameters in _STRETCHED:
        return
    if root.kind == "ModifyTable" or _is_limited(root) or _STREAMED.match(subject.query.original):
        return
    yield RULE.finding(
        f"returns {counted(rows)} of {relation_of(root)}, about {sized(rows * root.width)}, without a LIMIT",
        Evidence.plan("rows returned", round(rows), "rows"),
        Evidence.plan("size of the result", round(rows * root.width), "bytes"),
        table=relation_of(root),
        about="result",
        node=root,
        parameters=subject.parameters,
        advice="fetch it page by page with a key, or through a cursor, so that memory does not grow with the table",
    )


def _is_limited(node: Node) -> bool:
    while node.kind in _PASSED and node.inputs:
        node = node.inputs[0]
    return node.kind == "Limit"
