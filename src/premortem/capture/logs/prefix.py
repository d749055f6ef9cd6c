"""`log_line_prefix`, given or found out: what stands before `LOG:` in every record of a stderr log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from premortem.errors import InputError

SEVERITIES = r"LOG|ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|DEBUG[1-5]?"
_ATTACHED = r"DETAIL|HINT|CONTEXT|QUERY|STATEMENT|LOCATION|BACKTRACE"
#: PostgreSQL writes two spaces after the colon; some collectors squeeze them.
_HEAD = rf"(?P<severity>{SEVERITIES}|{_ATTACHED}): {{1,2}}"
ANY_HEAD = re.compile(rf"(?P<prefix>.{{0,400}}?)(?<![\w]){_HEAD}")
#: What stands where a severity does on the lines that belong to the record before them.
ATTACHED = frozenset(_ATTACHED.split("|"))

_TIME = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d"
_ZONE = r"(?: ?(?:[A-Z][A-Za-z]{0,4}|[+-]\d\d(?::?\d\d)?|Z))?"
#: What each escape prints (PostgreSQL manual, 19.8.3 "What to Log"), by the name of the entry's field.
_ESCAPES = {
    "a": r"(?P<application>.*?)",
    "u": r"(?P<role>[^\s,@]*?|\[unknown\])",
    "d": r"(?P<database>[^\s,@]*?|\[unknown\])",
    "r": r"(?P<client>[\w.:%\[\]-]*(?:\(\d+\))?)",
    "h": r"(?P<host>[\w.:%\[\]-]*)",
    "L": r"[\w.:%\[\]-]*",
    "b": r"[a-z][a-z ]*?",
    "p": r"(?P<process>\d+)",
    "P": r"\d*",
    "t": rf"(?P<at>{_TIME}{_ZONE})",
    "m": rf"(?P<at>{_TIME}[.,]\d+{_ZONE})",
    "n": r"(?P<at>\d+\.\d+)",
    "Q": r"-?\d+",
    "i": r"[A-Za-z ]*?",
    "e": r"(?P<state>[0-9A-Z]{5})",
    "c": r"(?P<session>[0-9a-f]+\.[0-9a-f]+)",
    "l": r"\d+",
    "s": rf"{_TIME}{_ZONE}",
    "v": r"(?P<transaction>-?\d+/\d+|)",
    "x": r"\d+",
}
_ESCAPE = re.compile(r"%(?P<width>-?\d*)(?P<letter>.)", re.DOTALL)


def compiled(prefix: str) -> re.Pattern[str]:
    """Return what matches the start of a record whose server has that `log_line_prefix`.

    >>> found = compiled("%m [%p] %q%u@%d ").match("2026-11-22 03:15:27.538 UTC [7] ann@shop LOG:  statement: x")
    >>> found["process"], found["role"], found["database"], found["severity"]
    ('7', 'ann', 'shop', 'LOG')
    """
    parts: list[str] = []
    optional, position, seen = False, 0, set[str]()
    for found in _ESCAPE.finditer(prefix):
        parts.append(re.escape(prefix[position : found.start()]))
        position = found.end()
        letter = found["letter"]
        if letter == "q" and not optional:
            parts.append("(?:")
            optional = True
        elif letter == "%":
            parts.append("%")
        elif letter in _ESCAPES:
            parts.append(_once(_ESCAPES[letter], seen, padded=bool(found["width"])))
        elif letter != "q":
            raise InputError(f"the log line prefix has %{letter}, which PostgreSQL does not know")
    parts.append(re.escape(prefix[position:]))
    return re.compile("".join(parts) + (")?" if optional else "") + r"\s*" + _HEAD)


def _once(pattern: str, seen: set[str], *, padded: bool) -> str:
    """Return an escape's pattern, without its name where an escape of that name came before."""
    name = re.match(r"\(\?P<(\w+)>", pattern)
    if name and name[1] in seen:
        pattern = pattern.replace(name[0], "(?:", 1)
    elif name:
        seen.add(name[1])
    return rf"[ ]*{pattern}[ ]*" if padded else pattern


#: Pieces of a prefix as they are printed, and what prints them; the order decides.
_PIECES: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern), escape)
    for pattern, escape in (
        (rf"{_TIME}[.,]\d+{_ZONE}", "%m"),
        (rf"{_TIME}{_ZONE}", "%t"),
        (r"\d{10}\.\d{3}", "%n"),
        (r"[0-9a-f]{8}\.[0-9a-f]+", "%c"),
        (r"(?<=\[)\d+(?=-\d+\])", "%l"),
        (r"(?<=\[)\d+(?=\])|(?<=(?i:pid=))\d+|(?<=(?i:pid=\"))\d+", "%p"),
        (r"(?<=(?i:user=))[^\s,]*", "%u"),
        (r"(?<=(?i:db=))[^\s,]*|(?<=(?i:database=))[^\s,]*", "%d"),
        (r"(?<=(?i:app=))[^,\]]*", "%a"),
        (r"(?<=(?i:client=))[^\s,]*|(?<=(?i:host=))[^\s,]*", "%r"),
        (r"\[local\]|(?:\d{1,3}\.){3}\d{1,3}\(\d+\)", "%r"),
        (r"(?:\d{1,3}\.){3}\d{1,3}", "%h"),
        (r"(?<![\w/])-?\d+/\d+(?![\w/])", "%v"),
    )
)
_PAIR = re.compile(r"(?P<user>[\w.\-\[\]]+)@(?P<database>[\w.\-\[\]]+)")


def inferred(prefixes: Iterable[str]) -> str:
    """Return a `log_line_prefix` that may have printed these; what is understood of none of them stays a guess.

    >>> inferred(["2026-11-22 03:15:27 UTC:10.0.0.1(5432):ann@shop:[77]:"])
    '%t:%r:%u@%d:[%p]:'
    >>> inferred(["2026-11-22 03:15:27.5 UTC [7] ", "2026-11-22 03:15:27.6 UTC [8] ann@shop "])
    '%m [%p] %q%u@%d '
    """
    shapes = {shape: printed for printed in prefixes if (shape := _shape(printed)) is not None}
    if not shapes:
        return ""
    longest = max(shapes, key=len)
    shortest = min(shapes, key=len)
    if shortest != longest and longest.startswith(shortest.rstrip()):
        cut = len(shortest.rstrip())
        rest = longest[cut:]
        space = rest[: len(rest) - len(rest.lstrip())]
        return f"{longest[:cut]}{space}%q{rest[len(space) :]}"
    return longest


def _shape(printed: str) -> str | None:
    """Return one printed prefix with escapes in place of what changes from record to record."""
    text = printed.replace("%", "%%")
    for pattern, escape in _PIECES:
        if escape in ("%t",) and "%m" in text:
            continue
        text = pattern.sub(lambda m, e=escape: e, text, count=1)  # type: ignore[misc]
    return _PAIR.sub("%u@%d", text, count=1) if "%u" not in text else text
