"""Where text goes, and how it may look there."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from premortem.errors import PremortemError, UsageError
from premortem.report import Look

STANDARD = "-"
_NARROWEST, _WIDEST = 60, 120


def look(destination: str = STANDARD, *, details: bool = False) -> Look:
    """Return how text may look at its destination: colours for a terminal that wants them, 80 columns elsewhere."""
    terminal = destination == STANDARD and sys.stdout.isatty()
    return Look(
        width=min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST) if terminal else 80,
        colour=_wants_colour(terminal),
        details=details,
    )


def _wants_colour(terminal: bool) -> bool:
    """Whether colours are wanted: https://no-color.org and FORCE_COLOR, else a terminal that is not dumb."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return terminal and os.environ.get("TERM", "") != "dumb"


def check(destination: str) -> None:
    """Refuse a destination that cannot be written before any work is done for it.

    Raises UsageError.
    """
    path = Path(destination)
    if destination == STANDARD or (path.exists() and not path.is_file() and not path.is_dir()):
        return
    if path.is_dir():
        raise UsageError(f"{destination} is a folder", hint="name a file to write")
    if not path.parent.is_dir():
        raise UsageError(f"{destination} cannot be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{destination} cannot be written: permission denied")


def write(text: str, destination: str = STANDARD) -> None:
    """Write text to standard output or to a file, which is replaced as a whole or not at all.

    Raises PremortemError where it cannot be written.
    """
    if destination == STANDARD:
        _print(text)
        return
    try:
        _replace(Path(destination), text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise PremortemError(
            f"{destination} could not be written: {os.strerror(error.errno or 0)}", hint="the report is lost; run again"
        ) from error


def _print(text: str) -> None:
    """Print text in the encoding of standard output; what it lacks is escaped, not refused."""
    stream = sys.stdout
    encoding = stream.encoding or "utf-8"
    stream.flush()
    if hasattr(stream, "buffer"):
        stream.buffer.write(text.encode(encoding, "backslashreplace"))
        stream.buffer.flush()
    else:
        stream.write(text)


def is_stream(destination: str) -> bool:
    """Return whether a destination is written as it comes, and cannot be replaced as a whole: a device or a pipe.

    So is `/dev/stderr`, whatever it leads to: putting a file in its place would take it from everybody.
    """
    path = Path(destination)
    lexical = os.path.abspath(destination)
    return lexical.startswith(("/dev/", "/proc/")) or (path.exists() and not stat.S_ISREG(path.stat().st_mode))


def _replace(given: Path, content: bytes) -> None:
    if is_stream(str(given)):
        with given.open("ab") as stream:
            stream.write(content)
        return
    path = Path(os.path.realpath(given))  # a link stays, what it leads to is replaced
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
