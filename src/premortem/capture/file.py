"""The capture's file, of the same make as a profile's."""

from __future__ import annotations

from pathlib import Path

from premortem.capture.captured import Capture
from premortem.catalog.envelope import Envelope
from premortem.errors import CaptureError, InputError

_HOW = "take one with: premortem capture -o FILE -- COMMAND"


def _what_it_is(data: bytes) -> str:
    if not data:
        return "the file is empty"
    if data.startswith(b"premortem-profile"):
        return "it is a profile: give it with -p"
    return _HOW


_FILE = Envelope(
    noun="capture",
    version=1,
    error=CaptureError,
    again="capture again",
    newer="use a premortem at least as new as the one that wrote it",
    foreign=_what_it_is,
)


def write(capture: Capture, path: Path) -> None:
    """Write a capture so that the file is either whole or not there, readable by us alone: it holds test data.

    Raises CaptureError where it cannot be written.
    """
    _FILE.write(capture, path)


def dump(capture: Capture) -> bytes:
    """Return a capture's file as bytes; equal captures give equal bytes."""
    return _FILE.dump(capture)


def read(path: Path) -> Capture:
    """Return the capture in a file.

    Raises InputError where there is no such file, CaptureError where it is foreign, newer, truncated or edited.
    """
    try:
        return load(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", hint=_HOW) from error


def is_capture(path: Path) -> bool:
    """Return whether a file says of itself that it is a capture."""
    try:
        with path.open("rb") as file:
            return file.read(len(_FILE.magic)) == _FILE.magic
    except OSError:
        return False


def load(data: bytes, name: str) -> Capture:
    """Return the capture in the bytes of a file."""
    capture: Capture = _FILE.load(data, name, Capture)
    return capture
