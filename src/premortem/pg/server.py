"""PostgreSQL servers of our own: started in a moment, private to us, and gone when we are.

```
start
├── new_home           a folder of its own, after sweeping what an earlier run of ours left behind
├── copy_template      a fresh cluster, unless the data directory holds one
├── Keeper             starts the postmaster and outlives us just long enough to remove it
└── wait until ready   or say why not, with the last lines of its log
```

A cluster listens on a socket in a folder that only we can enter, and on the network only if a test asks for it.
Nothing here survives a power cut on purpose: fsync is off, because everything in these servers can be made again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from premortem.errors import InstallationError, ServerError, ServerTimeout
from premortem.pg import embedded
from premortem.pg.clusters import (
    SETTINGS_FILE,
    SUPERUSER,
    Locale,
    copy_cluster,
    copy_template,
    include_settings,
    what_to_do,
    what_went_wrong,
)
from premortem.pg.homes import Home, new_home, remove, socket_place
from premortem.pg.installed import Installation
from premortem.pg.installed import installation as find_installation
from premortem.pg.keeper import Keeper
from premortem.pg.places import (
    Runner,
    cache_directory,
    can_enter,
    clean_environment,
    drop,
    give,
    made_directory,
    runner,
    shared_directory,
)
from premortem.pg.postmaster import clear_stale_lock_file, kill_leftover, says_ready

PORT = 5432  # every server has a socket folder of its own, so they need not differ
START_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0
PORT_ATTEMPTS = 5  # a port that was free a moment ago can be taken by the time that the server wants it
MEMORY = Path("/dev/shm")
ROOM_IN_MEMORY = 1 << 30  # many times what a catalog takes, for others need it too
SIGNALS = {"smart": "TERM", "fast": "INT", "immediate": "QUIT"}

# Everything in our servers can be made again, so they need not survive the machine.
DISPOSABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_wal_size": "4GB",
}

Setting = str | int | float | bool


class Server:
    """A running PostgreSQL server of our own; leaving its `with` block stops and removes it."""

    def __init__(
        self,
        installation: Installation,
        *,
        home: Home,
        sockets: Path,
        data_directory: Path,
        removes: tuple[Path, ...],
        who: Runner | None,
        tcp: bool,
    ) -> None:
        self.installation = installation
        self.data_directory = data_directory
        self._home = home
        self._sockets = sockets
        self._removes = removes
        self._who = who
        self._port = PORT
        self._password = secrets.token_urlsafe(18) if tcp else None
        self._keeper: Keeper | None = None
        self._stopped = False

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
    def port(self) -> int:
        """The port on the loopback interface, for a server that was started with `tcp=True`."""
        return self._port

    @property
    def superuser(self) -> str:
        """The name of its superuser, which is whom `dsn` connects as."""
        return SUPERUSER

    @property
    def owner(self) -> tuple[int, int] | None:
        """The user and group that must own files put into the data directory, or None when they are ours anyway."""
        return (self._who.uid, self._who.gid) if self._who else None

    def dsn(self, database: str = "postgres") -> str:
        """The connection string of one of its databases, as its superuser."""
        return make_conninfo(host=str(self._sockets), port=self._port, user=SUPERUSER, dbname=database)

    def tcp_dsn(self, database: str = "postgres") -> str:
        """The same over the loopback interface and with a password, for a server that was started with `tcp=True`."""
        if self._password is None:
            raise ServerError("this server does not listen on the network", hint="start it with tcp=True")
        return make_conninfo(
            host="127.0.0.1", port=self._port, user=SUPERUSER, dbname=database, password=self._password
        )

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the server's log."""
        try:
            return "\n".join(self._home.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def run(
        self, program: str, *arguments: str | os.PathLike[str], stdin: str = "", timeout: float | None = None
    ) -> str:
        """What one of the installation's programs, such as `pg_dump`, prints when run against this server."""
        place = {
            "PGHOST": str(self._sockets),
            "PGPORT": str(self._port),
            "PGUSER": SUPERUSER,
            "PGDATABASE": "postgres",
            "PGCLIENTENCODING": "UTF8",
        }
        try:
            ran = subprocess.run(
                [self.installation.program(program), *arguments],
                input=stdin,
                capture_output=True,
                check=False,
                encoding="utf-8",
                errors="surrogateescape",
                timeout=timeout,
                env=clean_environment() | place,
                **drop(self._who),
            )
        except subprocess.TimeoutExpired as error:
            raise ServerTimeout(f"{program} did not end within {timeout:.0f} s") from error
        if ran.returncode != 0:
            raise ServerError(f"{program} failed: {what_went_wrong(ran.stderr)}", hint=what_to_do(ran.stderr))
        return ran.stdout

    def stop(self, mode: str = "fast") -> None:
        """Stop the server and remove what it was made of, but not a data directory that is to be kept."""
        self._halt(mode)
        if not self._stopped:
            self._stopped = True
            remove(*self._removes)
            self._home.close()

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
            kill_leftover(self.data_directory, self._who, only=keeper.pid)  # if the keeper itself was killed

    def _launch(self) -> None:
        clear_stale_lock_file(self.data_directory, self._who)
        command = [
            str(self.installation.program("postgres")),
            "-D",
            str(self.data_directory),
            "-k",
            str(self._sockets),
            "-p",
            str(self._port),
            "-h",
            "127.0.0.1" if self._password else "",
        ]
        removes = [*self._removes, self._home.path]
        self._keeper = Keeper(command, log=self._home.log, removes=removes, lock=self._home.lock, who=drop(self._who))
        try:
            self._wait_until_ready(self._keeper)
        except BaseException:
            self._halt("immediate")
            raise

    def _wait_until_ready(self, keeper: Keeper) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not says_ready(self.data_directory, keeper.pid):
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

    def _launch_on_a_free_port(self) -> None:
        for attempt in range(PORT_ATTEMPTS):
            self._port = _free_port()
            try:
                self._launch()
            except InstallationError as error:
                if "Address already in use" not in error.message or attempt + 1 == PORT_ATTEMPTS:
                    raise
            else:
                break

    def _set_password(self, password: str) -> None:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            name, word = sql.Identifier(SUPERUSER), sql.Literal(password)
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, word))

    def _begin(self) -> None:
        if self._password is None:
            self._launch()
            return
        self._launch_on_a_free_port()
        try:
            self._set_password(self._password)
        except psycopg.Error as error:
            raise self._start_error("closed the connection") from error


