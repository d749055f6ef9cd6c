"""Which .sql files are queries and which are migrations, told by what stands in them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import takewhile

from premortem.repository.seen import Migrations
from premortem.repository.tree import Tree, is_for_tests

QUERIES, CHANGES, OTHER = "queries", "changes", "other"
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_ASKS = re.compile(r"(?:\A|;)\s*(?:select|with|insert|update|delete|merge|values)\b", re.IGNORECASE)
_WRITES = re.compile(r"(?:\A|;)\s*(?:insert|update|delete|merge)\b", re.IGNORECASE)
_ALTERS = re.compile(r"(?:\A|;)\s*(?:create|alter|drop|grant|comment\s+on|reindex|do\b)", re.IGNORECASE)
_DUMP = re.compile(r"PostgreSQL database dump|^COPY .* FROM stdin;", re.MULTILINE)
_CHANGING = {"migration", "migrations", "migrate"}
_FLYWAY = re.compile(r"[VU]\d[\w.]*__.*\.sql\Z|R__.*\.sql\Z")
_MARKS = {"-- +goose Up": "goose", "-- migrate:up": "dbmate", "-- +migrate Up": "sql-migrate"}
_MOST = 3_000


def kind(path: str, text: str) -> str:
    """Return what a .sql file is by its content and place."""
    if is_for_tests(path) or _DUMP.search(text):
        return OTHER
    bare = _COMMENT.sub(" ", text)
    asks, alters, writes = (bool(said.search(bare)) for said in (_ASKS, _ALTERS, _WRITES))
    if is_migration(path) and (alters or writes or not asks):
        return CHANGES
    if asks and not alters:
        return QUERIES
    return CHANGES if alters and _CHANGING.intersection(path.lower().split("/")) else OTHER


def is_migration(path: str) -> bool:
    """Whether a .sql file is a migration by its place or name."""
    parts = path.lower().split("/")
    name = posixpath.basename(path)
    return bool(_CHANGING.intersection(parts[:-1]) or _FLYWAY.match(name) or name.endswith((".up.sql", ".down.sql")))


def kinds(tree: Tree) -> Mapping[str, str]:
    """Return what each .sql file is."""
    files = [f for f in tree.files if f.lower().endswith(".sql")][:_MOST]
    return {f: kind(f, tree.text(f)) for f in files}


def query_folders(known: Mapping[str, str]) -> tuple[str, ...]:
    """Return the highest folders that hold nothing but queries, and files that stand beside something else.

    >>> query_folders({"q/a.sql": "queries", "q/r/b.sql": "queries", "db/x.sql": "other", "db/y.sql": "queries"})
    ('db/y.sql', 'q')
    """
    mixed = {folder for f, what in known.items() if what != QUERIES for folder in _above(f)}
    found = (_highest(f, mixed) for f, what in known.items() if what == QUERIES)
    return tuple(sorted(set(found)))


def _above(path: str) -> Iterator[str]:
    """Yield the folders that a file is in, the innermost first."""
    while path := posixpath.dirname(path):
        yield path


def _highest(path: str, mixed: Collection[str]) -> str:
    return [path, *takewhile(lambda folder: folder not in mixed, _above(path))][-1]


def migrations(tree: Tree, known: Mapping[str, str]) -> tuple[Migrations, ...]:
    """Return the folders of migrations with the tool that made them."""
    found = [*_sql(tree, known), *_of_tools(tree)]
    unique = {m.path: m for m in reversed(found)}
    return tuple(sorted(unique.values(), key=lambda m: m.path))


def _sql(tree: Tree, known: Mapping[str, str]) -> Iterator[Migrations]:
    folders = dict.fromkeys(_folder(f) for f, what in known.items() if what == CHANGES)
    for folder in folders:
        files = [f for f in known if f.startswith(folder + "/")]
        yield Migrations(path=folder, tool=_tool(tree, files), is_sql=True, source=files[0])


def _folder(path: str) -> str:
    """Return the folder that is called migrations above a file, else its own."""
    parts = posixpath.dirname(path).split("/")
    named = [n for n, part in enumerate(parts) if part.lower() in _CHANGING]
    return "/".join(parts[: named[0] + 1] if named else parts)


def _tool(tree: Tree, files: Iterable[str]) -> str:
    for path in files:
        name = posixpath.basename(path)
        if name == "migration.sql":
            return "Prisma"
        if _FLYWAY.match(name):
            return "Flyway"
        if name.endswith((".up.sql", ".down.sql")):
            return "golang-migrate or SQLx"
        head = tree.text(path)[:2_000]
        marked = next((tool for mark, tool in _MARKS.items() if mark in head), None)
        if marked:
            return marked
    return "plain SQL"


def _of_tools(tree: Tree) -> Iterator[Migrations]:
    """Yield migrations that are programs: premortem sees what they do when the suite runs them."""
    for path in tree.named("alembic.ini"):
        script = re.search(r"^script_location\s*=\s*(\S+)", tree.text(path), re.MULTILINE)
        inside = script[1].replace("%(here)s", ".") if script else "alembic"
        folder = posixpath.normpath(posixpath.join(posixpath.dirname(path), inside, "versions"))
        yield Migrations(path=folder, tool="Alembic", is_sql=False, source=path)
    for path in (f for f in tree.files if not is_for_tests(f)):
        folder, name = posixpath.split(path)
        if re.fullmatch(r"0001_\w+\.py", name) and posixpath.basename(folder) == "migrations":
            yield Migrations(path=folder, tool="Django", is_sql=False, source=path)
        elif path.endswith(("knexfile.js", "knexfile.ts", "knexfile.mjs")):
            yield Migrations(path=posixpath.join(folder, "migrations"), tool="Knex", is_sql=False, source=path)
        elif re.search(r"(?:^|/)db/migrate/\d+_\w+\.rb\Z", path):
            yield Migrations(path=folder, tool="Rails", is_sql=False, source=path)
