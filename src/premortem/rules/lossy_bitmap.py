"""A bitmap that was too large for work_mem and remembers pages, not rows.

Sees:   a Bitmap Heap Scan with lossy heap blocks.
Hurts:  every row of a lossy page is fetched and checked again, most of them in vain.
Do:     an index that finds fewer rows, or more work_mem for this query.
Quiet:  few lossy pages, plans that were not executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity
from premortem.rules.discards import counted
from premortem.rules.measured import about, evidence, executed, memory_for, relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="lossy-bitmap", severity=Severity.WARNING, needs_analyze=True, page=__doc__)
#: What a page takes in an exact bitmap: an entry of a hash table with a bit for each row (tidbitmap.c, PagetableEntry).
BYTES_A_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_pages` lossy pages, and at least `min_share` of all pages of the bitmap."""

    min_pages: float = 500
    min_share: float = 0.1


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every bitmap that lost the rows."""
    for node, actual in executed(subject):
        lossy = float(actual.lossy_pages or 0)
        every = lossy + (actual.exact_pages or 0)
        if not actual.exact_pages:  # a BRIN index knows pages only, whatever the memory
            continue
        if lossy < limits.min_pages or lossy < limits.min_share * every:
            continue
        removed = (actual.rows_removed_by_index_recheck or 0.0) * actual.loops
        yield RULE.finding(
            f"remembers {lossy:,.0f} of {every:,.0f} pages of {relation_of(node)} without their rows, and checks"
            f" {counted(removed)} again in vain",
            evidence("lossy pages", lossy),
            evidence("exact pages", every - lossy),
            evidence("rows removed by recheck", removed, "rows"),
            table=relation_of(node),
            about=about(node),
            node=node,
            parameters=subject.parameters,
            advice=f"find fewer rows by a better index, or SET LOCAL work_mem = '{_wanted(every)}'",
        )


def _wanted(every: float) -> str:
    """Return a work_mem that holds the bitmap with the rows of every page."""
    return memory_for(every * BYTES_A_PAGE / 1024)
