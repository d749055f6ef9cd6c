"""Runs a suite's command as a shell would: our standard streams, its own process group, signals passed on.

The group is what lets a signal or a time limit reach whatever the command started.  At a terminal it must be the
foreground group, or reading from the keyboard would stop it; so we hand the terminal over and take it back, and when
the suite is stopped (Ctrl-Z) we stop too, for the shell waits for us and not for it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from premortem.errors import CommandError

#: What the shell says of a command that it cannot run, and `timeout` of one that took too long.
TIMED_OUT, NOT_RUNNABLE, NOT_FOUND = 124, 126, 127
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
_GRACE = 10.0  # seconds from SIGTERM to SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a command ended: its exit status, 128 + n for signal n; and the signal that asked us to end, if one did."""

    status: int
    timed_out: bool = False
    asked: int | None = None


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    timeout: float | None = None,
    stdout: int | None = None,
) -> Ending:
    """Run a command to its end; `stdout` is the file descriptor that it writes to, ours where none is given.

    Raises CommandError where it cannot be started.
    """
    with _forwarding() as forward:
        process = _started(command, environment, stdout)
        forward.to(process.pid)
        with _terminal(process.pid) as terminal, _limit(process, timeout) as limit:
            status = _waited(process, terminal)
    if limit.reached:
        return Ending(status=TIMED_OUT, timed_out=True, asked=forward.asked)
    return Ending(status=status if status >= 0 else 128 - status, asked=forward.asked)


def _started(command: Sequence[str], environment: Mapping[str, str], stdout: int | None) -> subprocess.Popen[bytes]:
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        return subprocess.Popen(list(command), env=dict(environment), process_group=0, stdout=stdout)
    except OSError as error:
        status = NOT_FOUND if error.errno == errno.ENOENT else NOT_RUNNABLE
        raise CommandError(f"{command[0]} cannot be run: {os.strerror(error.errno or 0)}", status=status) from error
    except ValueError as error:
        raise CommandError(f"the command cannot be run: {error}", status=NOT_RUNNABLE) from error


class _Forward:
    """Passes signals on to a process group, and remembers whether one of them asked us to end."""

    def __init__(self) -> None:
        self._group: int | None = None
        self.asked: int | None = None

    def to(self, group: int) -> None:
        """Name the group; what came before it existed is passed on now."""
        self._group = group
        if self.asked is not None:
            _tell(group, self.asked)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if number in _ENDING:
            self.asked = number
        if self._group is not None:
            _tell(self._group, number)


@contextlib.contextmanager
def _forwarding() -> Iterator[_Forward]:
    forward = _Forward()
    if threading.current_thread() is not threading.main_thread():
        yield forward  # whoever runs us there handles signals
        return
    before = {number: signal.signal(number, forward) for number in _PASSED_ON}
    try:
        yield forward
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


class _Limit:
    """Ends a process group when its time is up."""

    def __init__(self, process: subprocess.Popen[bytes], timeout: float | None) -> None:
        self._process = process
        self.reached = False
        self._timers = [threading.Timer(timeout, self._end)] if timeout is not None else []

    def start(self) -> None:
        """Begin to count."""
        for timer in self._timers:
            timer.daemon = True
            timer.start()

    def cancel(self) -> None:
        """Stop counting."""
        for timer in self._timers:
            timer.cancel()

    def _end(self) -> None:
        self.reached = True
        _tell(self._process.pid, signal.SIGTERM)
        _tell(self._process.pid, signal.SIGCONT)
        last = threading.Timer(_GRACE, _tell, (self._process.pid, signal.SIGKILL))
        self._timers.append(last)
        last.daemon = True
        last.start()


@contextlib.contextmanager
def _limit(process: subprocess.Popen[bytes], timeout: float | None) -> Iterator[_Limit]:
    limit = _Limit(process, timeout)
    limit.start()
    try:
        yield limit
    finally:
        limit.cancel()


class _Terminal:
    """The terminal that we were started in the foreground of, or nothing."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def give(self, group: int) -> None:
        """Make a group the foreground one."""
        if self._descriptor is None:
            return
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # which the kernel sends to whoever is not
        try:
            with contextlib.suppress(OSError):
                os.tcsetpgrp(self._descriptor, group)
        finally:
            signal.signal(signal.SIGTTOU, before)

    def take(self) -> None:
        """Make our own group the foreground one."""
        self.give(os.getpgrp())

    @property
    def there(self) -> bool:
        """Whether there is one."""
        return self._descriptor is not None


@contextlib.contextmanager
def _terminal(group: int) -> Iterator[_Terminal]:
    terminal = _Terminal(_foreground())
    terminal.give(group)
    if terminal.there:
        _tell(group, signal.SIGCONT)  # it may have been quick to read, and stopped for it
    try:
        yield terminal
    finally:
        terminal.take()


def _foreground() -> int | None:
    """Standard input, if it is a terminal whose foreground group is ours."""
    if threading.current_thread() is not threading.main_thread():
        return None
    try:
        return 0 if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp() else None
    except OSError:
        return None


def _waited(process: subprocess.Popen[bytes], terminal: _Terminal) -> int:
    """Wait for the end, stopping and going on with the command where there is a shell that can do either."""
    if not terminal.there:
        return process.wait()
    while True:
        _, said = os.waitpid(process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(said):
            process.returncode = os.waitstatus_to_exitcode(said)
            return process.returncode
        terminal.take()
        os.kill(os.getpid(), signal.SIGSTOP)
        terminal.give(process.pid)
        _tell(process.pid, signal.SIGCONT)
