"""Where our servers live and who runs them, so that root, a CI user and a user without a home all get a server."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypedDict

from premortem.errors import InstallationError

ROOT_CACHE = Path("/var/cache/premortem")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """The operating system user that server programs run as when we are root, which PostgreSQL refuses to be."""

    name: str
    uid: int
    gid: int


class Drop(TypedDict, total=False):
    """The arguments of `subprocess` that change the user of a child."""

    user: int
    group: int
    extra_groups: tuple[int, ...]
    cwd: str


@cache
def runner() -> Runner | None:
    """The unprivileged user that our servers run as, or None when we are not root ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Runner(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise InstallationError(
        "PostgreSQL refuses to run as root, and this machine has neither a user postgres nor a user nobody",
        hint="run premortem as an ordinary user, or create one: useradd --system postgres",
    )


def drop(who: Runner | None) -> Drop:
    """The subprocess arguments that make a child run as `who`."""
    if who is None:
        return {}
    # The folder we were called in may be closed to that user, and initdb insists on being able to return to its own.
    return {"user": who.uid, "group": who.gid, "extra_groups": (), "cwd": "/"}


def cache_directory() -> Path:
    """The folder for template clusters and running servers, made if missing; every server user of ours can enter it."""
    named = os.environ.get("PREMORTEM_CACHE_DIR")
    if named:
        return _made(Path(named).expanduser().absolute())
    if os.geteuid() == 0:
        return _made(ROOT_CACHE)
    try:
        return _made(_user_cache())
    except InstallationError:
        return _own_temporary()


def _user_cache() -> Path:
    home = Path(os.environ.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir)
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "premortem"
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if os.path.isabs(named) else home / ".cache") / "premortem"


def _own_temporary() -> Path:
    """A cache for a user without a usable home, such as nobody; somebody else's folder of that name is refused."""
    path = Path(tempfile.gettempdir()) / f"premortem-{os.geteuid()}"
    _made(path)
    if path.is_symlink() or path.stat().st_uid != os.geteuid():
        raise InstallationError(f"{path} belongs to another user", hint="set PREMORTEM_CACHE_DIR to a folder of yours")
    return path


def _made(path: Path) -> Path:
    try:
        made_directory(path, 0o755 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise InstallationError(
            f"the cache folder {path} cannot be made: {error.strerror}",
            hint="set PREMORTEM_CACHE_DIR to a folder that premortem may write to",
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise InstallationError(
            f"the cache folder {path} cannot be written to", hint="set PREMORTEM_CACHE_DIR to a folder of yours"
        )
    return path


def made_directory(path: Path, mode: int = 0o755) -> None:
    """Make `path` and what is missing above it with exactly that mode, whatever the umask says."""
    if path.is_dir():
        return
    made_directory(path.parent, mode)
    path.mkdir(exist_ok=True)
    path.chmod(mode)


def owned_directory(path: Path, who: Runner | None) -> Path:
    """Make `path`, private to the user that servers run as, unless it is there."""
    return _made_for(path, who, 0o700, owned=True)


def shared_directory(path: Path, who: Runner | None) -> Path:
    """Make `path`, in which we and the user that servers run as may both put things, and remove our own."""
    return _made_for(path, who, 0o700 if who is None else 0o1775, owned=False)


def _made_for(path: Path, who: Runner | None, mode: int, *, owned: bool) -> Path:
    if not path.is_dir():
        path.mkdir(exist_ok=True)
        if who is not None:
            os.chown(path, who.uid if owned else -1, who.gid)
        path.chmod(mode)
    if not can_enter(path, who):
        raise InstallationError(
            f"the user {who.name if who else os.geteuid()}, who runs the servers, cannot enter {path}",
            hint="set PREMORTEM_CACHE_DIR to a folder that every user can enter",
        )
    return path


def give(path: Path, who: Runner | None) -> None:
    """Hand `path` itself over to the user that servers run as."""
    if who is not None:
        os.chown(path, who.uid, who.gid, follow_symlinks=False)


def can_enter(path: Path, who: Runner | None) -> bool:
    """Whether `who` can reach `path`; asked of the kernel, because mode bits do not know about ACLs and mounts."""
    if who is None:
        return os.access(path, os.X_OK)
    try:
        asked = subprocess.run(["test", "-x", str(path)], check=False, **drop(who))
    except PermissionError as error:
        raise InstallationError(
            f"we are root but may not become {who.name}, and PostgreSQL refuses to run as root",
            hint="grant the container CAP_SETUID and CAP_SETGID, or run premortem as an ordinary user",
        ) from error
    return asked.returncode == 0


def clean_environment() -> dict[str, str]:
    """Our environment without what would lead a PostgreSQL program astray: its PG variables and the locale."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}
