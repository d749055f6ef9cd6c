"""Mirrors on servers of our own: built once, kept in the cache, and started when somebody asks them something.

```
<cache>/mirrors/<name>/data          the cluster
                       about.json    what it mirrors; written anew whenever it starts and stops
                       lock          held while its server runs: two cannot run in one folder
```
The servers do not wait for the disk (`fsync` is off), so a machine that went down while one ran leaves it in an unknown
state; that is told by the boot's number, and such a mirror is built anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from premortem import pg
from premortem.errors import InputError, MirrorError, UsageError
from premortem.mirror import options as options_of
from premortem.mirror.options import Options
from premortem.mirror.place import Place, server_settings
from premortem.model import Gap, Profile
from premortem.twin import locale_of

DATABASE = "mirror"
_NAME = re.compile(r"[0-9a-f]{12}")
_ABOUT, _DATA, _LOCK = "about.json", "data", "lock"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a kept mirror says of itself without being started."""

    database: str
    taken_at: str
    digest: str
    options: str
    version: str
    made_at: str
    complete: bool = False
    boot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A kept mirror: its name, what it mirrors, and how much room it takes."""

    name: str
    about: About
    size_bytes: int
    running: bool


@contextlib.contextmanager
def opened(
    profile: Profile, options: Options, *, digest: str, installation: pg.Installation | None = None
) -> Iterator[tuple[Place, tuple[Gap, ...]]]:
    """Yield the place of the kept mirror of that profile, its server started, made if it is not there.

    Raises MirrorError where another run uses it.
    """
    chosen = installation or pg.installation(profile.server.major)
    locale, gaps = locale_of(profile, chosen)
    name = options_of.key(digest, options, str(chosen.major), str(locale))
    folder = _root() / name
    folder.mkdir(mode=0o755, exist_ok=True)
    with _locked(folder):
        about = _usable(folder) or _new(profile, options, digest, chosen)
        _write(folder, replace(about, boot=_boot()))
        with pg.start(
            chosen, data_directory=folder / _DATA, keep=True, settings=server_settings(), locale=locale
        ) as server:
            _create_database(server)
            yield Place(dsn=server.dsn(DATABASE), server=server), gaps
        os.sync()
        _write(folder, replace(_read(folder) or about, boot=""))


def completed(place: Place) -> None:
    """Note that the mirror at a place of ours is whole."""
    if place.server is not None:
        folder = place.server.data_directory.parent
        about = _read(folder)
        if about is not None:
            _write(folder, replace(about, complete=True))


def options_of_newest(digest: str) -> Options:
    """Return the options of the newest whole mirror that is kept of a profile.

    Raises InputError where there is none.
    """
    for kept in every():
        if kept.about.digest == digest and kept.about.complete:
            return Options.load(kept.about.options)
    raise InputError("no mirror of this profile is kept", hint="build one: premortem mirror build -p FILE")


def every() -> tuple[Kept, ...]:
    """Return the kept mirrors, the newest first."""
    found = []
    for folder in _root().iterdir():
        about = _read(folder)
        if about is not None:
            found.append(Kept(name=folder.name, about=about, size_bytes=_size(folder), running=_is_locked(folder)))
    return tuple(sorted(found, key=lambda kept: kept.about.made_at, reverse=True))


def remove(name: str) -> None:
    """Remove a kept mirror.

    Raises InputError where there is none of that name, MirrorError where it is in use.
    """
    folder = _root() / name
    if not _NAME.fullmatch(name) or not folder.is_dir():
        raise InputError(f"there is no kept mirror {name!r}", hint="see: premortem mirror list")
    with _locked(folder):
        shutil.rmtree(folder)


def _create_database(server: pg.Server) -> None:
    with pg.writer(server, purpose="mirror") as db:
        if not db.value("SELECT 1 FROM pg_catalog.pg_database WHERE datname = %(name)s", name=DATABASE):
            db.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        # Every server of ours that was copied from one template has the same system identifier, perhaps production's.
        db.execute(f"ALTER DATABASE {DATABASE} SET premortem.role = 'staging'")


def _root() -> Path:
    root = pg.cache_directory() / "mirrors"
    root.mkdir(mode=0o755, exist_ok=True)
    return root


def _new(profile: Profile, options: Options, digest: str, installation: pg.Installation) -> About:
    return About(
        database=profile.server.database, taken_at=profile.taken_at.isoformat(), digest=digest, options=options.dump(),
        version=installation.version, made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _usable(folder: Path) -> About | None:
    """Return what is said of a mirror that can be used or gone on with; remove one that cannot."""
    about = _read(folder)
    if about is not None and (folder / _DATA / "PG_VERSION").is_file() and about.boot in ("", _boot()):
        return about
    shutil.rmtree(folder / _DATA, ignore_errors=True)
    return None


def _boot() -> str:
    """Return the number of this boot of the machine, so that what was not on disk before the last one is known."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return "unknown"


def _read(folder: Path) -> About | None:
    try:
        return About(**json.loads((folder / _ABOUT).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(folder: Path, about: About) -> None:
    new = folder / f".{_ABOUT}"
    new.write_text(json.dumps(asdict(about), indent=1), "utf-8")
    new.replace(folder / _ABOUT)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with open(folder / _LOCK, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MirrorError(
                f"the mirror {folder.name} is in use by another run", hint="wait until it ends"
            ) from error
        yield


def _is_locked(folder: Path) -> bool:
    try:
        with _locked(folder):
            return False
    except MirrorError:
        return True


def _size(folder: Path) -> int:
    return sum(f.stat().st_blocks * 512 for f in folder.rglob("*") if f.is_file() and not f.is_symlink())


def named(names: list[str], *, all_of_them: bool) -> tuple[str, ...]:
    """Return the names to remove.

    Raises UsageError where none is named.
    """
    if all_of_them:
        return tuple(kept.name for kept in every())
    if not names:
        raise UsageError("no mirror is named", hint="name one of: premortem mirror list, or --all")
    return tuple(names)
