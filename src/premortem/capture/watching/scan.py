"""What of a growing log concerns the watcher: DDL, databases that come and go, and our gate's requests.

Most of a suite's log is neither, so a chunk is first searched for the few words as a whole, which costs next to
nothing.  What is taken for DDL here need not be any: a look at the database decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

GATE = "premortem gate"

_WORDS = (b"create", b"alter", b"drop", b"premortem gate", b"import foreign", b"is not available")
_ESCAPED = rb'(?:[^"\\]|\\.)*'
_DOUBLED = rb'(?:[^"]|"")*'
_HEADS = {
    "jsonlog": re.compile(rb'\{"timestamp":"[^"]*",(?:"user":"%b",)?(?:"dbname":"(%b)",)?' % (_ESCAPED, _ESCAPED)),
    "csvlog": re.compile(rb'\d{4}-\d\d-\d\d [^,"]*,(?:"%b")?,(?:"(%b)")?,\d+,' % (_DOUBLED, _DOUBLED)),
}
#: A quotation mark inside of a message, as the form writes it; here it becomes a NUL, for the message's own end is one.
_QUOTES = {"jsonlog": rb"\"", "csvlog": b'""'}
_DDL = re.compile(rb"\b(?:create|alter|drop|import\s+foreign)(?:\s|\\[nrt])", re.IGNORECASE)
_NAME = r"(\0(?:[^\0\"]|\0\0)+\0|[^\s\0\";',)=\\]+)"
_DROP_DATABASE = re.compile(rf"\bdrop\s+database\s+(?:if\s+exists\s+)?{_NAME}", re.IGNORECASE)
_CREATE_DATABASE = re.compile(rf"\bcreate\s+database\s+{_NAME}", re.IGNORECASE)
_TEMPLATE = re.compile(rf"\btemplate\s*=?\s*{_NAME}", re.IGNORECASE)
_MISSING = re.compile(r"extension \0([^\0]+)\0 is not available")
_GATE = re.compile(rb"premortem gate (\d+) (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ddl:
    """A statement that may have changed a database's schema."""

    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropping:
    """A database is about to go."""

    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A database is made as a copy of another."""

    database: str
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A backend of a database waits until we have looked."""

    database: str
    pid: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """An extension was asked for that the server does not have."""

    extension: str


Event: TypeAlias = Ddl | Dropping | Created | Gate | Missing


class Scan:
    """Reads a log in chunks, of whatever length, and yields what concerns us."""

    def __init__(self, form: str) -> None:
        self._head = _HEADS[form]
        self._quote = _QUOTES[form]
        self._rest = b""
        self._database = ""

    def events(self, chunk: bytes) -> Iterator[Event]:
        """Yield what a further piece of the log holds, up to its last whole line."""
        whole, newline, self._rest = (self._rest + chunk).rpartition(b"\n")
        lowered = whole.lower()
        if newline and any(word in lowered for word in _WORDS):
            for line in whole.split(b"\n"):
                yield from self._of(line)

    def _of(self, line: bytes) -> Iterator[Event]:
        head = self._head.match(line)
        if head is not None:  # else the line goes on with a message of several lines
            self._database = _text(head[1] or b"", self._quote).replace("\0", '"')
        if gate := _GATE.search(line):
            yield Gate(database=self._database, pid=int(gate[1]), number=int(gate[2]))
        elif b"is not available" in line and (missing := _MISSING.search(_text(line, self._quote))):
            yield Missing(extension=missing[1])
        elif self._database and _DDL.search(line):
            yield from _ddl(_text(line, self._quote), self._database)


def _text(raw: bytes, quote: bytes) -> str:
    text = raw.replace(quote, b"\0").decode("utf-8", "replace")
    return text.replace(r"\n", "\n").replace(r"\r", "\n").replace(r"\t", "\t")


def _ddl(line: str, database: str) -> Iterator[Event]:
    dropping, creating = _DROP_DATABASE.search(line), _CREATE_DATABASE.search(line)
    if dropping:
        yield Dropping(database=_name(dropping[1]))
    if creating:
        template = _TEMPLATE.search(line, creating.end())
        yield Created(database=_name(creating[1]), template=_name(template[1]) if template else "template1")
    if not dropping and not creating:
        yield Ddl(database=database)


def _name(written: str) -> str:
    r"""Return the name that an identifier stands for, whose quotation marks are NULs.

    >>> _name("Test"), _name("\0Te\0\0st\0")
    ('test', 'Te"st')
    """
    return written[1:-1].replace("\0\0", '"') if written.startswith("\0") else written.lower()
