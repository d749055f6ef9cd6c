"""A write whose log is mostly copies of whole pages.

Sees:   WAL of which full-page images are the larger part.
Hurts:  the first change of a page after a checkpoint logs all 8 kB of it; frequent checkpoints multiply the log.
Do:     checkpoints further apart (max_wal_size, checkpoint_timeout), wal_compression, fewer indexes and scattered keys.
Quiet:  writes that log little, plans without WAL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.measured import PAGE, evidence, relation_of, size
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="wal-mostly-full-pages", severity=Severity.INFO, needs_analyze=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_mb` of log, at least `min_share` of it page images."""

    min_mb: float = 8
    min_share: float = 0.5


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding where page images are most of what a statement logs."""
    actual = subject.plan.root.actual
    if actual is None or not actual.wal_bytes or not actual.wal_full_pages:
        return
    images = min(actual.wal_full_pages * PAGE, actual.wal_bytes)
    if actual.wal_bytes < limits.min_mb * 1024**2 or images < limits.min_share * actual.wal_bytes:
        return
    yield RULE.finding(
        f"logs {size(actual.wal_bytes / 1024)}, most of it {actual.wal_full_pages:,.0f} images of whole pages",
        evidence("WAL", actual.wal_bytes, "bytes"),
        evidence("full page images", actual.wal_full_pages),
        table=relation_of(subject.plan.root),
        about="wal",
        node=subject.plan.root,
        parameters=subject.parameters,
        advice="let checkpoints come less often (max_wal_size, checkpoint_timeout), or set wal_compression",
    )
