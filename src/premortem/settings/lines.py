"""The line on which a key of a TOML text stands; TOML readers of the standard library do not tell.

A best effort for error messages: what looks like a key inside a text of several lines may be taken for one, never the
other way round, and a key that is not found has no line.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """Return the line of a key, or of the nearest table above it that has one; None where nothing is found.

    >>> line_of("[a.b]\\n# no\\nc = 1", ("a", "b", "c")), line_of("[[x]]\\n[[x]]\\ny = 1", ("x", 1, "y"))
    (3, 3)
    """
    known: dict[Path, int] = {}
    for place, number in _keys(text):
        known.setdefault(place, number)
    wanted = tuple(path)
    return next((known[wanted[:n]] for n in range(len(wanted), 0, -1) if wanted[:n] in known), None)


def _keys(text: str) -> Iterator[tuple[Path, int]]:
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        said = line.strip()
        if said.startswith("["):
            header = _parsed(said)
            if header is None:
                continue
            table = _counted(_path(header), said.startswith("[["), counts)
            yield from ((table[:n], number) for n in range(1, len(table) + 1))
        elif "=" in said and not said.startswith("#"):
            yield from ((table + below, number) for below in _below(said))


def _counted(path: Path, is_entry: bool, counts: dict[Path, int]) -> Path:
    """Return the path of a header with the number of the entry that it stands in, or begins."""
    if is_entry:
        counts[path] = counts.get(path, -1) + 1
    found: Path = ()
    for step in path:
        found += (step,)
        plain = tuple(s for s in found if isinstance(s, str))
        if plain in counts:
            found += (counts[plain],)
    return found


def _below(said: str) -> Iterator[Path]:
    document = _parsed(said) or _parsed(said.partition("=")[0] + "= 0")
    if document is not None:
        yield from _paths(document)


def _paths(document: Mapping[str, object]) -> Iterator[Path]:
    for key, value in document.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *below) for below in _paths(value))


def _path(document: Mapping[str, object]) -> Path:
    steps: list[str | int] = []
    inner: object = document
    while isinstance(inner, dict) and inner:
        key, inner = next(iter(inner.items()))
        steps.append(key)
        inner = inner[0] if isinstance(inner, list) and inner else inner
    return tuple(steps)


def _parsed(line: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
