"""Runs the change's migrations on the twin while its tables are empty."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from premortem import pg
from premortem.errors import ConnectionRefused, InputError, ServerError, StatementError
from premortem.model import Gap
from premortem.sqltext import split

#: Where the migration tools that keep both directions in one file begin the way back.
_DOWN = re.compile(r"^\s*--\s*(?:\+goose\s+down|\+migrate\s+down|migrate:down|@undo|rollback\b)", re.I | re.M)
_CONCURRENTLY = re.compile(r"\b(index)\s+concurrently\b", re.I)

#: Errors that say that production has it already: duplicate table, column, object, function, schema, and undefined ones
#: for what an old migration took away.
_ALREADY = frozenset({"42P07", "42701", "42710", "42723", "42P06", "42P16"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file of the change."""

    path: str
    text: str


def read(paths: Sequence[Path]) -> tuple[Migration, ...]:
    """Return the migrations in files and folders, in name order, without the ways back.

    Raises InputError where a path cannot be read.
    """
    files = [f for path in paths for f in (sorted(path.rglob("*.sql")) if path.is_dir() else [path])]
    return tuple(_read(f) for f in files if not re.search(r"(?:\.|_|-)down\.sql$|^down\.sql$", f.name, re.I))


def _read(path: Path) -> Migration:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        hint = "name migration files or their folder"
        raise InputError(f"{path} cannot be read: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start})", hint="save it as UTF-8") from error
    return Migration(path=str(path), text=_DOWN.split(text, maxsplit=1)[0])


def migrate(db: pg.Session, migrations: Sequence[Migration]) -> list[Gap]:
    """Run every statement; what production already has is skipped and said.

    Raises StatementError, naming file and line, where a statement fails for another reason.
    """
    return [gap for migration in migrations for gap in _migrate(db, migration)]


def _migrate(db: pg.Session, migration: Migration) -> list[Gap]:
    skipped = 0
    for statement in split(migration.text, migration.path):
        try:
            db.execute(_CONCURRENTLY.sub(r"\1", statement.original))
        except ConnectionRefused:
            raise
        except (StatementError, ServerError) as error:
            if error.sqlstate not in _ALREADY:
                raise StatementError(
                    f"{statement.site}: the migration fails on production's schema: {error.message}",
                    hint="give only the migrations that production does not have yet",
                    sqlstate=error.sqlstate,
                ) from error
            skipped += 1
    if not skipped:
        return []
    return [
        Gap(
            subject=f"migration {migration.path}",
            says=f"{skipped} of its statements create what production already has; they were skipped.",
        )
    ]
