"""PostgreSQL servers of our own: started in a moment, private to us, and gone when we are.

```
start
├── sweep              what an earlier run of ours left behind, if anything
├── copy_template      a fresh cluster, unless the data directory holds one
├── Keeper             starts the postmaster and outlives us just long enough to remove it
└── wait until ready   or say why not, with the last lines of its log
```

A cluster listens on a socket in a folder that only we can enter, and on the network only if a test asks for it.
Nothing here survives a power cut on purpose: fsync is off, because everything in these servers can be made again.
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
    SETTINGS_FILE,
    SUPERUSER,
    Locale,
    copy_template,
    locked,
    what_to_do,
    what_went_wrong,
)
from premortem.pg.installations import Installation
from premortem.pg.installations import installation as find_installation
from premortem.pg.keeper import Keeper
from premortem.pg.places import (
    Runner,
    cache_directory,
    can_enter,
    clean_environment,
    drop,
    give,
    owned_directory,
    runner,
)

PORT = 5432  # every server has a socket folder of its own, so they need not differ
SOCKET_PATH_LIMIT = 107  # sun_path of unix(7) has 108 bytes with its final NUL
START_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0
SIGNALS = {"smart": "TERM", "fast": "INT", "immediate": "QUIT"}

# Everything in our servers can be made again, so they need not survive the machine.
DISPOSABLE = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "timezone": "UTC", "log_timezone": "UTC",
    "max_wal_size": "4GB",
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
        self._port = port or PORT
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
        return make_conninfo(host=str(self.sockets), port=self._port, user=SUPERUSER, dbname=database)

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
            return "\n".join((self._home / "log").read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def run(
        self, program: str, *arguments: str | os.PathLike[str], stdin: str | None = None, timeout: float | None = None
    ) -> str:
        """What one of the installation's programs, such as `pg_dump`, prints when run against this server."""
        place = {"PGHOST": str(self.sockets), "PGPORT": str(self._port), "PGUSER": SUPERUSER, "PGDATABASE": "postgres"}
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
            "-p", str(self._port), "-h", "127.0.0.1" if self._password else "",
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

    def _set_password(self) -> None:
        if self._password is None:
            return
        with connect(self.dsn(), autocommit=True) as connection:
            name, word = sql.Identifier(SUPERUSER), sql.Literal(self._password)
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, word))


def start(
    installation: Installation | None = None, *, settings: Mapping[str, Setting] | None = None,
    data_directory: Path | None = None, keep: bool = False, tcp: bool = False, locale: Locale | None = None,
) -> Server:
    """A running server, on a new cluster or on the one that `data_directory` holds.

    A cluster that was there before is never removed, and neither is a new one that is to be kept.
    """
    who = runner()
    programs = _reachable(installation or find_installation(), who)
    clusters = owned_directory(cache_directory() / "clusters", who, 0o755)
    with contextlib.ExitStack() as undo:
        home, lock = _new_home(clusters, who)
        undo.callback(_remove, home)
        undo.callback(os.close, lock)
        data = _data_directory(home, data_directory, keep=keep)
        found = (data / "PG_VERSION").is_file()
        sockets = _socket_directory(who)
        undo.callback(_remove, sockets)
        (home / "sockets").write_text(str(sockets))
        if not found:
            _make_cluster(programs, locale or Locale(), data, who, undo)
        _write_settings(data, DISPOSABLE | dict(settings or {}), who)
        server = Server(
            programs, home=home, sockets=sockets, data_directory=data, removes_data=not (found or keep), lock=lock,
            who=who, port=_free_port() if tcp else None,
        )
        server._launch()
        undo.pop_all()
    try:
        server._set_password()
    except DriverError as error:
        server.stop("immediate")
        raise InstallationError("the new server closed the connection") from error
    return server


def _reachable(installation: Installation, who: Runner | None) -> Installation:
    """The installation in a place where the server's user can run it."""
    directory = installation.bin_directory
    if can_enter(directory / "postgres", who):
        return installation
    if who is None or not embedded.is_embedded(directory):
        raise InstallationError(
            f"the user {who.name if who else os.geteuid()} cannot run the programs in {directory}",
            hint=f"open the folders above {directory} to that user (chmod o+x)",
        )
    moved = embedded.readable_copy(directory, cache_directory())
    return Installation(
        version_num=installation.version_num, version=installation.version, bin_directory=moved,
        origin=installation.origin,
    )


