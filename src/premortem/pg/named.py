"""SQL in files beside the code that uses it, with a body per server version instead of a ladder of ifs.

```
-- name: tables
-- purpose: sizes and settings of every table
-- needs: nothing, the catalogs are public
SELECT …

-- version: 16
SELECT … what exists since 16
```
A name's first body is for every supported server unless a `version` line says otherwise; of several, a server gets the
one with the highest version that is not above its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

from premortem.errors import UnsupportedServer

_HEADER = re.compile(r"^--\s*(name|purpose|needs|version):\s*(.*?)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSQL:
    """A query with a name, its reason, what it needs, and its text from each server version on."""

    name: str
    purpose: str = ""
    needs: str = ""
    bodies: Mapping[int, str]

    def pick(self, version_num: int) -> str:
        """The text for a server of that version number."""
        fitting = [least for least in self.bodies if least * 10_000 <= version_num]
        if not fitting:
            least = min(self.bodies)
            raise UnsupportedServer(f"{self.name} needs PostgreSQL {least} or newer, this is {version_num // 10_000}")
        return self.bodies[max(fitting)]


def named_sql(package: str, file: str) -> Mapping[str, NamedSQL]:
    """The queries in an SQL file of a package, by name."""
    return parse(files(package).joinpath(file).read_text(encoding="utf-8"), file)


def parse(text: str, file: str = "text") -> Mapping[str, NamedSQL]:
    """The queries in the text of an SQL file, by name.

    >>> queries = parse("-- name: one\\n-- needs: nothing\\nSELECT 1;\\n-- version: 16\\nSELECT 16\\n")
    >>> queries["one"].pick(150018), queries["one"].pick(180006), queries["one"].needs
    ('SELECT 1', 'SELECT 16', 'nothing')
    """
    found: dict[str, NamedSQL] = {}
    for block in _blocks(text, file):
        query = _query(block, file)
        if query.name in found:
            raise ValueError(f"{file}: the name {query.name} is used twice")
        found[query.name] = query
    return MappingProxyType(found)


def _blocks(text: str, file: str) -> Iterator[list[str]]:
    """The lines from one name header up to the next."""
    block: list[str] = []
    for line in text.splitlines():
        header = _HEADER.match(line)
        if header and header[1] == "name":
            if block:
                yield block
            block = []
        elif not block and (header or (line.strip() and not line.startswith("--"))):
            raise ValueError(f"{file}: this line comes before any name: {line}")
        if block or (header and header[1] == "name"):
            block.append(line)
    if block:
        yield block


def _query(block: list[str], file: str) -> NamedSQL:
    words: dict[str, str] = {}
    bodies: dict[int, list[str]] = {}
    version = 0
    for line in block:
        header = _HEADER.match(line)
        if header is None:
            bodies.setdefault(version, []).append(line)
        elif header[1] == "version":
            version = _version(header[2], bodies, words["name"], file)
        elif header[1] in words:
            raise ValueError(f"{file}: {words['name']} has two lines of {header[1]}")
        else:
            words[header[1]] = header[2]
    texts = {least: _trimmed(lines) for least, lines in bodies.items()}
    texts = {least: body for least, body in texts.items() if body or least}
    if not all(texts.values()) or not texts:
        raise ValueError(f"{file}: {words['name']} has a body without SQL")
    return NamedSQL(
        name=words["name"],
        purpose=words.get("purpose", ""),
        needs=words.get("needs", ""),
        bodies=MappingProxyType(texts),
    )


def _version(text: str, bodies: dict[int, list[str]], name: str, file: str) -> int:
    if not text.isdigit():
        raise ValueError(f"{file}: {name} has a version that is not a major version number: {text}")
    if int(text) in bodies:
        raise ValueError(f"{file}: {name} has two bodies for version {text}")
    bodies[int(text)] = []
    return int(text)


def _trimmed(lines: list[str]) -> str:
    return "\n".join(lines).strip().removesuffix(";").rstrip()
