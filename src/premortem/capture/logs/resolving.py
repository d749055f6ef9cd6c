"""Makes plannable what a function ran: once a schema tells its variables from columns, they become parameters."""

from __future__ import annotations

from dataclasses import replace

from premortem import sqltext
from premortem.errors import StatementError
from premortem.model import Profile, Query

#: The tag of a statement that a function ran, with the function's name and line.
FUNCTION = "function"


def resolved(query: Query, profile: Profile) -> Query:
    """Return a function's query with `$n` in place of the function's variables; any other query as it is."""
    if FUNCTION not in dict(query.tags):
        return query

    def columns(table: sqltext.TableName) -> set[str] | None:
        paths = (query.search_path or ()) if table.schema is None else (table.schema,)
        found = (profile.find_table(table.name, s) for s in paths)
        known = next((t for t in found if t), None) or profile.find_table(table.name, table.schema)
        return {c.name for c in known.columns} if known else None

    try:
        text = sqltext.without_variables(query.text, columns)
        count = sqltext.parameter_count(text) if text else 0
    except StatementError:
        return query
    if text is None:
        return query
    return replace(query, text=text, parameter_count=count, parameter_names=(None,) * count, samples=())
