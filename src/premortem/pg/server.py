"""PostgreSQL servers of our own: started in a moment, private to us, and gone when we are.

```
start
├── sweep              what an earlier run of ours left behind, if anything
├── copy_template      a fresh cluster, unless the data directory holds one
├── Keeper             starts the postmaster and outlives us just long enough to remove it
└── wait until ready   or say why not, with the last lines of its log
```

A cluster listens on a socket in a folder that only we can enter, never on the network unless a test asks for it. Nothing
here survives a power cut on purpose: fsync is off, because everything in these servers can be made again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from psycopg import Error as DriverError
from psycopg import connect, sql
from psycopg.conninfo import make_conninfo

from premortem.errors import InstallationError, ServerError
from premortem.pg import embedded
from premortem.pg.clusters import (
    SETTINGS_FILE, SUPERUSER, Locale, copy_template, locked, what_to_do, what_went_wrong,
)
from premortem.pg.installations import Installation
from premortem.pg.installations import installation as find_installation
from premortem.pg.keeper import Keeper
from premortem.pg.places import (
    Runner, cache_directory, can_enter, clean_environment, drop, give, owned_directory, runner,
)

PORT = 5432  # every server has a socket folder of its own, so they need not differ
SOCKET_PATH_LIMIT = 107  # sun_path of unix(7) has 108 bytes with its final NUL
START_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0
SIGNALS = {"smart": "TERM", "fast": "INT", "immediate": "QUIT"}

# Everything in our servers can be made again, so they need not survive the machine.
DISPOSABLE = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "timezone": "UTC", "log_timezone": "UTC",
    "max_wal_size": "4GB", "shared_preload_libraries": "pg_stat_statements",
}

Setting = str | int | float | bool


class Server:
    """A running PostgreSQL server of our own; leaving its `with` block stops and removes it."""

    def __init__(
        self, installation: Installation, *, home: Path, sockets: Path, data_directory: Path, removes_data: bool,
        lock: int, who: Runner | None, port: int | None,
    ) -> None:
        self.installation = installation
        self.data_directory = data_directory
        self.sockets = sockets
        self._home = home
        self._removes_data = removes_data
        self._lock = lock
        self._who = who
        self._port = port
        self._password = secrets.token_urlsafe(18) if port else None
        self._keeper: Keeper | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop("fast" if kind is None else "immediate")

    def __repr__(self) -> str:
        return f"<Server {self.installation.version} in {self.data_directory}>"

    @property
    def version_num(self) -> int:
        """The version number, such as 180006."""
        return self.installation.version_num

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        if self._keeper is None:
            raise ServerError("the server was stopped")
        return self._keeper.pid

    @property
    def running(self) -> bool:
        """Whether the postmaster runs."""
        return self._keeper is not None and self._keeper.running

    @property
    def owner(self) -> tuple[int, int] | None:
        """The user and group that must own files put into the data directory, or None when they are ours anyway."""
        return (self._who.uid, self._who.gid) if self._who else None

    def dsn(self, database: str = "postgres") -> str:
        """The connection string of one of its databases, as its superuser."""
        return make_conninfo(host=str(self.sockets), port=PORT, user=SUPERUSER, dbname=database)

    def tcp_dsn(self, database: str = "postgres") -> str:
        """The same over the loopback interface and with a password, for a server that was started with `tcp=True`."""
        if self._port is None:
            raise ServerError("this server does not listen on the network", hint="start it with tcp=True")
        return make_conninfo(
            host="127.0.0.1", port=self._port, user=SUPERUSER, dbname=database, password=self._password
        )

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the server's log."""
        try:
            return "\n".join((self._home / "log").read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def run(
        self, program: str, *arguments: str | os.PathLike[str], stdin: str | None = None, timeout: float | None = None
    ) -> str:
        """What one of the installation's programs, such as `pg_dump`, prints when run against this server."""
        place = {"PGHOST": str(self.sockets), "PGPORT": str(PORT), "PGUSER": SUPERUSER, "PGDATABASE": "postgres"}
        ran = subprocess.run(
            [self.installation.program(program), *arguments], input=stdin or "", capture_output=True, text=True,
            check=False, timeout=timeout, env=clean_environment() | place, **drop(self._who),
        )
        if ran.returncode != 0:
            raise ServerError(f"{program} failed: {what_went_wrong(ran.stderr)}")
        return ran.stdout

    def stop(self, mode: str = "fast") -> None:
        """Stop the server and remove what it was made of, but not a data directory that is to be kept."""
        self._halt(mode)
        _remove(self._home, self.sockets, *([self.data_directory] if self._removes_data else []))
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def restart(self) -> None:
        """Stop the server and start it again on the same data directory, reading changed settings."""
        self._halt("fast")
        self._launch()

    def _halt(self, mode: str) -> None:
        if self._keeper is None:
            return
        keeper, self._keeper = self._keeper, None
        try:
            keeper.tell(SIGNALS[mode])
            if keeper.wait(STOP_TIMEOUT) is None:
                keeper.tell(SIGNALS["immediate"])
                keeper.wait(STOP_TIMEOUT)
        finally:
            keeper.let_go()
            _kill_leftover(self.data_directory)

    def _launch(self) -> None:
        _clear_stale_lock_file(self.data_directory)
        removes = [self._home, self.sockets, *([self.data_directory] if self._removes_data else [])]
        command = [
            str(self.installation.program("postgres")), "-D", str(self.data_directory), "-k", str(self.sockets),
            "-p", str(self._port or PORT), "-h", "127.0.0.1" if self._port else "",
        ]
        self._keeper = Keeper(command, log=self._home / "log", removes=removes, lock=self._lock, who=drop(self._who))
        try:
            self._wait_until_ready(self._keeper)
        except BaseException:
            self._halt("immediate")
            raise

    def _wait_until_ready(self, keeper: Keeper) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not _says_ready(self.data_directory, keeper.pid):
            if keeper.wait(0.005) is not None:
                raise self._start_error("did not start")
            if time.monotonic() > deadline:
                raise self._start_error(f"was not ready after {START_TIMEOUT:.0f} s")

    def _start_error(self, what: str) -> InstallationError:
        log = self.log_tail(10)
        return InstallationError(
            f"PostgreSQL {self.installation.version} {what}: {what_went_wrong(log)}\nIts log ends with:\n{log}",
            hint=what_to_do(log),
        )
