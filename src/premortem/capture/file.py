"""The capture's file: one line that says what it is, then compressed JSON.

    premortem-capture 1 gzip 1048576 9f86d081…
    ^ magic           ^ format version        ^ SHA-256 of the rest, and its length before it

As with a profile, the line is text and comes first, so that a foreign, newer, truncated or edited file is told apart
before anything is unpacked.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path

from premortem.capture.captured import Capture
from premortem.catalog import codec
from premortem.errors import CaptureError, InputError, ProfileError

MAGIC = b"premortem-capture"
VERSION = 1
_LEVEL = 6
_LONGEST_HEADER = 200
_AGAIN = "capture again"
_HOW = "take one with: premortem capture -o FILE -- COMMAND"


def write(capture: Capture, path: Path) -> None:
    """Write a capture so that the file is either whole or not there, readable by us alone: it holds test data.

    Raises CaptureError where it cannot be written.
    """
    data = dump(capture)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o600)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()
        raise CaptureError(f"the capture cannot be written to {path}: {error.strerror or error}") from error


def dump(capture: Capture) -> bytes:
    """Return a capture's file as bytes; equal captures give equal bytes."""
    text = json.dumps(codec.encode(capture), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    body = gzip.compress(text.encode("utf-8", "surrogatepass"), _LEVEL, mtime=0)
    digest = hashlib.sha256(body).hexdigest().encode()
    return b" ".join((MAGIC, str(VERSION).encode(), b"gzip", str(len(body)).encode(), digest)) + b"\n" + body


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
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def load(data: bytes, name: str) -> Capture:
    """Return the capture in the bytes of a file."""
    body = _checked(data, name)
    try:
        found = json.loads(gzip.decompress(body).decode("utf-8", "surrogatepass"))
        capture: Capture = codec.decode(Capture, found)
    except (OSError, EOFError, ValueError, zlib.error, RecursionError) as error:
        raise CaptureError(f"{name} is a damaged capture: {error}", hint=_AGAIN) from error
    except ProfileError as error:
        raise CaptureError(f"{name}: {error.message.replace('profile', 'capture')}", hint=_AGAIN) from error
    return capture


def _checked(data: bytes, name: str) -> bytes:
    """The compressed body, once the header says that it is ours, of a known version, and unharmed."""
    line, _, body = data[:_LONGEST_HEADER].partition(b"\n")
    words = line.split(b" ")
    if words[0] != MAGIC:
        raise CaptureError(f"{name} is not a premortem capture", hint=_what_it_is(data))
    version = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    if version > VERSION:
        raise CaptureError(
            f"{name} has format version {version}, and this premortem reads up to {VERSION}",
            hint="use a premortem at least as new as the one that wrote it",
        )
    if len(words) != 5 or version < 1 or words[2] != b"gzip" or not words[3].isdigit():
        raise CaptureError(f"{name} has a damaged first line", hint=_AGAIN)
    body = data[len(line) + 1 :]
    if len(body) < int(words[3]):
        raise CaptureError(f"{name} is truncated: {len(body):,} of {int(words[3]):,} bytes are there", hint=_AGAIN)
    if hashlib.sha256(body).hexdigest().encode() != words[4]:
        raise CaptureError(f"{name} was changed after it was written: its checksum does not match", hint=_AGAIN)
    return body


def _what_it_is(data: bytes) -> str:
    if not data:
        return "the file is empty"
    if data.startswith(b"premortem-profile"):
        return "it is a profile: give it with -p"
    return _HOW
