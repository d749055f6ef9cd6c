"""Puts production's own statistics in the place of those that ANALYZE gathered in a mirror.

Two samples of one table differ, and where two plans cost nearly the same that decides.  The mirror's rows are made from
production's statistics, so these are true of them as far as ANALYZE would know; with them the mirror plans as
production did when the profile was taken, and executes that plan on its rows.
"""

from __future__ import annotations

from premortem import pg
from premortem.model import Gap, Profile, RelationName, literal, quoted
from premortem.twin import extended, statistics

queries = pg.named_sql("premortem.mirror", "sql/pinning.sql")

_PRODUCTION = "production"
_SCHEMAS = ("pg_catalog", "information_schema", "premortem")


def is_pinned(db: pg.Session) -> bool:
    """Whether the database says that its statistics are production's."""
    return bool(db.value(queries["pinned"]) == _PRODUCTION)


def pin(db: pg.Session, profile: Profile) -> tuple[Gap, ...]:
    """Replace the statistics of the profile's relations, all of them or none; return what PostgreSQL does not take.

    Autovacuum would gather its own again, so it keeps away from these tables.
    """
    if not db.can("be superuser"):
        return (_REFUSED,)
    with db.transaction():
        db.execute(queries["forget"], schemas=sorted({t.schema for t in profile.tables} - set(_SCHEMAS)))
        gaps = statistics.inject(db, profile, statistics.locate(db))
        gaps += extended.inject(db, profile)
        db.execute(queries["casts away"])
        for name in db.rows(queries["tables"], RelationName):
            db.execute(f"ALTER TABLE {name.sql} SET (autovacuum_enabled = false)")
        database = quoted(str(db.value("SELECT pg_catalog.current_database()::text")))
        db.execute(f"ALTER DATABASE {database} SET premortem.statistics = {literal(_PRODUCTION)}")
    db.execute(queries["done"])
    return gaps


_REFUSED = Gap(
    subject="production's statistics",
    says="The role may not write the catalog, so the mirror keeps the statistics that ANALYZE gathered there",
    effect="Where two plans cost nearly the same it may choose the other one.",
    cure="build the mirror as a superuser",
)
