"""Which index makes a query safe for every parameter set, and why not the others.

Words: a *want* is what a query asks of one relation; a *candidate* is an index that could serve it; a *trial* is what
the planner makes of some candidates; *risk* is a plan's cost when nothing stops early.

    choose(query, planned, findings, profile, replan, limits) -> Choice
        reading      plans -> wants
        btree, operators   wants -> candidates
        proof        candidates -> trials, through the `replan` that is handed in
        search       wants -> trials -> the one to propose
        choice       advice, or one sentence on why no index helps
    index_size(candidate, table) -> IndexSize       pages, tuples and height that the index would have
    whole_size(candidate, profile) -> IndexSize     the same with all partitions of its table
    rebuilt_size(index, table) -> IndexSize         what an existing index would have if it were built again
    costs_of(plan, profile) -> Costs                a plan's cost as shown, and when nothing stops early
    is_of_trigrams(index) -> bool                   whether its scans cost what no plan shows
    upkeep(candidate, table, profile, size) -> Upkeep   what it costs those who write, a day; existing_upkeep too
    lock(candidate, table, profile) -> sentence     what creating it locks and waits for
    as_candidate(index, relation) -> candidate      an existing index in the words of one that could be created
    same_index, invalid_index, replaced             what the indexes that are there mean for a candidate
    names(candidates, profile) -> names             what the indexes will be called
    statements, undo_statements, build_seconds      how it is created and undone, and how long that takes
    looked(planned, profile) -> Look                all candidates for a query and what it asks of relations, untried
    ideas(planned, profile), asked(planned, profile)    either of the two
    caution(candidate, table) -> sentence           what long values would do to a B-tree
    untried(planned, table, profile) -> candidate   what the conditions suggest where nobody can plan with it

`choose` proposes nothing that it did not see planned; `looked` and `untried` are guesses for others to try.  None
touches a server itself.
"""

from premortem.advisor.building import build_seconds, build_time
from premortem.advisor.case import Limits
from premortem.advisor.choice import Choice, choose
from premortem.advisor.existing import as_candidate, invalid_index, replaced, same_index
from premortem.advisor.ideas import Asked, Look, asked, ideas, looked
from premortem.advisor.naming import names
from premortem.advisor.operators import extensions
from premortem.advisor.owning import lock, statements, undo_statements
from premortem.advisor.proof import Replan
from premortem.advisor.risk import Costs, costs_of
from premortem.advisor.size import IndexSize, index_size, rebuilt_size, whole_size
from premortem.advisor.trigrams import is_of_trigrams
from premortem.advisor.untried import untried
from premortem.advisor.upkeep import existing_upkeep, upkeep
from premortem.advisor.wide import caution

__all__ = [
    "Asked",
    "Choice",
    "Costs",
    "IndexSize",
    "Limits",
    "Look",
    "Replan",
    "as_candidate",
    "asked",
    "caution",
    "build_seconds",
    "build_time",
    "choose",
    "costs_of",
    "existing_upkeep",
    "extensions",
    "ideas",
    "index_size",
    "invalid_index",
    "is_of_trigrams",
    "looked",
    "lock",
    "names",
    "rebuilt_size",
    "replaced",
    "same_index",
    "statements",
    "undo_statements",
    "untried",
    "upkeep",
    "whole_size",
]
