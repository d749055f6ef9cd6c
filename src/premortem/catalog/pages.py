"""Reads what only an index's own pages say: the height of a B-tree and the figures of a GIN metapage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from premortem import pg
from premortem.catalog import chunks, statistics
from premortem.catalog.rows import GinRow, LevelRow
from premortem.model import Gap

QUERIES = pg.named_sql("premortem.catalog", "sql/pages.sql")
LEVELS_HELPER = "premortem.btree_levels(oid[])"
GIN_HELPER = "premortem.gin_metapages(oid[])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """B-tree levels and GIN figures by index."""

    levels: dict[int, int] = field(default_factory=dict)
    gin: dict[int, GinRow] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()


def read(db: pg.Session, btrees: Sequence[int], gins: Sequence[int]) -> Read:
    """Return what the metapages of these indexes say, as far as the role may look."""
    levels_sql = _source(db, "levels", LEVELS_HELPER)
    gin_sql = _source(db, "gin", GIN_HELPER)
    levels = () if levels_sql is None else chunks.read(db, levels_sql, LevelRow, btrees).rows
    gin = () if gin_sql is None else chunks.read(db, gin_sql, GinRow, gins).rows
    return Read(
        levels={row.relation: row.level for row in levels if row.level is not None},
        gin={row.relation: row for row in gin},
        gaps=_gaps(levels_sql is None and bool(btrees), gin_sql is None and bool(gins)),
    )


def _source(db: pg.Session, name: str, helper: str) -> str | None:
    if db.value(statistics.QUERIES["helper"], signature=helper):
        return QUERIES[f"{name} by helper"].pick(db.server_version)
    schema = db.value(QUERIES["pageinspect"]) if db.can("be superuser") else None
    return None if schema is None else QUERIES[name].pick(db.server_version).replace("{schema}", db.quoted(str(schema)))


_CURE = "CREATE EXTENSION pageinspect; then run the SQL that `premortem profile grants` prints."


def _gaps(no_levels: bool, no_gin: bool) -> tuple[Gap, ...]:
    levels = Gap(
        subject="B-tree heights", cure=_CURE,
        says="The heights of B-trees could not be read: pageinspect is not installed or not allowed.",
        effect="They are estimated from size and key width; an index scan's cost can be off by a few per cent.",
    )  # fmt: skip
    gin = Gap(
        subject="GIN metapages", cure=_CURE,
        says="The metapages of GIN indexes could not be read: pageinspect is not installed or not allowed.",
        effect="Their entries and pending pages are guessed from their size; the cost of a GIN scan is approximate.",
    )  # fmt: skip
    return ((levels,) if no_levels else ()) + ((gin,) if no_gin else ())
