"""Creates production's schema in the target, as far as the target can hold it.

What cannot be created is a gap, never the end: a column whose type is not here becomes text, a collation, access method
or tablespace that is not here becomes the default.  So the profile that comes back, which rows are made from, is the
target's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from premortem import pg
from premortem.errors import ConnectionRefused, PremortemError, ServerError, StatementError
from premortem.mirror import manifest, statements
from premortem.mirror.place import settle
from premortem.mirror.target import queries
from premortem.model import Column, Gap, Profile, RelationKind, RelationName, Table, quoted
from premortem.twin import ddl
from premortem.twin.build import create_tablespaces
from premortem.twin.ddl import Statement
from premortem.twin.standins import type_name

Told = Callable[[str], None]


def create(db: pg.Session, profile: Profile, *, ours: bool) -> Profile:
    """Create the schema without indexes and constraints; return the profile of what is there, gaps written down.

    `ours` says that the server is our own: roles and tablespaces may be made as well.
    """
    profile = replace(profile, tables=statements.mirrored(profile.tables))
    done = set(manifest.steps(db))
    settle(db)
    if ours:
        manifest.note_gaps(db, create_tablespaces(db, profile))
        run(db, _roles(profile), done)
    manifest.note_gaps(db, run(db, statements.foundation(profile), done))
    fitted, gaps = _fitted(db, profile)
    manifest.note_gaps(db, gaps)
    created = _phases(db, fitted, done)
    for subject, takes_away, puts_back, validates in db.tuples(queries["domain checks"]):
        manifest.put_off(db, subject, takes_away=takes_away, puts_back=puts_back, validates=validates)
    return created


def _phases(db: pg.Session, profile: Profile, done: set[str]) -> Profile:
    objects, *later = statements.schema(profile)
    failed = run(db, objects, done)
    missing = _missing(db, profile)
    if missing:  # a type of its own could not be created, or a table had something that is not here
        profile = _simplified(db, profile, missing)
        failed = run(db, statements.schema(profile)[0], done)
        _, *later = statements.schema(profile)
    manifest.note_gaps(db, failed)
    for phase in later:
        manifest.note_gaps(db, run(db, phase, done))
    gone = _missing(db, profile)
    return replace(profile, tables=tuple(t for t in profile.tables if t.relation not in gone))


def run(db: pg.Session, phase: Iterable[Statement], done: set[str]) -> tuple[Gap, ...]:
    """Run the statements that are not done, in passes until a pass brings nothing new; return gaps for the rest."""
    pending = [s for s in phase if manifest.step_name(s.sql) not in done]
    while pending:
        failed = [(s, error) for s in pending if (error := attempt(db, s, done)) is not None]
        if len(failed) == len(pending):
            return tuple(_not_created(s, error) for s, error in failed)
        pending = [s for s, _ in failed]
    return ()


def attempt(db: pg.Session, statement: Statement, done: set[str]) -> PremortemError | None:
    """Run a statement as a step; return what the server has against it."""
    try:
        manifest.run_step(db, statement.sql)
    except ConnectionRefused:
        raise
    except (StatementError, ServerError) as error:
        return error
    done.add(manifest.step_name(statement.sql))
    return None


def _not_created(statement: Statement, error: PremortemError) -> Gap:
    return Gap(
        subject=statement.subject,
        says=f"It could not be created in the mirror: {manifest.words_of(error)}.",
        effect="Queries that need it fail or take another way than in production.",
    )


def _roles(profile: Profile) -> Iterator[Statement]:
    for role in ddl.policy_roles(profile):
        yield Statement(subject=f"role {role}", sql=f"CREATE ROLE {quoted(role)} NOLOGIN")


def _fitted(db: pg.Session, profile: Profile) -> tuple[Profile, tuple[Gap, ...]]:
    """Return the profile without types that neither it nor the target has, nor tablespaces that are not there."""
    own = statements.own_types(profile)
    named = {type_name(c.type) for t in profile.tables for c in t.columns}
    wanted = sorted(name for name in named if name is not None and name not in own)
    missing = set(wanted) - _known_types(db, wanted)
    spaces = set(db.values("SELECT t.spcname::text FROM pg_catalog.pg_tablespace t"))
    tables = tuple(
        replace(
            t,
            columns=tuple(statements.without_type(c) if type_name(c.type) in missing else c for c in t.columns),
            tablespace=t.tablespace if t.tablespace in spaces else None,
            persistence="permanent",
        )
        for t in profile.tables
    )
    gaps = [_no_type(name) for name in sorted(missing)]
    gaps += [_logged(t) for t in profile.tables if t.persistence == "unlogged"]
    return replace(profile, tables=tables), tuple(gaps)


def _logged(table: Table) -> Gap:
    return Gap(
        subject=f"table {table.full_name}",
        says="It is unlogged in production and an ordinary table in the mirror, which a crash must not empty.",
        effect="Writing to it costs more than in production.",
    )


def _no_type(name: str) -> Gap:
    return Gap(
        subject=f"type {name}",
        says="What defines it, such as an extension, is not on the target; its columns are text there.",
        effect="Queries that use its functions, operators or indexes cannot be run.",
        cure="install the extension on the target's server and build the mirror anew",
    )


def _known_types(db: pg.Session, names: Sequence[str]) -> set[str]:
    return {str(name) for name, _ in db.tuples(queries["type oids"], names=list(names))}


def _missing(db: pg.Session, profile: Profile) -> frozenset[RelationName]:
    here = {RelationName(schema=schema, name=name) for schema, name in db.tuples(queries["relations"])}
    return frozenset(t.relation for t in profile.tables) - here


def _simplified(db: pg.Session, profile: Profile, missing: frozenset[RelationName]) -> Profile:
    """Return the profile with plainer tables in place of those that could not be created as they are."""
    names = sorted({n for t in profile.tables for c in t.columns if (n := type_name(c.type)) is not None})
    known = _known_types(db, names)
    collations = set(db.values(queries["collations"]))
    methods = set(db.values("SELECT a.amname::text FROM pg_catalog.pg_am a"))
    tables = tuple(
        _simpler(t, known, collations, methods) if t.relation in missing and t.kind is not RelationKind.VIEW else t
        for t in profile.tables
    )
    changed = [(old, new) for old, new in zip(profile.tables, tables, strict=True) if old != new]
    manifest.note_gaps(db, [_is_simpler(old, new) for old, new in changed])
    return replace(profile, tables=tables)


def _simpler(table: Table, types: set[str], collations: set[str], methods: set[str]) -> Table:
    def simpler(column: Column) -> Column:
        name = type_name(column.type)
        if name is not None and name not in types:
            return statements.without_type(column)
        return replace(column, collation=column.collation if column.collation in collations else None)

    method = table.access_method if table.access_method in methods else None
    return replace(table, columns=tuple(map(simpler, table.columns)), access_method=method, options=())


def _is_simpler(old: Table, new: Table) -> Gap:
    what = [b.name for a, b in zip(old.columns, new.columns, strict=True) if a != b]
    if old.access_method != new.access_method:
        what.append(f"the access method {old.access_method}")
    named = f" ({', '.join(what)})" if what else ""
    return Gap(
        subject=f"table {old.full_name}",
        says=f"The target lacks a type, collation, option or access method of it{named}; it is plainer there.",
        effect="Queries that use these parts fail or take another way than in production.",
    )