def _new_home(clusters: Path, who: Runner | None) -> tuple[Path, int]:
    """A new folder for one server's files and the descriptor of its lock; what dead runs left behind is swept first."""
    with locked(clusters / ".lock"):
        for left in clusters.iterdir():
            if left.is_dir():
                _sweep(left)
        home = Path(tempfile.mkdtemp(prefix="", dir=clusters))
        lock = os.open(home / "lock", os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        give(home / "lock", who)
        give(home, who)
        return home, lock


def _sweep(home: Path) -> None:
    """Remove a server's folder, and the server should it still run, if the lock says that nobody looks after it."""
    try:
        lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return  # another user's
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        for named in _named_in(home):
            _kill_leftover(named)
        sockets = [named for named in _named_in(home) if named.name.startswith("premortem-")]
        _remove(*sockets, home)
    finally:
        os.close(lock)


def _named_in(home: Path) -> list[Path]:
    """The folders that belong to a server, as its own folder names them."""
    names = [home / "sockets", home / "kept"]
    return [home / "data", *(Path(name.read_text()) for name in names if name.is_file())]


def _data_directory(home: Path, wanted: Path | None, *, keep: bool) -> Path:
    if wanted is None and keep:
        wanted = home.parents[1] / "kept" / home.name
    if wanted is None:
        return home / "data"
    (home / "kept").write_text(str(wanted.absolute()))
    return wanted.absolute()


def _make_cluster(
    installation: Installation, locale: Locale, data: Path, who: Runner | None, undo: contextlib.ExitStack
) -> None:
    if data.is_dir() and any(data.iterdir()):
        raise InstallationError(f"{data} is neither empty nor a PostgreSQL data directory")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    undo.callback(_remove, data)
    data.chmod(0o700)
    give(data, who)
    if not can_enter(data, who):
        raise InstallationError(
            f"the user {who.name if who else os.geteuid()}, who runs the server, cannot enter {data}",
            hint="choose a folder that every user can enter, or set PREMORTEM_CACHE_DIR to one",
        )
    copy_template(installation, locale, data, who)


def _write_settings(data: Path, settings: Mapping[str, Setting], who: Runner | None) -> None:
    path, main = data / SETTINGS_FILE, data / "postgresql.conf"
    path.write_text("".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items()))
    give(path, who)
    if SETTINGS_FILE not in main.read_text():
        with open(main, "a") as file:
            file.write(f"\ninclude_if_exists = '{SETTINGS_FILE}'\n")


def _quoted(value: Setting) -> str:
    r"""A value as postgresql.conf wants it.

    >>> _quoted(True), _quoted("it's 4\\8")
    ("'on'", "'it''s 4\\\\8'")
    """
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _socket_directory(who: Runner | None) -> Path:
    """A folder for the socket, private to us, whose path is short enough for a socket address."""
    for parent in (tempfile.gettempdir(), "/tmp", "/run", "/var/tmp"):
        too_long = len(f"{parent}/premortem-12345678/.s.PGSQL.12345.lock") > SOCKET_PATH_LIMIT
        if too_long or not os.access(parent, os.W_OK) or not can_enter(Path(parent), who):
            continue
        path = Path(tempfile.mkdtemp(prefix="premortem-", dir=parent))
        give(path, who)
        return path
    raise InstallationError(
        "no folder for the server's socket: its path may have at most 107 bytes", hint="set TMPDIR to a short path"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _says_ready(data: Path, pid: int) -> bool:
    """Whether postmaster.pid, whose lines are the pid first and the status last, says that connections are taken."""
    lines = _lock_file_lines(data)
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _lock_file_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _postmaster_of(data: Path) -> int | None:
    """The process id of the server that runs in `data`, or None; a stale file or a reused process id is not one."""
    lines = _lock_file_lines(data)
    if not lines or not lines[0].strip().isdigit():
        return None
    pid = int(lines[0])
    asked = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return pid if f"-D {data}" in asked.stdout else None


def _clear_stale_lock_file(data: Path) -> None:
    """Remove the lock file of a crashed server: PostgreSQL itself balks when the process id was given to another."""
    if _lock_file_lines(data) and _postmaster_of(data) is None:
        (data / "postmaster.pid").unlink(missing_ok=True)


def _kill_leftover(data: Path) -> None:
    """Stop a server that still runs in `data` although nobody looks after it."""
    deadline = time.monotonic() + 10
    while (pid := _postmaster_of(data)) is not None and time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
        time.sleep(0.02)


def _remove(*paths: Path) -> None:
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
