"""SELECT … FOR UPDATE that locks very many rows.

Sees:   a locking SELECT that is expected to lock many rows.
Hurts:  each lock is a write to the row; everybody who wants one of them waits until the transaction ends.
Do:     lock what is changed next: a LIMIT with ORDER BY and SKIP LOCKED, in batches.
Quiet:  few rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Severity
from premortem.rules.amounts import is_guess, relation_of
from premortem.rules.discards import counted
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="locks-many-rows", severity=Severity.WARNING, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` locked."""

    min_rows: float = 10_000


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for a statement that locks very many rows."""
    root = subject.plan.root
    if root.kind == "LockRows" and root.rows >= limits.min_rows and not is_guess(subject):
        yield RULE.finding(
            f"locks {counted(root.rows)} of {relation_of(root)} until the transaction ends",
            Evidence.plan("rows locked", round(root.rows), "rows"),
            table=relation_of(root),
            about="lock",
            node=root,
            parameters=subject.parameters,
            advice="lock and change a batch at a time",
        )
