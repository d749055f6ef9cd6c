"""The profile's file."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from premortem.catalog.envelope import Envelope
from premortem.errors import InputError, ProfileError
from premortem.model import Profile

VERSION = 1
_HOW = "premortem profile pull DSN -o FILE"


def _what_it_is(data: bytes) -> str:
    if not data:
        return "The file is empty."
    if data.startswith(b"PGDMP"):
        return f"It is a dump of pg_dump; a profile is taken with: {_HOW}"
    return f"A profile is taken with: {_HOW}"


_FILE = Envelope(
    noun="profile",
    version=VERSION,
    error=ProfileError,
    again="Pull the profile again.",
    newer="Use a premortem at least as new as the one that pulled it.",
    foreign=_what_it_is,
)


def write(profile: Profile, path: Path) -> None:
    """Write a profile; the file is either whole or not there.

    Raises ProfileError where it cannot be written.
    """
    _FILE.write(profile, path)


def dump(profile: Profile) -> bytes:
    """Return a profile's file as bytes; equal profiles give equal bytes."""
    return _FILE.dump(profile)


def read(path: Path | BinaryIO) -> Profile:
    """Return the profile in a file.

    Raises InputError where there is no such file, ProfileError where it is foreign, newer, truncated or edited.
    """
    if isinstance(path, Path):
        try:
            return load(path.read_bytes(), str(path))
        except OSError as error:
            raise InputError(
                f"{path} cannot be read: {error.strerror or error}", hint=f"Take one with: {_HOW}"
            ) from error
    return load(path.read(), str(getattr(path, "name", "the input")))


def load(data: bytes, name: str) -> Profile:
    """Return the profile in the bytes of a file."""
    profile: Profile = _FILE.load(data, name, Profile)
    return profile
