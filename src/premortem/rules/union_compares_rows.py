"""UNION that compares very many rows in search of duplicates.

Sees:   a UNION of many rows, almost all of which stay.
Hurts:  everything is sorted or hashed, often through temporary files, before the first row is returned.
Do:     UNION ALL, if the parts cannot have rows in common or duplicates do not matter.
Quiet:  few rows; UNION ALL.  Whether duplicates matter only you know, so this is a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Node, Severity
from premortem.rules.amounts import is_guess, relation_of
from premortem.rules.discards import counted
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="union-compares-rows", severity=Severity.INFO, page=__doc__)
_UNION = re.compile(r"\bunion\b(?!\s+all\b)", re.IGNORECASE)
_BETWEEN = frozenset({"Sort", "Gather", "Gather Merge"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` compared (times calls per second), `min_kept` of which are different."""

    min_rows: float = 100_000
    min_kept: float = 0.5


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every UNION that compares very many rows."""
    if is_guess(subject) or not _UNION.search(subject.query.text):
        return
    for node in subject.plan.walk():
        rows = _compared(node)
        if subject.weight(rows) >= limits.min_rows and node.rows >= limits.min_kept * rows:
            yield RULE.finding(
                f"compares {counted(rows)} of a UNION to drop duplicates",
                Evidence.plan("rows compared", round(rows), "rows"),
                table=relation_of(node),
                about="union",
                node=node,
                parameters=subject.parameters,
                advice="write UNION ALL if the parts have no rows in common, or if duplicates do no harm",
            )


def _compared(node: Node) -> float:
    """Return how many rows a node drops duplicates from, nothing where it is not above a UNION's parts."""
    drops = node.kind == "Unique" or (node.kind == "Aggregate" and len(node.group_key) == len(node.output) > 0)
    below = node.inputs[0] if drops and node.inputs else None
    while below is not None and below.kind in _BETWEEN and below.inputs:
        below = below.inputs[0]
    return below.rows if below is not None and below.kind in ("Append", "Merge Append") else 0.0
