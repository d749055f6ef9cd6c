"""SQL files, folders of them, and standard input."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from premortem import sqltext
from premortem.errors import InputError
from premortem.model import Profile, Query, Unreadable
from premortem.sources.path import along
from premortem.sources.workload import with_calls

_UTF16_32 = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read(
    paths: Sequence[str | Path], *, stdin: TextIO, profile: Profile | None = None
) -> tuple[Query | Unreadable, ...]:
    """Return the statements of files, of all `*.sql` below folders, and of standard input for `-`.

    A profile adds how often production runs a query, where its workload has the same one.
    """
    found = [item for name, text in _texts(paths, stdin) for item in along(sqltext.split(text, name))]
    return with_calls(found, profile) if profile else tuple(found)


def _texts(paths: Sequence[str | Path], stdin: TextIO) -> Iterator[tuple[str, str]]:
    seen: set[Path] = set()
    for path in paths:
        if str(path) == "-":
            yield "<stdin>", _checked(_standard_input(stdin), "<stdin>")
            continue
        for file in _files(Path(path)):
            if (real := file.resolve()) not in seen:
                seen.add(real)
                yield str(file), _checked(_content(file), str(file))


def _files(path: Path) -> tuple[Path, ...]:
    if not path.is_dir():
        return (path,)
    found = tuple(sorted(_below(path)))
    if not found:
        raise InputError(f"{path} has no .sql files", hint="name a file, or a folder with *.sql files in it")
    return found


def _below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename or folder} cannot be listed: {error.strerror}") from error

    for parent, _, names in os.walk(folder, onerror=refuse):
        yield from (Path(parent, name) for name in names if name.lower().endswith(".sql"))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _standard_input(stdin: TextIO) -> bytes:
    """Return what standard input holds, as bytes where it is a real one, so that bad UTF-8 can be named."""
    binary = getattr(stdin, "buffer", None)
    content = binary.read() if binary is not None else stdin.read().encode("utf-8", "surrogatepass")
    return bytes(content)


def _checked(content: bytes, name: str) -> str:
    """Return the text of a file, or raise InputError that says at which byte it stops being UTF-8 text."""
    for mark, encoding in _UTF16_32.items():
        if content.startswith(mark):
            raise InputError(f"{name} is {encoding}, at byte 0", hint="save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(content, name, error) from error
    if "\0" in text:
        raise InputError(f"{name} is no text: there is a NUL at byte {content.index(0)}")
    return text


def _not_utf8(content: bytes, name: str, error: UnicodeDecodeError) -> InputError:
    offset = error.start + (3 if content.startswith(codecs.BOM_UTF8) else 0)
    line = content.count(b"\n", 0, offset) + 1
    return InputError(
        f"{name} is not valid UTF-8: byte {offset} (line {line}) is 0x{content[offset]:02x}",
        hint="save it as UTF-8",
    )
