"""Builds a twin in a fresh cluster: schema, migrations, statistics, sizes, settings, and the check that it is true.

```
build
├── grafted            production with the schema that the branch's tests built, where there is one
├── create_schema      phase by phase, in production's OID order, while every file is empty
├── migrate            the change's own statements
├── statistics.inject  pg_statistic, as ANALYZE left it in production
├── extended.inject    CREATE STATISTICS' data
├── stage_sizes        pg_class
├── write_files        sparse files, B-trees of production's height (then a restart: buffers must not know better)
└── verify             the planner sees what was injected, or TwinError
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from premortem import catalog, pg
from premortem.errors import ConnectionRefused, PremortemError, ServerError, StatementError, TwinError
from premortem.migrations import Migration, Observed
from premortem.migrations import apply as migrate
from premortem.model import (
    Gap,
    Index,
    Profile,
    RelationKind,
    RelationName,
    RoleSetting,
    Table,
    Values,
    literal,
    quoted,
)
from premortem.twin import ddl, extended, files, standins, statistics
from premortem.twin.carrying import carried_over, grafted
from premortem.twin.newcomers import Assumption, Origins, assume, estimated_level, new_columns, with_keys
from premortem.twin.statistics import Located, Size

#: Plans are made as this role where row-level security is on; it is a member of every role that a policy names.
APPLICATION_ROLE = "premortem_application"

Progress = Callable[[str], None]

HIDE = pg.named_sql("premortem.twin", "sql/whatif.sql")["hide"]

#: Left as the twin's own whatever production says: they do not change a plan, and could keep the twin from answering.
_NOT_COPIED = frozenset(
    "jit pg_stat_statements.track search_path session_preload_libraries statement_timeout transaction_timeout "
    "wal_compression".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a twin stands for: production with the change's migrations, and what each of their statements did."""

    profile: Profile
    observed: tuple[Observed, ...] = ()


def server_settings() -> dict[str, str | int | bool]:
    """Return the settings that a twin's server needs to hold still."""
    return {
        "autovacuum": "off",
        "allow_system_table_mods": "on",
        "jit": "off",
        "max_locks_per_transaction": 256,
        "shared_buffers": "32MB",
        "max_connections": 20,
        "max_wal_senders": 0,
        "wal_level": "minimal",
        "min_wal_size": "2MB",
        "max_wal_size": "256MB",
        "track_counts": "off",
    }


def build(
    server: pg.Server,
    database: str,
    profile: Profile,
    *,
    branch: Profile | None = None,
    migrations: Sequence[Migration] = (),
    assumptions: Mapping[str, Assumption] | None = None,
    progress: Progress = lambda _: None,
) -> Built:
    """Fill an empty database and return what the twin stands for: production plus the change.

    Raises TwinError where the twin would not give production's numbers, StatementError where a migration fails.
    """
    start, guessed = grafted(profile, branch) if branch is not None else (profile, ())
    is_changed = branch is not None or bool(migrations)
    with pg.writer(server, purpose="twin", database=database) as db:
        progress("creating the schema")
        gaps = [*guessed, *create_schema(db, start)]
        located = statistics.locate(db)
        migrated = migrate(db, migrations, profile.search_path, time_zone=profile.setting("TimeZone"))
        gaps += migrated.gaps
        db.execute("RESET search_path")
        progress("writing the statistics")
        gaps += statistics.inject(db, start, located)
        gaps += extended.inject(db, start)
        after = statistics.locate(db)
        origins = _origins(profile, located, after)
        standing = _standing(server, database, start, _origins(start, located, after)) if migrations else start
        standing, keys = with_keys(standing, origins) if is_changed else (standing, ())
        gaps += statistics.insert_staged(db, statistics.staged(keys, after)) if keys else ()
        standing, assumed = assume(standing, origins, assumptions or {})
        gaps += [*assumed, *(new_columns(standing, origins) if is_changed else ())]
        progress("writing the sizes")
        sizes = tuple(_sizes(standing, after, origins))
        statistics.stage_sizes(db, sizes)
        db.execute("CHECKPOINT")
        write_files(server, statistics.relation_files(db), sizes)
        gaps += apply_settings(db, database, profile)
        differing = statistics.differing_sizes(db)
    server.restart()
    if differing:
        raise TwinError(
            f"the twin does not have production's sizes: {'; '.join(differing[:3])}"
            + (f" and {len(differing) - 3} more" if len(differing) > 3 else ""),
            hint="pull the profile again; if that does not help, this is a bug in premortem",
        )
    return Built(profile=replace(standing, gaps=(*profile.gaps, *gaps)), observed=migrated.observed)


