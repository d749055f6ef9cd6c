"""The profile's file: one line that says what it is, then compressed JSON.

    premortem-profile 1 gzip 1048576 9f86d081…
    ^ magic           ^ format version        ^ SHA-256 of the rest, and its length before it

The line is text so that `head -1` tells a stranger what the file is, and it comes first so that a newer, truncated or
edited file is told apart from a foreign one before anything is unpacked.
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
from typing import BinaryIO

from premortem.catalog import codec
from premortem.catalog.memory import collector_paused
from premortem.errors import InputError, ProfileError
from premortem.model import Profile

MAGIC = b"premortem-profile"
VERSION = 1
_LEVEL = 6
_LONGEST_HEADER = 200
_AGAIN = "Pull the profile again."


def write(profile: Profile, path: Path) -> None:
    """Write a profile so that the file is either whole or not there: a temporary file beside it takes its name."""
    data = dump(profile)
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
        raise ProfileError(f"the profile cannot be written to {path}: {error.strerror or error}") from error


def dump(profile: Profile) -> bytes:
    """Return a profile's file as bytes; equal profiles give equal bytes."""
    with collector_paused():
        text = json.dumps(codec.encode(profile), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    body = gzip.compress(text.encode("utf-8", "surrogatepass"), _LEVEL, mtime=0)
    digest = hashlib.sha256(body).hexdigest().encode()
    return b" ".join((MAGIC, str(VERSION).encode(), b"gzip", str(len(body)).encode(), digest)) + b"\n" + body


def read(path: Path | BinaryIO) -> Profile:
    """Return the profile in a file.

    Raises InputError where there is no such file, ProfileError where it is foreign, newer, truncated or edited.
    """
    if isinstance(path, Path):
        try:
            return load(path.read_bytes(), str(path))
        except OSError as error:
            hint = "Take one with: premortem profile pull DSN -o FILE"
            raise InputError(f"{path} cannot be read: {error.strerror or error}", hint=hint) from error
    return load(path.read(), str(getattr(path, "name", "the input")))


def load(data: bytes, name: str) -> Profile:
    """Return the profile in the bytes of a file."""
    body = _checked(data, name)
    with collector_paused():
        return _decoded(body, name)


def _decoded(body: bytes, name: str) -> Profile:
    try:
        found = json.loads(gzip.decompress(body).decode("utf-8", "surrogatepass"))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ProfileError(f"{name} is a damaged profile: {error}", hint=_AGAIN) from error
    except RecursionError:
        raise ProfileError(f"{name} is no profile: its JSON is nested too deeply", hint=_AGAIN) from None
    profile: Profile = codec.decode(Profile, found)
    return profile


def _checked(data: bytes, name: str) -> bytes:
    """The compressed body, once the header says that it is ours, of a known version, and unharmed."""
    line, _, body = data[:_LONGEST_HEADER].partition(b"\n")
    words = line.split(b" ")
    if words[0] != MAGIC:
        raise ProfileError(f"{name} is not a premortem profile", hint=_what_it_is(data))
    version = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    if version > VERSION:
        raise ProfileError(
            f"{name} has format version {version}, and this premortem reads up to {VERSION}",
            hint="Use a premortem at least as new as the one that pulled it.",
        )
    if len(words) != 5 or version < 1 or words[2] != b"gzip" or not words[3].isdigit():
        raise ProfileError(f"{name} has a damaged first line", hint=_AGAIN)
    body = data[len(line) + 1 :]
    if len(body) < int(words[3]):
        raise ProfileError(f"{name} is truncated: {len(body):,} of {int(words[3]):,} bytes are there", hint=_AGAIN)
    if hashlib.sha256(body).hexdigest().encode() != words[4]:
        raise ProfileError(f"{name} was changed after it was written: its checksum does not match", hint=_AGAIN)
    return body


def _what_it_is(data: bytes) -> str:
    if not data:
        return "The file is empty."
    if data.startswith(b"PGDMP"):
        return "It is a dump of pg_dump; a profile is taken with: premortem profile pull DSN -o FILE"
    return "A profile is taken with: premortem profile pull DSN -o FILE"
