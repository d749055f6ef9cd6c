"""Indexes that production does not have, made visible to the planner for a moment."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from premortem import pg
from premortem.advisor import extensions, index_size
from premortem.errors import StatementError
from premortem.model import IndexCandidate, IndexKey, Profile, RelationName, Table, quoted
from premortem.twin import build, statistics

queries = pg.named_sql("premortem.twin", "sql/whatif.sql")

#: What makes many values one: parts of a time, of a text or of a document, and rounding.  Of these nothing is known.
_MERGES = re.compile(
    r"->|#>|%|\b(?:date_trunc|date_part|extract|date_bin|substr|substring|left|right|split_part|length|floor|ceil|round|trunc)\b"
    r"|::(?:date|boolean|integer|bigint)\b",
    re.I,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The session and server in which indexes can be tried, and the profile that says how large they would be."""

    db: pg.Session
    server: pg.Server
    profile: Profile

    @contextlib.contextmanager
    def indexes(self, candidates: Sequence[IndexCandidate], without: Sequence[RelationName]) -> Iterator[None]:
        """Make the planner see other indexes, and undo it.

        The candidate is a real, empty index.  Reading production's size of zeroes to build it would take hours, so for
        that moment the table points at an empty file: pg_class.relfilenode is changed and changed back, all in a
        transaction that is rolled back.
        """
        with self.db.rolled_back():
            for index in without:
                self.db.execute(queries["hide"], schema=index.schema, name=index.name)
            for number, candidate in enumerate(candidates):
                self._create(candidate, f"premortem_candidate_{number}")
            yield

    def _create(self, candidate: IndexCandidate, name: str) -> None:
        table = self.profile.table(candidate.table)
        if table is None:
            raise StatementError(f"the profile has no table {candidate.table}")
        for extension in extensions(candidate):  # production may lack it: the remedy says to create it
            self.db.execute(f"CREATE EXTENSION IF NOT EXISTS {quoted(extension)}")
        self.db.execute(queries["remember"], relation=table.relation.sql)
        self.db.execute(queries["empty"])
        self.db.execute(candidate.create_sql(name, concurrently=False))
        self.db.execute(queries["refill"])
        self.db.execute(queries["forget"])
        made = self.db.rows(queries["made"], _Made, schema=table.schema, name=name)
        for index in made:
            self._size(candidate, index)

    def _size(self, candidate: IndexCandidate, made: _Made) -> None:
        """Give an index that was just created the size that it would have over production's rows."""
        table = self.profile.table(RelationName(schema=made.schema, name=made.table))
        if table is None:
            return
        size = index_size(candidate, table, major=self.profile.server.major)
        self.db.execute(queries["index-size"], oid=made.oid, pages=size.pages, tuples=size.tuples)
        build.write_file(
            self.server,
            statistics.RelationFile(relation=made.oid, path=made.path, method=candidate.method),
            statistics.Size(
                relation=made.oid, pages=size.pages, relation_pages=size.pages, tuples=size.tuples,
                level=size.level or 0, heap_pages=table.pages,
            ),
        )  # fmt: skip
        for position, key in enumerate(candidate.keys, start=1):
            distinct = expression_distinct(key, table)
            if distinct is not None:
                self.db.execute(queries["expression-statistics"], oid=made.oid, number=position, **distinct)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """An index that was created: on the table itself or on a partition of it."""

    oid: int
    path: str
    schema: str
    table: str


def expression_distinct(key: IndexKey, table: Table) -> dict[str, float] | None:
    """What ANALYZE will find for an expression over one column that keeps its values apart (`lower`, `host`, casts)."""
    if key.expression is None or _MERGES.search(key.expression):
        return None
    named = [c for c in table.columns if re.search(rf"\b{re.escape(c.name)}\b", key.expression)]
    found = named[0].own_statistics if len(named) == 1 else None
    if found is None:
        return None
    return {"distinct": found.n_distinct, "nulls": found.null_fraction, "width": found.average_width}
