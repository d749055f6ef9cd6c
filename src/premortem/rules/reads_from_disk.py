"""A node that finds most of its pages outside the buffer cache.

Sees:   many shared blocks read and not hit; from disk or from the system's cache, which the plan cannot tell apart.
Hurts:  the first run after a restart, or any run on a table larger than memory, waits for the disk.
Do:     read fewer pages (an index, a narrower range); compare with a second run before blaming the query.
Quiet:  blocks that are in the cache, few blocks, plans without BUFFERS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.measured import about, evidence, executed, milliseconds, own_blocks, pages, relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="reads-from-disk", severity=Severity.INFO, needs_analyze=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_pages` read by the node itself, and at least `min_share` of those that it touches."""

    min_pages: float = 5_000
    min_share: float = 0.5


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every scan that reads much from outside the cache."""
    for node, actual in executed(subject):
        read, hit = (own_blocks(node, name) for name in ("shared_read_blocks", "shared_hit_blocks"))
        if node.relation is None or read < limits.min_pages or read < limits.min_share * (read + hit):
            continue
        waited = f", {milliseconds(actual.read_ms)} of waiting" if actual.read_ms else ""
        yield RULE.finding(
            f"reads {pages(read)} of {relation_of(node)} from outside the buffer cache, and finds {pages(hit)} in it"
            f"{waited}",
            evidence("blocks read", read),
            evidence("blocks hit", hit),
            table=relation_of(node),
            about=about(node),
            node=node,
            parameters=subject.parameters,
            advice="run it twice: what is still read the second time does not fit into the cache",
        )
