"""Template clusters, because initdb takes a second and copying its result takes a tenth of one."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from premortem.errors import InstallationError
from premortem.pg.installed import Installation
from premortem.pg.places import Runner, cache_directory, clean_environment, drop, give, owned_directory

SUPERUSER = "premortem"
SETTINGS_FILE = "premortem.conf"
_FORMAT = 1  # raise it when initdb's options below change, so that nobody's old template is used


@dataclass(frozen=True, slots=True, kw_only=True)
class Locale:
    """The encoding and locale of a cluster, in the words of CREATE DATABASE.

    `provider` is libc, icu (needs 15 and a build with ICU) or builtin (needs 17); `locale` is the name that icu and
    builtin want.
    """

    encoding: str = "UTF8"
    collate: str = "C"
    ctype: str = "C"
    provider: str = "libc"
    locale: str | None = None


def options(installation: Installation, locale: Locale, *, compact: bool = False) -> tuple[str, ...]:
    """The options of initdb for a disposable cluster with that locale on that version.

    A compact cluster is for catalogs only and is copied often: its write-ahead log is the smallest that there is.
    """
    chosen = [
        f"--username={SUPERUSER}",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--no-sync",
        f"--encoding={locale.encoding}",
        f"--lc-collate={locale.collate}",
        f"--lc-ctype={locale.ctype}",
        "--lc-messages=C",
        "--lc-monetary=C",
        "--lc-numeric=C",
        "--lc-time=C",
    ]
    if compact:
        chosen.append("--wal-segsize=1")
    if installation.major >= 18:
        chosen.append("--no-data-checksums")  # the default changed in 18, and a twin writes pages by itself
    if installation.major >= 15:
        chosen.append(f"--locale-provider={locale.provider}")
    elif locale.provider != "libc":
        raise InstallationError(f"PostgreSQL {installation.version} has no locale provider {locale.provider}")
    if locale.provider == "icu" and locale.locale:
        chosen.append(f"--icu-locale={locale.locale}")
    if locale.provider == "builtin":
        chosen.append(f"--builtin-locale={locale.locale or 'C'}")
    return tuple(chosen)


def copy_template(
    installation: Installation, locale: Locale, into: Path, who: Runner | None, *, compact: bool = False
) -> None:
    """Make the empty folder `into` a fresh cluster, from the cached template of that installation and locale."""
    copy_cluster(_template(installation, options(installation, locale, compact=compact), who), into, who)


def copy_cluster(source: Path, into: Path, who: Runner | None) -> None:
    """Fill the empty folder `into` with a copy of a stopped cluster; cp keeps the holes of a twin's sparse files."""
    copied = subprocess.run(
        ["cp", "-Rp", f"{source}/.", str(into)],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(),
        **drop(who),
    )
    if copied.returncode != 0:
        raise InstallationError(f"a new cluster could not be made: {_last(copied.stderr)}", hint=_hint(copied.stderr))


def _template(installation: Installation, chosen: tuple[str, ...], who: Runner | None) -> Path:
    home = owned_directory(cache_directory() / "templates", who)
    template = home / _key(installation, chosen, who)
    if template.is_dir():
        return template
    with locked(home / f"{template.name}.lock"):
        if not template.is_dir():
            _build(installation, chosen, template, who)
    return template


def _key(installation: Installation, chosen: tuple[str, ...], who: Runner | None) -> str:
    program = (installation.bin_directory / "postgres").stat()
    known = f"{_FORMAT} {installation} {program.st_size} {program.st_mtime_ns} {chosen} {who or os.geteuid()}"
    return f"{installation.version}-{hashlib.sha256(known.encode()).hexdigest()[:12]}"


def _build(installation: Installation, chosen: tuple[str, ...], template: Path, who: Runner | None) -> None:
    for left in template.parent.glob(f".{template.name}-*"):  # we hold the lock, so whoever made it is dead
        shutil.rmtree(left, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{template.name}-", dir=template.parent))
    try:
        give(unfinished, who)
        _initdb(installation, chosen, unfinished, who)
        include_settings(unfinished)
        unfinished.rename(template)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def include_settings(data: Path) -> None:
    """Make a cluster read our settings file after its own, and before what ALTER SYSTEM wrote."""
    main = data / "postgresql.conf"
    if SETTINGS_FILE not in main.read_text():
        with open(main, "a") as settings:
            settings.write(f"\ninclude_if_exists = '{SETTINGS_FILE}'\n")


def _initdb(installation: Installation, chosen: tuple[str, ...], directory: Path, who: Runner | None) -> None:
    command = [str(installation.program("initdb")), *chosen, f"--pgdata={directory}"]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        **drop(who),
    )
    if ran.returncode != 0:
        raise InstallationError(
            f"initdb of PostgreSQL {installation.version} failed: {_last(ran.stderr)}", hint=_hint(ran.stderr)
        )


def _last(text: str) -> str:
    """The line that says what went wrong: the first error of PostgreSQL's, else the last line."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if any(sign in line for sign in ("error:", "ERROR:", "FATAL:", "PANIC:"))]
    return (errors or lines[-1:] or ["it said nothing"])[0].strip()


HINTS = (
    ("No space left on device", "free some disk space, or set PREMORTEM_CACHE_DIR to a folder on a roomier disk"),
    ("Disk quota exceeded", "free some disk space, or set PREMORTEM_CACHE_DIR to a folder on another disk"),
    ("could not resize shared memory segment", "give the container more shared memory: docker run --shm-size=256m"),
    ("could not create shared memory segment", "raise kernel.shmmax and kernel.shmall, or stop another server"),
    ("could not map anonymous shared memory", "lower shared_buffers, or give the machine more memory"),
    ("Cannot allocate memory", "lower shared_buffers, or give the machine more memory"),
    ("could not create semaphores", "raise kernel.sem: the machine is out of semaphores"),
    ("invalid locale", "install that locale (Debian: locales-all), or ask for the locale C"),
    ("could not be determined from locale", "install that locale (Debian: locales-all), or ask for the locale C"),
    ("could not find suitable text search", "install that locale (Debian: locales-all), or ask for the locale C"),
    ("ICU is not supported", "this PostgreSQL was built without ICU: install one that has it, or ask for libc"),
    ("incompatible with server", "start that data directory with the PostgreSQL version that made it"),
    ("lock file", "another server runs in that data directory: stop it first"),
    ("unrecognized configuration parameter", "leave out that setting: this PostgreSQL does not know it"),
    ("error while loading shared libraries", "the programs lack a library: reinstall that PostgreSQL"),
    ("could not access file", "this PostgreSQL lacks that library: leave it out of shared_preload_libraries"),
    ("Permission denied", "give that folder to the user that runs the server, or set PREMORTEM_CACHE_DIR to another"),
)


def _hint(text: str) -> str | None:
    return next((hint for sign, hint in HINTS if sign in text), None)


what_went_wrong, what_to_do = _last, _hint


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, waiting for whoever has it."""
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
