"""The lock: `premortem.lock`, a TOML file with one table for each accepted query.

It is written for `git merge` as much as for readers.  A table stands under a name that is a hash, so two branches
seldom write to the same place.  With `premortem.lock merge=union` in .gitattributes two tables that do meet in one
place are both kept, and whole: the first and the last line of a table are like no other's, and in between no more than
three lines follow each other that another table could have too (git takes a longer run for common ground and would
write it once: `xdl_simplify_non_conflicts`).  Values of a profile's statistics never get in: what is written of a plan
holds no conditions.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from premortem.errors import InputError
from premortem.model import Accepted, AcceptedFinding, RelationName, Severity, Site

DEFAULT_FILE = "premortem.lock"
FORMAT = 1

_HEADER = """\
# The queries that were accepted, with the plans that they had.  Made by premortem; commit it.
#   premortem check -p PROFILE PATH... --update-lock     records what passes, forgets what is gone
#   premortem adopt -p PROFILE PATH...                   accepts today's findings too
# Lines may be edited (a reason, a date) or deleted; a deleted query is a new one.  When branches meet, keep both sides.
"""
_AGAIN = "delete it, or take the last good one from git, and run: premortem adopt -p PROFILE PATH..."
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$", re.MULTILINE)
_NAME = re.compile(r"[0-9a-z]+-[0-9a-f]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What a lock holds: the accepted queries by their names, and production's planner settings at that time."""

    queries: Mapping[str, Accepted]
    settings: tuple[tuple[str, str], ...] = ()


def parse(text: str, source: str) -> Lock:
    """Return what a lock's text holds; `source` names it in errors.

    Raises InputError where it is damaged, in the middle of a merge, or of a newer format.
    """
    if found := _CONFLICT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise InputError(
            f"{source}, line {line}: a merge left its conflict markers",
            hint="keep the tables of both sides and delete the marker lines; "
            "`premortem.lock merge=union` in .gitattributes lets git do it",
        )
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source} is damaged: {error}", hint=_twice(error) or _AGAIN) from error
    reader = _Reader(source)
    version = reader.typed(document, "format", int, "")
    if version != FORMAT:
        raise InputError(f"{source} has format {version}, this premortem reads {FORMAT}", hint="upgrade premortem")
    settings = reader.typed(document, "settings", dict, "", {})
    queries = reader.typed(document, "query", dict, "", {})
    return Lock(
        queries={name: _accepted(reader, name, reader.typed(queries, name, dict, "query")) for name in queries},
        settings=tuple((name, reader.typed(settings, name, str, "settings")) for name in sorted(settings)),
    )


def _twice(error: tomllib.TOMLDecodeError) -> str | None:
    if "overwrite" not in str(error) and "twice" not in str(error):
        return None
    return "a merge kept two versions of one query: delete one of the two lines, or tables, of the same name"


def _accepted(reader: _Reader, name: str, said: Mapping[str, Any]) -> Accepted:
    where = f"query.{name}"
    if not _NAME.match(name):
        raise reader.error(where, "is no name of a query")
    site, reads = (reader.typed(said, part, dict, where) for part in ("site", "reads"))
    tables = reader.typed(reads, "tables", dict, f"{where}.reads", {})
    tags = reader.typed(site, "tags", dict, f"{where}.site", {})
    return Accepted(
        fingerprint=name.rpartition("-")[0],
        text=reader.typed(said, "text", str, where),
        site=_site(reader, site, f"{where}.site"),
        shape=tuple(reader.strings(said, "plan", where)),
        rows_read=reader.number(reads, "rows", f"{where}.reads"),
        cost=reader.number(reads, "cost", f"{where}.reads"),
        tables=tuple((_relation(t), reader.number(tables, t, f"{where}.reads.tables")) for t in tables),
        indexes=tuple(_relation(i) for i in reader.strings(reads, "indexes", f"{where}.reads")),
        facts=reader.typed(said, "facts", str, where, ""),
        findings=tuple(
            _finding(reader, f, f"{where}.accepted") for f in reader.typed(said, "accepted", list, where, [])
        ),
        search_path=tuple(reader.strings(said, "search_path", where)) if "search_path" in said else None,
        tags=tuple((tag, reader.typed(tags, tag, str, f"{where}.site.tags")) for tag in tags),
        is_captured=reader.typed(site, "captured", bool, f"{where}.site", False),
    )


def _site(reader: _Reader, said: Mapping[str, Any], where: str) -> Site:
    return Site(
        source=reader.typed(said, "file", str, where),
        line=reader.typed(said, "line", int, where, None),
        name=reader.typed(said, "name", str, where, None),
    )


def _finding(reader: _Reader, said: object, where: str) -> AcceptedFinding:
    if not isinstance(said, dict):
        raise reader.error(where, "a list of tables is wanted")
    severity = reader.typed(said, "severity", str, where, Severity.ERROR.value)
    if severity not in list(Severity):
        raise reader.error(where, f"severity {severity!r} is none of {', '.join(Severity)}")
    return AcceptedFinding(
        key=reader.typed(said, "finding", str, where),
        severity=Severity(severity),
        reason=reader.typed(said, "reason", str, where),
        until=reader.typed(said, "until", date, where, None),
    )


