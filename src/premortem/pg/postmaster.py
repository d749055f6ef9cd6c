"""Whether a postmaster runs in a data directory, told apart from a stale file and from a reused process id."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from premortem.pg.places import Runner

TAKES_CONNECTIONS = ("ready", "standby")
LOCK_FILE = "postmaster.pid"
READY_LINE = 7  # of that file, counted from 0: PM_STATUS in PostgreSQL's pidfile.h
PORT_LINE, SOCKETS_LINE = 3, 4


def says_ready(data: Path, pid: int) -> bool:
    """Whether the lock file, whose lines are the pid first and the status last, says that connections are taken."""
    lines = _lines(data)
    return len(lines) > READY_LINE and lines[0] == str(pid) and lines[READY_LINE].strip() in TAKES_CONNECTIONS


def takes_connections_at(data: Path) -> tuple[str, str] | None:
    """The socket folder and the port of the server in `data`, None unless its lock file says that it is ready."""
    lines = _lines(data)
    if len(lines) <= READY_LINE or lines[READY_LINE].strip() not in TAKES_CONNECTIONS:
        return None
    return lines[SOCKETS_LINE].strip(), lines[PORT_LINE].strip()


def postmaster_of(data: Path, who: Runner | None) -> int | None:
    """The process id of the server of ours that runs in `data`, or None."""
    lines = _lines(data)
    if not lines or not lines[0].strip().isdigit():
        return None
    pid = int(lines[0])
    owner, arguments = _process(pid)
    ours = owner == (who.uid if who else os.geteuid())
    return pid if ours and _runs_in(data, arguments) else None


def clear_stale_lock_file(data: Path, who: Runner | None) -> None:
    """Remove the lock file of a crashed server: PostgreSQL itself balks when the process id was given to another."""
    if _lines(data) and postmaster_of(data, who) is None:
        (data / LOCK_FILE).unlink(missing_ok=True)


def kill_leftover(data: Path, who: Runner | None, *, only: int | None = None) -> None:
    """Stop a server, or only that with the process id `only`, that runs in `data` though nobody looks after it."""
    deadline = time.monotonic() + 10
    while (pid := postmaster_of(data, who)) is not None and only in (None, pid) and time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
        time.sleep(0.02)


def _lines(data: Path) -> list[str]:
    try:
        return (data / LOCK_FILE).read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _runs_in(data: Path, arguments: list[str]) -> bool:
    """Whether a command line, split or as one text, is that of a server started in `data`."""
    if len(arguments) == 1:
        return f" -D {data} " in f"{arguments[0]} "
    return "-D" in arguments and arguments[arguments.index("-D") + 1 :][:1] == [str(data)]


def _process(pid: int) -> tuple[int | None, list[str]]:
    """The owner and the command line of a process; (None, []) when there is none."""
    place = Path("/proc", str(pid))
    try:
        return place.stat().st_uid, (place / "cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
    except OSError:
        return _process_by_ps(pid) if not Path("/proc/self").exists() else (None, [])


def _process_by_ps(pid: int) -> tuple[int | None, list[str]]:
    """The same where there is no /proc, as on macOS."""
    asked = subprocess.run(
        ["ps", "-ww", "-o", "uid=,args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    owner, _, arguments = asked.stdout.strip().partition(" ")
    return (int(owner), [arguments]) if owner else (None, [])
