"""Brings the store's schema up to date: numbered SQL files, each in one transaction of its own.

Several premortems may start at once on one database: a lock that ends with its session lets one at a time look.  A
schema that a newer premortem made is refused: what an older one would write there nobody has thought of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files

from premortem import pg
from premortem.errors import PremortemError, PrivilegeError, StoreError
from premortem.store.queries import QUERIES

PATIENCE = timedelta(seconds=30)
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A step of the schema: its number, its name, and its SQL."""

    number: int
    name: str
    sql: str


def migrations() -> tuple[Migration, ...]:
    """Return the steps that this premortem knows, in order."""
    found = (
        (match, file)
        for file in files(__package__).joinpath("migrations").iterdir()
        if (match := _NAME.match(file.name))
    )
    steps = [Migration(number=int(m[1]), name=m[2], sql=file.read_text(encoding="utf-8")) for m, file in found]
    return tuple(sorted(steps, key=lambda step: step.number))


def migrate(db: pg.Session, place: str, steps: Sequence[Migration] | None = None) -> int:
    """Bring the schema up to date and return the number of its newest step.

    Raises StoreError where a newer premortem was there, or where a step fails.
    """
    known = migrations() if steps is None else steps
    newest = known[-1].number
    if _applied(db) == newest:
        return newest
    db.execute(QUERIES["lock the schema"])
    try:
        _prepare(db, place)
        applied = _applied(db)
        if applied > newest:
            raise StoreError(
                f"the state in {place} was migrated by a newer premortem (schema {applied}, this one knows {newest})",
                hint="upgrade this premortem, or name another store",
            )
        for step in known:
            if step.number > applied:
                _apply(db, step, place)
    finally:
        if not db.lost:
            db.execute(QUERIES["unlock the schema"])
    return newest


def _applied(db: pg.Session) -> int:
    there = db.value(QUERIES["is there a schema"])
    return int(db.value(QUERIES["newest step"]) or 0) if there else 0


def _prepare(db: pg.Session, place: str) -> None:
    """Make the schema and the list of its steps, where they are not there."""
    try:
        with db.transaction():
            if not db.value(QUERIES["is there a namespace"]):
                db.execute(QUERIES["make the schema"])
            if not db.value(QUERIES["is there a schema"]):
                db.execute(QUERIES["make the list of steps"])
    except PrivilegeError as error:
        raise StoreError(
            f"the role may not create the schema premortem in {place}",
            hint="as its owner: CREATE SCHEMA premortem AUTHORIZATION that_role",
        ) from error


def _apply(db: pg.Session, step: Migration, place: str) -> None:
    try:
        with db.transaction():
            db.execute(step.sql)
            db.execute(QUERIES["note the step"], number=step.number, name=step.name)
    except PremortemError as error:
        says = f"the state in {place} could not be migrated to schema {step.number} ({step.name}): {error.message}"
        raise StoreError(says, hint=error.hint) from error
