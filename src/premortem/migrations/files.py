"""Reads migrations as their tools keep them: which files, in which order, which half of each, in a transaction or not.

Every tool marks these differently.  What goes the other way (down, undo, rollback) is blanked and not cut, so that line
numbers stay those of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from premortem.errors import InputError

#: Lines that begin the way back, and those that end it again: goose and sql-migrate, dbmate, Play, node-pg-migrate,
#: MyBatis, tern, rambler, and a line that says nothing but `-- rollback` or `-- down`.
_DOWN = re.compile(
    r"^\s*(?:--|#)\s*(?:\+(?:goose|migrate|micrate)\s+down|migrate:down|-*\s*!downs|down\s+migration|//\s*@undo|@undo"
    r"|rambler\s+down|rollback\s*:?\s*$|down\s*:?\s*$|-+\s*create above\s*/\s*drop below)",
    re.I,
)
_UP = re.compile(
    r"^\s*(?:--|#)\s*(?:\+(?:goose|migrate|micrate)\s+up|migrate:up|-*\s*!ups|up\s+migration|rambler\s+up)", re.I
)
#: What says that a file, or a half of it, is not run in a transaction.
_BARE = re.compile(
    r"^\s*(?:"
    r"--\s*\+goose\s+no\s+transaction"
    r"|--\s*migrate:up\b.*\btransaction\s*:\s*false"
    r"|--\s*\+migrate\s+up\b.*\bnotransaction"
    r"|--\s*(?:atomic|transactional|transaction)\s*[:=]\s*(?:false|off|no)\b"
    r"|--\s*(?:no-transaction|disable-ddl-transaction|pgm-no-transaction)\b"
    r"|--!\s*no-transaction"
    r"|--\s*atlas:txmode\s+none"
    r"|-{2,}\s*tern:\s*disable-tx"
    r"|--\s*changeset\b.*\brunintransaction\s*:\s*false"
    r"|--\s*executeintransaction\s*=\s*false"
    r")",
    re.I | re.M,
)
_FLYWAY = re.compile(r"^(?P<kind>[VURB])(?P<version>[0-9][0-9._]*)?__.+\.sql$")
_BACK = re.compile(r"(?:[._-](?:down|undo|rollback|revert)\.sql|^(?:down|undo|rollback|revert)\.sql)$", re.I)
#: Tools by what their files say: each runs a file in one transaction unless the file says otherwise.
_TOOLS = (
    ("goose", re.compile(r"^\s*--\s*\+goose\s", re.I | re.M)),
    ("sql-migrate", re.compile(r"^\s*--\s*\+migrate\s", re.I | re.M)),
    ("dbmate", re.compile(r"^\s*--\s*migrate:up", re.I | re.M)),
    ("Liquibase", re.compile(r"^\s*--\s*liquibase formatted sql", re.I | re.M)),
    ("Atlas", re.compile(r"^\s*--\s*atlas:", re.I | re.M)),
    ("tern", re.compile(r"^-{2,}\s*(?:tern:|create above)", re.I | re.M)),
)
_CHANGESET = re.compile(r"^\s*--\s*changeset\b.*$", re.I | re.M)
_NUMBER = re.compile(r"(\d+)")
#: What migrations from standard input are called.
STDIN = "<stdin>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file of the change.

    `wrapped` says whether its tool runs it in a transaction; None where nothing says so.  `tool` is the tool that its
    name or its comments speak of.
    """

    path: str
    text: str
    wrapped: bool | None = None
    tool: str | None = None


def read(
    paths: Sequence[Path], *, stdin: TextIO | None = None, only: Callable[[Path], bool] = lambda path: True
) -> tuple[Migration, ...]:
    """Return the migrations of files and folders in the order in which they run, without the ways back.

    `-` is standard input.  `only` says which files count, such as those that a branch touches.  Raises InputError
    where a path cannot be read, or is a folder without SQL.
    """
    return tuple(m for path in paths for m in _of(path, stdin, only))


def _of(path: Path, stdin: TextIO | None, only: Callable[[Path], bool]) -> Iterator[Migration]:
    if str(path) == "-":
        if stdin is None:
            raise InputError("standard input holds no migrations here", hint="name files, or their folder")
        yield parse(STDIN, stdin.read())
        return
    for file in _files(path):
        if only(file):
            yield parse(str(file), _content(file), beside=file.parent)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [f for f in path.rglob("*.sql") if f.is_file()]
    if not found:
        raise InputError(f"{path} has no .sql files", hint=_hint(path))
    return sorted((f for f in found if not _goes_back(f.name)), key=lambda f: _order(f, path))


