"""What a statement runs without naming it: the queries of foreign keys' triggers.

Words: a *change* is what a statement does to a table; a *hidden* query is one that a trigger runs because of it.

    changes(plan, facts)            -> Change …     what a plan deletes or updates
    hidden(change, profile, site)   -> Hidden …     the queries that follow from it

Their texts are PostgreSQL's own.  What triggers of users run is not known here: it is in no plan and in no catalog.
"""

from premortem.triggers.foreign_keys import Change, Hidden, changes, hidden

__all__ = ["Change", "Hidden", "changes", "hidden"]
