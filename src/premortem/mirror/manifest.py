"""What a mirror says of itself, in the database that it fills: what it is made from, and how far it is.

A chunk's rows and its line here commit together, and so do a statement and its step.  So the database alone knows what
is done, whoever was killed, and nothing is done twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from premortem import __version__, pg
from premortem.catalog.file import dump, load
from premortem.errors import PremortemError, ServerError, StatementError, TargetRefused
from premortem.mirror.options import Options
from premortem.model import Gap, Profile, RelationName

FORMAT = 1

queries = pg.named_sql("premortem.mirror", "sql/manifest.sql")


class Stage(StrEnum):
    """How far a mirror is."""

    SCHEMA = "schema"
    LOADING = "loading"
    FINISHING = "finishing"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a mirror was made from and how far it is."""

    format: int
    made_by: str
    production: str
    taken_at: datetime
    digest: str
    options: Options
    stage: Stage
    started_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    format: int
    made_by: str
    production: str
    taken_at: datetime
    digest: str
    options: str
    stage: str
    started_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ChunkName:
    """One chunk of one relation."""

    relation: RelationName
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A chunk that is in: how many rows it has, and how many of them the target refused."""

    chunk: ChunkName
    rows: int
    refused: int


def begin(db: pg.Session, profile: Profile, digest: str, options: Options) -> None:
    """Make the database a mirror that has nothing yet."""
    with db.transaction():
        db.execute(queries["create"])
        db.execute(
            queries["begin"], format=FORMAT, made_by=__version__, production=profile.server.database,
            taken_at=profile.taken_at, digest=digest, options=options.dump(),
        )  # fmt: skip


def read(db: pg.Session) -> Manifest | None:
    """Return what the database says of itself, None where it is no mirror.

    Raises TargetRefused where another version of premortem made it in another way.
    """
    if not db.value(queries["exists"]):
        return None
    try:
        rows = db.rows(queries["read"], _Row)
    except StatementError as error:
        raise _foreign() from error
    if len(rows) != 1 or rows[0].format != FORMAT:
        raise _foreign()
    row = rows[0]
    return Manifest(
        format=row.format, made_by=row.made_by, production=row.production, taken_at=row.taken_at, digest=row.digest,
        options=Options.load(row.options), stage=Stage(row.stage), started_at=row.started_at,
        completed_at=row.completed_at,
    )  # fmt: skip


def _foreign() -> TargetRefused:
    return TargetRefused(
        "that database holds a mirror that another version of premortem made",
        hint="drop the database and create it again, then build the mirror anew",
    )


def keep_profile(db: pg.Session, profile: Profile) -> None:
    """Write down the profile that the rows are made from; workers read it here."""
    db.execute(queries["keep profile"], profile=dump(profile))


def profile(db: pg.Session) -> Profile:
    """Return the profile that the rows are made from."""
    kept = db.value(queries["profile"])
    if kept is None:
        raise ServerError("the mirror has no profile yet: its schema is not finished")
    return load(bytes(kept), "the mirror's profile")


def enter(db: pg.Session, stage: Stage) -> None:
    """Write down how far the mirror is."""
    db.execute(queries["stage"], stage=stage.value)


def chunks(db: pg.Session) -> tuple[Done, ...]:
    """Return the chunks that are in."""
    return tuple(
        Done(chunk=ChunkName(relation=_name(relation), number=number), rows=rows, refused=refused)
        for relation, number, rows, refused in db.tuples(queries["chunks"])
    )


def label(relation: RelationName) -> str:
    """Return the text by which a relation is written down: one that every name survives."""
    return f"{relation.schema}\n{relation.name}"


def _name(text: str) -> RelationName:
    schema, _, name = text.partition("\n")
    return RelationName(schema=schema, name=name)


def claim(db: pg.Session, chunk: ChunkName, rows: int) -> bool:
    """Take a chunk within a transaction; False where its rows are in already."""
    return bool(db.execute(queries["claim"], relation=label(chunk.relation), chunk=chunk.number, rows=rows))


def refused(db: pg.Session, chunk: ChunkName, *, rows: int, refused: int) -> None:
    """Write down how many rows of a chunk are in and how many the target refused."""
    db.execute(
        queries["refused"], relation=label(chunk.relation), chunk=chunk.number, rows=rows, refused=refused
    )  # fmt: skip


def step_name(sql: str) -> str:
    """Return the name by which a statement is remembered."""
    return hashlib.sha256(sql.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def steps(db: pg.Session) -> frozenset[str]:
    """Return the names of the steps that are done."""
    return frozenset(db.values(queries["steps"]))


def run_step(db: pg.Session, sql: str) -> None:
    """Run a statement and write down that it is done, both or neither.

    Both go in one message, which the server runs as one transaction: a schema has thousands of statements.
    """
    written = f"INSERT INTO premortem.mirror_step (step) VALUES ('{step_name(sql)}') ON CONFLICT DO NOTHING"
    db.execute(f"{sql}\n;{written}")


def put_off(db: pg.Session, subject: str, *, takes_away: str, puts_back: str, validates: str) -> None:
    """Take something away that is put back after the rows, and write down how, both or neither."""
    with db.transaction():
        db.execute(takes_away)
        db.execute(
            "INSERT INTO premortem.mirror_later (subject, statement, validates) VALUES (%(s)s, %(p)s, %(v)s)",
            s=subject, p=puts_back, v=validates,
        )  # fmt: skip


def later(db: pg.Session) -> tuple[tuple[str, str, str], ...]:
    """Return what is put back after the rows: its subject, the statement, and the one that validates it, if any."""
    return tuple((str(a), str(b), str(c)) for a, b, c in db.tuples(queries["later"]))


def note_step(db: pg.Session, sql: str) -> None:
    """Write down that a statement is done, or given up."""
    db.execute(queries["done"], step=step_name(sql))


def note_gaps(db: pg.Session, gaps: Iterable[Gap]) -> None:
    """Write down what could not be mirrored, so that a later run tells it too."""
    for gap in gaps:
        db.execute(queries["gap"], subject=gap.subject, says=gap.says, effect=gap.effect, cure=gap.cure)


def gaps(db: pg.Session) -> tuple[Gap, ...]:
    """Return what could not be mirrored."""
    return db.rows(queries["gaps"], Gap)


def words_of(error: PremortemError) -> str:
    """Return what the server said, without our words on where it said so."""
    return str(error.__cause__ or error.message).splitlines()[0].rstrip(".")