def _hint(folder: Path) -> str:
    if (folder / "env.py").exists() or (folder / "versions").is_dir():
        return "hand in Alembic's SQL: alembic upgrade HEAD~1:head --sql | premortem check -m - …"
    if any(folder.glob("[0-9]*.py")) or any(folder.rglob("migrations/[0-9]*.py")):
        return "hand in Django's SQL: python manage.py sqlmigrate APP NAME | premortem check -m - …"
    return "name migration files or their folder"


def _goes_back(name: str) -> bool:
    """Whether a file undoes another, or is Flyway's baseline, which a production has already."""
    flyway = _FLYWAY.match(name)
    return bool(_BACK.search(name)) or (flyway is not None and flyway["kind"] in "UB")


def _order(file: Path, root: Path) -> tuple[object, ...]:
    """Return a key that sorts as the tools do: numbers by value, folder by folder, Flyway's repeatable ones last."""
    parts = file.relative_to(root).parts
    flyway = _FLYWAY.match(parts[-1])
    repeatable = flyway is not None and flyway["kind"] == "R"
    version: tuple[int, ...] = ()
    if flyway is not None and flyway["version"]:
        version = tuple(int(n) for n in re.split(r"[._]+", flyway["version"].strip("._")))
    return repeatable, tuple(_natural(p) for p in parts[:-1]), version, _natural(parts[-1])


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key in which `2_b` comes before `10_a`.

    >>> sorted(["10_a.sql", "2_b.sql", "1.sql"], key=_natural)
    ['1.sql', '2_b.sql', '10_a.sql']
    """
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p) for p in _NUMBER.split(name) if p)


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        hint = "name migration files or their folder"
        raise InputError(f"{path} cannot be read: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start})", hint="save it as UTF-8") from error


def parse(path: str, text: str, *, beside: Path | None = None) -> Migration:
    """Return a migration from its text; `beside` is the folder in which its tool may have left a sign of itself."""
    tool = _tool(Path(path).name, text, beside)
    up = _upward(text)
    return Migration(path=path, text=up, tool=tool, wrapped=_wrapped(up, tool, path, beside))


def _upward(text: str) -> str:
    """Return the text with every line of a way back made empty."""
    lines = text.splitlines(keepends=True)
    if not any(word in text.lower() for word in ("down", "undo", "rollback", "drop below")):
        return text
    back = False
    kept = []
    for line in lines:
        back = True if _DOWN.match(line) else False if _UP.match(line) else back
        kept.append(line[len(line.rstrip("\r\n")) :] if back else line)
    return "".join(kept)


def _tool(name: str, text: str, beside: Path | None) -> str | None:
    found = next((tool for tool, sign in _TOOLS if sign.search(text)), None)
    if found is not None:
        return found
    if _FLYWAY.match(name):
        return "Flyway"
    if name.endswith(".up.sql") and beside is not None:
        return _of_language(beside)
    if beside is not None and (beside / "atlas.sum").exists():
        return "Atlas"
    if beside is not None and name == "up.sql":
        return "Diesel"
    if beside is not None and name == "migration.sql" and (beside.parent / "migration_lock.toml").exists():
        return "Prisma"
    return None


def _of_language(folder: Path) -> str | None:
    """Return whose `*.up.sql` these are: sqlx and golang-migrate name them alike, so the project's language tells."""
    for parent in (folder.resolve(), *folder.resolve().parents[:4]):
        if (parent / "Cargo.toml").exists():
            return "sqlx"
        if (parent / "go.mod").exists():
            return "golang-migrate"
    return None


def _wrapped(text: str, tool: str | None, path: str, beside: Path | None) -> bool | None:
    """Whether the tool runs the file in a transaction; None where nobody says so."""
    changesets = _CHANGESET.findall(text)
    if changesets:
        return not all(_BARE.match(c) for c in changesets)
    if _BARE.search(text):
        return False
    if tool == "Flyway":
        return not _flyway_says_no(path)
    if tool == "Diesel" and beside is not None:
        return not _says_no(beside / "metadata.toml", r"run_in_transaction\s*=\s*false")
    return True if tool is not None else None


def _flyway_says_no(path: str) -> bool:
    """Whether Flyway's script configuration beside a file takes it out of the transaction."""
    return _says_no(Path(f"{path}.conf"), r"executeInTransaction\s*=\s*false")


def _says_no(file: Path, pattern: str) -> bool:
    try:
        return re.search(pattern, file.read_text("utf-8"), re.I) is not None
    except (OSError, UnicodeDecodeError):
        return False