def start(
    installation: Installation | None = None,
    *,
    settings: Mapping[str, Setting] | None = None,
    data_directory: Path | None = None,
    template: Path | None = None,
    keep: bool = False,
    tcp: bool = False,
    locale: Locale | None = None,
    compact: bool = False,
) -> Server:
    """A running server: on a new cluster, a copy of the stopped cluster `template`, or what `data_directory` holds.

    A cluster that was there before is never removed, and neither is a new one that is to be kept.  A `compact` one is
    for catalogs only: its log is small, and it lives in memory where nobody said otherwise and memory has room.
    """
    who = runner()
    programs = _reachable(installation or find_installation(), who)
    clusters = shared_directory(cache_directory() / "clusters", who)
    with _disk_errors(), contextlib.ExitStack() as undo:
        home = new_home(clusters, who)
        undo.callback(home.close)
        data = _data_directory(home, data_directory, keep=keep, compact=compact)
        found = (data / "PG_VERSION").is_file()
        if not found:
            _make_directory(data, who, undo)  # from here on, and not before, it is ours to remove
        sockets = socket_place(home.path.name, who)
        removes = (sockets,) if found or keep else (sockets, data)
        home.note(data, removes)  # before there is anything to remove
        _make_socket_directory(sockets, who, undo)
        if not found:
            _fill(data, template, programs, locale or Locale(), who, compact=compact)
        _write_settings(data, DISPOSABLE | dict(settings or {}), who)
        server = Server(programs, home=home, sockets=sockets, data_directory=data, removes=removes, who=who, tcp=tcp)
        undo.callback(server._halt, "immediate")
        server._begin()
        undo.pop_all()
    return server


def _reachable(installation: Installation, who: Runner | None) -> Installation:
    """The installation in a place where the server's user can run it."""
    directory = installation.bin_directory
    if can_enter(directory / "postgres", who):
        return installation
    if who is None or not embedded.is_embedded(directory):
        raise InstallationError(
            f"the user {who.name if who else os.geteuid()} cannot run the programs in {directory}",
            hint=f"open {directory} and the folders above it to that user (chmod o+x)",
        )
    return replace(installation, bin_directory=embedded.readable_copy(directory, cache_directory()))


def _data_directory(home: Home, wanted: Path | None, *, keep: bool, compact: bool) -> Path:
    if wanted is not None:
        return Path(os.path.abspath(wanted))
    if keep:
        return home.path.parents[1] / "kept" / home.path.name
    return MEMORY / f"premortem-{home.path.name}" if compact and _memory_has_room() else home.path / "data"


def _memory_has_room() -> bool:
    """Whether the machine has a file system in memory with room for a catalog; containers often give it 64 MB."""
    try:
        return shutil.disk_usage(MEMORY).free >= ROOM_IN_MEMORY and os.access(MEMORY, os.W_OK)
    except OSError:
        return False


def _make_directory(data: Path, who: Runner | None, undo: contextlib.ExitStack) -> None:
    if data.is_dir() and any(data.iterdir()):
        raise InstallationError(f"{data} is neither empty nor a PostgreSQL data directory")
    made_directory(data.parent)
    data.mkdir(mode=0o700, exist_ok=True)
    undo.callback(remove, data)
    data.chmod(0o700)
    give(data, who)
    if not can_enter(data, who):
        raise InstallationError(
            f"the user {who.name if who else os.geteuid()}, who runs the server, cannot enter {data}",
            hint="choose a folder that every user can enter, or set PREMORTEM_CACHE_DIR to one",
        )


def _make_socket_directory(sockets: Path, who: Runner | None, undo: contextlib.ExitStack) -> None:
    sockets.mkdir(mode=0o700)  # which fails if somebody else was there first
    undo.callback(remove, sockets)
    give(sockets, who)


def _fill(
    data: Path, template: Path | None, installation: Installation, locale: Locale, who: Runner | None, *, compact: bool
) -> None:
    if template is not None:
        copy_cluster(template, data, who)
    else:
        copy_template(installation, locale, data, who, compact=compact)


def _write_settings(data: Path, settings: Mapping[str, Setting], who: Runner | None) -> None:
    path = data / SETTINGS_FILE
    path.write_text("".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items()))
    include_settings(data)
    give(path, who)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InstallationError(
            f"a server could not be set up: {error}", hint=what_to_do(str(error)) or "set PREMORTEM_CACHE_DIR"
        ) from error


def _quoted(value: Setting) -> str:
    r"""A value as postgresql.conf wants it.

    >>> _quoted(True), _quoted(r"it's 4\8")
    ("'on'", "'it''s 4\\\\8'")
    """
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
