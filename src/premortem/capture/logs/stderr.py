"""Reads logs as text, with whatever `log_line_prefix` the server has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from premortem.capture.logs import prefix as prefixes
from premortem.capture.logs.entry import Entry, text_of

#: Records to look at before a prefix is guessed, and how many of them a guess must explain.
_SAMPLE = 400
_ENOUGH = 0.8
#: Lines and characters of one record beyond which the rest is dropped.
_LONGEST = 32 << 20
_STATE = re.compile(r"[0-9A-Z]{5}: ")
_PROCESS = re.compile(r"\[(\d+)(?:-\d+)?\]|(?i:\bpid[=: \"]+(\d+))")
_FIELDS = {"DETAIL": "detail", "CONTEXT": "context", "STATEMENT": "statement", "QUERY": "query"}


def entries(lines: Iterable[bytes], *, prefix: str | None = None) -> Iterator[Entry]:
    """Yield the records; a prefix that is not given is found out from the first of them."""
    numbered = enumerate((text_of(line) for line in lines), start=1)
    if prefix is not None:
        yield from _Reader(prefixes.compiled(prefix)).all(numbered)
        return
    sample, rest = [], numbered
    for item in rest:
        sample.append(item)
        if len(sample) >= _SAMPLE:
            break
    reader = _Reader(_guessed([line for _, line in sample]))
    yield from reader.all(_chained(sample, rest))


def _chained(first: Iterable[tuple[int, str]], rest: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield from first
    yield from rest


def _guessed(sample: list[str]) -> re.Pattern[str]:
    """Return the pattern of the prefix that explains the sample, or one that takes anything."""
    heads = [h for line in sample if not line.startswith("\t") and (h := prefixes.ANY_HEAD.match(line))]
    if not heads:
        return prefixes.ANY_HEAD
    guess = prefixes.compiled(prefixes.inferred(h["prefix"] for h in heads))
    explained = sum(1 for h in heads if guess.match(h.string))
    return guess if explained >= _ENOUGH * len(heads) else prefixes.ANY_HEAD


@dataclass(slots=True)
class _Reader:
    """Puts lines together to records."""

    head: re.Pattern[str]
    line: int = 0
    severity: str = ""
    about: dict[str, str] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    current: str = "message"
    size: int = 0

    def all(self, numbered: Iterable[tuple[int, str]]) -> Iterator[Entry]:
        for number, line in numbered:
            found = None if line.startswith("\t") else self.head.match(line)
            if found is None:
                self._more(line)
                continue
            severity, rest = found["severity"], line[found.end() :]
            if severity in _FIELDS or severity in ("HINT", "LOCATION", "BACKTRACE"):
                self._attach(_FIELDS.get(severity, "other"), rest)
                continue
            if self.severity:
                yield self._entry()
            self._start(number, severity, found, rest)
        if self.severity:
            yield self._entry()

    def _start(self, number: int, severity: str, found: re.Match[str], rest: str) -> None:
        self.line, self.severity, self.size = number, severity, 0
        self.about = {k: v for k, v in found.groupdict().items() if v}
        state = _STATE.match(rest)
        if state:
            self.about["state"] = rest[:5]
            rest = rest[state.end() :]
        self.texts, self.current = {"message": [rest]}, "message"

    def _attach(self, field_: str, rest: str) -> None:
        self.current = field_
        self.texts[field_] = [rest]

    def _more(self, line: str) -> None:
        """Take a line that goes on with what came before (PostgreSQL puts a tab before it)."""
        self.size += len(line)
        if self.severity and self.size < _LONGEST:
            self.texts[self.current].append(line[1:] if line.startswith("\t") else line)

    def _text(self, name: str) -> str | None:
        return "".join(self.texts[name]).rstrip("\r\n") if name in self.texts else None

    def _entry(self) -> Entry:
        about = self.about
        process = about.get("process") or _process(about.get("prefix", ""))
        vxid = about.get("transaction")
        return Entry(
            self.line,
            self.severity,
            self._text("message") or "",
            self._text("detail"),
            self._text("context"),
            self._text("statement"),
            about.get("state"),
            about.get("at"),
            about.get("session") or process,
            about.get("client") or about.get("host"),
            None if not vxid or vxid.endswith("/0") else vxid,
            _known(about.get("database")),
            _known(about.get("role")),
            about.get("application"),
        )


def _process(printed: str) -> str:
    found = _PROCESS.search(printed)
    return (found[1] or found[2]) if found else ""


def _known(name: str | None) -> str | None:
    return None if name == "[unknown]" else name
