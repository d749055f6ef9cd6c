"""The demands that foreign keys make: for every row that goes from a parent, PostgreSQL searches the child.

They are in no plan and in no pg_stat_statements (unless that tracks nested statements), and a workload without them
would find the child's index unused and worth nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from premortem import sqltext, triggers
from premortem.errors import StatementError
from premortem.model import Demand, Profile, Query, RelationKind, RelationName, Site, StatementKind, Table
from premortem.triggers import Change, Hidden
from premortem.workload.reading.calls import Scale

_DAY = timedelta(days=1).total_seconds()
#: What was counted over less than this is a load or a restore as likely as the usual.
_SHORTEST_WINDOW = timedelta(hours=1)
#: How many foreign keys a cascade is followed through.
_MOST = 1_000
#: The triggers' own queries, where pg_stat_statements tracks nested statements: they are counted as they are.
_TRIGGERS_OWN = re.compile(r"^SELECT \S+ FROM (?:ONLY )?(\S+) x WHERE \$\d.* FOR KEY SHARE OF x$", re.DOTALL)
_NOWHERE = Site(source="")
_MAY_CHANGE = re.compile(r"\b(?:delete|update)\b", re.IGNORECASE)


def demands_of_keys(groups: Sequence[Sequence[Query]], profile: Profile, scale: Scale) -> tuple[Demand, ...]:
    """Return what foreign keys search for on behalf of the rows that production deletes, and of these queries.

    Each group is one query by all its texts, and `scale` says how often it runs.
    """
    own = (_TRIGGERS_OWN.search(group[0].text) for group in groups)
    known = frozenset(found[1].replace('"', "") for found in own if found)
    rates: dict[tuple[RelationName, str], tuple[Change, float | None]] = {}
    for change, rate in (*_of_activity(profile), *_of_queries(groups, profile, scale)):
        place = (change.relation, change.operation)
        first, before = rates.get(place, (change, 0.0))
        rates[place] = (replace(first, columns=first.columns | change.columns), _more(before, rate, change))
    found: dict[str, Demand] = {}
    waiting = list(rates.values())
    while waiting and len(found) < _MOST:
        change, rate = waiting.pop(0)
        for hidden in triggers.hidden(change, profile, _NOWHERE):
            if hidden.query.fingerprint not in found and hidden.child.sql.replace('"', "") not in known:
                found[hidden.query.fingerprint] = _demand(hidden, rate)
                waiting.extend(_cascading(hidden, rate))
    return tuple(found.values())


def _more(before: float | None, rate: float | None, change: Change) -> float | None:
    """Return the rows a day of two sources: production's own count of deleted rows has those of the queries in it."""
    if before is None or rate is None:
        return before if rate is None else rate
    return max(before, rate) if change.operation == "delete" else before + rate


def _demand(hidden: Hidden, rate: float | None) -> Demand:
    site = Site(source=f"foreign key {hidden.constraint} of {hidden.child}")
    return Demand(query=replace(hidden.query, site=site), sets=(), shares=(), calls_per_day=rate)


def _cascading(hidden: Hidden, rate: float | None) -> Iterator[tuple[Change, float | None]]:
    """Yield what a cascade does to the child, and thereby to the child's children; at least a row for each."""
    if hidden.query.kind is StatementKind.DELETE:
        yield Change(relation=hidden.child, operation="delete", rows=1), rate
    elif hidden.query.kind is StatementKind.UPDATE:
        yield Change(relation=hidden.child, operation="update", rows=1, columns=frozenset(hidden.columns)), rate


# where rows go ----------------------------------------------------------------------------------------------


def _of_activity(profile: Profile) -> Iterator[tuple[Change, float | None]]:
    """Yield the tables of which production deletes rows; a partition's rows go from its parent too."""
    rates: dict[RelationName, float] = {}
    for table in profile.tables:
        activity = table.activity
        if activity.deletes > 0 and activity.window is not None and activity.window >= _SHORTEST_WINDOW:
            for place in dict.fromkeys((table.relation, _root(table, profile))):
                rates[place] = rates.get(place, 0.0) + activity.deletes * _DAY
    # the parents first: what refers to one is searched for the rows of all its partitions
    for place in sorted(rates, key=lambda name: -rates[name]):
        yield Change(relation=place, operation="delete", rows=1), rates[place]


def _root(table: Table, profile: Profile) -> RelationName:
    parent = profile.table(table.parents[0]) if table.parents else None
    is_partition = parent is not None and parent.kind is RelationKind.PARTITIONED_TABLE
    return _root(parent, profile) if is_partition and parent is not None else table.relation


def _of_queries(
    groups: Sequence[Sequence[Query]], profile: Profile, scale: Scale
) -> Iterator[tuple[Change, float | None]]:
    """Yield what queries delete, and which columns they update, with the rows a day."""
    for group in groups:
        if _MAY_CHANGE.search(group[0].text):
            calls = scale.calls_a_day(group)
            for change in _changes(group[0], profile):
                yield change, None if calls is None else calls * scale.rows_per_call(group)


def _changes(query: Query, profile: Profile) -> Iterator[Change]:
    try:
        facts = sqltext.statement_facts(query.text)
    except StatementError:
        return
    for name in facts.deletes:
        if (table := _table(name, query, profile)) is not None:
            yield Change(relation=table.relation, operation="delete", rows=1)
    for name, columns in facts.updates:
        if (table := _table(name, query, profile)) is not None:
            yield Change(relation=table.relation, operation="update", rows=1, columns=frozenset(columns))


def _table(name: sqltext.TableName, query: Query, profile: Profile) -> Table | None:
    schemas = (name.schema,) if name.schema else (query.search_path or profile.search_path)
    found = (profile.table(RelationName(schema=schema, name=name.name)) for schema in schemas)
    return next((table for table in found if table is not None), None)
