"""The files that premortem keeps for later: one line that says what it is, then compressed JSON.

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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from premortem.catalog import codec
from premortem.catalog.memory import collector_paused
from premortem.errors import PremortemError, ProfileError

_LEVEL = 6
_LONGEST_HEADER = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One kind of file: what it is called, its format's version, its errors, and what to do about them.

    `again` says how to make it once more, `newer` what to do about one of a later version, and `foreign` returns what a
    file is that is none of them.
    """

    noun: str
    version: int
    error: type[PremortemError]
    again: str
    newer: str
    foreign: Callable[[bytes], str]

    @property
    def magic(self) -> bytes:
        """What the file begins with."""
        return f"premortem-{self.noun}".encode()

    def write(self, value: Any, path: Path) -> None:
        """Write a value so that the file is either whole or not there: a temporary file beside it takes its name.

        Its owner alone can read it.
        """
        data = self.dump(value)
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
            raise self.error(f"the {self.noun} cannot be written to {path}: {error.strerror or error}") from error

    def dump(self, value: Any) -> bytes:
        """Return the file of a value as bytes; equal values give equal bytes."""
        with collector_paused():
            text = json.dumps(codec.encode(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        body = gzip.compress(text.encode("utf-8", "surrogatepass"), _LEVEL, mtime=0)
        digest = hashlib.sha256(body).hexdigest().encode()
        return b" ".join((self.magic, b"%d gzip %d" % (self.version, len(body)), digest)) + b"\n" + body

    def load(self, data: bytes, name: str, kind: type[Any]) -> Any:
        """Return the value in the bytes of a file; `name` stands for it in errors.

        Raises the kind's own error where the file is foreign, newer, truncated or edited.
        """
        body = self._checked(data, name)
        with collector_paused():
            return self._decoded(body, name, kind)

    def _decoded(self, body: bytes, name: str, kind: type[Any]) -> Any:
        try:
            return codec.decode(kind, json.loads(gzip.decompress(body).decode("utf-8", "surrogatepass")))
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise self.error(f"{name} is a damaged {self.noun}: {error}", hint=self.again) from error
        except RecursionError:
            raise self.error(f"{name} is no {self.noun}: its JSON is nested too deeply", hint=self.again) from None
        except ProfileError as error:
            raise self.error(error.message.replace("profile", self.noun), hint=error.hint) from error

    def _checked(self, data: bytes, name: str) -> bytes:
        """The compressed body, once the header says that it is ours, of a known version, and unharmed."""
        line, _, body = data[:_LONGEST_HEADER].partition(b"\n")
        words = line.split(b" ")
        if words[0] != self.magic:
            raise self.error(f"{name} is not a premortem {self.noun}", hint=self.foreign(data))
        version = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        if version > self.version:
            says = f"{name} has format version {version}, and this premortem reads up to {self.version}"
            raise self.error(says, hint=self.newer)
        if len(words) != 5 or version < 1 or words[2] != b"gzip" or not words[3].isdigit():
            raise self.error(f"{name} has a damaged first line", hint=self.again)
        body = data[len(line) + 1 :]
        if len(body) < int(words[3]):
            says = f"{name} is truncated: {len(body):,} of {int(words[3]):,} bytes are there"
            raise self.error(says, hint=self.again)
        if hashlib.sha256(body).hexdigest().encode() != words[4]:
            says = f"{name} was changed after it was written: its checksum does not match"
            raise self.error(says, hint=self.again)
        return body
