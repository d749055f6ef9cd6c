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
from pathlib import Path

from premortem import __version__, catalog, pg
from premortem.catalog.file import dump
from premortem.errors import InputError, ProfileError
from premortem.model import Profile, Workload
from premortem.twin.build import Assumption
from premortem.twin.migrations import Migration

#: Entries beyond this many are removed, the longest unused first.
KEPT = 8
_DATA, _PROFILE = "data", "standing.profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A built twin: the cluster to copy, and the profile of what it stands for."""

    data_directory: Path
    profile: Profile


def digest(profile: Profile) -> str:
    """Return a digest of everything that the profile says."""
    return hashlib.sha256(dump(profile)).hexdigest()


def key(
    identity: str,
    migrations: Sequence[Migration],
    assumptions: Mapping[str, Assumption],
    installation: pg.Installation,
    place: pg.Locale,
) -> str:
    """Return a name for the twin of these inputs on that server, the same for the same inputs."""
    digest = hashlib.sha256()
    made_from = (__version__, str(installation), str(place), identity, repr(sorted(assumptions.items())))
    for part in (*made_from, *(part for m in migrations for part in (m.path, m.text))):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:32]


def find(name: str, production: Profile) -> Entry | None:
    """Return the built twin of that name, None where there is none or it cannot be read."""
    folder = _root() / name
    if not folder.exists():
        return None
    try:
        profile = catalog.read(folder / _PROFILE)
    except (ProfileError, InputError):
        return None
    os.utime(folder)
    standing = profile if profile.tables else replace(production, gaps=profile.gaps)
    return Entry(data_directory=folder / _DATA, profile=standing)


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


def keep(folder: Path, name: str, standing: Profile, production: Profile) -> Entry:
    """Make a built folder the entry of that name.

    A standing profile that differs from production's in its gaps only is kept without the rest: reading a thousand
    tables takes longer than starting the server.
    """
    same = standing.tables == production.tables
    kept = replace(standing, tables=(), objects=(), workload=Workload()) if same else standing
    # Not catalog.write, which waits for the disk: a cache entry that a power cut spoils is told by its checksum.
    (folder / _PROFILE).write_bytes(dump(kept))
    entry = _root() / name
    shutil.rmtree(entry, ignore_errors=True)
    folder.rename(entry)
    _forget_old(entry)
    return Entry(data_directory=entry / _DATA, profile=standing)


def _root() -> Path:
    root = pg.cache_directory() / "twins"
    root.mkdir(mode=0o755, exist_ok=True)
    return root


def _forget_old(newest: Path) -> None:
    entries = [p for p in newest.parent.iterdir() if p.is_dir() and not p.name.startswith(".") and p != newest]
    for folder in sorted(entries, key=lambda p: p.stat().st_mtime, reverse=True)[KEPT - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)
        (newest.parent / f"{folder.name}.lock").unlink(missing_ok=True)
