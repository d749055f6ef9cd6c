"""Takes PostgreSQL's lines out of what other programs put around them: gzip, syslog, Docker and log services."""

from __future__ import annotations

import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from premortem.errors import InputError

#: A line longer than this is read in pieces, so that a file without any line ends does no harm.
_LONGEST_LINE = 64 << 20
_GZIP = b"\x1f\x8b"

SYSLOG = re.compile(
    rb"(?:<\d+>\d?\s?)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) \S+ [\w./-]+"
    rb"\[(?P<pid>\d+)\]: \[\d+-(?P<part>\d+)\] ?"
)
_ATTACHED = re.compile(rb"[^#]{0,300}?\b(?:DETAIL|HINT|CONTEXT|QUERY|STATEMENT|LOCATION): {1,2}")


class Lines:
    """The lines of a file, unpacked where it is gzip; a cut end is an end, and `is_cut` says so."""

    def __init__(self, file: BinaryIO) -> None:
        self.is_cut = False
        self._lines = self._read(file)

    def __iter__(self) -> Iterator[bytes]:
        """Return the lines that are still to come."""
        return self._lines

    def __next__(self) -> bytes:
        """Return the next line."""
        return next(self._lines)

    def _read(self, file: BinaryIO) -> Iterator[bytes]:
        first = file.peek(2)[:2] if hasattr(file, "peek") else b""
        source: BinaryIO = gzip.GzipFile(fileobj=file) if first == _GZIP else file  # type: ignore[assignment]
        try:
            while line := source.readline(_LONGEST_LINE):
                yield line
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self.is_cut = True


@contextmanager
def opened(path: str | Path) -> Iterator[Lines]:
    """Yield the lines of a file, `-` for standard input."""
    if str(path) == "-":
        yield Lines(sys.stdin.buffer)
        return
    try:
        with Path(path).open("rb") as file:
            yield Lines(file)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def of_syslog(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a server's own lines, with the process id in front: syslog gets long ones in numbered parts.

    PostgreSQL writes `#011` for the tab that begins a continued line, and breaks lines where a blank is.
    """
    current: dict[bytes, list[bytes]] = {}
    for line in lines:
        found = SYSLOG.match(line)
        if found is None:
            continue
        pid, rest = found["pid"], line[found.end() :].rstrip(b"\r\n")
        rest = rest.replace(b"#011", b"\t", 1) if rest.startswith(b"#011") else rest
        if found["part"] == b"1" or pid not in current:
            yield from _whole(pid, current.pop(pid, None))
            current[pid] = [rest]
        elif rest.startswith(b"\t") or _ATTACHED.match(rest):
            current[pid].append(rest)
        else:
            current[pid][-1] += rest
    for pid in list(current):
        yield from _whole(pid, current.pop(pid))


def _whole(pid: bytes, parts: list[bytes] | None) -> Iterator[bytes]:
    for part in parts or ():
        yield (part if part.startswith(b"\t") else b"[" + pid + b"] " + part) + b"\n"


def of_json_text(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines inside JSON: `log` of Docker, `textPayload` of Cloud Logging, `message` of CloudWatch."""
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if not isinstance(found, dict):
            continue
        text = next((found[k] for k in ("log", "textPayload", "message") if isinstance(found.get(k), str)), None)
        if text is not None:
            first, *rest = text.rstrip("\n").split("\n")
            yield first.encode() + b"\n"
            yield from (_continued(r) for r in rest)


def _continued(line: str) -> bytes:
    attached = re.match(r".{0,300}?\b(?:LOG|ERROR|DETAIL|HINT|CONTEXT|QUERY|STATEMENT): {1,2}", line)
    return (line if line.startswith("\t") or attached else f"\t{line}").encode() + b"\n"
