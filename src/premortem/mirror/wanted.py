"""Which tables queries touch, so that a run in CI builds these and no others.

What a query names counts, and what the views, rules, functions and inheritance behind it name.  A word that happens to
be a function's name makes the mirror larger, never wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from premortem import sqltext
from premortem.errors import PremortemError
from premortem.mirror import families
from premortem.model import ObjectKind, Profile, Query, RelationKind, RelationName, Table
from premortem.sqltext import TableName

_WORD = re.compile(r'"((?:[^"]|"")+)"|([A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*)')
_WITH_ROWS = (RelationKind.TABLE, RelationKind.PARTITIONED_TABLE)


def tables(queries: Iterable[Query], profile: Profile) -> tuple[RelationName, ...]:
    """Return the tables that need rows for these queries, in the profile's order; partitions by their root."""
    reached = _Reached(profile)
    for query in queries:
        reached.text(query.text, query.search_path)
    return tuple(t.relation for t in profile.tables if t.relation in reached.tables)


class _Reached:
    """The tables that texts reach so far."""

    def __init__(self, profile: Profile) -> None:
        self.tables: set[RelationName] = set()
        self._profile = profile
        self._texts: set[str] = set()
        self._functions = _functions(profile)

    def text(self, sql: str, search_path: tuple[str, ...] | None = None) -> None:
        """Add what a text names, and what is behind that."""
        if sql in self._texts:
            return
        self._texts.add(sql)
        for table in self._named(sql, search_path or self._profile.search_path):
            self._table(table)
        for word in set(_words(sql)):
            for definition in self._functions.get(word, ()):
                self._body(definition)

    def _named(self, sql: str, path: tuple[str, ...]) -> Iterator[Table]:
        try:
            names = sqltext.tables(sql)
        except PremortemError:  # a text that only the server understands: any word may be a table
            names = tuple(TableName(None, word) for word in set(_words(sql)))
        for name in names:
            schemas = (name.schema,) if name.schema else path
            found = (self._profile.table(RelationName(schema=s, name=name.name)) for s in schemas)
            yield from (t for t in found if t is not None)

    def _body(self, definition: str) -> None:
        """A function's body may be in any language, so every word in it may be a table."""
        if definition in self._texts:
            return
        self._texts.add(definition)
        words = set(_words(definition))
        for table in self._profile.tables:
            if table.name in words:
                self._table(table)

    def _table(self, table: Table) -> None:
        table = self._profile.table(families.root(table, self._profile)) or table
        if table.relation in self.tables:
            return
        if table.kind in _WITH_ROWS:
            self.tables.add(table.relation)
        for policy in table.policies:
            self.text(f"SELECT {policy.using or policy.check or 'true'}")
        if table.definition is not None:
            self.text(table.definition, self._profile.search_path)
        for child in self._profile.tables:
            if table.relation in child.parents and child.partition_bound is None:
                self._table(child)


def _functions(profile: Profile) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in profile.objects:
        if one.kind in (ObjectKind.FUNCTION, ObjectKind.AGGREGATE, ObjectKind.RULE):
            found.setdefault(one.name, []).append(one.definition)
    return found


def _words(sql: str) -> Iterator[str]:
    for quoted, plain in chain(_WORD.findall(sql)):
        yield quoted.replace('""', '"') if quoted else plain.lower()
