"""The folder that each running server of ours has, and how a later start finds those that nobody looks after.

```
<cache>/clusters/<name>/lock      held by us and by the keeper as long as either lives
                        log       what the server says
                        runs      the path of its data directory
                        removes   the paths that go when the server goes
                        data/     the data directory, unless the caller named another
```
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from premortem.errors import InstallationError
from premortem.pg.clusters import locked
from premortem.pg.places import Runner, can_enter, give
from premortem.pg.postmaster import kill_leftover

SOCKET_PATH_LIMIT = 107  # sun_path of unix(7) has 108 bytes with its final NUL
_LONGEST_NAME = ".s.PGSQL.12345.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A running server's folder; `lock` is the descriptor by which we hold it."""

    path: Path
    lock: int

    @property
    def log(self) -> Path:
        """The file that the server's log goes to."""
        return self.path / "log"

    def note(self, data: Path, removes: tuple[Path, ...]) -> None:
        """Leave word of where the server runs and what to remove, for the day that nobody is left to do it."""
        (self.path / "runs").write_text(str(data))
        (self.path / "removes").write_text("\n".join(map(str, removes)))

    def close(self) -> None:
        """Let go of the folder and remove it."""
        remove(self.path)
        os.close(self.lock)


def new_home(clusters: Path, who: Runner | None) -> Home:
    """A new folder for one server, locked; what dead runs left behind is swept first."""
    with locked(clusters / ".lock"):
        for left in clusters.iterdir():
            if left.is_dir():
                _sweep(left, who)
        path = Path(tempfile.mkdtemp(prefix="", dir=clusters))
        lock = os.open(path / "lock", os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
    give(path / "lock", who)
    give(path, who)
    return Home(path=path, lock=lock)


def _sweep(path: Path, who: Runner | None) -> None:
    """Remove a server's folder, and the server should it still run, if the lock says that nobody looks after it."""
    try:
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return  # another user's
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for data in _noted(path / "runs"):
            kill_leftover(data, who)
        remove(*(left for left in _noted(path / "removes") if _belongs_to(left, who)), path)
    except BlockingIOError:
        return
    finally:
        os.close(lock)


def _noted(file: Path) -> list[Path]:
    try:
        return [Path(line) for line in file.read_text().splitlines()]
    except FileNotFoundError:
        return []


def _belongs_to(path: Path, who: Runner | None) -> bool:
    """Whether the server's user owns `path`: as root we remove on a note's word only what its writer could remove."""
    try:
        return path.lstat().st_uid == (who.uid if who else os.geteuid())
    except OSError:
        return False


def socket_place(name: str, who: Runner | None) -> Path:
    """Where to make a folder of that name for a socket, so that its path is short enough for a socket address."""
    for parent in (tempfile.gettempdir(), "/tmp", "/run", "/var/tmp"):
        place = Path(parent, f"premortem-{name}")
        too_long = len(os.fsencode(place / _LONGEST_NAME)) > SOCKET_PATH_LIMIT
        if not too_long and os.access(parent, os.W_OK) and can_enter(Path(parent), who):
            return place
    raise InstallationError(
        "no folder for the server's socket: its path may have at most 107 bytes", hint="set TMPDIR to a short path"
    )


def remove(*paths: Path) -> None:
    """Remove folders, also those that are already partly gone."""
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
