"""From a statement as the server shows it to one that can be planned, or the reason why it cannot."""

from __future__ import annotations

from premortem import sources
from premortem.catalog.workload import masked
from premortem.model import Gap, Query, Site, Statement, StatementKind, Unreadable

#: What pg_stat_statements and pg_stat_activity show of other roles' statements without pg_read_all_stats.
HIDDEN = "<insufficient privilege>"
_LONGEST = 100_000
_NO_PLAN = "There is no plan of it, and no proposal of an index."


def readable(statement: Statement) -> Query | Gap:
    """Return the statement as a query with `$n` for its values, or what keeps it from being planned.

    Values that the server left in the text are taken out: no plan shows one.
    """
    text = statement.text.strip()
    if not text or text == HIDDEN:
        return Gap(
            subject="statement",
            says="The server does not show its text to this role.",
            effect=_NO_PLAN,
            cure="GRANT pg_read_all_stats (or pg_monitor) TO the role",
        )
    if len(text) > _LONGEST:
        return _unplanned(f"Its text is {len(text):,} characters long.")
    found = sources.text(masked(text), Site(source="statement"))
    if len(found) != 1:
        return _unplanned("Its text holds several statements." if found else "Its text holds no statement.")
    (query,) = found
    if isinstance(query, Unreadable):
        return _unplanned(f"Its text cannot be read ({query.says}); the server may have cut it.")
    if query.kind is StatementKind.UTILITY:
        return _unplanned("It is a utility statement, which has no plan.")
    return query


def _unplanned(says: str) -> Gap:
    return Gap(subject="statement", says=says, effect=_NO_PLAN)
