"""Where state lives: a database that somebody named, or a server of our own in a state directory.

The server in a state directory belongs to one process at a time, and any number of others may use it:

```
Directory.dsn
├── takes the lock `owner`     nobody has it: start the server on the data that is there, end what a killed owner left
└── or shares the lock `users` somebody has it: join the server that runs
```
An owner that leaves waits a moment for the users, then stops the server.  Whoever still needs it comes back here, and
becomes the owner: the watcher and a command in a shell need not know of each other.  Both locks end with their process,
however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from premortem import pg
from premortem.errors import PremortemError, StoreError

_JOIN_SECONDS = 60.0  # recovering from a crash can take a while
_LEAVE_SECONDS = 5.0
_STEP = 0.05

#: What makes a disposable server one that keeps what it was told, and a small one.
_DURABLE: dict[str, str | int | bool] = {
    "fsync": True,
    "synchronous_commit": True,
    "full_page_writes": True,
    "shared_buffers": "64MB",
    "max_connections": 30,
    "max_wal_size": "512MB",
    "wal_compression": True,
    # Its log is never rotated: nothing regular goes there, and no text of a query.
    "log_checkpoints": False,
    "log_autovacuum_min_duration": -1,
    "log_min_error_statement": "panic",
}


class Place(Protocol):
    """Where the state is, and how to get there."""

    @property
    def says(self) -> str:
        """The place, fit to be shown."""
        ...

    def dsn(self) -> str:
        """Return a connection string that works now."""
        ...

    def close(self) -> None:
        """Let go of what was needed to get there."""
        ...


class Database:
    """A database that somebody named by its DSN."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    @property
    def says(self) -> str:
        """The place, without a password."""
        return pg.describe(self._dsn)

    def dsn(self) -> str:
        """Return the connection string as it was given."""
        return self._dsn

    def close(self) -> None:
        """Let go of nothing."""


class Directory:
    """A state directory, with the server that is started in it or joined."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self._path = Path(os.path.abspath(path))
        self._data = self._path / "postgresql"
        self._create = create
        self._server: pg.Server | None = None
        self._held = contextlib.ExitStack()

    @property
    def says(self) -> str:
        """The place."""
        return str(self._path)

    def dsn(self) -> str:
        """Return how to reach the server in it, which is started, started again, or joined.

        Raises StoreError.
        """
        if self._server is not None and self._server.running:
            return self._server.dsn()
        self.close()
        if not self._create and not (self._data / "PG_VERSION").is_file():
            raise StoreError(
                f"there is no state in {self._path}", hint="name the place that premortem watch uses: --store DSN"
            )
        with _told(self._path):
            _make(self._path)
            return self._owned_or_joined()

    def _owned_or_joined(self) -> str:
        deadline = time.monotonic() + _JOIN_SECONDS
        while True:
            if self._lock("owner", fcntl.LOCK_EX):
                return self._started()
            if self._lock("users", fcntl.LOCK_SH):
                if (found := pg.running(self._data)) is not None:
                    return found
                self._held.close()
            if time.monotonic() > deadline:
                raise StoreError(
                    f"another premortem{self._owner()} uses the state in {self._path}, but its server does not answer",
                    hint="is it still starting, or stopped with SIGSTOP? End that process and try again",
                )
            time.sleep(_STEP)

    def _started(self) -> str:
        (self._path / "owner").write_text(f"{os.getpid()}\n")
        pg.end_leftover(self._data)
        new = not (self._data / "PG_VERSION").is_file()
        installation = None if new else _installation_for(self._data)
        self._server = pg.start(installation, data_directory=self._data, keep=True, settings=_DURABLE)
        if new:
            os.sync()  # a cluster is copied without waiting for the disk; from now on the server sees to it
        return self._server.dsn()

    def close(self) -> None:
        """Let go of the server: stop one that is ours, once the others are gone or have had their time."""
        server, self._server = self._server, None
        try:
            if server is not None:
                if server.running:
                    self._wait_for_users()
                server.stop("fast")
        finally:
            self._held.close()

    def _wait_for_users(self) -> None:
        deadline = time.monotonic() + _LEAVE_SECONDS
        while not self._lock("users", fcntl.LOCK_EX) and time.monotonic() < deadline:
            time.sleep(_STEP)

    def _lock(self, name: str, how: int) -> bool:
        """Whether we got that lock; we hold it until we let go of everything."""
        descriptor = os.open(self._path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._held.callback(os.close, descriptor)
        return True

    def _owner(self) -> str:
        with contextlib.suppress(OSError):
            said = (self._path / "owner").read_text().strip()
            return f" (process {said})" if said.isdigit() else ""
        return ""


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise StoreError(
            f"the state in {path} belongs to another user",
            hint="run this as the user that premortem watch runs as, or name a database: --store DSN",
        ) from error
    except OSError as error:
        raise StoreError(
            f"the state in {path} cannot be used: {error.strerror or error}",
            hint="name another state_directory, or a database: --store DSN",
        ) from error


def _make(path: Path) -> None:
    """Make the directory: private, but for the user that our servers run as when we are root."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True, mode=0o755 if os.geteuid() == 0 else 0o700)
    # Root's mask may be tight, and its server runs as another user, who has to pass through.
    if os.geteuid() == 0 and path.stat().st_uid == 0:
        path.chmod(path.stat().st_mode & 0o777 | 0o111)


def _installation_for(data: Path) -> pg.Installation:
    """Return the programs of the version that made the data: no other can read it."""
    major = int((data / "PG_VERSION").read_text().split(".")[0])
    found = pg.exact_installation(major)
    if found is None:
        raise StoreError(
            f"the state in {data.parent} was made by PostgreSQL {major}, which is not on this machine",
            hint=f"install PostgreSQL {major}, or restore a dump of it into a database and name that: --store DSN",
        )
    return found


def default_directory() -> Path:
    """Return where state lives where nobody says: the unit's directory under systemd, else the user's."""
    if said := os.environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(said)
    if os.geteuid() == 0:
        return Path("/var/lib/premortem")
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "premortem"
    named = os.environ.get("XDG_STATE_HOME", "")
    return (Path(named) if os.path.isabs(named) else home / ".local" / "state") / "premortem"


def place(dsn: str | None, directory: Path | None, *, create: bool = True) -> Place:
    """Return where state is: the database of the DSN, else the directory, else the usual one."""
    if dsn is not None:
        if not dsn.strip():
            raise StoreError("the store's connection string is empty", hint="is the variable that holds it set?")
        return Database(dsn)
    try:
        return Directory(directory or default_directory(), create=create)
    except (RuntimeError, PremortemError) as error:  # Path.home() of a user without one
        raise StoreError(f"there is no place for the state: {error}", hint="name a state_directory") from error
