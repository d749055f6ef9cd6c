"""An index that a plan's conditions suggest, where there is no planner to ask: advice, and nothing more.

Equalities come first, then the range or the order that the query wants, as every B-tree wants it; which of several
equalities goes first is left as the candidates' usual order has it.
"""

from __future__ import annotations

from premortem.advisor.existing import same_index
from premortem.advisor.proposing import proposals
from premortem.advisor.reading import wants
from premortem.model import IndexCandidate, Planned, Profile, Table


def untried(planned: Planned, table: Table, profile: Profile) -> IndexCandidate | None:
    """Return the first candidate for a table, None where its conditions suggest none that is not there already."""
    for want in wants((planned,), profile):
        if want.table.relation != table.relation:
            continue
        groups = (group for group in proposals(want, profile) if len(group) == 1)
        return next((c for (c,) in groups if c.predicate is None and same_index(c, want.table) is None), None)
    return None
