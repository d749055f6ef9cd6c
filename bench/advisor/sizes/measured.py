"""Builds indexes, one after the other, and keeps how large each became."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from premortem import advisor, pg
from premortem.errors import PremortemError
from premortem.model import IndexCandidate, codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An index as it was built: pages of its main fork, a B-tree's level, rows in it, and the seconds that it took."""

    candidate: IndexCandidate
    pages: int
    level: int | None
    tuples: float
    seconds: float


def measure(db: pg.Session, candidates: Iterable[IndexCandidate], keep: Path) -> Iterator[Measured]:
    """Yield every candidate built and dropped, those first that the file already has; what is new is added to it."""
    known = {(m.candidate.definition, m.candidate.unique): m for m in read(keep)} if keep.exists() else {}
    for candidate in candidates:
        found = known.get((candidate.definition, candidate.unique)) or _built(db, candidate, keep)
        if found is not None:
            yield found


def _built(db: pg.Session, candidate: IndexCandidate, keep: Path) -> Measured | None:
    for extension in advisor.extensions(candidate):
        db.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    started = time.monotonic()
    try:
        db.execute(candidate.create_sql("measured", concurrently=False))
    except PremortemError as error:
        print(f"not built: {candidate.definition}: {error}")
        return None
    seconds = time.monotonic() - started
    place = f"'{candidate.table.schema}.measured'"
    pages = int(str(db.value(f"SELECT pg_relation_size({place}) / current_setting('block_size')::int")))
    tuples = float(str(db.value(f"SELECT reltuples FROM pg_class WHERE oid = {place}::regclass")))
    level = db.value(f"SELECT level FROM bt_metap({place})") if candidate.method == "btree" else None
    db.execute(f"DROP INDEX {place[1:-1]}")
    found = Measured(
        candidate=candidate,
        pages=pages,
        tuples=tuples,
        seconds=seconds,
        level=None if level is None else int(str(level)),
    )
    with keep.open("a", encoding="utf-8") as file:
        file.write(json.dumps(codec.encode(found)) + "\n")
    return found


def read(keep: Path) -> Iterator[Measured]:
    """Yield what the file has."""
    for line in keep.read_text(encoding="utf-8").splitlines():
        yield codec.decode(Measured, json.loads(line))
