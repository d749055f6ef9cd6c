"""Comments in which frameworks say where a statement comes from: SQLCommenter, Marginalia, Query Log Tags, Django's.

A comment is untrusted text: whatever it holds becomes a short key with a short value or nothing, and never a failure.
SQLCommenter: https://google.github.io/sqlcommenter/spec/ (url-encoded, quoted values, meta characters escaped by `\\`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

#: Keys that are another value each time: ids of traces, requests, jobs and processes.
EPHEMERAL = frozenset(
    "traceparent tracestate trace_id traceid span_id request_id requestid job_id jid pid process_id thread_id "
    "hostname host socket db_host database".split()
)
#: A request or a trace is a unit of work: these name it, the best first.
_UNITS = ("traceparent", "trace_id", "traceid", "request_id", "requestid", "job_id", "jid")

_LONGEST_COMMENT = 8_192
_LONGEST_KEY = 64
_LONGEST_VALUE = 512
_MOST = 32
_KEY = r"[A-Za-z_][\w.%-]*"
_QUOTED = re.compile(rf"\s*(?P<key>{_KEY})\s*=\s*'(?P<value>(?:[^'\\]|\\.)*+)'\s*(?:,|\Z)", re.DOTALL)
#: Marginalia's `app:shop,controller:carts,line:/app/models/cart.rb:17:in `total'`; Rails 7 may write `key='value'`.
_PLAIN = re.compile(rf"\s*(?P<key>{_KEY}):(?P<value>[^,]*)(?:,|\Z)")
_FILE_LINE = re.compile(r"(?P<file>[^:\s][^\n]*?\.[A-Za-z]\w{0,9}):(?P<line>\d{1,7})(?::\d+)?(?::in\b.*)?\Z", re.DOTALL)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")
_FILES = ("file", "code.filepath", "code_filepath", "filepath", "source_location", "source_file", "line", "caller")
_LINES = ("line", "code.lineno", "code_lineno", "lineno", "source_line")


def tags(comments: Iterable[str]) -> tuple[tuple[str, str], ...]:
    r"""Return the key-value pairs of a statement's comments, each key once, in the order of the text.

    >>> tags(["/*db_driver='django.db.backends.postgresql',route='%5Epolls/%24'*/"])
    (('db_driver', 'django.db.backends.postgresql'), ('route', '^polls/$'))
    >>> tags(["/*app:shop,controller:carts,line:/app/models/cart.rb:17:in `total'*/"])
    (('app', 'shop'), ('controller', 'carts'), ('line', "/app/models/cart.rb:17:in `total'"))
    >>> tags(["/* the usual, really: no tags */", "-- x='y'"])
    (('x', 'y'),)
    """
    found: dict[str, str] = {}
    for comment in comments:
        for key, value in _pairs(_body(comment)):
            if len(found) < _MOST:
                found.setdefault(key, value)
    return tuple(found.items())


def lasting(found: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the tags without those that are another value each time."""
    return tuple((k, v) for k, v in found if k.lower() not in EPHEMERAL)


def unit(found: Iterable[tuple[str, str]]) -> str | None:
    """Return the trace or request that a statement belongs to, None where no tag names one.

    >>> unit((("traceparent", "00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01"),))
    '5bd66ef5095369c7b0d1f8f4bd33716a'
    """
    known = {k.lower(): v for k, v in found}
    name = next((n for n in _UNITS if known.get(n)), None)
    if name != "traceparent":
        return known[name] if name else None
    parts = known[name].split("-")
    return parts[1] if len(parts) > 2 else known[name]


def call_site(found: Iterable[tuple[str, str]]) -> tuple[str, int | None] | None:
    """Return the file and line that the tags name, None where they name none.

    >>> call_site((("line", "/app/models/cart.rb:17:in `total'"),)), call_site((("file", "a/b.py"), ("line", "3")))
    (('/app/models/cart.rb', 17), ('a/b.py', 3))
    """
    known = {k.lower(): v for k, v in found}
    for name in _FILES:
        together = _FILE_LINE.match(known.get(name, ""))
        if together:
            return together["file"], int(together["line"])
    file = next((known[n] for n in _FILES if n != "line" and known.get(n)), None)
    number = next((known[n] for n in _LINES if known.get(n, "").isdigit() and len(known[n]) < 8), None)
    return (file, int(number) if number else None) if file else None


def _body(comment: str) -> str:
    inside = comment[2:-2] if comment.startswith("/*") else comment[2:]
    return inside.strip() if len(inside) <= _LONGEST_COMMENT else ""


def _pairs(body: str) -> list[tuple[str, str]]:
    """Return the pairs of one comment; one that is no list of pairs from start to end has none."""
    pattern = _QUOTED if "='" in body or "= '" in body else _PLAIN
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(body):
        pair = pattern.match(body, position)
        if pair is None:
            return [] if pattern is _PLAIN else found
        position = pair.end()
        key, value = pair["key"], pair["value"]
        if pattern is _QUOTED:
            key, value = _unescaped(key), _unescaped(value)
        key, value = _clean(key), _clean(value)
        if key and value and len(key) <= _LONGEST_KEY:
            found.append((key, value[:_LONGEST_VALUE]))
    return found if pattern is _QUOTED or len(found) > 1 or body.startswith(("app", "line", "source")) else []


def _unescaped(text: str) -> str:
    return unquote(re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL), errors="replace")


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text).strip()