def _relation(written: str) -> RelationName:
    schema, dot, name = written.partition(".")
    if not dot:
        return RelationName(schema="public", name=_unescaped(written))
    return RelationName(schema=_unescaped(schema), name=_unescaped(name))


_MISSING = object()


@dataclass(frozen=True, slots=True)
class _Reader:
    """Takes values out of the document and says where a wrong one stands."""

    source: str

    def error(self, where: str, says: str) -> InputError:
        return InputError(f"{self.source} is damaged: {where} {says}".replace("  ", " "), hint=_AGAIN)

    def typed(self, said: Mapping[str, Any], name: str, kind: type, where: str, default: Any = _MISSING) -> Any:
        """Return a field of that type, the default where it is absent."""
        value = said.get(name, default)
        place = f"{where}.{name}".lstrip(".")
        if value is _MISSING:
            raise self.error(place, "is missing")
        if value is not default and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise self.error(place, f"is {value!r}")
        return value

    def number(self, said: Mapping[str, Any], name: str, where: str) -> float:
        value = said.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise self.error(f"{where}.{name}", "is no number of 0 or more")
        return float(value)

    def strings(self, said: Mapping[str, Any], name: str, where: str) -> list[str]:
        found = self.typed(said, name, list, where, [])
        if any(not isinstance(item, str) for item in found):
            raise self.error(f"{where}.{name}", "is no list of texts")
        return list(found)


def render(lock: Lock) -> str:
    """Return the lock as text, the same for the same queries in any order."""
    settings = ["[settings]", *(f"{_key(n)} = {_text(v)}" for n, v in sorted(lock.settings))] if lock.settings else []
    blocks = [_block(name, lock.queries[name]) for name in sorted(lock.queries)]
    head = [*_HEADER.splitlines(), f"format = {FORMAT}", "", *settings, *([""] if settings else [])]
    return "\n".join([*head, *(line for block in blocks for line in (*block, ""))]).rstrip("\n") + "\n"


def _block(name: str, query: Accepted) -> list[str]:
    lines = [
        ("site", _table(_site_fields(query))),
        ("search_path", _array(query.search_path) if query.search_path is not None else None),
        ("text", _text(query.text)),
        ("plan", _array(query.shape)),
        ("reads", _table(_reads_fields(query))),
        ("accepted", f"[{', '.join(map(_finding_text, query.findings))}]" if query.findings else None),
        ("facts", _text(query.facts)),
    ]
    return [f"[query.{name}]", *(f"{key} = {value}" for key, value in lines if value is not None)]


def _site_fields(query: Accepted) -> Iterator[tuple[str, str]]:
    site = query.site
    yield "file", _text(site.source)
    if site.line is not None:
        yield "line", str(site.line)
    if site.name:
        yield "name", _text(site.name)
    if query.is_captured:
        yield "captured", "true"
    if query.tags:
        yield "tags", _table((tag, _text(value)) for tag, value in query.tags)


def _reads_fields(query: Accepted) -> Iterator[tuple[str, str]]:
    yield "rows", _figure(query.rows_read)
    yield "cost", _figure(query.cost)
    if query.tables:
        yield "tables", _table((_relation_text(t), _figure(n)) for t, n in query.tables)
    if query.indexes:
        yield "indexes", _array(_relation_text(i) for i in query.indexes)


def _finding_text(finding: AcceptedFinding) -> str:
    fields = [
        ("finding", _text(finding.key)),
        ("severity", _text(finding.severity.value)),
        ("reason", _text(finding.reason)),
    ]
    until = [("until", finding.until.isoformat())] if finding.until is not None else []
    return _table([*fields, *until], quoted=False)


def _relation_text(relation: RelationName) -> str:
    """Return a relation's name as one text, the schema left out where it is `public`.

    Dots in names are escaped, for the two parts have to be told apart again.
    """
    name = _escaped(relation.name)
    return name if relation.schema == "public" else f"{_escaped(relation.schema)}.{name}"


def _escaped(name: str) -> str:
    return name.replace("%", "%25").replace(".", "%2e")


def _unescaped(name: str) -> str:
    return name.replace("%2e", ".").replace("%25", "%")


def _figure(value: float) -> str:
    """Return a number as TOML, whole numbers in groups of three digits."""
    return f"{value:_.0f}" if value == int(value) else repr(value)


def _array(items: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, items))}]"


def _table(items: Iterable[tuple[str, str]], *, quoted: bool = True) -> str:
    return "{ " + ", ".join(f"{_key(n) if quoted else n} = {v}" for n, v in items) + " }"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def _text(value: str) -> str:
    """Return a text as a TOML string on one line; what steers a terminal, or is no character, is escaped."""
    return '"' + "".join(map(_character, value)) + '"'


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    if 0xD800 <= number <= 0xDFFF:  # half a character, which no UTF-8 file can hold
        return "\\uFFFD"
    return f"\\u{number:04X}" if number < 0x10000 else f"\\U{number:08X}"
