"""Which .sql files are queries and which are migrations, told by what stands in them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

from premortem.repository.seen import Migrations
from premortem.repository.tree import Tree

QUERIES, CHANGES, OTHER = "queries", "changes", "other"
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_ASKS = re.compile(r"(?:\A|;)\s*(?:select|with|insert|update|delete|merge|values)\b", re.IGNORECASE)
_ALTERS = re.compile(r"(?:\A|;)\s*(?:create|alter|drop|grant|comment\s+on|reindex|do\b)", re.IGNORECASE)
_DUMP = re.compile(r"PostgreSQL database dump|^COPY .* FROM stdin;", re.MULTILINE)
_TESTS = {"test", "tests", "spec", "fixtures", "fixture", "seed", "seeds", "testdata", "examples", "bench"}
_CHANGING = {"migration", "migrations", "migrate"}
_FLYWAY = re.compile(r"[VU]\d[\w.]*__.*\.sql\Z|R__.*\.sql\Z")
_MARKS = {"-- +goose Up": "goose", "-- migrate:up": "dbmate", "-- +migrate Up": "sql-migrate"}
_MOST = 3_000


def kind(path: str, text: str) -> str:
    """Return what a .sql file is by its content and place."""
    if _TESTS.intersection(path.lower().split("/")[:-1]) or _DUMP.search(text):
        return OTHER
    if is_migration(path):
        return CHANGES
    bare = _COMMENT.sub(" ", text)
    asks, alters = len(_ASKS.findall(bare)), len(_ALTERS.findall(bare))
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
    found = (_highest(f, known) for f, what in known.items() if what == QUERIES)
    return tuple(sorted(set(found)))


def _highest(path: str, known: Mapping[str, str]) -> str:
    best, folder = path, posixpath.dirname(path)
    while folder:
        if any(what != QUERIES for f, what in known.items() if f.startswith(folder + "/")):
            break
        best, folder = folder, posixpath.dirname(folder)
    return best


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
        script = re.search(r"^script_location\s*=\s*(?:%\(here\)s/)?(\S+)", tree.text(path), re.MULTILINE)
        folder = posixpath.join(posixpath.dirname(path), script[1] if script else "alembic", "versions")
        yield Migrations(path=folder, tool="Alembic", is_sql=False, source=path)
    for path in tree.files:
        folder, name = posixpath.split(path)
        if re.fullmatch(r"0001_\w+\.py", name) and posixpath.basename(folder) == "migrations":
            yield Migrations(path=folder, tool="Django", is_sql=False, source=path)
        elif path.endswith(("knexfile.js", "knexfile.ts", "knexfile.mjs")):
            yield Migrations(path=posixpath.join(folder, "migrations"), tool="Knex", is_sql=False, source=path)
        elif re.search(r"(?:^|/)db/migrate/\d+_\w+\.rb\Z", path):
            yield Migrations(path=folder, tool="Rails", is_sql=False, source=path)
