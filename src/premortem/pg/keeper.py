"""The process between us and a server of ours, so that the server cannot outlive us however we die.

A small shell script in a session of its own starts the postmaster and waits for it. It listens on a pipe whose other
end only we hold: signal names are passed on to the postmaster, and the end of the pipe (we crashed, were killed, or
lost our terminal) means SIGQUIT to the postmaster and removal of its folders. Being the postmaster's parent it holds
the process id until it has collected it, so a reused id is never signalled. Ctrl-C reaches neither of them.

Its standard error is the lock file of the server's folder: the inherited descriptor holds the lock as long as either
of us lives, which is how a later start knows that nobody looks after a folder any more.
"""

from __future__ import annotations

import os
import selectors
import subprocess
from collections.abc import Sequence
from pathlib import Path

from premortem.errors import InstallationError
from premortem.pg.places import Drop, clean_environment

# $1 log file, $2 number of folders to remove, the folders, then the command line of the postmaster.
SCRIPT = r"""
exec 3<&0
log=$1 count=$2; shift 2
removed=
while [ "$count" -gt 0 ]; do
    removed="$removed '$(printf %s "$1" | sed "s/'/'\\\\''/g")'"
    shift
    count=$((count - 1))
done
"$@" </dev/null >>"$log" 2>&1 3<&- &
server=$!
trap '' PIPE HUP INT TERM QUIT
echo "$server"
(
    trap - TERM
    while read -r signal <&3; do kill -s "$signal" "$server"; done
    kill -s QUIT "$server"
) >/dev/null &
listener=$!
wait "$server"
status=$?
kill "$listener"
wait "$listener"
echo "exit $status"
while read -r word <&3; do [ "$word" = forget ] && exit 0; done
eval "rm -rf -- $removed"
"""


class Keeper:
    """A running postmaster and the shell that looks after it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        removes: Sequence[Path],
        lock: int,
        who: Drop,
    ) -> None:
        arguments = [str(log), str(len(removes)), *map(str, removes), *command]
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "premortem", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=lock,
            start_new_session=True,
            env=clean_environment(),
            bufsize=0,
            **(Drop(cwd="/") | who),
        )
        self._status: int | None = None
        self._said = b""
        self.pid = self._read_pid()

    def _read_pid(self) -> int:
        line = self._next_line(timeout=30)
        if line is None or not line.isdigit():
            self.let_go()
            raise InstallationError("/bin/sh did not start the PostgreSQL server")
        return int(line)

    @property
    def running(self) -> bool:
        """Whether the postmaster still runs."""
        return self.wait(0) is None

    def wait(self, timeout: float) -> int | None:
        """The postmaster's exit status, or None when it still runs after `timeout` seconds."""
        if self._status is None and (line := self._next_line(timeout)) is not None:
            self._status = int(line.removeprefix("exit ") or 255)
        return self._status

    def tell(self, signal: str) -> None:
        """Send the postmaster a signal, named without SIG, unless it is gone."""
        self._write(signal)

    def let_go(self) -> None:
        """Tell the shell that we tidy up ourselves, and wait for it to leave."""
        self._write("forget")
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self, word: str) -> None:
        pipe = self._process.stdin
        if pipe is None or pipe.closed:
            return
        try:
            pipe.write(word.encode() + b"\n")
        except BrokenPipeError:
            return

    def _next_line(self, timeout: float) -> str | None:
        """One line of what the shell says; an empty one if it is gone; None if it says nothing in time."""
        pipe = self._process.stdout
        if pipe is None or pipe.closed:
            return ""
        with selectors.DefaultSelector() as waiting:
            waiting.register(pipe, selectors.EVENT_READ)
            while b"\n" not in self._said:
                if not waiting.select(timeout):
                    return None
                chunk = os.read(pipe.fileno(), 4096)
                if not chunk:
                    return ""
                self._said += chunk
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()
