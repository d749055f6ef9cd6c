"""Where errors become one sentence and an exit code, and where signals become errors.

A signal must end premortem through its `with` blocks, for those stop the servers.  What nobody foresaw is called what
it is, a bug, and is "could not tell": never 0.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import IO

from premortem.errors import PremortemError

COULD_NOT_TELL = 3
_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """A signal asked us to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def guarded(command: Callable[[], int], *, debug: bool) -> int:
    """Run a command and return its exit code, whatever happens in it."""
    try:
        with _signals():
            code = command()
            sys.stdout.flush()
            return code
    except KeyboardInterrupt:
        say("interrupted")
        return 128 + signal.SIGINT
    except Ended as ended:
        return 128 + ended.number
    except BrokenPipeError:
        silence(sys.stdout)
        return 128 + signal.SIGPIPE
    except PremortemError as error:
        return _told(error, debug)
    except OSError as error:
        return _refused(error, debug)
    except Exception as error:  # noqa: BLE001  # the last line of defence: it has to be called a bug
        return _bug(error, debug)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the stack, as Ctrl-C does."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    try:
        before = {number: signal.signal(number, end) for number in _ENDING}
    except ValueError:  # not the main thread: whoever runs us there handles signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _told(error: PremortemError, debug: bool) -> int:
    _trace(debug)
    say(error.message, error.hint)
    return error.exit_code


def _refused(error: OSError, debug: bool) -> int:
    _trace(debug)
    what = os.strerror(error.errno) if error.errno else str(error)
    where = f"{error.filename}: " if error.filename else ""
    full = "make room, or write elsewhere" if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
    say(f"{where}{what}", full)
    silence(sys.stdout)
    return COULD_NOT_TELL


def _bug(error: Exception, debug: bool) -> int:
    _trace(debug)
    said = f"{type(error).__name__}: {error}".strip().rstrip(":")
    say(f"{said}; this is a bug in premortem", None if debug else "run it again with --debug and report what it says")
    return COULD_NOT_TELL


def _trace(debug: bool) -> None:
    if debug:
        traceback.print_exc()


def say(message: str, hint: str | None = None) -> None:
    """Tell an error on standard error, where it is still open."""
    from premortem import words

    with contextlib.suppress(OSError, ValueError):
        print(f"premortem: {words.plain(message)}", file=sys.stderr)
        if hint:
            print(f"  hint: {words.plain(hint)}", file=sys.stderr)
        sys.stderr.flush()


def silence(stream: IO[str]) -> None:
    """Point a stream that nobody reads, or that cannot be written, at nothing, so that its last flush is quiet."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
