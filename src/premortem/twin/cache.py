"""Keeps built twins, so that the second check of a day starts in a moment.

An entry is a stopped cluster and the profile that it stands for.  Nobody runs in an entry: every run works in a copy
(the files are sparse, so a copy costs what the catalog costs), so any number of runs can share one, and a run that is
killed spoils nothing.  An entry appears by renaming, complete or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from premortem import __version__, catalog, pg
from premortem.catalog.file import dump
from premortem.errors import InputError, ProfileError
from premortem.migrations import Migration, Observed
from premortem.migrations.observed import dump as dump_observed
from premortem.migrations.observed import load as load_observed
from premortem.model import Profile, Workload
from premortem.twin.carrying import unmeasured
from premortem.twin.newcomers import Assumption

#: Entries beyond this many are removed, the longest unused first.
KEPT = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATA, _PROFILE, _OBSERVED = "data", "standing.profile", "observed.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A built twin: the cluster to copy, the profile of what it stands for, and what the migrations did to it."""

    data_directory: Path
    profile: Profile
    observed: tuple[Observed, ...] = ()


def digest(profile: Profile) -> str:
    """Return a digest of everything that the profile says."""
    return hashlib.sha256(dump(profile)).hexdigest()


def key(
    identity: str,
    branch: Profile | None,
    migrations: Sequence[Migration],
    assumptions: Mapping[str, Assumption],
    installation: pg.Installation,
    place: pg.Locale,
) -> str:
    """Return a name for the twin of these inputs on that server, the same for the same inputs."""
    digest = hashlib.sha256()
    schema = _schema_digest(branch) if branch is not None else ""
    made_from = (__version__, str(installation), str(place), identity, schema, repr(sorted(assumptions.items())))
    for part in (*made_from, *(part for m in migrations for part in (m.path, m.text))):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:32]


def _schema_digest(branch: Profile) -> str:
    """Return a digest of a schema; when it was captured, and the few rows that were in it, say nothing."""
    schema = Profile(
        taken_at=_EPOCH,
        server=replace(branch.server, database="", role=""),
        values=branch.values,
        extensions=branch.extensions,
        objects=branch.objects,
        tables=tuple(unmeasured(t) for t in branch.tables),
    )
    return digest(schema)


def find(name: str, production: Profile) -> Entry | None:
    """Return the built twin of that name, None where there is none or it cannot be read."""
    folder = _root() / name
    if not folder.exists():
        return None
    try:
        profile = catalog.read(folder / _PROFILE)
        observed = load_observed((folder / _OBSERVED).read_text("utf-8"))
    except (ProfileError, InputError, OSError, ValueError, KeyError):
        return None
    os.utime(folder)
    standing = profile if profile.tables else replace(production, gaps=profile.gaps)
    return Entry(data_directory=folder / _DATA, profile=standing, observed=observed)


@contextlib.contextmanager
def building(name: str) -> Iterator[Path]:
    """Hold a folder in which to build the twin of that name; other runs that want the same one wait."""
    root = _root()
    with open(root / f"{name}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = root / f".{name}.{secrets.token_hex(4)}"
        folder.mkdir(mode=0o755)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def data_directory(folder: Path) -> Path:
    """Return where in a folder handed out by `building` the cluster goes."""
    return folder / _DATA


def keep(folder: Path, name: str, standing: Profile, production: Profile, observed: Sequence[Observed] = ()) -> Entry:
    """Make a built folder the entry of that name.

    A standing profile that differs from production's in its gaps only is kept without the rest: reading a thousand
    tables takes longer than starting the server.
    """
    same = standing.tables == production.tables
    kept = replace(standing, tables=(), objects=(), workload=Workload()) if same else standing
    # Not catalog.write, which waits for the disk: a cache entry that a power cut spoils is told by its checksum.
    (folder / _PROFILE).write_bytes(dump(kept))
    (folder / _OBSERVED).write_text(dump_observed(observed), "utf-8")
    entry = _root() / name
    shutil.rmtree(entry, ignore_errors=True)
    folder.rename(entry)
    _forget_old(entry)
    return Entry(data_directory=entry / _DATA, profile=standing, observed=tuple(observed))


def _root() -> Path:
    root = pg.cache_directory() / "twins"
    root.mkdir(mode=0o755, exist_ok=True)
    return root


def _forget_old(newest: Path) -> None:
    entries = [p for p in newest.parent.iterdir() if p.is_dir() and not p.name.startswith(".") and p != newest]
    for folder in sorted(entries, key=lambda p: p.stat().st_mtime, reverse=True)[KEPT - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)
        (newest.parent / f"{folder.name}.lock").unlink(missing_ok=True)
