"""What was accepted before, and what is new against it.

Words: an *accepted* query is one that the lock has; its *facts* are a digest of all that its plan depends on; a query
of today is *the same*, *edited* or *new*; what is accepted and nobody asks any more is *gone*.

    parse(text) / render(lock)      premortem.lock, which git can merge
    key(query)                      the name of a query in it
    match(queries, accepted)        which query is which
    World.facts(query)              the digest: while it is the same, the query need not be planned
    lost(before, after, profile)    the indexes that an edit leaves unused, and why
    outline(plan)                   a plan's shape as the lock keeps it

Nothing here reads a file or plans a query; whether a plan is worse is decided in `check`.
"""

from premortem.baseline.facts import RULES, SCHEMA, SERVER, STATISTICS, World, changed
from premortem.baseline.facts import settings as planner_settings
from premortem.baseline.identity import key, outline
from premortem.baseline.limits import Limits
from premortem.baseline.lock import DEFAULT_FILE, Lock, parse, render
from premortem.baseline.lost import Lost, lost, used
from premortem.baseline.matching import Match, Matches, match

__all__ = [
    "DEFAULT_FILE",
    "RULES",
    "SCHEMA",
    "SERVER",
    "STATISTICS",
    "Limits",
    "Lock",
    "Lost",
    "Match",
    "Matches",
    "World",
    "changed",
    "key",
    "lost",
    "match",
    "outline",
    "parse",
    "planner_settings",
    "render",
    "used",
]
