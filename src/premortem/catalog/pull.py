"""Takes a profile of a production database: set-based reads in one snapshot, and a gap for what stays unseen.

```
pull
├── server        facts, settings, tablespaces, connections
├── relations     tables, columns, constraints, indexes, …     chunks where a lock could be in the way
├── statistics    pg_statistic, or our helper, or pg_stats
├── pages         B-tree heights, GIN metapages
├── objects       schemas, types, functions, …
├── workload      pg_stat_statements
└── values        what of the statistics' values may leave production
```
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from premortem import pg
from premortem.catalog import chunks, objects, pages, relations, server, statistics, workload
from premortem.catalog.kinds import TypeRow
from premortem.catalog.memory import collector_paused
from premortem.catalog.restricting import restricted
from premortem.catalog.rows import (
    ActivityRow,
    ColumnRow,
    ConstraintRow,
    ExpressionRow,
    ExtensionRelationRow,
    IndexRow,
    KeyRow,
    ParentRow,
    PolicyRow,
    RelationRow,
    RuleRow,
    ServerRow,
    SizeRow,
    TriggerRow,
)
from premortem.catalog.values import applied
from premortem.model import (
    ExtendedStatistics,
    Gap,
    Profile,
    RelationName,
    SchemaObject,
    Table,
    Values,
    Workload,
    quoted,
)

QUERIES = pg.named_sql("premortem.catalog", "sql/relations.sql")
Progress = Callable[[str], None]
Row = TypeVar("Row")


def pull(
    session: pg.Session,
    *,
    values: Values,
    progress: Progress | None = None,
    only: Sequence[RelationName] | None = None,
    texts: Sequence[str] = (),
    queries: bool = True,
) -> Profile:
    """Return the profile of the session's database, with values of statistics as `values` lets them leave.

    Without `queries` it holds no workload, for whose texts the server reads all that pg_stat_statements has.

    With `only`, it holds these relations and what their plans need, the functions and types that `texts` name, and no
    workload: what one statement needs, in a moment, of a database with any number of tables.
    """
    with collector_paused():
        if only is None:
            return _pulled(session, values, progress or _quiet, queries=queries)
        whole = _pulled(session, values, progress or _quiet, _closure(session, only), queries=False)
        return restricted(whole, only, texts)


def _closure(db: pg.Session, only: Sequence[RelationName]) -> list[int]:
    schemas, names = [r.schema for r in only], [r.name for r in only]
    return [int(oid) for oid in db.values(QUERIES["closure"], schemas=schemas, names=names)]


def _pulled(
    session: pg.Session, values: Values, tell: Progress, only: list[int] | None = None, *, queries: bool
) -> Profile:
    tell("server and settings")
    facts = server.read(session)
    settings = server.settings(session)
    role_settings = server.role_settings(session)
    found = _tables(session, facts, tell, only)
    tell("values")
    shown = applied(
        found.tables, values, _types(session), secret=secrets.token_bytes(32), code_points=_by_code_point(facts)
    )
    tell("types and functions")
    made, object_gaps = objects.read(session)
    tell("workload")
    seen, workload_gaps = workload.read(session, facts.taken_at, values) if queries else (Workload(), ())
    return Profile(
        taken_at=facts.taken_at, values=values,
        server=server.facts(facts, server.system_identifier(session), server.standbys(session)),
        extensions=server.extensions(session),
        objects=(*made, *found.rules), tables=shown.tables, settings=settings, role_settings=role_settings,
        tablespaces=server.tablespaces(session), search_path=server.search_path(settings), workload=seen,
        connections=server.connections(session),
        gaps=(*server.own_settings_gap(facts, role_settings), *found.gaps, *shown.gaps, *object_gaps, *workload_gaps),
    )  # fmt: skip


def _types(db: pg.Session) -> dict[str, TypeRow]:
    return {row.name: row for row in db.rows(QUERIES["types"], TypeRow)}


def _by_code_point(facts: ServerRow) -> bool:
    """Whether the database sorts text by code point, as C does and the built-in provider always."""
    name = facts.collate.upper().replace("-", "")
    return facts.provider == "b" or (facts.provider == "c" and name in ("C", "POSIX", "C.UTF8"))


def _quiet(what: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    tables: tuple[Table, ...]
    rules: tuple[SchemaObject, ...]
    gaps: tuple[Gap, ...]


def _tables(db: pg.Session, facts: ServerRow, tell: Progress, only: list[int] | None) -> _Tables:
    tell("tables and columns")
    tablespace = None if facts.tablespace == "pg_default" else facts.tablespace
    rows = db.rows(QUERIES["relations"], RelationRow, tablespace=tablespace, only=only)
    oids = [row.oid for row in rows]
    indexes = db.rows(QUERIES["indexes"], IndexRow, relations=oids, tablespace=tablespace)
    structure = _structure(db, rows, indexes, facts, only)
    tell("definitions")
    read, unread = _with_definitions(db, structure, oids)
    policies = chunks.read(db, QUERIES["policies"], PolicyRow, oids)
    rules = chunks.read(db, QUERIES["rules"], RuleRow, oids)
    tell("sizes")
    stored = [r.oid for r in rows if relations.KINDS[r.kind].has_storage] + [i.oid for i in indexes if i.kind == "i"]
    sizes = chunks.read(db, QUERIES["sizes"], SizeRow, stored)
    tell("statistics")
    known = statistics.read(db, oids, only=None if only is None else [*oids, *(i.oid for i in indexes)])
    tell("index pages")
    metapages = pages.read(db, *_inspected(indexes, _small(sizes.rows)))
    tables = relations.tables(
        replace(
            read, policies=relations.grouped(policies.rows, lambda row: row.relation), statistics=known.columns,
            extended=known.extended, gin=metapages.gin, levels=_levels(indexes, sizes.rows, metapages.levels),
            sizes={row.relation: row.pages for row in sizes.rows if row.pages is not None},
        )
    )  # fmt: skip
    names = {row.oid: RelationName(schema=row.schema, name=row.name) for row in rows}
    shown = {oid: name.short for oid, name in names.items()} | {row.oid: row.name for row in indexes}
    gaps = (
        *_locked_gap("sizes", sizes.missing, shown, "Their sizes are those of the last VACUUM or ANALYZE."),
        *_locked_gap("definitions", unread | policies.missing | rules.missing, shown, _WITHOUT_DEFINITIONS),
        *statistics_gaps(tables, facts.role, everything=known.everything),
        *_extended_gap(known, tables),
        *(_extension_gap(db.rows(QUERIES["extension relations"], ExtensionRelationRow)) if only is None else ()),
        *metapages.gaps,
    )
    return _Tables(tables=tables, rules=objects.rules(rules.rows, names), gaps=gaps)


_WITHOUT_DEFINITIONS = "Some of their defaults, checks, expressions, policies or queries are missing from the twin."


def _structure(
    db: pg.Session,
    rows: tuple[RelationRow, ...],
    indexes: tuple[IndexRow, ...],
    facts: ServerRow,
    only: list[int] | None,
) -> relations.Read:
    """What the catalogs say without deparsing anything, so without a lock."""
    oids = [row.oid for row in rows]
    return relations.Read(
        relations=rows, indexes=relations.grouped(indexes, lambda row: row.relation),
        parents=_parents(db.rows(QUERIES["parents"], ParentRow)),
        columns=_grouped(db, "columns", ColumnRow, oids, lambda row: row.relation),
        constraints=_grouped(db, "constraints", ConstraintRow, oids, lambda row: row.relation),
        keys=_grouped(db, "index keys", KeyRow, oids, lambda row: row.index),
        triggers=_grouped(db, "triggers", TriggerRow, oids, lambda row: row.relation),
        activity={row.relation: row for row in db.rows(QUERIES["activity"], ActivityRow, only=only)},
        window=_window(facts), version_num=facts.version_num,
    )  # fmt: skip


def _with_definitions(db: pg.Session, read: relations.Read, oids: list[int]) -> tuple[relations.Read, frozenset[int]]:
    """What has to be deparsed, each by the OID of the thing itself, and the relations of which some is missing."""
    owners = {
        "index": {row.oid: row.relation for rows in read.indexes.values() for row in rows},
        "constraint": {row.oid: row.relation for rows in read.constraints.values() for row in rows},
        "trigger": {row.oid: row.relation for rows in read.triggers.values() for row in rows},
        "relation": {oid: oid for oid in oids},
    }
    texts = {name: chunks.read(db, QUERIES[name], ExpressionRow, list(owners[of])) for name, of in _DEFINITIONS.items()}
    unread = frozenset(owners[of][oid] for name, of in _DEFINITIONS.items() for oid in texts[name].missing)
    return replace(
        read, defaults=_by_number(texts["defaults"].rows), bounds=_by_owner(texts["partition bounds"].rows),
        views=_by_owner(texts["views"].rows), predicates=_by_owner(texts["predicates"].rows),
        index_definitions=_by_owner(texts["index definitions"].rows),
        key_expressions=_by_number(texts["key expressions"].rows),
        constraint_definitions=_by_owner(texts["constraint definitions"].rows),
        trigger_definitions=_by_owner(texts["trigger definitions"].rows),
    ), unread  # fmt: skip


#: The queries that deparse, and whose OIDs they take.
_DEFINITIONS = {
    "defaults": "relation", "partition bounds": "relation", "views": "relation", "predicates": "relation",
    "index definitions": "index", "key expressions": "index", "constraint definitions": "constraint",
    "trigger definitions": "trigger",
}  # fmt: skip


def _grouped(
    db: pg.Session, name: str, cls: type[Row], oids: Sequence[int], key: Callable[[Row], int]
) -> dict[int, tuple[Row, ...]]:
    return relations.grouped(db.rows(QUERIES[name], cls, relations=oids), key)


def _by_number(rows: Iterable[ExpressionRow]) -> dict[tuple[int, int], str]:
    return {(row.relation, row.number): row.expression for row in rows if row.expression is not None}


def _by_owner(rows: Iterable[ExpressionRow]) -> dict[int, str]:
    return {row.relation: row.expression for row in rows if row.expression is not None}


def _parents(rows: Iterable[ParentRow]) -> dict[int, tuple[int, ...]]:
    grouped = relations.grouped(rows, lambda row: row.child)
    return {child: tuple(row.parent for row in found) for child, found in grouped.items()}


def _inspected(indexes: Sequence[IndexRow], small: frozenset[int]) -> tuple[list[int], list[int]]:
    """The B-trees whose height is in question, and the GIN indexes."""
    stored = [index for index in indexes if index.kind == "i" and index.valid]
    btrees = [index.oid for index in stored if index.method == "btree" and index.oid not in small]
    return btrees, [index.oid for index in stored if index.method == "gin"]


def _small(sizes: Iterable[SizeRow]) -> frozenset[int]:
    """Relations of a page or two: a B-tree of a metapage and at most one more has no inner pages."""
    return frozenset(row.relation for row in sizes if row.pages is not None and row.pages <= 2)


def _levels(indexes: Sequence[IndexRow], sizes: Iterable[SizeRow], read: dict[int, int]) -> dict[int, int]:
    small = _small(sizes)
    return {i.oid: 0 for i in indexes if i.method == "btree" and i.oid in small} | read


def _window(facts: ServerRow) -> timedelta | None:
    """How long the counters have been counting: since the database's reset, else since the server's."""
    since: datetime | None = facts.database_reset or facts.server_reset
    return None if since is None else facts.taken_at - since


def _locked_gap(what: str, oids: Iterable[int], names: dict[int, str], effect: str) -> tuple[Gap, ...]:
    found = sorted(names.get(oid, str(oid)) for oid in oids)
    if not found:
        return ()
    return (
        Gap(
            subject=what, says=f"Other sessions hold locks on {listed(found)}, so the {what} were not read.",
            effect=effect, cure="Pull again when no ALTER TABLE runs or waits.",
        ),
    )  # fmt: skip


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return names as a phrase.

    >>> listed(["a", "b"]), listed(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def statistics_gaps(tables: Iterable[Table], role: str, *, everything: bool) -> tuple[Gap, ...]:
    """Return gaps for tables that have rows but no column statistics: hidden from the role, or never analyzed."""
    bare = [t.full_name for t in tables if _has_rows(t) and not any(c.statistics for c in t.columns)]
    if not bare:
        return ()
    unseen = Gap(
        subject="column statistics",
        says=f"No column statistics are visible of {listed(bare)}: the role {role} may not read these tables,"
        " or they were never analyzed.",
        effect="The planner assumes defaults for their columns: row estimates and plans will differ from production's.",
        cure=f"premortem profile grants --role {quoted(role)} | psql …; and ANALYZE what was never analyzed.",
    )
    never = replace(
        unseen, says=f"{listed(bare)} were never analyzed, so they have no column statistics.", cure="ANALYZE them."
    )
    return (never if everything else unseen,)


def _has_rows(table: Table) -> bool:
    return table.tuples > 0 and bool(table.columns)


def _extended_gap(known: statistics.Read, tables: Iterable[Table]) -> tuple[Gap, ...]:
    hidden = [f"{s.schema}.{s.name}" for t in tables for s in t.statistics if not _filled(s)]
    if known.extended_everything or not hidden:
        return ()
    return (
        Gap(
            subject="extended statistics",
            says=f"The data of {listed(hidden)} are visible to the tables' owners and superusers only.",
            effect="The twin takes these columns to be independent where production knows better.",
            cure="premortem profile grants | psql …",
        ),
    )


def _filled(found: ExtendedStatistics) -> bool:
    return any((found.ndistinct, found.dependencies, found.most_common_values, found.expression_statistics))


def _extension_gap(rows: Iterable[ExtensionRelationRow]) -> tuple[Gap, ...]:
    names = [f"{row.schema}.{row.name} ({row.extension})" for row in rows]
    if not names:
        return ()
    return (
        Gap(
            subject="tables of extensions",
            says=f"{listed(names)} belong to extensions and are not in the profile.",
            effect="On the twin they are what CREATE EXTENSION makes them, without production's rows and statistics.",
        ),
    )
