"""A queue of which all workers wait for the same first row.

Sees:   `… ORDER BY … LIMIT n FOR UPDATE` that picks from many candidates and waits for locked ones.
Hurts:  every worker asks for the same row, so one works and the others wait for it; more workers change nothing.
Do:     FOR UPDATE SKIP LOCKED, and a partial index on the waiting rows in the order in which they are taken.
Quiet:  SKIP LOCKED and NOWAIT, few candidates (somebody's last invoice), no LIMIT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Severity
from premortem.rules.amounts import relation_of
from premortem.rules.discards import counted
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="queue-without-skip-locked", severity=Severity.WARNING, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_candidates` to choose from, `max_share` of which are taken at most."""

    min_candidates: float = 1_000
    max_share: float = 0.1


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for a locking LIMIT that waits for others' rows."""
    root = subject.plan.root
    below = root.inputs[0] if root.kind == "Limit" and root.inputs else None
    if below is None or below.kind != "LockRows" or below.rows < limits.min_candidates:
        return
    locks = subject.facts.locks
    waits = any(lock.waits and lock.strength in ("update", "no key update") for lock in locks)
    if waits and root.rows <= limits.max_share * below.rows:
        yield RULE.finding(
            f"takes {counted(root.rows)} of {counted(below.rows, 'candidate')} of {relation_of(root)} and waits where"
            " somebody else has locked them",
            Evidence.plan("candidates", round(below.rows), "rows"),
            table=relation_of(root),
            about="queue",
            node=below,
            parameters=subject.parameters,
            advice="add SKIP LOCKED",
        )