def create_schema(db: pg.Session, profile: Profile) -> tuple[Gap, ...]:
    """Create everything that the profile describes; what cannot be created becomes a gap."""
    gaps: list[Gap] = []
    for role in ddl.policy_roles(profile):
        _try(db, ddl.Statement(subject=f"role {role}", sql=f"CREATE ROLE {quoted(role)} NOLOGIN"))
    db.execute("SET check_function_bodies = off")
    db.execute("SET search_path = ''")
    gaps += create_tablespaces(db, profile)
    first, second, *rest = ddl.phases(profile)
    gaps += _run(db, first)
    gaps += _run(db, second)
    profile, made = standins.substitute(db, profile)
    gaps += made
    if made:
        rest = list(ddl.phases(profile)[2:])
    for phase in rest:
        gaps += _run(db, phase)
    _invalidate(db, profile)
    if any(t.row_security for t in profile.tables):
        gaps += _create_application_role(db, profile)
    db.execute("RESET search_path")
    return tuple(gaps)


def _invalidate(db: pg.Session, profile: Profile) -> None:
    """An index that a failed build left invalid is there, grows, and is not used."""
    for table in profile.tables:
        for index in table.indexes:
            if not index.valid and index.parent is None and table.kind.has_storage:
                db.execute(HIDE, schema=table.schema, name=index.name)


def _create_application_role(db: pg.Session, profile: Profile) -> list[Gap]:
    """Policies do not apply to our superuser, so plans are made as a role that they apply to."""
    schemas = ", ".join(sorted({quoted(t.schema) for t in profile.tables}))
    roles = ddl.policy_roles(profile)
    grants = [f"CREATE ROLE {APPLICATION_ROLE} NOLOGIN"]
    grants += [f"GRANT {', '.join(quoted(r) for r in roles)} TO {APPLICATION_ROLE}"] if roles else []
    grants += [
        f"GRANT USAGE ON SCHEMA {schemas} TO {APPLICATION_ROLE}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA {schemas} TO {APPLICATION_ROLE}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schemas} TO {APPLICATION_ROLE}",
    ]
    for grant in grants:
        db.execute(grant)
    named = f" that is a member of {', '.join(roles)}" if roles else ""
    says = f"Plans are made as a role{named}; settings that policies read are made up."
    return [Gap(subject="row-level security", says=says, effect="Production's roles may meet fewer or other policies.")]


def _run(db: pg.Session, phase: Iterable[ddl.Statement]) -> list[Gap]:
    """Run the statements in passes until a pass brings nothing new."""
    pending = list(phase)
    while pending:
        failed = [(s, error) for s in pending if (error := _try(db, s)) is not None]
        if len(failed) == len(pending):
            return [_not_created(s, error) for s, error in failed]
        pending = [s for s, _ in failed]
    return []


def _try(db: pg.Session, statement: ddl.Statement) -> PremortemError | None:
    try:
        db.execute(statement.sql)
    except ConnectionRefused:
        raise
    except (StatementError, ServerError) as error:
        return error
    return None


def _not_created(statement: ddl.Statement, error: PremortemError) -> Gap:
    return Gap(
        subject=statement.subject,
        says=f"It could not be created in the twin: {server_words(error)}.",
        effect="Plans that depend on it may differ from production's, or cannot be made.",
    )


def server_words(error: PremortemError) -> str:
    """Return what the server said, without our words on where it said so."""
    return str(error.__cause__ or error.message).splitlines()[0].rstrip(".")


def create_tablespaces(db: pg.Session, profile: Profile) -> list[Gap]:
    """Create the tablespaces that are used.

    They matter for their cost settings; the files stay inside the cluster (needs PostgreSQL 15).
    """
    used = {t.tablespace for t in profile.tables} | {i.tablespace for t in profile.tables for i in t.indexes}
    gaps: list[Gap] = []
    for space in profile.tablespaces:
        if space.name in used and space.name not in ("pg_default", "pg_global"):
            options = f" WITH ({', '.join(space.options)})" if space.options else ""
            db.execute("SET allow_in_place_tablespaces = on")
            made = ddl.Statement(
                subject=f"tablespace {space.name}",
                sql=f"CREATE TABLESPACE {quoted(space.name)} LOCATION ''{options}",
            )
            gaps += _run(db, [made])
    return gaps


