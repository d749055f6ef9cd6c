"""A checkpoint in parts: its long texts apart from the rest, each by its digest, so that only new ones are written.

Pure.  What a watcher goes on from is mostly the figures of the polls of its window, and all but one of them were in the
checkpoint before.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from premortem.errors import StoreError

_LONG = 1024
_MARK = "$chunk"
#: The quickest that zlib has; counters are alike enough for it.
_LEVEL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A checkpoint without its long texts, packed, and these texts with their digests."""

    root: bytes
    digests: Mapping[str, bytes]


def split(document: object, known: Mapping[str, bytes]) -> Parts:
    """Return a checkpoint's parts; digests of texts that were there before are not worked out again."""
    found: dict[str, bytes] = {}
    return Parts(root=packed(json.dumps(_without(document, known, found), separators=(",", ":"))), digests=found)


def _without(part: object, known: Mapping[str, bytes], found: dict[str, bytes]) -> object:
    if isinstance(part, str):
        if len(part) < _LONG:
            return part
        digest = found[part] = known.get(part) or _digest(part)
        return {_MARK: digest.hex()}
    if isinstance(part, dict):
        return {key: _without(item, known, found) for key, item in part.items()}
    if isinstance(part, (list, tuple)):
        return [_without(item, known, found) for item in part]
    return part


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def joined(root: bytes, bodies: Mapping[bytes, bytes]) -> object:
    """Return the checkpoint of these parts; raises StoreError where one is missing or damaged."""
    try:
        return _with(json.loads(unpacked(root)), bodies)
    except (zlib.error, ValueError, KeyError) as error:
        raise StoreError(f"the checkpoint in the store cannot be read: {type(error).__name__} {error}") from error


def _with(part: object, bodies: Mapping[bytes, bytes]) -> object:
    if isinstance(part, dict):
        if part.keys() == {_MARK}:
            return unpacked(bodies[bytes.fromhex(cast("str", part[_MARK]))])
        return {key: _with(item, bodies) for key, item in part.items()}
    if isinstance(part, list):
        return [_with(item, bodies) for item in part]
    return part


def packed(text: str) -> bytes:
    """Return a text compressed."""
    return zlib.compress(text.encode("utf-8", "surrogatepass"), _LEVEL)


def unpacked(body: bytes) -> str:
    """Return the text that was compressed."""
    return zlib.decompress(body).decode("utf-8", "surrogatepass")