def _origins(known: Profile, before: Located, after: Located) -> Origins:
    """Return tables by the names that they have after the migrations: a renamed table keeps its OID."""
    name_of = {oid: name for name, oid in after.relations.items()}
    moved = ((name_of[oid], known.table(name)) for name, oid in before.relations.items() if oid in name_of)
    return {name: table for name, table in moved if table is not None}


def _standing(server: pg.Server, database: str, profile: Profile, origins: Origins) -> Profile:
    """The profile of the twin's schema as the migrations left it, read from the twin itself."""
    with pg.session(server, purpose="twin", database=database) as reader:
        here = catalog.pull(reader, values=Values.ALL)  # the twin's values are pseudonyms already, where they are
    return replace(
        profile,
        tables=tuple(carried_over(t, origins.get(t.relation)) for t in here.tables),
        objects=here.objects,
        extensions=here.extensions,
    )


def _sizes(standing: Profile, here: Located, origins: Origins) -> Iterator[Size]:
    """The sizes of everything that exists."""
    for table in standing.tables:
        oid = here.relations.get(table.relation)
        if oid is None:
            continue
        known = origins.get(table.relation, table)
        source = known if table.tuples < 0 or not table.pages else table
        yield Size(
            relation=oid, pages=source.pages, relation_pages=source.relation_pages, tuples=source.tuples,
            all_visible=source.all_visible,
        )  # fmt: skip
        for index in table.indexes:
            index_oid = here.relations.get(RelationName(schema=table.schema, name=index.name))
            if index_oid is not None:
                yield _index_size(index_oid, index, source)


def _index_size(oid: int, index: Index, table: Table) -> Size:
    if table.kind is RelationKind.PARTITIONED_TABLE:
        return Size(relation=oid, pages=0, relation_pages=index.relation_pages, tuples=index.tuples)
    level = index.level
    if level is None and index.method == "btree":
        level = estimated_level(index, table)
    return Size(
        relation=oid, pages=index.pages, relation_pages=index.relation_pages, tuples=index.tuples, level=level or 0,
        heap_pages=table.pages, metapage=index.metapage,
    )  # fmt: skip


def write_files(server: pg.Server, here: Sequence[statistics.RelationFile], sizes: Iterable[Size]) -> None:
    """Give every relation's file its size and its metapage."""
    by_oid = {s.relation: s for s in sizes}
    for file in here:
        write_file(server, file, by_oid[file.relation])


def write_file(server: pg.Server, file: statistics.RelationFile, size: Size) -> None:
    """Give one relation's file its size and its metapage."""
    path = Path(server.data_directory) / file.path
    files.extend(path, size.pages, server.owner)
    match file.method:
        case "btree":
            files.write_btree(path, min(size.level, size.pages - 2))
        case "gin" if size.metapage:
            files.write_gin(path, dict(size.metapage))
        case "brin":
            files.write_brin(path, size.heap_pages, int(dict(size.metapage).get("pages_per_range", 128)))


def apply_settings(db: pg.Session, database: str, profile: Profile, whose: str = "The twin") -> list[Gap]:
    """Make production's planner settings the database's defaults; a setting that is not here is another major's."""
    rows = db.tuples("SELECT name, context FROM pg_catalog.pg_settings")
    contexts = {str(name): str(context) for name, context in rows}
    refused = []
    for name, value in effective_settings(profile):
        if name in _NOT_COPIED or contexts.get(name, "user") not in ("user", "superuser"):
            continue
        statement = f"ALTER DATABASE {quoted(database)} SET {quoted(name)} = {literal(value)}"
        if name not in contexts or _try(db, ddl.Statement(subject=name, sql=statement)) is not None:
            refused.append(name)
    if not refused:
        return []
    return [
        Gap(
            subject="settings",
            says=f"{whose}'s server does not take production's {', '.join(sorted(refused)[:8])}.",
            effect="Plans that depend on them may differ.",
        )
    ]


def effective_settings(profile: Profile) -> Iterator[tuple[str, str]]:
    """Yield the settings that production plans with, and their values.

    pg_settings gives numbers in the setting's base unit, which is how SET reads a bare number.
    """
    for setting in profile.settings:
        yield setting.name, setting.value
    for override in profile.role_settings:
        if _applies(override, profile):
            yield override.name, override.value


def _applies(override: RoleSetting, profile: Profile) -> bool:
    return override.role is None and override.database in (None, profile.server.database)
